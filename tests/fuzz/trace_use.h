// What the program does with a trace, done to any bytes.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "sim/report/mpu_usage.h"
#include "sim/report/trace_export.h"
#include "sim/report/trace_report.h"
#include "sim/report/trace_stats.h"
#include "sim/trace/trace_diff.h"
#include "sim/trace/trace_file.h"
#include "tests/fuzz/fuzz.h"

namespace trapline::fuzz {

struct TraceContents {
  TraceHeader header;
  std::vector<StoredEvent> events;
  std::optional<TraceEnd> end;
  std::optional<std::string> error;

  std::string lines() const {
    std::string text;
    for (const StoredEvent& event : events) text += event_text(event.view()) + '\n';
    return text;
  }
};

inline TraceContents read_trace(const std::string& bytes) {
  TraceContents contents;
  std::istringstream input(bytes);
  try {
    TraceReader reader(input, "t");
    contents.header = reader.header();
    for (StoredEvent event; reader.next(event);) contents.events.push_back(event);
    contents.end = reader.end();
  } catch (const TraceError& error) {
    check_message(error.what());
    contents.error = error.what();
  }
  return contents;
}

inline std::string write_trace(const TraceContents& contents, TraceFormat format) {
  std::string bytes;
  TraceWriter writer(format, contents.header, [&](std::string_view part) { bytes += part; });
  for (const StoredEvent& event : contents.events) writer.on_event(event.view());
  if (contents.end) {
    writer.finish(contents.end->digest);
  } else {
    writer.flush();
  }
  return bytes;
}

/// Every reader of `bytes` ends, in one way; what was read is written and read again without loss.
inline void use_trace(const std::string& bytes) {
  const TraceContents contents = read_trace(bytes);
  const auto with_reader = [&](auto&& use) {
    std::istringstream input(bytes);
    try {
      TraceReader reader(input, "t");
      use(reader);
    } catch (const TraceError&) {
      check(contents.error.has_value(), "a trace that was read once is read again");
    }
  };
  with_reader([](TraceReader& reader) { trace_statistics(reader); });
  with_reader([](TraceReader& reader) { write_csv(reader, [](std::string_view) {}); });
  with_reader([](TraceReader& reader) { write_chrome_trace(reader, [](std::string_view) {}); });
  with_reader([&](TraceReader& reader) {
    std::istringstream again(bytes);
    TraceReader other(again, "u");
    const TraceDifference difference = compare_traces(reader, other, EventSet::all(), 3);
    check(!difference.differ(), "a trace equals itself");
    difference_text(difference, reader.header(), other.header());
  });
  MpuUsage usage;
  for (const StoredEvent& event : contents.events) usage.on_event(event.view());
  usage.finish();
  mpu_table(usage);

  if (contents.error) return;
  for (const TraceFormat format : {TraceFormat::text, TraceFormat::binary}) {
    TraceContents kept = contents;
    std::erase_if(kept.events, [&](const StoredEvent& event) {
      return !contents.header.events.has(event.event.kind) || !event_schema(event.event.kind);
    });
    const TraceContents back = read_trace(write_trace(kept, format));
    if (back.error) std::fprintf(stderr, "%s\n%s", back.error->c_str(), kept.lines().c_str());
    check(!back.error, "what was written is a trace");
    check(back.header.facts == contents.header.facts, "facts come back");
    check(back.header.events == contents.header.events, "the choice of events comes back");
    check(back.lines() == kept.lines(), "events come back");
    check(back.end.has_value() == contents.end.has_value(), "the end comes back");
  }
}

}  // namespace trapline::fuzz
