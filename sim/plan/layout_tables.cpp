#include "sim/plan/layout_tables.h"

namespace trapline::plan {

LayoutTables::LayoutTables(const LayoutProblem& problem) : problem_(problem) {
  const std::size_t count = problem.pieces.size();
  for (const Piece& piece : problem.pieces) there_.push_back(piece.size != 0);
  // Pieces that a context maps in a group, and those that it maps in others.
  std::vector<char> apart(count * count, 0);
  obstacles_.resize(problem.groups.size());
  for (unsigned g = 0; g < problem.groups.size(); ++g) {
    std::vector<char> beside(count, 0);
    for (const Context& context : problem.contexts) {
      if (std::find(context.groups.begin(), context.groups.end(), g) == context.groups.end()) {
        continue;
      }
      for (const unsigned other : context.groups) {
        const Group& o = problem.groups[other];
        for (const unsigned piece : o.pieces) {
          if (other != g) beside[piece] = 1;
          for (const unsigned mine : problem.groups[g].pieces) {
            if (other != g || o.merge == Merge::never) apart[mine * count + piece] = 1;
          }
        }
      }
    }
    for (const unsigned mine : problem.groups[g].pieces) beside[mine] = 0;
    for (unsigned piece = 0; piece < count; ++piece) {
      if (beside[piece]) obstacles_[g].push_back(piece);
    }
  }
  exclusive_.assign(count * count, 0);
  for (unsigned a = 0; a < count; ++a) {
    for (unsigned b = 0; b < count; ++b) {
      const Piece &p = problem.pieces[a], &q = problem.pieces[b];
      exclusive_[a * count + b] = a != b && ((!p.device && !q.device) || !p.fixed || !q.fixed ||
                                             apart[a * count + b] || apart[b * count + a]);
    }
  }
}

bool LayoutTables::spans(const Placement& placement, const Placed& placed, unsigned group,
                         PhysAddr from, PhysAddr to) const {
  const MemoryRange gap{from, to - from};
  for (const MemoryRange& range : problem_.forbidden) {
    if (range.overlaps(gap)) return false;
  }
  const bool device = problem_.groups[group].device;
  bool inside = device;
  for (const MemoryRange& bank : problem_.memory) {
    if (device && bank.overlaps(gap)) return false;
    if (bank.contains(gap)) inside = true;
  }
  if (!inside) return false;
  for (const unsigned piece : obstacles_[group]) {
    if (!placed[piece] || !there_[piece]) continue;
    if (placement[piece] < to && from < placement[piece] + problem_.pieces[piece].size) {
      return false;
    }
  }
  return true;
}

Score LayoutTables::score(const Placement& placement) const {
  Score score;
  std::vector<unsigned> runs(problem_.groups.size(), 0);
  for (unsigned g = 0; g < problem_.groups.size(); ++g) {
    const bool memory = !problem_.groups[g].device;
    visit_runs(placement, there_, g, [&](unsigned, bool joins, std::uint64_t gap, PhysAddr) {
      runs[g] += !joins;
      if (memory) score.waste += gap;
    });
  }
  for (const Context& context : problem_.contexts) {
    unsigned regions = context.own;
    for (const unsigned g : context.groups) regions += runs[g];
    score.peak = std::max(score.peak, regions);
    score.switch_cost += std::uint64_t{context.weight} * regions;
  }
  return score;
}

}  // namespace trapline::plan
