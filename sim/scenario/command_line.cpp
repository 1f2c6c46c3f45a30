#include "sim/scenario/command_line.h"

#include <spdlog/fmt/fmt.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>

#include "sim/scenario/domain_options.h"
#include "sim/scenario/key_value_list.h"
#include "sim/scenario/toml_reader.h"

namespace trapline {
namespace {

using Text = const std::string&;
constexpr std::uint64_t kMiB = 1ull << 20;  // QEMU's -m counts in MiB.

XenSpec& xen_of(Scenario& scenario) {
  if (!scenario.machine.xen) scenario.machine.xen.emplace();
  return *scenario.machine.xen;
}

// Takes the value of the only key that `key=value` options such as -m and -smp need here.
std::string single_value(Text text, std::string_view key) {
  const std::vector<KeyValue> items = parse_key_value_list(text, key);
  if (items.size() != 1 || items[0].key != key) {
    throw std::invalid_argument(fmt::format("'{}' has parts that are not known here", text));
  }
  return items[0].value;
}

void apply_load(Scenario& scenario, Text text, unsigned) {
  const std::size_t at = text.rfind('@');
  LoadSpec load;
  load.path = text.substr(0, at);
  if (at != std::string::npos) load.address = parse_address(std::string_view(text).substr(at + 1));
  if (load.path.empty()) throw std::invalid_argument(fmt::format("'{}' names no file", text));
  scenario.machine.loads.push_back(std::move(load));
}

// QEMU's generic loader: -device loader,file=F,addr=A.
void apply_device(Scenario& scenario, Text text, unsigned) {
  LoadSpec load;
  for (const KeyValue& item : parse_key_value_list(text, "driver")) {
    if (item.key == "driver" && item.value == "loader") continue;
    if (item.key == "file") {
      load.path = item.value;
    } else if (item.key == "addr") {
      load.address = parse_address(item.value);
    } else if (item.key != "force-raw" && item.key != "cpu-num") {
      throw std::invalid_argument(
          fmt::format("only 'loader,file=F,addr=A' is known, not '{}={}'", item.key, item.value));
    }
  }
  if (load.path.empty()) throw std::invalid_argument(fmt::format("'{}' names no file", text));
  scenario.machine.loads.push_back(std::move(load));
}

void apply_uart(Scenario& scenario, Text text, unsigned) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) {
    uart_of(scenario, 0).backend = parse_uart_backend(text);
    return;
  }
  const unsigned index = parse_integer(text.substr(0, equals), 0, 7, "a UART number");
  uart_of(scenario, index).backend = parse_uart_backend(std::string_view(text).substr(equals + 1));
}

void apply_only_none(Scenario&, Text text, unsigned) {
  if (text != "none")
    throw std::invalid_argument(fmt::format("only 'none' is known, not '{}'", text));
}

void add_device_recordings(Scenario& scenario, Text text) {
  for (DeviceRecordingSpec& spec : parse_device_recordings(text)) {
    for (const DeviceRecordingSpec& other : scenario.device_recordings) {
      if (other.device != spec.device) continue;
      throw std::invalid_argument(fmt::format("'{}' is recorded twice", device_name(spec.device)));
    }
    scenario.device_recordings.push_back(std::move(spec));
  }
}

void add_capture(Scenario& scenario, Text text, unsigned) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    throw std::invalid_argument(fmt::format("'{}' is not BRIDGE=FILE", text));
  }
  scenario.captures.emplace_back(text.substr(0, equals), text.substr(equals + 1));
}

void apply_nothing(Scenario&, Text, unsigned) {}

constexpr std::string_view kMachine = "Machine";
constexpr std::string_view kImages = "Images";
constexpr std::string_view kXen = "Xen and its domains";
constexpr std::string_view kInput = "Console and scripts";
constexpr std::string_view kRun = "Run";
constexpr std::string_view kHabits = "Accepted for those who come from QEMU";

