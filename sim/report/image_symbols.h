// The symbols that a run's scenario leads to.
#pragma once

#include "sim/scenario/scenario.h"
#include "sim/symbols/symbols.h"

namespace trapline {

/// Those of `scenario.symbols`, and after them of each image that is an ELF with symbols: the
/// kernel, the hypervisor, whatever is loaded besides. Throws SymbolError for a file that was asked
/// for and is unusable.
Symbols image_symbols(const Scenario& scenario);

}  // namespace trapline
