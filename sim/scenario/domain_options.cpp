#include "sim/scenario/domain_options.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <stdexcept>

#include "sim/scenario/key_value_list.h"
#include "sim/scenario/units.h"

namespace trapline {
namespace {

bool parse_switch(std::string_view text) {
  if (text == "on" || text == "true" || text == "yes") return true;
  if (text == "off" || text == "false" || text == "no") return false;
  throw std::invalid_argument(fmt::format("'{}' is not on or off", text));
}

}  // namespace

void set_domain_property(DomainSpec& domain, std::string_view key, const std::string& value) {
  if (key == "kernel") {
    domain.kernel = value;
  } else if (key == "initrd" || key == "ramdisk") {
    domain.initrd = value;
  } else if (key == "append") {
    domain.append = value;
  } else if (key == "dtb") {
    domain.dtb = value;
  } else if (key == "memory") {
    domain.memory = parse_size(value, 1ull << 20);
  } else if (key == "vcpus") {
    domain.vcpus = parse_integer(value, 1, 8, "a number of virtual CPUs");
  } else if (key == "vpl011") {
    domain.vpl011 = parse_switch(value);
  } else if (key == "enhanced") {
    domain.enhanced = parse_switch(value);
  } else {
    throw std::invalid_argument(
        fmt::format("'{}' is not one of name, kernel, initrd, append, memory, vcpus, dtb, vpl011, "
                    "enhanced (a comma inside a value is written ',,')",
                    key));
  }
}

void apply_dom0(XenSpec& xen, std::string_view text) {
  if (!xen.dom0) {
    xen.dom0.emplace();
    xen.dom0->name = "dom0";
  }
  for (const KeyValue& item : parse_key_value_list(text)) {
    set_domain_property(*xen.dom0, item.key, item.value);
  }
}

void apply_domu(XenSpec& xen, std::string_view text) {
  std::vector<KeyValue> items = parse_key_value_list(text);
  std::string name = fmt::format("domU{}", xen.domus.size() + 1);
  std::erase_if(items, [&](const KeyValue& item) {
    if (item.key == "name") name = item.value;
    return item.key == "name";
  });
  auto domain = std::find_if(xen.domus.begin(), xen.domus.end(),
                             [&](const DomainSpec& other) { return other.name == name; });
  if (domain == xen.domus.end()) {
    domain = xen.domus.emplace(xen.domus.end());
    domain->name = name;
  }
  for (const KeyValue& item : items) set_domain_property(*domain, item.key, item.value);
}

namespace {

/// FILE or mem:SIZE, then :ro or :write.
DiskSpec parse_disk(std::string_view text) {
  DiskSpec disk;
  if (text.ends_with(":ro")) {
    disk.read_only = true;
    text.remove_suffix(3);
  } else if (text.ends_with(":write")) {
    disk.write_through = true;
    text.remove_suffix(6);
  }
  if (text.starts_with("mem:")) {
    disk.bytes = parse_size(text.substr(4), 1ull << 20);
    if (disk.bytes == 0 || disk.bytes % 512 != 0) {
      throw std::invalid_argument(fmt::format("a disk of {} bytes is not possible", disk.bytes));
    }
    if (disk.write_through) throw std::invalid_argument("a disk in memory has no file to write to");
    return disk;
  }
  disk.path = text;
  if (disk.path.empty()) throw std::invalid_argument("disk= names no file and no mem:SIZE");
  return disk;
}

/// BRIDGE, then @ and the MAC address.
NetSpec parse_net(std::string_view text) {
  const std::size_t at = text.find('@');
  NetSpec net{std::string(text.substr(0, at))};
  if (at != std::string_view::npos) net.mac = text.substr(at + 1);
  if (net.bridge.empty()) throw std::invalid_argument("net= names no bridge");
  return net;
}

void set_own_property(DomainSpec& domain, const std::string& key, const std::string& value) {
  if (key == "gic") {
    domain.gic = static_cast<unsigned>(parse_integer(value, 2, 3, "a GIC version"));
  } else if (key == "console") {
    if (value != "pv" && value != "vpl011") {
      throw std::invalid_argument(fmt::format("console '{}' is not pv or vpl011", value));
    }
    domain.input_to_vpl011 = value == "vpl011";
  } else if (key == "static-mem") {
    const std::size_t colon = value.find(':');
    if (colon == std::string::npos) {
      throw std::invalid_argument(fmt::format("'{}' is not ADDRESS:SIZE", value));
    }
    domain.static_memory.push_back(
        {parse_address(value.substr(0, colon)), parse_size(value.substr(colon + 1), 1ull << 20)});
  } else if (key == "msa") {
    if (value != "mpu" && value != "mmu") {
      throw std::invalid_argument(fmt::format("msa '{}' is not mpu or mmu", value));
    }
    domain.vmsa = value == "mmu";
  } else if (key == "uart") {
    domain.board_uart = parse_integer(value, 1, 3, "one of the board's UARTs");
  } else if (key == "disk") {
    domain.disks.push_back(parse_disk(value));
  } else if (key == "net") {
    domain.nets.push_back(parse_net(value));
  } else {
    static constexpr std::string_view kShared[] = {"kernel", "initrd", "ramdisk", "append",  "dtb",
                                                   "memory", "vcpus",  "vpl011",  "enhanced"};
    if (std::find(std::begin(kShared), std::end(kShared), key) == std::end(kShared)) {
      throw std::invalid_argument(
          fmt::format("'{}' is not one of name, kernel, initrd, append, memory, vcpus, gic, dtb, "
                      "disk, net, static-mem, msa, uart, console, vpl011, enhanced (a comma inside "
                      "a value is written ',,')",
                      key));
    }
    set_domain_property(domain, key, value);
    if (key == "enhanced") domain.hide_xen = !domain.enhanced;
  }
}

}  // namespace

void set_guest_property(DomainSpec& domain, std::string_view key, const std::string& value) {
  set_own_property(domain, std::string(key), value);
}

void apply_domain(MachineConfig& machine, std::string_view text) {
  std::vector<KeyValue> items = parse_key_value_list(text);
  std::string name = fmt::format("domU{}", machine.domains.size() + 1);
  std::erase_if(items, [&](const KeyValue& item) {
    if (item.key == "name") name = item.value;
    return item.key == "name";
  });
  auto domain = std::find_if(machine.domains.begin(), machine.domains.end(),
                             [&](const DomainSpec& other) { return other.name == name; });
  if (domain == machine.domains.end()) {
    domain = machine.domains.emplace(machine.domains.end());
    domain->name = name;
  }
  for (const KeyValue& item : items) set_own_property(*domain, item.key, item.value);
}

namespace {

SchedulerSpec::Window parse_window(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    throw std::invalid_argument(fmt::format("'{}' is not DOMAIN:TIME", text));
  }
  SchedulerSpec::Window window;
  window.length = parse_duration(text.substr(colon + 1));
  if (window.length == 0) throw std::invalid_argument("a window must be longer than nothing");
  std::string_view name = text.substr(0, colon);
  if (name == "idle") return window;
  const std::size_t dot = name.rfind('.');
  if (dot != std::string_view::npos) {
    window.vcpu = parse_integer(name.substr(dot + 1), 0, 7, "a number of a vCPU");
    name = name.substr(0, dot);
  }
  window.domain = name;
  return window;
}

std::vector<SchedulerSpec::Window> parse_table(std::string_view text) {
  std::vector<SchedulerSpec::Window> table;
  while (true) {
    const std::size_t slash = text.find('/');
    table.push_back(parse_window(text.substr(0, slash)));
    if (slash == std::string_view::npos) return table;
    text = text.substr(slash + 1);
  }
}

}  // namespace

