#include "sim/machine/xen_domain.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "sim/machine/fvp_baser.h"
#include "sim/machine/image_error.h"
#include "sim/machine/mpu_layer_plan.h"
#include "sim/machine/virt_board.h"

namespace trapline {
namespace {

constexpr std::uint32_t kLevelHigh = 4;
constexpr std::uint32_t kLevelLow = 8;
constexpr std::uint32_t kAllCpus = 0xf00;  // Xen says so for each of its interrupts.
constexpr std::uint32_t kGicSpi = 0, kGicPpi = 1;
constexpr std::uint32_t kGicPhandle = 65000;  // GUEST_PHANDLE_GIC
constexpr std::uint32_t kUartClockPhandle = 65001, kBusClockPhandle = 65002;
constexpr std::uint64_t kUartRegisterBytes = 0x1000;
constexpr std::uint64_t kMiB = 1024 * 1024;
constexpr std::uint64_t kGiB = 1024 * kMiB;
constexpr const char* kRelease = "4.17";
constexpr const char* kNoXen = "no Xen is shown to it that would have disks and networks";

std::string node(const char* name, PhysAddr base) {
  char path[64];
  std::snprintf(path, sizeof path, "/%s@%llx", name, static_cast<unsigned long long>(base));
  return path;
}

/// The tree that Xen's toolstack (libxl_arm.c) and its dom0less builder make, in their order.
class DomainTreeBuilder {
 public:
  explicit DomainTreeBuilder(const MachineConfig& config)
      : config_(config), map_(*config.domain_map) {}

  // New nodes become first children, so the calls run from the last node to the first.
  DeviceTree build() {
    add_root();
    if (map_.own_uart) {
      add_board_uart();
    } else if (map_.uart) {
      add_emulated_uart();
    }
    add_hypervisor();
    add_timer();
    add_gic();
    for (auto bank = map_.ram.rbegin(); bank != map_.ram.rend(); ++bank) add_memory(*bank);
    add_psci();
    add_cpus();
    tree_.add_node("/chosen");
    tree_.set_cells("/chosen", "rng-seed", kFixedRngSeed);
    return std::move(tree_);
  }

 private:
  void add_root() {
    tree_.set_cells("/", "#size-cells", {2});
    tree_.set_cells("/", "#address-cells", {2});
    tree_.set_cells("/", "interrupt-parent", {kGicPhandle});
    const std::string compatible = std::string("xen,xenvm-") + kRelease;
    tree_.set_strings("/", "compatible", {compatible, "xen,xenvm"});
    tree_.set_string("/", "model", std::string("XENVM-") + kRelease);
  }

  // libxl__compute_mpdir(): 16 vCPUs a cluster, as a GICv3 SGI can reach.
  void add_cpus() {
    tree_.add_node("/cpus");
    tree_.set_cells("/cpus", "#size-cells", {0});
    tree_.set_cells("/cpus", "#address-cells", {1});
    for (unsigned n = config_.cpus; n-- > 0;) {
      const std::string path = node("cpus/cpu", n);
      tree_.add_node(path);
      tree_.set_cells(path, "reg", {n});
      tree_.set_string(path, "enable-method", "psci");
      tree_.set_string(path, "compatible", "arm,armv8");
      tree_.set_string(path, "device_type", "cpu");
    }
  }

  void add_psci() {
    tree_.add_node("/psci");
    tree_.set_string("/psci", "method", "hvc");
    tree_.set_strings("/psci", "compatible", {"arm,psci-1.0", "arm,psci-0.2"});
  }

  void add_memory(const MemoryRange& bank) {
    const std::string path = node("memory", bank.base);
    tree_.add_node(path);
    tree_.set_u64s(path, "reg", {bank.base, bank.size});
    tree_.set_string(path, "device_type", "memory");
  }

  void add_gic() {
    const std::string path = node("interrupt-controller", map_.gicd);
    tree_.add_node(path);
    tree_.set_cells(path, "phandle", {kGicPhandle});
    tree_.set_cells(path, "linux,phandle", {kGicPhandle});
    if (config_.gic == 3) {
      tree_.set_u64s(path, "reg",
                     {map_.gicd, xen_guest::kGicv3DistributorBytes, map_.gicr, map_.gicr_bytes});
      tree_.set_cells(path, "#redistributor-regions", {1});
    } else {
      tree_.set_u64s(path, "reg",
                     {map_.gicd, xen_guest::kGicdBytes, map_.gicc, xen_guest::kGiccBytes});
    }
    tree_.set_empty(path, "interrupt-controller");
    tree_.set_cells(path, "#address-cells", {0});
    tree_.set_cells(path, "#interrupt-cells", {3});
    if (config_.gic == 3) {
      tree_.set_string(path, "compatible", "arm,gic-v3");
    } else {
      tree_.set_strings(path, "compatible", {"arm,cortex-a15-gic", "arm,cortex-a9-gic"});
    }
  }

