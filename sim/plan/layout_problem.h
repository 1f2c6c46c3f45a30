// Where things may lie, and what each context of a part must map: the problem that a plan solves.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/machine/memory_layout.h"

namespace trapline::plan {

/// A contiguous range that is mapped as a whole: a domain's RAM, a device's registers, an image.
struct Piece {
  std::string name;
  std::uint64_t size = 0;           ///< Bytes; 0: it is not there.
  std::uint64_t align = 1;          ///< Of its base, a power of two; of no account for a fixed one.
  std::optional<PhysAddr> fixed{};  ///< Where it is; nothing: to be placed, in memory.
  bool device = false;              ///< Registers, not memory. Always fixed.
};

/// Which pieces of one group can share a region.
enum class Merge : std::uint8_t {
  never,     ///< Each has one of its own, whatever lies next to it.
  touching,  ///< Those that touch: one region covers what is needed and nothing else.
  spanning,  ///< Those with nothing between them that must not be mapped alike.
};

/// Pieces that are mapped by one mechanism with the same attributes.
struct Group {
  std::string name;
  Merge merge = Merge::never;
  bool device = false;  ///< Spans addresses outside memory; otherwise inside one bank of memory.
  std::vector<unsigned> pieces{};
};

/// Regions that are enabled, or whose slots are taken, at the same time.
struct Context {
  std::string name;
  unsigned own = 0;                ///< Regions that no placement changes.
  std::vector<unsigned> groups{};  ///< What is mapped beside them.
  unsigned weight = 0;             ///< Of its regions in the cost of switches.
};

struct LayoutProblem {
  std::vector<MemoryRange> memory;     ///< Where pieces may be placed; sorted, apart.
  std::vector<MemoryRange> forbidden;  ///< Where nothing may be placed and no region may span.
  std::vector<Piece> pieces;
  std::vector<Group> groups;
  std::vector<Context> contexts;
  unsigned regions = 0;  ///< That the part implements.
};

/// What is minimised, in this order.
struct Score {
  unsigned peak = 0;              ///< Regions of the context that takes most.
  std::uint64_t switch_cost = 0;  ///< Regions of all contexts by their weights.
  std::uint64_t waste = 0;        ///< Bytes of memory that regions span and nobody asked for.
  auto operator<=>(const Score&) const = default;
};

/// One region of a group.
struct Run {
  PhysAddr base = 0, end = 0;
  std::vector<unsigned> pieces{};  ///< By address.
};

/// The base of each piece.
using Placement = std::vector<PhysAddr>;

/// The regions that `group` takes. Every piece of the problem that is there has its place.
std::vector<Run> runs_of(const LayoutProblem& problem, const Placement& placement, unsigned group);

/// Regions of `context`, and the whole score.
unsigned regions_of(const LayoutProblem& problem, const Placement& placement, unsigned context);
Score score_of(const LayoutProblem& problem, const Placement& placement);

/// Why the fixed pieces alone allow no layout: two that overlap; one outside memory or inside a
/// forbidden range. Empty if they allow one.
std::string fixed_fault(const LayoutProblem& problem);

}  // namespace trapline::plan
