#include "sim/rerun/probe.h"

#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <type_traits>

#include "sim/machine/machine.h"
#include "sim/machine/machine_type.h"
#include "sim/rerun/input_recording.h"
#include "sim/rerun/uart_scripts.h"
#include "sim/trace/digest.h"
#include "sim/trace/event_text.h"
#include "sim/trace/trace_diff.h"
#include "sim/trace/trace_file.h"

namespace trapline {
namespace {

static_assert(std::is_trivially_copyable_v<ExecutedInstruction>);

std::uint32_t number(ProbeMessage type) {
  return static_cast<std::uint32_t>(type);
}

/// Holds a run against the trace that was recorded of it.
class Follower {
 public:
  explicit Follower(const ProbeTrace& trace) : left_(trace.events) {
    if (left_ == 0) return;
    file_.open(trace.path, std::ios::binary);
    reader_ = std::make_unique<TraceReader>(file_, trace.path);
  }

  /// False if this event is another than the trace has. Called within the engine, so nothing is
  /// thrown.
  bool follows(const Event& event) {
    if (left_ == 0 || !reader_->header().events.has(event.kind)) return true;
    --left_;
    ++number_;
    try {
      StoredEvent recorded;
      return reader_->next(recorded) && same_event(recorded, StoredEvent(event));
    } catch (const TraceError&) {  // The file has changed since it was compared.
      return false;
    }
  }
  std::uint64_t event() const { return number_; }

 private:
  std::ifstream file_;
  std::unique_ptr<TraceReader> reader_;
  std::uint64_t left_;
  std::uint64_t number_ = 0;
};

class Probe final : public Sink, public InstructionSink {
 public:
  Probe(const ProbeTrace& trace, const WatchedMemory& different, ProbeChannels channels)
      : recorded_(trace.recorded),
        follower_(trace),
        channels_(std::move(channels)),
        watched_(different) {}

  [[noreturn]] void run(const Scenario& scenario);
  /// There is no run, for this reason.
  void fail(const std::string& why) { channels_.reports.send(number(ProbeMessage::failed), why); }

  bool wants(EventKind kind) const override { return recorded_.has(kind); }
  void on_event(const Event& event) override;
  InstructionWindow window() const override {
    return recording_ ? InstructionWindow{} : InstructionWindow{~0ull, ~0ull};
  }
  void on_instruction(const ExecutedInstruction& instruction) override;
  WatchedMemory* watched_memory() override { return watched_.empty() ? nullptr : &watched_; }
  void on_watched_use(PhysAddr) override { ++report_.first_use; }
  void on_watched_page(PhysAddr pa, std::uint64_t instructions) override;
  void on_register_read(std::uint64_t value) override {
    registers_read_ = (std::rotl(registers_read_, 23) ^ value) * 0x9e3779b97f4a7c15ull;
  }

 private:
  /// An instruction, or an event before it.
  struct Step {
    std::uint64_t number = 0;  ///< Of the instruction.
    std::optional<ExecutedInstruction> instruction{};
    StoredEvent event{};
  };

  void on_checkpoint(const Event& event);
  void report(const Event& event, bool ended);
  void make_copy();
  void wait_for_orders(Channel& orders);
  void begin(const ProbeOrder& order);
  void reach(std::uint64_t checkpoint);
  void keep(Step step);
  void send_step(const Step& step);
  void send_hashes();
  [[noreturn]] void finish_copy();

  EventSet recorded_;
  Follower follower_;
  ProbeChannels channels_;
  WatchedMemory watched_;
  std::uint64_t page_uses_ = 0;
  std::uint64_t registers_read_ = 0;
  ProbeReport report_;
  Digest digest_;
  std::uint64_t checkpoint_ = 0;
  std::vector<pid_t> waiting_ = std::vector<pid_t>(ProbeChannels::kCopies, 0);
  std::uint64_t copies_made_ = 0;
  std::uint64_t confirmed_ = 0;

