#include "sim/cli/input_files.h"

#include <spdlog/fmt/fmt.h>

#include <cstdio>

namespace trapline {

std::optional<InputRecording> open_input_recording(const Scenario& scenario) {
  std::optional<InputRecording> recording = read_input_recording(scenario);
  if (recording && !recording->differences.empty()) {
    std::fprintf(stderr, "trapline: %s was recorded from another run; it differs in %s\n",
                 scenario.replay_input.c_str(),
                 fmt::format("{}", fmt::join(recording->differences, ", ")).c_str());
  }
  return recording;
}

InputRecorder::InputRecorder(const Scenario& scenario, bool interactive)
    : output_(HostOutput::to_file(scenario.record_input)),
      writer_(trace_format_of(scenario.record_input), input_recording_header(scenario, interactive),
              [this](std::string_view bytes) { output_.write(bytes); }) {}

std::optional<std::string> InputRecorder::close(const std::string& digest) {
  writer_.finish(digest);
  output_.close();
  return output_.error();
}

}  // namespace trapline
