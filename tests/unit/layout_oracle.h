// Layout problems small enough to try every placement of, and a way to count their regions that
// shares nothing with the planner's: it paints a map of granules.
#pragma once

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "sim/plan/layout_problem.h"

namespace trapline::plan {

inline constexpr PhysAddr kMapEnd = 24;  ///< Addresses of the small problems are below it.

class LayoutOracle {
 public:
  explicit LayoutOracle(const LayoutProblem& problem) : problem_(problem) {}

  /// The least peak over all placements; nothing if there is none.
  std::optional<unsigned> least_peak() {
    best_.reset();
    at_.assign(problem_.pieces.size(), 0);
    place_fixed();
    try_from(0);
    return best_;
  }
  const Placement& best() const { return best_at_; }
  /// Whether no rule is broken.
  bool legal(const Placement& at) const {
    for (unsigned n = 0; n < problem_.pieces.size(); ++n) {
      const Piece& piece = problem_.pieces[n];
      if (piece.size == 0) continue;
      if (piece.fixed ? at[n] != *piece.fixed : at[n] % piece.align != 0) return false;
      if (!legal_place(at, n)) return false;
    }
    return true;
  }
  unsigned peak(const Placement& at) const {
    unsigned most = 0;
    for (const Context& context : problem_.contexts) {
      unsigned regions = context.own;
      for (const unsigned group : context.groups) regions += runs(at, context, group);
      most = std::max(most, regions);
    }
    return most;
  }

 private:
  bool covers(const Placement& at, unsigned n, PhysAddr granule) const {
    return at[n] <= granule && granule < at[n] + problem_.pieces[n].size;
  }
  static bool within(const std::vector<MemoryRange>& ranges, PhysAddr granule) {
    for (const MemoryRange& range : ranges) {
      if (range.base <= granule && granule < range.end()) return true;
    }
    return false;
  }
  /// Piece `n` against memory, forbidden ranges and the pieces before it.
  bool legal_place(const Placement& at, unsigned n) const {
    const Piece& piece = problem_.pieces[n];
    if (!piece.device) {
      bool inside = false;
      for (const MemoryRange& bank : problem_.memory) {
        inside |= bank.base <= at[n] && at[n] + piece.size <= bank.end();
      }
      if (!inside) return false;
    }
    for (PhysAddr granule = at[n]; granule < at[n] + piece.size; ++granule) {
      if (!piece.device && within(problem_.forbidden, granule)) return false;
      for (unsigned other = 0; other < problem_.pieces.size(); ++other) {
        if (other != n && problem_.pieces[other].size != 0 && placed(other, n) &&
            covers(at, other, granule) && apart(n, other)) {
          return false;
        }
      }
    }
    return true;
  }
  /// Fixed pieces are there from the start, the others in order.
  bool placed(unsigned other, unsigned n) const {
    return problem_.pieces[other].fixed || other < n;
  }
  bool apart(unsigned a, unsigned b) const {
    const Piece &p = problem_.pieces[a], &q = problem_.pieces[b];
    if (!p.fixed || !q.fixed || (!p.device && !q.device)) return true;
    for (const Context& context : problem_.contexts) {
      for (const unsigned g : context.groups) {
        for (const unsigned h : context.groups) {
          if (!has(g, a) || !has(h, b)) continue;
          if (g != h || problem_.groups[g].merge == Merge::never) return true;
        }
      }
    }
    return false;
  }
  bool has(unsigned group, unsigned piece) const {
    for (const unsigned n : problem_.groups[group].pieces) {
      if (n == piece) return true;
    }
    return false;
  }
  /// In any context that maps `group`, `granule` is mapped by another group.
  bool mapped_otherwise(const Placement& at, unsigned group, PhysAddr granule) const {
    for (const Context& context : problem_.contexts) {
      bool mine = false;
      for (const unsigned g : context.groups) mine |= g == group;
      if (!mine) continue;
      for (const unsigned g : context.groups) {
        for (const unsigned n : problem_.groups[g].pieces) {
          if (g != group && !has(group, n) && problem_.pieces[n].size != 0 &&
              covers(at, n, granule)) {
            return true;
          }
        }
      }
    }
    return false;
  }
  unsigned runs(const Placement& at, const Context&, unsigned group) const {
    const Group& g = problem_.groups[group];
    unsigned count = 0;
    if (g.merge == Merge::never) {
      for (const unsigned n : g.pieces) count += problem_.pieces[n].size != 0;
      return count;
    }
    bool open = false;       // A region reaches up to here.
    int bank = -1;           // Of memory, at the last granule that the group needs.
    bool first_gap = false;  // Between that granule and here lies a gap.
    for (PhysAddr granule = 0; granule < kMapEnd; ++granule) {
      bool needed = false;
      for (const unsigned n : g.pieces) {
        needed |= problem_.pieces[n].size != 0 && covers(at, n, granule);
      }
      if (needed) {
        if (!open) ++count;
        open = true;
        first_gap = false;
        continue;
      }
      if (!open) continue;
      if (g.merge == Merge::touching || within(problem_.forbidden, granule) ||
          mapped_otherwise(at, group, granule)) {
        open = false;
        continue;
      }
      const int here = bank_of(granule);
      if (g.device ? here >= 0 : here < 0 || (first_gap && here != bank)) open = false;
      bank = here;
      first_gap = true;
    }
    return count;
  }
  int bank_of(PhysAddr granule) const {
    for (unsigned n = 0; n < problem_.memory.size(); ++n) {
      const MemoryRange& bank = problem_.memory[n];
      if (bank.base <= granule && granule < bank.end()) return static_cast<int>(n);
    }
    return -1;
  }
  void try_from(unsigned n) {
    if (n == problem_.pieces.size()) {
      const unsigned here = peak(at_);
      if (!best_ || here < *best_) {
        best_ = here;
        best_at_ = at_;
      }
      return;
    }
    const Piece& piece = problem_.pieces[n];
    if (piece.size == 0) return try_from(n + 1);
    if (piece.fixed) {
      if (legal_place(at_, n)) try_from(n + 1);
      return;
    }
    for (PhysAddr at = 0; at + piece.size <= kMapEnd; at += piece.align) {
      at_[n] = at;
      if (legal_place(at_, n)) try_from(n + 1);
    }
  }
  void place_fixed() {
    for (unsigned n = 0; n < problem_.pieces.size(); ++n) {
      if (problem_.pieces[n].fixed) at_[n] = *problem_.pieces[n].fixed;
    }
  }

