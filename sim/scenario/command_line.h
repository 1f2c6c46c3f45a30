// The options of `trapline run`, and how they and a scenario file become one Scenario.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/scenario/scenario.h"
#include "sim/scenario/units.h"

namespace CLI {
class App;
}

namespace trapline {

/// One option: its spellings, its help, and what it does to a Scenario.
struct OptionRow {
  /// What an option's value does. `occurrence` counts the uses of a repeatable option from 0.
  /// Throws std::invalid_argument.
  using Apply = void (*)(Scenario& scenario, const std::string& value, unsigned occurrence);

  std::string_view names;    ///< As CLI11 takes them: "-M,--machine".
  std::string_view metavar;  ///< Empty: a flag.
  std::string_view group;    ///< Heading in the help.
  std::string_view help;
  Apply apply;
};

/// Every option of `trapline run`, in the order in which they are applied.
std::span<const OptionRow> run_options();

/// What a command line said, before it is given a meaning.
struct RunArguments {
  std::string scenario_file;
  /// By row of run_options(): the values in the order given; a flag has the value "".
  std::vector<std::vector<std::string>> values;
};

/// Declares the options on `app`; parsing fills `arguments`, which must outlive the parse.
void add_run_options(CLI::App& app, RunArguments& arguments);

/// Turns QEMU's spelling into CLI11's: a long option with one dash ("-kernel", "-smp=4") gets its
/// second. Values of options are left alone whatever they look like.
std::vector<std::string> normalise_arguments(std::span<const std::string> arguments);

/// Reads the scenario file, if any, and applies the options on top of it. Throws ScenarioError.
Scenario make_scenario(const RunArguments& arguments, const Environment& environment);

/// All of the above for one list of arguments, without the program's name. Throws ScenarioError.
Scenario scenario_from_command_line(std::span<const std::string> arguments,
                                    const Environment& environment);

}  // namespace trapline
