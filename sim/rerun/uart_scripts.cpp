#include "sim/rerun/uart_scripts.h"

#include <utility>

namespace trapline {

UartScripts::UartScripts(const std::vector<UartSpec>& uarts, bool interactive) {
  for (unsigned n = 0; n < uarts.size(); ++n) {
    outputs_.push_back(std::make_unique<CharacterFanOut>());
    std::vector<ScriptStep> steps = uarts[n].script;
    if (interactive) {
      std::erase_if(steps, [](const ScriptStep& step) { return !step.always; });
    } else {
      add(n, uarts[n].patterns);
    }
    add(n, std::move(steps));
  }
}

void UartScripts::add(unsigned uart, std::vector<ScriptStep> steps) {
  if (steps.empty()) return;
  scripts_.push_back({uart, std::make_unique<UartScript>(uart, std::move(steps))});
}

void UartScripts::attach(Machine& machine) {
  for (const Script& script : scripts_) {
    outputs_[script.uart]->add(*script.player);
    script.player->attach(
        machine.clock(),
        [&machine, uart = script.uart](std::uint8_t byte) {
          return machine.uart_input(uart, {&byte, 1});
        },
        [&machine] { machine.stop(ExitReason::expectation_failed); });
  }
}

std::vector<std::string> UartScripts::failures(bool judged) {
  std::vector<std::string> failures;
  for (const Script& script : scripts_) {
    if (judged) script.player->finish();
    if (script.player->failure()) failures.push_back(*script.player->failure());
  }
  return failures;
}

}  // namespace trapline
