// What of an instruction stream is of interest to traces, whatever it does.
#pragma once

#include <cstdint>
#include <optional>

#include "sim/arch/sysreg.h"

namespace trapline {

/// True for the system registers that define the state of a machine: translation, traps and
/// virtualization, timers, the GIC's CPU interface and list registers, MPU selection.
/// traces/FORMAT.md lists them. Not among them are registers whose writes have events of their own
/// (PRBAR, PRLAR, PRENR, EOIR, SGIR) and software's scratch registers.
bool defines_machine_state(SysReg reg);

/// The guest's marker: MOVZ XZR, #n, which does nothing on any A64 implementation and at any
/// Exception level, and which no compiler makes. n if `word` is one.
constexpr std::optional<std::uint16_t> marker_of(std::uint32_t word) {
  if ((word & 0xffe0001f) != 0xd280001f) return std::nullopt;
  return static_cast<std::uint16_t>(word >> 5);
}

}  // namespace trapline
