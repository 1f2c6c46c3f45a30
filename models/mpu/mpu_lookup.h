// PMSAv8-64 (DDI 0600 C1) as pure functions over registers and regions: what an access may do, with
// which memory attributes, and over which range of addresses that answer holds.
#pragma once

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "models/mpu/mpu_regions.h"
#include "sim/arch/memory_access.h"
#include "sim/arch/types.h"

namespace trapline {

/// The translation regimes of Armv8-R64, which has no EL2&0 regime.
enum class MpuRegime : std::uint8_t { el1_0, el2 };

/// One piece of the default memory map. Everything in it may be read and written.
struct MpuDefaultRange {
  std::uint64_t last = ~0ull;  ///< Inclusive; the piece begins after the one before it.
  MemoryAttributes attributes;
  bool executable = true;
};

/// The default memory map, ascending, its last piece ending at ~0. The map is IMPLEMENTATION
/// DEFINED (DDI 0600 C1.4), so that a machine may bring its own.
using MpuDefaultMap = std::vector<MpuDefaultRange>;

/// Below 4 GiB the map that PMSAv8-32 prescribes (DDI 0568 C1.3): Normal and executable up to
/// 0x7fffffff, Device-nGnRE up to 0xbfffffff, Device-nGnRnE up to 0xffffffff. Normal above.
MpuDefaultMap pmsav8_default_map();

/// The registers one look-up depends on.
struct MpuControls {
  std::uint64_t sctlr_el1 = 0;  ///< M, C, BR, WXN.
  std::uint64_t mair_el1 = 0;
  std::uint64_t sctlr_el2 = 0;  ///< M, C, BR, WXN.
  std::uint64_t mair_el2 = 0;
  std::uint64_t hcr_el2 = 0;                     ///< VM, PTW, DC, TGE; 0 where EL2 is absent.
  std::uint64_t vstcr_el2 = 0;                   ///< SC: compare the NS of both stages.
  std::uint8_t pa_bits = 40;                     ///< ID_AA64MMFR0_EL1.PARange as bits; at most 48.
  std::span<const MpuDefaultRange> default_map;  ///< Must not be empty.
};

/// The region arrays of one CPU.
struct MpuRegions {
  const MpuRegionSet& el1;
  const MpuRegionSet& el2;
};

/// What one access asks. `address` has no tag left in its top byte.
struct MpuRequest {
  VirtAddr address = 0;
  AccessKind kind = AccessKind::read;
  bool privileged = true;    ///< False for EL0, and for LDTR/STTR that act as EL0 accesses.
  bool pan = false;          ///< PSTATE.PAN where it applies to this access.
  bool stage1_only = false;  ///< AT S1E*.
};

/// How an address was answered by one stage.
enum class MpuMatch : std::uint8_t {
  region,        ///< By exactly one enabled region.
  background,    ///< By the background region; privileged accesses only.
  off,           ///< The MPU is off: the default memory map, at every Exception level.
  none,          ///< No region matches: Translation fault.
  overlap,       ///< More than one matches: Translation fault.
  out_of_range,  ///< Outside the implemented physical addresses: Address size fault.
};

/// The answer of one stage. It holds for every access to every address of `range`.
struct MpuAnswer {
  AddressRange range;
  MpuMatch match = MpuMatch::none;
  std::uint8_t region = 0;  ///< With MpuMatch::region.
  Permissions permissions;  ///< el1_* means EL2 in regime el2. WXN applied, PAN not.
  MemoryAttributes attributes;
  bool non_secure = false;

  /// True if both answer every access alike, whatever region it comes from.
  bool same_as(const MpuAnswer& other) const;
};

/// A successful look-up. Translation is flat: VA, IPA and PA are equal. Like a TLB entry it answers
/// for every kind of access to every address of `range`, until the regions or controls change.
struct MpuMapping {
  AddressRange range;
  MpuAnswer stage1;
  MpuAnswer stage2;  ///< Permissions all set without stage 2.
  bool stage2_used = false;
  bool non_secure = false;
  MemoryAttributes attributes;  ///< Of both stages combined.

  constexpr bool covers(std::uint64_t first, std::uint64_t last) const {
    return range.first <= first && last <= range.last;
  }
  /// What both stages allow. PAN is not applied.
  constexpr Permissions permissions() const { return stage1.permissions & stage2.permissions; }
  /// EL1 data accesses fault while PSTATE.PAN is in force: a region lets EL0 read. PAN does not
  /// apply while stage 1 is off (DDI 0487 D8.4).
  constexpr bool pan_protected() const {
    return stage1.match == MpuMatch::region && stage1.permissions.el0_r;
  }
};

using MpuResult = std::variant<MpuMapping, Fault>;

/// Stage 1 of `regime` at `address`, by the EL1 or the EL2 MPU.
MpuAnswer stage1_at(MpuRegime regime, std::uint64_t address, const MpuControls& controls,
                    const MpuRegions& regions);

/// Stage 2 of EL1&0 at `ipa`, by the EL2 MPU. SCTLR_EL2.{M, BR} do not matter here: HCR_EL2.{VM,
/// DC} enable stage 2, and it has no background region.
MpuAnswer stage2_at(std::uint64_t ipa, const MpuControls& controls, const MpuRegions& regions);

/// True if EL1&0 accesses are subject to stage 2: HCR_EL2.VM or DC.
constexpr bool mpu_stage2_enabled(const MpuControls& controls) {
  return bit(controls.hcr_el2, 0) || bit(controls.hcr_el2, 12);
}

/// Looks an access up in both stages, PAN included. Every fault has level 0. Allocates nothing.
MpuResult lookup(MpuRegime regime, const MpuRequest& request, const MpuControls& controls,
                 const MpuRegions& regions);

/// What stage 1 of another translation system (VMSAv8-64 at EL1, VTCR_EL2.MSA) hands to stage 2.
struct MpuStage2Request {
  PhysAddr ipa = 0;
  AccessKind kind = AccessKind::read;
  bool privileged = true;
  bool table_walk = false;  ///< A stage-1 descriptor access; its faults have S1PTW set.
  bool non_secure = false;    ///< Stage 1's NS.
  MemoryAttributes stage1{};  ///< Stage 1's attributes.
};

/// Stage 2 alone. In the mapping, stage1 has all permissions and the request's attributes.
MpuResult lookup_stage2(const MpuStage2Request& request, const MpuControls& controls,
                        const MpuRegions& regions);

/// True if one answer holds for every access to every address of the range of 1 << `shift` bytes
/// around `address`; otherwise the page is split and must not be cached whole.
bool uniform(MpuRegime regime, std::uint64_t address, unsigned shift, const MpuControls& controls,
             const MpuRegions& regions);

/// The same for stage 2 alone.
bool uniform_stage2(std::uint64_t ipa, unsigned shift, const MpuControls& controls,
                    const MpuRegions& regions);

/// PAR_EL1 for AT on `address` (DDI 0487 D24.2, PAR_EL1). The caller decides which faults of an AT
/// are exceptions instead.
std::uint64_t par_el1(const MpuResult& result, VirtAddr address);

}  // namespace trapline
