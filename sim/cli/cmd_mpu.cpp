// `trapline mpu`: how much of its MPUs' regions software uses, and what it would need.
#include <spdlog/fmt/fmt.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "sim/cli/cmd_mpu_plan.h"
#include "sim/cli/commands.h"
#include "sim/cli/open_trace.h"
#include "sim/cli/result_output.h"
#include "sim/report/mpu_usage.h"

namespace trapline {
namespace {

struct ReportOptions {
  std::string trace;
};

int report_command(const ReportOptions& options) {
  OpenTrace trace(options.trace);
  TraceReader& reader = trace.reader();
  if (!reader.header().events.has(EventKind::mpu_region)) {
    throw TraceError(options.trace +
                     ": the trace holds no mpu-region events; record them with --events");
  }
  MpuUsage usage;
  for (StoredEvent stored; reader.next(stored);) usage.on_event(stored.view());
  usage.finish();
  HostOutput output = output_to("-");
  if (const std::string* regions = reader.header().fact("mpu-regions")) {
    output.write(fmt::format("regions implemented (EL1,EL2): {}\n", *regions));
  }
  output.write(mpu_table(usage));
  say_if_cut(reader, options.trace);
  return close_output(output, kExitSuccess);
}

void add_report(CLI::App& mpu, std::function<int()>& action) {
  auto options = std::make_shared<ReportOptions>();
  CLI::App* app = mpu.add_subcommand("report", "Regions that a traced run used");
  app->add_option("trace", options->trace, "The trace")->required();
  app->callback([options, &action] { action = [options] { return report_command(*options); }; });
}

}  // namespace

void add_mpu_commands(CLI::App& mpu, std::function<int()>& action,
                      const Environment& environment) {
  mpu.require_subcommand(1);
  add_report(mpu, action);
  add_mpu_plan(mpu, action, environment);
}

}  // namespace trapline
