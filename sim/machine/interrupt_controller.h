// The GIC of a machine, of either generation, as the rest of the board is wired to it.
#pragma once

#include <memory>
#include <vector>

#include "sim/bus/bus.h"
#include "sim/bus/cpu_lines.h"
#include "sim/bus/sysreg_port.h"
#include "sim/replay/recorder.h"

namespace trapline {

class InterruptController {
 public:
  virtual ~InterruptController() = default;
  virtual void map(Bus& bus) = 0;
  virtual Line& spi(unsigned intid) = 0;
  virtual Line& ppi(unsigned cpu, unsigned intid) = 0;
  /// System registers of one CPU; nullptr for a memory-mapped CPU interface.
  virtual SysRegPort* cpu_interface(unsigned cpu) = 0;
  /// Makes an interrupt of INTIDs 0 to 31 pending on one CPU.
  virtual void pend(unsigned /*cpu*/, unsigned /*intid*/) {}
};

/// The virt board's GIC, version 2 or 3.
std::unique_ptr<InterruptController> make_virt_gic(unsigned version, unsigned cpus, bool has_el2,
                                                   std::vector<CpuLines*> lines, Sink& events,
                                                   DeviceRecorder* recorder);

/// Attaches a recorder, which has begun, to the lines of a GIC that is made.
template <typename Gic>
void record_lines(DeviceRecorder* recorder, Gic& gic, unsigned spis,
                  const std::vector<CpuLines*>& cpus) {
  if (!recorder) return;
  for (unsigned cpu = 0; cpu < cpus.size(); ++cpu) {
    recorder->output(cpu, kIrq, cpus[cpu]->irq);
    recorder->output(cpu, kFiq, cpus[cpu]->fiq);
    recorder->output(cpu, kVirtualIrq, cpus[cpu]->virq);
    recorder->output(cpu, kVirtualFiq, cpus[cpu]->vfiq);
    for (unsigned intid = 16; intid < 32; ++intid) recorder->input(cpu, intid, gic.ppi(cpu, intid));
  }
  for (unsigned intid = 32; intid < 32 + spis; ++intid) recorder->input(0, intid, gic.spi(intid));
}

}  // namespace trapline
