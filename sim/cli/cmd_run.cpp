// `trapline run`: one scenario from its first instruction to the exit code.
#include <poll.h>
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <deque>
#include <fstream>
#include <memory>
#include <optional>
#include <vector>

#include "sim/check/guest_check.h"
#include "sim/cli/cmd_mpu_plan.h"
#include "sim/cli/commands.h"
#include "sim/cli/console.h"
#include "sim/cli/device_recordings.h"
#include "sim/cli/findings.h"
#include "sim/cli/input_files.h"
#include "sim/cli/log.h"
#include "sim/cli/mpu_report_file.h"
#include "sim/cli/tarmac_files.h"
#include "sim/cli/terminal.h"
#include "sim/machine/boot.h"
#include "sim/machine/machine.h"
#include "sim/machine/machine_type.h"
#include "sim/machine/mpu_layer_plan.h"
#include "sim/report/coverage.h"
#include "sim/report/image_symbols.h"
#include "sim/report/outcome.h"
#include "sim/report/profile.h"
#include "sim/report/run_facts.h"
#include "sim/report/stats.h"
#include "sim/rerun/uart_scripts.h"
#include "sim/scenario/input_gate.h"
#include "sim/trace/trace_file.h"
#include "sim/trap/xen/pcap.h"

namespace trapline {
namespace {

constexpr double kLongestSleep = 0.05;  // Seconds; signals and outputs are looked at in between.

double host_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void say(const std::string& line) {
  std::fprintf(stderr, "%s\n", line.c_str());
}

bool on_stdio(const UartSpec& uart) {
  return uart.backend.kind == UartBackendSpec::Kind::stdio;
}

bool is_interactive(const Scenario& scenario, const std::optional<InputRecording>& replayed) {
  if (replayed) return replayed->interactive;
  if (scenario.interactive) return *scenario.interactive;
  return std::any_of(scenario.uarts.begin(), scenario.uarts.end(), on_stdio) &&
         isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

void check_uarts(const Scenario& scenario) {
  const unsigned there_are = uarts_of(scenario.machine);
  if (scenario.uarts.size() > there_are) {
    if (scenario.machine.domains.empty()) {
      throw ScenarioError(fmt::format("there is no UART {}: the machine '{}' has {}",
                                      scenario.uarts.size() - 1, scenario.machine.machine,
                                      there_are));
    }
    throw ScenarioError(fmt::format("there is no UART {}: {} domain(s) have a console each",
                                    scenario.uarts.size() - 1, there_are));
  }
}

// A machine with the host around it.
class RunSession {
 public:
  explicit RunSession(const Scenario& scenario);
  int run();

 private:
  bool reads_stdin(const UartSpec& uart) const;
  void add_uart(unsigned index, const UartSpec& uart);
  void open_gate();
  void open_tarmac(MachineHooks& hooks);
  void open_trace();
  void open_profile(MachineHooks& hooks);
  void write_profile();
  void write_latency(const RunStats& stats);
  void open_captures(MachineHooks& hooks);
  void close_captures();
  void close_trace(const RunResult& result);
  void poll();
  void move_input(unsigned index);
  void keep_pace();
  void check_outputs();
  int finish(const RunResult& result, double seconds);

  const Scenario& scenario_;
  std::optional<InputRecording> replayed_;
  bool interactive_;
  bool at_terminal_;
  std::optional<HostOutput> stats_file_, latency_file_;
  struct Capture {
    explicit Capture(const std::string& path) : file(path, std::ios::binary), writer(file) {}
    std::ofstream file;
    xen::PcapWriter writer;
  };
  std::deque<Capture> captures_;
  std::optional<HostOutput> trace_file_;
  std::optional<TraceWriter> trace_;
  std::optional<TarmacFiles> tarmac_;
  DeviceRecordings recordings_;
  std::optional<HostOutput> coverage_file_, profile_file_;
  std::optional<Coverage> coverage_;
  std::optional<Profile> profile_;
  Symbols symbols_;  // For the two.
  std::optional<MpuReportFile> mpu_report_;
  MpuUsage mpus_;
  Findings findings_;
  std::optional<GuestCheck> check_;
  SignalWatch signals_;
  EscapeDecoder escapes_;
  Pacer pacer_;
  std::optional<std::string> output_error_;

  std::shared_ptr<HostOutput> terminal_ =
      std::make_shared<HostOutput>(FileDescriptor(STDOUT_FILENO, false), "standard output");
  std::vector<std::unique_ptr<UartHost>> hosts_;  // By UART.
  std::unique_ptr<Machine> machine_;
  std::optional<InputRecorder> input_recorder_;
  // After the machine, as their wake-ups live in its timeline.
  std::optional<InputGate> gate_;
  UartScripts scripts_;
};

RunSession::RunSession(const Scenario& scenario)
    : scenario_(scenario),
      replayed_(open_input_recording(scenario)),
      interactive_(is_interactive(scenario, replayed_)),
      at_terminal_(interactive_ && !replayed_ && isatty(STDIN_FILENO)),
      recordings_(scenario),
      findings_(scenario),
      scripts_(scenario.uarts, interactive_) {
  if (!scenario.stats_path.empty() && scenario.stats_path != "-") {
    stats_file_.emplace(HostOutput::to_file(scenario.stats_path));
  }
  if (scenario.mpu_coverage) {
    if (scenario.mpu_report_path.empty()) {
      throw ScenarioError("--mpu-coverage is told in a report: give --mpu-report FILE as well");
    }
    if (scenario.tarmac) throw ScenarioError("--mpu-coverage and --tarmac exclude each other");
  }
  if (!scenario.latency_path.empty() && scenario.latency_path != "-") {
    latency_file_.emplace(HostOutput::to_file(scenario.latency_path));
  }
  MachineHooks hooks;
  hooks.sinks.push_back(&mpus_);
  if (scenario.check != CheckMode::off) {
    hooks.check = &check_.emplace(findings_);
    hooks.sinks.push_back(hooks.check);
  }
  hooks.recorders = recordings_.recorders();
  open_captures(hooks);
  open_tarmac(hooks);
  open_profile(hooks);
  open_trace();
  if (trace_) hooks.sinks.push_back(&*trace_);
  if (!scenario.mpu_report_path.empty()) {
    mpu_report_.emplace(scenario);
    hooks.sinks.push_back(&mpu_report_->sink());
    if (MpuCoverage* coverage = mpu_report_->coverage()) {
      hooks.sinks.push_back(coverage);
      hooks.instructions = coverage;
    }
  }
  for (unsigned n = 0; n < scenario.uarts.size(); ++n) {
    add_uart(n, scenario.uarts[n]);
    hooks.uarts.push_back(&scripts_.output(n));
  }
  hooks.host_poll = [this] { poll(); };
  // Whoever opens a pseudo-terminal may type as well.
  hooks.interactive =
      !replayed_ &&
      (interactive_ ||
       std::any_of(scenario.uarts.begin(), scenario.uarts.end(),
                   [](const UartSpec& u) { return u.backend.kind == UartBackendSpec::Kind::pty; }));
  machine_ = std::make_unique<Machine>(scenario.machine, std::move(hooks));
  recordings_.check();
  open_gate();
  scripts_.attach(*machine_);
}

// Keys belong to an interactive session. A batch run is decided by its scenario alone, so a pipe is
// read only where no script speaks for the user.
bool RunSession::reads_stdin(const UartSpec& uart) const {
  if (!on_stdio(uart) || replayed_) return false;
  return interactive_ || (uart.script.empty() && !isatty(STDIN_FILENO));
}

void RunSession::add_uart(unsigned index, const UartSpec& uart) {
  const std::vector<DomainSpec>& domains = scenario_.machine.domains;
  const std::string name = domains.empty() ? fmt::format("uart{}", index) : domains[index].name;
  hosts_.push_back(
      std::make_unique<UartHost>(index, name, uart.backend, reads_stdin(uart), terminal_));
  scripts_.output(index).add(hosts_.back()->output());
  if (!hosts_.back()->announcement().empty()) say("trapline: " + hosts_.back()->announcement());
}

void RunSession::open_tarmac(MachineHooks& hooks) {
  if (!scenario_.tarmac) return;
  const bool secure = machine_type(scenario_.machine.machine).secure();
  tarmac_.emplace(*scenario_.tarmac, cpus_of(scenario_.machine), secure);
  hooks.sinks.push_back(&*tarmac_);
  hooks.instructions = &*tarmac_;
}

void RunSession::open_trace() {
  if (scenario_.trace_path.empty()) return;
  TraceHeader header{run_facts(scenario_), scenario_.trace_events};
  if (interactive_ && !replayed_) {  // Keys cannot be typed again.
    std::erase_if(header.facts, [](const auto& fact) { return is_argument_fact(fact.first); });
  }
  if (scenario_.trace_path == "-") {
    trace_file_.emplace(FileDescriptor(STDOUT_FILENO, false), "standard output");
  } else {
    trace_file_.emplace(HostOutput::to_file(scenario_.trace_path));
  }
  trace_.emplace(trace_format_of(scenario_.trace_path), header,
                 [this](std::string_view bytes) { trace_file_->write(bytes); });
}

void RunSession::open_profile(MachineHooks& hooks) {
  if (scenario_.coverage || scenario_.profile) symbols_ = image_symbols(scenario_);
  if (scenario_.coverage) {
    coverage_file_.emplace(HostOutput::to_file(scenario_.coverage->path));
    hooks.blocks = &coverage_.emplace();
  }
  if (scenario_.profile) {
    profile_file_.emplace(HostOutput::to_file(scenario_.profile->path));
    hooks.samples = &profile_.emplace(scenario_.profile->period);
  }
}

void RunSession::write_profile() {
  const auto write = [this](HostOutput& file, const std::string& text) {
    file.write(text);
    file.close();
    if (file.error() && !output_error_) output_error_ = file.error();
  };
  if (coverage_) {
    const bool lcov = scenario_.coverage->form == CoverageSpec::Form::lcov;
    write(*coverage_file_, lcov ? coverage_->lcov(symbols_) : coverage_->drcov(symbols_));
  }
  if (profile_) {
    const bool folded = scenario_.profile->path.ends_with(".folded");
    write(*profile_file_, folded ? profile_->folded(symbols_) : profile_->table(symbols_));
  }
}

void RunSession::close_trace(const RunResult& result) {
  if (!trace_file_) return;
  trace_->finish(result.digest);
  trace_file_->close();
  if (trace_file_->error() && !output_error_) output_error_ = trace_file_->error();
}

void RunSession::open_captures(MachineHooks& hooks) {
  for (const auto& [bridge, path] : scenario_.captures) {
    Capture& capture = captures_.emplace_back(path);
    if (!capture.file) throw ScenarioError(fmt::format("{}: cannot be written", path));
    hooks.frames.emplace_back(bridge, &capture.writer);
  }
}

void RunSession::close_captures() {
  for (std::size_t n = 0; n < captures_.size(); ++n) {
    captures_[n].file.close();
    if (!captures_[n].file && !output_error_) {
      output_error_ = scenario_.captures[n].second + ": not all could be written";
    }
  }
}

void RunSession::write_latency(const RunStats& stats) {
  if (scenario_.latency_path.empty()) return;
  if (!latency_file_) {
    latency_file_.emplace(FileDescriptor(STDOUT_FILENO, false), "standard output");
  }
  latency_file_->write(latency_table(stats));
  latency_file_->close();
  if (latency_file_->error() && !output_error_) output_error_ = latency_file_->error();
}

/// Before the scripts, so that the order of what falls due at one time is always the same.
void RunSession::open_gate() {
  gate_.emplace(machine_->clock(), scenario_.machine.cpu_hz,
                InputGate::Ends{.receive =
                                    [this](unsigned uart, std::uint8_t byte) {
                                      return machine_->uart_input(uart, {&byte, 1});
                                    },
                                .quit = [this] { machine_->stop(ExitReason::user_quit); }});
  if (replayed_) gate_->play(replayed_->inputs);
  if (scenario_.record_input.empty()) return;
  input_recorder_.emplace(scenario_, interactive_);
  gate_->on_entered([this](const HostInput& input) { input_recorder_->add(input); });
}

void RunSession::move_input(unsigned index) {
  UartHost& host = *hosts_[index];
  const bool decode = at_terminal_ && on_stdio(scenario_.uarts[index]);
  const auto command = host.read_input(decode ? &escapes_ : nullptr);
  gate_->offer(index, host.pending());
  if (command == EscapeDecoder::Command::quit) gate_->ask_to_quit();
  if (command == EscapeDecoder::Command::help) {
    host.host_output()->write(EscapeDecoder::help());
    host.host_output()->flush();
  }
}

// A run whose output is lost is not worth its time.
void RunSession::check_outputs() {
  const auto check = [&](const std::optional<std::string>& error) {
    if (!error || output_error_) return;
    output_error_ = error;
    machine_->stop(ExitReason::user_quit);
  };
  for (const auto& host : hosts_) {
    if (!host->host_output()) continue;
    host->host_output()->flush();
    check(host->host_output()->error());
  }
  if (trace_file_) check(trace_file_->error());
  if (tarmac_) check(tarmac_->error());
}

// Waits for the wall clock while virtual time is ahead of it; a key ends the wait.
void RunSession::keep_pace() {
  const double ahead = std::min(pacer_.ahead(machine_->clock().now(), host_now()), kLongestSleep);
  if (ahead < 0.001) return;
  std::vector<pollfd> inputs;
  for (const auto& host : hosts_) {
    if (host->input_fd() >= 0) inputs.push_back({host->input_fd(), POLLIN, 0});
  }
  ::poll(inputs.data(), inputs.size(), static_cast<int>(ahead * 1000));
}

void RunSession::poll() {
  check_outputs();
  if (interactive_ && !replayed_) keep_pace();
  for (unsigned n = 0; !replayed_ && n < hosts_.size(); ++n) move_input(n);
  if (signals_.received()) {
    // A replayed run has its own end; whoever breaks it off wants no copy of it.
    replayed_ ? machine_->stop(ExitReason::user_quit) : gate_->ask_to_quit();
  }
}

int RunSession::run() {
  std::optional<RawTerminal> raw;
  if (at_terminal_) raw.emplace(STDIN_FILENO);
  const double start = host_now();
  const RunResult result = machine_->run(limits_of(scenario_, interactive_));
  const double seconds = host_now() - start;
  check_outputs();
  raw.reset();
  return finish(result, seconds);
}

int RunSession::finish(const RunResult& result, double seconds) {
  // A run that its user ended owes nothing.
  const bool judged = !interactive_ && result.reason != ExitReason::user_quit;
  Outcome outcome = judge(result, scenario_.expect, !judged, scripts_.failures(judged));
  if (const auto signal = signals_.received()) outcome.exit_code = 128 + *signal;
  if (scenario_.check == CheckMode::error && judged && findings_.count() != 0) {
    outcome.complaints.push_back(
        fmt::format("{} finding(s) where --check error allows none", findings_.count()));
    outcome.exit_code = kExitExpectation;
  }
  const HostStats host{seconds, outcome.exit_code};

  for (const auto& host : hosts_) host->end_line();
  for (unsigned n = 0; n < hosts_.size(); ++n) {
    HostOutput* output = hosts_[n]->host_output();
    if (!output) continue;
    if (on_stdio(scenario_.uarts[n]) && !output->at_line_start() && isatty(STDOUT_FILENO)) {
      output->write("\n");
    }
    output->close();
    if (output->error() && !output_error_) output_error_ = output->error();
  }
  if (!result.detail.empty() && outcome.exit_code != kExitSuccess) say(result.detail);
  for (const std::string& complaint : outcome.complaints) say("trapline: " + complaint);
  if (scenario_.stats_path == "-") {
    stats_file_.emplace(FileDescriptor(STDOUT_FILENO, false), "standard output");
  }
  close_trace(result);
  write_profile();
  if (tarmac_) {
    const auto error = tarmac_->close();
    if (error && !output_error_) output_error_ = error;
  }
  if (gate_->refused()) say("trapline: " + *gate_->refused() + ": this is another run");
  if (input_recorder_) {
    const auto error = input_recorder_->close(result.digest);
    if (error && !output_error_) output_error_ = error;
  }
  if (const auto error = recordings_.close(result.digest); error && !output_error_) {
    output_error_ = error;
  }
  if (mpu_report_) {
    const auto error = mpu_report_->close(result);
    if (error && !output_error_) output_error_ = error;
  }
  mpus_.finish();
  if (stats_file_) {
    stats_file_->write(stats_json(result, host, mpus_));
    stats_file_->close();
    if (stats_file_->error() && !output_error_) output_error_ = stats_file_->error();
  }
  write_latency(result.stats);
  close_captures();
  if (output_error_) {
    say("trapline: " + *output_error_);
    outcome.exit_code = kExitUsage;
  }
  if (!scenario_.quiet) say(status_line(result, host));
  return outcome.exit_code;
}

}  // namespace

int run_command(const RunArguments& arguments, const Environment& environment) {
  Scenario scenario = make_scenario(arguments, environment);
  check_has_image(scenario);
  check_uarts(scenario);
  scenario.uarts.resize(uarts_of(scenario.machine));
  set_up_log(scenario.log_level);
  try {
    return RunSession(scenario).run();
  } catch (const MpuRegionsError& error) {
    const std::string why = explain_regions(scenario.machine);
    if (why.empty()) throw;
    std::fprintf(stderr, "trapline: %s\n%s", error.what(), why.c_str());
    return kExitUsage;
  }
}

}  // namespace trapline
