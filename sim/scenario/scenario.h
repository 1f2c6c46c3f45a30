// What to run, as one plain object. A TOML file (toml_reader.h) and the command line
// (command_line.h) both make it.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/arch/one_line.h"
#include "sim/machine/machine_config.h"
#include "sim/machine/run_result.h"
#include "sim/replay/recorded_device.h"
#include "sim/scenario/counter_limit.h"
#include "sim/symbols/symbols.h"
#include "sim/time/clock.h"
#include "sim/trace/event_schema.h"

namespace trapline {

/// Bad input that the user can mend: what() is one line that names the file and place, or the
/// option, and the cause.
class ScenarioError : public std::runtime_error {
 public:
  explicit ScenarioError(std::string_view what) : std::runtime_error(one_line(what)) {}
};

/// Where the bytes of a UART go.
struct UartBackendSpec {
  enum class Kind : std::uint8_t {
    lines,  ///< The terminal, a line at a time with the UART's name in front.
    stdio,
    null,
    pty,
    file,
  };
  Kind kind = Kind::lines;
  std::string path;  ///< For Kind::file.

  friend bool operator==(const UartBackendSpec&, const UartBackendSpec&) = default;
};

/// Parses "stdio", "lines", "null", "pty" or "file:PATH". Throws std::invalid_argument.
UartBackendSpec parse_uart_backend(std::string_view text);

/// Virtual time between a match and the first byte sent: a shell that has just printed its prompt
/// is reading by then.
inline constexpr Time kScriptDelay = 10'000'000'000;  // 10 ms

/// Virtual time between two bytes: ten bits at 115200 baud.
inline constexpr Time kScriptBytePeriod = 87'000'000;  // 87 us

/// One step of scripted input: wait for patterns in what the UART transmits, then send a text. A
/// step may have either part alone.
struct ScriptStep {
  std::vector<std::string> expect;  ///< All of them, in any order. Empty: do not wait.
  bool regex = false;               ///< They are ECMAScript regular expressions.
  std::string send;                 ///< Bytes as they are: a shell's Return is "\n" or "\r".
  Time timeout = kNever;            ///< Virtual time from the end of the previous step.
  Time pace = kScriptBytePeriod;    ///< Virtual time between two bytes sent.
  Time delay = kScriptDelay;        ///< Virtual time between the match and the first byte sent.
  bool always = false;              ///< Run also in an interactive session.
  std::string where;                ///< "file:line", for messages.
};

struct UartSpec {
  UartBackendSpec backend;
  std::vector<ScriptStep> script;
  std::vector<ScriptStep> patterns;  ///< [expect] patterns; nothing is sent.
};

/// What makes a batch run a success. Absent parts are not checked.
struct Expectations {
  std::optional<ExitReason> exit;
  std::optional<int> code;
  std::string digest;
  // Looked at by `trapline test` alone.
  std::string trace;                   ///< Path of the golden trace.
  std::vector<CounterLimit> counters;
};

/// What to do about mistakes of guests (docs/findings.md).
enum class CheckMode : std::uint8_t {
  off,
  warn,   ///< Say them.
  error,  ///< Say them, and a run with one is no success.
};

/// "off", "warn" or "error". Throws std::invalid_argument.
CheckMode parse_check(std::string_view text);

/// A trace of instructions in Arm's Tarmac format.
struct TarmacSpec {
  std::string path;  ///< "-" is standard output; several CPUs add ".cpuN".
  std::uint64_t from = 0;  ///< Instructions of each CPU, both ends inclusive.
  std::uint64_t to = ~std::uint64_t{0};

