#include "sim/machine/fvp_baser.h"

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <string>

#include "sim/machine/image_error.h"

namespace trapline {
namespace {

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr std::uint64_t kGiB = 1024 * kMiB;

constexpr std::uint32_t kLevel = 4;  // IRQ_TYPE_LEVEL_HIGH
constexpr std::uint32_t kGicSpi = 0;
constexpr std::uint32_t kGicPpi = 1;
constexpr std::uint32_t kGicPhandle = 1;
constexpr std::uint32_t kClock100Phandle = 2;
constexpr std::uint32_t kClock24Phandle = 3;
constexpr std::uint32_t kClock1Phandle = 4;
constexpr std::uint32_t kClock32kPhandle = 5;
constexpr std::uint32_t kFirstCpuPhandle = 6;

// docs/machines/fvp-baser.md says where each row comes from.
constexpr FvpRegion kMap[] = {
    {FvpPart::dram, "memory", 0, 2 * kGiB},
    {FvpPart::rom, "rom", 0x80000000, 64 * kMiB},
    {FvpPart::trusted_sram, "trusted-sram", 0x84000000, 256 * kKiB},
    {FvpPart::trusted_dram, "trusted-dram", 0x86000000, 32 * kMiB},
    {FvpPart::flash0, "flash", 0x88000000, 64 * kMiB},
    {FvpPart::flash1, "flash", 0x8c000000, 64 * kMiB},
    {FvpPart::psram, "psram", 0x94000000, 64 * kMiB},
    {FvpPart::vram, "vram", 0x98000000, 32 * kMiB},
    {FvpPart::unmodelled, "ethernet", 0x9a000000, 0x10000, 15},
    {FvpPart::sysregs, "sysreg", 0x9c010000, 0x1000},
    {FvpPart::sysctl, "sysctl", 0x9c020000, 0x1000},
    {FvpPart::unmodelled, "aaci", 0x9c040000, 0x1000, 11},
    {FvpPart::unmodelled, "mmci", 0x9c050000, 0x1000, 9},
    {FvpPart::unmodelled, "kmi0", 0x9c060000, 0x1000, 12},
    {FvpPart::unmodelled, "kmi1", 0x9c070000, 0x1000, 13},
    {FvpPart::uart0, "uart", 0x9c090000, 0x10000, 5},
    {FvpPart::uart1, "uart", 0x9c0a0000, 0x10000, 6},
    {FvpPart::uart2, "uart", 0x9c0b0000, 0x10000, 7},
    {FvpPart::uart3, "uart", 0x9c0c0000, 0x10000, 8},
    {FvpPart::watchdog, "wdt", 0x9c0f0000, 0x10000, 0},
    {FvpPart::unmodelled, "power-controller", 0x9c100000, 0x1000},
    {FvpPart::timer01, "timer", 0x9c110000, 0x10000, 2},
    {FvpPart::timer23, "timer", 0x9c120000, 0x10000, 3},
    {FvpPart::virtio_block, "virtio-block", 0x9c130000, 0x200, 42},
    {FvpPart::virtio_p9, "virtio-p9", 0x9c140000, 0x1000, 43},
    {FvpPart::virtio_net, "virtio-net", 0x9c150000, 0x200, 44},
    {FvpPart::rtc, "rtc", 0x9c170000, 0x1000, 4},
    {FvpPart::unmodelled, "clcd", 0x9c1f0000, 0x1000, 14},
    {FvpPart::counter_control, "counter-control", 0xaa430000, 0x1000},
    {FvpPart::counter_read, "counter-read", 0xaa800000, 0x1000},
    {FvpPart::timer_control, "timer-control", 0xaa810000, 0x1000},
    {FvpPart::timer_frame0, "timer-frame0", 0xaa820000, 0x1000, 25},
    {FvpPart::timer_frame1, "timer-frame1", 0xaa830000, 0x1000, 26},
    {FvpPart::unmodelled, "gicc", 0xac000000, 0x2000},
    {FvpPart::unmodelled, "gich", 0xac010000, 0x2000},
    {FvpPart::unmodelled, "gicv", 0xac02f000, 0x2000},
    {FvpPart::cci, "cci", 0xac090000, 0x10000},
    {FvpPart::sram, "sram", 0xae000000, 64 * kKiB},
    {FvpPart::gicd, "interrupt-controller", 0xaf000000, 0x10000},
    {FvpPart::unmodelled, "its", 0xaf020000, 0x20000},
    {FvpPart::gicr, "interrupt-controller", 0xaf100000, 0x100000},
    {FvpPart::high_dram, "memory", 0x8'8000'0000, 6 * kGiB},
};

// Memory for files that bring an address, besides DRAM.
constexpr FvpPart kOtherMemory[] = {FvpPart::rom,    FvpPart::trusted_sram, FvpPart::trusted_dram,
                                    FvpPart::flash0, FvpPart::flash1,       FvpPart::psram,
                                    FvpPart::vram,   FvpPart::sram};

std::string node_path(const FvpRegion& region) {
  char path[48];
  std::snprintf(path, sizeof path, "/%.*s@%llx", static_cast<int>(region.name.size()),
                region.name.data(), static_cast<unsigned long long>(region.base));
  return path;
}

std::string cpu_path(unsigned index) {
  char path[32];
  std::snprintf(path, sizeof path, "/cpus/cpu@%x", index);
  return path;
}

/// The tree that Arm's board support for this model gives Linux, less the parts that have no model.
/// libfdt puts each new node first, so the calls run from the last node to the first.
class FvpTreeBuilder {
 public:
  explicit FvpTreeBuilder(const MachineConfig& config)
      : config_(config), has_el2_(config.entry_el.value_or(2) == 2) {}

