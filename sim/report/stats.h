// What a run amounted to, for programs (JSON) and for people (one line).
#pragma once

#include <string>

#include "sim/machine/run_result.h"
#include "sim/report/mpu_usage.h"

namespace trapline {

/// What the host adds to a RunResult. Nothing of it is part of the run.
struct HostStats {
  double seconds = 0;  ///< Wall clock, from the first instruction to the last.
  int exit_code = 0;   ///< Of the process.
};

/// The sums over the CPUs of a run.
CpuStats total(const RunStats& stats);

/// Millions of guest instructions a host second; 0 for a run too short to tell.
double mips(const RunResult& result, const HostStats& host);

/// The name of a class of exceptions, by its place in ExceptionCounts: "hvc", "data-abort-lower",
/// "irq". Classes that the architecture reserves are "ec-0x..".
std::string exception_class_name(unsigned exception_class);

/// The statistics file (docs/cli.md describes the keys), with a line end.
std::string stats_json(const RunResult& result, const HostStats& host, const MpuUsage& mpus);

/// "trapline: power-off after 3.104 s virtual, 1.21 G instructions, ...".
std::string status_line(const RunResult& result, const HostStats& host);

/// How the vCPUs shared the physical CPUs, for a person; a line a vCPU.
std::string latency_table(const RunStats& stats);

}  // namespace trapline
