#include "sim/report/trace_report.h"

#include <spdlog/fmt/fmt.h>

#include "sim/report/run_facts.h"

namespace trapline {
namespace {

std::string fact_differences(const TraceHeader& a, const TraceHeader& b) {
  std::string text;
  const auto add = [&](char side, const TraceHeader& here, const TraceHeader& there) {
    for (const auto& [name, value] : here.facts) {
      const std::string* other = there.fact(name);
      if (is_argument_fact(name)) continue;
      if (!other || *other != value) text += fmt::format("  {} {} {}\n", side, name, value);
    }
  };
  add('a', a, b);
  add('b', b, a);
  return text.empty() ? text : "the runs were made of different things:\n" + text;
}

}  // namespace

std::string difference_line(const TraceDifference& difference) {
  if (!difference.differ()) return {};
  if (difference.a.empty() || difference.b.empty()) {
    return fmt::format("{} ends after {} equal events; the other goes on",
                       difference.a.empty() ? 'a' : 'b', difference.common);
  }
  return fmt::format(
      "event {} differs in {}", difference.common + 1,
      fmt::join(different_fields(difference.a.front().view(), difference.b.front().view()), ", "));
}

std::string difference_text(const TraceDifference& difference, const TraceHeader& a,
                            const TraceHeader& b) {
  std::string text = fact_differences(a, b) + difference_line(difference) + '\n';
  const auto line = [&](char mark, const StoredEvent& stored) {
    text += fmt::format("{} {}\n", mark, event_text(stored.view()));
  };
  if (difference.checkpoint) {
    text += fmt::format("the states were last equal at cpu{} insn {}\n",
                        difference.checkpoint->event.cpu,
                        difference.checkpoint->event.instructions);
  }
  for (const StoredEvent& stored : difference.before) line(' ', stored);
  for (const StoredEvent& stored : difference.a) line('a', stored);
  for (const StoredEvent& stored : difference.b) line('b', stored);
  return text;
}

}  // namespace trapline