  void add_timer() {
    tree_.add_node("/timer");
    std::vector<std::uint32_t> cells;
    for (const unsigned intid :
         {xen_guest::kTimerSecure, xen_guest::kTimerPhysical, xen_guest::kTimerVirtual}) {
      cells.insert(cells.end(), {kGicPpi, intid - 16, kAllCpus | kLevelLow});
    }
    tree_.set_cells("/timer", "interrupts", cells);
    tree_.set_string("/timer", "compatible", "arm,armv8-timer");
  }

  // Documentation/devicetree/bindings/arm/xen.txt: where the guest may map its grant table, and the
  // interrupt that announces events.
  void add_hypervisor() {
    if (!map_.grant_table) return;
    tree_.add_node("/hypervisor");
    tree_.set_cells("/hypervisor", "interrupts",
                    {kGicPpi, xen_guest::kEventChannel - 16, kAllCpus | kLevelLow});
    tree_.set_u64s("/hypervisor", "reg", {map_.grant_table->base, map_.grant_table->size});
    const std::string compatible = std::string("xen,xen-") + kRelease;
    tree_.set_strings("/hypervisor", "compatible", {compatible, "xen,xen"});
  }

  void add_emulated_uart() {
    const std::string path = node("sbsa-uart", *map_.uart);
    tree_.add_node(path);
    tree_.set_cells(path, "current-speed", {115200});
    tree_.set_cells(path, "interrupts", {kGicSpi, map_.uart_intid - 32, kAllCpus | kLevelHigh});
    tree_.set_u64s(path, "reg", {*map_.uart, map_.uart_bytes});
    tree_.set_string(path, "compatible", "arm,sbsa-uart");
  }

  // As the board's own tree describes it: nobody has enabled it, so the guest's driver must.
  void add_board_uart() {
    const std::string path = node("uart", *map_.uart);
    tree_.add_node(path);
    tree_.set_strings(path, "clock-names", {"uartclk", "apb_pclk"});
    tree_.set_cells(path, "clocks", {kUartClockPhandle, kBusClockPhandle});
    tree_.set_cells(path, "interrupts", {kGicSpi, map_.uart_intid - 32, kLevelHigh});
    // Its registers, not all that it decodes: drivers look for the IDs at the end of what reg says.
    tree_.set_u64s(path, "reg", {*map_.uart, kUartRegisterBytes});
    tree_.set_strings(path, "compatible", {"arm,pl011", "arm,primecell"});
    add_clock("/refclk24mhz", kUartClockPhandle, kFvpUartClockHz);
    add_clock("/refclk100mhz", kBusClockPhandle, kFvpCounterHz);
  }

  void add_clock(const char* path, std::uint32_t phandle, std::uint32_t hz) {
    tree_.add_node(path);
    tree_.set_cells(path, "phandle", {phandle});
    tree_.set_cells(path, "clock-frequency", {hz});
    tree_.set_cells(path, "#clock-cells", {0});
    tree_.set_string(path, "compatible", "fixed-clock");
  }

  const MachineConfig& config_;
  const DomainMap& map_;
  DeviceTree tree_;
};

class XenDomainMachine final : public MachineType {
 public:
  std::string_view name() const override { return kXenDomain; }
  std::string_view summary() const override { return "A Xen domain"; }
  std::string_view default_cpu() const override { return "cortex-a57"; }
  std::uint64_t default_ram_bytes() const override { return xen_guest::kDefaultRam; }
  unsigned uarts() const override { return 1; }
  Secondaries secondaries() const override { return Secondaries::psci; }
  bool secure() const override { return false; }
  void check(const MachineConfig&) const override {}  // check_domains() has.

