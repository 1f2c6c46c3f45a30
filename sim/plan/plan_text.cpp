#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "sim/plan/plan.h"

namespace trapline::plan {
namespace {

std::string range_text(const MemoryRange& range) {
  return fmt::format("{:#010x}-{:#010x}", range.base, range.base + range.size - 1);
}

std::string proof(const Solution& solution) {
  const auto part = [](std::string_view what, std::uint64_t score, std::uint64_t bound) {
    return score == bound ? fmt::format("{} {} is the least there can be", what, score)
                          : fmt::format("{} {} (no less than {} is possible)", what, score, bound);
  };
  std::string text = part("peak", solution.score.peak, solution.bound.peak);
  text += "; " + part("switch cost", solution.score.switch_cost, solution.bound.switch_cost);
  return text + "; " + part("waste", solution.score.waste, solution.bound.waste);
}

void add_addresses(const Plan& plan, std::string& out) {
  const LayoutProblem& problem = plan.assembly.problem;
  std::vector<unsigned> order;
  for (unsigned n = 0; n < problem.pieces.size(); ++n) {
    if (!problem.pieces[n].device && problem.pieces[n].size != 0) order.push_back(n);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](unsigned a, unsigned b) { return plan.at(a) < plan.at(b); });
  out += "\nmemory\n";
  for (const unsigned n : order) {
    out += fmt::format("  {}  {:<9} {}{}\n", range_text(plan.range(n)),
                       size_text(problem.pieces[n].size), problem.pieces[n].name,
                       problem.pieces[n].fixed ? " (given)" : "");
  }
}

void add_sections(const Plan& plan, std::string& out) {
  const auto add = [&](const std::optional<unsigned>& group, std::string_view property) {
    if (!group) return;
    for (const Run& run : plan.runs(*group)) {
      out += fmt::format("  {}  {}\n", range_text({run.base, run.end - run.base}), property);
    }
  };
  if (!plan.assembly.guest_section) return;
  out += "\nsections\n";
  add(plan.assembly.boot_section, "mpu,boot-module-section");
  add(plan.assembly.guest_section, "mpu,guest-memory-section");
  add(plan.assembly.device_section, "mpu,device-memory-section");
}

void add_contexts(const Plan& plan, std::string& out) {
  for (const ContextUse& context : plan.contexts) {
    out += fmt::format("\n{}: {} of {} regions\n", context.name, context.slots.size(),
                       plan.config.regions);
    for (std::size_t n = 0; n < context.slots.size(); ++n) {
      const SlotUse& slot = context.slots[n];
      const std::string line =
          fmt::format("  {:>3}  {:<21}  {:<33}  {}", n, slot.range ? range_text(*slot.range) : "",
                      slot.attributes, slot.name);
      out += line + "\n";
    }
  }
}

void add_switches(const Plan& plan, std::string& out) {
  if (plan.switches.empty()) return;
  out += "\nswitches (register writes at EL2)\n";
  for (const SwitchCost& cost : plan.switches) {
    out += fmt::format("  {} to {}: {} PRBAR, {} PRLAR, {} PRENR{}\n", cost.from, cost.to,
                       cost.prbar, cost.prlar, cost.prenr, cost.el1 ? ", and EL1's regions" : "");
  }
}

void add_failure(const Plan& plan, std::string& out) {
  if (plan.fit == Fit::unknown) {
    out += fmt::format("no layout was found in {} steps, and none was shown to be impossible\n",
                       plan.solution.nodes);
    return;
  }
  if (plan.solution.placement) {
    const auto worst = std::max_element(
        plan.contexts.begin(), plan.contexts.end(),
        [](const ContextUse& a, const ContextUse& b) { return a.slots.size() < b.slots.size(); });
    out += fmt::format("does not fit: the part has {} regions, this needs {}{} ({})\n",
                       plan.config.regions, plan.solution.proved_peak() ? "" : "about ",
                       plan.solution.score.peak, worst->name);
  } else if (!plan.solution.fault.empty()) {
    out += fmt::format("does not fit: {}\n", plan.solution.fault);
  } else {
    out += "does not fit: there is no room for everything\n";
  }
  for (const std::string& reason : plan.reasons) out += fmt::format("  {}\n", reason);
  out += plan.conflict_minimal ? "\nthese cannot all hold, and any one less could:\n"
                               : "\nthese cannot all hold:\n";
  for (const std::string& text : plan.conflict) out += fmt::format("  {}\n", text);
  out += "\nwithout one of them:\n";
  for (const Advice& advice : plan.advice) {
    std::string effect = "still no layout";
    if (advice.peak) effect = fmt::format("{} regions are needed", *advice.peak);
    if (advice.fit == Fit::yes) effect = "fits, " + effect;
    if (advice.is_part) effect = fmt::format("a part with {} would do", *advice.peak);
    out += fmt::format("  {}: {}\n", advice.change, effect);
  }
}

}  // namespace

std::string plan_text(const Plan& plan) {
  std::string out = fmt::format("{}: {} on a part with {} EL2 regions\n", plan.config.path,
                                plan.target.summary, plan.config.regions);
  for (const std::string& note : plan.notes) out += fmt::format("note: {}\n", note);
  if (plan.fit != Fit::yes) {
    add_failure(plan, out);
    return out;
  }
  out += fmt::format("fits: {} of {} regions\n", plan.solution.score.peak, plan.config.regions);
  out += proof(plan.solution) + "\n";
  for (const std::string& reason : plan.reasons) out += reason + "\n";
  add_addresses(plan, out);
  add_sections(plan, out);
  add_contexts(plan, out);
  add_switches(plan, out);
  return out;
}

}  // namespace trapline::plan
