#include "sim/cpu/r82_registers.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "sim/arch/registers.h"

namespace trapline {
namespace {

/// VSTCR_EL2: SC, SA (DDI 0600 G1.3). SA has no meaning here.
constexpr std::uint64_t kVstcrMask = 1ull << 20 | 1ull << 30;

/// CPUACTLR, CPUACTLR2, CPUACTLR3, CPUECTLR, CPUPWRCTLR, and the cluster's ACTLR, ECTLR, PWRCTLR.
constexpr SysReg kStorage[] = {
    sysreg(3, 0, 15, 1, 0), sysreg(3, 0, 15, 1, 1), sysreg(3, 0, 15, 1, 2), sysreg(3, 0, 15, 1, 4),
    sysreg(3, 0, 15, 2, 7), sysreg(3, 0, 15, 3, 3), sysreg(3, 0, 15, 3, 4), sysreg(3, 0, 15, 3, 5),
};

bool holds_value(SysReg reg) {
  return reg == reg::VSTCR_EL2 ||
         std::find(std::begin(kStorage), std::end(kStorage), reg) != std::end(kStorage);
}

}  // namespace

bool R82Registers::owns(SysReg reg) const {
  if (reg == reg::VSTCR_EL2) return has_el2_;
  return reg.op0() == 3 && is_implementation_defined(reg);
}

std::uint64_t R82Registers::vstcr_el2() const {
  const auto found = values_.find(reg::VSTCR_EL2);
  return found == values_.end() ? 0 : found->second;
}

SysRegStatus R82Registers::check(SysReg reg, const SysRegContext& context) {
  constexpr unsigned kTidcp = 20;
  if (context.el == El::el2) return SysRegStatus::ok;
  if (reg == reg::VSTCR_EL2 || context.el == El::el0) return SysRegStatus::undefined;
  return context.el2_present && bit(context.hcr_el2, kTidcp) ? SysRegStatus::trap_el2
                                                             : SysRegStatus::ok;
}

void R82Registers::name_unknown(SysReg reg, bool is_read) {
  if (!said_.insert(reg).second) return;
  spdlog::warn("cpu{}: {} of {}: not implemented, reads as zero and ignores writes", cpu_,
               is_read ? "read" : "write", name_of(reg));
}

SysRegStatus R82Registers::read(SysReg reg, const SysRegContext& context, std::uint64_t& value) {
  const SysRegStatus status = check(reg, context);
  if (status != SysRegStatus::ok) return status;
  if (!holds_value(reg)) name_unknown(reg, true);
  const auto found = values_.find(reg);
  value = found == values_.end() ? 0 : found->second;
  return SysRegStatus::ok;
}

SysRegStatus R82Registers::write(SysReg reg, const SysRegContext& context, std::uint64_t value) {
  const SysRegStatus status = check(reg, context);
  if (status != SysRegStatus::ok) return status;
  if (!holds_value(reg)) {
    name_unknown(reg, false);
    return SysRegStatus::ok;
  }
  values_[reg] = reg == reg::VSTCR_EL2 ? value & kVstcrMask : value;
  return SysRegStatus::ok;
}

}  // namespace trapline
