// System registers of the Cortex-R82 that neither the engine nor the MPU has.
#pragma once

#include <cstdint>
#include <map>
#include <set>

#include "sim/bus/sysreg_port.h"

namespace trapline {

/// VSTCR_EL2 and the IMPLEMENTATION DEFINED registers (op0 3, CRn 11 and 15). Those that start-up
/// code is known to write hold what is written; all others read as zero, ignore writes and are
/// named once in the log.
class R82Registers final : public SysRegPort {
 public:
  R82Registers(unsigned cpu, bool has_el2) : cpu_(cpu), has_el2_(has_el2) {}

  bool owns(SysReg reg) const override;
  SysRegStatus read(SysReg reg, const SysRegContext& context, std::uint64_t& value) override;
  SysRegStatus write(SysReg reg, const SysRegContext& context, std::uint64_t value) override;
  void reset() { values_.clear(); }

  std::uint64_t vstcr_el2() const;

 private:
  SysRegStatus check(SysReg reg, const SysRegContext& context);
  void name_unknown(SysReg reg, bool is_read);

  unsigned cpu_;
  bool has_el2_;
  std::map<SysReg, std::uint64_t> values_;
  std::set<SysReg> said_;
};

}  // namespace trapline
