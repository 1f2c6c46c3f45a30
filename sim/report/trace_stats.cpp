#include "sim/report/trace_stats.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <map>
#include <vector>


namespace trapline {
namespace {

using Counts = std::map<std::string, std::uint64_t>;

class Tally {
 public:
  void add(const Event& event) {
    ++events_;
    last_[event.cpu] = event.instructions;
    ++kinds_[{std::string(event_kind_name(event.kind)), event.cpu}];
    switch (event.kind) {
      case EventKind::exception_entry:
        ++exceptions_[exception_name(event)];
        break;
      case EventKind::interrupt_ack:
        ++interrupts_[fmt::format("{} {}", event.b ? "virtual" : "physical", event.a)];
        break;
      case EventKind::hypercall:
      case EventKind::monitor_call:
        ++calls_[fmt::format("{} {:#x}", event.kind == EventKind::hypercall ? "hvc" : "smc",
                             event.a)];
        break;
      case EventKind::xen_call:
        ++calls_[xen_name(event)];
        break;
      default:
        break;
    }
  }

  std::string text(const TraceReader& reader) const {
    std::string text;
    for (const auto& [name, value] : reader.header().facts) {
      text += fmt::format("{:24} {}\n", name, value);
    }
    text += fmt::format("{:24} {}\n", "recorded", reader.header().events.text());
    if (reader.end()) {
      text += fmt::format("{:24} {}\n", "digest", reader.end()->digest);
    } else {
      text += fmt::format("{:24} {}\n", "digest", "none: the trace is cut short");
    }
    text += '\n';
    add_kinds(text);
    add_counts(text, "exceptions taken", exceptions_);
    add_counts(text, "interrupts acknowledged", interrupts_);
    add_counts(text, "calls", calls_);
    return text;
  }

 private:
  static std::string exception_name(const Event& event) {
    const unsigned target = static_cast<unsigned>(event.a >> 8 & 0xff);
    const unsigned source = static_cast<unsigned>(event.a & 0xff);
    return fmt::format("EL{} to EL{} {}", source, target,
                       syndrome_name(event.b));
  }

  static std::string xen_name(const Event& event) {
    const std::string_view call = xen_call_name(event.a);
    const std::string_view command = xen_command_name(event.a, event.b);
    if (call.empty()) return fmt::format("xen {:#x}", event.a);
    return fmt::format("xen {}{}{}", call, command.empty() ? "" : " ", command);
  }

  void add_kinds(std::string& text) const {
    text += fmt::format("{:24}", "events");
    for (const auto& [cpu, instructions] : last_) text += fmt::format("{:>14}", fmt::format("cpu{}", cpu));
    text += '\n';
    for (const EventSchema& schema : event_schemas()) {
      std::string line = fmt::format("{:24}", schema.name);
      bool any = false;
      for (const auto& [cpu, instructions] : last_) {
        const auto found = kinds_.find({std::string(schema.name), cpu});
        any |= found != kinds_.end();
        line += fmt::format("{:14}", found == kinds_.end() ? 0 : found->second);
      }
      if (any) text += line + '\n';
    }
    text += fmt::format("{:24}", "last instruction");
    for (const auto& [cpu, instructions] : last_) text += fmt::format("{:14}", instructions);
    text += '\n';
  }

  static void add_counts(std::string& text, std::string_view title, const Counts& counts) {
    if (counts.empty()) return;
    text += fmt::format("\n{}\n", title);
    std::vector<std::pair<std::string, std::uint64_t>> rows(counts.begin(), counts.end());
    std::stable_sort(rows.begin(), rows.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    for (const auto& [name, count] : rows) text += fmt::format("  {:36}{:>12}\n", name, count);
  }

  std::uint64_t events_ = 0;
  std::map<unsigned, std::uint64_t> last_;
  std::map<std::pair<std::string, unsigned>, std::uint64_t> kinds_;
  Counts exceptions_, interrupts_, calls_;
};

}  // namespace

std::string trace_statistics(TraceReader& reader) {
  Tally tally;
  for (StoredEvent event; reader.next(event);) tally.add(event.view());
  return tally.text(reader);
}

}  // namespace trapline
