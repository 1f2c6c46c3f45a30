// `trapline mpu sweep`: one scenario on parts with different numbers of regions.
#pragma once

#include <string>
#include <vector>

#include "sim/scenario/units.h"

namespace trapline {

struct MpuSweepOptions {
  std::string scenario;
  std::string regions;               ///< "8..32", "8..32/4" or "8,16,32".
  std::string el1;                   ///< Regions of EL1's MPU; empty: as many as EL2's.
  unsigned jobs = 1;                 ///< Runs side by side.
  std::string timeout;               ///< Host time for each run; empty: none.
  std::string format;                ///< "text" or "json"; empty: by the ending of `output`.
  std::string output;
  std::vector<std::string> options;  ///< Of `trapline run`, for every run.
};

/// The numbers that "8..32", "8..32/4" and "8,16,32" stand for, ascending, each once. Throws
/// std::invalid_argument.
std::vector<unsigned> parse_region_counts(const std::string& text);

/// 0: some part runs the scenario to the end it expects; 1: none does.
int mpu_sweep_command(const MpuSweepOptions& options);

}  // namespace trapline
