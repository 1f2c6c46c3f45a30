#include "sim/cpu/code_pages.h"

#include <algorithm>
#include <cstring>

#include "sim/arch/registers.h"
#include "sim/arch/trace_points.h"

namespace trapline {
namespace {

/// MRS, MSR (register), SYS, SYSL: 1101 0101 00 L 1/0 op0...
bool is_system_register_form(std::uint32_t word) {
  return (word & 0xffc00000) == 0xd5000000 && ((word >> 19) & 3) != 0;
}

bool intercepts_read(SysReg reg) {
  if (reg.op0() != 3) return false;
  const unsigned op1 = reg.op1(), crn = reg.crn(), crm = reg.crm(), op2 = reg.op2();
  switch (crn) {
    case 0:
      return op1 == 0 && ((crm == 0 && op2 == 5) || (crm >= 1 && crm <= 7));  // MPIDR, ID_*
    case 1:
      return op1 == 4 && crm == 1 && op2 <= 1;  // HCR_EL2, MDCR_EL2
    case 2:
      return op1 == 3 && crm == 4;  // RNDR, RNDRRS
    case 4:
      return (op1 == 0 || op1 == 4) && crm == 0 && op2 == 0;  // SPSR_EL1, SPSR_EL2
    case 9:
      return crm >= 12 && crm <= 14;  // PMU
    case 12:
      return op1 == 0 && crm == 1 && op2 == 0;  // ISR_EL1
    case 14:
      // Timers and PMU event counters. CNTKCTL_EL12 is unknown to the engine.
      return op1 != 5 || crm != 1;
    default:
      return false;
  }
}

/// Registers that the engine has, of defines_machine_state() and not of intercepts_write().
bool observed_in_engine(SysReg reg) {
  for (const SysReg row : {reg::VBAR_EL1, reg::VBAR_EL2, reg::AMAIR_EL1, reg::AMAIR_EL2,
                           reg::HSTR_EL2, reg::VPIDR_EL2, reg::VMPIDR_EL2}) {
    if (row == reg) return true;
  }
  return false;
}

}  // namespace

bool intercepts_write(SysReg reg) {
  if (reg.op0() != 3) return false;
  const unsigned op1 = reg.op1(), crn = reg.crn(), crm = reg.crm(), op2 = reg.op2();
  const bool el1_or_el2 = op1 == 0 || op1 == 4 || op1 == 5;
  switch (crn) {
    case 1:
      if (crm == 0) return el1_or_el2 && (op2 == 0 || (op1 == 0 && op2 == 2));  // SCTLR, CPACR_EL1
      return op1 == 4 && crm == 1 && op2 <= 2;  // HCR_EL2, MDCR_EL2, CPTR_EL2
    case 2:
      return el1_or_el2 && crm <= 1;  // TTBR, TCR, VTTBR, VTCR
    case 4:
      return (op1 == 0 || op1 == 4) && crm == 0 && op2 == 0;  // SPSR_EL1, SPSR_EL2
    case 9:
      return crm >= 12 && crm <= 14;
    case 10:
      return el1_or_el2 && crm == 2;  // MAIR
    case 13:
      return el1_or_el2 && crm == 0 && op2 == 1;  // CONTEXTIDR
    case 14:
      return op1 != 5 || crm != 1;
    default:
      return false;
  }
}

std::optional<SysReg> host_register(SysReg reg) {
  static constexpr struct {
    SysReg el1, el2;
  } kPairs[] = {{reg::SCTLR_EL1, reg::SCTLR_EL2},   {reg::CPACR_EL1, reg::CPTR_EL2},
                {reg::TTBR0_EL1, reg::TTBR0_EL2},   {reg::TTBR1_EL1, reg::TTBR1_EL2},
                {reg::TCR_EL1, reg::TCR_EL2},       {reg::SPSR_EL1, reg::SPSR_EL2},
                {reg::ELR_EL1, reg::ELR_EL2},       {reg::AFSR0_EL1, reg::AFSR0_EL2},
                {reg::AFSR1_EL1, reg::AFSR1_EL2},   {reg::ESR_EL1, reg::ESR_EL2},
                {reg::FAR_EL1, reg::FAR_EL2},       {reg::MAIR_EL1, reg::MAIR_EL2},
                {reg::AMAIR_EL1, reg::AMAIR_EL2},   {reg::VBAR_EL1, reg::VBAR_EL2},
                {reg::CONTEXTIDR_EL1, reg::CONTEXTIDR_EL2}};
  for (const auto& pair : kPairs) {
    if (pair.el1 == reg) return pair.el2;
  }
  return std::nullopt;
}

bool is_max_only(std::uint32_t word) {
  const auto access = sysreg_from_instruction(word);
  if (!access || access->reg.op0() != 3) return false;
  const SysReg reg = access->reg;
  const unsigned op1 = reg.op1(), crn = reg.crn(), crm = reg.crm();
  return (op1 == 3 && crn == 2 && crm == 4 && reg.op2() <= 1) ||  // RNDR, RNDRRS
         (op1 == 4 && crn == 14 && crm == 3) ||                   // CNTHV_*_EL2
         reg == reg::TTBR1_EL2 || (op1 == 0 && crn == 10 && crm == 4);
}

bool needs_replacement(std::uint32_t word) {
  const bool signed_extremum =
      (word & 0x3f20fc00) == 0x38204000 || (word & 0x3f20fc00) == 0x38205000;
  return signed_extremum && (word >> 30) != 3;
}

bool needs_interception(std::uint32_t word, Interception interception) {
  if (needs_replacement(word) || may_unalign_sp(word)) return true;
  if (interception.max_only && is_max_only(word)) return true;
  if (interception.markers && marker_of(word)) return true;
  if (!is_system_register_form(word)) return false;
  const SysReg reg{static_cast<std::uint16_t>(word >> 5)};
  const bool is_read = word & (1u << 21);
  if (reg.op0() == 1) {
    return !is_read && (reg.crn() == 8 || (reg.crn() == 7 && (reg.crm() == 8 || reg.crm() == 9)));
  }
  if (interception.vhe && (host_register(reg) || reg == reg::CPTR_EL2)) return true;
  if (interception.midr && is_read && reg == reg::MIDR_EL1) return true;
  if (is_read) return intercepts_read(reg);
  return intercepts_write(reg) || (interception.state_writes && observed_in_engine(reg));
}

bool uses_fp(std::uint32_t word) {
  // Bits 31 to 28 that "Data processing, scalar floating-point and Advanced SIMD" has (DDI 0487
  // C4.1). What is unallocated does not trap, and text often holds addresses that begin with 0xffff.
  constexpr std::uint32_t kAllocated = 0x1aff;
  const unsigned op0 = (word >> 25) & 0xf;
  if ((op0 & 7) == 7) return ((kAllocated >> (word >> 28)) & 1) != 0;  // Data processing
  if ((op0 & 5) == 4) return ((word >> 26) & 1) != 0;                  // Loads and stores
  return (word & 0xffdfffc0) == 0xd51b4400;                            // FPCR, FPSR
}

bool is_unprivileged(std::uint32_t word) { return (word & 0x3b200c00) == 0x38000800; }

bool is_exception_return(std::uint32_t word) {
  return word == 0xd69f03e0 || (word & 0xfffffbff) == 0xd69f0bff;
}

bool is_marked(std::uint32_t word) {
  return is_exception_return(word) || word == 0xd503205f || word == 0xd503203f;  // WFE, YIELD
}

bool is_send_event(std::uint32_t word) { return word == 0xd503209f || word == 0xd50320bf; }

bool is_sampling_point(std::uint32_t word) {
  if ((word & 0x7c000000) == 0x14000000) return true;  // B, BL
  if ((word & 0xff000010) == 0x54000000) return true;  // B.cond
  if ((word & 0x7c000000) == 0x34000000) return true;  // CBZ, CBNZ, TBZ, TBNZ
  if ((word & 0xfe000000) == 0xd6000000) return true;  // BR, BLR, RET, ERET, with PAuth too
  if ((word & 0xfffff0ff) == 0xd50330df) return true;  // ISB
  if ((word & 0xfffff0ff) == 0xd50340ff) return true;  // MSR DAIFClr
  if ((word & 0xffffffe0) == 0xd51b4220) return true;  // MSR DAIF
  return word == 0xd503205f || word == 0xd503203f || word == 0xd503207f;  // WFE, YIELD, WFI
}

CodePages::Slot* CodePages::slot(PhysAddr pa) {
  for (RamSlots& ram : rams_) {
    if (pa - ram.base < ram.size) return &ram.slots[(pa - ram.base) >> 12];
  }
  const Ram* ram = bus_.ram_at(pa);
  if (!ram) return nullptr;
  rams_.push_back({ram->base(), ram->size(), std::vector<Slot>(ram->size() >> 12)});
  for (Slot& slot : rams_.back().slots) slot.read_only = ram->read_only();
  return &rams_.back().slots[(pa - ram->base()) >> 12];
}

const CodePage& CodePages::code(PhysAddr pa, Slot& slot) {
  if (slot.code) return *slot.code;
  slot.code = std::make_unique<CodePage>();
  slot.scans = ++scans_;
  CodePage& page = *slot.code;
  std::array<std::uint32_t, CodePage::kWords> words;
  std::memcpy(words.data(), bus_.ram_at(pa)->host(pa & ~0xfffull), sizeof words);
  std::uint32_t total = 0;
  for (unsigned i = 0; i < CodePage::kWords; ++i) {
    page.cost[i] = total;
    total += std::min(timing_.cycles(words[i]), 63u);
    const bool watched = watched_ && watched_->has((pa & ~0xfffull) + 4 * i, 4);
    if (is_marked(words[i]) || watched) total += CodePage::kMark;
    if (is_send_event(words[i])) total += CodePage::kEvent;
    page.fp[i] = uses_fp(words[i]);
    page.unprivileged |= is_unprivileged(words[i]);
    if (is_untranslatable(words[i])) page.untranslatable.push_back(static_cast<std::uint16_t>(i));
    if (needs_interception(words[i], interception_)) page.intercepts.push_back(static_cast<std::uint16_t>(i));
  }
  page.cost[CodePage::kWords] = total;
  return page;
}

}  // namespace trapline
