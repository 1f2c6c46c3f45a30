#include "sim/machine/mpu_layer.h"

#include "sim/arch/registers.h"

namespace trapline {
namespace {

using Use = MpuLayerRegion::Use;

// PRBAR_EL2 and PRLAR_EL2 (DDI 0600 G1.3).
constexpr std::uint64_t kInnerShareable = 3u << 4;
constexpr std::uint64_t kEl2Only = 0u << 2, kAll = 1u << 2, kEl2ReadOnly = 2u << 2;
constexpr std::uint64_t kNeverExecuted = 3, kNotAtEl2 = 2;
constexpr std::uint64_t kEnabled = 1, kNormal = 0u << 1, kDevice = 1u << 1;
constexpr std::uint64_t kMair = 0x00ff;  // Attr0 Normal write-back, Attr1 Device-nGnRnE.

/// By Use. A guest's memory is executed by the guest alone.
constexpr struct {
  std::uint64_t access, attributes;
} kAttributes[] = {
    {kEl2ReadOnly, kNormal},                   // code
    {kEl2ReadOnly | kNeverExecuted, kNormal},  // read_only
    {kEl2Only | kNeverExecuted, kNormal},      // data
    {kEl2Only | kNeverExecuted, kDevice},      // device
    {kAll | kNotAtEl2, kNormal},               // guest_memory
    {kAll | kNeverExecuted, kDevice},          // guest_device
};

unsigned write_region(Cpu& cpu, unsigned n, const MpuLayerRegion& region) {
  const auto& [access, attributes] = kAttributes[static_cast<unsigned>(region.use)];
  cpu.write_el2(reg::PRSELR_EL2, n);
  cpu.write_el2(reg::PRBARn_EL2(0), region.range.base | kInnerShareable | access);
  cpu.write_el2(reg::PRLARn_EL2(0), ((region.range.end() - 1) & ~0x3full) | attributes | kEnabled);
  return kRegistersPerMpuRegion;
}

}  // namespace

void start_mpu_layer(Cpu& cpu, const MpuLayerPlan& plan) {
  constexpr std::uint64_t kHcrVm = 1, kHcrRw = 1ull << 31, kHcrApkApi = 3ull << 40,
                          kVtcrMsa = 1ull << 31, kSctlrM = 1;
  cpu.write_el2(reg::MAIR_EL2, kMair);
  cpu.write_el2(reg::VTCR_EL2, plan.vmsa ? kVtcrMsa : 0);
  cpu.write_el2(reg::VSCTLR_EL2, std::uint64_t{plan.vmid} << 48);
  unsigned n = 0;
  for (const MpuLayerRegion& region : mpu_layer_regions()) write_region(cpu, n++, region);
  load_domain_regions(cpu, plan, n);
  cpu.write_el2(reg::SCTLR_EL2, kSctlrM);
  // Pointer authentication is the guest's to use.
  cpu.write_el2(reg::HCR_EL2, kHcrVm | kHcrRw | kHcrApkApi);
}

unsigned load_domain_regions(Cpu& cpu, const MpuLayerPlan& plan, unsigned regions_before) {
  unsigned written = 0;
  unsigned n = MpuLayerPlan::fixed();
  for (const MpuLayerRegion& region : plan.domain) written += write_region(cpu, n++, region);
  for (; n < regions_before; ++n) {
    cpu.write_el2(reg::PRSELR_EL2, n);
    cpu.write_el2(reg::PRLARn_EL2(0), 0);
    written += kRegistersPerDisabledRegion;
  }
  return written;
}

}  // namespace trapline
