// What comparing two traces came to, for a person.
#pragma once

#include <string>

#include "sim/trace/trace_diff.h"

namespace trapline {

/// One line: "event 1204 differs in elr, far", "a ends after 1203 equal events". Empty if equal.
std::string difference_line(const TraceDifference& difference);

/// What the runs were made of where that differs, the line, the last equal checkpoint, and the events
/// around: marked ' ' before, 'a' and 'b' from the first difference on.
std::string difference_text(const TraceDifference& difference, const TraceHeader& a,
                            const TraceHeader& b);

}  // namespace trapline
