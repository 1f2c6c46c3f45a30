#include "sim/arch/trace_points.h"

#include <algorithm>

#include "sim/arch/registers.h"

namespace trapline {
namespace {

constexpr SysReg kStateRegisters[] = {
    // Translation and the exception model.
    reg::SCTLR_EL1, reg::TTBR0_EL1, reg::TTBR1_EL1, reg::TCR_EL1, reg::MAIR_EL1, reg::AMAIR_EL1,
    reg::VBAR_EL1, reg::CONTEXTIDR_EL1, reg::CPACR_EL1, reg::SCTLR_EL2, reg::TTBR0_EL2,
    reg::TTBR1_EL2, reg::TCR_EL2, reg::MAIR_EL2, reg::AMAIR_EL2, reg::VBAR_EL2,
    reg::CONTEXTIDR_EL2, reg::CPTR_EL2,
    // Virtualization. VSCTLR_EL2 has the encoding of TTBR0_EL2.
    reg::HCR_EL2, reg::VTTBR_EL2, reg::VTCR_EL2, reg::VSTCR_EL2, reg::MDCR_EL2, reg::HSTR_EL2,
    reg::VPIDR_EL2, reg::VMPIDR_EL2,
    // The MPU's selector.
    reg::PRSELR_EL1, reg::PRSELR_EL2,
    // The GIC's CPU interface.
    reg::ICC_PMR_EL1, reg::ICC_BPR0_EL1, reg::ICC_BPR1_EL1, reg::ICC_CTLR_EL1, reg::ICC_SRE_EL1,
    reg::ICC_SRE_EL2, reg::ICC_IGRPEN0_EL1, reg::ICC_IGRPEN1_EL1};

bool is_timer(SysReg reg) {
  // CNT*: CRm 8 and up are the PMU's event counters.
  return reg.crn() == 14 && reg.crm() < 8;
}

/// ICH_*_EL2, those that can be written.
bool is_virtual_interface(SysReg reg) {
  return reg.op1() == 4 && reg.crn() == 12 && reg.crm() >= 8 && reg != reg::ICC_SRE_EL2;
}

}  // namespace

bool defines_machine_state(SysReg reg) {
  if (reg.op0() != 3) return false;
  if (is_timer(reg) || is_virtual_interface(reg)) return true;
  return std::find(std::begin(kStateRegisters), std::end(kStateRegisters), reg) !=
         std::end(kStateRegisters);
}

}  // namespace trapline
