#include "sim/report/outcome.h"

#include <spdlog/fmt/fmt.h>

#include <utility>

namespace trapline {
namespace {

int exit_code_of(const RunResult& result) {
  switch (result.reason) {
    case ExitReason::power_off:
    case ExitReason::user_quit:
      return kExitSuccess;
    case ExitReason::guest_exit:
      return result.guest_code & 0xff;
    case ExitReason::expectation_failed:
      return kExitExpectation;
    // Xen and Linux reset the machine after a panic, so a reset nobody expects is no success.
    case ExitReason::reset:
    case ExitReason::stuck:
      return kExitDied;
    case ExitReason::limit_instructions:
    case ExitReason::limit_time:
    case ExitReason::host_timeout:
      return kExitLimit;
  }
  return kExitDied;
}

}  // namespace

Outcome judge(const RunResult& result, const Expectations& expect, bool interactive,
              std::vector<std::string> script_failures) {
  Outcome outcome{exit_code_of(result), std::move(script_failures)};
  // A run that a script cut short cannot end as expected: saying so as well would be noise.
  if (interactive || result.reason == ExitReason::expectation_failed) {
    if (!outcome.complaints.empty()) outcome.exit_code = kExitExpectation;
    return outcome;
  }
  if (expect.exit && *expect.exit != result.reason) {
    outcome.complaints.push_back(fmt::format("the run ended by {}, not by {}",
                                             exit_reason_name(result.reason),
                                             exit_reason_name(*expect.exit)));
  }
  if (expect.code &&
      (result.reason != ExitReason::guest_exit || *expect.code != result.guest_code)) {
    outcome.complaints.push_back(
        result.reason == ExitReason::guest_exit
            ? fmt::format("the guest exited with code {}, not {}", result.guest_code, *expect.code)
            : fmt::format("the guest did not exit with code {}: the run ended by {}", *expect.code,
                          exit_reason_name(result.reason)));
  }
  if (!expect.digest.empty() && expect.digest != result.digest) {
    outcome.complaints.push_back(
        fmt::format("the digest is {}, not {}", result.digest, expect.digest));
  }
  if (!outcome.complaints.empty()) {
    outcome.exit_code = kExitExpectation;
  } else if (expect.exit || expect.code) {
    outcome.exit_code = kExitSuccess;
  }
  return outcome;
}

}  // namespace trapline
