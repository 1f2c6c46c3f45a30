// From the head of a trace back to the run that it was recorded of.
#pragma once

#include <string>

#include "sim/rerun/first_divergence.h"
#include "sim/scenario/units.h"
#include "sim/trace/trace_file.h"

namespace trapline {

/// The scenario of the run that `header` describes. `words` are the arguments of `trapline run`
/// that lead to it; if empty, those that the head names. Throws RerunError, naming `trace`, where
/// there are none, where they lead to an error, and where the run would be made of other things
/// than it was: another image by its digest, another option.
Scenario remake_scenario(const TraceHeader& header, const std::string& trace,
                         const std::string& words, const Environment& environment);

/// Words separated by blanks; '...' and "..." hold some together. Throws RerunError for a quote
/// that does not end.
std::vector<std::string> split_words(const std::string& text);

}  // namespace trapline
