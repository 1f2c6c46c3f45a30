#include "sim/machine/mpu_layer.h"

#include "sim/arch/registers.h"

namespace trapline {
namespace {

// PRBAR_EL2 and PRLAR_EL2 (DDI 0600 G1.3).
constexpr std::uint64_t kInnerShareable = 3u << 4;
constexpr std::uint64_t kEl2Only = 0u << 2, kAll = 1u << 2, kEl2ReadOnly = 2u << 2;
constexpr std::uint64_t kNeverExecuted = 2;
constexpr std::uint64_t kEnabled = 1, kNormal = 0u << 1, kDevice = 1u << 1;
constexpr std::uint64_t kMair = 0x00ff;  // Attr0 Normal write-back, Attr1 Device-nGnRnE.
constexpr std::uint64_t kMib = 1u << 20;

struct Region {
  MemoryRange range;
  std::uint64_t access;
  std::uint64_t attributes;
};

/// As the Xen ports for MPUs have them: code, read-only data, data, heap, and the board's devices,
/// which are the hypervisor's alone.
constexpr Region kFixed[MpuLayerPlan::kFixed] = {
    {{MpuLayerPlan::kMemory.base, 2 * kMib}, kEl2ReadOnly, kNormal},
    {{MpuLayerPlan::kMemory.base + 2 * kMib, kMib}, kEl2ReadOnly | kNeverExecuted, kNormal},
    {{MpuLayerPlan::kMemory.base + 3 * kMib, kMib}, kEl2Only | kNeverExecuted, kNormal},
    {{MpuLayerPlan::kMemory.base + 4 * kMib, 12 * kMib}, kEl2Only | kNeverExecuted, kNormal},
    {{0x9c000000, 0x14000000}, kEl2Only | kNeverExecuted, kDevice},
};

unsigned write_region(Cpu& cpu, unsigned n, const Region& region) {
  cpu.write_el2(reg::PRSELR_EL2, n);
  cpu.write_el2(reg::PRBARn_EL2(0), region.range.base | kInnerShareable | region.access);
  cpu.write_el2(reg::PRLARn_EL2(0),
                ((region.range.end() - 1) & ~0x3full) | region.attributes | kEnabled);
  return 3;
}

}  // namespace

void start_mpu_layer(Cpu& cpu, const MpuLayerPlan& plan) {
  constexpr std::uint64_t kHcrVm = 1, kHcrRw = 1ull << 31, kVtcrMsa = 1ull << 31, kSctlrM = 1;
  cpu.write_el2(reg::MAIR_EL2, kMair);
  cpu.write_el2(reg::VTCR_EL2, plan.vmsa ? kVtcrMsa : 0);
  cpu.write_el2(reg::VSCTLR_EL2, std::uint64_t{plan.vmid} << 48);
  for (unsigned n = 0; n < MpuLayerPlan::kFixed; ++n) write_region(cpu, n, kFixed[n]);
  load_domain_regions(cpu, plan, MpuLayerPlan::kFixed);
  cpu.write_el2(reg::SCTLR_EL2, kSctlrM);
  cpu.write_el2(reg::HCR_EL2, kHcrVm | kHcrRw);
}

unsigned load_domain_regions(Cpu& cpu, const MpuLayerPlan& plan, unsigned regions_before) {
  unsigned written = 0;
  unsigned n = MpuLayerPlan::kFixed;
  for (const MemoryRange& range : plan.domain) {
    written += write_region(cpu, n++, {range, kAll, kNormal});
  }
  for (; n < regions_before; ++n) {
    cpu.write_el2(reg::PRSELR_EL2, n);
    cpu.write_el2(reg::PRLARn_EL2(0), 0);
    written += 2;
  }
  return written;
}

}  // namespace trapline
