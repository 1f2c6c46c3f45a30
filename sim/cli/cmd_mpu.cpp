// `trapline mpu`: how much of its MPUs' regions software uses, and what it would need.
#include <spdlog/fmt/fmt.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "sim/cli/cmd_mpu_plan.h"
#include "sim/cli/commands.h"
#include "sim/cli/mpu_sweep.h"
#include "sim/cli/open_trace.h"
#include "sim/cli/result_output.h"
#include "sim/machine/image_loader.h"
#include "sim/machine/machine_type.h"
#include "sim/report/mpu_report.h"
#include "sim/scenario/scenario.h"

namespace trapline {
namespace {

struct ReportOptions {
  std::string trace, format, output, device_tree;
  std::vector<std::string> symbols, lists;
};

std::string file_text(const std::string& path) {
  const SharedBytes bytes = read_file(path, "list of names");
  return {bytes->begin(), bytes->end()};
}

void add_tree(AddressNames& names, const std::string& path, const std::string* machine) {
  const SharedBytes blob = read_file(path, "device tree");
  names.add_device_tree(*blob, path);
  if (!machine) return;
  const auto place = machine_type(*machine).places({}).dtb;
  if (!place) return;
  names.add({*place, *place + blob->size() - 1, "device tree", {}, NamedRange::Source::device_tree});
}

/// By the trace's name, without folder and ending.
std::string report_title(const std::string& path) {
  const std::string name = path.substr(path.find_last_of('/') + 1);
  return "MPU regions: " + name.substr(0, name.rfind('.'));
}

int report_command(const ReportOptions& options) {
  OpenTrace trace(options.trace);
  TraceReader& reader = trace.reader();
  const TraceHeader& header = reader.header();
  if (!header.events.has(EventKind::mpu_region)) {
    throw TraceError(options.trace +
                     ": the trace holds no mpu-region events; record them with --events");
  }
  MpuReportFormat format = MpuReportFormat::text;
  if (!options.format.empty()) {
    format = parse_mpu_report_format(options.format);
  } else if (!options.output.empty() && options.output != "-") {
    format = mpu_report_format_of(options.output);
  }
  AddressNames names;
  for (const std::string& list : options.lists) names.add_list(file_text(list), list);
  for (const std::string& text : options.symbols) {
    const SymbolSpec spec = parse_symbols(text);
    names.add_image(spec.path, image_label(spec.path), spec.offset);
  }
  const std::string* machine = header.fact("machine");
  if (!options.device_tree.empty()) add_tree(names, options.device_tree, machine);
  if (machine) names.add_machine(*machine);

  const std::optional<MpuLayerFacts> layer = mpu_layer_facts(header.facts);
  if (layer) add_layer_names(names, *layer);
  MpuTelemetry telemetry(layer);
  for (StoredEvent stored; reader.next(stored);) telemetry.on_event(stored.view());
  telemetry.finish();
  HostOutput output = output_to(options.output);
  output.write(mpu_report({.telemetry = telemetry,
                           .names = names,
                           .title = report_title(options.trace),
                           .facts = header.facts,
                           .recorded = header.events,
                           .digest = reader.end() ? reader.end()->digest : ""},
                          format));
  say_if_cut(reader, options.trace);
  return close_output(output, kExitSuccess);
}

void add_report(CLI::App& mpu, std::function<int()>& action) {
  auto options = std::make_shared<ReportOptions>();
  CLI::App* app = mpu.add_subcommand("report", "Regions that a traced run used");
  app->add_option("trace", options->trace, "The trace")->required();
  app->add_option("--format", options->format, "text, json, csv or html (by FILE's ending)");
  app->add_option("-o,--output", options->output, "Write to FILE")->type_name("FILE");
  app->add_option("--symbols", options->symbols, "Names from an ELF file's sections; repeatable")
      ->type_name("FILE[,offset=N]");
  app->add_option("--dtb", options->device_tree, "Names from a device tree")->type_name("FILE");
  app->add_option("--names", options->lists, "Names from lines FIRST LAST NAME; repeatable")
      ->type_name("FILE");
  app->callback([options, &action] { action = [options] { return report_command(*options); }; });
}

void add_sweep(CLI::App& mpu, std::function<int()>& action) {
  auto options = std::make_shared<MpuSweepOptions>();
  CLI::App* app =
      mpu.add_subcommand("sweep", "Run a scenario on parts with different numbers of regions");
  app->add_option("scenario", options->scenario, "The scenario file")->required();
  app->add_option("options", options->options, "After --: options of 'run', for every run");
  app->add_option("--regions", options->regions, "Such as 8..32, 8..32/4 or 8,16,32")
      ->type_name("LIST")
      ->required();
  app->add_option("--el1", options->el1, "Regions of EL1's MPU (as many as EL2's)")->type_name("N");
  app->add_option("-j,--jobs", options->jobs, "Runs side by side (1)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  app->add_option("--timeout", options->timeout, "Host time for each run")->type_name("SECONDS");
  app->add_option("--format", options->format, "text or json (by FILE's ending)");
  app->add_option("-o,--output", options->output, "Write to FILE")->type_name("FILE");
  app->footer("Exit code: 0 some part meets the scenario's expectations; 1 none does; 2 bad usage.");
  app->callback([options, &action] { action = [options] { return mpu_sweep_command(*options); }; });
}

}  // namespace

void add_mpu_commands(CLI::App& mpu, std::function<int()>& action,
                      const Environment& environment) {
  mpu.require_subcommand(1);
  add_report(mpu, action);
  add_mpu_plan(mpu, action, environment);
  add_sweep(mpu, action);
}

}  // namespace trapline
