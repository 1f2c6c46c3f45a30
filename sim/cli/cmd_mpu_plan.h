// `trapline mpu plan`.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "sim/scenario/units.h"

namespace trapline {

/// Declares it on `mpu`; if it is parsed it sets `action`.
void add_mpu_plan(CLI::App& mpu, std::function<int()>& action, const Environment& environment);

}  // namespace trapline
