// What no leaf below a node of the search tree can beat.
#include <algorithm>
#include <numeric>

#include "sim/plan/layout_search.h"

namespace trapline::plan {

unsigned LayoutSearch::bins_for(std::uint64_t bytes, std::vector<std::uint64_t> capacities) {
  std::sort(capacities.rbegin(), capacities.rend());
  unsigned bins = 0;
  for (std::uint64_t covered = 0; covered < bytes && bins < capacities.size(); ++bins) {
    covered += capacities[bins];
  }
  return bins;
}

std::uint64_t LayoutSearch::unplaced_bytes(unsigned group) const {
  std::uint64_t bytes = 0;
  for (const unsigned piece : problem_.groups[group].pieces) {
    if (!placed_[piece]) bytes += problem_.pieces[piece].size;
  }
  return bytes;
}

/// Regions of a group whose pieces only join where they touch. `runs` are those of the pieces that
/// are placed; what is not can close a gap between two runs only if it fills it, and needs no
/// region of its own only if some run borders free memory.
unsigned LayoutSearch::bound_touching(unsigned group, unsigned runs, std::uint64_t rest,
                                      const Node& node) {
  if (rest == 0 && node.chain.pieces.empty()) return runs;
  std::vector<std::uint64_t> capacities, gaps;
  bool borders = false;
  for (unsigned n = node.hole; n < holes_.size(); ++n) {
    const Hole hole = remainder(n, node);
    const bool open_chain = n == node.hole && !node.chain.pieces.empty();
    bool left = false, right = false;
    for (const unsigned piece : problem_.groups[group].pieces) {
      if (!placed_[piece]) continue;
      const std::uint64_t size = problem_.pieces[piece].size;
      left |= size != 0 && at_[piece] + size == hole.start;
      right |= size != 0 && at_[piece] == hole.end;
    }
    borders |= left || right;
    // A chain at the end of what is settled may itself move up.
    if (left && right) gaps.push_back(open_chain ? 0 : hole.size());
    if (open_chain && !left && right && rest == 0) continue;
    if (hole.size() != 0) capacities.push_back(hole.size());
  }
  std::sort(gaps.begin(), gaps.end());
  std::uint64_t left_over = rest;
  unsigned closed = 0;
  for (const std::uint64_t gap : gaps) {
    if (gap > left_over) break;
    left_over -= gap;
    ++closed;
  }
  const unsigned joined = runs > closed ? runs - closed : 1;
  if (rest == 0) return std::min(runs, joined);
  return borders ? std::max(joined, 1u) : runs + bins_for(rest, std::move(capacities));
}

/// Regions of a group that may span what is not mapped. Obstacles that are placed stay, so runs
/// that they divide stay divided; what is not placed needs another where no run reaches free memory
/// that suffices.
unsigned LayoutSearch::bound_spanning(unsigned group, unsigned runs, std::uint64_t rest,
                                      const Node& node) {
  if (rest == 0) return runs;
  std::vector<std::uint64_t> capacities;
  std::uint64_t reached = 0;
  PhysAddr end_before = 0;
  std::vector<Hole> by_address;
  for (unsigned n = node.hole; n < holes_.size(); ++n) by_address.push_back(remainder(n, node));
  std::sort(by_address.begin(), by_address.end(),
            [](const Hole& a, const Hole& b) { return a.start < b.start; });
  for (const Hole& hole : by_address) {
    bool reaches = false;
    for (const unsigned piece : problem_.groups[group].pieces) {
      if (!placed_[piece] || problem_.pieces[piece].size == 0) continue;
      const PhysAddr base = at_[piece], end = base + problem_.pieces[piece].size;
      reaches |= end <= hole.start
                     ? end == hole.start || tables_.spans(at_, placed_, group, end, hole.start)
                     : base == hole.end ||
                           (base > hole.end && tables_.spans(at_, placed_, group, hole.end, base));
    }
    if (reaches) reached += hole.size();
    const bool same_bin =
        !capacities.empty() &&
        (hole.start == end_before || tables_.spans(at_, placed_, group, end_before, hole.start));
    if (same_bin) {
      capacities.back() += hole.size();
    } else {
      capacities.push_back(hole.size());
    }
    end_before = hole.end;
  }
  if (runs == 0) return bins_for(rest, std::move(capacities));
  return rest <= reached ? runs : runs + 1;
}

unsigned LayoutSearch::bound_runs(unsigned group, const Node& node) {
  if (!varies_[group]) return constant_runs_[group];
  unsigned runs = 0;
  tables_.visit_runs(at_, placed_, group,
                     [&](unsigned, bool joins, std::uint64_t, PhysAddr) { runs += !joins; });
  const std::uint64_t rest = unplaced_bytes(group);
  return problem_.groups[group].merge == Merge::touching ? bound_touching(group, runs, rest, node)
                                                         : bound_spanning(group, runs, rest, node);
}

Score LayoutSearch::bound(const Node& node) {
  Score score;
  std::vector<unsigned> runs(problem_.groups.size());
  for (unsigned g = 0; g < runs.size(); ++g) runs[g] = bound_runs(g, node);
  for (const Context& context : problem_.contexts) {
    unsigned regions = context.own;
    for (const unsigned g : context.groups) regions += runs[g];
    score.peak = std::max(score.peak, regions);
    score.switch_cost += std::uint64_t{context.weight} * regions;
  }
  // A chain that is still open may move, and so waste more or less.
  if (stage_ != Stage::waste || !node.chain.pieces.empty()) return score;
  for (unsigned g = 0; g < problem_.groups.size(); ++g) {
    if (problem_.groups[g].device || problem_.groups[g].merge != Merge::spanning) continue;
    std::uint64_t gaps = 0;
    tables_.visit_runs(at_, placed_, g,
                       [&](unsigned, bool, std::uint64_t gap, PhysAddr) { gaps += gap; });
    score.waste += gaps - std::min(gaps, unplaced_bytes(g));
  }
  return score;
}

Score LayoutSearch::root_bound() {
  stage_ = Stage::cost;
  if (holes_.empty()) return bound({});
  Score score = bound({0, holes_[0].start, {}});
  return score;
}

}  // namespace trapline::plan
