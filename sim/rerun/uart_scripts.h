// The scripted part of a machine's serial lines.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/machine/machine.h"
#include "sim/scenario/uart_script.h"

namespace trapline {

/// The scripts and patterns of every UART of a scenario. They are part of the run, wherever the
/// UARTs' bytes go besides. Must be destroyed before the machine, in whose timeline their wake-ups
/// live, and outlive its run.
class UartScripts {
 public:
  /// `interactive`: only what such a session plays too. Throws std::regex_error.
  UartScripts(const std::vector<UartSpec>& uarts, bool interactive);

  /// What the machine's UART sends to; ports that are added get each byte first.
  CharacterFanOut& output(unsigned uart) { return *outputs_[uart]; }
  /// Starts the scripts. Once, before the run.
  void attach(Machine& machine);
  /// After the run, what did not happen; several lines each. `judged`: a pattern that is still
  /// awaited is a failure.
  std::vector<std::string> failures(bool judged);

 private:
  void add(unsigned uart, std::vector<ScriptStep> steps);

  struct Script {
    unsigned uart;
    std::unique_ptr<UartScript> player;
  };
  std::vector<std::unique_ptr<CharacterFanOut>> outputs_;  // By UART.
  std::vector<Script> scripts_;
};

}  // namespace trapline
