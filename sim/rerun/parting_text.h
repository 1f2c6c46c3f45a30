// Where two runs part, for a person.
#pragma once

#include <string>

#include "sim/rerun/first_divergence.h"
#include "sim/symbols/symbols.h"

namespace trapline {

/// The instructions, their places and their results on both sides, with those before and after.
/// Lines.
std::string partings_text(const Partings& partings, const Symbols& symbols_a,
                          const Symbols& symbols_b);

/// The names of what differs between two instructions: "pc", "instruction", "x3", "memory"...
std::vector<std::string> different_parts(const ExecutedInstruction& a,
                                         const ExecutedInstruction& b);

}  // namespace trapline
