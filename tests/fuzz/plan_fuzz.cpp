// Configurations of `trapline mpu plan`: the first byte chooses the format. What can be read is
// also planned, on the board fvp-baser with images of nobody's.
#include "sim/machine/boot.h"
#include "sim/plan/plan.h"
#include "sim/scenario/scenario.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trapline;
  fuzz::Input input(data, size);
  const bool toml = input.byte() == 't';
  static const std::vector<std::uint8_t> tree = [] {
    MachineConfig machine;
    machine.machine = "fvp-baser";
    return machine_dtb(machine);
  }();
  const auto images = [](const std::string& path, const std::string&) {
    return plan::ImageFacts{path.size() << 12, path.size() << 13, path.ends_with("Image"), {}};
  };
  try {
    const plan::PlanConfig config = plan::read_plan_config(
        fuzz::Input::text(input.rest()), toml ? "c.toml" : "c",
        [](std::string_view) -> std::optional<std::string> { return std::nullopt; });
    const plan::Plan plan =
        plan::make_plan(config, plan::read_board(tree, "board"), images, {.budget = 50});
    fuzz::check(!plan::plan_text(plan).empty(), "a plan has a summary");
    fuzz::check(!plan::plan_json(plan).empty(), "also for programs");
    if (plan.fit != plan::Fit::yes) return 0;
    fuzz::check(plan.solution.score.peak <= config.regions, "what fits has enough regions");
    plan::plan_header(plan);
    plan::plan_kconfig(plan);
    plan::plan_scenario(plan, [](const std::string& path) { return path; });
    if (!plan::is_xen(plan.target.target)) return 0;
    plan::planned_tree(plan, tree);
    plan::passthrough_trees(plan);
  } catch (const ScenarioError& error) {
    fuzz::check_message(error.what());
  }
  return 0;
}
