// The report on MPU regions as one JSON document, from which every form of it is written. Internal
// to sim/report.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "sim/report/mpu_report.h"

namespace trapline {

using Json = nlohmann::ordered_json;

Json mpu_document(const MpuReportInput& input);
/// What a person should know, worst first: {"level", "title", "evidence"} each.
Json mpu_findings(const Json& document);

std::string mpu_text(const Json& document);
std::string mpu_csv(const Json& document);
std::string mpu_page(const Json& document);

/// "1 234 567": a count with its digits in groups.
std::string grouped(std::uint64_t count);
/// "64 KiB", "2.5 MiB", "64 bytes".
std::string bytes_text(std::uint64_t bytes);
/// "cpu0 EL2".
std::string mpu_name(const Json& mpu);
/// "1 region", "3 regions".
std::string count_text(std::uint64_t count, std::string_view one);

}  // namespace trapline
