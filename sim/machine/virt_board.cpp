#include "sim/machine/virt_board.h"

#include <algorithm>
#include <cstdio>
#include <stdexcept>

#include "sim/machine/image_error.h"

namespace trapline {
namespace {

constexpr std::uint32_t kEdge = 1;   // IRQ_TYPE_EDGE_RISING
constexpr std::uint32_t kLevel = 4;  // IRQ_TYPE_LEVEL_HIGH
constexpr std::uint32_t kGicSpi = 0;
constexpr std::uint32_t kGicPpi = 1;

constexpr std::uint32_t kClockPhandle = 0x8000;
constexpr std::uint32_t kFirstCpuPhandle = 0x8001;
constexpr std::uint32_t kGicPhandle = kFirstCpuPhandle + kVirtMaxCpus;

constexpr std::size_t kDtbSlack = 4096;

// QEMU's map of the same name (hw/arm/virt.c, base_memmap and a15irqmap), less the parts that have
// no model.
constexpr VirtRegion kMap[] = {
    {VirtPart::gicd, "intc", 0x08000000, 0x10000, -1, 0, 1, ""},
    {VirtPart::gicc, "intc", 0x08010000, 0x10000, -1, 0, 1, "arm,cortex-a15-gic"},
    {VirtPart::gich, "intc", 0x08030000, 0x10000, -1, 0, 1, ""},
    {VirtPart::gicv, "intc", 0x08040000, 0x10000, -1, 0, 1, ""},
    {VirtPart::gicr, "intc", 0x080a0000, 0xf60000, -1, 0, 1, "arm,gic-v3"},
    {VirtPart::uart0, "pl011", 0x09000000, 0x1000, 1, kLevel, 1, "arm,pl011"},
    {VirtPart::rtc, "pl031", 0x09010000, 0x1000, 2, kLevel, 1, "arm,pl031"},
    {VirtPart::uart1, "pl011", 0x09040000, 0x1000, 8, kLevel, 1, "arm,pl011"},
    {VirtPart::virtio, "virtio_mmio", 0x0a000000, 0x200, 16, kEdge, 32, "virtio,mmio"},
    {VirtPart::ram, "memory", 0x40000000, 0, -1, 0, 1, ""},
};

std::string node_path(const VirtRegion& region, unsigned index = 0) {
  char path[48];
  std::snprintf(path, sizeof path, "/%.*s@%llx", static_cast<int>(region.name.size()),
                region.name.data(),
                static_cast<unsigned long long>(region.base + index * region.size));
  return path;
}

/// Builds one tree. libfdt puts each new node first, so the calls run from the last node to the
/// first.
class VirtTreeBuilder {
 public:
  explicit VirtTreeBuilder(const VirtBoardOptions& options) : options_(options) {}

  DeviceTree build() {
    add_root();
    add_chosen();
    add_clock();
    add_timer();
    add_cpus();
    add_gic();
    if (options_.pmu) add_pmu();
    if (options_.uarts > 1) add_primecell(VirtPart::uart1, {"uartclk", "apb_pclk"});
    add_primecell(VirtPart::uart0, {"uartclk", "apb_pclk"});
    add_primecell(VirtPart::rtc, {"apb_pclk"});
    if (options_.virtio) add_virtio();
    add_memory();
    add_psci();
    return std::move(tree_);
  }

 private:
  /// GICv2 carries a mask of the CPUs that see a PPI in bits 15:8 (arm,gic.yaml); GICv3 does not.
  std::uint32_t ppi_flags() const {
    return options_.gic == 2 ? kLevel | ((1u << options_.cpus) - 1) << 8 : kLevel;
  }

  void add_root() {
    tree_.set_cells("/", "interrupt-parent", {kGicPhandle});
    tree_.set_string("/", "model", "linux,dummy-virt");
    tree_.set_cells("/", "#size-cells", {2});
    tree_.set_cells("/", "#address-cells", {2});
    tree_.set_string("/", "compatible", "linux,dummy-virt");
  }

