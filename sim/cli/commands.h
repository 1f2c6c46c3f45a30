// The subcommands of `trapline`.
#pragma once

#include <string>

#include "sim/scenario/command_line.h"
#include "sim/scenario/units.h"

namespace trapline {

/// `trapline run`. Returns the process's exit code; throws ScenarioError or ImageError for bad
/// input.
int run_command(const RunArguments& arguments, const Environment& environment);

/// `trapline machine list`.
int machine_list_command();

/// `trapline machine dtb`: the device tree of the machine that the options describe, as a blob or
/// as source, to `output` ("-" or empty: standard output).
int machine_dtb_command(const RunArguments& arguments, const Environment& environment, bool source,
                        const std::string& output);

}  // namespace trapline
