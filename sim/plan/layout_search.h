// The search tree over placements, and what no leaf below a node can beat.
#pragma once

#include <functional>
#include <limits>
#include <vector>

#include "sim/plan/layout_solver.h"
#include "sim/plan/layout_tables.h"

namespace trapline::plan {

/// Free memory between fixed pieces, forbidden ranges and the ends of memory.
struct Hole {
  PhysAddr start = 0, end = 0;
  /// A fixed piece at its end could share a region with something placed here.
  bool end_matters = false;
  std::uint64_t size() const { return end - start; }
};

/// Pieces that touch each other and move together: the layout is filled hole by hole, and within
/// one from low to high addresses. Any layout can be brought into the form that is searched,
/// without losing a shared region: in each hole, move each maximal chain of touching pieces down as
/// far as its alignment lets it, unless it touches the fixed piece at the hole's end.
struct Chain {
  std::vector<unsigned> pieces{};
  std::uint64_t length = 0;
  std::uint64_t modulus = 1, residue = 0;  ///< Its base is residue modulo modulus.
};

class LayoutSearch {
 public:
  /// How much of the score counts.
  enum class Stage : std::uint8_t { peak, cost, waste };

  /// Which holes are filled first. Any order reaches every layout, but not equally soon.
  enum class Order : std::uint8_t { address, size };

  LayoutSearch(const LayoutProblem& problem, Order order);

  /// No layout scores less in any part.
  Score root_bound();
  /// Improves `best` (and `placement`) as far as `stage` goes; false: the budget ended first.
  bool run(Stage stage, std::uint64_t budget, unsigned enough, std::optional<Placement>& placement,
           Score& best);
  std::uint64_t nodes() const { return nodes_; }

 private:
  struct Node {
    unsigned hole = 0;
    PhysAddr frontier = 0;  ///< Everything in the hole below it is settled but for the chain.
    Chain chain{};
  };
  struct Signature {
    std::uint64_t size, align;
    std::vector<unsigned> groups, obstacles;
    bool operator==(const Signature&) const = default;
  };

  void find_holes(Order order);
  void find_signatures();
  void visit(const Node& node);
  void visit_children(const Node& node);
  void leaf(const Node& node);
  void take(unsigned piece, const Node& child);
  void settle();
  void place_chain(const Node& node, PhysAddr base);
  PhysAddr lowest(const Node& node) const;
  bool fits(const Node& node) const;
  std::optional<PhysAddr> at_end(const Node& node) const;
  static bool extend(Chain& chain, const Piece& piece, unsigned index);
  bool room_for_rest(const Node& node) const;
  std::vector<unsigned> candidates(const Node& node) const;
  bool worse(const Score& bound) const;

  Score bound(const Node& node);
  unsigned bound_runs(unsigned group, const Node& node);
  unsigned bound_touching(unsigned group, unsigned runs, std::uint64_t rest, const Node& node);
  unsigned bound_spanning(unsigned group, unsigned runs, std::uint64_t rest, const Node& node);
  std::uint64_t unplaced_bytes(unsigned group) const;
  /// What is left of hole `n` at `node`.
  Hole remainder(unsigned n, const Node& node) const;
  static unsigned bins_for(std::uint64_t bytes, std::vector<std::uint64_t> capacities);

  const LayoutProblem& problem_;
  LayoutTables tables_;
  std::vector<Hole> holes_;
  std::vector<unsigned> floating_;
  std::vector<Signature> signatures_;
  std::vector<unsigned> constant_runs_;  ///< Of groups that no placement changes.
  std::vector<char> varies_;
  Placement at_;
  Placed placed_;
  unsigned unplaced_ = 0;
  std::uint64_t unplaced_total_ = 0;
  // Of the run.
  Stage stage_ = Stage::peak;
  std::uint64_t nodes_ = 0, end_of_budget_ = 0;
  unsigned enough_ = 0;
  bool stop_ = false, aborted_ = false;
  std::optional<Placement>* placement_ = nullptr;
  Score* best_ = nullptr;
};

}  // namespace trapline::plan