  void add_chosen() {
    tree_.add_node("/chosen");
    write_chosen(tree_, options_.bootargs, options_.initrd);
    if (!options_.stdout_path.empty()) {
      tree_.set_string("/chosen", "stdout-path", options_.stdout_path);
    }
    if (options_.rng_seed) tree_.set_cells("/chosen", "rng-seed", *options_.rng_seed);
    if (options_.kaslr_seed) tree_.set_u64s("/chosen", "kaslr-seed", {*options_.kaslr_seed});
  }

  void add_clock() {
    const std::string path = "/apb-pclk";
    tree_.add_node(path);
    tree_.set_cells(path, "phandle", {kClockPhandle});
    tree_.set_string(path, "clock-output-names", "clk24mhz");
    tree_.set_cells(path, "clock-frequency", {kVirtUartClockHz});
    tree_.set_cells(path, "#clock-cells", {0});
    tree_.set_string(path, "compatible", "fixed-clock");
  }

  // arm,arch_timer.yaml: secure, physical, virtual, hypervisor, then optionally hypervisor virtual.
  void add_timer() {
    tree_.add_node("/timer");
    std::vector<std::uint32_t> cells;
    std::vector<unsigned> intids = {kVirtPpis.timer_secure, kVirtPpis.timer_physical,
                                    kVirtPpis.timer_virtual, kVirtPpis.timer_hyp};
    if (options_.hyp_virtual_timer) intids.push_back(kVirtPpis.timer_hyp_virtual);
    for (const unsigned intid : intids) {
      cells.insert(cells.end(), {kGicPpi, intid - 16, ppi_flags()});
    }
    tree_.set_cells("/timer", "interrupts", cells);
    tree_.set_empty("/timer", "always-on");
    tree_.set_strings("/timer", "compatible", {"arm,armv8-timer", "arm,armv7-timer"});
  }

  void add_cpus() {
    tree_.add_node("/cpus");
    tree_.set_cells("/cpus", "#size-cells", {0});
    tree_.set_cells("/cpus", "#address-cells", {1});
    for (unsigned n = options_.cpus; n-- > 0;) {
      char path[32];
      std::snprintf(path, sizeof path, "/cpus/cpu@%x", n);
      tree_.add_node(path);
      tree_.set_cells(path, "phandle", {kFirstCpuPhandle + n});
      tree_.set_cells(path, "reg", {n});  // MPIDR_EL1.Aff0
      if (options_.cpus > 1) tree_.set_string(path, "enable-method", "psci");
      tree_.set_string(path, "compatible", options_.cpu_compatible);
      tree_.set_string(path, "device_type", "cpu");
    }
    const std::string cluster = "/cpus/cpu-map/socket0/cluster0";
    for (unsigned n = options_.cpus; n-- > 0;) {
      const std::string core = cluster + "/core" + std::to_string(n);
      tree_.add_node(core);
      tree_.set_cells(core, "cpu", {kFirstCpuPhandle + n});
    }
  }

  void add_gic() {
    const VirtRegion& gicd = virt_region(VirtPart::gicd);
    const std::string path = node_path(gicd);
    tree_.add_node(path);
    tree_.set_cells(path, "phandle", {kGicPhandle});
    if (options_.has_el2) {
      tree_.set_cells(path, "interrupts", {kGicPpi, kVirtPpis.gic_maintenance - 16, kLevel});
    }
    const auto& gicc = virt_region(VirtPart::gicc);
    const auto& gich = virt_region(VirtPart::gich);
    const auto& gicv = virt_region(VirtPart::gicv);
    const auto& gicr = virt_region(VirtPart::gicr);
    if (options_.gic == 3) {
      tree_.set_u64s(path, "reg", {gicd.base, gicd.size, gicr.base, gicr.size});
      tree_.set_cells(path, "#redistributor-regions", {1});
      tree_.set_string(path, "compatible", std::string(gicr.compatible));
    } else {
      if (options_.has_el2) {
        tree_.set_u64s(path, "reg",
                       {gicd.base, gicd.size, gicc.base, gicc.size, gich.base, gich.size, gicv.base,
                        gicv.size});
      } else {
        tree_.set_u64s(path, "reg", {gicd.base, gicd.size, gicc.base, gicc.size});
      }
      tree_.set_string(path, "compatible", std::string(gicc.compatible));
    }
    tree_.set_empty(path, "ranges");
    tree_.set_cells(path, "#size-cells", {2});
    tree_.set_cells(path, "#address-cells", {2});
    tree_.set_empty(path, "interrupt-controller");
    tree_.set_cells(path, "#interrupt-cells", {3});
  }