constexpr std::array kOptions{
    OptionRow{"-M,--machine", "TYPE", kMachine,
              "The board: virt or fvp-baser. QEMU's gic-version= and virtualization= may follow",
              [](Scenario& s, Text v, unsigned) { apply_machine_option(s.machine, v); }},
    OptionRow{"--cpu", "MODEL", kMachine,
              "cortex-a53, cortex-a57, cortex-a72, max; cortex-r82 (fvp-baser's)",
              [](Scenario& s, Text v, unsigned) { s.machine.cpu = v; }},
    OptionRow{"--gic", "2|3", kMachine, "Version of the interrupt controller",
              [](Scenario& s, Text v, unsigned) {
                s.machine.gic = parse_integer(v, 2, 3, "a GIC version");
              }},
    OptionRow{"--smp", "N", kMachine, "Number of CPUs, 1 to 8",
              [](Scenario& s, Text v, unsigned) {
                s.machine.cpus = parse_integer(single_value(v, "cpus"), 1, 8, "a number of CPUs");
              }},
    OptionRow{"-m,--memory", "SIZE", kMachine, "RAM, such as 512M or 2G; a bare number is MiB",
              [](Scenario& s, Text v, unsigned) {
                s.machine.ram_bytes = parse_size(single_value(v, "size"), kMiB);
              }},
    OptionRow{"--el", "1|2", kMachine, "Exception level in which the image is entered",
              [](Scenario& s, Text v, unsigned) {
                s.machine.entry_el = parse_integer(v, 1, 2, "an exception level");
              }},
    OptionRow{"--mpu-regions", "N|EL1,EL2", kMachine,
              "Regions of each MPU of a Cortex-R82, 0 to 255 (16)",
              [](Scenario& s, Text v, unsigned) { apply_mpu_regions(s.machine, v); }},
    OptionRow{"--vmsa", "on|off", kMachine,
              "EL1 of a Cortex-R82 may use VMSAv8-64 (on) or has its MPU alone (off)",
              [](Scenario& s, Text v, unsigned) { s.machine.vmsa_at_el1 = parse_on_off(v); }},
    OptionRow{"--counter", "firmware|hardware", kMachine,
              "fvp-baser's counter: running, or stopped until software starts it",
              [](Scenario& s, Text v, unsigned) { s.machine.hardware_counter = parse_counter(v); }},
    OptionRow{"--quantum", "N", kMachine, "Instructions a CPU runs before the next one's turn",
              [](Scenario& s, Text v, unsigned) {
                s.machine.quantum = parse_count(v);
                if (s.machine.quantum == 0) throw std::invalid_argument("it must be at least 1");
              }},
    OptionRow{"--cpu-hz", "HZ", kMachine, "Nominal clock of the CPUs: cycles to virtual time",
              [](Scenario& s, Text v, unsigned) {
                s.machine.cpu_hz = parse_count(v);
                if (s.machine.cpu_hz == 0) throw std::invalid_argument("it must be at least 1");
              }},
    OptionRow{"--semihosting", "", kMachine, "Answer HLT #0xF000: console and exit, no files",
              [](Scenario& s, Text, unsigned) { s.machine.semihosting = true; }},
    OptionRow{"--skip-delay-loops", "", kMachine,
              "Let time pass quickly in loops that poll the counter (the guest can tell)",
              [](Scenario& s, Text, unsigned) { s.machine.skip_delay_loops = true; }},

    OptionRow{"--kernel", "FILE", kImages, "arm64 Image (also gzip) or ELF",
              [](Scenario& s, Text v, unsigned) { s.machine.kernel = v; }},
    OptionRow{"--initrd", "FILE", kImages, "Initial RAM disk",
              [](Scenario& s, Text v, unsigned) { s.machine.initrd = v; }},
    OptionRow{"--append", "TEXT", kImages, "Kernel command line",
              [](Scenario& s, Text v, unsigned) { s.machine.append = v; }},
    OptionRow{"--dtb", "FILE", kImages, "Device tree in place of the generated one",
              [](Scenario& s, Text v, unsigned) { s.machine.dtb = v; }},
    OptionRow{"--load", "FILE[@ADDR]", kImages,
              "Place a file in memory: ELF, Image, or raw at ADDR. Repeatable", apply_load},
    OptionRow{"--entry", "ADDR", kImages, "Start here, not at the image's entry point",
              [](Scenario& s, Text v, unsigned) { s.machine.entry = parse_address(v); }},
    OptionRow{"--reset-vector", "ADDR", kImages,
              "The same, in the words of boards whose CPUs leave reset together: all start here",
              [](Scenario& s, Text v, unsigned) { s.machine.entry = parse_address(v); }},

    OptionRow{"--xen", "FILE", kXen, "The hypervisor's Image",
              [](Scenario& s, Text v, unsigned) { xen_of(s).image = v; }},
    OptionRow{"--xen-append", "TEXT", kXen, "The hypervisor's command line",
              [](Scenario& s, Text v, unsigned) { xen_of(s).append = v; }},
    OptionRow{"--dom0", "KEY=VALUE,...", kXen,
              "kernel=F, initrd=F, append=TEXT, memory=SIZE, vcpus=N. ',,' is a comma in a value",
              [](Scenario& s, Text v, unsigned) { apply_dom0(xen_of(s), v); }},
    OptionRow{
        "--domu", "KEY=VALUE,...", kXen,
        "name=N first, then as --dom0, also dtb=F, vpl011=on|off, enhanced=on|off. Repeatable",
        [](Scenario& s, Text v, unsigned) { apply_domu(xen_of(s), v); }},

    OptionRow{
        "--domain", "KEY=VALUE,...", kXen,
        "A Xen guest with no hypervisor image: name=N first, kernel=F, initrd=F, append=TEXT, "
        "memory=SIZE, vcpus=N, gic=2|3, dtb=F, disk=FILE|mem:SIZE[:ro|:write], "
        "net=BRIDGE[@MAC], static-mem=ADDR:SIZE, msa=mpu|mmu, console=pv|vpl011, "
        "vpl011=on|off. Repeatable",
        [](Scenario& s, Text v, unsigned) { apply_domain(s.machine, v); }},
    OptionRow{"--dom0less", "FILE", kXen,
              "Domains from a device tree for Xen; their modules are the files of --load F@ADDR",
              [](Scenario& s, Text v, unsigned) { s.dom0less = v; }},
    OptionRow{"--sched", "POLICY,...", kXen,
              "How domains' vCPUs share the CPUs of -smp: null, rr,slice=TIME, or "
              "arinc653,table=DOMAIN:TIME/...; switch-cycles=N",
              [](Scenario& s, Text v, unsigned) { s.machine.scheduler = parse_scheduler(v); }},
    OptionRow{"--xsm", "silo|dummy", kXen,
              "Whom such domains may speak with: domain 0 alone (the default), or one another",
              [](Scenario& s, Text v, unsigned) { s.machine.silo = parse_silo(v); }},

    OptionRow{"--uart", "[N=]WHERE", kInput,
              "stdio, lines, null, pty or file:PATH for UART N (0 if not said). Repeatable",
              apply_uart},
    OptionRow{"--interactive", "", kInput,
              "The keyboard is the input; scripts, expectations and the file's limits rest",
              [](Scenario& s, Text, unsigned) { s.interactive = true; }},
    OptionRow{"--batch", "", kInput, "Run scripts and check expectations even at a terminal",
              [](Scenario& s, Text, unsigned) { s.interactive = false; }},

    OptionRow{"--record-input", "FILE", kInput,
              "Record what is typed or piped in, and when it entered",
              [](Scenario& s, Text v, unsigned) { s.record_input = v; }},
    OptionRow{"--replay-input", "FILE", kInput,
              "Input from such a recording, and none from the host: the same run again",
              [](Scenario& s, Text v, unsigned) { s.replay_input = v; }},

    OptionRow{"--limit-insns", "N", kRun, "Stop (exit 124) after N instructions, such as 5G",
              [](Scenario& s, Text v, unsigned) { s.forced_limits.instructions = parse_count(v); }},
    OptionRow{
        "--limit-time", "TIME", kRun, "Stop (exit 124) at this virtual time, such as 30s",
        [](Scenario& s, Text v, unsigned) { s.forced_limits.virtual_time = parse_duration(v); }},
    OptionRow{"--timeout", "SECONDS", kRun, "Stop (exit 124) after this long on the host",
              [](Scenario& s, Text v, unsigned) {
                s.forced_limits.host_seconds =
                    static_cast<double>(parse_duration(v)) / kPicosecondsPerSecond;
              }},
    OptionRow{"--stats", "FILE", kRun, "Write statistics as JSON ('-': standard output)",
              [](Scenario& s, Text v, unsigned) { s.stats_path = v; }},
    OptionRow{"--trace", "FILE", kRun,
              "Write a trace of the run: compressed if FILE ends in .ttb, else text ('-': standard "
              "output)",
              [](Scenario& s, Text v, unsigned) { s.trace_path = v; }},
    OptionRow{"--events", "LIST", kRun,
              "What the trace holds: all, default, kinds and categories; -KIND takes one away",
              [](Scenario& s, Text v, unsigned) { s.trace_events = EventSet::parse(v); }},
    OptionRow{"--tarmac", "FILE[,from=N][,to=N]", kRun,
              "Write the instructions and what they change, in Tarmac format. Slow",
              [](Scenario& s, Text v, unsigned) { s.tarmac = parse_tarmac(v); }},
    OptionRow{"--coverage", "FILE", kRun,
              "Which code was executed: lcov with source lines (FILE.info) or drcov (FILE.drcov)",
              [](Scenario& s, Text v, unsigned) { s.coverage = parse_coverage(v); }},
    OptionRow{"--profile", "FILE[,every=CYCLES]", kRun,
              "Where the time went: folded stacks (FILE.folded), else a table of functions",
              [](Scenario& s, Text v, unsigned) { s.profile = parse_profile(v); }},
    OptionRow{
        "--symbols", "FILE[,el=N][,vmid=N][,offset=N]", kRun,
        "Symbols for reports: an ELF, or a System.map; of the code at that level, in that VM, "
        "moved by so much. Repeatable; those of ELF images are known",
        [](Scenario& s, Text v, unsigned) { s.symbols.push_back(parse_symbols(v)); }},
    OptionRow{"--record-device", "DEVICE=FILE,...", kRun,
              "Record all that passes between gic, timer, mpu or pl011 and the machine, for 'trace "
              "replay'. Repeatable",
              [](Scenario& s, Text v, unsigned) { add_device_recordings(s, v); }},
    OptionRow{"--mpu-report", "FILE", kRun,
              "Write what was done with the regions of the MPUs: FILE ends in .txt, .json, .csv or "
              ".html",
              [](Scenario& s, Text v, unsigned) { s.mpu_report_path = v; }},
    OptionRow{"--mpu-coverage", "", kRun,
              "In that report: which mapped bytes were never accessed. The run becomes slow",
              [](Scenario& s, Text, unsigned) { s.mpu_coverage = true; }},
    OptionRow{"--pcap", "BRIDGE=FILE", kRun,
              "Write the frames on a bridge between domains as pcap. Repeatable", add_capture},
    OptionRow{"--latency", "FILE", kRun,
              "Write how the vCPUs shared the CPUs under --sched ('-': standard output)",
              [](Scenario& s, Text v, unsigned) { s.latency_path = v; }},
    OptionRow{"--check", "off|warn|error", kRun,
              "Mistakes of guests that the run shows: say nothing, say them (the default), or fail",
              [](Scenario& s, Text v, unsigned) { s.check = parse_check(v); }},
    OptionRow{"--log", "LEVEL", kRun, "trace, debug, info, warn, error or off",
              [](Scenario& s, Text v, unsigned) { s.log_level = parse_log_level(v); }},
    OptionRow{"-q,--quiet", "", kRun, "No status line at the end",
              [](Scenario& s, Text, unsigned) { s.quiet = true; }},

    OptionRow{"--device", "loader,file=F,addr=A", kHabits, "As --load F@A", apply_device},
    OptionRow{"--serial", "WHERE", kHabits, "As --uart, for UART 0, 1, ... in turn",
              [](Scenario& s, Text v, unsigned occurrence) {
                uart_of(s, occurrence).backend = parse_uart_backend(v);
              }},
    OptionRow{"--nographic", "", kHabits, "Nothing: there are no graphics", apply_nothing},
    OptionRow{"--no-reboot", "", kHabits, "Nothing: a reset always ends the run", apply_nothing},
    OptionRow{"--nodefaults", "", kHabits, "Nothing", apply_nothing},
    OptionRow{"--display", "none", kHabits, "Nothing", apply_only_none},
    OptionRow{"--monitor", "none", kHabits, "Nothing", apply_only_none},
};

