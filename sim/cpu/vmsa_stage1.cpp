// Stage 1 of every regime (DDI 0487 D8.2 to D8.5; SCTLR_ELx, TCR_ELx, TTBRn_ELx, MAIR_ELx).
#include <algorithm>

#include "sim/cpu/vmsa_stages.h"

namespace trapline::vmsa {
namespace {

constexpr std::uint64_t kReadOnly = 1ull << 7;      // AP[2]
constexpr std::uint64_t kUnprivileged = 1ull << 6;  // AP[1]
constexpr std::uint64_t kNonGlobal = 1ull << 11;
constexpr std::uint64_t kPxn = 1ull << 53;
constexpr std::uint64_t kUxn = 1ull << 54;  // XN in the EL2 regime.
constexpr std::uint64_t kApTableReadOnly = 1ull << 62;
constexpr std::uint64_t kApTablePrivileged = 1ull << 61;
constexpr std::uint64_t kUxnTable = 1ull << 60;
constexpr std::uint64_t kPxnTable = 1ull << 59;

// The fields of TCR_ELx that concern one VA range, whichever register layout they come from.
struct RangeControls {
  unsigned txsz = 0;
  std::uint8_t granule_bits = 0;
  unsigned ps = 0;
  bool disabled = false;          // EPDn
  bool top_byte_ignored = false;  // TBIn, for this kind of access (TBIDn).
  bool flat_permissions = false;  // HPDn: table attributes are ignored.
  UpdateControls updates;
};

bool two_ranges(Regime regime) {
  return regime != Regime::el2;
}

// TCR_EL2 with HCR_EL2.E2H = 0.
RangeControls decode_single(std::uint64_t tcr, bool fetch, const TranslationFeatures& features) {
  RangeControls range;
  range.txsz = bits(tcr, 5, 0);
  range.granule_bits = granule_of_tg0(bits(tcr, 15, 14));
  range.ps = bits(tcr, 18, 16);
  range.top_byte_ignored = bit(tcr, 20) && !(fetch && features.pauth && bit(tcr, 29));
  range.updates.access_flag = bit(tcr, 21);
  range.updates.dirty = bit(tcr, 22);
  range.flat_permissions = bit(tcr, 24);
  return range;
}

// TCR_EL1, and TCR_EL2 with HCR_EL2.E2H = 1.
RangeControls decode_pair(std::uint64_t tcr, bool upper, bool fetch,
                          const TranslationFeatures& features) {
  RangeControls range;
  range.txsz = upper ? bits(tcr, 21, 16) : bits(tcr, 5, 0);
  range.granule_bits =
      upper ? granule_of_tg1(bits(tcr, 31, 30)) : granule_of_tg0(bits(tcr, 15, 14));
  range.ps = bits(tcr, 34, 32);
  range.disabled = bit(tcr, upper ? 23 : 7);
  range.top_byte_ignored =
      bit(tcr, upper ? 38 : 37) && !(fetch && features.pauth && bit(tcr, upper ? 52 : 51));
  range.updates.access_flag = bit(tcr, 39);
  range.updates.dirty = bit(tcr, 40);
  range.flat_permissions = bit(tcr, upper ? 42 : 41);
  return range;
}

RangeControls decode_range(Regime regime, const TranslationRequest& request,
                           const TranslationControls& controls) {
  const TranslationFeatures& features = controls.features;
  const bool fetch = request.kind == AccessKind::fetch;
  RangeControls range = two_ranges(regime)
                            ? decode_pair(controls.tcr, bit(request.va, 55), fetch, features)
                            : decode_single(controls.tcr, fetch, features);
  range.granule_bits = implemented_granule(range.granule_bits, features);
  range.flat_permissions = range.flat_permissions && features.hpd;
  range.updates.access_flag = range.updates.access_flag && features.af;
  range.updates.dirty = range.updates.dirty && features.dirty && range.updates.access_flag;
  return range;
}

// False: the address lies in neither range, or the range is unusable (level 0 Translation fault).
bool decode_geometry(Regime regime, VirtAddr va, const RangeControls& range,
                     const TranslationControls& controls, Geometry& geometry) {
  if (range.txsz < kMinTxSz || range.txsz > max_txsz(range.granule_bits, controls.features)) {
    return false;
  }
  geometry.granule_bits = range.granule_bits;
  geometry.ia_bits = static_cast<std::uint8_t>(64 - range.txsz);
  const bool upper = two_ranges(regime) && bit(va, 55);
  const std::uint64_t above = bits(va, range.top_byte_ignored ? 55 : 63, geometry.ia_bits);
  const std::uint64_t expected =
      upper ? bits(~0ull, range.top_byte_ignored ? 55 : 63, geometry.ia_bits) : 0;
  if (above != expected || range.disabled) return false;
  const unsigned levels =
      (geometry.ia_bits - geometry.granule_bits + geometry.stride() - 1) / geometry.stride();
  geometry.start_level = static_cast<std::uint8_t>(kFinalLevel + 1 - levels);
  geometry.oa_bits = std::min(size_of_ps(range.ps), controls.features.pa_bits);
  geometry.big_endian = bit(controls.sctlr, 25);
  geometry.base = table_base(upper ? controls.ttbr1 : controls.ttbr0, geometry);
  return true;
}

// DDI 0487 D8.4: direct permissions, limited by the tables passed, by WXN, and by the rule that
// what EL0 can write the privileged level never executes.
Permissions decode_permissions(Regime regime, const Leaf& leaf, bool dirty_managed, bool wxn) {
  const std::uint64_t descriptor = leaf.descriptor;
  const std::uint64_t tables = leaf.table_attributes;
  const bool write = (!(descriptor & kReadOnly) || dirty_managed) && !(tables & kApTableReadOnly);
  Permissions p;
  p.el1_r = true;
  p.el1_w = write;
  if (two_ranges(regime)) {
    const bool el0 = (descriptor & kUnprivileged) && !(tables & kApTablePrivileged);
    p.el0_r = el0;
    p.el0_w = el0 && write;
    p.el0_x = !(descriptor & kUxn) && !(tables & kUxnTable);
    p.el1_x = !(descriptor & kPxn) && !(tables & kPxnTable) && !p.el0_w;
  } else {
    p.el1_x = !(descriptor & kUxn) && !(tables & kUxnTable);
  }
  if (wxn) {
    p.el0_x = p.el0_x && !p.el0_w;
    p.el1_x = p.el1_x && !p.el1_w;
  }
  return p;
}

// One stage-1 walk: its parameters and the descriptor accesses, which stage 2 translates.
class Stage1 {
 public:
  Stage1(Regime regime, const TranslationRequest& request, const TranslationControls& controls,
         PhysicalMemory& memory)
      : regime_(regime),
        request_(request),
        controls_(controls),
        memory_(memory),
        nested_(regime == Regime::el1_0 && !controls.stage2_by_mpu &&
                stage2_enabled(controls.hcr_el2)),
        range_(decode_range(regime, request, controls)) {}

