// The names of addresses that a run's scenario leads to.
#pragma once

#include "sim/report/address_names.h"
#include "sim/scenario/scenario.h"

namespace trapline {

/// Those of scenario.symbols, of each image that is an ELF file, of where everything else was put,
/// of the device tree the machine starts with, and of the machine. Throws ImageError.
AddressNames run_names(const Scenario& scenario);

}  // namespace trapline
