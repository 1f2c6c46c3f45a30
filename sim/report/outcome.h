// Whether a run was a success, and the process's exit code.
#pragma once

#include <string>
#include <vector>

#include "sim/machine/run_result.h"
#include "sim/scenario/scenario.h"

namespace trapline {

inline constexpr int kExitSuccess = 0;
inline constexpr int kExitExpectation = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitDied = 3;
inline constexpr int kExitLimit = 124;

struct Outcome {
  int exit_code = 0;
  std::vector<std::string> complaints;  ///< What was expected and did not happen.
};

/// Judges a run. `script_failures` are those of the UART scripts and patterns. An expectation that
/// is not met gives 1 whatever ended the run; an [expect] exit that is met gives 0; otherwise the
/// reason decides. In an interactive session `expect` is not looked at.
Outcome judge(const RunResult& result, const Expectations& expect, bool interactive,
              std::vector<std::string> script_failures);

}  // namespace trapline
