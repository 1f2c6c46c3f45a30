// The GIC of a machine, of either generation, as the rest of the board is wired to it.
#pragma once

#include <memory>
#include <vector>

#include "sim/bus/bus.h"
#include "sim/bus/cpu_lines.h"
#include "sim/bus/sysreg_port.h"
#include "sim/trace/event.h"

namespace trapline {

class InterruptController {
 public:
  virtual ~InterruptController() = default;
  virtual void map(Bus& bus) = 0;
  virtual Line& spi(unsigned intid) = 0;
  virtual Line& ppi(unsigned cpu, unsigned intid) = 0;
  /// System registers of one CPU; nullptr for a memory-mapped CPU interface.
  virtual SysRegPort* cpu_interface(unsigned cpu) = 0;
};

/// The virt board's GIC, version 2 or 3.
std::unique_ptr<InterruptController> make_virt_gic(unsigned version, unsigned cpus, bool has_el2,
                                                   std::vector<CpuLines*> lines, Sink* sink);

}  // namespace trapline