  void add_pmu() {
    tree_.add_node("/pmu");
    tree_.set_cells("/pmu", "interrupts", {kGicPpi, kVirtPpis.pmu - 16, ppi_flags()});
    tree_.set_string("/pmu", "compatible", "arm,armv8-pmuv3");
  }

  void add_primecell(VirtPart part, std::initializer_list<std::string_view> clock_names) {
    const VirtRegion& region = virt_region(part);
    const std::string path = node_path(region);
    tree_.add_node(path);
    tree_.set_strings(path, "clock-names", clock_names);
    tree_.set_cells(path, "clocks", std::vector<std::uint32_t>(clock_names.size(), kClockPhandle));
    tree_.set_cells(path, "interrupts",
                    {kGicSpi, static_cast<std::uint32_t>(region.spi), region.spi_flags});
    tree_.set_u64s(path, "reg", {region.base, region.size});
    tree_.set_strings(path, "compatible", {region.compatible, "arm,primecell"});
  }

  void add_virtio() {
    const VirtRegion& region = virt_region(VirtPart::virtio);
    for (unsigned n = region.count; n-- > 0;) {
      const std::string path = node_path(region, n);
      tree_.add_node(path);
      tree_.set_empty(path, "dma-coherent");
      tree_.set_cells(path, "interrupts",
                      {kGicSpi, static_cast<std::uint32_t>(region.spi) + n, region.spi_flags});
      tree_.set_u64s(path, "reg", {region.base + n * region.size, region.size});
      tree_.set_string(path, "compatible", std::string(region.compatible));
    }
  }

  void add_memory() {
    const VirtRegion& region = virt_region(VirtPart::ram);
    const std::string path = node_path(region);
    tree_.add_node(path);
    tree_.set_u64s(path, "reg", {region.base, options_.ram_bytes});
    tree_.set_string(path, "device_type", "memory");
  }

  // psci.yaml; the function numbers serve software that predates PSCI 0.2 (DEN0022).
  void add_psci() {
    tree_.add_node("/psci");
    tree_.set_cells("/psci", "migrate", {0xc4000005});
    tree_.set_cells("/psci", "cpu_on", {0xc4000003});
    tree_.set_cells("/psci", "cpu_off", {0x84000002});
    tree_.set_cells("/psci", "cpu_suspend", {0xc4000001});
    tree_.set_string("/psci", "method", options_.psci == PsciConduit::hvc ? "hvc" : "smc");
    tree_.set_strings("/psci", "compatible", {"arm,psci-1.0", "arm,psci-0.2", "arm,psci"});
  }

  const VirtBoardOptions& options_;
  DeviceTree tree_;
};

constexpr std::uint64_t kMiB = 1024 * 1024;
constexpr std::uint64_t kGiB = 1024 * kMiB;
constexpr std::uint64_t kMaxRam = 255 * kGiB;  // Where QEMU's map puts its next window.

class VirtMachine final : public MachineType {
 public:
  std::string_view name() const override { return "virt"; }
  std::string_view summary() const override {
    return "Arm's generic virtual board, with QEMU's memory map: GICv2 or GICv3, generic timers,\n"
           "PL011 at 0x09000000, PL031, PSCI; RAM from 0x40000000; 1 to 8 CPUs";
  }
  std::string_view default_cpu() const override { return "cortex-a57"; }
  std::uint64_t default_ram_bytes() const override { return kGiB; }
  unsigned uarts() const override { return 1; }
  Secondaries secondaries() const override { return Secondaries::psci; }
  bool secure() const override { return false; }

