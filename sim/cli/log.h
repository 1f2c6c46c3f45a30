// The log: messages of the simulator to standard error.
#pragma once

#include <string>

namespace trapline {

/// Installs the log that spdlog's functions write to. At "warn" and above a guest that earns one
/// warning after another is cut short; the lower levels show all. `level` is one of spdlog's names.
void set_up_log(const std::string& level);

}  // namespace trapline
