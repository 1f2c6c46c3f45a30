// What came from outside in a run, on disk: `--record-input` and `--replay-input`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/scenario/input_gate.h"
#include "sim/scenario/scenario.h"
#include "sim/trace/trace_file.h"

namespace trapline {

/// What entered a run.
struct InputRecording {
  bool interactive = false;  ///< The run was interactive, so this one goes by the same rules.
  std::vector<HostInput> inputs;
  std::vector<std::string> differences;  ///< Facts in which the recorded run differs from this one.
};

/// The recording that `scenario` replays, if it does. Throws TraceError.
std::optional<InputRecording> read_input_recording(const Scenario& scenario);

/// A recording from any trace; `name` stands in errors. Throws TraceError.
InputRecording read_input_recording(TraceReader& reader, const std::string& name);

/// The head of the recording of a run of `scenario`.
TraceHeader input_recording_header(const Scenario& scenario, bool interactive);

}  // namespace trapline
