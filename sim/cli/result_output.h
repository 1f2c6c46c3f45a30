// Where a command's result goes: standard output or a file.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <string>

#include "sim/cli/console.h"
#include "sim/report/outcome.h"

namespace trapline {

/// Empty and "-" are standard output.
inline HostOutput output_to(const std::string& path) {
  if (path.empty() || path == "-") {
    return HostOutput(FileDescriptor(STDOUT_FILENO, false), "standard output");
  }
  return HostOutput::to_file(path);
}

/// The exit code after everything was written to `output`: `code` if that went well.
inline int close_output(HostOutput& output, int code) {
  output.close();
  if (!output.error()) return code;
  std::fprintf(stderr, "trapline: %s\n", output.error()->c_str());
  return kExitUsage;
}

}  // namespace trapline