  DeviceTree build() {
    add_chosen();
    add_pmu();
    add_aliases();
    add_timer();
    for (const FvpPart part : {FvpPart::virtio_net, FvpPart::virtio_p9, FvpPart::virtio_block}) {
      add_virtio(part);
    }
    add_primecell(FvpPart::rtc, "arm,pl031", {kClock1Phandle}, {"apb_pclk"});
    add_primecell(FvpPart::watchdog, "arm,sp805", {kClock32kPhandle, kClock100Phandle},
                  {"wdog_clk", "apb_pclk"});
    for (const FvpPart part : {FvpPart::uart3, FvpPart::uart2, FvpPart::uart1, FvpPart::uart0}) {
      add_primecell(part, "arm,pl011", {kClock24Phandle, kClock100Phandle},
                    {"uartclk", "apb_pclk"});
    }
    add_clock("refclk32khz", kClock32kPhandle, kFvpWatchdogHz, "refclk32khz");
    add_clock("refclk1hz", kClock1Phandle, 1, "refclk1hz");
    add_clock("refclk24mhz", kClock24Phandle, kFvpUartClockHz, "refclk24mhz");
    add_clock("refclk100mhz", kClock100Phandle, kFvpCounterHz, "apb_pclk");
    add_gic();
    add_cpus();
    add_memory();
    tree_.set_string("/", "compatible", "arm,base");
    tree_.set_string("/", "model", "FVP BaseR AEMv8R");
    tree_.set_cells("/", "interrupt-parent", {kGicPhandle});
    tree_.set_cells("/", "#size-cells", {2});
    tree_.set_cells("/", "#address-cells", {2});
    return std::move(tree_);
  }

 private:
  void add_chosen() {
    tree_.add_node("/chosen");
    tree_.set_string("/chosen", "stdout-path", "serial0");
    // Fixed, so that a run repeats, and present, so that Linux has random numbers at once.
    tree_.set_cells("/chosen", "rng-seed", kFixedRngSeed);
  }

  void add_pmu() {
    tree_.add_node("/pmu");
    tree_.set_cells("/pmu", "interrupts", {kGicPpi, kFvpPpis.pmu - 16, kLevel});
    tree_.set_string("/pmu", "compatible", "arm,armv8-pmuv3");
  }

  void add_aliases() {
    tree_.add_node("/aliases");
    const FvpPart uarts[] = {FvpPart::uart0, FvpPart::uart1, FvpPart::uart2, FvpPart::uart3};
    for (unsigned n = kFvpUarts; n-- > 0;) {
      const std::string alias = "serial" + std::to_string(n);
      tree_.set_string("/aliases", alias.c_str(), node_path(fvp_region(uarts[n])));
    }
  }