// The long spelling without dashes: "machine" for "-M,--machine".
std::string_view long_name(const OptionRow& row) {
  return row.names.substr(row.names.rfind("--") + 2);
}

const OptionRow* row_named(std::string_view name) {
  const auto* row = std::find_if(kOptions.begin(), kOptions.end(), [&](const OptionRow& candidate) {
    return long_name(candidate) == name;
  });
  return row == kOptions.end() ? nullptr : row;
}

bool is_short_with_value(std::string_view argument) {
  return std::any_of(kOptions.begin(), kOptions.end(), [&](const OptionRow& row) {
    return !row.metavar.empty() && argument.size() == 2 && argument[1] != '-' &&
           row.names.starts_with(argument);
  });
}

}  // namespace

std::span<const OptionRow> run_options() {
  return kOptions;
}

std::vector<std::string> normalise_arguments(std::span<const std::string> arguments) {
  std::vector<std::string> result;
  bool is_value = false;  // Of the option before.
  for (const std::string& argument : arguments) {
    if (is_value || argument.size() < 2 || argument[0] != '-') {
      result.push_back(argument);
      is_value = false;
      continue;
    }
    if (is_short_with_value(argument)) {
      result.push_back(argument);
      is_value = true;
      continue;
    }
    const std::string_view bare =
        std::string_view(argument).substr(argument.starts_with("--") ? 2 : 1);
    const std::size_t equals = bare.find('=');
    const OptionRow* row = row_named(bare.substr(0, equals));
    result.push_back(row ? "--" + std::string(bare) : argument);
    is_value = row && !row->metavar.empty() && equals == std::string_view::npos;
  }
  return result;
}

