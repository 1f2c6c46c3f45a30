// How the hypervisor layer uses the EL2 MPU of a Cortex-R82: regions of its own that stay, and
// those of the domain that runs, written at each switch.
#pragma once

#include <cstdint>

#include "sim/cpu/cpu.h"
#include "sim/machine/mpu_layer_plan.h"

namespace trapline {

/// Sets up a CPU that has just been powered on at EL1.
void start_mpu_layer(Cpu& cpu, const MpuLayerPlan& plan);
/// What a switch to the domain writes: its regions, and zeros in those that the one before had
/// more. Returns how many registers were written.
unsigned load_domain_regions(Cpu& cpu, const MpuLayerPlan& plan, unsigned regions_before);

}  // namespace trapline
