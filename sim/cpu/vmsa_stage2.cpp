// Stage 2 of the EL1&0 regime (DDI 0487 D8.2 to D8.5; VTCR_EL2, VTTBR_EL2, HCR_EL2).
#include <algorithm>

#include "sim/cpu/vmsa_stages.h"

namespace trapline::vmsa {
namespace {

constexpr std::uint64_t kS2Write = 1ull << 7;  // S2AP[1]
constexpr unsigned kInvalidLevel = 4;

// VTCR_EL2.SL0; kInvalidLevel for what the granule or the physical address size rules out.
unsigned start_level(unsigned sl0, unsigned granule_bits, const TranslationFeatures& features) {
  if (granule_bits == 12) {
    if (sl0 == 3) return features.ttst ? 3 : kInvalidLevel;
    if (sl0 == 2) return features.pa_bits >= 44 ? 0 : kInvalidLevel;
    return 2 - sl0;
  }
  const unsigned level1_needs = granule_bits == 14 ? 42 : 44;
  if (sl0 == 3 || (sl0 == 2 && features.pa_bits < level1_needs)) return kInvalidLevel;
  return 3 - sl0;
}

// False: the controls are inconsistent, or `ipa` is out of range (level 0 Translation fault).
bool decode_geometry(PhysAddr ipa, const TranslationControls& controls, Geometry& geometry) {
  const std::uint64_t vtcr = controls.vtcr_el2;
  geometry.granule_bits =
      implemented_granule(granule_of_tg0(bits(vtcr, 15, 14)), controls.features);
  const unsigned t0sz = bits(vtcr, 5, 0);
  if (t0sz < kMinTxSz || t0sz > max_txsz(geometry.granule_bits, controls.features)) return false;
  geometry.ia_bits = static_cast<std::uint8_t>(64 - t0sz);
  if (geometry.ia_bits > controls.features.pa_bits) return false;
  const unsigned level = start_level(bits(vtcr, 7, 6), geometry.granule_bits, controls.features);
  if (level == kInvalidLevel) return false;
  geometry.start_level = static_cast<std::uint8_t>(level);
  // The start table holds from 2 entries to 16 concatenated tables.
  const unsigned resolved = geometry.shift_at(level);
  if (geometry.ia_bits < resolved + 1 || geometry.ia_bits > resolved + geometry.stride() + 4) {
    return false;
  }
  geometry.oa_bits = std::min(size_of_ps(bits(vtcr, 18, 16)), controls.features.pa_bits);
  geometry.big_endian = bit(controls.sctlr_el2, 25);
  geometry.base = table_base(controls.vttbr_el2, geometry);
  return !exceeds(ipa, geometry.ia_bits);
}

Permissions decode_permissions(std::uint64_t descriptor, bool dirty_managed, bool xnx) {
  const bool read = bit(descriptor, 6);
  const bool write = bit(descriptor, 7) || dirty_managed;
  // XN[1:0]: 0 all, 1 EL0 only, 2 none, 3 EL1 only. Without FEAT_XNX only XN[1] counts.
  const unsigned xn = xnx ? bits(descriptor, 54, 53) : bits(descriptor, 54, 54) << 1;
  return {read, write, xn == 0 || xn == 1, read, write, xn == 0 || xn == 3};
}

std::optional<Fault> check_permissions(const Stage2Request& request, const StageOutput& out,
                                       const TranslationControls& controls) {
  const bool fwb = controls.features.s2fwb && bit(controls.hcr_el2, 46);
  // HCR_EL2.PTW: stage-1 tables may not lie in Device memory.
  if (request.table_walk && bit(controls.hcr_el2, 2) && s2_memattr_is_device(out.s2_memattr, fwb)) {
    Fault fault{FaultKind::permission, out.level};
    fault.device_walk = true;
    return fault;
  }
  if (out.permissions.allows(request.kind, request.privileged)) return std::nullopt;
  return Fault{FaultKind::permission, out.level};
}

// Sets AF and the dirty state as asked. nullopt and `retry` where the descriptor changed meanwhile.
std::optional<Fault> update(const Stage2Request& request, const UpdateControls& controls,
                            bool big_endian, const Leaf& leaf, PhysicalMemory& memory,
                            StageOutput& out, bool& retry) {
  std::uint64_t desired = leaf.descriptor;
  if (controls.access_flag && request.update_flag) desired |= kAccessFlag;
  if (out.dirty_pending && request.kind == AccessKind::write && request.update_dirty) {
    desired |= kS2Write;
  }
  if (desired == leaf.descriptor) return std::nullopt;
  switch (memory.compare_and_swap64(leaf.address, swap_if(big_endian, leaf.descriptor),
                                    swap_if(big_endian, desired))) {
    case PhysicalMemory::Swap::done:
      break;
    case PhysicalMemory::Swap::changed:
      retry = true;
      return std::nullopt;
    case PhysicalMemory::Swap::error:
      return Fault{FaultKind::external_on_walk, leaf.level};
  }
  if (desired & kS2Write) out.dirty_pending = false;
  return std::nullopt;
}

std::optional<Fault> attempt(const Stage2Request& request, const TranslationControls& controls,
                             PhysicalMemory& memory, StageOutput& out, bool& retry) {
  Geometry geometry;
  if (!decode_geometry(request.ipa, controls, geometry)) return Fault{FaultKind::translation, 0};
  const auto read = [&](PhysAddr address, unsigned level,
                        std::uint64_t& descriptor) -> std::optional<Fault> {
    if (!memory.read64(address, descriptor)) {
      return Fault{FaultKind::external_on_walk, static_cast<std::uint8_t>(level)};
    }
    descriptor = swap_if(geometry.big_endian, descriptor);
    return std::nullopt;
  };
  Leaf leaf;
  if (std::optional<Fault> fault = walk(geometry, request.ipa, read, leaf)) return fault;

  UpdateControls updates;
  updates.access_flag = controls.features.af && bit(controls.vtcr_el2, 21);
  updates.dirty = updates.access_flag && controls.features.dirty && bit(controls.vtcr_el2, 22);
  if (!(leaf.descriptor & kAccessFlag) && !updates.access_flag) {
    return Fault{FaultKind::access_flag, leaf.level};
  }
  const bool dirty_managed = updates.dirty && (leaf.descriptor & kDirtyBitModifier);
  out.page = leaf.output();
  out.shift = leaf.shift;
  out.level = leaf.level;
  out.contiguous = leaf.contiguous();
  out.permissions = decode_permissions(leaf.descriptor, dirty_managed, controls.features.xnx);
  out.dirty_pending = dirty_managed && !(leaf.descriptor & kS2Write);
  out.s2_memattr = static_cast<std::uint8_t>(bits(leaf.descriptor, 5, 2));
  out.s2_shareability = shareability_of(bits(leaf.descriptor, 9, 8));
  if (std::optional<Fault> fault = check_permissions(request, out, controls)) return fault;
  return update(request, updates, geometry.big_endian, leaf, memory, out, retry);
}

}  // namespace

std::optional<Fault> translate_stage2(const Stage2Request& request,
                                      const TranslationControls& controls, PhysicalMemory& memory,
                                      StageOutput& out) {
  for (;;) {
    bool retry = false;
    std::optional<Fault> fault = attempt(request, controls, memory, out, retry);
    if (retry) continue;
    if (fault) {
      fault->stage2 = true;
      fault->s1ptw = request.table_walk;
      fault->on_update = request.table_walk && request.kind == AccessKind::write;
      fault->ipa = request.ipa;
    }
    return fault;
  }
}

}  // namespace trapline::vmsa
