// Results of tests in the form that CI systems read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace trapline {

struct TestResult {
  enum class Verdict : std::uint8_t { passed, failed, not_applicable };

  std::string suite;  ///< The scenario file.
  std::string name;   ///< What was checked: "run", "golden trace", "counters".
  Verdict verdict = Verdict::passed;
  double seconds = 0;   ///< Of the host.
  std::string message;  ///< One line; empty for a test that passed.
  std::string details;
};

/// A JUnit XML document, suites in the order of their first result. It names no host and no time of
/// day, so that the documents of shards can be merged.
std::string junit_xml(const std::vector<TestResult>& results);

}  // namespace trapline
