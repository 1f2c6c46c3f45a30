// VMSAv8-64 address translation (DDI 0487 D8) as pure functions over registers and memory.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "sim/arch/memory_access.h"
#include "sim/arch/types.h"

namespace trapline {

/// The translation regimes of EL0 to EL2 (DDI 0487 D8.1.2). EL0 uses el2_0 while HCR_EL2.{E2H,TGE}
/// is {1,1} and el1_0 otherwise.
enum class Regime : std::uint8_t {
  el1_0,  ///< EL1&0, with stage 2 where it is enabled.
  el2,    ///< EL2 with HCR_EL2.E2H = 0: one VA range, one privilege level.
  el2_0,  ///< EL2&0 with HCR_EL2.E2H = 1: laid out as EL1&0, never stage 2.
};

/// What one access asks of translation.
struct TranslationRequest {
  VirtAddr va = 0;
  AccessKind kind = AccessKind::read;
  bool privileged = true;  ///< False for EL0, and for LDTR/STTR that act as EL0 accesses.
  bool pan = false;        ///< PSTATE.PAN where it applies to this access (data, UAO/LDTR settled).
  bool stage1_only = false;  ///< AT S1E*: stop at the IPA. Walks still go through stage 2.
  bool is_at = false;        ///< AT: may set the access flag, never marks a page dirty.
  bool debug = false;        ///< A debugger looks: descriptors are never written.
};

/// What the implementation has, from its ID registers. Constant over a CPU's life.
struct TranslationFeatures {
  std::uint8_t pa_bits = 40;  ///< ID_AA64MMFR0_EL1.PARange as bits: 32, 36, 40, 42, 44 or 48.
  bool granule_4k = true;     ///< ID_AA64MMFR0_EL1.TGran4, also for stage 2.
  bool granule_16k = true;
  bool granule_64k = true;
  bool af = false;      ///< FEAT_HAFDBS, access flag: TCR.HA, VTCR_EL2.HA.
  bool dirty = false;   ///< FEAT_HAFDBS, dirty state: TCR.HD, VTCR_EL2.HD.
  bool hpd = false;     ///< FEAT_HPDS: TCR.HPDn. (FEAT_AA32HPD is not modelled.)
  bool xnx = false;     ///< FEAT_XNX: stage-2 XN[1:0].
  bool epan = false;    ///< FEAT_PAN3: SCTLR.EPAN.
  bool ttst = false;    ///< FEAT_TTST: TxSZ up to 48 (47 for 64 KiB).
  bool pauth = false;   ///< FEAT_PAuth: TCR.TBIDn.
  bool s2fwb = false;   ///< FEAT_S2FWB: HCR_EL2.FWB.
  bool vmid16 = false;  ///< FEAT_VMID16: VTCR_EL2.VS.
  bool asid16 = true;   ///< ID_AA64MMFR0_EL1.ASIDBits: TCR.AS.
};

/// The registers one translation depends on. `sctlr` to `mair` are those of the regime's stage 1:
/// SCTLR_EL1... for el1_0, SCTLR_EL2... for el2 and el2_0.
struct TranslationControls {
  std::uint64_t sctlr = 0;
  std::uint64_t tcr = 0;
  std::uint64_t ttbr0 = 0;
  std::uint64_t ttbr1 = 0;
  std::uint64_t mair = 0;
  std::uint64_t sctlr_el2 = 0;  ///< Only EE, for the byte order of stage-2 tables.
  std::uint64_t hcr_el2 = 0;    ///< 0 where EL2 is absent or disabled.
  std::uint64_t vtcr_el2 = 0;
  std::uint64_t vttbr_el2 = 0;
  /// Stage 2 of EL1&0 is the EL2 MPU's (VTCR_EL2.MSA): the caller adds it, and its PhysicalMemory
  /// refuses the descriptor accesses that it does not allow.
  bool stage2_by_mpu = false;
  TranslationFeatures features;
  bool secure =
      false;  ///< Only reported (PAR_EL1.NS); the NS bits of descriptors are not modelled.
};

/// True if EL1&0 accesses are subject to stage 2: HCR_EL2.VM or DC (DDI 0487 D8.2).
constexpr bool stage2_enabled(std::uint64_t hcr_el2) {
  return (hcr_el2 & (1ull << 0 | 1ull << 12)) != 0;
}

/// Physical memory as translation table walks see it. Descriptors are 64-bit little-endian words;
/// the walker swaps them for SCTLR_ELx.EE.
class PhysicalMemory {
 public:
  enum class Swap : std::uint8_t { done, changed, error };

