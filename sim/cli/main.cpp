// The command `trapline`.
#include <spdlog/fmt/fmt.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "sim/arch/one_line.h"
#include "sim/cli/commands.h"
#include "sim/report/outcome.h"

namespace trapline {
namespace {

constexpr int kExitBug = 70;  // EX_SOFTWARE of sysexits.h: not the user's fault, not the guest's.

// The process's environment, with a default for the folder that scripts/fetch-images fills.
std::optional<std::string> environment(std::string_view name) {
  if (const char* value = std::getenv(std::string(name).c_str())) return value;
  if (name != "TRAPLINE_IMAGES") return std::nullopt;
  if (const char* cache = std::getenv("TRAPLINE_CACHE")) return std::string(cache) + "/images";
  if (const char* cache = std::getenv("XDG_CACHE_HOME")) {
    return std::string(cache) + "/trapline/images";
  }
  if (const char* home = std::getenv("HOME")) {
    return std::string(home) + "/.cache/trapline/images";
  }
  return std::nullopt;
}

int help_command(const std::string& topic);

// The parser and what it found.
struct CommandLine {
  CLI::App app{"Trapline: a deterministic simulator for Arm hypervisor images and their guests"};
  RunArguments run;
  RunArguments dtb;
  bool dts = false;
  std::string output;
  std::string topic;
  struct {
    std::string a, form = "text", events, device;
    std::vector<std::string> symbols;
    TraceRange range;
  } trace;
  TestOptions test;
  std::string shard;
  std::function<int()> action;

  CommandLine() {
    app.name("trapline");
    app.set_version_flag("--version", "trapline " TRAPLINE_VERSION);
    app.require_subcommand(0, 1);

    CLI::App* run_app = app.add_subcommand("run", "Run a hypervisor image and its guests");
    add_run_options(*run_app, run);
    run_app->footer(
        "Exit code: 0 the guest powered off; its own code where it gives one; 1 an expectation\n"
        "failed; 2 bad usage or input; 3 the guest is stuck or died; 124 a limit was reached.\n"
        "Long options take one dash as well: -kernel is --kernel.");
    run_app->callback([this] { action = [this] { return run_command(run, environment); }; });

    CLI::App* machine_app = app.add_subcommand("machine", "Describe the machines");
    machine_app->require_subcommand(1);
    machine_app->add_subcommand("list", "Name the machines")->callback([this] {
      action = machine_list_command;
    });
    CLI::App* dtb_app = machine_app->add_subcommand(
        "dtb", "Write the device tree that the options of 'run' lead to");
    add_run_options(*dtb_app, dtb);
    dtb_app->add_option("-o,--output", output, "Write to FILE")->type_name("FILE");
    dtb_app->add_flag("--dts", dts, "Write source, not a blob");
    dtb_app->callback(
        [this] { action = [this] { return machine_dtb_command(dtb, environment, dts, output); }; });

    CLI::App* xen_app = app.add_subcommand("xen", "Describe what Xen guests find");
    xen_app->require_subcommand(1);
    xen_app->add_subcommand("abi", "List the hypercalls: implemented, refused, not implemented")
        ->callback([this] { action = xen_abi_command; });
    add_test_command(*app.add_subcommand("test", "Run scenario files as tests"));
    add_trace_commands(*app.add_subcommand("trace", "Look at the trace of a run"));

    add_mpu_commands(*app.add_subcommand("mpu", "Measure the pressure on MPU regions"), action,
                     environment);

    CLI::App* help_app = app.add_subcommand("help", "Explain a command");
    help_app->add_option("command", topic, "run, machine, dtb...");
    help_app->callback([this] { action = [this] { return help_command(topic); }; });
  }

 private:
  void add_test_command(CLI::App& test_app) {
    test_app.add_option("paths", test.paths, "Scenario files, or folders of them")->required();
    test_app.add_option("--junit", test.junit, "Write the results as JUnit XML")
        ->type_name("FILE");
    test_app.add_flag("--update", test.update, "Write the golden traces anew");
    test_app.add_option("-j,--jobs", test.jobs, "Runs side by side (1)")
        ->type_name("N")
        ->check(CLI::Range(1, 1024));
    test_app.add_option("--shard", shard, "Only the I-th of every N scenarios")->type_name("I/N");
    test_app.add_option("--timeout", test.timeout, "Host time for each run")
        ->type_name("SECONDS");
    test_app.footer("Exit code: 0 all passed; 1 some failed; 2 bad usage or input.");
    test_app.callback([this] {
      action = [this] {
        set_shard();
        return test_command(test, environment);
      };
    });
  }

