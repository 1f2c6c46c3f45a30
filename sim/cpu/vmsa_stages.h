// The two stages of VMSAv8-64 and the table walk they share. Private to sim/cpu/vmsa*.cpp.
#pragma once

#include <cstdint>
#include <optional>

#include "sim/cpu/vmsa.h"

namespace trapline::vmsa {

/// Where a stage's tables are and how they resolve an input address (DDI 0487 D8.2).
struct Geometry {
  PhysAddr base = 0;               ///< Of the start table, aligned to its size.
  std::uint8_t granule_bits = 12;  ///< log2 of the granule: 12, 14 or 16.
  std::uint8_t ia_bits = 48;       ///< Input address size.
  std::uint8_t oa_bits = 48;       ///< Output address size: IPS/PS limited by PARange.
  std::uint8_t start_level = 0;
  bool big_endian = false;

  unsigned stride() const { return granule_bits - 3u; }
  /// log2 of what one entry of a table at `level` maps.
  unsigned shift_at(unsigned level) const { return granule_bits + (3 - level) * stride(); }
};

/// Control fields that both stages have under other names.
struct UpdateControls {
  bool access_flag = false;  ///< Hardware sets AF (HA).
  bool dirty = false;        ///< Hardware marks DBM pages dirty (HA and HD).
};

/// The descriptor that ended a walk.
struct Leaf {
  std::uint64_t descriptor = 0;
  std::uint64_t table_attributes = 0;  ///< OR of bits [63:59] of the table descriptors passed.
  PhysAddr address = 0;                ///< Of the descriptor, in the space the walk runs in.
  std::uint8_t level = 0;
  std::uint8_t shift = 12;  ///< log2 of the mapped size.

