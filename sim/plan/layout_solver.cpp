#include "sim/plan/layout_solver.h"

#include <iterator>

#include "sim/plan/layout_search.h"

namespace trapline::plan {

Fit Solution::fit(unsigned regions) const {
  if (placement && score.peak <= regions) return Fit::yes;
  if (!fault.empty() || bound.peak > regions || exhausted) return Fit::no;
  return Fit::unknown;
}

Solution solve(const LayoutProblem& problem, const SolveOptions& options) {
  using Stage = LayoutSearch::Stage;
  Solution solution;
  solution.fault = fixed_fault(problem);
  if (!solution.fault.empty()) {
    solution.exhausted = true;
    return solution;
  }
  // One after the other, on the same incumbent.
  LayoutSearch searches[] = {{problem, LayoutSearch::Order::address},
                             {problem, LayoutSearch::Order::size}};
  solution.bound = searches[0].root_bound();
  const auto run = [&](Stage stage, unsigned enough) {
    for (LayoutSearch& search : searches) {
      const std::uint64_t before = search.nodes();
      const bool whole = search.run(stage, options.budget / std::size(searches), enough,
                                    solution.placement, solution.score);
      solution.nodes += search.nodes() - before;
      if (whole || (enough != 0 && solution.placement)) return whole;
    }
    return false;
  };
  if (options.first_that_fits) {
    // Found: stopped on purpose. Not found: it saw all, or the budget ended.
    solution.exhausted = solution.bound.peak > problem.regions || run(Stage::peak, problem.regions);
    return solution;
  }
  solution.exhausted = run(Stage::peak, 0);
  if (solution.placement) {
    if (solution.exhausted) solution.bound.peak = solution.score.peak;
    if (run(Stage::cost, 0) && solution.proved_peak()) {
      solution.bound.switch_cost = solution.score.switch_cost;
    }
    // Chains can lie between the ends of their travel, so the search proves nothing about waste.
    run(Stage::waste, 0);
  }
  return solution;
}

}  // namespace trapline::plan
