#include "sim/plan/layout_solver.h"

#include <gtest/gtest.h>

#include "sim/plan/layout_search.h"
#include "tests/unit/layout_oracle.h"

namespace trapline::plan {
namespace {

TEST(LayoutSolver, IsNeverWorseThanTryingEveryPlacement) {
  std::mt19937 random(5);
  unsigned feasible = 0, infeasible = 0;
  for (unsigned n = 0; n < 20000; ++n) {
    const LayoutProblem problem = random_problem(random, n % 3 == 0);
    LayoutOracle oracle(problem);
    const std::optional<unsigned> least = oracle.least_peak();
    const Solution solution = solve(problem);
    SCOPED_TRACE("problem " + std::to_string(n) + ", " +
                 describe(problem, least ? &oracle.best() : nullptr));
    ASSERT_EQ(solution.placement.has_value(), least.has_value()) << solution.fault;
    ASSERT_TRUE(solution.exhausted);
    ASSERT_EQ(solution.fit(problem.regions),
              least && *least <= problem.regions ? Fit::yes : Fit::no);
    infeasible += !least;
    if (!least) continue;
    ++feasible;
    ASSERT_TRUE(oracle.legal(*solution.placement));
    ASSERT_EQ(oracle.peak(*solution.placement), solution.score.peak);
    ASSERT_EQ(solution.score.peak, *least);
    ASSERT_TRUE(solution.proved_peak());
    ASSERT_LE(solution.bound, solution.score);
    // The order in which holes are filled makes no difference to a search that ends.
    LayoutSearch other(problem, LayoutSearch::Order::size);
    std::optional<Placement> placement;
    Score score;
    ASSERT_TRUE(other.run(LayoutSearch::Stage::peak, 1'000'000, 0, placement, score));
    ASSERT_TRUE(placement);
    ASSERT_EQ(score.peak, *least);
  }
  EXPECT_GT(feasible, 10000u);
  EXPECT_GT(infeasible, 2000u);
}

}  // namespace
}  // namespace trapline::plan
