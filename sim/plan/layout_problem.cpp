#include "sim/plan/layout_problem.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "sim/plan/layout_tables.h"

namespace trapline::plan {

std::vector<Run> runs_of(const LayoutProblem& problem, const Placement& placement, unsigned group) {
  const LayoutTables tables(problem);
  std::vector<Run> runs;
  tables.visit_runs(placement, tables.all_there(), group,
                    [&](unsigned piece, bool joins, PhysAddr, PhysAddr end) {
                      if (!joins) runs.push_back({placement[piece], end, {}});
                      runs.back().end = std::max(runs.back().end, end);
                      runs.back().pieces.push_back(piece);
                    });
  return runs;
}

unsigned regions_of(const LayoutProblem& problem, const Placement& placement, unsigned context) {
  unsigned regions = problem.contexts[context].own;
  for (const unsigned group : problem.contexts[context].groups) {
    regions += static_cast<unsigned>(runs_of(problem, placement, group).size());
  }
  return regions;
}

Score score_of(const LayoutProblem& problem, const Placement& placement) {
  const LayoutTables tables(problem);
  return tables.score(placement);
}

std::string fixed_fault(const LayoutProblem& problem) {
  const LayoutTables tables(problem);
  const auto& pieces = problem.pieces;
  const auto range = [&](unsigned n) { return MemoryRange{*pieces[n].fixed, pieces[n].size}; };
  for (unsigned a = 0; a < pieces.size(); ++a) {
    if (pieces[a].size == 0 || !pieces[a].fixed) continue;
    if (!pieces[a].device) {
      const bool inside = std::any_of(problem.memory.begin(), problem.memory.end(),
                                      [&](const MemoryRange& m) { return m.contains(range(a)); });
      if (!inside) {
        return fmt::format("{} at {} is outside memory", pieces[a].name, to_string(range(a)));
      }
      for (const MemoryRange& reserved : problem.forbidden) {
        if (!reserved.overlaps(range(a))) continue;
        return fmt::format("{} at {} lies in the reserved range {}", pieces[a].name,
                           to_string(range(a)), to_string(reserved));
      }
    }
    for (unsigned b = 0; b < a; ++b) {
      if (pieces[b].size == 0 || !pieces[b].fixed || !range(a).overlaps(range(b))) continue;
      if (!tables.exclusive(a, b)) continue;
      return fmt::format("{} at {} overlaps {} at {}", pieces[b].name, to_string(range(b)),
                         pieces[a].name, to_string(range(a)));
    }
  }
  return "";
}

}  // namespace trapline::plan
