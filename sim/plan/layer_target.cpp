// The simulator's own hypervisor layer on an MPU machine: its regions in the first slots, and those
// of the domain that runs behind them.
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "sim/machine/fvp_baser.h"
#include "sim/machine/image_error.h"
#include "sim/machine/mpu_layer_plan.h"
#include "sim/machine/xen_domain.h"
#include "sim/plan/assembler.h"
#include "sim/plan/layer.h"

namespace trapline::plan {
namespace {

constexpr FvpPart kUarts[kFvpUarts] = {FvpPart::uart0, FvpPart::uart1, FvpPart::uart2,
                                       FvpPart::uart3};

const char* attributes_of(MpuLayerRegion::Use use) {
  switch (use) {
    case MpuLayerRegion::Use::code:
      return "normal, EL2 RO, executable";
    case MpuLayerRegion::Use::read_only:
      return "normal, EL2 RO";
    case MpuLayerRegion::Use::data:
      return "normal, EL2 RW";
    case MpuLayerRegion::Use::device:
      return "device, EL2 RW (traps the guest)";
    case MpuLayerRegion::Use::guest_memory:
      return "normal, all RW, executable";
    case MpuLayerRegion::Use::guest_device:
      break;
  }
  return "device, all RW";
}

/// The UART of the board that the domain has; in its place the layer emulates UART 0.
void add_uart(Assembler& a, unsigned n, std::vector<SlotRow>& rows) {
  const DomainConfig& domain = a.config.domains[n];
  DomainParts& parts = a.out.domains[n];
  if (parts.devices.empty()) {
    if (!domain.vpl011) return;
    const FvpRegion& uart = fvp_region(FvpPart::uart0);
    const unsigned piece = a.add_registers("vUART", {uart.base, kPage});
    rows.push_back({"", attributes_of(MpuLayerRegion::Use::device),
                    a.add_group({"vUART", Merge::never, true, {piece}})});
    a.constrain(Constraint::Kind::use, piece, domain.name + " has an emulated UART", 1,
                *rows.back().group);
    return;
  }
  if (parts.devices.size() > 1 || layer_uart(parts.devices.front().reg) == 0) {
    a.fail(domain, "the layer gives a domain one of the board's UARTs 1 to 3 and no other device");
  }
  const unsigned piece = parts.devices.front().pieces.front();
  const unsigned group = a.add_group({"UART", Merge::never, true, {piece}});
  rows.push_back({"", attributes_of(MpuLayerRegion::Use::guest_device), group});
  a.constrain(Constraint::Kind::use, piece,
              fmt::format("{} has {}", domain.name, a.out.problem.pieces[piece].name), 1, group);
}

/// Refuses what the boot planner would not find room for: kernel, ramdisk and device tree.
void check_boot_memory(Assembler& a, unsigned n) {
  constexpr std::size_t kTreeSlack =
      4096 + 256;  // What is written into it later, without `append`.
  const DomainConfig& domain = a.config.domains[n];
  const ImageFacts kernel = a.image(domain.kernel, domain.name + "'s kernel");
  std::vector<MemoryRange> banks = domain.banks;
  if (banks.empty()) {
    // Wherever it is going to lie: at a multiple of 2 MiB, or else at a page behind one.
    const Piece& piece = a.out.problem.pieces[a.out.domains[n].ram.front()];
    const PhysAddr base = piece.align < kTwoMiB ? kTwoMiB + piece.align : kTwoMiB;
    banks = {{piece.fixed.value_or(base), piece.size}};
  }
  std::sort(banks.begin(), banks.end(),
            [](const MemoryRange& x, const MemoryRange& y) { return x.base < y.base; });
  MachineConfig machine;
  machine.machine = a.config.machine;
  DomainSpec spec;
  spec.static_memory = banks;
  spec.vcpus = domain.vcpus;
  spec.vpl011 = domain.vpl011;
  if (!domain.devices.empty()) spec.board_uart = layer_uart(a.out.domains[n].devices.front().reg);
  const MachineConfig config = domain_config(machine, spec);
  const std::size_t tree =
      xen_domain_machine().tree(config).bytes(kTreeSlack + domain.append.size()).size();
  const LoadPlaces places = xen_domain_machine().places(banks);
  try {
    MemoryLayout layout(banks);
    // An ELF of the planner's has no place yet, and is linked for the start.
    layout.place({"kernel", domain.kernel}, kernel.memory_bytes,
                 kernel.arm64_image ? kTwoMiB : kPage, banks.front().base);
    PhysAddr from = places.initrd;
    if (!domain.ramdisk.empty()) {
      const std::uint64_t size = a.image(domain.ramdisk, domain.name + "'s ramdisk").file_bytes;
      from = layout.place({"ramdisk", domain.ramdisk}, size, kPage, places.initrd) + size;
    }
    layout.place({"device tree", ""}, tree, kTwoMiB, from);
  } catch (const ImageError& error) {
    a.fail(domain, error.what());
  }
}

}  // namespace

unsigned layer_uart(const std::vector<MemoryRange>& reg) {
  for (unsigned n = 1; n < kFvpUarts; ++n) {
    const FvpRegion& uart = fvp_region(kUarts[n]);
    if (reg == std::vector<MemoryRange>{{uart.base, uart.size}}) return n;
  }
  return 0;
}

void assemble_layer(Assembler& a) {
  if (a.config.domains.empty()) a.fail("the layer has nothing to do without a domain");
  if (a.config.machine != fvp_baser_machine().name()) {
    a.fail(fmt::format("the layer has regions on fvp-baser, not on {}", a.config.machine));
  }
  Assembly& out = a.out;
  std::vector<SlotRow> fixed;
  for (const MpuLayerRegion& region : mpu_layer_regions()) {
    // None of it is the user's to move, also where it is memory.
    const std::string name(region.name);
    const unsigned group =
        a.add_group({name, Merge::never, true, {a.add_registers(name, region.range)}});
    fixed.push_back({"", attributes_of(region.use), group});
  }
  out.problem.forbidden.push_back(kMpuLayerMemory);
  a.add_context("layer", fixed, 0);
  for (unsigned n = 0; n < a.config.domains.size(); ++n) {
    a.add_domain_memory(n);
    a.add_devices(n);
    DomainParts& parts = out.domains[n];
    std::vector<SlotRow> rows = fixed;
    rows.push_back(
        {"", attributes_of(MpuLayerRegion::Use::device),
         a.add_group({"vGIC", Merge::never, true, {a.add_registers("vGIC", mpu_vgic_range())}})});
    rows.push_back({"", attributes_of(MpuLayerRegion::Use::guest_memory),
                    a.add_group({"memory", Merge::touching, false, parts.ram})});
    add_uart(a, n, rows);
    check_boot_memory(a, n);
    parts.context = a.add_context(a.config.domains[n].name, std::move(rows), 1);
  }
}

PlanConfig layer_config(const MachineConfig& machine, unsigned el2_regions) {
  PlanConfig config;
  config.path = "the domains";
  config.target = "layer";
  config.machine = machine.machine;
  config.regions = el2_regions;
  for (const DomainSpec& spec : machine.domains) {
    DomainConfig domain;
    domain.name = spec.name;
    domain.kernel = spec.kernel;
    domain.ramdisk = spec.initrd;
    domain.append = spec.append;
    domain.banks = spec.static_memory;
    std::sort(domain.banks.begin(), domain.banks.end(),
              [](const MemoryRange& a, const MemoryRange& b) { return a.base < b.base; });
    for (const MemoryRange& bank : domain.banks) domain.memory += bank.size;
    domain.vcpus = std::max(spec.vcpus, 1u);
    domain.vpl011 = spec.vpl011;
    domain.pmsa = !spec.vmsa;
    domain.relink = true;  // Anywhere in there.
    if (spec.board_uart != 0) {
      const FvpRegion& uart = fvp_region(kUarts[spec.board_uart]);
      domain.devices.push_back(fmt::format("/{}@{:x}", uart.name, uart.base));
    }
    domain.where = config.path;
    config.domains.push_back(std::move(domain));
  }
  return config;
}

}  // namespace trapline::plan
