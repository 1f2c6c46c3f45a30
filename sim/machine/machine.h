// An assembled board, ready to run.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "models/uart/character_port.h"
#include "sim/machine/machine_config.h"
#include "sim/machine/run_result.h"
#include "sim/replay/recorder.h"
#include "sim/time/clock.h"
#include "sim/trace/event.h"
#include "sim/trace/instruction.h"

namespace trapline {

class GuestCheck;

namespace xen {
class NetObserver;
}

/// What the host connects to a machine.
struct MachineHooks {
  std::vector<CharacterPort*> uarts;  ///< By UART number; nullptr or absent: output is dropped.
  std::vector<Sink*> sinks;           ///< Observers of events. They cannot change the run.
  InstructionSink* instructions = nullptr;  ///< Observer of instructions. The run becomes slow.
  std::vector<DeviceRecorder*> recorders;       ///< Observers of single devices.
  BlockSink* blocks = nullptr;              ///< Observer of blocks.
  SampleSink* samples = nullptr;            ///< Observer of call stacks.
  GuestCheck* check = nullptr;              ///< Looks for mistakes of guests; one of the sinks, too.
  /// By bridge of the domains: see every frame.
  std::vector<std::pair<std::string, xen::NetObserver*>> frames;
  /// Called about every 10 ms of host time, and before virtual time skips over an idle stretch.
  std::function<void()> host_poll;
  /// Somebody may type: a machine that is idle for ever is not stuck, and idle time is skipped in
  /// small steps so that host_poll can keep pace.
  bool interactive = false;
};

/// CPUs, bus, devices and boot protocol of one configuration. Used from one thread.
class Machine {
 public:
  /// Loads every image. Throws ImageError for bad input, std::invalid_argument for an option that
  /// the machine does not have; both with one line that names it.
  Machine(const MachineConfig& config, MachineHooks hooks);
  ~Machine();

  /// Runs to an end of any kind. Call once.
  RunResult run(const Limits& limits);

  /// Ends the run at the next sampling point. Callable from a hook or a wake-up.
  void stop(ExitReason reason, int code = 0);

  /// Offers bytes to a UART at the current virtual time; true if all were taken (none if not).
  bool uart_input(unsigned uart, std::span<const std::uint8_t> bytes);

  Clock& clock();
  const std::vector<std::uint8_t>& device_tree() const;

 private:
  struct Assembly;
  std::unique_ptr<Assembly> assembly_;
};

}  // namespace trapline
