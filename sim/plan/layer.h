// Plans for the simulator's own hypervisor layer (docs/xen-layer.md, "MPU machines").
#pragma once

#include <vector>

#include "sim/machine/machine_config.h"
#include "sim/plan/plan_config.h"

namespace trapline::plan {

/// The domains of a machine as the planner's configuration.
PlanConfig layer_config(const MachineConfig& machine, unsigned el2_regions);
/// Which of the board's UARTs has these registers, 1 to 3; 0 for none that a domain can have.
unsigned layer_uart(const std::vector<MemoryRange>& reg);

}  // namespace trapline::plan
