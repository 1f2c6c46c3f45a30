// `--record-input` and `--replay-input`, as a user meets them.
#pragma once

#include <optional>
#include <string>

#include "sim/cli/console.h"
#include "sim/rerun/input_recording.h"
#include "sim/trace/trace_file.h"

namespace trapline {

/// The recording that `scenario` replays, if it does. Says on standard error in which facts the
/// recorded run differs from this one. Throws TraceError.
std::optional<InputRecording> open_input_recording(const Scenario& scenario);

class InputRecorder {
 public:
  /// Creates the file. Throws ScenarioError.
  InputRecorder(const Scenario& scenario, bool interactive);

  void add(const HostInput& input) { writer_.on_event(input.event()); }
  /// Ends the recording and closes the file; the error there was.
  std::optional<std::string> close(const std::string& digest);

 private:
  HostOutput output_;
  TraceWriter writer_;
};

}  // namespace trapline
