// Names from a device tree: devices, memory, domains, and what the Xen ports keep in /chosen.
#include <libfdt.h>

#include <functional>
#include <optional>

#include "sim/machine/device_tree.h"
#include "sim/report/address_names.h"

namespace trapline {
namespace {

using Source = NamedRange::Source;

class TreeReader {
 public:
  TreeReader(const void* fdt, AddressNames& names) : fdt_(fdt), names_(names) {}

  void read() {
    walk(0);
    const int chosen = fdt_path_offset(fdt_, "/chosen");
    if (chosen >= 0) read_chosen(chosen);
  }

 private:
  struct Range {
    std::uint64_t first, size;
  };

  std::string node_name(int node) const {
    int length = 0;
    const char* name = fdt_get_name(fdt_, node, &length);
    return name ? std::string(name, static_cast<std::size_t>(length)) : std::string();
  }

  bool is(int node, const char* compatible) const {
    return fdt_node_check_compatible(fdt_, node, compatible) == 0;
  }

  unsigned cells(int node, const char* property, unsigned otherwise) const {
    int length = 0;
    const auto* value = static_cast<const fdt32_t*>(fdt_getprop(fdt_, node, property, &length));
    if (!value || length != 4) return otherwise;
    const std::uint32_t count = fdt32_ld(value);
    return count <= 2 ? count : otherwise;
  }

  template <typename Each>
  void for_ranges(int node, const char* property, unsigned address, unsigned size,
                  Each each) const {
    int length = 0;
    const auto* cell = static_cast<const fdt32_t*>(fdt_getprop(fdt_, node, property, &length));
    if (!cell || address == 0 || size == 0) return;
    const auto number = [&](unsigned count) {
      std::uint64_t value = 0;
      for (; count > 0; --count) value = value << 32 | fdt32_ld(cell++);
      return value;
    };
    for (unsigned n = 0; (n + 1) * 4 * (address + size) <= static_cast<unsigned>(length); ++n) {
      const std::uint64_t first = number(address), bytes = number(size);
      if (bytes != 0 && first + bytes > first) each(n, Range{first, bytes});
    }
  }

  void add(const Range& range, std::string name, std::string owner = {}) {
    names_.add({range.first, range.first + range.size - 1, std::move(name), std::move(owner),
                Source::device_tree});
  }

  // Devices: nodes whose addresses are the CPU's, that is below the root and buses without
  // translation. /chosen and /cpus have other kinds of addresses.
  void walk(int parent) {
    const unsigned address = cells(parent, "#address-cells", 2);
    const unsigned size = cells(parent, "#size-cells", 1);
    int node;
    fdt_for_each_subnode(node, fdt_, parent) {
      const std::string name = node_name(node);
      if (name == "chosen" || name == "cpus" || name == "reserved-memory") continue;
      for_ranges(node, "reg", address, size,
                 [&](unsigned n, const Range& range) { add(range, device_name(node, name, n)); });
      int length = 0;
      const void* ranges = fdt_getprop(fdt_, node, "ranges", &length);
      if (ranges && length == 0) walk(node);
    }
  }

  std::string device_name(int node, const std::string& name, unsigned n) const {
    if (is(node, "arm,gic-v3")) return n == 0 ? "GICD" : n == 1 ? "GICR" : name;
    if (is(node, "arm,pl011")) return name.substr(0, name.find('@')) == "uart" ? name : "UART " + name;
    if (name.starts_with("memory")) return "RAM";
    return name;
  }

  void read_chosen(int chosen) {
    const unsigned address = cells(chosen, "#address-cells", 2);
    const unsigned size = cells(chosen, "#size-cells", 2);
    const auto section = [&](const char* property, const char* kind, const char* name) {
      const std::string prefix = std::string("#") + kind;
      const unsigned a = cells(chosen, (prefix + "address-cells").c_str(), address);
      const unsigned s = cells(chosen, (prefix + "size-cells").c_str(), size);
      for_ranges(chosen, property, a, s, [&](unsigned, const Range& range) { add(range, name); });
    };
    section("xen,static-heap", "xen,static-heap-", "static heap");
    section("mpu,boot-module-section", "mpu,", "boot modules");
    section("mpu,guest-memory-section", "mpu,", "guest memory");
    section("mpu,device-memory-section", "mpu,", "devices");
    read_modules(chosen, "");
    int node;
    fdt_for_each_subnode(node, fdt_, chosen) {
      if (is(node, "xen,domain")) read_domain(node);
    }
  }

  void read_domain(int domain) {
    const std::string name = node_name(domain);
    const unsigned address = cells(domain, "#xen,static-mem-address-cells",
                                   cells(domain, "#address-cells", 2));
    const unsigned size =
        cells(domain, "#xen,static-mem-size-cells", cells(domain, "#size-cells", 2));
    for_ranges(domain, "xen,static-mem", address, size,
               [&](unsigned, const Range& range) { add(range, name + " RAM", name); });
    read_modules(domain, name + ' ');
  }

  void read_modules(int parent, const std::string& prefix) {
    const unsigned address = cells(parent, "#address-cells", 2);
    const unsigned size = cells(parent, "#size-cells", 2);
    int node;
    fdt_for_each_subnode(node, fdt_, parent) {
      const bool module = is(node, "multiboot,module") || is(node, "xen,multiboot-module");
      if (!module) continue;
      const char* kind = is(node, "multiboot,kernel")        ? "kernel image"
                         : is(node, "multiboot,ramdisk")     ? "initrd"
                         : is(node, "multiboot,device-tree") ? "device tree"
                                                             : "module";
      for_ranges(node, "reg", address, size,
                 [&](unsigned, const Range& range) { add(range, prefix + kind); });
    }
  }

  const void* fdt_;
  AddressNames& names_;
};

}  // namespace

void AddressNames::add_device_tree(std::span<const std::uint8_t> blob, const std::string& path) {
  DeviceTree::parse(blob, path);  // libfdt's full check; throws.
  TreeReader(blob.data(), *this).read();
}

}  // namespace trapline
