// Exception syndromes: classes, fault status codes, builders and a short text (DDI 0487,
// ESR_ELx). Every builder returns a complete ESR value; IL is 1, as for every A64 exception.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sim/arch/types.h"

namespace trapline {

/// ESR_ELx.EC.
enum class ExceptionClass : std::uint8_t {
  unknown = 0x00,
  wfx = 0x01,
  cp15_mcr = 0x03,
  cp15_mcrr = 0x04,
  cp14_mcr = 0x05,
  cp14_ldc = 0x06,
  fp_access = 0x07,
  fp_id = 0x08,
  pointer_authentication = 0x09,  ///< A trapped PAuth instruction.
  ls64 = 0x0a,
  cp14_mrrc = 0x0c,
  branch_target = 0x0d,
  illegal_state = 0x0e,
  svc32 = 0x11,
  hvc32 = 0x12,
  smc32 = 0x13,
  svc64 = 0x15,
  hvc64 = 0x16,
  smc64 = 0x17,
  sysreg = 0x18,
  sve = 0x19,
  eret = 0x1a,
  tstart = 0x1b,
  pac_failure = 0x1c,
  sme = 0x1d,
  granule_protection = 0x1e,
  implementation_defined = 0x1f,
  instruction_abort_lower = 0x20,
  instruction_abort_same = 0x21,
  pc_alignment = 0x22,
  data_abort_lower = 0x24,
  data_abort_same = 0x25,
  sp_alignment = 0x26,
  memory_copy = 0x27,
  fp_exception32 = 0x28,
  fp_exception64 = 0x2c,
  serror = 0x2f,
  breakpoint_lower = 0x30,
  breakpoint_same = 0x31,
  software_step_lower = 0x32,
  software_step_same = 0x33,
  watchpoint_lower = 0x34,
  watchpoint_same = 0x35,
  bkpt32 = 0x38,
  vector_catch32 = 0x3a,
  brk64 = 0x3c,
};

/// Fault status codes, as in IFSC and DFSC. Those with a level take 0 to 3; -1 where FEAT_LPA2 has
/// a code for it.
namespace fsc {
constexpr std::uint8_t address_size(int level) {
  return static_cast<std::uint8_t>(level < 0 ? 0x29 : 0x00 | level);
}
constexpr std::uint8_t translation(int level) {
  return static_cast<std::uint8_t>(level < 0 ? 0x2b : 0x04 | level);
}
constexpr std::uint8_t access_flag(int level) {
  return static_cast<std::uint8_t>(0x08 | level);
}
constexpr std::uint8_t permission(int level) {
  return static_cast<std::uint8_t>(0x0c | level);
}
inline constexpr std::uint8_t kExternal = 0x10;  ///< Synchronous External abort, not on a walk.
constexpr std::uint8_t external_on_walk(int level) {
  return static_cast<std::uint8_t>(level < 0 ? 0x13 : 0x14 | level);
}
inline constexpr std::uint8_t kAsyncSError = 0x11;  ///< In the ISS of an SError only.
inline constexpr std::uint8_t kAlignment = 0x21;
inline constexpr std::uint8_t kDebug = 0x22;
inline constexpr std::uint8_t kTlbConflict = 0x30;
inline constexpr std::uint8_t kAtomicUpdate = 0x31;  ///< Unsupported hardware update of a table.
inline constexpr std::uint8_t kUnsupportedExclusive = 0x35;  ///< Or unsupported atomic.

/// For example "translation fault level 3".
std::string describe(std::uint8_t code);
}  // namespace fsc

/// The part of a data abort's ISS that describes the instruction (DDI 0487: ISV, SAS, SSE, SRT, SF,
/// AR). Where `valid` is false all others are 0.
struct AccessSyndrome {
  bool valid = false;          ///< ISV.
  std::uint8_t size_log2 = 0;  ///< SAS: 0 byte to 3 doubleword.
  bool sign_extend = false;    ///< SSE.
  std::uint8_t rt = 0;         ///< SRT.
  bool sixty_four = false;     ///< SF: the register is an X register.
  bool ordered = false;        ///< AR: acquire or release.
};

/// Everything a data abort reports besides its class.
struct DataAbort {
  bool same_el = false;      ///< Taken without a change of Exception level: EC 0x25, not 0x24.
  std::uint8_t status = 0;   ///< DFSC, see namespace fsc.
  bool write = false;        ///< WnR. Set for cache maintenance, as the architecture asks.
  bool stage1_walk = false;  ///< S1PTW: a stage-2 fault on a stage-1 table walk.
  bool cache_maintenance = false;  ///< CM.
  bool external = false;           ///< EA.
  bool far_not_valid = false;      ///< FnV.
  AccessSyndrome access{};         ///< Only for stage-2 faults that are not on a stage-1 walk.
};

struct InstructionAbort {
  bool same_el = false;
  std::uint8_t status = 0;  ///< IFSC.
  bool stage1_walk = false;
  bool external = false;
  bool far_not_valid = false;
};

/// What a trapped WFI, WFE, WFIT or WFET was: ESR_ELx.ISS.TI.
enum class WaitKind : std::uint8_t { wfi = 0, wfe = 1, wfit = 2, wfet = 3 };

namespace esr {

constexpr std::uint64_t make(ExceptionClass ec, std::uint32_t iss = 0) {
  return static_cast<std::uint64_t>(ec) << 26 | 1u << 25 | (iss & 0x1ffffff);
}
constexpr ExceptionClass class_of(std::uint64_t esr) {
  return static_cast<ExceptionClass>(bits(esr, 31, 26));
}
constexpr std::uint32_t iss_of(std::uint64_t esr) {
  return static_cast<std::uint32_t>(esr & 0x1ffffff);
}

constexpr std::uint64_t unknown() {
  return make(ExceptionClass::unknown);
}
constexpr std::uint64_t svc(std::uint16_t imm) {
  return make(ExceptionClass::svc64, imm);
}
constexpr std::uint64_t hvc(std::uint16_t imm) {
  return make(ExceptionClass::hvc64, imm);
}
constexpr std::uint64_t smc(std::uint16_t imm) {
  return make(ExceptionClass::smc64, imm);
}
constexpr std::uint64_t brk(std::uint16_t imm) {
  return make(ExceptionClass::brk64, imm);
}
constexpr std::uint64_t illegal_state() {
  return make(ExceptionClass::illegal_state);
}
constexpr std::uint64_t pc_alignment() {
  return make(ExceptionClass::pc_alignment);
}
constexpr std::uint64_t sp_alignment() {
  return make(ExceptionClass::sp_alignment);
}
constexpr std::uint64_t sve_access() {
  return make(ExceptionClass::sve);
}
/// `smtc`: why (0: CPACR, CPTR; 1: not in streaming mode, 2: in it, 3: ZA off).
constexpr std::uint64_t sme_access(unsigned smtc) {
  return make(ExceptionClass::sme, smtc & 7);
}
/// CPACR_EL1.FPEN or CPTR_EL2: CV = 1, COND = always, as an A64 instruction reports.
constexpr std::uint64_t fp_access_trap() {
  return make(ExceptionClass::fp_access, 0x1e00000);
}
constexpr std::uint64_t pointer_authentication_trap() {
  return make(ExceptionClass::pointer_authentication);
}
/// FEAT_FPAC. `data_key`: AUTD*; `b_key`: the B keys.
constexpr std::uint64_t pac_failure(bool data_key, bool b_key) {
  return make(ExceptionClass::pac_failure, (data_key ? 2u : 0u) | (b_key ? 1u : 0u));
}
constexpr std::uint64_t branch_target(unsigned btype) {
  return make(ExceptionClass::branch_target, btype & 3);
}
/// HCR_EL2.NV or a fine-grained trap of ERET, ERETAA or ERETAB; `word` is the instruction.
std::uint64_t eret_trap(std::uint32_t word);
std::uint64_t wfx(WaitKind kind, std::uint8_t rt = 0);
/// `word`: the WFI, WFE, WFIT or WFET. Throws nothing; any other word reports a WFI.
std::uint64_t wfx(std::uint32_t word);
/// EC 0x18 from the trapped MRS, MSR, SYS, SYSL or MSR (immediate) itself.
std::uint64_t sysreg_trap(std::uint32_t word);
/// EC 0x19, 0x07 and others aside, what an SVC, HVC, SMC, BRK or HLT carries: bits 20:5.
constexpr std::uint16_t immediate_of(std::uint32_t word) {
  return static_cast<std::uint16_t>(word >> 5);
}
std::uint64_t instruction_abort(const InstructionAbort& abort);
std::uint64_t data_abort(const DataAbort& abort);
std::uint64_t breakpoint(bool same_el);
/// `valid`: ISV, the stepped instruction is known; `exclusive`: EX, it was a load-exclusive.
std::uint64_t software_step(bool same_el, bool valid, bool exclusive);
std::uint64_t watchpoint(bool same_el, bool write, bool cache_maintenance);
/// SError. `iss` as in the manual: IDS[24], AET[12:10], EA[9], DFSC[5:0]. A virtual SError takes it
/// from VSESR_EL2.
constexpr std::uint64_t serror(std::uint32_t iss) {
  return make(ExceptionClass::serror, iss);
}

/// The same syndrome as seen by an exception taken with or without a change of Exception level:
/// turns aborts, breakpoints, steps and watchpoints from their lower into their same-EL class or
/// back.
std::uint64_t with_same_el(std::uint64_t esr, bool same_el);

/// One line for traces and error messages: "HVC #0x0", "data abort, translation fault level 3,
/// write", "MSR TTBR0_EL1, X3".
std::string describe(std::uint64_t esr);

/// ESR_ELx.EC in one word: "hvc", "data-abort-lower"; "ec-0x.." for what the architecture reserves.
std::string class_name(unsigned ec);

}  // namespace esr

/// The class alone: "data abort from a lower EL".
std::string_view describe(ExceptionClass ec);

}  // namespace trapline
