// What a run was made of, by name: the head of a trace.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/scenario/scenario.h"

namespace trapline {

/// Everything of `scenario` that decides the run, in a fixed order: "machine" "virt",
/// "image.kernel" "<32 digits> vmlinuz"... Files are named without their folders and identified by
/// XXH3-128 of their contents, so the same inputs give the same facts on any host. Throws
/// ScenarioError for a file that cannot be read.
/// Last come the words of the command line that led to the run, "argument.0" and so on: paths are as
/// they were given.
std::vector<std::pair<std::string, std::string>> run_facts(const Scenario& scenario);

/// Input from outside that is replayed.
inline constexpr std::string_view kInputFact = "input";

/// Says how a run was asked for and not what it was made of.
bool is_argument_fact(std::string_view name);

/// Those of `a` and `b` that speak of images and differ, or stand on one side only, by name.
std::vector<std::string> different_images(
    const std::vector<std::pair<std::string, std::string>>& a,
    const std::vector<std::pair<std::string, std::string>>& b);

}  // namespace trapline
