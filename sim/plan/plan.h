// A plan: where everything lies, how many regions each context takes, and what there is to say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/plan/target.h"

namespace trapline::plan {

/// One slot of the EL2 MPU in one context.
struct SlotUse {
  std::string name;
  std::string attributes;
  std::optional<MemoryRange> range{};  ///< Unknown for a part of the hypervisor's own image.
};

struct ContextUse {
  std::string name;
  std::vector<SlotUse> slots;
};

/// Register writes of one change of context.
struct SwitchCost {
  std::string from, to;
  unsigned prbar = 0, prlar = 0, prenr = 0;  ///< Of EL2.
  bool el1 = false;  ///< EL1's regions are loaded as well: PRBAR and PRLAR of each there is.
};

struct Advice {
  std::string change;
  Fit fit = Fit::no;
  std::optional<unsigned> peak{};  ///< Regions needed then, if there is a layout.
  bool is_part = false;            ///< The change is a part with more regions.
};

struct Plan {
  PlanConfig config;
  Board board;
  TargetFacts target;
  Assembly assembly;
  Solution solution;
  Fit fit = Fit::unknown;
  // Of the best layout, if there is any.
  std::vector<ContextUse> contexts{};
  std::vector<SwitchCost> switches{};
  std::vector<std::string> reasons{};  ///< Why groups that could share a region take several.
  std::vector<std::string> notes{};
  // If it does not fit.
  std::vector<std::string> conflict{};
  bool conflict_minimal = true;
  std::vector<Advice> advice{};

  PhysAddr at(unsigned piece) const { return (*solution.placement)[piece]; }
  MemoryRange range(unsigned piece) const {
    return {at(piece), assembly.problem.pieces[piece].size};
  }
  std::vector<Run> runs(unsigned group) const {
    return runs_of(assembly.problem, *solution.placement, group);
  }
  /// What of a region is guest's or hypervisor's is in the name of its pieces.
  std::string run_name(unsigned group, const Run& run) const;
};

struct PlanOptions {
  std::uint64_t budget =
      100'000;  ///< Nodes of the search, as SolveOptions; a fifth for a conflict.
};

/// Throws ScenarioError, as assemble does. What does not fit is a Plan that says so.
Plan make_plan(const PlanConfig& config, const Board& board, const ImageReader& images,
               const PlanOptions& options = {});

/// For people, and for programs.
std::string plan_text(const Plan& plan);
std::string plan_json(const Plan& plan);

/// The device tree `board_blob` with what was planned in /chosen. Of a plan that fits, for a Xen.
std::vector<std::uint8_t> planned_tree(const Plan& plan, std::span<const std::uint8_t> board_blob);

/// A file that a plan brings along.
struct PlanFile {
  std::string name;
  std::vector<std::uint8_t> bytes;
};
/// The partial device trees of domains that have devices and bring none.
std::vector<PlanFile> passthrough_trees(const Plan& plan);
/// Values to build with: a Kconfig fragment and a C header.
std::string plan_kconfig(const Plan& plan);
std::string plan_header(const Plan& plan);
/// The scenario that boots it, in a folder with the files above. `path_of` makes a path of the
/// configuration fit for that folder.
std::string plan_scenario(const Plan& plan,
                          const std::function<std::string(const std::string&)>& path_of);

}  // namespace trapline::plan
