#include "sim/plan/layout_conflict.h"

#include <gtest/gtest.h>

#include "tests/unit/layout_oracle.h"

namespace trapline::plan {
namespace {

bool fits(const LayoutProblem& problem) {
  const std::optional<unsigned> peak = LayoutOracle(problem).least_peak();
  return peak && *peak <= problem.regions;
}

TEST(LayoutConflict, IsMinimalByTryingEveryPlacement) {
  std::mt19937 random(11);
  unsigned conflicts = 0, from_regions = 0;
  for (unsigned n = 0; conflicts < 600; ++n) {
    const LayoutProblem problem = random_problem(random, n % 2 == 0);
    if (fits(problem)) continue;
    SCOPED_TRACE(describe(problem));
    const std::vector<Constraint> constraints = constraints_of(problem, 1);
    const Conflict conflict = find_conflict(problem, constraints, 100'000);
    ASSERT_TRUE(conflict.minimal);
    std::vector<char> active(constraints.size(), 0);
    for (const unsigned member : conflict.members) active[member] = 1;
    ASSERT_FALSE(fits(relaxed(problem, constraints, active)));
    for (const unsigned member : conflict.members) {
      active[member] = 0;
      ASSERT_TRUE(fits(relaxed(problem, constraints, active))) << constraints[member].text;
      active[member] = 1;
      from_regions += constraints[member].kind == Constraint::Kind::regions;
    }
    ++conflicts;
  }
  EXPECT_GT(from_regions, 100u);
}

TEST(LayoutConflict, ChangesComeWithTheirEffect) {
  std::mt19937 random(12);
  for (unsigned n = 0, seen = 0; seen < 100; ++n) {
    const LayoutProblem problem = random_problem(random, true);
    if (fits(problem)) continue;
    ++seen;
    const std::vector<Constraint> constraints = constraints_of(problem, 1);
    const Conflict conflict = find_conflict(problem, constraints, 100'000);
    const auto changes = changes_that_help(problem, constraints, conflict, 100'000);
    ASSERT_EQ(changes.size(), conflict.members.size());
    bool helps = true;
    for (const Change& change : changes) {
      std::vector<char> active(constraints.size(), 1);
      active[change.constraint] = 0;
      const LayoutProblem without = relaxed(problem, constraints, active);
      ASSERT_EQ(change.fit == Fit::yes, fits(without)) << constraints[change.constraint].text;
      const std::optional<unsigned> peak = LayoutOracle(without).least_peak();
      ASSERT_EQ(change.has_layout, peak.has_value());
      if (peak) {
        ASSERT_EQ(change.peak, *peak);
      }
      ASSERT_TRUE(helps || change.fit != Fit::yes) << "those that suffice come first";
      helps = change.fit == Fit::yes;
    }
  }
}

// Two devices of a guest that lie apart, and memory that could lie between two others.
TEST(LayoutConflict, NamesWhatTakesTheRegions) {
  LayoutProblem problem;
  problem.memory = {{0, 0x10000}};
  problem.pieces = {{"uart", 0x1000, 1, 0x20000, true},
                    {"timer", 0x1000, 1, 0x60000, true},
                    {"RAM", 0x4000, 0x1000}};
  problem.groups = {{"devices", Merge::touching, true, {0, 1}},
                    {"RAM", Merge::touching, false, {2}}};
  problem.contexts = {{"guest", 0, {0, 1}, 1}};
  problem.regions = 2;
  EXPECT_EQ(solve(problem).score.peak, 3u);
  const std::vector<Constraint> constraints = constraints_of(problem, 0x1000);
  const Conflict conflict = find_conflict(problem, constraints, 1000);
  std::vector<std::string> texts;
  for (const unsigned member : conflict.members) texts.push_back(constraints[member].text);
  EXPECT_EQ(texts, (std::vector<std::string>{"RAM takes 0x4000 bytes", "devices maps uart",
                                             "devices maps timer", "RAM maps RAM",
                                             "the part has 2 regions"}));
}

}  // namespace
}  // namespace trapline::plan
