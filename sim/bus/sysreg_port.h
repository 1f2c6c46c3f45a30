// How system registers that live in a model (GIC CPU interface, timers, MPU) are reached.
#pragma once

#include <cstdint>

#include "sim/arch/sysreg.h"
#include "sim/arch/types.h"

namespace trapline {

/// What the accessing PE's state contributes to a system-register access.
struct SysRegContext {
  El el = El::el1;              ///< Where the instruction executes.
  bool secure = false;          ///< Security state of the access.
  bool el2_present = true;      ///< EL2 is implemented (and enabled in this state).
  std::uint64_t hcr_el2 = 0;    ///< HCR_EL2 as software wrote it; 0 where EL2 is absent.
  std::uint64_t mdcr_el2 = 0;   ///< MDCR_EL2.
};

/// How an access ends. The CPU turns the traps into exceptions with the right syndrome: undefined is
/// EC 0 to the current rules' target, trap_elN is EC 0x18 to that level.
enum class SysRegStatus : std::uint8_t { ok, undefined, trap_el1, trap_el2 };

/// A group of system registers of one CPU, owned by a model.
class SysRegPort {
 public:
  virtual ~SysRegPort() = default;
  /// True for every register this port implements. Constant over the port's life.
  virtual bool owns(SysReg reg) const = 0;
  /// `value` is written on `ok` only.
  virtual SysRegStatus read(SysReg reg, const SysRegContext& context, std::uint64_t& value) = 0;
  virtual SysRegStatus write(SysReg reg, const SysRegContext& context, std::uint64_t value) = 0;
};

}  // namespace trapline