  // arm,arch_timer.yaml: secure, physical, virtual, hypervisor.
  void add_timer() {
    tree_.add_node("/timer");
    std::vector<std::uint32_t> cells;
    for (const unsigned intid : {kFvpPpis.timer_secure, kFvpPpis.timer_physical,
                                 kFvpPpis.timer_virtual, kFvpPpis.timer_hyp}) {
      cells.insert(cells.end(), {kGicPpi, intid - 16, kLevel});
    }
    tree_.set_cells("/timer", "clock-frequency", {kFvpCounterHz});
    tree_.set_cells("/timer", "interrupts", cells);
    tree_.set_string("/timer", "compatible", "arm,armv8-timer");
  }

  std::string add_device(const FvpRegion& region) {
    const std::string path = node_path(region);
    tree_.add_node(path);
    if (region.spi >= 0) {
      tree_.set_cells(path, "interrupts",
                      {kGicSpi, static_cast<std::uint32_t>(region.spi), kLevel});
    }
    tree_.set_u64s(path, "reg", {region.base, region.size});
    return path;
  }

  void add_virtio(FvpPart part) {
    tree_.set_string(add_device(fvp_region(part)), "compatible", "virtio,mmio");
  }

  void add_primecell(FvpPart part, std::string_view compatible,
                     std::initializer_list<std::uint32_t> clocks,
                     std::initializer_list<std::string_view> clock_names) {
    const std::string path = add_device(fvp_region(part));
    tree_.set_strings(path, "clock-names", clock_names);
    tree_.set_cells(path, "clocks", clocks);
    tree_.set_strings(path, "compatible", {compatible, "arm,primecell"});
  }

  void add_clock(const std::string& name, std::uint32_t phandle, std::uint32_t hz,
                 const std::string& output) {
    const std::string path = "/" + name;
    tree_.add_node(path);
    tree_.set_cells(path, "phandle", {phandle});
    tree_.set_string(path, "clock-output-names", output);
    tree_.set_cells(path, "clock-frequency", {hz});
    tree_.set_cells(path, "#clock-cells", {0});
    tree_.set_string(path, "compatible", "fixed-clock");
  }

  void add_gic() {
    const FvpRegion& gicd = fvp_region(FvpPart::gicd);
    const FvpRegion& gicr = fvp_region(FvpPart::gicr);
    const std::string path = node_path(gicd);
    tree_.add_node(path);
    tree_.set_cells(path, "phandle", {kGicPhandle});
    if (has_el2_) {
      tree_.set_cells(path, "interrupts", {kGicPpi, kFvpPpis.gic_maintenance - 16, kLevel});
    }
    tree_.set_u64s(path, "reg", {gicd.base, gicd.size, gicr.base, gicr.size});
    tree_.set_cells(path, "#redistributor-regions", {1});
    tree_.set_empty(path, "interrupt-controller");
    tree_.set_empty(path, "ranges");
    tree_.set_cells(path, "#size-cells", {2});
    tree_.set_cells(path, "#address-cells", {2});
    tree_.set_cells(path, "#interrupt-cells", {3});
    tree_.set_string(path, "compatible", "arm,gic-v3");
  }

  void add_cpus() {
    tree_.add_node("/cpus");
    tree_.set_cells("/cpus", "#size-cells", {0});
    tree_.set_cells("/cpus", "#address-cells", {2});
    const std::string model = cpu_of(config_);
    for (unsigned n = config_.cpus; n-- > 0;) {
      const std::string path = cpu_path(n);
      tree_.add_node(path);
      tree_.set_cells(path, "phandle", {kFirstCpuPhandle + n});
      tree_.set_u64s(path, "cpu-release-addr", {fvp_release_address(n)});
      tree_.set_string(path, "enable-method", "spin-table");
      tree_.set_u64s(path, "reg", {n});  // MPIDR_EL1.Aff0
      tree_.set_string(path, "compatible", model == "max" ? "arm,armv8" : "arm," + model);
      tree_.set_string(path, "device_type", "cpu");
    }
    for (unsigned n = config_.cpus; n-- > 0;) {
      const std::string core = "/cpus/cpu-map/cluster0/core" + std::to_string(n);
      tree_.add_node(core);
      tree_.set_cells(core, "cpu", {kFirstCpuPhandle + n});
    }
  }

