#include "sim/machine/dom0less.h"

#include <libfdt.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "sim/machine/device_tree.h"
#include "sim/machine/fvp_baser.h"
#include "sim/machine/image_error.h"
#include "sim/machine/image_loader.h"

namespace trapline {
namespace {

class Dom0lessReader {
 public:
  Dom0lessReader(const std::string& path, std::vector<LoadSpec>& loads)
      : path_(path), loads_(loads) {
    blob_ = DeviceTree::parse(*read_file(path, "device tree"), path).bytes();
  }

  std::vector<DomainSpec> read() {
    std::vector<DomainSpec> domains;
    const int chosen = fdt_path_offset(fdt(), "/chosen");
    int node = -1;
    if (chosen >= 0) {
      fdt_for_each_subnode(node, fdt(), chosen) {
        if (fdt_node_check_compatible(fdt(), node, "xen,domain") == 0) {
          domains.push_back(domain(node));
        }
      }
    }
    if (domains.empty()) {
      throw ImageError(path_, "no node of /chosen is a \"xen,domain\"", "give domains by --domain");
    }
    return domains;
  }

 private:
  const void* fdt() const { return blob_.data(); }

  [[noreturn]] void refuse(const std::string& node, const std::string& what,
                           const std::string& remedy = {}) const {
    throw ImageError(path_, "/chosen/" + node + ": " + what, remedy);
  }

  /// Numbers of `cells` cells each; empty if there is no such property.
  std::vector<std::uint64_t> numbers(int node, const char* property,
                                     std::initializer_list<int> cells) const {
    int length = 0;
    const auto* at = static_cast<const fdt32_t*>(fdt_getprop(fdt(), node, property, &length));
    std::vector<std::uint64_t> values;
    int left = at ? length / 4 : 0;
    while (left > 0) {
      for (const int width : cells) {
        if (width < 1 || width > 2 || left < width) return {};
        std::uint64_t value = 0;
        for (int n = 0; n < width; ++n) value = value << 32 | fdt32_ld(at++);
        left -= width;
        values.push_back(value);
      }
    }
    return values;
  }
  std::optional<std::string> text(int node, const char* property) const {
    const char* found = fdt_stringlist_get(fdt(), node, property, 0, nullptr);
    return found ? std::optional<std::string>(found) : std::nullopt;
  }
  bool has(int node, const char* property) const {
    return fdt_getprop(fdt(), node, property, nullptr) != nullptr;
  }

  DomainSpec domain(int node) {
    DomainSpec spec;
    spec.name = fdt_get_name(fdt(), node, nullptr);
    const std::vector<std::uint64_t> memory = numbers(node, "memory", {2});  // KiB
    if (!memory.empty()) {
      if (memory.front() > ~0ull / 1024) refuse(spec.name, "\"memory\" is above 2^54 - 1 KiB");
      spec.memory = memory.front() * 1024;
    }
    const std::vector<std::uint64_t> cpus = numbers(node, "cpus", {1});
    if (cpus.empty()) refuse(spec.name, "no property \"cpus\"");
    spec.vcpus = static_cast<unsigned>(std::min<std::uint64_t>(cpus.front(), ~0u));
    if (spec.vcpus == 0) refuse(spec.name, "no vCPU");
    spec.vpl011 = has(node, "vpl011");
    spec.input_to_vpl011 = spec.vpl011 && !has(node, "xen,enhanced");
    spec.enhanced = has(node, "xen,enhanced");
    spec.vmsa = uses_mmu(node);
    read_static_memory(node, spec);
    read_modules(node, spec);
    if (spec.kernel.empty()) refuse(spec.name, "no module is a \"multiboot,kernel\"");
    return spec;
  }

  /// Upstream says it by v8r_el1_msa. The earlier Arm port, whose trees have sections in /chosen,
  /// has "mpu" in domains that use none.
  bool uses_mmu(int node) {
    if (const auto said = text(node, "v8r_el1_msa")) return *said == "mmu";
    const bool earlier_port = has(fdt_path_offset(fdt(), "/chosen"), "#mpu,address-cells");
    return earlier_port && !has(node, "mpu");
  }

