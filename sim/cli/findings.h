// What a run's checks found, for the user.
#pragma once

#include <cstdint>

#include "sim/scenario/scenario.h"
#include "sim/symbols/symbols.h"
#include "sim/trace/finding.h"

namespace trapline {

/// Says each finding on the log as it comes, with the name of the place.
class Findings final : public FindingSink {
 public:
  /// Symbols are those of the scenario's images.
  explicit Findings(const Scenario& scenario) : scenario_(scenario) {}
  void on_finding(const Finding& finding) override;
  std::uint64_t count() const { return count_; }

 private:
  const Scenario& scenario_;
  Symbols symbols_;
  std::uint64_t count_ = 0;
};

}  // namespace trapline
