// `trapline trace`: what can be done with the trace of a run.
#include <spdlog/fmt/fmt.h>

#include "sim/cli/commands.h"
#include "sim/cli/log.h"
#include "sim/cli/open_trace.h"
#include "sim/cli/result_output.h"
#include "sim/replay/replay.h"
#include "sim/report/event_place.h"
#include "sim/report/outcome.h"
#include "sim/report/trace_export.h"
#include "sim/report/trace_stats.h"
#include "sim/trace/trace_file.h"

namespace trapline {
namespace {

bool in_range(const Event& event, const TraceRange& range) {
  return event.instructions >= range.from && event.instructions <= range.to &&
         (!range.cpu || *range.cpu == event.cpu);
}

}  // namespace

int trace_show_command(const std::string& path, const EventSet& events, const TraceRange& range,
                       const std::vector<std::string>& symbol_files) {
  Symbols symbols;
  for (const std::string& file : symbol_files) symbols.add(parse_symbols(file));
  OpenTrace trace(path);
  HostOutput output = output_to("-");
  for (StoredEvent stored; trace.reader().next(stored);) {
    const Event event = stored.view();
    if (!events.has(event.kind) || !in_range(event, range)) continue;
    output.write(event_text(event) + event_place(event, symbols) + '\n');
    if (output.error()) break;
  }
  say_if_cut(trace.reader(), path);
  return close_output(output, kExitSuccess);
}

int trace_stats_command(const std::string& path) {
  OpenTrace trace(path);
  HostOutput output = output_to("-");
  output.write(trace_statistics(trace.reader()));
  return close_output(output, kExitSuccess);
}

int trace_convert_command(const std::string& path, const std::string& form,
                          const std::string& to) {
  OpenTrace trace(path);
  TraceReader& reader = trace.reader();
  HostOutput output = output_to(to);
  const auto write = [&](std::string_view bytes) { output.write(bytes); };
  if (form == "csv") {
    write_csv(reader, write);
  } else if (form == "chrome") {
    write_chrome_trace(reader, write);
  } else {
    TraceWriter writer(form == "binary" ? TraceFormat::binary : TraceFormat::text, reader.header(),
                       write);
    for (StoredEvent stored; reader.next(stored);) writer.on_event(stored.view());
    if (reader.end()) {
      writer.finish(reader.end()->digest);
    } else {
      writer.flush();
    }
  }
  say_if_cut(reader, path);
  return close_output(output, kExitSuccess);
}

int trace_replay_command(const std::string& path, const std::string& device) {
  OpenTrace trace(path);
  const auto named = device_named(device);
  if (!named) throw ScenarioError(fmt::format("--device {}: gic, timer, mpu or pl011", device));
  set_up_log("off");  // What the run said, it said.
  ReplayResult result;
  try {
    result = replay(trace.reader(), *named);
  } catch (const TraceError& error) {
    // The reader's own messages name the file already.
    if (std::string_view(error.what()).starts_with(path)) throw;
    throw TraceError(fmt::format("{}: {}", path, error.what()));
  }
  HostOutput output = output_to("-");
  if (result.mismatch) {
    output.write(fmt::format("{}: {}\n", path, *result.mismatch));
    return close_output(output, kExitExpectation);
  }
  say_if_cut(trace.reader(), path);
  output.write(fmt::format("{}: {} events replayed, {} answers equal\n", path, result.events,
                           result.checked));
  return close_output(output, kExitSuccess);
}

}  // namespace trapline