  const LayoutProblem& problem_;
  Placement at_, best_at_;
  std::optional<unsigned> best_;
};

/// For a failed assertion.
inline std::string describe(const LayoutProblem& problem, const Placement* at = nullptr) {
  std::string text = "memory";
  for (const MemoryRange& m : problem.memory) text += " " + to_string(m);
  for (const MemoryRange& m : problem.forbidden) text += " forbidden " + to_string(m);
  for (unsigned n = 0; n < problem.pieces.size(); ++n) {
    const Piece& p = problem.pieces[n];
    text += "\n" + std::to_string(n) + ": " + p.name + " size " + std::to_string(p.size) +
            " align " + std::to_string(p.align) +
            (p.fixed ? " at " + std::to_string(*p.fixed) : "");
    if (at) text += " -> " + std::to_string((*at)[n]);
  }
  for (unsigned c = 0; c < problem.contexts.size(); ++c) {
    text += "\n" + problem.contexts[c].name + " own " + std::to_string(problem.contexts[c].own);
    for (const unsigned g : problem.contexts[c].groups) {
      text += " [" + std::to_string(g) + " " + "nts"[static_cast<int>(problem.groups[g].merge)];
      for (const unsigned n : problem.groups[g].pieces) text += " " + std::to_string(n);
      text += "]";
    }
  }
  return text + "\nregions " + std::to_string(problem.regions);
}

/// A random problem whose addresses are granules below kMapEnd: memory below 16 in one or two
/// banks, devices above. `tight`: fixed addresses and reserved ranges are common.
inline LayoutProblem random_problem(std::mt19937& random, bool tight) {
  const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  LayoutProblem problem;
  if (below(2) != 0) {
    problem.memory = {{0, 12 + below(4)}};
  } else {
    const unsigned split = 4 + below(5);
    const unsigned gap = 1 + below(2);
    problem.memory = {{0, split}, {split + gap, 15 - split - gap}};
  }
  if (below(tight ? 2 : 4) == 0) problem.forbidden.push_back({below(14), 1 + below(2)});
  const unsigned blocks = 2 + below(4), devices = below(4);
  for (unsigned n = 0; n < blocks; ++n) {
    Piece piece{"block " + std::to_string(n), 1 + below(blocks > 3 ? 3 : 5), 1u << below(3)};
    if (below(tight ? 2 : 4) == 0) piece.fixed = below(14);
    problem.pieces.push_back(piece);
  }
  for (unsigned n = 0; n < devices; ++n) {
    problem.pieces.push_back({"device " + std::to_string(n), 1 + below(2), 1, 16 + below(7), true});
  }
  const unsigned contexts = 1 + below(3);
  for (unsigned c = 0; c < contexts; ++c) {
    Context context{"context " + std::to_string(c), below(3), {}, below(3)};
    const unsigned kinds = 1 + below(3);
    std::vector<char> used(problem.pieces.size(), 0);
    for (unsigned k = 0; k < kinds; ++k) {
      Group group{"group", static_cast<Merge>(below(3)), false, {}};
      group.device = k + 1 == kinds && devices != 0;
      for (unsigned n = 0; n < problem.pieces.size(); ++n) {
        if (used[n] || problem.pieces[n].device != group.device || below(3) == 0) continue;
        used[n] = 1;
        group.pieces.push_back(n);
      }
      context.groups.push_back(static_cast<unsigned>(problem.groups.size()));
      problem.groups.push_back(std::move(group));
    }
    // The hypervisor's own may be mapped in a guest, too.
    if (c != 0 && below(2) == 0) {
      const unsigned shared = problem.contexts[0].groups[0];
      bool twice = false;
      for (const unsigned n : problem.groups[shared].pieces) twice |= used[n] != 0;
      if (!twice) context.groups.push_back(shared);
    }
    problem.contexts.push_back(std::move(context));
  }
  problem.regions = 2 + below(4);
  return problem;
}

}  // namespace trapline::plan
