// The report on a run's MPU regions, for a person (text, a page) and for programs (JSON, CSV).
// docs/mpu-report.md defines every number in it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/report/address_names.h"
#include "sim/report/mpu_coverage.h"
#include "sim/report/mpu_telemetry.h"
#include "sim/trace/event_schema.h"

namespace trapline {

enum class MpuReportFormat : std::uint8_t { text, json, csv, html };

/// "text" (also "txt"), "json", "csv" or "html". Throws std::invalid_argument listing them.
MpuReportFormat parse_mpu_report_format(std::string_view name);
/// By the ending of a file's name. Throws std::invalid_argument naming the endings that there are.
MpuReportFormat mpu_report_format_of(std::string_view path);

/// What a report is made from.
struct MpuReportInput {
  const MpuTelemetry& telemetry;
  const AddressNames& names;
  std::string title;
  /// What the run was made of (run_facts.h); "mpu-regions" and "cpu-hz" are used.
  std::vector<std::pair<std::string, std::string>> facts;
  EventSet recorded;  ///< The kinds of events that the telemetry has seen.
  std::string digest;  ///< Of the run, if it came to its end.
  const MpuCoverage* coverage = nullptr;  ///< What was accessed, if that was asked for.
};

std::string mpu_report(const MpuReportInput& input, MpuReportFormat format);

}  // namespace trapline
