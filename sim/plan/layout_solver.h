// Placements that minimise the score of a layout problem.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sim/plan/layout_problem.h"

namespace trapline::plan {

struct SolveOptions {
  /// Nodes of the search tree that may be visited for each part of the score.
  std::uint64_t budget = 100'000;
  /// Any layout whose peak the part has regions for is as good as another.
  bool first_that_fits = false;
};

enum class Fit : std::uint8_t { no, yes, unknown };

struct Solution {
  std::optional<Placement> placement;  ///< The best found.
  Score score{};                       ///< Of it.
  /// No layout is better than this in its peak; in its switch cost; in its waste, among those with
  /// this peak and this cost. What equals the score is thereby proved.
  Score bound{};
  bool exhausted = false;   ///< The search saw, or had a reason to pass over, every layout.
  std::uint64_t nodes = 0;  ///< Visited.
  std::string fault;        ///< Why there is no layout, where the fixed pieces alone show it.

  bool proved_peak() const { return placement && score.peak == bound.peak; }
  bool proved_cost() const { return proved_peak() && score.switch_cost == bound.switch_cost; }
  bool proved_waste() const { return proved_cost() && score.waste == bound.waste; }
  /// Whether the part's regions suffice.
  Fit fit(unsigned regions) const;
};

/// Searches by branch and bound, exactly while the budget lasts. The same problem gives the same
/// solution on any host.
Solution solve(const LayoutProblem& problem, const SolveOptions& options = {});

}  // namespace trapline::plan