  virtual ~PhysicalMemory() = default;
  /// `pa` is 8-byte aligned. False: External abort on the walk.
  virtual bool read64(PhysAddr pa, std::uint64_t& value) = 0;
  /// Hardware update of a descriptor: writes `desired` if the word is still `expected`. Counts as a
  /// store for whoever watches for self-modifying code. `error` (read-only memory, a device) is an
  /// External abort on the walk; `changed` makes the walk start again.
  virtual Swap compare_and_swap64(PhysAddr pa, std::uint64_t expected, std::uint64_t desired) = 0;
};

/// The result of a walk: it answers for every kind of access to every address of the page, so it
/// may be cached until a TLBI or a change of TranslationControls. Faults are never to be cached.
struct Mapping {
  PhysAddr pa_page = 0;           ///< Aligned to 1 << page_shift.
  PhysAddr ipa_page = 0;          ///< Stage 1's output; equals pa_page without stage 2.
  std::uint8_t page_shift = 12;   ///< log2 of what both stages' leaves map; at least 12.
  std::uint8_t stage1_level = 0;  ///< Of the leaf, for permission faults. 0 where stage 1 is off.
  std::uint8_t stage2_level = 0;
  Permissions stage1;  ///< WXN, hierarchical and implied execute-never applied; PAN not.
  Permissions stage2;  ///< All set without stage 2.
  bool pan_protected : 1 = false;  ///< Privileged data accesses fault while PSTATE.PAN is in force.
  bool non_global : 1 = false;     ///< nG: tagged with the ASID.
  bool contiguous : 1 = false;     ///< The leaf's contiguous hint (both stages where both walk).
  bool stage2_used : 1 = false;
  /// A write that check() allows must be translated again with AccessKind::write, which marks the
  /// page dirty in the tables. Until then do not cache the page as writable.
  bool needs_dirty_update : 1 = false;
  bool stage1_device : 1 =
      false;                    ///< Stage 1 alone makes it Device: alignment faults are stage 1's.
  MemoryAttributes attributes;  ///< Of both stages combined.

  constexpr PhysAddr offset_mask() const { return (1ull << page_shift) - 1; }
  constexpr PhysAddr pa(VirtAddr va) const { return pa_page | (va & offset_mask()); }
  constexpr PhysAddr ipa(VirtAddr va) const { return ipa_page | (va & offset_mask()); }
  /// What both stages allow. PAN is not applied.
  constexpr Permissions permissions() const { return stage1 & stage2; }
};

using TranslationResult = std::variant<Mapping, Fault>;

/// Translates and checks one access, PAN included. Updates access flag and dirty state in the
/// tables where the controls ask for that. Allocates nothing.
TranslationResult translate(Regime regime, const TranslationRequest& request,
                            const TranslationControls& controls, PhysicalMemory& memory);

/// The permission check of translate() alone, for a Mapping that was cached. `va` gives the IPA of
/// a stage-2 fault. No value: allowed (but see Mapping::needs_dirty_update).
std::optional<Fault> check(const Mapping& mapping, VirtAddr va, AccessKind kind, bool privileged,
                           bool pan);

/// PAR_EL1 for AT on `va` (DDI 0487 D24.2, PAR_EL1). The caller decides which faults of an AT are
/// exceptions instead: an external abort, or a stage-2 fault on the walk of AT S1E0/1* from EL1.
std::uint64_t par_el1(const TranslationResult& result, VirtAddr va, bool secure);

/// The ASID that tags non-global entries of this regime: TTBR0 or TTBR1 by TCR.A1, 8 or 16 bits by
/// TCR.AS. 0 for el2.
std::uint16_t asid_of(Regime regime, const TranslationControls& controls);

/// VTTBR_EL2.VMID, 8 or 16 bits by VTCR_EL2.VS.
std::uint16_t vmid_of(const TranslationControls& controls);

}  // namespace trapline
