// What stands in the way where nothing fits, and what would help.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sim/plan/layout_solver.h"

namespace trapline::plan {

/// One demand of a problem that its owner could give up.
struct Constraint {
  enum class Kind : std::uint8_t {
    align,      ///< Of piece `index`; given up it is `value`.
    forbidden,  ///< Range `index`.
    size,       ///< Of piece `index`; given up it is `value` bytes, and with 0 the piece is gone.
    use,        ///< That `group` maps piece `index`.
    fixed,      ///< The address of piece `index`, which is memory.
    regions,    ///< That the part has no more regions than it has.
  };
  Kind kind;
  unsigned index = 0;
  unsigned group = 0;
  std::uint64_t value = 1;
  std::string text{};  ///< In the words of whoever made it.
};

/// Every demand in `problem`, named after its pieces and groups. Alignments are given up down to
/// `granule`.
std::vector<Constraint> constraints_of(const LayoutProblem& problem, std::uint64_t granule);

/// `problem` without the constraints whose `active` is zero.
LayoutProblem relaxed(const LayoutProblem& problem, std::span<const Constraint> constraints,
                      const std::vector<char>& active);

struct Conflict {
  std::vector<unsigned> members;  ///< Indices of constraints that cannot all be met.
  bool minimal = true;  ///< Without any one of them there is a layout that fits: all were found.
  unsigned solved = 0;  ///< Problems that were solved to find it.
};

/// Of a problem that `solve` has shown not to fit. Gives up one constraint after the other as long
/// as nothing fits; `budget` is for each problem solved on the way.
Conflict find_conflict(const LayoutProblem& problem, std::span<const Constraint> constraints,
                       std::uint64_t budget);

/// What giving up one constraint would do.
struct Change {
  unsigned constraint = 0;
  Fit fit = Fit::no;
  bool has_layout = false;
  unsigned peak = 0;  ///< Regions needed then, if there is a layout.
};

/// The changes to `conflict`, the most helpful first: those after which everything fits, then by
/// regions needed. Only members of a conflict can help alone.
std::vector<Change> changes_that_help(const LayoutProblem& problem,
                                      std::span<const Constraint> constraints,
                                      const Conflict& conflict, std::uint64_t budget);

}  // namespace trapline::plan
