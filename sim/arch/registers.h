// Every system register and system instruction as a constant, named as in the Arm manuals:
// reg::SCTLR_EL1, reg::TLBI_VMALLE1IS. The sysreg_table_*.inc files are the one table; this header,
// name_of() and sysreg_named() are all made from it.
#pragma once

#include "sim/arch/sysreg.h"

namespace trapline {

namespace reg {

#define X(name, op0, op1, crn, crm, op2) \
  inline constexpr SysReg name = sysreg(op0, op1, crn, crm, op2);
#include "sim/arch/sysreg_table_debug.inc"
#include "sim/arch/sysreg_table_gic.inc"
#include "sim/arch/sysreg_table_instructions.inc"
#include "sim/arch/sysreg_table_system.inc"
#undef X

// Second names of encodings above. name_of() gives the first name.
#define X(alias, name) inline constexpr SysReg alias = name;
#include "sim/arch/sysreg_table_aliases.inc"
#undef X

// Indexed registers. Each requires n below the count the name's range allows.
constexpr SysReg DBGBVRn_EL1(unsigned n) {
  return sysreg(2, 0, 0, n, 4);
}  ///< n < 16.
constexpr SysReg DBGBCRn_EL1(unsigned n) {
  return sysreg(2, 0, 0, n, 5);
}
constexpr SysReg DBGWVRn_EL1(unsigned n) {
  return sysreg(2, 0, 0, n, 6);
}
constexpr SysReg DBGWCRn_EL1(unsigned n) {
  return sysreg(2, 0, 0, n, 7);
}
constexpr SysReg PMEVCNTRn_EL0(unsigned n) {
  return sysreg(3, 3, 14, 8 | n >> 3, n & 7);
}  ///< < 31.
constexpr SysReg PMEVTYPERn_EL0(unsigned n) {
  return sysreg(3, 3, 14, 12 | n >> 3, n & 7);
}
constexpr SysReg ICC_AP0Rn_EL1(unsigned n) {
  return sysreg(3, 0, 12, 8, 4 | n);
}  ///< n < 4.
constexpr SysReg ICC_AP1Rn_EL1(unsigned n) {
  return sysreg(3, 0, 12, 9, n);
}
constexpr SysReg ICH_AP0Rn_EL2(unsigned n) {
  return sysreg(3, 4, 12, 8, n);
}
constexpr SysReg ICH_AP1Rn_EL2(unsigned n) {
  return sysreg(3, 4, 12, 9, n);
}
constexpr SysReg ICH_LRn_EL2(unsigned n) {
  return sysreg(3, 4, 12, 12 | n >> 3, n & 7);
}  ///< < 16.
/// PRBAR<n> and PRLAR<n>, n < 16; n = 0 is PRBAR_ELx, which PRSELR selects (DDI 0600).
constexpr SysReg PRBARn_EL1(unsigned n) {
  return sysreg(3, 0, 6, 8 | n >> 1, (n & 1) << 2);
}
constexpr SysReg PRLARn_EL1(unsigned n) {
  return sysreg(3, 0, 6, 8 | n >> 1, (n & 1) << 2 | 1);
}
constexpr SysReg PRBARn_EL2(unsigned n) {
  return sysreg(3, 4, 6, 8 | n >> 1, (n & 1) << 2);
}
constexpr SysReg PRLARn_EL2(unsigned n) {
  return sysreg(3, 4, 6, 8 | n >> 1, (n & 1) << 2 | 1);
}

}  // namespace reg

/// One MRS, MSR (register), SYS or SYSL.
struct SysRegAccess {
  SysReg reg;
  bool is_read = false;  ///< MRS or SYSL.
  std::uint8_t rt = 0;   ///< 31 is XZR.
};

/// Decodes MRS, MSR (register), SYS and SYSL (DDI 0487 C4.1). nullopt for any other word, so
/// also for MSR (immediate), hints and barriers, whose op0 is 0.
constexpr std::optional<SysRegAccess> sysreg_from_instruction(std::uint32_t word) {
  if ((word & 0xffc00000) != 0xd5000000 || (word & 0x00180000) == 0) return std::nullopt;
  return SysRegAccess{SysReg{static_cast<std::uint16_t>(word >> 5)}, ((word >> 21) & 1) != 0,
                      static_cast<std::uint8_t>(word & 31)};
}

/// The instruction that accesses `reg`; the inverse of sysreg_from_instruction().
constexpr std::uint32_t sysreg_instruction(const SysRegAccess& access) {
  return 0xd5000000u | (access.is_read ? 1u << 21 : 0u) |
         static_cast<std::uint32_t>(access.reg.key) << 5 | access.rt;
}

/// True for op0 = 1: TLBI, AT, IC, DC and other SYS instructions.
constexpr bool is_system_instruction(SysReg reg) {
  return reg.op0() == 1;
}

/// A register of the IMPLEMENTATION DEFINED space, op0 3 with CRn 11 or 15 (DDI 0487).
constexpr bool is_implementation_defined(SysReg reg) {
  return (reg.crn() == 11 || reg.crn() == 15) && (reg.op0() == 3 || reg.op0() == 1);
}

/// A register of the space that DDI 0487 reserves for feature identification: reserved
/// encodings read as zero at EL1 and above (op0 3, op1 0, CRn 0, CRm 1 to 7).
constexpr bool is_id_space(SysReg reg) {
  return reg.op0() == 3 && reg.op1() == 0 && reg.crn() == 0 && reg.crm() >= 1 && reg.crm() <= 7;
}

}  // namespace trapline
