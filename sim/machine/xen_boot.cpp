#include "sim/machine/xen_boot.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

namespace trapline {
namespace {

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr std::uint64_t kModuleAlign = 2 * kMiB;
constexpr std::uint64_t kDom0DefaultBytes = 512 * kMiB;  // Xen's own, where dom0_mem is not given.
constexpr std::size_t kMaxBootargs = 1023;               // Xen: BOOTMOD_MAX_CMDLINE less the NUL.
constexpr std::size_t kMaxModules = 30;                  // Xen: MAX_MODULES less Xen and the DTB.
constexpr std::size_t kMaxNodeName = 31;                 // Devicetree specification 2.2.1.

struct Module {
  LayoutItem item;
  const char* compatible;
  SharedBytes bytes;
  std::string bootargs;
  PhysAddr address = 0;
};

struct Domain {
  const DomainSpec* spec;
  std::vector<Module> modules;
};

bool has_option(const std::string& command_line, std::string_view name) {
  std::istringstream words(command_line);
  for (std::string word; words >> word;) {
    if (word.starts_with(std::string(name) + "=")) return true;
  }
  return false;
}

std::string memory_option(std::uint64_t bytes) {
  if (bytes % kMiB == 0) return std::to_string(bytes / kMiB) + "M";
  return std::to_string((bytes + kKiB - 1) / kKiB) + "K";
}

void check_bootargs(const std::string& who, const std::string& bootargs) {
  if (bootargs.size() <= kMaxBootargs) return;
  throw ImageError("",
                   who + ": command line of " + std::to_string(bootargs.size()) +
                       " characters is too long for Xen",
                   "at most " + std::to_string(kMaxBootargs));
}

void check_name(const DomainSpec& domain, std::set<std::string>& seen) {
  const std::string& name = domain.name;
  const auto allowed = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view(",._+-").find(c) != std::string_view::npos;
  };
  if (name.empty() || name.size() > kMaxNodeName || name == "chosen" ||
      !std::all_of(name.begin(), name.end(), allowed)) {
    throw ImageError("", "domain \"" + name + "\": not a usable name",
                     "use 1 to 31 letters, digits or any of ,._+-");
  }
  if (!seen.insert(name).second) {
    throw ImageError("", "two domains are called \"" + name + "\"", "give each its own name");
  }
}

Module kernel_module(const std::string& domain, const DomainSpec& spec, ImageCache& cache) {
  const std::string role = domain + " kernel";
  if (spec.kernel.empty()) {
    throw ImageError("", domain + " has no kernel", "add kernel=FILE");
  }
  const LoadedImage& image = cache.bootable(spec.kernel, role);
  if (image.kind != ImageKind::arm64_image) {
    throw ImageError(spec.kernel, role + " is an ELF file, which Xen cannot start",
                     "use the arm64 Image (arch/arm64/boot/Image) or objcopy -O binary");
  }
  return {{role, spec.kernel}, "multiboot,kernel", image.bytes, spec.append};
}

/// A domain's modules with their bytes, not yet placed.
Domain load_domain(const std::string& name, const DomainSpec& spec, ImageCache& cache) {
  Domain domain{&spec, {kernel_module(name, spec, cache)}};
  if (!spec.initrd.empty()) {
    const LayoutItem item{name + " initrd", spec.initrd};
    domain.modules.push_back({item, "multiboot,ramdisk", cache.file(item.path, item.role), {}});
  }
  if (!spec.dtb.empty()) {
    const LayoutItem item{name + " device tree", spec.dtb};
    const SharedBytes bytes = cache.file(item.path, item.role);
    DeviceTree::parse(*bytes, item.path);
    domain.modules.push_back({item, "multiboot,device-tree", bytes, {}});
  }
  return domain;
}

void write_module(DeviceTree& tree, const std::string& parent, const Module& module) {
  char unit[32];
  std::snprintf(unit, sizeof unit, "/module@%llx", static_cast<unsigned long long>(module.address));
  const std::string path = parent + unit;
  tree.add_node(path);
  if (!module.bootargs.empty()) tree.set_string(path, "bootargs", module.bootargs);
  tree.set_u64s(path, "reg", {module.address, module.bytes->size()});
  tree.set_strings(path, "compatible", {module.compatible, "multiboot,module"});
}

/// New nodes become first children, hence the reverse order: Xen numbers domains in tree order.
void write_modules(DeviceTree& tree, const std::string& parent,
                   const std::vector<Module>& modules) {
  for (auto module = modules.rbegin(); module != modules.rend(); ++module) {
    write_module(tree, parent, *module);
  }
}

void write_domu(DeviceTree& tree, const Domain& domain) {
  const DomainSpec& spec = *domain.spec;
  const std::string path = "/chosen/" + spec.name;
  if (tree.has_node(path)) {
    throw ImageError("",
                     "domain \"" + spec.name + "\" is already in the device tree (" + path + ")",
                     "give the new one another name");
  }
  tree.add_node(path);
  if (spec.vpl011) tree.set_empty(path, "vpl011");
  if (spec.enhanced) tree.set_string(path, "xen,enhanced", "no-xenstore");
  tree.set_cells(path, "cpus", {spec.vcpus == 0 ? 1 : spec.vcpus});
  tree.set_u64s(path, "memory", {(spec.memory + kKiB - 1) / kKiB});
  tree.set_cells(path, "#size-cells", {2});
  tree.set_cells(path, "#address-cells", {2});
  tree.set_string(path, "compatible", "xen,domain");
  write_modules(tree, path, domain.modules);
}

/// Domain memory is Xen's business, but a sum that cannot fit is better said here than by a panic.
void check_ram(const XenSpec& spec, const MemoryLayout& layout) {
  const std::uint64_t images = layout.claimed_bytes(kModuleAlign);
  std::uint64_t need = images;
  std::string parts = "images " + size_text(images);
  const auto add = [&](const std::string& name, std::uint64_t bytes) {
    need += bytes;
    parts += ", " + name + " " + size_text(bytes);
  };
  if (spec.dom0 && spec.dom0->memory != 0) {
    add("dom0", spec.dom0->memory);
  } else if (spec.dom0 && !has_option(spec.append, "dom0_mem")) {
    add("dom0", kDom0DefaultBytes);
  }
  for (const DomainSpec& domu : spec.domus) add(domu.name, domu.memory);
  if (need <= layout.ram_bytes()) return;
  throw ImageError("",
                   "RAM too small: Xen and its domains need more than " + size_text(need) + " (" +
                       parts + "), the machine has " + size_text(layout.ram_bytes()),
                   "raise -m or lower the domains' memory");
}

}  // namespace

