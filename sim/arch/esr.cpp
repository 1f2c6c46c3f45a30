#include "sim/arch/esr.h"

#include <array>
#include <cstdio>
#include <utility>

#include "sim/arch/registers.h"

namespace trapline {
namespace {

std::string hex(std::uint64_t value) {
  std::array<char, 20> text;
  std::snprintf(text.data(), text.size(), "%#llx", static_cast<unsigned long long>(value));
  return value == 0 ? "0x0" : text.data();
}

// DDI 0487, ESR_EL1.EC.
constexpr auto kClassWords = std::to_array<std::pair<unsigned, std::string_view>>({
    {0x00, "unknown"},
    {0x01, "wfx"},
    {0x03, "cp15-mcr-mrc"},
    {0x04, "cp15-mcrr-mrrc"},
    {0x05, "cp14-mcr-mrc"},
    {0x06, "cp14-ldc-stc"},
    {0x07, "fp-simd-access"},
    {0x08, "cp10-vmrs"},
    {0x09, "pauth"},
    {0x0a, "ld64b-st64b"},
    {0x0c, "cp14-mrrc"},
    {0x0d, "branch-target"},
    {0x0e, "illegal-state"},
    {0x11, "svc32"},
    {0x12, "hvc32"},
    {0x13, "smc32"},
    {0x15, "svc"},
    {0x16, "hvc"},
    {0x17, "smc"},
    {0x18, "sysreg"},
    {0x19, "sve-access"},
    {0x1a, "eret"},
    {0x1c, "pauth-failure"},
    {0x1d, "sme-access"},
    {0x20, "instruction-abort-lower"},
    {0x21, "instruction-abort"},
    {0x22, "pc-alignment"},
    {0x24, "data-abort-lower"},
    {0x25, "data-abort"},
    {0x26, "sp-alignment"},
    {0x2c, "fp-trapped"},
    {0x2f, "serror-sync"},
    {0x30, "breakpoint-lower"},
    {0x31, "breakpoint"},
    {0x32, "step-lower"},
    {0x33, "step"},
    {0x34, "watchpoint-lower"},
    {0x35, "watchpoint"},
    {0x38, "bkpt32"},
    {0x3c, "brk"},
});

struct ClassName {
  ExceptionClass ec;
  std::string_view name;
};

constexpr ClassName kClassNames[] = {
    {ExceptionClass::unknown, "undefined instruction"},
    {ExceptionClass::wfx, "trapped WFI or WFE"},
    {ExceptionClass::cp15_mcr, "trapped AArch32 MCR or MRC (CP15)"},
    {ExceptionClass::cp15_mcrr, "trapped AArch32 MCRR or MRRC (CP15)"},
    {ExceptionClass::cp14_mcr, "trapped AArch32 MCR or MRC (CP14)"},
    {ExceptionClass::cp14_ldc, "trapped AArch32 LDC or STC"},
    {ExceptionClass::fp_access, "trapped SIMD or floating-point access"},
    {ExceptionClass::fp_id, "trapped AArch32 VMRS"},
    {ExceptionClass::pointer_authentication, "trapped pointer authentication"},
    {ExceptionClass::ls64, "trapped LD64B or ST64B"},
    {ExceptionClass::cp14_mrrc, "trapped AArch32 MRRC (CP14)"},
    {ExceptionClass::branch_target, "branch target exception"},
    {ExceptionClass::illegal_state, "illegal execution state"},
    {ExceptionClass::svc32, "AArch32 SVC"},
    {ExceptionClass::hvc32, "AArch32 HVC"},
    {ExceptionClass::smc32, "AArch32 SMC"},
    {ExceptionClass::svc64, "SVC"},
    {ExceptionClass::hvc64, "HVC"},
    {ExceptionClass::smc64, "SMC"},
    {ExceptionClass::sysreg, "trapped system register"},
    {ExceptionClass::sve, "trapped SVE access"},
    {ExceptionClass::eret, "trapped ERET"},
    {ExceptionClass::tstart, "trapped TSTART"},
    {ExceptionClass::pac_failure, "pointer authentication failure"},
    {ExceptionClass::sme, "trapped SME access"},
    {ExceptionClass::granule_protection, "granule protection check"},
    {ExceptionClass::implementation_defined, "implementation defined exception to EL3"},
    {ExceptionClass::instruction_abort_lower, "instruction abort from a lower EL"},
    {ExceptionClass::instruction_abort_same, "instruction abort"},
    {ExceptionClass::pc_alignment, "PC alignment fault"},
    {ExceptionClass::data_abort_lower, "data abort from a lower EL"},
    {ExceptionClass::data_abort_same, "data abort"},
    {ExceptionClass::sp_alignment, "SP alignment fault"},
    {ExceptionClass::memory_copy, "memory copy exception"},
    {ExceptionClass::fp_exception32, "AArch32 floating-point exception"},
    {ExceptionClass::fp_exception64, "floating-point exception"},
    {ExceptionClass::serror, "SError"},
    {ExceptionClass::breakpoint_lower, "breakpoint from a lower EL"},
    {ExceptionClass::breakpoint_same, "breakpoint"},
    {ExceptionClass::software_step_lower, "software step from a lower EL"},
    {ExceptionClass::software_step_same, "software step"},
    {ExceptionClass::watchpoint_lower, "watchpoint from a lower EL"},
    {ExceptionClass::watchpoint_same, "watchpoint"},
    {ExceptionClass::bkpt32, "AArch32 BKPT"},
    {ExceptionClass::vector_catch32, "AArch32 vector catch"},
    {ExceptionClass::brk64, "BRK"},
};

constexpr std::uint32_t kCondition = 1u << 24 | 0xe << 20;  // CV = 1, COND = always.

std::string describe_sysreg(std::uint32_t iss) {
  const bool read = iss & 1;
  const SysReg reg = sysreg(bits(iss, 21, 20), bits(iss, 16, 14), bits(iss, 13, 10),
                            bits(iss, 4, 1), bits(iss, 19, 17));
  const unsigned rt = static_cast<unsigned>(bits(iss, 9, 5));
  const std::string x = rt == 31 ? "XZR" : "X" + std::to_string(rt);
  if (reg.op0() == 0)
    return "MSR (immediate), op1 " + std::to_string(reg.op1()) + ", op2 " +
           std::to_string(reg.op2());
  const std::string name = name_of(reg);
  if (read) return (is_system_instruction(reg) ? "SYSL " : "MRS ") + x + ", " + name;
  if (is_system_instruction(reg)) return name + ", " + x;
  return "MSR " + name + ", " + x;
}

std::string describe_abort(std::string text, std::uint32_t iss, bool data) {
  text += ", " + fsc::describe(static_cast<std::uint8_t>(iss & 0x3f));
  if (data) text += bit(iss, 8) ? ", cache maintenance" : bit(iss, 6) ? ", write" : ", read";
  if (bit(iss, 7)) text += ", on a stage-1 walk";
  if (bit(iss, 10)) text += ", FAR not valid";
  if (data && bit(iss, 24)) {
    text += ", " + std::to_string(8u << bits(iss, 23, 22)) + "-bit " + (bit(iss, 15) ? "X" : "W") +
            std::to_string(bits(iss, 20, 16));
  }
  return text;
}

}  // namespace

std::string fsc::describe(std::uint8_t code) {
  const std::string level = " level " + std::to_string(code & 3);
  switch (code) {
    case 0x10:
      return "synchronous External abort";
    case 0x11:
      return "tag check fault";
    case 0x13:
      return "External abort on walk level -1";
    case 0x18:
      return "parity or ECC error";
    case kAlignment:
      return "alignment fault";
    case kDebug:
      return "debug exception";
    case 0x29:
      return "address size fault level -1";
    case 0x2b:
      return "translation fault level -1";
    case kTlbConflict:
      return "TLB conflict abort";
    case kAtomicUpdate:
      return "unsupported atomic hardware update";
    case 0x34:
      return "lockdown abort";
    case kUnsupportedExclusive:
      return "unsupported exclusive or atomic access";
    default:
      break;
  }
  switch (code >> 2) {
    case 0:
      return "address size fault" + level;
    case 1:
      return "translation fault" + level;
    case 2:
      return "access flag fault" + level;
    case 3:
      return "permission fault" + level;
    case 5:
      return "External abort on walk" + level;
    case 7:
      return "parity or ECC error on walk" + level;
    default:
      return "fault status " + hex(code);
  }
}

namespace esr {

std::uint64_t eret_trap(std::uint32_t word) {
  // ERET 0xd69f03e0, ERETAA 0xd69f0bff, ERETAB 0xd69f0fff.
  return make(ExceptionClass::eret, bits(word, 11, 10));
}

std::uint64_t wfx(WaitKind kind, std::uint8_t rt) {
  std::uint32_t iss = kCondition | static_cast<std::uint32_t>(kind);
  if (kind == WaitKind::wfit || kind == WaitKind::wfet) iss |= 1u << 2 | (rt & 31u) << 5;
  return make(ExceptionClass::wfx, iss);
}

std::uint64_t wfx(std::uint32_t word) {
  const auto rt = static_cast<std::uint8_t>(word & 31);
  if ((word & ~31u) == 0xd5031000) return wfx(WaitKind::wfet, rt);
  if ((word & ~31u) == 0xd5031020) return wfx(WaitKind::wfit, rt);
  return wfx(word == 0xd503205f ? WaitKind::wfe : WaitKind::wfi);
}

std::uint64_t sysreg_trap(std::uint32_t word) {
  const std::uint64_t iss = bits(word, 20, 19) << 20 | bits(word, 7, 5) << 17 |
                            bits(word, 18, 16) << 14 | bits(word, 15, 12) << 10 |
                            bits(word, 4, 0) << 5 | bits(word, 11, 8) << 1 | bits(word, 21, 21);
  return make(ExceptionClass::sysreg, static_cast<std::uint32_t>(iss));
}

std::uint64_t instruction_abort(const InstructionAbort& abort) {
  const std::uint32_t iss = (abort.status & 0x3fu) | (abort.stage1_walk ? 1u << 7 : 0) |
                            (abort.external ? 1u << 9 : 0) | (abort.far_not_valid ? 1u << 10 : 0);
  return make(abort.same_el ? ExceptionClass::instruction_abort_same
                            : ExceptionClass::instruction_abort_lower,
              iss);
}

std::uint64_t data_abort(const DataAbort& abort) {
  std::uint32_t iss = (abort.status & 0x3fu) |
                      (abort.write || abort.cache_maintenance ? 1u << 6 : 0) |
                      (abort.stage1_walk ? 1u << 7 : 0) | (abort.cache_maintenance ? 1u << 8 : 0) |
                      (abort.external ? 1u << 9 : 0) | (abort.far_not_valid ? 1u << 10 : 0);
  const AccessSyndrome& access = abort.access;
  if (access.valid && !abort.stage1_walk && !abort.cache_maintenance) {
    iss |= 1u << 24 | (access.size_log2 & 3u) << 22 | (access.sign_extend ? 1u << 21 : 0) |
           (access.rt & 31u) << 16 | (access.sixty_four ? 1u << 15 : 0) |
           (access.ordered ? 1u << 14 : 0);
  }
  return make(abort.same_el ? ExceptionClass::data_abort_same : ExceptionClass::data_abort_lower,
              iss);
}

std::uint64_t breakpoint(bool same_el) {
  return make(same_el ? ExceptionClass::breakpoint_same : ExceptionClass::breakpoint_lower,
              fsc::kDebug);
}

std::uint64_t software_step(bool same_el, bool valid, bool exclusive) {
  return make(same_el ? ExceptionClass::software_step_same : ExceptionClass::software_step_lower,
              fsc::kDebug | (valid ? 1u << 24 : 0) | (valid && exclusive ? 1u << 6 : 0));
}

std::uint64_t watchpoint(bool same_el, bool write, bool cache_maintenance) {
  return make(
      same_el ? ExceptionClass::watchpoint_same : ExceptionClass::watchpoint_lower,
      fsc::kDebug | (write || cache_maintenance ? 1u << 6 : 0) | (cache_maintenance ? 1u << 8 : 0));
}

std::uint64_t with_same_el(std::uint64_t esr, bool same_el) {
  switch (class_of(esr)) {
    case ExceptionClass::instruction_abort_lower:
    case ExceptionClass::instruction_abort_same:
    case ExceptionClass::data_abort_lower:
    case ExceptionClass::data_abort_same:
    case ExceptionClass::breakpoint_lower:
    case ExceptionClass::breakpoint_same:
    case ExceptionClass::software_step_lower:
    case ExceptionClass::software_step_same:
    case ExceptionClass::watchpoint_lower:
    case ExceptionClass::watchpoint_same:
      return same_el ? esr | 1u << 26 : esr & ~(1ull << 26);
    default:
      return esr;
  }
}

std::string describe(std::uint64_t esr) {
  const ExceptionClass ec = class_of(esr);
  const std::uint32_t iss = iss_of(esr);
  std::string text(trapline::describe(ec));
  switch (ec) {
    case ExceptionClass::svc64:
    case ExceptionClass::hvc64:
    case ExceptionClass::smc64:
    case ExceptionClass::brk64:
      return text + " #" + hex(iss & 0xffff);
    case ExceptionClass::sysreg:
      return "trapped " + describe_sysreg(iss);
    case ExceptionClass::wfx: {
      constexpr std::string_view kNames[] = {"WFI", "WFE", "WFIT", "WFET"};
      return "trapped " + std::string(kNames[iss & 3]);
    }
    case ExceptionClass::instruction_abort_lower:
    case ExceptionClass::instruction_abort_same:
      return describe_abort(std::move(text), iss, false);
    case ExceptionClass::data_abort_lower:
    case ExceptionClass::data_abort_same:
    case ExceptionClass::watchpoint_lower:
    case ExceptionClass::watchpoint_same:
      return describe_abort(std::move(text), iss, true);
    case ExceptionClass::serror:
      return text + ", syndrome " + hex(iss);
    case ExceptionClass::branch_target:
      return text + ", BTYPE " + std::to_string(iss & 3);
    default:
      return text;
  }
}

std::string class_name(unsigned ec) {
  for (const auto& [number, name] : kClassWords) {
    if (number == ec) return std::string(name);
  }
  std::array<char, 16> text;
  std::snprintf(text.data(), text.size(), "ec-0x%02x", ec);
  return text.data();
}

}  // namespace esr

std::string_view describe(ExceptionClass ec) {
  for (const ClassName& entry : kClassNames)
    if (entry.ec == ec) return entry.name;
  return "reserved exception class";
}

}  // namespace trapline
