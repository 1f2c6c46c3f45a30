// The interrupt wires between an interrupt controller and one PE.
#pragma once

#include "sim/bus/line.h"

namespace trapline {

/// Driven by the interrupt controller, sampled by the CPU (DDI 0487 D1.13). The virtual lines come
/// from list registers; the CPU itself adds HCR_EL2.VI, VF and VSE.
struct CpuLines {
  Line irq{"IRQ"};
  Line fiq{"FIQ"};
  Line virq{"vIRQ"};
  Line vfiq{"vFIQ"};
};

}  // namespace trapline
