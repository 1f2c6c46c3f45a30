// The parts of one machine on its bus, wired to its CPUs.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "models/timer/generic_timer.h"
#include "models/uart/character_port.h"
#include "models/uart/pl011.h"
#include "sim/bus/bus.h"
#include "sim/cpu/cpu.h"
#include "sim/machine/machine_config.h"
#include "sim/machine/run_result.h"
#include "sim/replay/recorder.h"
#include "sim/time/timeline.h"
#include "sim/trace/event.h"

namespace trapline {

/// What a board is connected to. Everything outlives it.
struct BoardPorts {
  Bus& bus;
  Timeline& timeline;
  Sink& events;
  std::function<CharacterPort&(unsigned uart)> uart;  ///< The far end of each UART.
  std::vector<DeviceRecorder*> recorders;
  /// The board's power control, for a device that ends the run (power_off or reset). If it acts on
  /// the access of a CPU, that CPU must not execute another instruction.
  std::function<void(std::optional<unsigned> cpu, ExitReason reason)> power;
  unsigned first_uart = 0;  ///< Number in events of the first UART.
  /// Of a domain that lies where it lies on the board: the board's memory, all of it.
  std::vector<std::shared_ptr<Ram>> memory{};
};

/// Made in three steps, because CPUs stand between memory and devices: they map the memory when
/// they are made, and devices are wired to them.
class Board {
 public:
  virtual ~Board() = default;

  virtual void add_memory() = 0;
  /// Of a CPU: model, affinity, features. What is the same on every board is left to the caller.
  virtual CpuConfig cpu(unsigned index) const = 0;
  /// Puts the devices on the bus, in reset.
  virtual void add_devices(CpuComplex& cpus) = 0;

  /// Makes a private interrupt pending, as a write of its bit to the GIC would. For a board whose
  /// hypervisor is the simulator.
  virtual void pend(unsigned /*cpu*/, unsigned /*intid*/) {}

  std::deque<Pl011>& uarts() { return uarts_; }
  GenericTimer& timer(unsigned cpu) { return timers_[cpu]; }

 protected:
  std::deque<GenericTimer> timers_;  // One a CPU.
  std::deque<Pl011> uarts_;
};

/// The board that `config.machine` names, whose configuration has been checked (boot.h).
std::unique_ptr<Board> make_board(const MachineConfig& config, const BoardPorts& ports);

// One a kind of machine.
std::unique_ptr<Board> make_virt_board(const MachineConfig& config, const BoardPorts& ports);
std::unique_ptr<Board> make_fvp_baser_board(const MachineConfig& config, const BoardPorts& ports);
/// One domain of a machine.
std::unique_ptr<Board> make_xen_domain_board(const MachineConfig& config, const BoardPorts& ports);

}  // namespace trapline
