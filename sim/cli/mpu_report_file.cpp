#include "sim/cli/mpu_report_file.h"

#include "sim/machine/machine_type.h"
#include "sim/report/run_facts.h"
#include "sim/report/run_names.h"

namespace trapline {

MpuReportFile::MpuReportFile(const Scenario& scenario)
    : scenario_(scenario),
      format_(mpu_report_format_of(scenario.mpu_report_path)),
      output_(HostOutput::to_file(scenario.mpu_report_path)),
      facts_(run_facts(scenario)),
      telemetry_(mpu_layer_facts(facts_)) {
  if (!mpu_of(scenario.machine)) {
    throw ScenarioError("--mpu-report: the CPU " + cpu_of(scenario.machine) + " has no MPU");
  }
  if (scenario.mpu_coverage) coverage_.emplace(telemetry_);
}

std::optional<std::string> MpuReportFile::close(const RunResult& result) {
  telemetry_.finish();
  const std::string title = !scenario_.title.empty() ? scenario_.title
                            : !scenario_.machine.kernel.empty()
                                ? image_label(scenario_.machine.kernel)
                                : scenario_.machine.machine;
  output_.write(mpu_report({.telemetry = telemetry_,
                            .names = run_names(scenario_),
                            .title = "MPU regions: " + title,
                            .facts = facts_,
                            .recorded = MpuTelemetry::events(),
                            .digest = result.digest,
                            .coverage = coverage()},
                           format_));
  output_.close();
  return output_.error();
}

}  // namespace trapline