  // Of a copy that was ordered to go on.
  Channel* orders_ = nullptr;
  std::optional<ProbeOrder> order_;
  bool recording_ = false;
  std::uint64_t instructions_ = 0;
  std::vector<std::uint64_t> hashes_;  // Of this batch.
  std::vector<Step> recent_;           // Of the last batch and, from batch_begin_ on, of this one.
  std::size_t batch_begin_ = 0;
  std::optional<ProbeRange> range_;
};

void Probe::on_event(const Event& event) {
  digest_.add(event);
  if (!order_ && !follower_.follows(event)) {
    channels_.reports.send_value(number(ProbeMessage::left_trace), follower_.event());
    _exit(EXIT_FAILURE);
  }
  if (recording_) keep({instructions_, {}, StoredEvent(event)});
  if (event.kind == EventKind::checkpoint) on_checkpoint(event);
  if (event.kind == EventKind::run_end && !order_) report(event, true);
}

void Probe::on_checkpoint(const Event& event) {
  ++checkpoint_;
  if (order_) return reach(checkpoint_);
  report(event, false);
  if (channels_.schedule.has(checkpoint_)) make_copy();
}

void Probe::report(const Event& event, bool ended) {
  report_.checkpoint = checkpoint_ + (ended ? 1 : 0);
  report_.instructions = event.instructions;
  report_.hash = digest_.low64() ^ registers_read_;
  report_.cpu = event.cpu;
  report_.ended = ended ? 1 : 0;
  channels_.reports.send_value(number(ProbeMessage::report), report_);
}

/// Accesses to watched pages take a thousand times as long as others: so few are allowed that the
/// run takes no more than twice its time.
void Probe::on_watched_page(PhysAddr pa, std::uint64_t instructions) {
  constexpr std::uint64_t kFree = 2'000'000, kInstructionsEach = 1000;
  if (++page_uses_ < kFree + instructions / kInstructionsEach) return;
  watched_.remove_page(pa);
  ++report_.unwatched;
}

/// The oldest copy goes, which must not be before the comparing process is past the one after it.
void Probe::make_copy() {
  while (copies_made_ >= ProbeChannels::kCopies &&
         confirmed_ < copies_made_ - ProbeChannels::kCopies + 1) {
    if (!channels_.reports.receive()) _exit(EXIT_FAILURE);
    ++confirmed_;
  }
  const std::size_t place = copies_made_ % ProbeChannels::kCopies;
  if (waiting_[place] > 0) {
    kill(waiting_[place], SIGKILL);
    waitpid(waiting_[place], nullptr, 0);
  }
  const pid_t child = fork();
  if (child < 0) {
    fail("the host makes no more processes");
    _exit(EXIT_FAILURE);
  }
  if (child == 0) return wait_for_orders(channels_.copies[place]);
  waiting_[place] = child;
  ++copies_made_;
}

/// Returns in a copy of the copy, which goes on with the run.
void Probe::wait_for_orders(Channel& orders) {
  channels_.reports.close();
  while (const auto message = orders.receive()) {
    if (message->type != number(ProbeMessage::order)) continue;
    const auto order = message->as<ProbeOrder>();
    if (!order) break;
    const pid_t child = fork();
    if (child < 0) break;
    if (child == 0) {
      orders_ = &orders;
      return begin(*order);
    }
    waitpid(child, nullptr, 0);
  }
  _exit(EXIT_SUCCESS);
}

void Probe::begin(const ProbeOrder& order) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  order_ = order;
  hashes_.reserve(ProbeChannels::kBatch);
  reach(checkpoint_);
}

void Probe::reach(std::uint64_t checkpoint) {
  if (checkpoint == order_->to) finish_copy();
  if (checkpoint == order_->from) recording_ = true;
}

void Probe::on_instruction(const ExecutedInstruction& instruction) {
  if (!recording_) return;
  keep({instructions_++, instruction, {}});
  if (range_) return;
  hashes_.push_back(hash_of(instruction));
  if (hashes_.size() >= ProbeChannels::kBatch) send_hashes();
}

void Probe::keep(Step step) {
  if (!range_) return recent_.push_back(std::move(step));
  if (step.number > range_->last) finish_copy();
  send_step(step);
}

void Probe::send_step(const Step& step) {
  if (step.number < range_->first) return;
  if (step.instruction) {
    orders_->send_value(number(ProbeMessage::instruction), *step.instruction);
  } else {
    orders_->send(number(ProbeMessage::event), event_text(step.event.view()));
  }
}

/// Sends what there is and does as the answer says.
void Probe::send_hashes() {
  orders_->send(number(ProbeMessage::hashes), {reinterpret_cast<const char*>(hashes_.data()),
                                               hashes_.size() * sizeof hashes_[0]});
  hashes_.clear();
  const auto answer = orders_->receive();
  if (!answer) _exit(EXIT_SUCCESS);
  if (answer->type == number(ProbeMessage::more)) {
    // Those of the last batch may be wanted with the first ones of the next.
    recent_.erase(recent_.begin(), recent_.begin() + static_cast<std::ptrdiff_t>(batch_begin_));
    batch_begin_ = recent_.size();
    return;
  }
  range_ = answer->as<ProbeRange>();
  if (!range_) _exit(EXIT_FAILURE);
  for (const Step& step : recent_) {
    if (step.number > range_->last) finish_copy();
    send_step(step);
  }
}

/// The end of what was ordered, or of the run.
void Probe::finish_copy() {
  if (!range_ && !hashes_.empty()) send_hashes();
  if (!range_) send_hashes();  // None: there are no more.
  orders_->send(number(ProbeMessage::done));
  _exit(EXIT_SUCCESS);
}

void Probe::run(const Scenario& given) {
  Scenario scenario = given;
  scenario.uarts.resize(uarts_of(scenario.machine));
  const std::optional<InputRecording> replayed = read_input_recording(scenario);
  const bool interactive = replayed && replayed->interactive;
  std::optional<UartScripts> scripts(std::in_place, scenario.uarts, interactive);
  MachineHooks hooks;
  for (unsigned n = 0; n < scenario.uarts.size(); ++n) hooks.uarts.push_back(&scripts->output(n));
  hooks.sinks.push_back(this);
  hooks.instructions = this;
  Machine machine(scenario.machine, std::move(hooks));
  // Before the scripts, as in `trapline run`: the order of what falls due at one time.
  InputGate gate(machine.clock(), scenario.machine.cpu_hz,
                 {.receive =
                      [&](unsigned uart, std::uint8_t byte) {
                        return machine.uart_input(uart, {&byte, 1});
                      },
                  .quit = [&] { machine.stop(ExitReason::user_quit); }});
  if (replayed) gate.play(replayed->inputs);
  scripts->attach(machine);
  make_copy();
  Limits limits = limits_of(scenario, interactive);
  limits.host_seconds = 0;
  machine.run(limits);
  if (order_) finish_copy();
  // The copies are needed as long as somebody may have orders for them.
  while (channels_.reports.receive()) {
  }
  _exit(EXIT_SUCCESS);
}

}  // namespace