  MachineMemory memory(const MachineConfig& config) const override {
    return {.ram = config.domain_map->ram, .other = {}};
  }
  DeviceTree tree(const MachineConfig& config) const override {
    return DomainTreeBuilder(config).build();
  }
  std::optional<PsciConduit> psci(const MachineConfig&, const DeviceTree&) const override {
    return PsciConduit::hvc;
  }
  LoadPlaces places(const std::vector<MemoryRange>& ram) const override {
    const MemoryRange& bank = ram.front();
    return {.initrd = bank.base + std::min<std::uint64_t>(bank.size / 2, 128 * kMiB),
            .dtb = {},
            .spin_table = {}};
  }
};

[[noreturn]] void refuse(const DomainSpec& domain, const std::string& what,
                         const std::string& remedy) {
  throw ImageError("", "domain \"" + domain.name + "\": " + what, remedy);
}

void check_domain(const DomainSpec& domain, unsigned cpus) {
  const auto allowed = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("._+-").find(c) != std::string_view::npos;
  };
  if (domain.name.empty() || domain.name.size() > 31 ||
      !std::all_of(domain.name.begin(), domain.name.end(), allowed)) {
    refuse(domain, "not a usable name", "use 1 to 31 letters, digits or any of ._+-");
  }
  if (domain.kernel.empty()) refuse(domain, "no kernel", "add kernel=FILE");
  if (domain.gic != 0 && domain.gic != 2 && domain.gic != 3) {
    refuse(domain, "no GIC version " + std::to_string(domain.gic), "use gic=2 or gic=3");
  }
  if (domain.memory % 4096 != 0 || (domain.memory != 0 && domain.memory < kMiB) ||
      domain.memory > 255 * kGiB) {
    refuse(domain, "RAM of " + std::to_string(domain.memory) + " bytes is not possible",
           "use a multiple of 4 KiB from 1 MiB to 255 GiB");
  }
  if (domain.vcpus > cpus) {
    refuse(domain, std::to_string(domain.vcpus) + " vCPUs are too many",
           "use at most " + std::to_string(cpus));
  }
}

/// A domain of an MPU machine lies where it lies on the board, and so do the devices that it sees
/// (Xen's direct map).
DomainMap direct_map(const DomainSpec& domain) {
  constexpr FvpPart kUarts[kFvpUarts] = {FvpPart::uart0, FvpPart::uart1, FvpPart::uart2,
                                         FvpPart::uart3};
  const FvpRegion& uart = fvp_region(kUarts[domain.board_uart]);
  DomainMap map;
  map.gicd = fvp_region(FvpPart::gicd).base;
  map.gicr = fvp_region(FvpPart::gicr).base;
  map.gicr_bytes = kFvpMaxCpus * kVirtRedistributorBytes;
  map.spis = 64;
  map.own_uart = domain.board_uart != 0;
  if (domain.vpl011 || map.own_uart) map.uart = uart.base;
  if (map.own_uart) map.uart_bytes = uart.size;
  map.uart_intid = 32u + static_cast<unsigned>(uart.spi);
  map.counter_hz = kFvpCounterHz;
  map.mpu = true;
  map.vmsa = domain.vmsa;
  map.ram = domain.static_memory;
  std::sort(map.ram.begin(), map.ram.end(),
            [](const MemoryRange& a, const MemoryRange& b) { return a.base < b.base; });
  if (domain.enhanced && !map.ram.empty()) {
    // Nothing can be mapped, so it lies in the domain's memory: at the end of its first bank.
    constexpr std::uint64_t kMagicBytes = xen_guest::kMagicPages * 4096ull;
    MemoryRange& bank = map.ram.front();
    bank.size -= std::min(bank.size, kMpuPvBytes);
    map.grant_table = MemoryRange{bank.end(), kMpuPvBytes - kMagicBytes};
    map.magic = MemoryRange{map.grant_table->end(), kMagicBytes};
  }
  return map;
}

/// A part of the board that is one domain's: no other may have any of it.
void check_static_memory(const DomainSpec& domain, const MemoryRange& range,
                         const std::vector<MemoryRange>& dram) {
  const auto place = [&] {
    char text[48];
    std::snprintf(text, sizeof text, "0x%llx, %llu bytes",
                  static_cast<unsigned long long>(range.base),
                  static_cast<unsigned long long>(range.size));
    return std::string(text);
  };
  if (range.size == 0) refuse(domain, "static memory at " + place(), "give it a size");
  if (range.base > ~0ull - range.size) {
    refuse(domain, "static memory at " + place() + ", has no such end", "correct its size");
  }
  if ((range.base | range.size) % 4096 != 0) {
    refuse(domain, "static memory " + to_string(range) + " is not of whole pages",
           "align it to 4 KiB");
  }
  if (std::none_of(dram.begin(), dram.end(),
                   [&](const MemoryRange& bank) { return bank.contains(range); })) {
    refuse(domain, "static memory " + to_string(range) + " is not in the board's DRAM", "see -m");
  }
  if (range.overlaps(kMpuLayerMemory)) {
    refuse(domain,
           "static memory " + to_string(range) + " overlaps the hypervisor's " +
               to_string(kMpuLayerMemory),
           "move it");
  }
}

void check_mpu_domain(const MachineConfig& machine, const DomainSpec& domain) {
  if (domain.static_memory.empty()) {
    refuse(domain, "no memory of the board", "add static-mem=ADDRESS:SIZE");
  }
  if ((domain.gic != 0 ? domain.gic : machine.gic) != 3) {
    refuse(domain, "the board has a GICv3", "leave out gic=2");
  }
  if (domain.vmsa && !machine.vmsa_at_el1) {
    refuse(domain, "the CPUs have no VMSAv8-64 at EL1", "leave out msa=mmu or --vmsa off");
  }
  if ((!domain.disks.empty() || !domain.nets.empty()) && !domain.enhanced) {
    refuse(domain, kNoXen, "add enhanced=on");
  }
  if (domain.board_uart >= kFvpUarts) {
    refuse(domain, "the board has no UART " + std::to_string(domain.board_uart),
           "use uart=1 to uart=" + std::to_string(kFvpUarts - 1));
  }
  const std::vector<MemoryRange> dram = fvp_dram(ram_bytes_of(machine));
  for (const MemoryRange& range : domain.static_memory) check_static_memory(domain, range, dram);
  std::uint64_t total = 0;
  for (const MemoryRange& range : domain.static_memory) total += range.size;
  if (domain.memory != 0 && domain.memory != total) {
    refuse(domain,
           "memory of " + size_text(domain.memory) + " is not the sum of its static memory, " +
               size_text(total),
           "leave out memory=");  // As Xen refuses it.
  }
  const auto first =
      std::min_element(domain.static_memory.begin(), domain.static_memory.end(),
                       [](const MemoryRange& a, const MemoryRange& b) { return a.base < b.base; });
  if (domain.enhanced && first->size <= kMpuPvBytes) {
    refuse(domain, "enhanced=on takes " + size_text(kMpuPvBytes) + " of its first static memory",
           "give it more");
  }
}

void check_apart(const std::vector<DomainSpec>& domains) {
  std::vector<std::pair<const DomainSpec*, MemoryRange>> taken;
  for (const DomainSpec& domain : domains) {
    for (const auto& [other, theirs] : taken) {
      if (domain.board_uart == 0 || other->board_uart != domain.board_uart) continue;
      refuse(domain,
             "UART " + std::to_string(domain.board_uart) + " is that of \"" + other->name + "\"",
             "give it another one");
    }
    for (const MemoryRange& range : domain.static_memory) {
      for (const auto& [other, theirs] : taken) {
        if (!theirs.overlaps(range)) continue;
        refuse(domain,
               "static memory " + to_string(range) + " overlaps that of \"" + other->name + "\", " +
                   to_string(theirs),
               "move one of the two");
      }
      taken.emplace_back(&domain, range);
    }
  }
}

void check_regions(const DomainSpec& domain, unsigned el2_regions) {
  const auto names = [](std::span<const MpuLayerRegion> regions) {
    std::string text;
    for (const MpuLayerRegion& region : regions) {
      text += (text.empty() ? "" : ", ") + std::string(region.name);
    }
    return text;
  };
  const std::span<const MpuLayerRegion> fixed = mpu_layer_regions();
  const std::vector<MpuLayerRegion> own = mpu_domain_regions(direct_map(domain));
  if (fixed.size() + own.size() <= el2_regions) return;
  throw MpuRegionsError(
      "",
      "domain \"" + domain.name + "\": " + std::to_string(fixed.size() + own.size()) +
          std::string(MpuRegionsError::kNeeds) + ": " + std::to_string(fixed.size()) +
          " of the hypervisor (" + names(fixed) + ") and " + std::to_string(own.size()) +
          " of its own (" + names(own) + "); the CPU has " + std::to_string(el2_regions),
      "see 'trapline mpu plan' and --mpu-regions");
}

void check_mpu_domains(const MachineConfig& machine, unsigned el2_regions) {
  for (const DomainSpec& domain : machine.domains) check_mpu_domain(machine, domain);
  check_apart(machine.domains);
  for (const DomainSpec& domain : machine.domains) check_regions(domain, el2_regions);
}

}  // namespace

