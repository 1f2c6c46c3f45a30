#include "sim/plan/layout_search.h"

#include <algorithm>

namespace trapline::plan {

LayoutSearch::LayoutSearch(const LayoutProblem& problem, Order order)
    : problem_(problem),
      tables_(problem),
      at_(problem.pieces.size(), 0),
      placed_(problem.pieces.size(), 0) {
  for (unsigned n = 0; n < problem.pieces.size(); ++n) {
    const Piece& piece = problem.pieces[n];
    if (piece.size == 0) continue;
    if (piece.fixed) {
      at_[n] = *piece.fixed;
      placed_[n] = 1;
    } else {
      floating_.push_back(n);
      ++unplaced_;
      unplaced_total_ += piece.size;
    }
  }
  std::stable_sort(floating_.begin(), floating_.end(), [&](unsigned a, unsigned b) {
    const Piece &p = problem.pieces[a], &q = problem.pieces[b];
    return p.align != q.align ? p.align > q.align : p.size > q.size;
  });
  find_holes(order);
  find_signatures();
  varies_.assign(problem.groups.size(), 0);
  constant_runs_.assign(problem.groups.size(), 0);
  for (unsigned g = 0; g < problem.groups.size(); ++g) {
    const auto is_floating = [&](unsigned piece) {
      return problem.pieces[piece].size != 0 && !problem.pieces[piece].fixed;
    };
    const auto& members = problem.groups[g].pieces;
    const auto& others = tables_.obstacles(g);
    varies_[g] = problem.groups[g].merge != Merge::never &&
                 (std::any_of(members.begin(), members.end(), is_floating) ||
                  (problem.groups[g].merge == Merge::spanning &&
                   std::any_of(others.begin(), others.end(), is_floating)));
    if (varies_[g]) continue;
    if (problem.groups[g].merge == Merge::never) {
      for (const unsigned piece : members) constant_runs_[g] += problem.pieces[piece].size != 0;
    } else {
      tables_.visit_runs(at_, placed_, g, [&](unsigned, bool joins, std::uint64_t, PhysAddr) {
        constant_runs_[g] += !joins;
      });
    }
  }
}

void LayoutSearch::find_holes(Order order) {
  std::vector<MemoryRange> taken = problem_.forbidden;
  for (const Piece& piece : problem_.pieces) {
    if (piece.size != 0 && piece.fixed) taken.push_back({*piece.fixed, piece.size});
  }
  std::sort(taken.begin(), taken.end(),
            [](const MemoryRange& a, const MemoryRange& b) { return a.base < b.base; });
  for (const MemoryRange& bank : problem_.memory) {
    PhysAddr at = bank.base;
    for (const MemoryRange& range : taken) {
      if (range.end() <= at || range.base >= bank.end()) continue;
      if (range.base > at) holes_.push_back({at, range.base});
      at = range.end();
      if (at >= bank.end()) break;
    }
    if (at < bank.end()) holes_.push_back({at, bank.end()});
  }
  if (order == Order::size) {
    std::stable_sort(holes_.begin(), holes_.end(),
                     [](const Hole& a, const Hole& b) { return a.size() > b.size(); });
  }
  for (Hole& hole : holes_) {
    for (const Group& group : problem_.groups) {
      if (group.merge == Merge::never) continue;
      bool at_end = false, floats = false;
      for (const unsigned n : group.pieces) {
        const Piece& piece = problem_.pieces[n];
        // Nearer to a fixed piece that a region spans to, less is wasted.
        const bool spanned = group.merge == Merge::spanning && !group.device;
        at_end |= piece.size != 0 && piece.fixed &&
                  (*piece.fixed == hole.end || (spanned && *piece.fixed > hole.end));
        floats |= piece.size != 0 && !piece.fixed;
      }
      hole.end_matters |= at_end && floats;
    }
  }
}

void LayoutSearch::find_signatures() {
  signatures_.resize(problem_.pieces.size());
  for (const unsigned n : floating_) {
    signatures_[n] = {problem_.pieces[n].size, problem_.pieces[n].align, {}, {}};
  }
  for (unsigned g = 0; g < problem_.groups.size(); ++g) {
    const Group& group = problem_.groups[g];
    if (group.merge == Merge::never) continue;
    unsigned members = 0;
    for (const unsigned n : group.pieces) members += problem_.pieces[n].size != 0;
    if (members < 2) continue;
    for (const unsigned n : group.pieces) signatures_[n].groups.push_back(g);
    if (group.merge != Merge::spanning) continue;
    for (const unsigned n : tables_.obstacles(g)) signatures_[n].obstacles.push_back(g);
  }
}

PhysAddr LayoutSearch::lowest(const Node& node) const {
  return node.frontier + ((node.chain.residue - node.frontier) & (node.chain.modulus - 1));
}

bool LayoutSearch::fits(const Node& node) const {
  const PhysAddr base = lowest(node), end = holes_[node.hole].end;
  return base >= node.frontier && base <= end && end - base >= node.chain.length;
}

std::optional<PhysAddr> LayoutSearch::at_end(const Node& node) const {
  const Hole& hole = holes_[node.hole];
  if (!hole.end_matters || node.chain.pieces.empty()) return std::nullopt;
  const PhysAddr base = hole.end - node.chain.length;
  if (base <= lowest(node) || (base & (node.chain.modulus - 1)) != node.chain.residue) {
    return std::nullopt;
  }
  return base;
}

bool LayoutSearch::extend(Chain& chain, const Piece& piece, unsigned index) {
  const std::uint64_t residue = (0 - chain.length) & (piece.align - 1);
  if (piece.align <= chain.modulus) {
    if ((chain.residue & (piece.align - 1)) != residue) return false;
  } else {
    if ((residue & (chain.modulus - 1)) != chain.residue) return false;
    chain.modulus = piece.align;
    chain.residue = residue;
  }
  chain.pieces.push_back(index);
  chain.length += piece.size;
  return true;
}

void LayoutSearch::place_chain(const Node& node, PhysAddr base) {
  for (const unsigned piece : node.chain.pieces) {
    at_[piece] = base;
    base += problem_.pieces[piece].size;
  }
}

bool LayoutSearch::room_for_rest(const Node& node) const {
  std::uint64_t room = 0;
  for (unsigned n = node.hole; n < holes_.size(); ++n) room += remainder(n, node).size();
  if (room < unplaced_total_) return false;
  for (const unsigned piece : floating_) {
    if (placed_[piece]) continue;
    const Piece& p = problem_.pieces[piece];
    bool fits_somewhere = false;
    for (unsigned n = node.hole; n < holes_.size() && !fits_somewhere; ++n) {
      const Hole hole = remainder(n, node);
      const PhysAddr base = hole.start + ((0 - hole.start) & (p.align - 1));
      // A chain can still move up, but never to a lower address than it has.
      fits_somewhere = base >= hole.start && base <= hole.end && hole.end - base >= p.size;
    }
    if (!fits_somewhere) return false;
  }
  return true;
}

Hole LayoutSearch::remainder(unsigned n, const Node& node) const {
  Hole hole = holes_[n];
  if (n == node.hole) {
    hole.start = node.chain.pieces.empty() ? node.frontier : lowest(node) + node.chain.length;
  }
  return hole;
}

bool LayoutSearch::worse(const Score& bound) const {
  if (enough_ != 0 && bound.peak > enough_) return true;
  if (!*placement_) return false;
  switch (stage_) {
    case Stage::peak:
      return bound.peak >= best_->peak;
    case Stage::cost:
      return std::pair(bound.peak, bound.switch_cost) >= std::pair(best_->peak, best_->switch_cost);
    case Stage::waste:
      break;
  }
  return bound >= *best_;
}

void LayoutSearch::settle() {
  const Score score = tables_.score(at_);
  if (worse(score) || (*placement_ && score >= *best_)) return;
  *placement_ = at_;
  *best_ = score;
  if (enough_ != 0 && score.peak <= enough_) stop_ = true;
}

void LayoutSearch::leaf(const Node& node) {
  settle();
  if (const auto base = at_end(node)) {
    place_chain(node, *base);
    settle();
    place_chain(node, lowest(node));
  }
}

std::vector<unsigned> LayoutSearch::candidates(const Node& node) const {
  std::vector<unsigned> result;
  for (const unsigned piece : floating_) {
    if (placed_[piece]) continue;
    const bool seen = std::any_of(result.begin(), result.end(), [&](unsigned other) {
      return signatures_[other] == signatures_[piece];
    });
    if (!seen) result.push_back(piece);
  }
  if (node.chain.pieces.empty()) return result;
  // What shares a group with the last one first.
  const std::vector<unsigned>& last = signatures_[node.chain.pieces.back()].groups;
  std::stable_partition(result.begin(), result.end(), [&](unsigned piece) {
    const std::vector<unsigned>& groups = signatures_[piece].groups;
    return std::any_of(groups.begin(), groups.end(), [&](unsigned g) {
      return std::find(last.begin(), last.end(), g) != last.end();
    });
  });
  return result;
}

void LayoutSearch::take(unsigned piece, const Node& child) {
  placed_[piece] = 1;
  --unplaced_;
  unplaced_total_ -= problem_.pieces[piece].size;
  visit(child);
  placed_[piece] = 0;
  ++unplaced_;
  unplaced_total_ += problem_.pieces[piece].size;
}

void LayoutSearch::visit(const Node& node) {
  if (stop_) return;
  if (nodes_ >= end_of_budget_) {
    aborted_ = stop_ = true;
    return;
  }
  ++nodes_;
  place_chain(node, lowest(node));
  if (!room_for_rest(node) || worse(bound(node))) return;
  if (unplaced_ == 0) {
    leaf(node);
  } else {
    visit_children(node);
  }
}

void LayoutSearch::visit_children(const Node& node) {
  std::uint64_t most_align = 1;
  for (const unsigned piece : floating_) {
    if (!placed_[piece]) most_align = std::max(most_align, problem_.pieces[piece].align);
  }
  for (const unsigned piece : candidates(node)) {
    const Piece& p = problem_.pieces[piece];
    Node longer = node;
    const bool extended = extend(longer.chain, p, piece) && fits(longer);
    if (extended) take(piece, longer);
    if (stop_) return;
    if (node.chain.pieces.empty()) continue;
    Node next{node.hole, lowest(node) + node.chain.length, {}};
    if (!extend(next.chain, p, piece) || !fits(next)) continue;
    // Where the piece touches of itself, a chain of its own only matters if it may yet move.
    const bool same = extended && lowest(longer) == lowest(node) && lowest(next) == next.frontier &&
                      !holes_[node.hole].end_matters && most_align <= longer.chain.modulus;
    if (same) continue;
    place_chain(node, lowest(node));
    take(piece, next);
    if (stop_) return;
  }
  if (node.hole + 1 >= holes_.size()) return;
  const Node next{node.hole + 1, holes_[node.hole + 1].start, {}};
  place_chain(node, lowest(node));
  visit(next);
  if (const auto base = at_end(node)) {
    if (stop_) return;
    place_chain(node, *base);
    visit(next);
  }
}

bool LayoutSearch::run(Stage stage, std::uint64_t budget, unsigned enough,
                       std::optional<Placement>& placement, Score& best) {
  stage_ = stage;
  end_of_budget_ = nodes_ + budget;
  enough_ = enough;
  stop_ = aborted_ = false;
  placement_ = &placement;
  best_ = &best;
  if (holes_.empty()) {
    if (unplaced_ == 0) settle();
    return true;
  }
  visit({0, holes_[0].start, {}});
  return !aborted_;
}

}  // namespace trapline::plan