bool parse_silo(std::string_view text) {
  if (text == "silo") return true;
  if (text == "dummy") return false;
  throw std::invalid_argument(fmt::format("'{}' is not one of silo, dummy", text));
}

SchedulerSpec parse_scheduler(std::string_view text) {
  using Policy = SchedulerSpec::Policy;
  SchedulerSpec spec;
  for (const KeyValue& item : parse_key_value_list(text, "policy")) {
    if (item.key == "policy") {
      if (item.value == "null") {
        spec.policy = Policy::null;
      } else if (item.value == "rr") {
        spec.policy = Policy::round_robin;
      } else if (item.value == "arinc653") {
        spec.policy = Policy::arinc653;
      } else {
        throw std::invalid_argument(
            fmt::format("policy '{}' is not one of null, rr, arinc653", item.value));
      }
    } else if (item.key == "slice" && spec.policy == Policy::round_robin) {
      spec.slice = parse_duration(item.value);
      if (spec.slice == 0) throw std::invalid_argument("slice must be longer than nothing");
    } else if (item.key == "switch-cycles") {
      spec.switch_cycles = parse_count(item.value);
    } else if (item.key.starts_with("table") && spec.policy == Policy::arinc653) {
      const std::string number = item.key.substr(5);
      const unsigned cpu = number.empty() ? 0 : parse_integer(number, 0, 7, "a CPU's number");
      if (spec.tables.size() <= cpu) spec.tables.resize(cpu + 1);
      spec.tables[cpu] = parse_table(item.value);
    } else {
      throw std::invalid_argument(
          fmt::format("'{}' is not one of slice (rr), table (arinc653), switch-cycles", item.key));
    }
  }
  return spec;
}

}  // namespace trapline