std::string xen_command_line(const XenSpec& spec) {
  std::string line = spec.append;
  const auto add = [&](const std::string& option) { line += (line.empty() ? "" : " ") + option; };
  if (!spec.dom0) return line;
  if (spec.dom0->memory != 0) {
    add("dom0_mem=" + memory_option(spec.dom0->memory));
  } else if (!has_option(spec.append, "dom0_mem")) {
    add("dom0_mem=" + memory_option(kDom0DefaultBytes));
  }
  if (spec.dom0->vcpus != 0) add("dom0_max_vcpus=" + std::to_string(spec.dom0->vcpus));
  return line;
}

void check_xen_spec(const XenSpec& spec) {
  if (!spec.dom0 && spec.domus.empty()) {
    throw ImageError(spec.image, "Xen has no domain to start", "add --dom0 or --domu");
  }
  if (spec.dom0) {
    if (spec.dom0->memory != 0 && has_option(spec.append, "dom0_mem")) {
      throw ImageError("", "dom0's memory is given twice, by memory= and by dom0_mem=",
                       "leave out one of the two");
    }
    if (spec.dom0->vcpus != 0 && has_option(spec.append, "dom0_max_vcpus")) {
      throw ImageError("", "dom0's vCPUs are given twice, by vcpus= and by dom0_max_vcpus=",
                       "leave out one of the two");
    }
    if (!spec.dom0->dtb.empty()) {
      throw ImageError(spec.dom0->dtb, "dom0 takes no device tree of its own",
                       "replace the machine's with --dtb");
    }
    check_bootargs("dom0", spec.dom0->append);
  }
  std::set<std::string> names;
  for (const DomainSpec& domu : spec.domus) {
    check_name(domu, names);
    check_bootargs(domu.name, domu.append);
    if (domu.memory == 0) {
      throw ImageError("", "domain \"" + domu.name + "\" has no memory size",
                       "add memory=SIZE, for example memory=128M");
    }
  }
  check_bootargs("Xen", xen_command_line(spec));
}

PhysAddr xen_modules_from(const MemoryLayout& layout) {
  return layout.ram().front().base + std::min<std::uint64_t>(layout.ram_bytes() / 4, 256 * kMiB);
}

PhysAddr xen_dtb_from(const MemoryLayout& layout) {
  return layout.ram().front().base + std::min<std::uint64_t>(layout.ram_bytes() / 8, 128 * kMiB);
}

PlacedImage place_xen(const XenSpec& spec, ImageCache& cache, MemoryLayout& layout,
                      DeviceTree& tree) {
  check_xen_spec(spec);
  PlacedImage placed = place_image(cache.bootable(spec.image, "xen"), "xen", {}, layout);

  std::vector<Domain> domains;
  if (spec.dom0) domains.push_back(load_domain("dom0", *spec.dom0, cache));
  for (const DomainSpec& domu : spec.domus) domains.push_back(load_domain(domu.name, domu, cache));

  std::size_t modules = 0;
  for (Domain& domain : domains) {
    for (Module& module : domain.modules) {
      module.address =
          layout.place(module.item, module.bytes->size(), kModuleAlign, xen_modules_from(layout));
      placed.blobs.push_back(whole_file(module.item, module.address, module.bytes));
      ++modules;
    }
  }
  if (modules > kMaxModules) {
    throw ImageError("", std::to_string(modules) + " modules are more than Xen accepts",
                     "at most " + std::to_string(kMaxModules));
  }
  check_ram(spec, layout);

  tree.add_node("/chosen");
  tree.set_cells("/chosen", "#size-cells", {2});
  tree.set_cells("/chosen", "#address-cells", {2});
  if (const std::string line = xen_command_line(spec); !line.empty()) {
    tree.set_string("/chosen", "xen,xen-bootargs", line);
  }
  const std::size_t first_domu = spec.dom0 ? 1 : 0;
  for (std::size_t i = domains.size(); i-- > first_domu;) write_domu(tree, domains[i]);
  if (spec.dom0) write_modules(tree, "/chosen", domains.front().modules);
  return placed;
}

}  // namespace trapline