const MachineType& xen_domain_machine() {
  static const XenDomainMachine machine;
  return machine;
}

std::vector<MemoryRange> DomainMap::memory() const {
  std::vector<MemoryRange> ranges = ram;
  if (grant_table) ranges.push_back(*grant_table);
  if (magic) ranges.push_back(*magic);
  std::sort(ranges.begin(), ranges.end(),
            [](const MemoryRange& a, const MemoryRange& b) { return a.base < b.base; });
  return ranges;
}

MachineConfig domain_config(const MachineConfig& machine, const DomainSpec& domain) {
  MachineConfig config = machine;
  config.machine = kXenDomain;
  config.domains.clear();
  config.cpu = cpu_of(machine);
  config.gic = domain.gic != 0 ? domain.gic : machine.gic;
  config.cpus = domain.vcpus != 0 ? domain.vcpus : 1;
  config.entry_el = 1;
  config.kernel = domain.kernel;
  config.initrd = domain.initrd;
  config.append = domain.append;
  config.dtb = domain.dtb;
  config.ram_bytes = domain.memory != 0 ? domain.memory : xen_guest::kDefaultRam;
  if (mpu_of(machine)) {
    config.domain_map = direct_map(domain);
    config.vmsa_at_el1 = machine.vmsa_at_el1 && domain.vmsa;
    std::uint64_t bytes = 0;
    for (const MemoryRange& range : config.domain_map->ram) bytes += range.size;
    config.ram_bytes = bytes;
    return config;
  }
  DomainMap map;
  map.gicd = xen_guest::kGicdBase;
  map.gicc = xen_guest::kGiccBase;
  map.gicr = xen_guest::kGicrBase;
  map.gicr_bytes = xen_guest::kGicrBytes;
  if (domain.vpl011) map.uart = xen_guest::kUartBase;
  map.uart_intid = xen_guest::kUart;
  if (!domain.hide_xen) {
    map.grant_table = MemoryRange{xen_guest::kGrantTableBase, xen_guest::kGrantTableBytes};
    map.magic = MemoryRange{xen_guest::kMagicBase, xen_guest::kMagicPages * 4096ull};
  }
  const std::uint64_t low = std::min(*config.ram_bytes, xen_guest::kRam0Bytes);
  map.ram.push_back({xen_guest::kRam0Base, low});
  if (*config.ram_bytes > low) map.ram.push_back({xen_guest::kRam1Base, *config.ram_bytes - low});
  config.domain_map = std::move(map);
  return config;
}

