// `trapline mpu plan`: a layout that fits, before anybody builds it.
#include "sim/cli/cmd_mpu_plan.h"

#include <spdlog/fmt/fmt.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <system_error>

#include "sim/cli/dts_writer.h"
#include "sim/cli/result_output.h"
#include "sim/machine/boot.h"
#include "sim/machine/image_loader.h"
#include "sim/machine/machine_type.h"
#include "sim/plan/layer.h"
#include "sim/plan/plan.h"

namespace trapline {
namespace {

namespace fs = std::filesystem;

struct PlanArguments {
  std::string config, target, machine, folder;
  std::optional<unsigned> regions;
  std::uint64_t budget = 100'000;
  bool json = false;
};

plan::ImageFacts facts_of(const std::string& path, const std::string& role) {
  const LoadedImage image = load_image(path, role);
  plan::ImageFacts facts{image.bytes->size(), image.memory_bytes(), false, {}};
  if (image.header) {
    facts.arm64_image = true;
    facts.file_bytes = std::max(facts.file_bytes, facts.memory_bytes);
  }
  if (!image.elf) return facts;
  PhysAddr first = ~PhysAddr{0}, end = 0;
  for (const ElfSegment& segment : image.elf->segments) {
    first = std::min(first, segment.address);
    end = std::max(end, segment.address + segment.memory_bytes);
  }
  facts.linked = first;
  facts.memory_bytes = end - first;
  return facts;
}

/// Reads each file once, however often the plan asks.
class Images {
 public:
  plan::ImageFacts operator()(const std::string& path, const std::string& role) {
    const auto known = facts_.find(path);
    if (known != facts_.end()) return known->second;
    return facts_.emplace(path, facts_of(path, role)).first->second;
  }

 private:
  std::map<std::string, plan::ImageFacts> facts_;
};

void write_file(const fs::path& path, std::string_view bytes) {
  HostOutput out = HostOutput::to_file(path.string());
  out.write(bytes);
  out.close();
  if (out.error()) throw ScenarioError(*out.error());
}

std::string_view text_of(const std::vector<std::uint8_t>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void write_folder(const plan::Plan& plan, std::span<const std::uint8_t> board,
                  const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw ScenarioError(fmt::format("{}: {}", folder.string(), error.message()));
  write_file(folder / "plan.txt", plan::plan_text(plan));
  write_file(folder / "plan.json", plan::plan_json(plan));
  if (plan.fit != plan::Fit::yes) return;
  if (plan::is_xen(plan.target.target)) {
    const std::vector<std::uint8_t> tree = plan::planned_tree(plan, board);
    write_file(folder / "planned.dtb", text_of(tree));
    write_file(folder / "planned.dts", device_tree_source(tree));
    for (const plan::PlanFile& file : plan::passthrough_trees(plan)) {
      write_file(folder / file.name, text_of(file.bytes));
    }
  }
  write_file(folder / "plan.config", plan::plan_kconfig(plan));
  write_file(folder / "plan.h", plan::plan_header(plan));
  const fs::path base = fs::absolute(folder).lexically_normal();
  write_file(folder / "planned.toml", plan::plan_scenario(plan, [&](const std::string& path) {
               return fs::absolute(path).lexically_normal().lexically_relative(base).string();
             }));
}

int plan_command(const PlanArguments& arguments, const Environment& environment) {
  const SharedBytes text = read_file(arguments.config, "configuration");
  plan::PlanConfig config = plan::read_plan_config(text_of(*text), arguments.config, environment);
  if (!arguments.target.empty()) config.target = arguments.target;
  if (!arguments.machine.empty()) config.machine = arguments.machine;
  if (arguments.regions) config.regions = *arguments.regions;

  MachineConfig machine;
  machine.machine = config.machine;
  const std::vector<std::uint8_t> tree = config.device_tree.empty()
                                             ? machine_dtb(machine)
                                             : *read_file(config.device_tree, "device tree");
  const std::string tree_name =
      config.device_tree.empty() ? "machine " + config.machine : config.device_tree;
  const plan::Board board = plan::read_board(tree, tree_name);

  auto images = std::make_shared<Images>();
  const plan::Plan plan = plan::make_plan(
      config, board,
      [images](const std::string& path, const std::string& role) { return (*images)(path, role); },
      {.budget = arguments.budget});
  if (!arguments.folder.empty()) write_folder(plan, tree, arguments.folder);
  HostOutput output = output_to("-");
  output.write(arguments.json ? plan::plan_json(plan) : plan::plan_text(plan));
  return close_output(output, plan.fit == plan::Fit::yes ? kExitSuccess : kExitExpectation);
}

}  // namespace

std::string explain_regions(const MachineConfig& machine) {
  MachineConfig bare;
  bare.machine = machine.machine;
  bare.cpus = machine.cpus;
  bare.ram_bytes = machine.ram_bytes;
  Images images;
  try {
    const plan::Board board = plan::read_board(machine_dtb(bare), "machine " + bare.machine);
    const plan::Plan plan =
        plan::make_plan(plan::layer_config(machine, mpu_of(machine)->el2), board, std::ref(images));
    const bool too_few = plan.solution.score.peak > plan.config.regions;
    return plan.fit == plan::Fit::no && plan.solution.placement && too_few ? plan::plan_text(plan)
                                                                           : "";
  } catch (const std::runtime_error&) {
    return "";  // An image that cannot be read, or not a layout that the planner would make.
  }
}

void add_mpu_plan(CLI::App& mpu, std::function<int()>& action, const Environment& environment) {
  auto arguments = std::make_shared<PlanArguments>();
  CLI::App* app = mpu.add_subcommand("plan", "Compute a memory layout that fits a part's regions");
  app->add_option("config", arguments->config, "ImageBuilder configuration, or TOML (*.toml)")
      ->required();
  app->add_option("--target", arguments->target,
                  "The hypervisor: xen-arm, xen-upstream, r82 or layer");
  app->add_option("-M,--machine", arguments->machine,
                  "The board, if the file names no device tree");
  app->add_option("--regions", arguments->regions, "Regions of the EL2 MPU")
      ->check(CLI::Range(0, 255));
  app->add_option("--output-dir", arguments->folder,
                  "Write device tree, build values, scenario and summaries there");
  app->add_option("--budget", arguments->budget, "Steps of the search for each part of the score");
  app->add_flag("--json", arguments->json, "Print JSON");
  app->callback([arguments, environment, &action] {
    action = [arguments, environment] { return plan_command(*arguments, environment); };
  });
}

}  // namespace trapline
