// A trace in figures.
#pragma once

#include <string>

#include "sim/trace/trace_file.h"

namespace trapline {

/// Reads all of `reader` and counts: a table of kinds by CPU, exceptions by class and target level,
/// interrupts by INTID, calls by function. Lines of text. Throws TraceError.
std::string trace_statistics(TraceReader& reader);

}  // namespace trapline
