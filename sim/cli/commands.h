// The subcommands of `trapline`.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sim/scenario/command_line.h"
#include "sim/scenario/units.h"
#include "sim/trace/event_schema.h"

namespace CLI {
class App;
}

namespace trapline {

/// `trapline run`. Returns the process's exit code; throws ScenarioError or ImageError for bad
/// input.
int run_command(const RunArguments& arguments, const Environment& environment);

/// `trapline machine list`.
int machine_list_command();

/// `trapline xen abi`: the hypercalls of Xen, and which of them are answered.
int xen_abi_command();

/// `trapline machine dtb`: the device tree of the machine that the options describe, as a blob or
/// as source, to `output` ("-" or empty: standard output).
int machine_dtb_command(const RunArguments& arguments, const Environment& environment, bool source,
                        const std::string& output);

/// Which events of a trace: by instructions of their CPU, both ends inclusive, and by CPU.
struct TraceRange {
  std::uint64_t from = 0;
  std::uint64_t to = ~std::uint64_t{0};
  std::optional<unsigned> cpu;
};

// `trapline trace show|stats|convert|diff`. They throw TraceError for files that are no traces.

/// `symbols`: as `--symbols` has them; their places are added to the lines.
int trace_show_command(const std::string& path, const EventSet& events, const TraceRange& range,
                       const std::vector<std::string>& symbols);
int trace_stats_command(const std::string& path);
/// `form` is one of "text", "binary", "csv", "chrome".
int trace_convert_command(const std::string& path, const std::string& form,
                          const std::string& to);
/// `trapline trace diff`: 0: equal; 1: they differ, and the first event and instruction that do are
/// printed. Sets `action` when the command was given.
void add_trace_diff(CLI::App& trace, std::function<int()>& action, const Environment& environment);

/// Drives the model that the recording is of, and compares. 0: all is equal; 1: the first difference
/// is printed.
int trace_replay_command(const std::string& path, const std::string& device);

struct TestOptions {
  std::vector<std::string> paths;  ///< Scenario files, and folders of them.
  std::string junit;               ///< Path; empty: none.
  bool update = false;             ///< Write golden traces instead of comparing with them.
  unsigned jobs = 1;               ///< Runs side by side.
  unsigned shard = 1, shards = 1;  ///< Every shards-th scenario, from the shard-th on.
  std::string timeout;             ///< Host time for each run, as `run --timeout`; empty: none.
};

/// `trapline test`. 0: all passed; 1: some failed.
int test_command(const TestOptions& options, const Environment& environment);

/// Declares `trapline mpu report`, `sweep`... on `mpu`; the one that is parsed sets `action`.
void add_mpu_commands(CLI::App& mpu, std::function<int()>& action, const Environment& environment);

}  // namespace trapline
