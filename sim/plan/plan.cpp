#include "sim/plan/plan.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "sim/scenario/scenario.h"

namespace trapline::plan {
namespace {

constexpr unsigned kBootMapEntries = 16;  // ARM_DEFAULT_MPU_PROTECTION_REGIONS

unsigned run_count(const Plan& plan, unsigned group) {
  return static_cast<unsigned>(plan.runs(group).size());
}

std::vector<ContextUse> use_slots(const Plan& plan) {
  std::vector<ContextUse> result;
  const Assembly& assembly = plan.assembly;
  for (unsigned c = 0; c < assembly.slots.size(); ++c) {
    ContextUse use{assembly.problem.contexts[c].name, {}};
    for (const SlotRow& row : assembly.slots[c]) {
      if (!row.group) {
        use.slots.push_back({row.name, row.attributes});
        continue;
      }
      for (const Run& run : plan.runs(*row.group)) {
        SlotUse slot{plan.run_name(*row.group, run), row.attributes, {}};
        // Where text ends within the hypervisor's image, its linker decides.
        if (run.pieces.front() != assembly.hypervisor) {
          slot.range = MemoryRange{run.base, run.end - run.base};
        }
        use.slots.push_back(std::move(slot));
      }
    }
    result.push_back(std::move(use));
  }
  return result;
}

/// The layer writes the domain's regions, and disables what the one before had more.
std::vector<SwitchCost> layer_switches(const Plan& plan) {
  const std::vector<DomainParts>& domains = plan.assembly.domains;
  const std::size_t fixed = plan.contexts.front().slots.size();
  const auto own = [&](unsigned n) {
    return static_cast<unsigned>(plan.contexts[domains[n].context].slots.size() - fixed);
  };
  std::vector<SwitchCost> result;
  for (unsigned to = 0; to < domains.size(); ++to) {
    for (unsigned from = 0; from < domains.size(); ++from) {
      if (from == to) continue;
      result.push_back({plan.config.domains[from].name, plan.config.domains[to].name, own(to),
                        std::max(own(to), own(from)), 0, plan.config.domains[to].pmsa});
    }
  }
  return result;
}

std::vector<SwitchCost> switches_of(const Plan& plan) {
  std::vector<SwitchCost> result;
  const Assembly& assembly = plan.assembly;
  const auto total = [&](unsigned context) {
    return static_cast<unsigned>(plan.contexts[context].slots.size());
  };
  if (plan.target.target == Target::xen_arm) {
    const unsigned sections =
        run_count(plan, *assembly.guest_section) + run_count(plan, *assembly.device_section);
    const unsigned fixed = total(1) - sections;
    for (unsigned n = 0; n < assembly.domains.size(); ++n) {
      const DomainConfig& domain = plan.config.domains[n];
      const unsigned own = total(assembly.domains[n].context) - fixed;
      result.push_back({"idle", domain.name, own, own, sections, domain.pmsa});
      result.push_back({domain.name, "idle", sections, sections, own});
    }
  } else if (plan.target.target == Target::layer) {
    return layer_switches(plan);
  } else if (plan.target.target == Target::r82) {
    const unsigned fixed = total(0);
    unsigned all = fixed, most = 0;
    for (const DomainParts& parts : assembly.domains) {
      all += total(parts.context) - fixed;
      most = std::max(most, total(parts.context) - fixed);
    }
    for (unsigned n = 0; n < assembly.domains.size(); ++n) {
      const unsigned own = total(assembly.domains[n].context) - fixed;
      SwitchCost cost{"any", plan.config.domains[n].name, 0, 0, 0, true};
      if (all <= plan.config.regions) {
        cost.prenr = 1;
      } else {
        cost.prbar = most;
        cost.prlar = most + own;
      }
      result.push_back(std::move(cost));
    }
  }
  return result;
}

/// What keeps two regions of one group apart.
std::string between(const Plan& plan, unsigned group, const Run& below, const Run& above) {
  const Assembly& assembly = plan.assembly;
  const MemoryRange gap{below.end, above.base - below.end};
  for (const MemoryRange& range : assembly.problem.forbidden) {
    if (range.overlaps(gap)) return fmt::format("{} may not be mapped", to_string(range));
  }
  for (const Context& context : assembly.problem.contexts) {
    if (std::find(context.groups.begin(), context.groups.end(), group) == context.groups.end()) {
      continue;
    }
    for (const unsigned other : context.groups) {
      if (other == group) continue;
      for (const unsigned piece : assembly.problem.groups[other].pieces) {
        if (assembly.problem.pieces[piece].size == 0 || !plan.range(piece).overlaps(gap)) continue;
        return fmt::format("{} lies between", assembly.problem.pieces[piece].name);
      }
    }
  }
  return fmt::format("they lie {:#x} apart", gap.size);
}

std::vector<std::string> reasons_of(const Plan& plan) {
  std::vector<std::string> result;
  const LayoutProblem& problem = plan.assembly.problem;
  for (unsigned g = 0; g < problem.groups.size(); ++g) {
    if (problem.groups[g].merge == Merge::never) continue;
    const std::vector<Run> runs = plan.runs(g);
    for (std::size_t n = 1; n < runs.size(); ++n) {
      result.push_back(fmt::format("{} takes {} regions: {} ends at {:#x}, {} starts at {:#x}, {}",
                                   problem.groups[g].name, runs.size(),
                                   problem.pieces[runs[n - 1].pieces.back()].name, runs[n - 1].end,
                                   problem.pieces[runs[n].pieces.front()].name, runs[n].base,
                                   between(plan, g, runs[n - 1], runs[n])));
    }
  }
  return result;
}

void explain_failure(Plan& plan, std::uint64_t budget) {
  const Assembly& assembly = plan.assembly;
  const Conflict conflict = find_conflict(assembly.problem, assembly.constraints, budget);
  plan.conflict_minimal = conflict.minimal;
  for (const unsigned member : conflict.members) {
    plan.conflict.push_back(assembly.constraints[member].text);
  }
  for (const Change& change :
       changes_that_help(assembly.problem, assembly.constraints, conflict, budget)) {
    const Constraint& constraint = assembly.constraints[change.constraint];
    Advice advice{constraint.text, change.fit};
    if (change.has_layout) advice.peak = change.peak;
    advice.is_part = change.has_layout && constraint.kind == Constraint::Kind::regions;
    plan.advice.push_back(std::move(advice));
  }
}

void check_boot_map(const Plan& plan) {
  if (plan.target.target != Target::xen_arm) return;
  const unsigned used =
      6 + plan.config.early_console + 2 + run_count(plan, *plan.assembly.guest_section);
  if (used <= kBootMapEntries) return;
  throw ScenarioError(fmt::format(
      "{}: this port maps {} regions before it has a heap for its map, which has 16 entries: the "
      "guest section is in too many parts",
      plan.config.path, used));
}

}  // namespace

std::string Plan::run_name(unsigned group, const Run& run) const {
  const Group& g = assembly.problem.groups[group];
  if (run.pieces.size() == 1 && (g.pieces.size() > 1 || g.device)) {
    const std::string& piece = assembly.problem.pieces[run.pieces.front()].name;
    return g.name == piece ? piece : fmt::format("{}: {}", g.name, piece);
  }
  return g.name;
}

Plan make_plan(const PlanConfig& config, const Board& board, const ImageReader& images,
               const PlanOptions& options) {
  const TargetFacts& target = target_named(config.target);
  Plan plan{config, board, target, assemble(config, board, target, images), {}};
  plan.solution = solve(plan.assembly.problem, {.budget = options.budget});
  plan.fit = plan.solution.fit(config.regions);
  plan.notes = config.notes;
  if (plan.solution.placement) {
    plan.contexts = use_slots(plan);
    plan.switches = switches_of(plan);
    plan.reasons = reasons_of(plan);
  }
  if (plan.fit == Fit::yes) {
    check_boot_map(plan);
  } else if (plan.fit == Fit::no) {
    explain_failure(plan, options.budget / 5);
  }
  if (target.target == Target::layer && !config.hypervisor.empty()) {
    plan.notes.push_back("the layer is no image: " + config.hypervisor + " is not used");
  }
  for (const DomainConfig& domain : config.domains) {
    if (target.target != Target::layer || !domain.vpl011 || domain.devices.empty()) continue;
    plan.notes.push_back(
        fmt::format("{}: {} takes the place of the emulated UART", domain.name, domain.devices[0]));
  }
  if (target.target == Target::r82 && plan.solution.placement) {
    std::size_t all = plan.contexts.front().slots.size();
    for (const DomainParts& parts : plan.assembly.domains) {
      all += plan.contexts[parts.context].slots.size() - plan.contexts.front().slots.size();
    }
    plan.notes.push_back(
        fmt::format("with {} regions or more, guests change by one write of PRENR_EL2", all));
  }
  for (const DomainConfig& domain : config.domains) {
    if (domain.passthrough.empty() || !domain.devices.empty()) continue;
    plan.notes.push_back(
        fmt::format("{}: {} is not read: name the devices in it, or their regions are not counted",
                    domain.name, domain.passthrough));
  }
  if (target.target == Target::xen_upstream && config.domains.empty()) {
    plan.notes.push_back("without domains Xen looks for the kernel of a domain 0");
  }
  if (target.target == Target::xen_upstream && !config.domains.empty()) {
    plan.notes.push_back(
        "this port makes no domains yet: they are placed, and the plan counts regions up to where "
        "it stops (p2m.c)");
  }
  return plan;
}

}  // namespace trapline::plan