  PhysAddr output() const { return bits(descriptor, 47, shift) << shift; }
  bool contiguous() const { return bit(descriptor, 52); }
};

inline constexpr unsigned kFinalLevel = 3;
inline constexpr std::uint64_t kAccessFlag = 1ull << 10;
inline constexpr std::uint64_t kDirtyBitModifier = 1ull << 51;

/// True if `address` has bits above an `n`-bit address. Requires n < 64.
constexpr bool exceeds(std::uint64_t address, unsigned n) {
  return (address >> n) != 0;
}

/// ID_AA64MMFR0_EL1.PARange, TCR.IPS and VTCR_EL2.PS as bits; sizes above 48 need FEAT_LPA and read
/// as 48.
std::uint8_t size_of_ps(unsigned ps);

/// log2 of the granule, or of one that is implemented if the field's choice is not
/// (DDI 0487 TCR_EL1.TG0: a reserved value behaves as an implemented one).
std::uint8_t implemented_granule(unsigned granule_bits, const TranslationFeatures& features);

/// TG0, VTCR_EL2.TG0: 4, 64, 16 KiB. 0 is reserved.
std::uint8_t granule_of_tg0(unsigned tg);
/// TG1: 16, 4, 64 KiB. 0 is reserved.
std::uint8_t granule_of_tg1(unsigned tg);

/// The largest TxSZ (DDI 0487 D8.2, FEAT_TTST).
unsigned max_txsz(unsigned granule_bits, const TranslationFeatures& features);
inline constexpr unsigned kMinTxSz = 16;  // FEAT_LVA and FEAT_LPA2 are not modelled.

/// `ttbr`[47:1] aligned to the size of the start table.
inline PhysAddr table_base(std::uint64_t ttbr, const Geometry& geometry) {
  const unsigned entry_bits = geometry.ia_bits - geometry.shift_at(geometry.start_level);
  const unsigned table_bits = entry_bits + 3;
  return bits(ttbr, 47, table_bits) << table_bits;
}

/// A descriptor as a value, whatever the byte order of the tables.
inline std::uint64_t swap_if(bool big_endian, std::uint64_t word) {
  return big_endian ? __builtin_bswap64(word) : word;
}

/// True if a leaf at `level` may be a block (DDI 0487 D8.3, without FEAT_LPA and FEAT_LPA2).
constexpr bool block_allowed(const Geometry& geometry, unsigned level) {
  return level == 2 || (level == 1 && geometry.granule_bits == 12);
}

/// Walks from the start level to the leaf. `read(address, level, descriptor)` fetches one
/// descriptor and returns its fault, if any. Faults found here carry kind and level only.
template <typename Read>
std::optional<Fault> walk(const Geometry& geometry, std::uint64_t ia, Read&& read, Leaf& leaf) {
  if (exceeds(geometry.base, geometry.oa_bits)) return Fault{FaultKind::address_size, 0};
  PhysAddr table = geometry.base;
  leaf.table_attributes = 0;
  for (unsigned level = geometry.start_level;; ++level) {
    const unsigned shift = geometry.shift_at(level);
    // Only the start table may be larger (concatenated) or smaller than a granule.
    const unsigned top =
        level == geometry.start_level ? geometry.ia_bits - 1u : shift + geometry.stride() - 1u;
    leaf.address = table + (bits(ia, top, shift) << 3);
    leaf.level = static_cast<std::uint8_t>(level);
    leaf.shift = static_cast<std::uint8_t>(shift);
    std::uint64_t descriptor = 0;
    if (std::optional<Fault> fault = read(leaf.address, level, descriptor)) return fault;
    const unsigned type = descriptor & 3;
    const bool table_entry = type == 3 && level != kFinalLevel;
    const bool is_leaf =
        level == kFinalLevel ? type == 3 : type == 1 && block_allowed(geometry, level);
    if (!table_entry && !is_leaf) return Fault{FaultKind::translation, leaf.level};
    if (is_leaf) {
      leaf.descriptor = descriptor;
      if (exceeds(leaf.output(), geometry.oa_bits)) {
        return Fault{FaultKind::address_size, leaf.level};
      }
      return std::nullopt;
    }
    table = bits(descriptor, 47, geometry.granule_bits) << geometry.granule_bits;
    if (exceeds(table, geometry.oa_bits)) return Fault{FaultKind::address_size, leaf.level};
    leaf.table_attributes |= descriptor & (0x1Full << 59);
  }
}

/// One stage's answer, before the stages are combined.
struct StageOutput {
  PhysAddr page = 0;  ///< Aligned to 1 << shift.
  std::uint8_t shift = 12;
  std::uint8_t level = 0;
  Permissions permissions = kAllPermissions;
  bool pan_protected = false;
  bool non_global = false;
  bool contiguous = false;
  bool dirty_pending = false;     ///< Writable only after a dirty update.
  MemoryAttributes attributes;    ///< Stage 1.
  std::uint8_t s2_memattr = 0xF;  ///< Stage 2: descriptor bits [5:2].
  Shareability s2_shareability = Shareability::non;
};

/// What stage 2 is asked for.
struct Stage2Request {
  PhysAddr ipa = 0;
  AccessKind kind = AccessKind::read;
  bool privileged = true;
  bool table_walk = false;   ///< A stage-1 descriptor access: faults carry s1ptw.
  bool update_flag = true;   ///< AF may be set in memory.
  bool update_dirty = true;  ///< The page may be marked dirty.
};

std::optional<Fault> translate_stage1(Regime regime, const TranslationRequest& request,
                                      const TranslationControls& controls, PhysicalMemory& memory,
                                      StageOutput& out);

/// Requires stage2_enabled(controls.hcr_el2).
std::optional<Fault> translate_stage2(const Stage2Request& request,
                                      const TranslationControls& controls, PhysicalMemory& memory,
                                      StageOutput& out);

/// True if the stage-2 descriptor's MemAttr names Device memory (HCR_EL2.FWB changes its layout).
bool s2_memattr_is_device(std::uint8_t memattr, bool fwb);

/// Device and Non-cacheable memory is Outer Shareable whatever the descriptor says (DDI 0487
/// D8.6, "effective Shareability").
MemoryAttributes effective(MemoryAttributes attributes);

/// Combines both stages (DDI 0487 D8.6: without and with FEAT_S2FWB).
MemoryAttributes combine(MemoryAttributes stage1, std::uint8_t s2_memattr,
                         Shareability s2_shareability, bool fwb);

/// SH[1:0]; the reserved value 1 behaves as Non-shareable.
Shareability shareability_of(unsigned sh);

}  // namespace trapline::vmsa
