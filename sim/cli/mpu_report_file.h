// What `--mpu-report` writes.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/cli/console.h"
#include "sim/machine/run_result.h"
#include "sim/report/mpu_report.h"
#include "sim/scenario/scenario.h"

namespace trapline {

class MpuReportFile {
 public:
  /// Opens the file. Throws ScenarioError for one that cannot be written or has no known ending, and
  /// for a machine without MPUs.
  explicit MpuReportFile(const Scenario& scenario);

  Sink& sink() { return telemetry_; }
  /// Who also has to see events and instructions, if --mpu-coverage asks for that; else null.
  MpuCoverage* coverage() { return coverage_ ? &*coverage_ : nullptr; }
  /// Writes the report; what went wrong, if anything did.
  std::optional<std::string> close(const RunResult& result);

 private:
  const Scenario& scenario_;
  MpuReportFormat format_;
  HostOutput output_;
  std::vector<std::pair<std::string, std::string>> facts_;
  MpuTelemetry telemetry_;
  std::optional<MpuCoverage> coverage_;
};

}  // namespace trapline
