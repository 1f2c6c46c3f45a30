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
  } else {
    throw std::invalid_argument(
        fmt::format("'{}' is not one of name, kernel, initrd, append, memory, vcpus, dtb, vpl011 "
                    "(a comma inside a value is written ',,')",
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

}  // namespace trapline
