// Traces in the forms that other programs read.
#pragma once

#include <functional>
#include <string_view>

#include "sim/trace/trace_file.h"

namespace trapline {

using TextOutput = std::function<void(std::string_view text)>;

/// One line an event (RFC 4180): cpu, el, vmid, instructions, cycles, kind, a, b, c, d, text.
void write_csv(TraceReader& reader, const TextOutput& output);

/// Chrome's trace-event JSON, which Perfetto opens: one track a CPU and Exception level, one a VMID,
/// events as instants. Time is in cycles, shown as nanoseconds of a 1 GHz clock.
void write_chrome_trace(TraceReader& reader, const TextOutput& output);

}  // namespace trapline
