// Device trees: /chosen of the board's own, as the Xen ports read it, and partial ones.
#include <spdlog/fmt/fmt.h>

#include "sim/machine/device_tree.h"
#include "sim/plan/plan.h"

namespace trapline::plan {
namespace {

constexpr std::uint32_t kGuestGicPhandle = 65000;  // public/device_tree_defs.h, GUEST_PHANDLE_GIC

void set_ranges(DeviceTree& tree, const std::string& path, const char* property,
                const std::vector<MemoryRange>& ranges) {
  std::vector<std::uint32_t> cells;
  for (const MemoryRange& range : ranges) {
    for (const std::uint64_t value : {range.base, range.size}) {
      cells.push_back(static_cast<std::uint32_t>(value >> 32));
      cells.push_back(static_cast<std::uint32_t>(value));
    }
  }
  tree.set_cells(path, property, cells);
}

void set_cell_counts(DeviceTree& tree, const std::string& path, const std::string& prefix) {
  tree.set_cells(path, fmt::format("#{}size-cells", prefix).c_str(), {2});
  tree.set_cells(path, fmt::format("#{}address-cells", prefix).c_str(), {2});
}

std::vector<MemoryRange> section(const Plan& plan, unsigned group) {
  std::vector<MemoryRange> ranges;
  for (const Run& run : plan.runs(group)) ranges.push_back({run.base, run.end - run.base});
  return ranges;
}

void add_module(DeviceTree& tree, const Plan& plan, const std::string& domain,
                const std::optional<unsigned>& piece, std::string_view kind,
                const std::string& append) {
  if (!piece) return;
  const MemoryRange range = plan.range(*piece);
  const std::string path = fmt::format("{}/module@{:x}", domain, range.base);
  tree.add_node(path);
  if (!append.empty()) tree.set_string(path, "bootargs", append);
  set_ranges(tree, path, "reg", {range});
  tree.set_strings(path, "compatible", {kind, "multiboot,module"});
}

void add_domain(DeviceTree& tree, const Plan& plan, unsigned n) {
  const DomainConfig& domain = plan.config.domains[n];
  const DomainParts& parts = plan.assembly.domains[n];
  const std::string path = "/chosen/" + domain.name;
  tree.add_node(path);
  add_module(tree, plan, path, parts.passthrough, "multiboot,device-tree", "");
  add_module(tree, plan, path, parts.ramdisk, "multiboot,ramdisk", "");
  add_module(tree, plan, path, parts.kernel, "multiboot,kernel", domain.append);
  std::vector<MemoryRange> ram;
  for (const unsigned piece : parts.ram) ram.push_back(plan.range(piece));
  set_ranges(tree, path, "xen,static-mem", ram);
  set_cell_counts(tree, path, "xen,static-mem-");
  if (domain.vpl011) tree.set_empty(path, "vpl011");
  if (plan.target.target == Target::xen_arm) {
    if (domain.pmsa) tree.set_empty(path, "mpu");
  } else {
    tree.set_string(path, "v8r_el1_msa", domain.pmsa ? "mpu" : "mmu");
  }
  tree.set_empty(path, "direct-map");
  tree.set_u64s(path, "memory", {domain.memory / 1024});
  tree.set_cells(path, "cpus", {domain.vcpus});
  set_cell_counts(tree, path, "");
  tree.set_string(path, "compatible", "xen,domain");
}

}  // namespace

std::vector<std::uint8_t> planned_tree(const Plan& plan, std::span<const std::uint8_t> board) {
  DeviceTree tree = DeviceTree::parse(board, plan.config.device_tree);
  tree.add_node("/chosen");
  // libfdt puts a new node first, and domains are made in the order of their nodes.
  for (unsigned n = static_cast<unsigned>(plan.config.domains.size()); n-- > 0;) {
    add_domain(tree, plan, n);
  }
  const Assembly& assembly = plan.assembly;
  if (assembly.guest_section) {
    set_ranges(tree, "/chosen", "mpu,device-memory-section",
               section(plan, *assembly.device_section));
    set_ranges(tree, "/chosen", "mpu,guest-memory-section", section(plan, *assembly.guest_section));
    set_ranges(tree, "/chosen", "mpu,boot-module-section", section(plan, *assembly.boot_section));
    set_cell_counts(tree, "/chosen", "mpu,");
  }
  set_ranges(tree, "/chosen", "xen,static-heap", {plan.range(*assembly.heap)});
  set_cell_counts(tree, "/chosen", "xen,static-heap-");
  const std::string append = plan.config.append.empty()
                                 ? fmt::format("console=dtuart dtuart={}", plan.board.console)
                                 : plan.config.append;
  tree.set_string("/chosen", "xen,xen-bootargs", append);
  set_cell_counts(tree, "/chosen", "");
  return tree.bytes();
}

std::vector<PlanFile> passthrough_trees(const Plan& plan) {
  std::vector<PlanFile> files;
  for (unsigned n = 0; n < plan.config.domains.size(); ++n) {
    const DomainConfig& domain = plan.config.domains[n];
    const DomainParts& parts = plan.assembly.domains[n];
    if (!parts.passthrough || !domain.passthrough.empty()) continue;
    DeviceTree tree;
    tree.add_node("/passthrough");
    for (const DomainDevice& device : parts.devices) {
      const BoardDevice* node = device.path.empty() ? nullptr : plan.board.find(device.path);
      const std::string path = fmt::format("/passthrough/device@{:x}", device.reg.front().base);
      tree.add_node(path);
      std::vector<std::uint32_t> cells;
      for (const unsigned piece : device.pieces) {
        const MemoryRange range = plan.range(piece);
        for (const std::uint64_t value : {range.base, range.size, range.base}) {
          cells.push_back(static_cast<std::uint32_t>(value >> 32));
          cells.push_back(static_cast<std::uint32_t>(value));
        }
      }
      tree.set_empty(path, "xen,force-assign-without-iommu");
      tree.set_cells(path, "xen,reg", cells);
      if (node) {
        tree.set_string(path, "xen,path", node->path);
        if (!node->interrupts.empty()) {
          tree.set_bytes(path, "interrupts", node->interrupts);
          tree.set_cells(path, "interrupt-parent", {kGuestGicPhandle});
        }
        if (!node->compatible.empty()) tree.set_bytes(path, "compatible", node->compatible);
      }
      set_ranges(tree, path, "reg", device.reg);
    }
    tree.set_empty("/passthrough", "ranges");
    set_cell_counts(tree, "/passthrough", "");
    tree.set_string("/passthrough", "compatible", "simple-bus");
    set_cell_counts(tree, "/", "");
    files.push_back({domain.name + "-passthrough.dtb", tree.bytes()});
  }
  return files;
}

}  // namespace trapline::plan
