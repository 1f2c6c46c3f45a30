// `--record-device`: one file a device.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/cli/console.h"
#include "sim/replay/recorder.h"
#include "sim/scenario/scenario.h"

namespace trapline {

class DeviceRecordings {
 public:
  /// Creates the files. Throws ScenarioError.
  explicit DeviceRecordings(const Scenario& scenario);

  std::vector<DeviceRecorder*> recorders() const;
  /// After the machine was made. Throws ScenarioError for a device that it does not have.
  void check() const;
  /// Ends the recordings and closes the files; the first error there was.
  std::optional<std::string> close(const std::string& digest);

 private:
  struct File {
    HostOutput output;
    std::unique_ptr<DeviceRecorder> recorder;
  };
  std::vector<std::unique_ptr<File>> files_;
};

}  // namespace trapline