void check_domains(const MachineConfig& machine) {
  constexpr unsigned kMostCpus = 64;
  constexpr unsigned kMostVcpus = 8;  // What the GICv2 of a domain can have.
  machine_type(machine.machine).check(machine);
  std::set<std::string> names;
  unsigned cpus = 0;
  for (const DomainSpec& domain : machine.domains) {
    check_domain(domain, kMostVcpus);
    if (!names.insert(domain.name).second) {
      throw ImageError("", "two domains are called \"" + domain.name + "\"",
                       "give each its own name");
    }
    cpus += std::max(domain.vcpus, 1u);
  }
  if (cpus > kMostCpus) {
    throw ImageError("", "the domains have " + std::to_string(cpus) + " vCPUs",
                     "use at most " + std::to_string(kMostCpus));
  }
  if (machine.xen) {
    throw ImageError(machine.xen->image, "domains without a hypervisor image exclude --xen",
                     "give them to it with --dom0 and --domu, or leave out --xen");
  }
  if (!machine.kernel.empty() || !machine.initrd.empty() || !machine.append.empty() ||
      !machine.loads.empty() || !machine.dtb.empty() || machine.entry) {
    throw ImageError("", "images belong to a domain where there are domains",
                     "use kernel=, initrd=, append= and dtb= of --domain");
  }
  if (machine.entry_el) {
    throw ImageError("", "domains start at EL1", "leave out --el");
  }
  if (const auto mpu = mpu_of(machine)) {
    check_mpu_domains(machine, mpu->el2);
  } else {
    for (const DomainSpec& domain : machine.domains) {
      if (domain.hide_xen && (!domain.disks.empty() || !domain.nets.empty())) {
        refuse(domain, kNoXen, "leave out enhanced=off");
      }
      if (domain.static_memory.empty() && !domain.vmsa && domain.board_uart == 0) continue;
      refuse(domain, "static-mem=, msa= and uart= are for machines with MPUs", "use -M fvp-baser");
    }
  }
}

}  // namespace trapline