  void set_shard() {
    if (shard.empty()) return;
    int used = 0;
    if (std::sscanf(shard.c_str(), "%u/%u%n", &test.shard, &test.shards, &used) != 2 ||
        static_cast<std::size_t>(used) != shard.size() || test.shard < 1 ||
        test.shard > test.shards) {
      throw ScenarioError(fmt::format("--shard {}: expected I/N with I from 1 to N", shard));
    }
  }

  EventSet trace_events() const {
    return trace.events.empty() ? EventSet::any() : EventSet::parse(trace.events);
  }

  void add_trace_commands(CLI::App& trace_app) {
    trace_app.require_subcommand(1);
    const auto command = [&](const char* name, const char* about, std::function<int()> does) {
      CLI::App* sub = trace_app.add_subcommand(name, about);
      sub->callback([this, does] { action = does; });
      return sub;
    };
    const auto add_events = [this](CLI::App* sub) {
      sub->add_option("--events", trace.events, "Only these kinds and categories")
          ->type_name("LIST");
    };

    CLI::App* show = command("show", "Print its events, one a line", [this] {
      return trace_show_command(trace.a, trace_events(), trace.range, trace.symbols);
    });
    show->add_option("trace", trace.a, "The trace")->required();
    add_events(show);
    show->add_option("--from", trace.range.from, "From this instruction of its CPU on");
    show->add_option("--to", trace.range.to, "Up to this instruction");
    show->add_option("--cpu", trace.range.cpu, "Of this CPU");
    show->add_option("--symbols", trace.symbols, "Add the places of addresses, as 'run' knows them")
        ->type_name("FILE[,el=N][,vmid=N][,offset=N]")
        ->allow_extra_args(false);

    CLI::App* stats = command("stats", "Count its events",
                              [this] { return trace_stats_command(trace.a); });
    stats->add_option("trace", trace.a, "The trace")->required();

    CLI::App* convert = command("convert", "Write it in another form", [this] {
      return trace_convert_command(trace.a, trace.form, output);
    });
    convert->add_option("trace", trace.a, "The trace")->required();
    convert->add_option("--to", trace.form, "text, binary, csv, or chrome (JSON for Perfetto)")
        ->check(CLI::IsMember({"text", "binary", "csv", "chrome"}));
    convert->add_option("-o,--output", output, "Write to FILE")->type_name("FILE");

    CLI::App* replay = command(
        "replay", "Drive a device's model from its recording; exit code 1 if it differs",
        [this] { return trace_replay_command(trace.a, trace.device); });
    replay->add_option("recording", trace.a, "Made by run --record-device")->required();
    replay->add_option("--device", trace.device, "gic, timer, mpu or pl011")->required();

    add_trace_diff(trace_app, action, environment);
  }
};

// A fresh parser explains: one that has parsed "help" would explain that command.
int help_command(const std::string& topic) {
  CommandLine line;
  CLI::App* found = &line.app;
  if (!topic.empty()) {
    found = nullptr;
    for (CLI::App* command : line.app.get_subcommands({})) {
      if (command->get_name() == topic) found = command;
    }
  }
  if (!found)
    throw ScenarioError(fmt::format("there is no command '{}': see trapline help", topic));
  std::fputs(found->help().c_str(), stdout);
  return kExitSuccess;
}

int run_main(const std::vector<std::string>& arguments) {
  CommandLine line;
  std::vector<std::string> words = normalise_arguments(arguments);
  std::reverse(words.begin(), words.end());  // CLI11 takes them last first.
  try {
    line.app.parse(words);
  } catch (const CLI::Success& request) {  // --help, --version
    return line.app.exit(request);
  } catch (const CLI::ParseError& error) {
    throw ScenarioError(fmt::format("{}; see trapline help", error.what()));
  }
  if (!line.action) return help_command({});
  return line.action();
}

void complain(std::string_view what) {
  std::fprintf(stderr, "trapline: %s\n", one_line(what).c_str());
}

}  // namespace
}  // namespace trapline

int main(int argc, char** argv) {
  // A file that reached its limit (ulimit -f) is an error of write(), like a full disk.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return trapline::run_main({argv + 1, argv + argc});
  } catch (
      const std::runtime_error& error) {  // ScenarioError, ImageError, a host without memory...
    trapline::complain(error.what());
  } catch (const std::invalid_argument& error) {  // An option that the machine does not have.
    trapline::complain(error.what());
  } catch (const std::exception& error) {
    trapline::complain(fmt::format("internal error: {}", error.what()));
    return trapline::kExitBug;
  }
  return trapline::kExitUsage;
}
