#include "sim/cli/device_recordings.h"

#include <spdlog/fmt/fmt.h>

#include "sim/report/run_facts.h"

namespace trapline {

DeviceRecordings::DeviceRecordings(const Scenario& scenario) {
  if (scenario.device_recordings.empty()) return;
  const Facts facts = run_facts(scenario);
  for (const DeviceRecordingSpec& spec : scenario.device_recordings) {
    files_.push_back(std::make_unique<File>(File{HostOutput::to_file(spec.path), nullptr}));
    files_.back()->recorder = std::make_unique<DeviceRecorder>(
        spec.device, facts, trace_format_of(spec.path),
        [file = files_.back().get()](std::string_view bytes) { file->output.write(bytes); });
  }
}

std::vector<DeviceRecorder*> DeviceRecordings::recorders() const {
  std::vector<DeviceRecorder*> recorders;
  for (const auto& file : files_) recorders.push_back(file->recorder.get());
  return recorders;
}

void DeviceRecordings::check() const {
  for (const auto& file : files_) {
    if (file->recorder->recording()) continue;
    throw ScenarioError(fmt::format("--record-device {}: the machine has none",
                                    device_name(file->recorder->device())));
  }
}

std::optional<std::string> DeviceRecordings::close(const std::string& digest) {
  std::optional<std::string> error;
  for (const auto& file : files_) {
    file->recorder->finish(digest);
    file->output.close();
    if (file->output.error() && !error) error = file->output.error();
  }
  return error;
}

}  // namespace trapline
