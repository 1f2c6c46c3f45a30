// A layout problem in the form that is quick to evaluate: used by everything that counts regions.
#pragma once

#include <algorithm>
#include <vector>

#include "sim/plan/layout_problem.h"

namespace trapline::plan {

/// Which pieces have a place.
using Placed = std::vector<char>;

class LayoutTables {
 public:
  explicit LayoutTables(const LayoutProblem& problem);

  const LayoutProblem& problem() const { return problem_; }
  /// The pieces that no region of `group` may span.
  const std::vector<unsigned>& obstacles(unsigned group) const { return obstacles_[group]; }
  /// Every piece that has a size.
  const Placed& all_there() const { return there_; }
  /// True if the two may not overlap: both are memory, or some context maps both by regions of
  /// their own. A piece that is to be placed is memory and avoids everything.
  bool exclusive(unsigned a, unsigned b) const {
    return exclusive_[a * problem_.pieces.size() + b];
  }
  /// True if one region of `group` may cover [from, to), given the pieces that are placed.
  bool spans(const Placement& placement, const Placed& placed, unsigned group, PhysAddr from,
             PhysAddr to) const;

  /// Calls visit(piece, joins, gap, end) for the placed pieces of `group` by address. `joins`: it
  /// shares the region of the one before; `gap`: the bytes between them.
  template <typename Visit>
  void visit_runs(const Placement& placement, const Placed& placed, unsigned group,
                  Visit&& visit) const;
  Score score(const Placement& placement) const;

 private:
  const LayoutProblem& problem_;
  Placed there_;
  std::vector<char> exclusive_;
  std::vector<std::vector<unsigned>> obstacles_;  ///< For each group: what it may not span.
  mutable std::vector<unsigned> order_;           ///< Scratch of visit_runs, which does not nest.
};

template <typename Visit>
void LayoutTables::visit_runs(const Placement& placement, const Placed& placed, unsigned group,
                              Visit&& visit) const {
  const Group& g = problem_.groups[group];
  std::vector<unsigned>& order = order_;
  order.clear();
  for (const unsigned piece : g.pieces) {
    if (placed[piece] && there_[piece]) order.push_back(piece);
  }
  std::sort(order.begin(), order.end(), [&](unsigned a, unsigned b) {
    return placement[a] != placement[b] ? placement[a] < placement[b] : a < b;
  });
  PhysAddr end = 0;
  bool first = true;
  for (const unsigned piece : order) {
    const PhysAddr base = placement[piece];
    bool joins = !first && g.merge != Merge::never && base <= end;
    if (!first && !joins && g.merge == Merge::spanning) {
      joins = spans(placement, placed, group, end, base);
    }
    const std::uint64_t gap = joins && base > end ? base - end : 0;
    end = joins ? std::max(end, base + problem_.pieces[piece].size)
                : base + problem_.pieces[piece].size;
    visit(piece, joins, gap, end);
    first = false;
  }
}

}  // namespace trapline::plan
