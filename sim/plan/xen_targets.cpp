// The two ports of Xen. docs/xen-mpu.md has what was measured of them.
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "sim/plan/assembler.h"

namespace trapline::plan {
namespace {

constexpr std::uint64_t kXenBytes = kTwoMiB;     // XEN_START_MEM_SIZE; upstream: XEN_VIRT_SIZE.
constexpr std::uint64_t kMaxDtb = kTwoMiB;       // MAX_FDT_SIZE, mapped before its size is read.
constexpr std::uint64_t kHeapAlign = 64 * 1024;  // docs/misc/arm/device-tree/booting.txt
constexpr PhysAddr kDtbAddress = 0x0fc00000;     // U-Boot's, and the machine fvp-baser's.

constexpr const char* kNormalRw = "normal, EL2 RW";
constexpr const char* kNormalRo = "normal, EL2 RO";
constexpr const char* kText = "normal, EL2 RO, executable";
constexpr const char* kDevice = "device, EL2 RW";
constexpr const char* kGuestRam = "normal, all RW, executable";
constexpr const char* kGuestDevice = "device, all RW";

/// What both ports have: the image, the device tree, the heap and the domains.
void add_common(Assembler& a) {
  if (a.board.psci) {
    a.fail("the device tree has a PSCI node: this part has no firmware that would answer");
  }
  const ImageFacts xen = a.image(a.config.hypervisor, "hypervisor");
  if (xen.memory_bytes > kXenBytes) {
    a.fail(fmt::format("{}: Xen takes {} of memory; its first region holds 2 MiB",
                       a.config.hypervisor, size_text(xen.memory_bytes)));
  }
  a.add_hypervisor(kXenBytes, xen.arm64_image ? kTwoMiB : kPage, xen);
  a.add_device_tree(kDtbAddress, kMaxDtb);
  a.add_heap(kHeapAlign);
  for (unsigned n = 0; n < a.config.domains.size(); ++n) {
    const DomainConfig& domain = a.config.domains[n];
    a.add_domain_memory(n);
    a.add_modules(n);
    a.add_devices(n);
    // kernel.c, place_modules(): kernel, device tree and ramdisk in the first bank, each rounded.
    const std::uint64_t kernel = a.image(domain.kernel, "kernel").memory_bytes;
    const std::uint64_t ramdisk =
        domain.ramdisk.empty() ? 0 : a.image(domain.ramdisk, "ramdisk").file_bytes;
    const std::uint64_t need = round_up(kernel, kTwoMiB) + kTwoMiB + round_up(ramdisk, kTwoMiB);
    const Piece& first = a.out.problem.pieces[a.out.domains[n].ram.front()];
    if (need > first.size) {
      a.fail(domain, fmt::format("Xen places kernel, device tree and ramdisk in {}, {} has {}",
                                 size_text(need), first.name, size_text(first.size)));
    }
  }
}

std::vector<unsigned> redistributors(Assembler& a) {
  std::vector<unsigned> pieces{a.add_registers("GICD", a.board.gicd)};
  for (const MemoryRange& range : a.board.gicr) pieces.push_back(a.add_registers("GICR", range));
  return pieces;
}

/// One region over distributor and redistributors, so that a guest's accesses are permission faults
/// with a syndrome (vgic-v3.c, vgic_v3_domain_init()).
MemoryRange vgic_range(const Board& board) {
  PhysAddr first = board.gicd.base, end = board.gicd.end();
  for (const MemoryRange& range : board.gicr) {
    first = std::min(first, range.base);
    end = std::max(end, range.end());
  }
  return {first, end - first};
}

void constrain_devices(Assembler& a, unsigned n, unsigned group) {
  for (const DomainDevice& device : a.out.domains[n].devices) {
    for (const unsigned piece : device.pieces) {
      a.constrain(
          Constraint::Kind::use, piece,
          fmt::format("{} has {}", a.config.domains[n].name, a.out.problem.pieces[piece].name), 1,
          group);
    }
  }
}

/// The context of a domain: p2m_mpu.c gives each mapped range a region, in the order of mapping.
void add_domain_context(Assembler& a, unsigned n, std::vector<SlotRow> rows) {
  DomainParts& parts = a.out.domains[n];
  const DomainConfig& domain = a.config.domains[n];
  const unsigned vgic =
      a.add_group({"vGIC", Merge::never, true, {a.add_registers("vGIC", vgic_range(a.board))}});
  rows.push_back({"", "device, EL2 RW (traps the guest)", vgic});
  rows.push_back({"", kGuestRam,
                  a.add_group({parts.ram.size() > 1 ? "memory banks" : "memory", Merge::never,
                               false, parts.ram})});
  if (domain.vpl011) {
    const unsigned uart = a.add_registers("vUART", {a.out.console.base, kPage});
    rows.push_back({"", "device, EL2 RW (traps the guest)",
                    a.add_group({"vUART", Merge::never, true, {uart}})});
  }
  std::vector<unsigned> devices;
  for (const DomainDevice& device : parts.devices) {
    devices.insert(devices.end(), device.pieces.begin(), device.pieces.end());
  }
  if (!devices.empty()) {
    const unsigned group = a.add_group({domain.name + "'s devices", Merge::never, true, devices});
    rows.push_back({"", kGuestDevice, group});
    constrain_devices(a, n, group);
  }
  parts.context = a.add_context(domain.name, std::move(rows), 1);
}

}  // namespace

void assemble_xen_arm(Assembler& a) {
  if (a.config.domains.empty()) a.fail("this port starts nothing without a domain");
  add_common(a);
  Assembly& out = a.out;
  const unsigned xen = a.add_group({"text", Merge::never, false, {*out.hypervisor}});
  const unsigned dtb = a.add_group({"device tree", Merge::never, false, {*out.device_tree}});
  const unsigned heap = a.add_group({"heap", Merge::never, false, {*out.heap}});
  std::vector<unsigned> ram, modules, devices = redistributors(a);
  for (const DomainParts& parts : out.domains) {
    ram.insert(ram.end(), parts.ram.begin(), parts.ram.end());
    for (const auto& module : {parts.kernel, parts.ramdisk, parts.passthrough}) {
      if (module) modules.push_back(*module);
    }
  }
  devices.push_back(a.add_console(~std::uint64_t{0}));
  if (a.board.cpus > 1) {
    std::vector<PhysAddr> pages;
    for (const PhysAddr address : a.board.release_addresses) {
      const PhysAddr page = address & ~(kPage - 1);
      if (std::find(pages.begin(), pages.end(), page) == pages.end()) pages.push_back(page);
    }
    for (const PhysAddr page : pages) {
      devices.push_back(a.add_registers("spin-table", {page, kPage}));
    }
  }
  out.guest_section = a.add_group({"guest section", Merge::spanning, false, ram});
  out.device_section = a.add_group({"device section", Merge::spanning, true, devices});
  out.boot_section = a.add_group({"boot module section", Merge::spanning, false, modules});

  // mm_mpu.c in the order of its calls. The early UART is unmapped before the device section is
  // mapped, but its slot stays behind until all are reordered.
  std::vector<SlotRow> boot{{"", kText, xen},     {"rodata", kNormalRo},    {"data", kNormalRw},
                            {"init text", kText}, {"init data", kNormalRw}, {"bss", kNormalRw}};
  if (a.config.early_console) boot.push_back({"early UART, later empty", kDevice});
  boot.insert(boot.end(), {{"", kNormalRo, dtb},
                           {"", kNormalRw, heap},
                           {"", kNormalRw, out.guest_section},
                           {"", kDevice, out.device_section},
                           {"", kNormalRw, out.boot_section}});
  a.add_context("boot", std::move(boot), 0);
  const std::vector<SlotRow> fixed{{"", kText, xen},
                                   {"rodata", kNormalRo},
                                   {"data", kNormalRw},
                                   {"bss", kNormalRw},
                                   {"", kNormalRw, heap}};
  std::vector<SlotRow> idle = fixed;
  idle.push_back({"", kNormalRw, out.guest_section});
  idle.push_back({"", kDevice, out.device_section});
  a.add_context("idle", std::move(idle), static_cast<unsigned>(a.config.domains.size()));
  for (unsigned n = 0; n < a.config.domains.size(); ++n) add_domain_context(a, n, fixed);
}

void assemble_xen_upstream(Assembler& a) {
  add_common(a);
  Assembly& out = a.out;
  const unsigned xen = a.add_group({"text", Merge::never, false, {*out.hypervisor}});
  const unsigned dtb = a.add_group({"device tree", Merge::never, false, {*out.device_tree}});
  const unsigned heap = a.add_group({"heap", Merge::never, false, {*out.heap}});
  const unsigned gic = a.add_group({"GIC", Merge::never, true, redistributors(a)});
  const unsigned uart =
      a.add_group({"UART", Merge::never, true, {a.add_console(~std::uint64_t{0})}});
  // Mapped one range a region (mpu/mm.c, xen_mpumap_update_entry()); nothing is merged.
  std::vector<SlotRow> boot{{"", kText, xen},
                            {"rodata", kNormalRo},
                            {"read-only after init, data", kNormalRw},
                            {"init text", kText},
                            {"init data, bss", kNormalRw},
                            {"", kDevice, uart},
                            {"", kNormalRo, dtb},
                            {"", kNormalRw, heap},
                            {"", kDevice, gic}};
  a.add_context("boot", boot, 0);
  if (!a.config.domains.empty()) {
    boot.push_back({"a page of a domain, while it is cleared", kNormalRw});
    a.add_context("boot, making a domain", boot, 0);
  }
  a.add_context("steady",
                {{"", kText, xen},
                 {"rodata, read-only after init", kNormalRo},
                 {"data", kNormalRw},
                 {"bss", kNormalRw},
                 {"", kDevice, uart},
                 {"", kNormalRw, heap},
                 {"", kDevice, gic}},
                1);
}

}  // namespace trapline::plan
