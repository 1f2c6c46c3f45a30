#include "sim/report/trace_export.h"

#include <spdlog/fmt/fmt.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

namespace trapline {
namespace {

using Json = nlohmann::ordered_json;

std::string csv_text(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

/// Slices of one track: what runs, from when on.
class ChromeWriter {
 public:
  explicit ChromeWriter(const TextOutput& output) : output_(output) {
    output_("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n");
  }

  void add(const Event& event) {
    follow_level(event);
    follow_domain(event);
    if (event.kind == EventKind::exception_entry || event.kind == EventKind::exception_return ||
        event.kind == EventKind::checkpoint) {
      return;
    }
    Json args = Json::object();
    if (const EventSchema* schema = event_schema(event.kind)) {
      for (const EventField& field : schema->fields()) {
        args[std::string(field.label)] = fmt::format("{:#x}", field.get(event));
      }
    }
    if (!event.text.empty()) args["text"] = event.text;
    args["insn"] = event.instructions;
    emit({{"name", event_kind_name(event.kind)},
          {"ph", "i"},
          {"s", "t"},
          {"pid", kCpuProcess},
          {"tid", track(event.cpu, static_cast<unsigned>(event.el))},
          {"ts", microseconds(event.cycles)},
          {"args", args}});
  }

  void finish() {
    for (auto& [cpu, level] : levels_) close(kCpuProcess, track(cpu, level.value), level, last_[cpu]);
    for (auto& [cpu, domain] : domains_) close(kDomainProcess, domain.value, domain, last_[cpu]);
    name(kCpuProcess, "CPUs");
    name(kDomainProcess, "domains (VMID)");
    for (const unsigned tid : tracks_) {
      name_track(kCpuProcess, tid, fmt::format("cpu{} EL{}", tid / 4, tid % 4));
    }
    for (const unsigned vmid : vmids_) name_track(kDomainProcess, vmid, fmt::format("VMID {}", vmid));
    output_("\n]}\n");
  }

 private:
  static constexpr int kCpuProcess = 1;
  static constexpr int kDomainProcess = 2;

  struct Open {
    unsigned value = 0;
    std::uint64_t since = 0;
    std::string name;
  };

  static unsigned track(unsigned cpu, unsigned el) { return cpu * 4 + el; }
  static double microseconds(std::uint64_t cycles) { return static_cast<double>(cycles) / 1000; }

  void emit(const Json& event) {
    output_((first_ ? "" : ",\n") + event.dump(-1, ' ', true, Json::error_handler_t::replace));
    first_ = false;
  }

  void close(int process, unsigned tid, const Open& open, std::uint64_t now) {
    emit({{"name", open.name},
          {"ph", "X"},
          {"pid", process},
          {"tid", tid},
          {"ts", microseconds(open.since)},
          {"dur", microseconds(now - open.since)}});
  }

  /// An exception or its return ends what ran and begins something else.
  void follow_level(const Event& event) {
    last_[event.cpu] = event.cycles;
    const bool entry = event.kind == EventKind::exception_entry;
    const bool moves = entry || event.kind == EventKind::exception_return;
    const unsigned el = moves ? event.a >> 8 & 3 : static_cast<unsigned>(event.el);
    const auto found = levels_.find(event.cpu);
    if (found != levels_.end()) {
      // Power-on changes the level without an exception.
      if (!moves && found->second.value == el) return;
      close(kCpuProcess, track(event.cpu, found->second.value), found->second, event.cycles);
    }
    tracks_.insert(track(event.cpu, el));
    levels_[event.cpu] = {el, event.cycles,
                          entry ? syndrome_name(event.b) : fmt::format("EL{}", el)};
  }

  void follow_domain(const Event& event) {
    if (event.el == El::el2) return;
    const auto found = domains_.find(event.cpu);
    if (found != domains_.end()) {
      if (found->second.value == event.vmid) return;
      close(kDomainProcess, found->second.value, found->second, event.cycles);
    }
    vmids_.insert(event.vmid);
    domains_[event.cpu] = {event.vmid, event.cycles, fmt::format("cpu{}", event.cpu)};
  }

  void name(int process, const std::string& text) {
    emit({{"name", "process_name"}, {"ph", "M"}, {"pid", process}, {"args", {{"name", text}}}});
  }
  void name_track(int process, unsigned tid, const std::string& text) {
    emit({{"name", "thread_name"},
          {"ph", "M"},
          {"pid", process},
          {"tid", tid},
          {"args", {{"name", text}}}});
  }

  const TextOutput& output_;
  bool first_ = true;
  std::map<unsigned, Open> levels_, domains_;  // By CPU.
  std::map<unsigned, std::uint64_t> last_;
  std::set<unsigned> tracks_, vmids_;
};

}  // namespace

void write_csv(TraceReader& reader, const TextOutput& output) {
  output("cpu,el,vmid,instructions,cycles,kind,a,b,c,d,text\r\n");
  for (StoredEvent stored; reader.next(stored);) {
    const Event& event = stored.event;
    output(fmt::format("{},{},{},{},{},{},{:#x},{:#x},{:#x},{:#x},{}\r\n", event.cpu,
                       static_cast<unsigned>(event.el), event.vmid, event.instructions,
                       event.cycles, event_kind_name(event.kind), event.a, event.b, event.c,
                       event.d, stored.text.empty() ? "" : csv_text(stored.text)));
  }
}

void write_chrome_trace(TraceReader& reader, const TextOutput& output) {
  ChromeWriter writer(output);
  for (StoredEvent stored; reader.next(stored);) writer.add(stored.view());
  writer.finish();
}

}  // namespace trapline
