#include "sim/replay/device_facts.h"

#include <charconv>
#include <type_traits>

namespace trapline {
namespace {

constexpr unsigned kMostUnits = 64;

class Writer {
 public:
  template <typename Value>
  void operator()(const char* name, const Value& value) {
    facts.emplace_back(std::string("device.") + name, std::to_string(+value));
  }
  /// Each piece as LAST:ATTR:SHAREABILITY:EXECUTABLE, in hexadecimal.
  void operator()(const char* name, const MpuDefaultMap& map) {
    std::string text;
    for (const MpuDefaultRange& range : map) {
      char piece[64];
      std::snprintf(piece, sizeof piece, "%s%llx:%x:%x:%x", text.empty() ? "" : ",",
                    static_cast<unsigned long long>(range.last), range.attributes.attr,
                    static_cast<unsigned>(range.attributes.shareability), range.executable);
      text += piece;
    }
    facts.emplace_back(std::string("device.") + name, text);
  }
  Facts facts;
};

class Reader {
 public:
  explicit Reader(const TraceHeader& header) : header_(header) {}

  template <typename Value>
  void operator()(const char* name, Value& value) {
    const std::string& text = fact(name);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool fits =
        std::is_same_v<Value, bool> ? number <= 1 : number == static_cast<Value>(number);
    if (error != std::errc{} || end != text.data() + text.size() || !fits) bad(name, text);
    value = static_cast<Value>(number);
  }

  void operator()(const char* name, MpuDefaultMap& map) {
    const std::string& text = fact(name);
    map.clear();
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at != end) {
      std::uint64_t fields[4] = {};
      for (unsigned n = 0; n < 4; ++n) {
        const auto [next, error] = std::from_chars(at, end, fields[n], 16);
        if (error != std::errc{} || (n < 3 && (next == end || *next != ':'))) bad(name, text);
        at = n < 3 ? next + 1 : next;
      }
      if (fields[1] > 0xff || fields[2] > 3 || fields[3] > 1 || (at != end && *at != ',')) {
        bad(name, text);
      }
      if (at != end) ++at;
      map.push_back({fields[0],
                     {static_cast<std::uint8_t>(fields[1]), static_cast<Shareability>(fields[2])},
                     fields[3] != 0});
    }
  }

 private:
  const std::string& fact(const char* name) {
    const std::string* text = header_.fact(std::string("device.") + name);
    if (!text) throw TraceError(std::string("the recording does not say device.") + name);
    return *text;
  }
  [[noreturn]] static void bad(const char* name, const std::string& text) {
    throw TraceError(std::string("the recording's device.") + name + " cannot be '" + text + "'");
  }

  const TraceHeader& header_;
};

// One list of fields a configuration, for both directions.

template <typename Config, typename Visit>
void visit_gicv2(Config& config, Visit& visit) {
  visit("cpus", config.cpus);
  visit("spis", config.spis);
  visit("security-extensions", config.security_extensions);
  visit("boots-nonsecure", config.boots_nonsecure);
  visit("virtualization", config.virtualization);
  visit("list-registers", config.list_registers);
  visit("priority-bits", config.priority_bits);
  visit("maintenance-intid", config.maintenance_intid);
}

template <typename Config, typename Visit>
void visit_gicv3(Config& config, Visit& visit) {
  visit("cpus", config.cpus);
  visit("spis", config.spis);
  visit("two-security-states", config.two_security_states);
  visit("virtualization", config.virtualization);
  visit("list-registers", config.list_registers);
  visit("priority-bits", config.priority_bits);
  visit("distributor-priority-bits", config.distributor_priority_bits);
  visit("programmable-are", config.programmable_are);
  visit("programmable-sre", config.programmable_sre);
  visit("one-of-n", config.one_of_n);
  visit("message-spis", config.message_spis);
  visit("sleep-gates", config.sleep_gates);
  visit("power-register", config.power_register);
  visit("maintenance-intid", config.maintenance_intid);
}

template <typename Setup, typename Visit>
void visit_timer(Setup& setup, Visit& visit) {
  visit("cpus", setup.cpus);
  visit("counter-hz", setup.counter_hz);
  visit("counter-runs", setup.counter_runs);
  visit("vhe", setup.vhe);
  visit("frequency-known", setup.frequency_known);
  visit("ecv", setup.ecv);
  visit("secure-physical", setup.secure_physical);
  visit("secure-virtual", setup.secure_virtual);
}

template <typename Setup, typename Visit>
void visit_mpu(Setup& setup, Visit& visit) {
  visit("cpus", setup.cpus);
  visit("el1-regions", setup.config.el1_regions);
  visit("el2-regions", setup.config.el2_regions);
  visit("el2", setup.config.el2);
  visit("default-map", setup.config.default_map);
}

template <typename Setup, typename Visit>
void visit_pl011(Setup& setup, Visit& visit) {
  visit("uarts", setup.uarts);
  visit("clock-hz", setup.clock_hz);
}

void check_units(unsigned units) {
  if (units == 0 || units > kMostUnits) {
    throw TraceError("a recording of " + std::to_string(units) + " units; 1 to " +
                     std::to_string(kMostUnits) + " are possible");
  }
}

}  // namespace

Facts device_facts(const GicV2Config& config) {
  Writer writer;
  writer("version", 2u);
  visit_gicv2(config, writer);
  return std::move(writer.facts);
}

Facts device_facts(const GicV3Config& config) {
  Writer writer;
  writer("version", 3u);
  visit_gicv3(config, writer);
  return std::move(writer.facts);
}

Facts device_facts(const TimerSetup& setup) {
  Writer writer;
  visit_timer(setup, writer);
  return std::move(writer.facts);
}

Facts device_facts(const MpuSetup& setup) {
  Writer writer;
  visit_mpu(setup, writer);
  return std::move(writer.facts);
}

Facts device_facts(const Pl011Setup& setup) {
  Writer writer;
  visit_pl011(setup, writer);
  return std::move(writer.facts);
}

unsigned gic_version(const TraceHeader& header) {
  unsigned version = 0;
  Reader reader(header);
  reader("version", version);
  if (version != 2 && version != 3) {
    throw TraceError("a recording of a GIC of version " + std::to_string(version));
  }
  return version;
}

void read_facts(const TraceHeader& header, GicV2Config& config) {
  Reader reader(header);
  visit_gicv2(config, reader);
  check_units(config.cpus);
}

void read_facts(const TraceHeader& header, GicV3Config& config) {
  Reader reader(header);
  visit_gicv3(config, reader);
  check_units(config.cpus);
}

void read_facts(const TraceHeader& header, TimerSetup& setup) {
  Reader reader(header);
  visit_timer(setup, reader);
  check_units(setup.cpus);
}

void read_facts(const TraceHeader& header, MpuSetup& setup) {
  Reader reader(header);
  visit_mpu(setup, reader);
  check_units(setup.cpus);
}

void read_facts(const TraceHeader& header, Pl011Setup& setup) {
  Reader reader(header);
  visit_pl011(setup, reader);
  check_units(setup.uarts);
  if (setup.clock_hz == 0) throw TraceError("a recording of a UART without a clock");
}

}  // namespace trapline
