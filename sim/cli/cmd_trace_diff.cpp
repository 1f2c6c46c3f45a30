// `trapline trace diff`: the first event, and the first instruction, in which two runs differ.
#include <fcntl.h>
#include <signal.h>
#include <spdlog/fmt/fmt.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>

#include "sim/cli/commands.h"
#include "sim/cli/open_trace.h"
#include "sim/cli/result_output.h"
#include "sim/cli/temporary_folder.h"
#include "sim/machine/boot.h"
#include "sim/report/image_symbols.h"
#include "sim/report/trace_report.h"
#include "sim/rerun/first_divergence.h"
#include "sim/rerun/parting_text.h"
#include "sim/rerun/remake.h"
#include "sim/scenario/toml_reader.h"

namespace trapline {
namespace {

struct DiffOptions {
  std::string a, b;
  std::string events = "all";
  unsigned context = 5;
  bool events_only = false;
  std::string rerun_a, rerun_b;
  std::vector<std::string> symbols;
};

bool is_scenario(const std::string& path) {
  return std::filesystem::path(path).extension() == ".toml";
}

/// Starts `trapline run` of a scenario, for its trace.
pid_t start_recording(const std::string& scenario, const std::string& trace) {
  std::vector<std::string> words{"trapline", "run",      scenario, "--batch", "--quiet", "--trace",
                                 trace,      "--events", "all",    "--log",   "off"};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t child = fork();
  if (child < 0) throw RerunError(fmt::format("{}: {}", scenario, std::strerror(errno)));
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    const int nothing = open("/dev/null", O_RDWR);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO}) dup2(nothing, fd);
    execv("/proc/self/exe", arguments.data());
    _exit(127);
  }
  return child;
}

/// A side that is a scenario is recorded first; both at once if both are.
class Recordings {
 public:
  Recordings(std::string& a, std::string& b, const Environment& environment) {
    for (const std::string* path : {&a, &b}) {
      if (is_scenario(*path)) check(*path, environment);
    }
    std::vector<std::pair<pid_t, std::string>> running;
    for (std::string* path : {&a, &b}) {
      if (!is_scenario(*path)) continue;
      const std::string trace = (folder_.path() / (path == &a ? "a.ttb" : "b.ttb")).string();
      running.emplace_back(start_recording(*path, trace), trace);
      *path = trace;
    }
    for (const auto& [child, trace] : running) {
      int status = 0;
      waitpid(child, &status, 0);
      // Its standard error has said why. A run that fails its expectations has a trace as well.
      if (!std::filesystem::exists(trace)) throw RerunError("a scenario could not be recorded");
    }
  }

 private:
  /// Here, as two runs that fail would both say why.
  static void check(const std::string& path, const Environment& environment) {
    const Scenario scenario = read_scenario_file(path, environment);
    check_has_image(scenario);
    if (scenario.machine.domains.empty()) plan_boot(scenario.machine);
  }

  TemporaryFolder folder_;
};

/// What the re-run of one side starts from.
RerunSide rerun_side(const std::string& name, const std::string& path, TraceReader& reader,
                     const std::string& words, std::uint64_t events, const EventSet& recorded,
                     const Environment& environment) {
  return {
      name, remake_scenario(reader.header(), name, words, environment), {path, events, recorded}};
}

Symbols symbols_of(const DiffOptions& options, Scenario scenario) {
  for (const std::string& file : options.symbols) scenario.symbols.push_back(parse_symbols(file));
  return image_symbols(scenario);
}

std::string instruction_text(const DiffOptions& options, const DiffOptions& names,
                             const TraceDifference& difference, TraceReader& a, TraceReader& b,
                             const Environment& environment) {
  if (options.events_only) return {};
  try {
    const EventSet recorded = a.header().events | b.header().events;
    const RerunSide side_a = rerun_side(names.a, options.a, a, options.rerun_a,
                                        difference.recorded_a, recorded, environment);
    const RerunSide side_b = rerun_side(names.b, options.b, b, options.rerun_b,
                                        difference.recorded_b, recorded, environment);
    const Partings partings = find_partings(side_a, side_b, difference.checkpoints);
    return partings_text(partings, symbols_of(options, side_a.scenario),
                         symbols_of(options, side_b.scenario));
  } catch (const RerunError& error) {
    return fmt::format("the instruction is not known: {}\n", error.what());
  }
}

int diff_command(const DiffOptions& names, const Environment& environment) {
  DiffOptions options = names;
  const Recordings recordings(options.a, options.b, environment);
  OpenTrace a(options.a), b(options.b);
  const TraceDifference difference =
      compare_traces(a.reader(), b.reader(), EventSet::parse(options.events), options.context);
  HostOutput output = output_to("-");
  const auto& end_a = a.reader().end();
  const auto& end_b = b.reader().end();
  const bool other_digests = end_a && end_b && end_a->digest != end_b->digest;
  if (!difference.differ()) {
    say_if_cut(a.reader(), names.a);
    say_if_cut(b.reader(), names.b);
  }
  if (!difference.differ() && !other_digests) {
    output.write(fmt::format("{} events are equal{}\n", difference.common,
                             end_a && end_b ? ", and so are the digests" : ""));
    return close_output(output, kExitSuccess);
  }
  if (difference.differ()) {
    output.write(fmt::format("a: {}\nb: {}\n", names.a, names.b));
    output.write(difference_text(difference, a.reader().header(), b.reader().header()));
  } else {
    output.write(
        fmt::format("{} events are equal, but the runs differ: digests {} and {}.\n"
                    "What differs was not recorded or not compared; compared were: {}\n",
                    difference.common, end_a->digest, end_b->digest, difference.events.text()));
  }
  output.flush();
  output.write(instruction_text(options, names, difference, a.reader(), b.reader(), environment));
  return close_output(output, kExitExpectation);
}

}  // namespace

void add_trace_diff(CLI::App& trace, std::function<int()>& action, const Environment& environment) {
  auto options = std::make_shared<DiffOptions>();
  CLI::App* app =
      trace.add_subcommand("diff", "Find where two runs parted; exit code 1 if they did");
  app->add_option("a", options->a, "One trace, or a scenario file (TOML) to be run")->required();
  app->add_option("b", options->b, "The other")->required();
  app->add_option("--events", options->events, "Compare only these kinds and categories")
      ->type_name("LIST");
  app->add_option("--context", options->context, "Events shown before and after")->type_name("N");
  app->add_flag("--events-only", options->events_only,
                "Do not run both sides again to find the instruction");
  app->add_option("--rerun-a", options->rerun_a,
                  "What 'trapline run' is told for one side, if its trace does not say it")
      ->type_name("ARGUMENTS");
  app->add_option("--rerun-b", options->rerun_b, "Likewise for the other")->type_name("ARGUMENTS");
  app->add_option("--symbols", options->symbols,
                  "Symbols besides those of ELF images, as 'run' knows them")
      ->type_name("FILE[,el=N][,vmid=N][,offset=N]")
      ->allow_extra_args(false);
  app->callback([options, &action, environment] {
    action = [options, environment] { return diff_command(*options, environment); };
  });
}

}  // namespace trapline
