#include "sim/arch/trace_points.h"

#include <array>
#include <cstdint>

#include "sim/arch/registers.h"

namespace trapline {
namespace {

constexpr SysReg kStateRegisters[] = {
    // Translation and the exception model.
    reg::SCTLR_EL1, reg::TTBR0_EL1, reg::TTBR1_EL1, reg::TCR_EL1, reg::MAIR_EL1, reg::AMAIR_EL1,
    reg::VBAR_EL1, reg::CONTEXTIDR_EL1, reg::CPACR_EL1, reg::SCTLR_EL2, reg::TTBR0_EL2,
    reg::TTBR1_EL2, reg::TCR_EL2, reg::MAIR_EL2, reg::AMAIR_EL2, reg::VBAR_EL2, reg::CONTEXTIDR_EL2,
    reg::CPTR_EL2,
    // Virtualization. VSCTLR_EL2 has the encoding of TTBR0_EL2.
    reg::HCR_EL2, reg::VTTBR_EL2, reg::VTCR_EL2, reg::VSTCR_EL2, reg::MDCR_EL2, reg::HSTR_EL2,
    reg::VPIDR_EL2, reg::VMPIDR_EL2,
    // The MPU's selector.
    reg::PRSELR_EL1, reg::PRSELR_EL2,
    // The GIC's CPU interface.
    reg::ICC_PMR_EL1, reg::ICC_BPR0_EL1, reg::ICC_BPR1_EL1, reg::ICC_CTLR_EL1, reg::ICC_SRE_EL1,
    reg::ICC_SRE_EL2, reg::ICC_IGRPEN0_EL1, reg::ICC_IGRPEN1_EL1};

constexpr bool is_timer(SysReg reg) {
  // CNT*: CRm 8 and up are the PMU's event counters.
  return reg.crn() == 14 && reg.crm() < 8;
}

/// ICH_*_EL2, those that can be written.
constexpr bool is_virtual_interface(SysReg reg) {
  return reg.op1() == 4 && reg.crn() == 12 && reg.crm() >= 8 && reg != reg::ICC_SRE_EL2;
}

// A bit for each encoding with op0 3: hypervisors with an MPU write registers all the time.
constexpr unsigned kEncodings = 1u << 14;

constexpr std::array<std::uint64_t, kEncodings / 64> make_table() {
  std::array<std::uint64_t, kEncodings / 64> table{};
  const auto set = [&table](SysReg reg) {
    const unsigned n = reg.key % kEncodings;
    table[n / 64] |= std::uint64_t{1} << n % 64;
  };
  for (unsigned n = 0; n < kEncodings; ++n) {
    const SysReg reg{static_cast<std::uint16_t>(3u << 14 | n)};
    if (is_timer(reg) || is_virtual_interface(reg)) set(reg);
  }
  for (const SysReg reg : kStateRegisters) set(reg);
  return table;
}

constexpr std::array<std::uint64_t, kEncodings / 64> kState = make_table();

}  // namespace

bool defines_machine_state(SysReg reg) {
  const unsigned n = reg.key % kEncodings;
  return reg.op0() == 3 && (kState[n / 64] >> n % 64 & 1) != 0;
}

}  // namespace trapline
