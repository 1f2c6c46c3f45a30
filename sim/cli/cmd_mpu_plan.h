// `trapline mpu plan`.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "sim/machine/machine_config.h"
#include "sim/scenario/units.h"

namespace trapline {

/// Declares it on `mpu`; if it is parsed it sets `action`.
void add_mpu_plan(CLI::App& mpu, std::function<int()>& action, const Environment& environment);

/// Why the part has too few regions for the domains of the hypervisor layer, and what would help:
/// the planner's words. Empty if the planner has none.
std::string explain_regions(const MachineConfig& machine);

}  // namespace trapline