std::uint64_t hash_of(const ExecutedInstruction& instruction) {
  std::uint64_t hash = 0;
  const auto add = [&](std::uint64_t value) {
    hash = (std::rotl(hash, 23) ^ value) * 0x9e3779b97f4a7c15ull;
  };
  add(std::uint64_t{instruction.cpu} << 32 | std::uint64_t{instruction.vmid} << 16 |
      static_cast<std::uint64_t>(instruction.el) << 1 | (instruction.sp_el0 ? 1 : 0));
  add(instruction.number);
  add(instruction.pc);
  add(std::uint64_t{instruction.word} << 32 | instruction.pstate);
  for (const std::uint64_t x : instruction.x) add(x);
  add(instruction.sp);
  add(instruction.memory ? instruction.memory->bytes : 0);
  if (instruction.memory) {
    add(instruction.memory->va);
    add(instruction.memory->pa);
    for (unsigned n = 0; n < instruction.memory->bytes; ++n) add(instruction.memory->data[n]);
  }
  if (instruction.vector) {
    add(instruction.vector->low);
    add(instruction.vector->high);
  }
  return hash;
}

void probe_main(const Scenario& scenario, const ProbeTrace& trace, const WatchedMemory& different,
                ProbeChannels channels) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  spdlog::set_level(spdlog::level::off);
  Probe probe(trace, different, std::move(channels));
  try {
    probe.run(scenario);
  } catch (const std::exception& error) {
    probe.fail(error.what());
  }
  _exit(EXIT_FAILURE);
}

}  // namespace trapline
