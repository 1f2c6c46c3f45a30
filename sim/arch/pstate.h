// PSTATE and SPSR_ELx of AArch64 state as one 64-bit value in SPSR layout (DDI 0487, SPSR_EL1), and
// what exception entry and return do to it, as pure functions.
#pragma once

#include <cstdint>

#include "sim/arch/types.h"

namespace trapline {
namespace pstate {

inline constexpr std::uint64_t kN = 1ull << 31;
inline constexpr std::uint64_t kZ = 1ull << 30;
inline constexpr std::uint64_t kC = 1ull << 29;
inline constexpr std::uint64_t kV = 1ull << 28;
inline constexpr std::uint64_t kNzcv = kN | kZ | kC | kV;
inline constexpr std::uint64_t kTco = 1ull << 25;
inline constexpr std::uint64_t kDit = 1ull << 24;
inline constexpr std::uint64_t kUao = 1ull << 23;
inline constexpr std::uint64_t kPan = 1ull << 22;
inline constexpr std::uint64_t kSs = 1ull << 21;
inline constexpr std::uint64_t kIl = 1ull << 20;
inline constexpr std::uint64_t kAllint = 1ull << 13;
inline constexpr std::uint64_t kSsbs = 1ull << 12;
inline constexpr std::uint64_t kBtype = 3ull << 10;
inline constexpr std::uint64_t kD = 1ull << 9;
inline constexpr std::uint64_t kA = 1ull << 8;
inline constexpr std::uint64_t kI = 1ull << 7;
inline constexpr std::uint64_t kF = 1ull << 6;
inline constexpr std::uint64_t kDaif = kD | kA | kI | kF;
inline constexpr std::uint64_t kAArch32 = 1ull << 4;  ///< M[4], nRW.
inline constexpr std::uint64_t kMode = 0x1f;          ///< M[4:0].

inline constexpr std::uint64_t kEl0t = 0x0;
inline constexpr std::uint64_t kEl1t = 0x4;
inline constexpr std::uint64_t kEl1h = 0x5;
inline constexpr std::uint64_t kEl2t = 0x8;
inline constexpr std::uint64_t kEl2h = 0x9;

/// Bits of SCTLR_ELx and HCR_EL2 that entry and return look at.
inline constexpr std::uint64_t kSctlrSpan = 1ull << 23;
inline constexpr std::uint64_t kSctlrDssbs = 1ull << 44;
inline constexpr std::uint64_t kHcrTge = 1ull << 27;
inline constexpr std::uint64_t kHcrRw = 1ull << 31;
inline constexpr std::uint64_t kHcrE2h = 1ull << 34;

/// The Exception level of an AArch64 PSTATE.
constexpr El el_of(std::uint64_t value) {
  return static_cast<El>(bits(value, 3, 2));
}
/// PSTATE.SP: true means SP_ELx, false SP_EL0.
constexpr bool sp_sel(std::uint64_t value) {
  return value & 1;
}
constexpr std::uint64_t mode(El el, bool sp) {
  return static_cast<std::uint64_t>(el) << 2 | (sp ? 1 : 0);
}
/// Mode bits that AArch64 defines: EL0t and ELxt, ELxh (DDI 0487 D1).
constexpr bool valid_mode(std::uint64_t value) {
  return !(value & kAArch32) && !(value & 2) && bits(value, 3, 0) != 1;
}

/// PSTATE after Cold or Warm reset into `el` (DDI 0487 D1): SP_ELx, everything masked.
constexpr std::uint64_t reset_value(El el) {
  return kDaif | mode(el, el != El::el0);
}

/// The optional state a PE implements. Fields of absent features stay 0 in every result.
struct Features {
  bool pan = false;   ///< FEAT_PAN.
  bool uao = false;   ///< FEAT_UAO.
  bool dit = false;   ///< FEAT_DIT.
  bool ssbs = false;  ///< FEAT_SSBS.
  bool bti = false;   ///< FEAT_BTI.
  bool mte = false;   ///< FEAT_MTE2: PSTATE.TCO.
};

/// All bits that PSTATE of this PE can hold.
constexpr std::uint64_t implemented(const Features& f) {
  return kNzcv | kSs | kIl | kDaif | 0xf | (f.pan ? kPan : 0) | (f.uao ? kUao : 0) |
         (f.dit ? kDit : 0) | (f.ssbs ? kSsbs : 0) | (f.bti ? kBtype : 0) | (f.mte ? kTco : 0);
}

/// PSTATE on entry to an exception taken to `target` (DDI 0487 AArch64.TakeException): SPSR_ELx
/// gets `old` itself. NZCV and DIT are kept, DAIF set, SS, IL, BTYPE and UAO cleared; PAN is set
/// unless SCTLR_ELx.SPAN keeps it; SSBS follows SCTLR_ELx.DSSBS. `sctlr` is the target's. `hcr` is
/// HCR_EL2, 0 where EL2 is absent: SPAN is looked at for EL2 only with E2H and TGE both set.
constexpr std::uint64_t on_exception_entry(std::uint64_t old, El target, std::uint64_t sctlr,
                                           std::uint64_t hcr, const Features& f) {
  std::uint64_t value = old & (kNzcv | kDit | kPan);
  const bool host = (hcr & kHcrE2h) && (hcr & kHcrTge);
  if ((target == El::el1 || (target == El::el2 && host)) && !(sctlr & kSctlrSpan)) value |= kPan;
  if (sctlr & kSctlrDssbs) value |= kSsbs;
  return ((value | kDaif | kTco) & implemented(f) & ~(kSs | kIl | kBtype | kUao | 0xf)) |
         mode(target, true);
}

/// What an exception return checks beside the SPSR.
struct ReturnRules {
  bool el2_present = true;
  bool aarch32_el0 = false;  ///< Nothing here executes AArch32; a return to it is illegal.
  std::uint64_t hcr = 0;     ///< HCR_EL2; 0 where EL2 is absent.
};

/// DDI 0487, IllegalExceptionReturn: a reserved mode, a higher or absent Exception level,
/// AArch32 (unless EL0 has it), EL1 under HCR_EL2.TGE, or EL1 where HCR_EL2.RW says AArch32.
constexpr bool legal_return(std::uint64_t spsr, El current, const ReturnRules& rules) {
  if (spsr & kAArch32) return rules.aarch32_el0 && bits(spsr, 3, 0) == 0;
  if (!valid_mode(spsr)) return false;
  const El target = el_of(spsr);
  if (target > current || target == El::el3) return false;
  if (target == El::el2) return rules.el2_present;
  if (target == El::el1 && rules.el2_present)
    return !(rules.hcr & kHcrTge) && (current < El::el2 || (rules.hcr & kHcrRw));
  return true;
}

/// PSTATE after ERET in `current` (a PSTATE value). An illegal return keeps EL and SP and sets IL;
/// flags and masks still come from the SPSR (DDI 0487 SetPSTATEFromPSR).
constexpr std::uint64_t on_exception_return(std::uint64_t current, std::uint64_t spsr,
                                            const ReturnRules& rules, const Features& f) {
  const std::uint64_t taken = spsr & implemented(f);
  if (legal_return(spsr, el_of(current), rules)) return taken;
  return (taken & ~(0xfull | kSs | kBtype)) | kIl | (current & 0xf);
}

}  // namespace pstate
}  // namespace trapline
