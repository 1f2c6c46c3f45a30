// Scenario files. The format is described in docs/scenario.md.
#pragma once

#include <string>
#include <string_view>

#include "sim/scenario/scenario.h"
#include "sim/scenario/units.h"

namespace trapline {

/// Reads a scenario file. Paths in it are relative to its folder and may hold "${NAME}" and
/// "${NAME:-default}". Throws ScenarioError as "FILE:LINE:COLUMN: cause" for syntax errors, unknown
/// keys, wrong types and bad values.
Scenario read_scenario_file(const std::string& path, const Environment& environment);

/// The same for a text; `path` is used for messages and for relative paths.
Scenario read_scenario_text(std::string_view text, const std::string& path,
                            const Environment& environment);

}  // namespace trapline
