#include "sim/report/trace_export.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "sim/trace/field_text.h"

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

/// The virtual time of events. They count cycles, which pass only while a CPU is awake; what is
/// known beyond that is when it woke, and that a CPU that is switched on begins then.
class EventTimes {
 public:
  explicit EventTimes(const TraceHeader& header) {
    if (const std::string* hz = header.fact("cpu-hz")) {
      std::uint64_t value = 0;
      const auto [end, error] = std::from_chars(hz->data(), hz->data() + hz->size(), value);
      if (error == std::errc{} && value != 0) hz_ = static_cast<double>(value);
    }
  }

  /// In microseconds.
  double of(const Event& event) {
    Cpu& cpu = cpus_[event.cpu];
    const double awake = static_cast<double>(event.cycles) * 1e6 / hz_;
    if (event.kind == EventKind::wake && event.b != 0) {
      cpu.asleep = static_cast<double>(event.b) / 1e6 - awake;
    }
    // CPUs take turns, so their times are a turn apart.
    cpu.last = std::max(cpu.last, awake + cpu.asleep);
    if (event.kind == EventKind::cpu_power && event.b == 1 && event.a != event.cpu &&
        event.a < kMostCpus) {
      cpus_[static_cast<unsigned>(event.a)] = {cpu.last, cpu.last};
    }
    return cpu.last;
  }

 private:
  static constexpr unsigned kMostCpus = 256;

  struct Cpu {
    double asleep = 0, last = 0;
  };

  double hz_ = 1e9;
  std::map<unsigned, Cpu> cpus_;
};

/// Slices of one track: what runs, from when on.
class ChromeWriter {
 public:
  ChromeWriter(const TraceHeader& header, const TextOutput& output)
      : times_(header), output_(output) {
    output_("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n");
  }

  void add(const Event& event) {
    now_ = times_.of(event);
    if (event.kind == EventKind::wait) return sleep(event);
    // A CPU that has done nothing yet is at no level.
    if (event.kind == EventKind::cpu_power && !levels_.contains(event.cpu)) return;
    follow_level(event);
    follow_domain(event);
    if (event.kind == EventKind::exception_entry || event.kind == EventKind::exception_return ||
        event.kind == EventKind::checkpoint) {
      return;
    }
    Json args = Json::object();
    if (const EventSchema* schema = event_schema(event.kind)) {
      for (const EventField& field : schema->fields()) {
        args[std::string(field.label)] = field_text(event, field);
      }
    }
    if (!event.text.empty()) args["text"] = event.text;
    args["insn"] = event.instructions;
    emit({{"name", event_kind_name(event.kind)},
          {"ph", "i"},
          {"s", "t"},
          {"pid", kCpuProcess},
          {"tid", track(event.cpu, static_cast<unsigned>(event.el))},
          {"ts", now_},
          {"args", args}});
  }

  void finish() {
    for (auto& [cpu, level] : levels_)
      close(kCpuProcess, track(cpu, level.value), level, last_[cpu]);
    for (auto& [cpu, domain] : domains_) close(kDomainProcess, domain.value, domain, last_[cpu]);
    if (!tracks_.empty()) name(kCpuProcess, "CPUs");
    if (!vmids_.empty()) name(kDomainProcess, "domains (VMID)");
    for (const unsigned tid : tracks_) {
      name_track(kCpuProcess, tid, fmt::format("cpu{} EL{}", tid / 4, tid % 4));
    }
    for (const unsigned vmid : vmids_)
      name_track(kDomainProcess, vmid, fmt::format("VMID {}", vmid));
    output_("\n]}\n");
  }

 private:
  static constexpr int kCpuProcess = 1;
  static constexpr int kDomainProcess = 2;

  struct Open {
    unsigned value = 0;
    double since = 0;
    std::string name;
    bool asleep = false;
  };

  static unsigned track(unsigned cpu, unsigned el) { return cpu * 4 + el; }

  void emit(const Json& event) {
    output_((first_ ? "" : ",\n") + event.dump(-1, ' ', true, Json::error_handler_t::replace));
    first_ = false;
  }

  void close(int process, unsigned tid, const Open& open, double now) {
    emit({{"name", open.name},
          {"ph", "X"},
          {"pid", process},
          {"tid", tid},
          {"ts", open.since},
          {"dur", now - open.since}});
  }

  /// Nothing runs, at the level where the CPU sleeps, until something else happens there.
  void sleep(const Event& event) {
    const auto el = static_cast<unsigned>(event.el);
    last_[event.cpu] = now_;
    const auto found = levels_.find(event.cpu);
    if (found != levels_.end()) {
      close(kCpuProcess, track(event.cpu, found->second.value), found->second, now_);
    }
    tracks_.insert(track(event.cpu, el));
    levels_[event.cpu] = {el, now_, event.a != 0 ? "WFE" : "WFI", true};
    const auto domain = domains_.find(event.cpu);
    if (domain == domains_.end()) return;
    close(kDomainProcess, domain->second.value, domain->second, now_);
    domains_.erase(domain);
  }

  /// An exception or its return ends what ran and begins something else.
  void follow_level(const Event& event) {
    last_[event.cpu] = now_;
    const bool entry = event.kind == EventKind::exception_entry;
    const bool moves = entry || event.kind == EventKind::exception_return;
    const unsigned el = moves ? event.a >> 8 & 3 : static_cast<unsigned>(event.el);
    const auto found = levels_.find(event.cpu);
    if (found != levels_.end()) {
      // Power-on changes the level without an exception.
      if (!moves && found->second.value == el && !wakes(event, found->second)) return;
      close(kCpuProcess, track(event.cpu, found->second.value), found->second, now_);
    }
    tracks_.insert(track(event.cpu, el));
    levels_[event.cpu] = {el, now_, entry ? syndrome_name(event.b) : fmt::format("EL{}", el)};
  }

  /// What happens to a CPU that sleeps (its timer fires, a line moves) does not wake it by itself.
  static bool wakes(const Event& event, const Open& open) {
    return open.asleep && event.kind == EventKind::wake;
  }

  void follow_domain(const Event& event) {
    if (event.el == El::el2) return;
    if (const auto level = levels_.find(event.cpu);
        level != levels_.end() && level->second.asleep) {
      return;
    }
    const auto found = domains_.find(event.cpu);
    if (found != domains_.end()) {
      if (found->second.value == event.vmid) return;
      close(kDomainProcess, found->second.value, found->second, now_);
    }
    vmids_.insert(event.vmid);
    domains_[event.cpu] = {event.vmid, now_, fmt::format("cpu{}", event.cpu)};
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

  EventTimes times_;
  double now_ = 0;  // Of the event that is being added.
  const TextOutput& output_;
  bool first_ = true;
  std::map<unsigned, Open> levels_, domains_;  // By CPU.
  std::map<unsigned, double> last_;
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
  ChromeWriter writer(reader.header(), output);
  for (StoredEvent stored; reader.next(stored);) writer.add(stored.view());
  writer.finish();
}

}  // namespace trapline
