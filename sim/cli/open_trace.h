// What is said of a trace that was read.
#pragma once

#include <cstdio>
#include <string>

#include "sim/trace/open_trace.h"

namespace trapline {

/// Says so on standard error if a trace that was read to its end has none.
inline void say_if_cut(const TraceReader& reader, const std::string& path) {
  if (!reader.end()) {
    std::fprintf(stderr, "trapline: %s: cut short; the run did not end or the file was truncated\n",
                 path.c_str());
  }
}

}  // namespace trapline
