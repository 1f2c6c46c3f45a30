// Limits on counters, held against the statistics of a run.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario/counter_limit.h"

namespace trapline {

/// The limits that `stats` (stats_json()'s text) does not meet, a line each. A name is a path of keys.
/// `exceptions.CLASS` is the sum over the levels; `mpu.elN.KEY` the largest over the CPUs, 0 where no
/// MPU was written to. A name that the statistics do not have is a failure too.
std::vector<std::string> check_counters(const std::vector<CounterLimit>& limits,
                                        std::string_view stats);

}  // namespace trapline
