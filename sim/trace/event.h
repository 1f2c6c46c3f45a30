// One architectural fact, and whoever watches them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "sim/arch/types.h"

namespace trapline {

/// What happened. The numbers are part of the trace format: append, never renumber.
enum class EventKind : std::uint8_t {
  exception_entry = 1,   ///< a: target EL << 8 | source EL, b: ESR or interrupt kind, c: ELR, d: FAR
  exception_return = 2,  ///< a: target EL << 8 | source EL, c: target PC
  hypercall = 3,         ///< HVC: a: immediate, b..d: x0..x2
  monitor_call = 4,      ///< SMC: a: immediate, b..d: x0..x2
  sysreg_write = 5,      ///< Observed. a: SysReg key, b: value
  interrupt_line = 6,    ///< a: INTID, b: level
  interrupt_ack = 7,     ///< a: INTID, b: 0 physical, 1 virtual
  interrupt_eoi = 8,     ///< a: INTID, b: 0 physical, 1 virtual
  list_register = 9,     ///< a: index, b: value
  timer_fired = 10,      ///< a: timer index, b: compare value
  vcpu_switch = 11,      ///< Observed. a: old VMID, b: new VMID
  psci = 12,             ///< a: function ID, b..d: arguments
  wait = 13,             ///< WFI or WFE that suspends the CPU. a: 0 WFI, 1 WFE (observed)
  wake = 14,             ///< Observed. The CPU resumed. a: as of wait
  uart_line = 15,        ///< text: one line, a: UART index
  mmio = 16,             ///< a: physical address, b: value, c: size << 1 | write
  mpu_region = 17,       ///< PRBAR or PRLAR written: a: region, b: PRBAR, c: PRLAR; PRENR written:
                         ///< b: before, c: after. d: EL | register << 8 (0 PRBAR, 1 PRLAR, 2 PRENR)
                         ///< | 1 << 16 where the name has an index (PRBAR3_EL2)
  marker = 18,           ///< Observed. A guest marker. a: value, b: X0
  run_end = 19,          ///< a: exit reason, b: exit code
  cpu_power = 20,        ///< a: target CPU, b: 1 on, 0 off
  checkpoint = 21,       ///< Architectural state digest. a, b: digest
  call_result = 22,      ///< Observed. Software resumes behind an HVC or SMC. a..d: x0..x3

  // Of recordings of devices (sim/replay). a: virtual time in ps. d: unit of the device in bits 7:0.
  device_read = 23,      ///< b: offset, c: value, d: size << 8 | status << 16 | secure << 24
  device_write = 24,     ///< As device_read.
  register_read = 25,    ///< System register. b: SysReg key, c: value, d: status << 8
  register_write = 26,   ///< As register_read.
  device_context = 27,   ///< Of register accesses from here on. b: HCR_EL2, c: MDCR_EL2,
                         ///< d: secure << 8 | EL2 present << 9
  device_reset = 28,
  device_input = 29,     ///< b: which input, c: value, d: accepted << 8
  device_wake = 30,      ///< The wake-up came that the device had asked for. b: which
  device_output = 31,    ///< b: which output, c: value
  device_alarm = 32,     ///< The device asks for a wake-up. b: which, c: when in ps

  // Of recordings of input.
  host_input = 33,  ///< A byte enters. a: virtual time in ps, b: byte, c: UART
  host_quit = 34,   ///< The user ends the run. a: virtual time in ps

  mpu_read = 35,         ///< Observed. PRBAR or PRLAR read. a: region, b: value, d: as of mpu_region
  mpu_missing = 36,      ///< Observed. An access of PRBAR or PRLAR that reached no region. a: region,
                         ///< b: value written, d: as of mpu_region | 1 << 17 for a write
  mpu_fault = 37,        ///< Observed. An MPU refused an access. a: address it was asked for (IPA for
                         ///< stage 2), b: fault status code, c: 0 read, 1 write, 2 fetch, d: EL
  misuse = 38,           ///< Observed. A device was used before it was set up. a: 0 the transmitter of
                         ///< a UART is off, 1 the counter is stopped; b: unit
  xen_call = 39,         ///< Observed. HVC #0xEA1, a hypercall of Xen. a: x16, b..d: x0..x2
};

struct Event {
  EventKind kind{};
  std::uint8_t cpu = 0;
  El el = El::el0;
  std::uint16_t vmid = 0;
  std::uint64_t instructions = 0;  ///< Retired by this CPU before the event.
  std::uint64_t cycles = 0;        ///< Of this CPU.
  std::uint64_t a = 0, b = 0, c = 0, d = 0;
  std::string_view text{};         ///< Valid during the call only.
};

/// Whoever watches events. A sink must not change the run.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void on_event(const Event& event) = 0;
  /// As on_event(), for a kind that is observed.
  virtual void observe(const Event& event) { on_event(event); }
  /// Asks for a kind that is observed: raised for those who ask, and no part of the digest.
  virtual bool wants(EventKind) const { return false; }
};

}  // namespace trapline