  bool enabled() const;
  std::optional<Fault> flat(StageOutput& out) const;
  std::optional<Fault> attempt(StageOutput& out, bool& retry);

 private:
  std::optional<Fault> locate(PhysAddr address, AccessKind kind, PhysAddr& pa);
  void decode_leaf(const Leaf& leaf, StageOutput& out) const;
  std::optional<Fault> check_permissions(const StageOutput& out) const;
  std::optional<Fault> update(const Leaf& leaf, bool big_endian, StageOutput& out, bool& retry);

  Regime regime_;
  const TranslationRequest& request_;
  const TranslationControls& controls_;
  PhysicalMemory& memory_;
  bool nested_;
  RangeControls range_;
  StageOutput tables_;  // Stage 2 of the last table located, at tables_ipa_.
  PhysAddr tables_ipa_ = 0;
  bool tables_valid_ = false;
};

// HCR_EL2.TGE and DC make SCTLR_EL1.M behave as 0.
bool Stage1::enabled() const {
  const bool overridden =
      regime_ == Regime::el1_0 && (bit(controls_.hcr_el2, 27) || bit(controls_.hcr_el2, 12));
  return bit(controls_.sctlr, 0) && !overridden;
}

// Stage 1 off: the address is the output (DDI 0487 D8.2.10). Attributes are those of data accesses;
// fetches are from Normal memory, which nothing can observe here.
std::optional<Fault> Stage1::flat(StageOutput& out) const {
  const std::uint64_t address = range_.top_byte_ignored ? bits(request_.va, 55, 0) : request_.va;
  if (exceeds(address, controls_.features.pa_bits)) return Fault{FaultKind::address_size, 0};
  constexpr unsigned kFlatShift = 30;
  out.page = address & ~((1ull << kFlatShift) - 1);
  out.shift = kFlatShift;
  out.level = 0;
  out.permissions = kAllPermissions;
  const bool default_cacheable = regime_ == Regime::el1_0 && bit(controls_.hcr_el2, 12);
  out.attributes = default_cacheable ? MemoryAttributes{0xFF, Shareability::non}
                                     : MemoryAttributes{0x00, Shareability::outer};
  return std::nullopt;
}

// Where a descriptor is in physical memory. Tables of one walk mostly share a stage-2 block, whose
// translation for reading holds to the end of the attempt.
std::optional<Fault> Stage1::locate(PhysAddr address, AccessKind kind, PhysAddr& pa) {
  pa = address;
  if (!nested_) return std::nullopt;
  const bool known = tables_valid_ && ((address ^ tables_ipa_) >> tables_.shift) == 0;
  if (!known || kind != AccessKind::read) {
    Stage2Request request;
    request.ipa = address;
    request.kind = kind;
    request.table_walk = true;
    request.update_flag = request.update_dirty = !request_.debug;
    tables_valid_ = false;
    if (std::optional<Fault> fault = translate_stage2(request, controls_, memory_, tables_)) {
      return fault;
    }
    tables_valid_ = true;
    tables_ipa_ = address;
  }
  pa = tables_.page | (address & ((1ull << tables_.shift) - 1));
  return std::nullopt;
}

void Stage1::decode_leaf(const Leaf& leaf, StageOutput& out) const {
  const std::uint64_t descriptor = leaf.descriptor;
  const bool dirty_managed = range_.updates.dirty && (descriptor & kDirtyBitModifier);
  out.page = leaf.output();
  out.shift = leaf.shift;
  out.level = leaf.level;
  out.contiguous = leaf.contiguous();
  out.non_global = two_ranges(regime_) && (descriptor & kNonGlobal);
  Leaf effective_leaf = leaf;
  if (range_.flat_permissions) effective_leaf.table_attributes = 0;
  out.permissions =
      decode_permissions(regime_, effective_leaf, dirty_managed, bit(controls_.sctlr, 19));
  out.dirty_pending = dirty_managed && (descriptor & kReadOnly) && out.permissions.el1_w;
  const bool epan = controls_.features.epan && bit(controls_.sctlr, 57);
  out.pan_protected =
      out.permissions.el0_r || out.permissions.el0_w || (epan && out.permissions.el0_x);
  const unsigned index = bits(descriptor, 4, 2);
  MemoryAttributes attributes{static_cast<std::uint8_t>(controls_.mair >> (8 * index)),
                              shareability_of(bits(descriptor, 9, 8))};
  // SCTLR_ELx.C = 0 makes Normal memory Non-cacheable for data accesses.
  if (!bit(controls_.sctlr, 2) && !attributes.is_device()) attributes.attr = 0x44;
  out.attributes = effective(attributes);
}

std::optional<Fault> Stage1::check_permissions(const StageOutput& out) const {
  const bool denied_by_pan = request_.pan && request_.privileged && out.pan_protected &&
                             request_.kind != AccessKind::fetch;
  if (!denied_by_pan && out.permissions.allows(request_.kind, request_.privileged)) {
    return std::nullopt;
  }
  return Fault{FaultKind::permission, out.level};
}

// Sets AF and the dirty state where hardware does; the descriptor write needs stage 2's permission.
std::optional<Fault> Stage1::update(const Leaf& leaf, bool big_endian, StageOutput& out,
                                    bool& retry) {
  if (request_.debug) return std::nullopt;
  std::uint64_t desired = leaf.descriptor;
  if (range_.updates.access_flag) desired |= kAccessFlag;
  const bool clean = out.dirty_pending && request_.kind == AccessKind::write && !request_.is_at;
  if (clean) desired &= ~kReadOnly;
  if (desired == leaf.descriptor) return std::nullopt;
  PhysAddr pa = 0;
  if (std::optional<Fault> fault = locate(leaf.address, AccessKind::write, pa)) return fault;
  switch (memory_.compare_and_swap64(pa, swap_if(big_endian, leaf.descriptor),
                                     swap_if(big_endian, desired))) {
    case PhysicalMemory::Swap::done:
      break;
    case PhysicalMemory::Swap::changed:
      retry = true;
      return std::nullopt;
    case PhysicalMemory::Swap::error:
      return Fault{FaultKind::external_on_walk, leaf.level};
  }
  if (clean) out.dirty_pending = false;
  return std::nullopt;
}

std::optional<Fault> Stage1::attempt(StageOutput& out, bool& retry) {
  tables_valid_ = false;
  Geometry geometry;
  if (!decode_geometry(regime_, request_.va, range_, controls_, geometry)) {
    return Fault{FaultKind::translation, 0};
  }
  const auto read = [&](PhysAddr address, unsigned level,
                        std::uint64_t& descriptor) -> std::optional<Fault> {
    PhysAddr pa = 0;
    if (std::optional<Fault> fault = locate(address, AccessKind::read, pa)) return fault;
    if (!memory_.read64(pa, descriptor)) {
      return Fault{FaultKind::external_on_walk, static_cast<std::uint8_t>(level)};
    }
    descriptor = swap_if(geometry.big_endian, descriptor);
    return std::nullopt;
  };
  Leaf leaf;
  const std::uint64_t ia = bits(request_.va, geometry.ia_bits - 1u, 0);
  if (std::optional<Fault> fault = walk(geometry, ia, read, leaf)) return fault;
  if (!(leaf.descriptor & kAccessFlag) && !range_.updates.access_flag) {
    return Fault{FaultKind::access_flag, leaf.level};
  }
  decode_leaf(leaf, out);
  if (std::optional<Fault> fault = check_permissions(out)) return fault;
  return update(leaf, geometry.big_endian, out, retry);
}

}  // namespace

std::optional<Fault> translate_stage1(Regime regime, const TranslationRequest& request,
                                      const TranslationControls& controls, PhysicalMemory& memory,
                                      StageOutput& out) {
  Stage1 stage(regime, request, controls, memory);
  if (!stage.enabled()) return stage.flat(out);
  for (;;) {
    bool retry = false;
    std::optional<Fault> fault = stage.attempt(out, retry);
    if (!retry) return fault;
  }
}

}  // namespace trapline::vmsa