  void check(const MachineConfig& config) const override {
    if (config.gic != 2 && config.gic != 3) {
      throw ImageError("", "GIC version " + std::to_string(config.gic) + " does not exist here",
                       "use --gic 2 or --gic 3");
    }
    const std::uint64_t ram = ram_bytes_of(config);
    if (ram < kMiB || ram > kMaxRam || ram % 4096 != 0) {
      throw ImageError("", "RAM of " + std::to_string(ram) + " bytes is not possible",
                       "use a multiple of 4 KiB from 1 MiB to 255 GiB");
    }
    if (cpu_of(config) == "cortex-r82") {
      throw ImageError("", "virt has no place for a cortex-r82", "use -M fvp-baser");
    }
    if (config.hardware_counter) {
      throw ImageError("", "virt's counter always runs", "leave out --counter hardware");
    }
  }

  MachineMemory memory(const MachineConfig& config) const override {
    return {.ram = {{virt_region(VirtPart::ram).base, ram_bytes_of(config)}}, .other = {}};
  }

  DeviceTree tree(const MachineConfig& config) const override {
    return build_virt_tree(virt_options(config));
  }

  std::optional<PsciConduit> psci(const MachineConfig& config,
                                  const DeviceTree& tree) const override {
    const auto method = tree.string("/psci", "method");
    if (!method) return virt_options(config).psci;
    return *method == "hvc" ? PsciConduit::hvc : PsciConduit::smc;
  }

  /// Halfway into RAM, at most 128 MiB: QEMU's place for the initrd, and for the tree without one.
  LoadPlaces places(const std::vector<MemoryRange>& ram) const override {
    std::uint64_t bytes = 0;
    for (const MemoryRange& bank : ram) bytes += bank.size;
    // QEMU's place for kernels without a header.
    return {.initrd = ram.front().base + std::min(bytes / 2, 128 * kMiB),
            .flat = ram.front().base + 0x80000,
            .dtb = std::nullopt,
            .spin_table = std::nullopt};
  }
};

}  // namespace

const MachineType& virt_machine() {
  static const VirtMachine machine;
  return machine;
}

VirtBoardOptions virt_options(const MachineConfig& config) {
  const bool has_el2 = config.entry_el.value_or(2) == 2;
  return {.cpus = config.cpus,
          .gic = config.gic,
          .ram_bytes = ram_bytes_of(config),
          .cpu_compatible = cpu_compatible(config.cpu),
          .has_el2 = has_el2,
          .psci = has_el2 ? PsciConduit::smc : PsciConduit::hvc,
          .hyp_virtual_timer = has_el2 && config.cpu == "max"};
}

std::span<const VirtRegion> virt_map() {
  return kMap;
}

const VirtRegion& virt_region(VirtPart part) {
  for (const VirtRegion& region : kMap) {
    if (region.part == part) return region;
  }
  throw std::logic_error("virt board: part without a row in the map");
}

DeviceTree build_virt_tree(const VirtBoardOptions& options) {
  if (options.cpus < 1 || options.cpus > kVirtMaxCpus) {
    throw std::invalid_argument("virt board: CPU count must be 1 to " +
                                std::to_string(kVirtMaxCpus));
  }
  if (options.gic != 2 && options.gic != 3) {
    throw std::invalid_argument("virt board: GIC version must be 2 or 3");
  }
  return VirtTreeBuilder(options).build();
}

std::vector<std::uint8_t> build_virt_dtb(const VirtBoardOptions& options) {
  return build_virt_tree(options).bytes(kDtbSlack);
}

std::string cpu_compatible(const std::string& model) {
  // QEMU's "max" keeps the string of the Cortex-A57 that it extends.
  return model.empty() || model == "max" ? "arm,cortex-a57" : "arm," + model;
}

}  // namespace trapline