  void add_memory() {
    const std::string path = node_path(fvp_region(FvpPart::dram));
    tree_.add_node(path);
    std::vector<std::uint32_t> reg;
    for (const MemoryRange& bank : fvp_dram(ram_bytes_of(config_))) {
      for (const std::uint64_t value : {bank.base, bank.size}) {
        reg.push_back(static_cast<std::uint32_t>(value >> 32));
        reg.push_back(static_cast<std::uint32_t>(value));
      }
    }
    tree_.set_cells(path, "reg", reg);
    tree_.set_string(path, "device_type", "memory");
  }

  const MachineConfig& config_;
  bool has_el2_;
  DeviceTree tree_;
};

class FvpBaserMachine final : public MachineType {
 public:
  std::string_view name() const override { return "fvp-baser"; }
  std::string_view summary() const override {
    return "Arm's reference board for Armv8-R64 (FVP BaseR): Cortex-R82 with MPUs at EL1 and EL2,\n"
           "GICv3, generic timers, four PL011 from 0x9c090000, SP804, SP805, PL031, NOR flash; "
           "DRAM\n"
           "from 0; 1 to 8 CPUs that leave reset together; no firmware";
  }
  std::string_view default_cpu() const override { return "cortex-r82"; }
  std::uint64_t default_ram_bytes() const override { return 2 * kGiB; }
  unsigned uarts() const override { return kFvpUarts; }
  Secondaries secondaries() const override { return Secondaries::together; }
  bool secure() const override { return true; }

  void check(const MachineConfig& config) const override {
    if (config.gic != 3) {
      throw ImageError("", "fvp-baser has a GICv3", "leave out --gic");
    }
    const std::uint64_t ram = ram_bytes_of(config);
    const std::uint64_t most = fvp_region(FvpPart::dram).size + fvp_region(FvpPart::high_dram).size;
    if (ram < kMiB || ram > most || ram % 4096 != 0) {
      throw ImageError("", "RAM of " + std::to_string(ram) + " bytes is not possible",
                       "use a multiple of 4 KiB from 1 MiB to 8 GiB");
    }
  }

  MachineMemory memory(const MachineConfig& config) const override {
    MachineMemory memory{.ram = fvp_dram(ram_bytes_of(config)), .other = {}};
    for (const FvpPart part : kOtherMemory) {
      const FvpRegion& region = fvp_region(part);
      // A segment may lie across neighbours: linkers put headers in the page before the code.
      if (!memory.other.empty() && memory.other.back().end() == region.base) {
        memory.other.back().size += region.size;
      } else {
        memory.other.push_back({region.base, region.size});
      }
    }
    return memory;
  }

  DeviceTree tree(const MachineConfig& config) const override {
    return FvpTreeBuilder(config).build();
  }

  std::optional<PsciConduit> psci(const MachineConfig&, const DeviceTree&) const override {
    return std::nullopt;
  }

  /// U-Boot's (include/configs/vexpress_aemv8.h).
  LoadPlaces places(const std::vector<MemoryRange>& ram) const override {
    // Software for this board is linked to the start of RAM.
    return {.initrd = 0x0fe00000, .flat = ram.front().base, .dtb = 0x0fc00000, .spin_table = kFvpSpinTable};
  }
};

}  // namespace

std::span<const FvpRegion> fvp_map() {
  return kMap;
}

const FvpRegion& fvp_region(FvpPart part) {
  for (const FvpRegion& region : kMap) {
    if (region.part == part) return region;
  }
  throw std::logic_error("fvp-baser: part without a row in the map");
}

std::vector<MemoryRange> fvp_dram(std::uint64_t bytes) {
  const FvpRegion& low = fvp_region(FvpPart::dram);
  std::vector<MemoryRange> banks{{low.base, std::min(bytes, low.size)}};
  if (bytes > low.size) banks.push_back({fvp_region(FvpPart::high_dram).base, bytes - low.size});
  return banks;
}

const MachineType& fvp_baser_machine() {
  static const FvpBaserMachine machine;
  return machine;
}

}  // namespace trapline