void add_run_options(CLI::App& app, RunArguments& arguments) {
  arguments.values.assign(kOptions.size(), {});
  app.add_option("scenario", arguments.scenario_file, "Scenario file (TOML); options override it")
      ->type_name("FILE");
  for (std::size_t n = 0; n < kOptions.size(); ++n) {
    const OptionRow& row = kOptions[n];
    std::vector<std::string>& values = arguments.values[n];
    CLI::Option* option = nullptr;
    if (row.metavar.empty()) {
      option = app.add_flag_callback(
          std::string(row.names), [&values] { values.assign(1, ""); }, std::string(row.help));
    } else {
      option = app.add_option(std::string(row.names), values, std::string(row.help));
      option->option_text(std::string(row.metavar))->allow_extra_args(false);
    }
    option->group(std::string(row.group));
  }
}

namespace {

/// Options of other groups choose what is shown and kept of a run.
bool decides_the_run(const OptionRow& row) {
  return row.group == kMachine || row.group == kImages || row.group == kXen ||
         long_name(row) == "device" || long_name(row) == "replay-input" ||
         row.names.starts_with("--limit-");
}

std::vector<std::string> deciding_words(const RunArguments& arguments) {
  std::vector<std::string> words;
  if (!arguments.scenario_file.empty()) words.push_back(arguments.scenario_file);
  for (std::size_t n = 0; n < arguments.values.size(); ++n) {
    const OptionRow& row = kOptions[n];
    if (!decides_the_run(row)) continue;
    for (const std::string& value : arguments.values[n]) {
      words.push_back(row.metavar.empty() ? fmt::format("--{}", long_name(row))
                                          : fmt::format("--{}={}", long_name(row), value));
    }
  }
  return words;
}

}  // namespace

Scenario make_scenario(const RunArguments& arguments, const Environment& environment) {
  Scenario scenario;
  if (!arguments.scenario_file.empty()) {
    scenario = read_scenario_file(arguments.scenario_file, environment);
  }
  for (std::size_t n = 0; n < arguments.values.size(); ++n) {
    unsigned occurrence = 0;
    for (const std::string& value : arguments.values[n]) {
      try {
        kOptions[n].apply(scenario, value, occurrence++);
      } catch (const std::invalid_argument& error) {
        throw ScenarioError(fmt::format("--{}: {}", long_name(kOptions[n]), error.what()));
      }
    }
  }
  scenario.arguments = deciding_words(arguments);
  read_domain_tree(scenario);
  check_scenario(scenario);
  return scenario;
}

Scenario scenario_from_command_line(std::span<const std::string> arguments,
                                    const Environment& environment) {
  CLI::App app;
  RunArguments parsed;
  add_run_options(app, parsed);
  std::vector<std::string> words = normalise_arguments(arguments);
  std::reverse(words.begin(), words.end());  // CLI11 takes them last first.
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    throw ScenarioError(error.what());
  }
  return make_scenario(parsed, environment);
}

}  // namespace trapline