  void read_static_memory(int node, DomainSpec& spec) {
    if (!has(node, "xen,static-mem")) return;
    const auto cells = [&](const char* property, int otherwise) {
      const std::vector<std::uint64_t> found = numbers(node, property, {1});
      return found.empty() ? otherwise : static_cast<int>(std::min<std::uint64_t>(found[0], 9));
    };
    const std::vector<std::uint64_t> pairs = numbers(
        node, "xen,static-mem",
        {cells("#xen,static-mem-address-cells", 2), cells("#xen,static-mem-size-cells", 2)});
    if (pairs.empty()) refuse(spec.name, "\"xen,static-mem\" does not fit its cell counts");
    for (std::size_t n = 0; n + 1 < pairs.size(); n += 2) {
      spec.static_memory.push_back({pairs[n], pairs[n + 1]});
    }
  }

  void read_modules(int node, DomainSpec& spec) {
    const int address_cells = fdt_address_cells(fdt(), node);
    const int size_cells = fdt_size_cells(fdt(), node);
    int module = -1;
    fdt_for_each_subnode(module, fdt(), node) {
      const auto is = [&](const char* kind) {
        return fdt_node_check_compatible(fdt(), module, kind) == 0;
      };
      if (!is("multiboot,module")) continue;
      const std::vector<std::uint64_t> reg = numbers(module, "reg", {address_cells, size_cells});
      if (reg.empty()) refuse(spec.name, "a module's \"reg\" does not fit the cell counts");
      if (is("multiboot,kernel")) {
        spec.kernel = take(spec.name, reg.front());
        spec.append = text(module, "bootargs").value_or("");
      } else if (is("multiboot,ramdisk")) {
        spec.initrd = take(spec.name, reg.front());
      } else if (is("multiboot,device-tree")) {
        read_partial_tree(take(spec.name, reg.front()), spec);
      }
    }
  }

  /// What a domain may have of the board: one of fvp-baser's UARTs, but for the hypervisor's.
  void read_partial_tree(const std::string& file, DomainSpec& spec) {
    const DeviceTree tree = DeviceTree::parse(*read_file(file, "device tree"), file);
    const std::vector<std::uint8_t> blob = tree.bytes();
    const FvpPart uarts[] = {FvpPart::uart1, FvpPart::uart2, FvpPart::uart3};
    int node = -1;
    while ((node = fdt_next_node(blob.data(), node, nullptr)) >= 0) {
      int length = 0;
      // Physical address, size, guest's address: two cells each (passthrough-noiommu.txt).
      const auto* at =
          static_cast<const fdt32_t*>(fdt_getprop(blob.data(), node, "xen,reg", &length));
      if (!at) continue;
      const std::uint64_t base =
          length < 24 ? 0 : std::uint64_t{fdt32_ld(at)} << 32 | fdt32_ld(at + 1);
      const auto* found = std::find_if(std::begin(uarts), std::end(uarts),
                                       [&](FvpPart part) { return fvp_region(part).base == base; });
      if (found == std::end(uarts) || length != 24 || spec.board_uart != 0) {
        refuse(spec.name,
               "its partial device tree has another device than one of fvp-baser's UARTs 1 to 3",
               "leave it out");
      }
      spec.board_uart = static_cast<unsigned>(found - std::begin(uarts)) + 1;
    }
  }

  std::string take(const std::string& node, std::uint64_t address) {
    const auto found = std::find_if(loads_.begin(), loads_.end(),
                                    [&](const LoadSpec& load) { return load.address == address; });
    if (found == loads_.end()) {
      char text[32];
      std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(address));
      refuse(node, std::string("no file is loaded at ") + text,
             std::string("add --load FILE@") + text);
    }
    const std::string path = found->path;
    loads_.erase(found);
    return path;
  }

  const std::string& path_;
  std::vector<LoadSpec>& loads_;
  std::vector<std::uint8_t> blob_;
};

}  // namespace

std::vector<DomainSpec> read_dom0less(const std::string& path, std::vector<LoadSpec>& loads) {
  return Dom0lessReader(path, loads).read();
}

}  // namespace trapline
