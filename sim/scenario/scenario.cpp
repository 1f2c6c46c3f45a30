#include "sim/scenario/scenario.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <utility>

#include "sim/machine/dom0less.h"
#include "sim/machine/image_error.h"
#include "sim/scenario/key_value_list.h"
#include "sim/scenario/units.h"

namespace trapline {
namespace {

constexpr std::array<std::pair<ExitReason, std::string_view>, 9> kExitReasons{{
    {ExitReason::power_off, "power-off"},
    {ExitReason::reset, "reset"},
    {ExitReason::guest_exit, "guest-exit"},
    {ExitReason::stuck, "stuck"},
    {ExitReason::limit_instructions, "limit-instructions"},
    {ExitReason::limit_time, "limit-time"},
    {ExitReason::host_timeout, "host-timeout"},
    {ExitReason::expectation_failed, "expectation-failed"},
    {ExitReason::user_quit, "user-quit"},
}};

constexpr unsigned kMaxUarts = 8;

void check_images(const MachineConfig& machine) {
  if (!machine.xen) {
    if (!machine.initrd.empty() && machine.kernel.empty()) {
      throw ScenarioError("-initrd needs -kernel");
    }
    return;
  }
  if (machine.xen->image.empty()) {
    throw ScenarioError("domains are given but no hypervisor: add --xen FILE");
  }
  if (!machine.kernel.empty() || !machine.initrd.empty()) {
    throw ScenarioError(
        "-kernel and -initrd do not go with --xen: name them in --dom0 kernel=F,initrd=F");
  }
  if (!machine.append.empty()) {
    throw ScenarioError(
        "-append does not go with --xen: use --xen-append, or append= in --dom0 and --domu");
  }
  if (machine.entry_el == 1u) throw ScenarioError("--xen needs to be entered at EL2: drop --el 1");
  if (machine.xen->dom0 && machine.xen->dom0->kernel.empty()) {
    throw ScenarioError("dom0 has no kernel");
  }
  for (const DomainSpec& domain : machine.xen->domus) {
    if (domain.kernel.empty()) throw ScenarioError(fmt::format("{} has no kernel", domain.name));
    if (domain.memory == 0) throw ScenarioError(fmt::format("{} has no memory size", domain.name));
  }
  for (std::size_t a = 0; a < machine.xen->domus.size(); ++a) {
    for (std::size_t b = 0; b < a; ++b) {
      if (machine.xen->domus[a].name == machine.xen->domus[b].name) {
        throw ScenarioError(fmt::format("two domains are named {}", machine.xen->domus[a].name));
      }
    }
  }
}

}  // namespace

UartBackendSpec parse_uart_backend(std::string_view text) {
  using Kind = UartBackendSpec::Kind;
  if (text.starts_with("mon:")) text.remove_prefix(4);  // QEMU's monitor multiplexer.
  if (text == "stdio") return {Kind::stdio, {}};
  if (text == "lines") return {Kind::lines, {}};
  if (text == "null" || text == "none") return {Kind::null, {}};
  if (text == "pty") return {Kind::pty, {}};
  if (text.starts_with("file:") && text.size() > 5) {
    return {Kind::file, std::string(text.substr(5))};
  }
  throw std::invalid_argument(
      fmt::format("'{}' is not stdio, lines, null, pty or file:PATH", text));
}

std::string_view exit_reason_name(ExitReason reason) {
  for (const auto& [value, name] : kExitReasons) {
    if (value == reason) return name;
  }
  return "unknown";
}

ExitReason parse_exit_reason(std::string_view name) {
  std::string names;
  for (const auto& [value, candidate] : kExitReasons) {
    if (candidate == name) return value;
    names += names.empty() ? "" : ", ";
    names += candidate;
  }
  throw std::invalid_argument(fmt::format("'{}' is not one of {}", name, names));
}

std::string parse_log_level(std::string_view text) {
  static constexpr std::array<std::string_view, 6> kLevels{"trace", "debug", "info",
                                                           "warn",  "error", "off"};
  if (std::find(kLevels.begin(), kLevels.end(), text) == kLevels.end()) {
    throw std::invalid_argument(
        fmt::format("'{}' is not one of trace, debug, info, warn, error, off", text));
  }
  return std::string(text);
}

CheckMode parse_check(std::string_view text) {
  if (text == "off") return CheckMode::off;
  if (text == "warn") return CheckMode::warn;
  if (text == "error") return CheckMode::error;
  throw std::invalid_argument(fmt::format("'{}' is not one of off, warn, error", text));
}

std::vector<DeviceRecordingSpec> parse_device_recordings(std::string_view text) {
  std::vector<DeviceRecordingSpec> specs;
  for (const KeyValue& item : parse_key_value_list(text)) {
    const auto device = device_named(item.key);
    if (!device) {
      throw std::invalid_argument(
          fmt::format("'{}' cannot be recorded; gic, timer, mpu and pl011 can", item.key));
    }
    if (item.value.empty()) throw std::invalid_argument(fmt::format("{}= names no file", item.key));
    specs.push_back({*device, item.value});
  }
  return specs;
}

TarmacSpec parse_tarmac(std::string_view text) {
  TarmacSpec spec;
  for (const KeyValue& item : parse_key_value_list(text, "file")) {
    if (item.key == "file") {
      spec.path = item.value;
    } else if (item.key == "from") {
      spec.from = parse_count(item.value);
    } else if (item.key == "to") {
      spec.to = parse_count(item.value);
    } else {
      throw std::invalid_argument(fmt::format("'{}' is not one of file, from, to", item.key));
    }
  }
  if (spec.path.empty()) throw std::invalid_argument("no file is named");
  return spec;
}

CoverageSpec parse_coverage(std::string_view text) {
  CoverageSpec spec{.path = std::string(text)};
  if (text.ends_with(".drcov")) {
    spec.form = CoverageSpec::Form::drcov;
  } else if (!text.ends_with(".info")) {
    throw std::invalid_argument(
        fmt::format("'{}' ends neither in .info (lcov) nor in .drcov", text));
  }
  return spec;
}

ProfileSpec parse_profile(std::string_view text) {
  ProfileSpec spec;
  for (const KeyValue& item : parse_key_value_list(text, "file")) {
    if (item.key == "file") {
      spec.path = item.value;
    } else if (item.key == "every") {
      spec.period = parse_count(item.value);
    } else {
      throw std::invalid_argument(fmt::format("'{}' is not one of file, every", item.key));
    }
  }
  if (spec.path.empty()) throw std::invalid_argument("no file is named");
  if (spec.period == 0) throw std::invalid_argument("every must be more than 0");
  return spec;
}

SymbolSpec parse_symbols(std::string_view text) {
  SymbolSpec spec;
  for (const KeyValue& item : parse_key_value_list(text, "file")) {
    if (item.key == "file") {
      spec.path = item.value;
    } else if (item.key == "el") {
      spec.el = static_cast<El>(parse_integer(item.value, 0, 2, "an exception level"));
    } else if (item.key == "vmid") {
      spec.vmid = static_cast<std::uint16_t>(parse_integer(item.value, 0, 0xffff, "a VMID"));
    } else if (item.key == "offset") {
      const bool negative = item.value.starts_with('-');
      const std::uint64_t offset =
          parse_address(std::string_view(item.value).substr(negative ? 1 : 0));
      spec.offset = negative ? 0 - offset : offset;
    } else {
      throw std::invalid_argument(
          fmt::format("'{}' is not one of file, el, vmid, offset", item.key));
    }
  }
  if (spec.path.empty()) throw std::invalid_argument("no file is named");
  return spec;
}

UartSpec& uart_of(Scenario& scenario, unsigned index) {
  if (index >= kMaxUarts) {
    throw std::invalid_argument(fmt::format("UART {} is not one of 0 to {}", index, kMaxUarts - 1));
  }
  if (scenario.uarts.size() <= index) scenario.uarts.resize(index + 1);
  return scenario.uarts[index];
}

void apply_machine_option(MachineConfig& config, std::string_view text) {
  for (const KeyValue& item : parse_key_value_list(text, "type")) {
    if (item.key == "type") {
      config.machine = item.value;
    } else if (item.key == "gic-version") {
      config.gic = item.value == "max" ? 3 : parse_integer(item.value, 2, 3, "a GIC version");
    } else if (item.key == "virtualization") {
      if (item.value != "on" && item.value != "off" && item.value != "true" &&
          item.value != "false") {
        throw std::invalid_argument(fmt::format("virtualization={} is not on or off", item.value));
      }
      config.entry_el = item.value == "on" || item.value == "true" ? 2 : 1;
    } else if (item.key == "secure" && (item.value == "off" || item.value == "false")) {
      // The Secure world is not modelled; saying so is no error.
    } else {
      throw std::invalid_argument(
          fmt::format("machine option '{}={}' is not known: there are gic-version=2|3 and "
                      "virtualization=on|off",
                      item.key, item.value));
    }
  }
}

void apply_mpu_regions(MachineConfig& config, std::string_view text) {
  const std::size_t comma = text.find(',');
  const std::string_view el2 = comma == std::string_view::npos ? text : text.substr(comma + 1);
  config.mpu_el1_regions = parse_integer(text.substr(0, comma), 0, 255, "a number of MPU regions");
  config.mpu_el2_regions = parse_integer(el2, 0, 255, "a number of MPU regions");
}

bool parse_on_off(std::string_view text) {
  if (text != "on" && text != "off") {
    throw std::invalid_argument(fmt::format("'{}' is not on or off", text));
  }
  return text == "on";
}

bool parse_counter(std::string_view text) {
  if (text != "hardware" && text != "firmware") {
    throw std::invalid_argument(fmt::format("'{}' is not firmware or hardware", text));
  }
  return text == "hardware";
}

Limits limits_of(const Scenario& scenario, bool interactive) {
  const Limits none;
  const Limits& file = interactive ? none : scenario.limits;
  const Limits& forced = scenario.forced_limits;
  return {forced.instructions != none.instructions ? forced.instructions : file.instructions,
          forced.virtual_time != none.virtual_time ? forced.virtual_time : file.virtual_time,
          forced.host_seconds != none.host_seconds ? forced.host_seconds : file.host_seconds};
}

void read_domain_tree(Scenario& scenario) {
  if (scenario.dom0less.empty()) return;
  try {
    std::vector<DomainSpec> domains = read_dom0less(scenario.dom0less, scenario.machine.loads);
    std::vector<DomainSpec>& all = scenario.machine.domains;
    all.insert(all.end(), domains.begin(), domains.end());
  } catch (const ImageError& error) {
    throw ScenarioError(error.what());
  }
}

void check_has_image(const Scenario& scenario) {
  const MachineConfig& machine = scenario.machine;
  if (!machine.xen && machine.kernel.empty() && machine.loads.empty() && machine.domains.empty()) {
    throw ScenarioError(
        "nothing to run: give a scenario file, -kernel FILE, --xen FILE, --domain kernel=FILE or "
        "--load FILE@ADDRESS");
  }
}

void check_scenario(const Scenario& scenario) {
  const MachineConfig& machine = scenario.machine;
  check_images(machine);
  if (machine.ram_bytes == 0u) throw ScenarioError("the machine has no RAM: give -m SIZE");
  for (const auto& capture : scenario.captures) {
    const std::string& bridge = capture.first;
    const bool known =
        std::any_of(machine.domains.begin(), machine.domains.end(), [&](const DomainSpec& domain) {
          return std::any_of(domain.nets.begin(), domain.nets.end(),
                             [&](const NetSpec& net) { return net.bridge == bridge; });
        });
    if (!known) throw ScenarioError(fmt::format("--pcap {}: no domain is on that bridge", bridge));
  }
  if (!scenario.latency_path.empty() && !machine.scheduler) {
    throw ScenarioError("--latency needs a policy: add --sched");
  }
  unsigned on_stdio = 0;
  for (const UartSpec& uart : scenario.uarts) {
    on_stdio += uart.backend.kind == UartBackendSpec::Kind::stdio;
  }
  if (on_stdio > 1) throw ScenarioError("two UARTs go to stdio: give one another place");
  if (scenario.expect.code && scenario.expect.exit &&
      *scenario.expect.exit != ExitReason::guest_exit) {
    throw ScenarioError(fmt::format("[expect] code goes with exit = \"guest-exit\", not \"{}\"",
                                    exit_reason_name(*scenario.expect.exit)));
  }
}

}  // namespace trapline
