#include "sim/plan/layout_conflict.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <limits>
#include <numeric>

namespace trapline::plan {
namespace {

using Kind = Constraint::Kind;

void drop_from(std::vector<unsigned>& pieces, unsigned piece) {
  pieces.erase(std::remove(pieces.begin(), pieces.end(), piece), pieces.end());
}

/// One order of giving up, to a set from which nothing more can be given up.
Conflict shrink(const LayoutProblem& problem, std::span<const Constraint> constraints,
                std::span<const unsigned> order, std::uint64_t budget) {
  Conflict conflict;
  std::vector<char> active(constraints.size(), 1);
  // Giving up can also hurt (a piece that closed a gap is gone), so one round may not be enough.
  for (bool changed = true; changed;) {
    changed = false;
    conflict.minimal = true;
    for (const unsigned n : order) {
      if (!active[n]) continue;
      active[n] = 0;
      const LayoutProblem without = relaxed(problem, constraints, active);
      const Fit fit =
          solve(without, {.budget = budget, .first_that_fits = true}).fit(without.regions);
      ++conflict.solved;
      if (fit == Fit::no) {
        changed = true;
        continue;
      }
      active[n] = 1;
      if (fit == Fit::unknown) conflict.minimal = false;
    }
  }
  for (unsigned n = 0; n < active.size(); ++n) {
    if (active[n]) conflict.members.push_back(n);
  }
  return conflict;
}

}  // namespace

std::vector<Constraint> constraints_of(const LayoutProblem& problem, std::uint64_t granule) {
  std::vector<Constraint> result;
  for (unsigned n = 0; n < problem.pieces.size(); ++n) {
    const Piece& piece = problem.pieces[n];
    if (piece.size == 0) continue;
    if (!piece.fixed && piece.align > granule) {
      result.push_back({Kind::align, n, 0, granule,
                        fmt::format("{} is aligned to {:#x}", piece.name, piece.align)});
    }
    if (piece.fixed && !piece.device) {
      result.push_back(
          {Kind::fixed, n, 0, 1, fmt::format("{} is at {:#x}", piece.name, *piece.fixed)});
    }
    if (!piece.device) {
      result.push_back(
          {Kind::size, n, 0, 0, fmt::format("{} takes {:#x} bytes", piece.name, piece.size)});
    }
  }
  for (unsigned n = 0; n < problem.forbidden.size(); ++n) {
    result.push_back(
        {Kind::forbidden, n, 0, 1, fmt::format("{} is reserved", to_string(problem.forbidden[n]))});
  }
  for (unsigned g = 0; g < problem.groups.size(); ++g) {
    for (const unsigned n : problem.groups[g].pieces) {
      if (problem.pieces[n].size == 0) continue;
      result.push_back({Kind::use, n, g, 1,
                        fmt::format("{} maps {}", problem.groups[g].name, problem.pieces[n].name)});
    }
  }
  result.push_back(
      {Kind::regions, 0, 0, 1, fmt::format("the part has {} regions", problem.regions)});
  return result;
}

LayoutProblem relaxed(const LayoutProblem& problem, std::span<const Constraint> constraints,
                      const std::vector<char>& active) {
  LayoutProblem result = problem;
  for (unsigned n = 0; n < constraints.size(); ++n) {
    if (active[n]) continue;
    const Constraint& constraint = constraints[n];
    switch (constraint.kind) {
      case Kind::align:
        result.pieces[constraint.index].align = constraint.value;
        break;
      case Kind::forbidden:
        result.forbidden[constraint.index].size = 0;
        break;
      case Kind::size:
        result.pieces[constraint.index].size = constraint.value;
        break;
      case Kind::use:
        drop_from(result.groups[constraint.group].pieces, constraint.index);
        break;
      case Kind::fixed:
        result.pieces[constraint.index].fixed.reset();
        break;
      case Kind::regions:
        result.regions = std::numeric_limits<unsigned>::max();
        break;
    }
  }
  std::erase_if(result.forbidden, [](const MemoryRange& range) { return range.size == 0; });
  return result;
}

Conflict find_conflict(const LayoutProblem& problem, std::span<const Constraint> constraints,
                       std::uint64_t budget) {
  // Kinds in the order in which people would rather not hear of them; then once the other way
  // round within the kinds. The smaller set says it better.
  std::vector<unsigned> order(constraints.size());
  std::iota(order.begin(), order.end(), 0u);
  const auto by_kind = [&](unsigned a, unsigned b) {
    return constraints[a].kind < constraints[b].kind;
  };
  std::stable_sort(order.begin(), order.end(), by_kind);
  Conflict first = shrink(problem, constraints, order, budget);
  std::reverse(order.begin(), order.end());
  std::stable_sort(order.begin(), order.end(), by_kind);
  Conflict second = shrink(problem, constraints, order, budget);
  const unsigned solved = first.solved + second.solved;
  const bool better = std::pair(!second.minimal, second.members.size()) <
                      std::pair(!first.minimal, first.members.size());
  Conflict best = better ? std::move(second) : std::move(first);
  best.solved = solved;
  return best;
}

std::vector<Change> changes_that_help(const LayoutProblem& problem,
                                      std::span<const Constraint> constraints,
                                      const Conflict& conflict, std::uint64_t budget) {
  std::vector<Change> changes;
  for (const unsigned member : conflict.members) {
    std::vector<char> active(constraints.size(), 1);
    active[member] = 0;
    const LayoutProblem without = relaxed(problem, constraints, active);
    const Solution solution = solve(without, {.budget = budget});
    changes.push_back({member, solution.fit(without.regions), solution.placement.has_value(),
                       solution.score.peak});
  }
  const auto rank = [](const Change& change) {
    return std::tuple(change.fit != Fit::yes, !change.has_layout, change.peak);
  };
  std::stable_sort(changes.begin(), changes.end(),
                   [&](const Change& a, const Change& b) { return rank(a) < rank(b); });
  return changes;
}

}  // namespace trapline::plan
