// Where CPUs wait that leave reset together with the first one, while a kernel that expects to be
// entered by one CPU starts (Linux, Documentation/arch/arm64/booting.rst: spin-table).
#pragma once

#include <cstdint>
#include <vector>

#include "sim/arch/types.h"

namespace trapline {

inline constexpr std::uint64_t kSpinTableBytes = 4096;
/// Of CPU 0's word from the page's start; the other CPUs' follow, 8 bytes each, by MPIDR_EL1.Aff0.
inline constexpr std::uint64_t kSpinTableWords = 0x800;

/// A page of code that is entered at its start. Each CPU waits until its word is not zero, and goes
/// there with X0 to X3 zero.
std::vector<std::uint8_t> spin_table_page();

}  // namespace trapline