  friend bool operator==(const TarmacSpec&, const TarmacSpec&) = default;
};

/// Which code was executed, written at the end of the run.
struct CoverageSpec {
  enum class Form : std::uint8_t { lcov, drcov };
  Form form = Form::lcov;
  std::string path{};
};

/// Parses FILE.info or FILE.drcov. Throws std::invalid_argument.
CoverageSpec parse_coverage(std::string_view text);

/// Where the time went, by functions.
struct ProfileSpec {
  std::string path;                ///< Folded stacks if it ends in ".folded", else a table.
  std::uint64_t period = 10'000;  ///< Cycles between two looks.
};

/// Parses FILE[,every=CYCLES]. Throws std::invalid_argument.
ProfileSpec parse_profile(std::string_view text);

/// Parses FILE[,from=N][,to=N]; ",," is a comma in the file's name. Throws std::invalid_argument.
TarmacSpec parse_tarmac(std::string_view text);

/// Parses FILE[,el=N][,vmid=N][,offset=N]. Throws std::invalid_argument.
SymbolSpec parse_symbols(std::string_view text);

/// A recording of what happens between one device and its machine.
struct DeviceRecordingSpec {
  RecordedDevice device;
  std::string path;
};

/// Parses DEVICE=FILE[,DEVICE=FILE]. Throws std::invalid_argument.
std::vector<DeviceRecordingSpec> parse_device_recordings(std::string_view text);

struct Scenario {
  std::string file;  ///< The scenario file; empty if everything came from the command line.
  /// What `trapline run` was told, but for where its outputs go: these words lead to the same run.
  std::vector<std::string> arguments;
  std::string title;
  MachineConfig machine;
  std::string dom0less;  ///< A device tree that describes domains; machine.loads has their files.
  /// By UART number. Never empty: UART 0 goes to stdio unless something else is said.
  std::vector<UartSpec> uarts{UartSpec{{UartBackendSpec::Kind::stdio, {}}, {}, {}}};
  Limits limits;         ///< From the file; for batch runs.
  Limits forced_limits;  ///< From the command line; for every run.
  Expectations expect;
  std::string stats_path;  ///< Empty: no statistics file. "-" is standard output.
  /// By bridge of the domains: a capture file of its frames.
  std::vector<std::pair<std::string, std::string>> captures;
  std::string latency_path;  ///< Empty: no report on scheduling. "-" is standard output.
  std::string trace_path;  ///< Empty: no trace. "-" is standard output, as text.
  EventSet trace_events = EventSet::standard();  ///< What the trace holds.
  std::optional<TarmacSpec> tarmac;
  std::vector<DeviceRecordingSpec> device_recordings;
  std::string record_input;  ///< Path; empty: input from outside is not recorded.
  std::string replay_input;  ///< Path of such a recording; empty: input comes from outside.
  std::optional<CoverageSpec> coverage;
  std::optional<ProfileSpec> profile;
  std::string mpu_report_path;  ///< Empty: no report on the MPUs.
  std::vector<SymbolSpec> symbols;  ///< Besides those of the images themselves.
  std::string log_level = "warn";
  CheckMode check = CheckMode::warn;
  /// Unset: interactive if UART 0 has a terminal on both sides.
  std::optional<bool> interactive;
  bool quiet = false;         ///< No status line.
  bool mpu_coverage = false;  ///< In that report: which mapped bytes were never accessed.
};

/// The names used in files, in statistics and on the status line: "power-off", "guest-exit"...
std::string_view exit_reason_name(ExitReason reason);
/// Throws std::invalid_argument listing the names.
ExitReason parse_exit_reason(std::string_view name);

/// A log level's name, as it is. Throws std::invalid_argument listing the names.
std::string parse_log_level(std::string_view text);

/// Gives UART `index` a place in `scenario.uarts`.
UartSpec& uart_of(Scenario& scenario, unsigned index);

/// Reads the options of `-M virt,gic-version=3,virtualization=on` into `config`, as QEMU spells
/// them. Throws std::invalid_argument.
void apply_machine_option(MachineConfig& config, std::string_view text);

/// Reads "N" or "EL1,EL2", the regions of the MPUs. Throws std::invalid_argument.
void apply_mpu_regions(MachineConfig& config, std::string_view text);

/// True for "on", false for "off". Throws std::invalid_argument.
bool parse_on_off(std::string_view text);

/// True for "hardware", false for "firmware". Throws std::invalid_argument.
bool parse_counter(std::string_view text);

/// Makes the domains that `scenario.dom0less` describes. Throws ScenarioError.
void read_domain_tree(Scenario& scenario);

/// Checks what no single option can: combinations of images, of UARTs, of expectations. Throws
/// ScenarioError.
void check_scenario(const Scenario& scenario);

/// Where its run ends at the latest; an interactive one by the command line alone.
Limits limits_of(const Scenario& scenario, bool interactive);

/// Checks that there is something to run. Throws ScenarioError.
void check_has_image(const Scenario& scenario);

}  // namespace trapline
