#include "sim/cpu/vmsa.h"

#include <algorithm>
#include <array>

#include "sim/cpu/vmsa_stages.h"

namespace trapline {
namespace vmsa {

std::uint8_t size_of_ps(unsigned ps) {
  static constexpr std::array<std::uint8_t, 8> kSizes = {32, 36, 40, 42, 44, 48, 48, 48};
  return kSizes[ps & 7];
}

std::uint8_t implemented_granule(unsigned granule_bits, const TranslationFeatures& features) {
  if (granule_bits == 12 && features.granule_4k) return 12;
  if (granule_bits == 14 && features.granule_16k) return 14;
  if (granule_bits == 16 && features.granule_64k) return 16;
  if (features.granule_4k) return 12;
  return features.granule_16k ? 14 : 16;
}

std::uint8_t granule_of_tg0(unsigned tg) {
  static constexpr std::array<std::uint8_t, 4> kGranules = {12, 16, 14, 0};
  return kGranules[tg & 3];
}

std::uint8_t granule_of_tg1(unsigned tg) {
  static constexpr std::array<std::uint8_t, 4> kGranules = {0, 14, 12, 16};
  return kGranules[tg & 3];
}

unsigned max_txsz(unsigned granule_bits, const TranslationFeatures& features) {
  if (!features.ttst) return 39;
  return granule_bits == 16 ? 47 : 48;
}

}  // namespace vmsa

namespace {

Mapping mapping_of_stage1(const vmsa::StageOutput& stage1) {
  Mapping mapping;
  mapping.pa_page = mapping.ipa_page = stage1.page;
  mapping.page_shift = stage1.shift;
  mapping.stage1_level = stage1.level;
  mapping.stage1 = stage1.permissions;
  mapping.stage2 = kAllPermissions;
  mapping.pan_protected = stage1.pan_protected;
  mapping.non_global = stage1.non_global;
  mapping.contiguous = stage1.contiguous;
  mapping.needs_dirty_update = stage1.dirty_pending;
  mapping.stage1_device = stage1.attributes.is_device();
  mapping.attributes = stage1.attributes;
  return mapping;
}

// Narrows a stage-1 mapping to the page that both stages map around `va`.
void add_stage2(const vmsa::StageOutput& stage2, VirtAddr va, bool fwb, Mapping& mapping) {
  const PhysAddr ipa = mapping.ipa(va);
  mapping.page_shift = std::min(mapping.page_shift, stage2.shift);
  const PhysAddr pa = stage2.page | (ipa & ((1ull << stage2.shift) - 1));
  mapping.pa_page = pa & ~mapping.offset_mask();
  mapping.ipa_page = ipa & ~mapping.offset_mask();
  mapping.stage2_used = true;
  mapping.stage2_level = stage2.level;
  mapping.stage2 = stage2.permissions;
  mapping.contiguous = mapping.contiguous && stage2.contiguous;
  mapping.needs_dirty_update = mapping.needs_dirty_update || stage2.dirty_pending;
  mapping.attributes =
      vmsa::combine(mapping.attributes, stage2.s2_memattr, stage2.s2_shareability, fwb);
}

}  // namespace

TranslationResult translate(Regime regime, const TranslationRequest& request,
                            const TranslationControls& controls, PhysicalMemory& memory) {
  vmsa::StageOutput stage1;
  if (const auto fault = vmsa::translate_stage1(regime, request, controls, memory, stage1)) {
    return *fault;
  }
  Mapping mapping = mapping_of_stage1(stage1);
  if (regime != Regime::el1_0 || request.stage1_only || controls.stage2_by_mpu ||
      !stage2_enabled(controls.hcr_el2)) {
    return mapping;
  }
  vmsa::Stage2Request stage2_request;
  stage2_request.ipa = mapping.ipa(request.va);
  stage2_request.kind = request.kind;
  stage2_request.privileged = request.privileged;
  stage2_request.update_flag = !request.debug;
  stage2_request.update_dirty = !request.debug && !request.is_at;
  vmsa::StageOutput stage2;
  if (const auto fault = vmsa::translate_stage2(stage2_request, controls, memory, stage2)) {
    return *fault;
  }
  const bool fwb = controls.features.s2fwb && bit(controls.hcr_el2, 46);
  add_stage2(stage2, request.va, fwb, mapping);
  return mapping;
}

std::optional<Fault> check(const Mapping& mapping, VirtAddr va, AccessKind kind, bool privileged,
                           bool pan) {
  const bool denied_by_pan =
      pan && privileged && mapping.pan_protected && kind != AccessKind::fetch;
  if (denied_by_pan || !mapping.stage1.allows(kind, privileged)) {
    return Fault{FaultKind::permission, mapping.stage1_level};
  }
  if (mapping.stage2.allows(kind, privileged)) return std::nullopt;
  Fault fault{FaultKind::permission, mapping.stage2_level};
  fault.stage2 = true;
  fault.ipa = mapping.ipa(va);
  return fault;
}

std::uint64_t par_el1(const TranslationResult& result, VirtAddr va, bool secure) {
  constexpr std::uint64_t kRes1 = 1ull << 11;
  if (const Fault* fault = std::get_if<Fault>(&result)) {
    return kRes1 | 1 | std::uint64_t{fault->fsc()} << 1 | std::uint64_t{fault->s1ptw} << 8 |
           std::uint64_t{fault->stage2} << 9;
  }
  const Mapping& mapping = std::get<Mapping>(result);
  const PhysAddr page = mapping.pa(va) & 0x0000'FFFF'FFFF'F000;
  return kRes1 | page | std::uint64_t{mapping.attributes.attr} << 56 |
         static_cast<std::uint64_t>(mapping.attributes.shareability) << 7 |
         std::uint64_t{!secure} << 9;
}

std::uint16_t asid_of(Regime regime, const TranslationControls& controls) {
  if (regime == Regime::el2) return 0;
  const std::uint64_t ttbr = bit(controls.tcr, 22) ? controls.ttbr1 : controls.ttbr0;
  const bool wide = controls.features.asid16 && bit(controls.tcr, 36);
  return static_cast<std::uint16_t>(bits(ttbr, wide ? 63 : 55, 48));
}

std::uint16_t vmid_of(const TranslationControls& controls) {
  const bool wide = controls.features.vmid16 && bit(controls.vtcr_el2, 19);
  return static_cast<std::uint16_t>(bits(controls.vttbr_el2, wide ? 63 : 55, 48));
}

}  // namespace trapline
