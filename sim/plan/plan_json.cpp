#include <spdlog/fmt/fmt.h>

#include <nlohmann/json.hpp>

#include "sim/plan/plan.h"

namespace trapline::plan {
namespace {

using Json = nlohmann::ordered_json;

std::string hex(std::uint64_t value) {
  return fmt::format("{:#x}", value);
}

Json range_json(const MemoryRange& range) {
  return {{"base", hex(range.base)}, {"size", hex(range.size)}};
}

const char* fit_name(Fit fit) {
  return fit == Fit::yes ? "yes" : fit == Fit::no ? "no" : "unknown";
}

Json score_json(const Score& score) {
  return {{"peak", score.peak}, {"switch-cost", score.switch_cost}, {"waste", score.waste}};
}

Json layout_json(const Plan& plan) {
  Json memory = Json::array();
  const LayoutProblem& problem = plan.assembly.problem;
  for (unsigned n = 0; n < problem.pieces.size(); ++n) {
    const Piece& piece = problem.pieces[n];
    if (piece.device || piece.size == 0) continue;
    Json row = range_json(plan.range(n));
    row["name"] = piece.name;
    row["given"] = piece.fixed.has_value();
    memory.push_back(std::move(row));
  }
  return memory;
}

Json contexts_json(const Plan& plan) {
  Json contexts = Json::array();
  for (const ContextUse& context : plan.contexts) {
    Json slots = Json::array();
    for (const SlotUse& slot : context.slots) {
      Json row = slot.range ? range_json(*slot.range) : Json::object();
      row["name"] = slot.name;
      row["attributes"] = slot.attributes;
      slots.push_back(std::move(row));
    }
    contexts.push_back(
        {{"name", context.name}, {"regions", context.slots.size()}, {"slots", std::move(slots)}});
  }
  return contexts;
}

}  // namespace

std::string plan_json(const Plan& plan) {
  Json out = {{"target", plan.target.name},
              {"regions", plan.config.regions},
              {"fits", fit_name(plan.fit)},
              {"search-nodes", plan.solution.nodes},
              {"notes", plan.notes}};
  if (plan.solution.placement) {
    out["score"] = score_json(plan.solution.score);
    out["bound"] = score_json(plan.solution.bound);
    out["memory"] = layout_json(plan);
    for (const auto& [name, group] : {std::pair("boot-module", plan.assembly.boot_section),
                                      std::pair("guest-memory", plan.assembly.guest_section),
                                      std::pair("device-memory", plan.assembly.device_section)}) {
      if (!group) continue;
      for (const Run& run : plan.runs(*group)) {
        out["sections"][name].push_back(range_json({run.base, run.end - run.base}));
      }
    }
    out["contexts"] = contexts_json(plan);
    out["switches"] = Json::array();
    for (const SwitchCost& cost : plan.switches) {
      out["switches"].push_back({{"from", cost.from},
                                 {"to", cost.to},
                                 {"prbar", cost.prbar},
                                 {"prlar", cost.prlar},
                                 {"prenr", cost.prenr},
                                 {"el1-regions-loaded", cost.el1}});
    }
    out["reasons"] = plan.reasons;
  }
  if (plan.fit == Fit::no) {
    if (!plan.solution.fault.empty()) out["fault"] = plan.solution.fault;
    out["conflict"] = plan.conflict;
    out["conflict-minimal"] = plan.conflict_minimal;
    out["changes"] = Json::array();
    for (const Advice& advice : plan.advice) {
      Json row = {{"without", advice.change}, {"fits", fit_name(advice.fit)}};
      if (advice.peak) row["peak"] = *advice.peak;
      out["changes"].push_back(std::move(row));
    }
  }
  // Paths and commands are the user's bytes; what is not UTF-8 in them is replaced.
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace trapline::plan
