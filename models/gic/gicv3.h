// GICv3 (IHI 0069): distributor, redistributors, system-register CPU interface, virtualization.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "sim/bus/cpu_lines.h"
#include "sim/bus/device.h"
#include "sim/bus/line.h"
#include "sim/bus/sysreg_port.h"
#include "sim/trace/event.h"

namespace trapline {

namespace gicv3 {
class Core;
}

/// The defaults give the GIC of QEMU's `virt` machine without EL3.
struct GicV3Config {
  unsigned cpus = 1;                 ///< 1 to 64.
  unsigned spis = 256;               ///< A multiple of 32, at most 960: INTIDs 32 to 31 + spis.
  bool two_security_states = false;  ///< GICD_CTLR.DS resets to 0.
  bool virtualization = true;        ///< ICH_*_EL2 and ICC_SRE_EL2 exist.
  unsigned list_registers = 4;       ///< 1 to 16.
  unsigned priority_bits = 5;        ///< Of the CPU interfaces, physical and virtual: 5 to 7.
  unsigned distributor_priority_bits = 8;  ///< Of GICD_IPRIORITYR and GICR_IPRIORITYR: 4 to 8.
  /// With one Security state: GICD_CTLR.ARE resets to 0 and is writable. While it is 0 the private
  /// interrupts are reached through the distributor and SPIs follow GICD_ITARGETSR.
  bool programmable_are = false;
  /// ICC_SRE_EL1.SRE, ICC_SRE_EL2.SRE and .Enable reset to 0 and are writable; else they are
  /// RAO/WI.
  bool programmable_sre = false;
  bool one_of_n = false;        ///< GICD_IROUTER.Interrupt_Routing_Mode is implemented.
  bool message_spis = false;    ///< GICD_SETSPI_* and GICD_CLRSPI_* are implemented (TYPER.MBIS).
  bool sleep_gates = false;     ///< GICR_WAKER.ProcessorSleep keeps interrupts from the CPU.
  bool power_register = false;  ///< GICR_PWRR at RD_base + 0x24, as Arm's GIC-600 family has it.
  /// The MPIDR affinity of each CPU, Aff3 << 32 | Aff2 << 16 | Aff1 << 8 | Aff0. Empty: Aff0 =
  /// index.
  std::vector<std::uint64_t> affinities = {};
  unsigned maintenance_intid = 25;  ///< The PPI that ICH_MISR_EL2 drives.
};

/// One interrupt controller with all its CPU interfaces. Every access completes at once, so RWP,
/// UWP and ChildrenAsleep never show a transition in progress.
class GicV3 {
 public:
  /// `cpu_lines` has one entry a CPU and outlives the GIC, as does `sink`, which may be null.
  /// Throws std::invalid_argument naming the field if the configuration is out of range.
  GicV3(const GicV3Config& config, std::vector<CpuLines*> cpu_lines, Sink* sink);
  ~GicV3();

  /// The GICD frame, 64 KiB.
  Device& distributor();
  /// RD_base and SGI_base of each CPU in turn, 128 KiB a CPU.
  Device& redistributors();
  /// ICC_*_EL1, ICC_SRE_EL2, ICH_*_EL2; ICV_*_EL1 stand behind the ICC encodings as HCR_EL2 says.
  SysRegPort& cpu_interface(unsigned cpu);

  /// The input of SPI `intid`, 32 to 31 + spis. Throws std::out_of_range.
  Line& spi(unsigned intid);
  /// The input of PPI `intid`, 16 to 31, of one CPU. Throws std::out_of_range.
  Line& ppi(unsigned cpu, unsigned intid);

  /// Power-on reset of everything but the input levels, which their drivers own.
  void reset();

 private:
  std::unique_ptr<gicv3::Core> core_;
};

}  // namespace trapline
