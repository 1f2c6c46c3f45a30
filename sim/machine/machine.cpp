#include "sim/machine/machine.h"

#include <chrono>
#include <optional>
#include <stdexcept>

#include "sim/bus/bus.h"
#include "sim/cpu/cpu.h"
#include "sim/cpu/scheduler.h"
#include "sim/machine/board.h"
#include "sim/machine/boot.h"
#include "sim/time/timeline.h"
#include "sim/time/timing_model.h"
#include "sim/trace/hub.h"
#include "sim/trap/semihosting.h"
#include "sim/trap/smccc.h"

namespace trapline {
namespace {

using HostClock = std::chrono::steady_clock;

constexpr auto kPollInterval = std::chrono::milliseconds(10);
constexpr Time kInteractiveStep = 10'000'000'000;  // 10 ms of idle virtual time at once.

class DroppedOutput final : public CharacterPort {
  void transmit(std::uint8_t) override {}
};

constexpr std::uint64_t kAffinityMask = 0xff'00ff'ffffull;

}  // namespace

struct Machine::Assembly final : PowerController, GuestMemory {
  Assembly(const MachineConfig& config, MachineHooks given);

  void build_cpus();
  CharacterPort& port(unsigned uart);
  void load();
  RunResult run(const Limits& limits);
  void poll();
  void idle(Wakeup& time_limit);
  void finish(ExitReason reason, std::string detail = {}, int code = 0);
  std::string describe_cpus() const;
  RunResult result();

  // PowerController
  unsigned cpu_count() const override { return cpus->count(); }
  std::uint64_t affinity(unsigned cpu) const override { return board->cpu(cpu).mpidr & kAffinityMask; }
  PowerState state(unsigned cpu) const override {
    return cpus->cpu(cpu).powered() ? PowerState::on : PowerState::off;
  }
  bool executable(PhysAddr pa) const override { return bus.ram_at(pa) != nullptr; }
  void cpu_on(unsigned cpu, PhysAddr entry, El el, std::uint64_t context) override;
  void cpu_off(unsigned cpu) override { cpus->cpu(cpu).power_off(); }
  void system_off(unsigned cpu) override { power_down(cpu, ExitReason::power_off); }
  void system_reset(unsigned cpu) override { power_down(cpu, ExitReason::reset); }
  void power_down(unsigned cpu, ExitReason reason);

  // GuestMemory, for semihosting
  bool read(unsigned cpu, VirtAddr va, void* to, std::uint64_t bytes) override {
    return cpus->cpu(cpu).read_memory(va, to, bytes);
  }
  bool write(unsigned cpu, VirtAddr va, const void* from, std::uint64_t bytes) override {
    return cpus->cpu(cpu).write_memory(va, from, bytes);
  }
  void semihosting_exit(const SemihostingExit& exit);

  MachineConfig config;
  MachineHooks hooks;
  BootPlan plan;
  bool has_el2;
  Timeline timeline;
  EventHub events;
  Bus bus;
  std::unique_ptr<TimingModel> timing;
  std::unique_ptr<Semihosting> semihosting;
  std::unique_ptr<Firmware> firmware;
  DroppedOutput dropped;
  std::unique_ptr<CpuComplex> cpus;
  std::unique_ptr<Board> board;
  std::optional<Scheduler> scheduler;

  std::optional<ExitReason> ended;
  std::string detail;
  int exit_code = 0;
  HostClock::time_point next_poll{};
  HostClock::time_point host_deadline = HostClock::time_point::max();
};

Machine::Assembly::Assembly(const MachineConfig& given_config, MachineHooks given)
    : config(given_config), hooks(std::move(given)), plan(plan_boot(config)) {
  has_el2 = boot_el(config) == 2;
  for (Sink* sink : hooks.sinks) events.attach(*sink);
  timing = std::make_unique<TableTiming>();
  for (DeviceRecorder* recorder : hooks.recorders) recorder->connect(events, timeline);
  board = make_board(config, {.bus = bus,
                              .timeline = timeline,
                              .events = events,
                              .uart = [this](unsigned uart) -> CharacterPort& { return port(uart); },
                              .recorders = hooks.recorders,
                              .power = [this](std::optional<unsigned> cpu, ExitReason reason) {
                                if (cpu) return power_down(*cpu, reason);
                                finish(reason);
                              }});
  board->add_memory();
  build_cpus();
  board->add_devices(*cpus);
  scheduler.emplace(*cpus, timeline, config.quantum, [this](unsigned cpu, Time after) {
    return board->timer(cpu).next_event_stream(after, cpus->cpu(cpu).hcr_el2());
  });
  load();
}

CharacterPort& Machine::Assembly::port(unsigned uart) {
  return uart < hooks.uarts.size() && hooks.uarts[uart] ? *hooks.uarts[uart] : dropped;
}

void Machine::Assembly::build_cpus() {
  FirmwareConfig options;
  options.conduit.reset();
  if (plan.psci) options.conduit = plan.psci == PsciConduit::smc ? Conduit::smc : Conduit::hvc;
  options.has_el2 = has_el2;
  if (config.semihosting) {
    semihosting = std::make_unique<Semihosting>(
        SemihostingConfig{},
        SemihostingPorts{*this, timeline, port(0), nullptr,
                         [this](const SemihostingExit& exit) { semihosting_exit(exit); }});
  }
  firmware = std::make_unique<Firmware>(options, *this, semihosting.get(), &events);
  std::vector<CpuConfig> configs;
  for (unsigned i = 0; i < config.cpus; ++i) {
    configs.push_back(board->cpu(i));
    configs.back().hz = config.cpu_hz;
    configs.back().skip_delay_loops = config.skip_delay_loops;
  }
  cpus = make_cpu_complex({.bus = bus,
                           .timeline = timeline,
                           .events = events,
                           .timing = *timing,
                           .traps = firmware.get(),
                           .host_poll = [this] { poll(); },
                           .mpu_recorder = recorder_of(hooks.recorders, RecordedDevice::mpu),
                           .instructions = hooks.instructions,
                           .blocks = hooks.blocks,
                           .samples = hooks.samples},
                          configs);
}

void Machine::Assembly::load() {
  for (const BootBlob& blob : plan.blobs) {
    if (!bus.write(blob.address, blob.bytes.data(), blob.bytes.size())) {
      throw ImageError(blob.item.text(), "does not fit into RAM", "give the machine more memory (-m)");
    }
  }
  for (unsigned i = 0; i < cpus->count(); ++i) {
    if (i != 0 && !plan.secondary_entry) break;
    Cpu& cpu = cpus->cpu(i);
    cpu.power_on(i == 0 ? plan.entry : *plan.secondary_entry, static_cast<El>(plan.entry_el),
                 plan.x[0]);
    for (unsigned n = 1; n < plan.x.size(); ++n) cpu.set_x(n, plan.x[n]);
  }
}

void Machine::Assembly::finish(ExitReason reason, std::string text, int code) {
  if (ended) return;
  ended = reason;
  detail = std::move(text);
  exit_code = code;
  scheduler->stop();
}

/// The CPUs that have executed something.
std::string Machine::Assembly::describe_cpus() const {
  std::string text;
  for (unsigned i = 0; i < cpus->count(); ++i) {
    const Cpu& cpu = cpus->cpu(i);
    if (cpu.powered() || cpu.counters().instructions != 0) text += cpu.describe();
  }
  return text;
}

void Machine::Assembly::poll() {
  const auto now = HostClock::now();
  if (now >= host_deadline) finish(ExitReason::host_timeout);
  if (now < next_poll) return;
  next_poll = now + kPollInterval;
  if (hooks.host_poll) hooks.host_poll();
}

/// Every CPU waits: moves on to the next thing that can happen.
void Machine::Assembly::idle(Wakeup& time_limit) {
  // Before anything else: what the host has may come before all that is known of.
  if (hooks.interactive && hooks.host_poll) hooks.host_poll();
  if (ended) return;
  const Time virtual_limit = time_limit.due();
  Time next = scheduler->next_event();
  if (next == virtual_limit) {
    // The limit is no reason for a CPU to wake up: a machine that has no other is stuck now.
    time_limit.cancel();
    next = scheduler->next_event();
    time_limit.at(virtual_limit);
  }
  if (hooks.interactive) {
    next = std::min(next, timeline.now() + kInteractiveStep);
  } else if (next == kNever) {
    return finish(ExitReason::stuck,
                  "every CPU waits for an interrupt and nothing is left that could raise one\n" +
                      describe_cpus());
  }
  scheduler->advance_to(std::min(next, virtual_limit));
  if (timeline.now() >= virtual_limit) finish(ExitReason::limit_time);
}

RunResult Machine::Assembly::run(const Limits& limits) {
  if (limits.host_seconds > 0) {
    host_deadline = HostClock::now() + std::chrono::duration_cast<HostClock::duration>(
                                           std::chrono::duration<double>(limits.host_seconds));
  }
  Wakeup time_limit(timeline, [this] { finish(ExitReason::limit_time); });
  time_limit.at(limits.virtual_time);
  while (!ended) {
    poll();
    if (ended) break;
    switch (scheduler->round(limits.instructions)) {
      case Scheduler::Outcome::ran:
        if (scheduler->instructions() >= limits.instructions) {
          finish(ExitReason::limit_instructions);
        }
        break;
      case Scheduler::Outcome::idle:
        idle(time_limit);
        break;
      case Scheduler::Outcome::all_off:
        finish(ExitReason::stuck, "every CPU is switched off\n" + describe_cpus());
        break;
      case Scheduler::Outcome::stuck: {
        const Cpu& cpu = cpus->cpu(scheduler->stuck_cpu());
        finish(ExitReason::stuck, cpu.stuck_reason() + "\n" + cpu.describe());
        break;
      }
      case Scheduler::Outcome::stopped:
        break;
    }
  }
  return result();
}

RunResult Machine::Assembly::result() {
  for (Pl011& uart : board->uarts()) uart.flush();
  const bool failed = *ended == ExitReason::limit_instructions ||
                      *ended == ExitReason::limit_time || *ended == ExitReason::host_timeout;
  if (failed && detail.empty()) {
    detail = describe_cpus();
  }
  Event end;
  end.kind = EventKind::run_end;
  end.a = static_cast<std::uint64_t>(*ended);
  end.b = static_cast<std::uint64_t>(exit_code);
  events.on_event(end);

  RunResult outcome{.reason = *ended, .guest_code = exit_code, .detail = detail, .stats = {},
                    .digest = events.digest().text()};
  outcome.stats.virtual_time = timeline.now();
  for (unsigned i = 0; i < cpus->count(); ++i) {
    const CpuCounters& counted = cpus->cpu(i).counters();
    CpuStats stats{.instructions = counted.instructions,
                   .cycles = counted.cycles,
                   .mmio = counted.mmio,
                   // Not the engine's own fills: it sizes its TLB by the host's clock.
                   .tlb_fills = counted.translation_walks,
                   .exceptions = {}};
    for (unsigned el = 0; el < 4; ++el) {
      for (unsigned ec = 0; ec < 64; ++ec) {
        stats.exceptions.taken[ec][el] = counted.exceptions[el][ec];
      }
      stats.exceptions.taken[ExceptionCounts::kIrq][el] =
          counted.interrupts[el][0] + counted.interrupts[el][3];
      stats.exceptions.taken[ExceptionCounts::kFiq][el] = counted.interrupts[el][1];
      stats.exceptions.taken[ExceptionCounts::kSError][el] = counted.interrupts[el][2];
      for (const std::uint64_t taken : counted.interrupts[el]) stats.interrupts += taken;
    }
    const Cpu& cpu = cpus->cpu(i);
    stats.registers = {.pc = cpu.pc(), .pstate = cpu.pstate(), .sp = cpu.sp()};
    for (unsigned n = 0; n < stats.registers.x.size(); ++n) stats.registers.x[n] = cpu.x(n);
    outcome.stats.cpus.push_back(stats);
  }
  return outcome;
}

void Machine::Assembly::cpu_on(unsigned cpu, PhysAddr entry, El el, std::uint64_t context) {
  cpus->cpu(cpu).power_on(entry, el, context);
  scheduler->woken(cpu);
}

/// The caller must not execute another instruction, so it loses power with the board.
void Machine::Assembly::power_down(unsigned cpu, ExitReason reason) {
  cpus->cpu(cpu).power_off();
  finish(reason);
}

void Machine::Assembly::semihosting_exit(const SemihostingExit& exit) {
  cpus->cpu(exit.cpu).power_off();
  finish(ExitReason::guest_exit, {}, exit.code);
}

Machine::Machine(const MachineConfig& config, MachineHooks hooks)
    : assembly_(std::make_unique<Assembly>(config, std::move(hooks))) {}
Machine::~Machine() = default;

RunResult Machine::run(const Limits& limits) { return assembly_->run(limits); }

void Machine::stop(ExitReason reason, int code) { assembly_->finish(reason, {}, code); }

bool Machine::uart_input(unsigned uart, std::span<const std::uint8_t> bytes) {
  if (uart >= assembly_->board->uarts().size()) return false;
  Pl011& receiver = assembly_->board->uarts()[uart];
  DeviceRecorder* recorder = recorder_of(assembly_->hooks.recorders, RecordedDevice::pl011);
  for (const std::uint8_t byte : bytes) {
    if (recorder) recorder->note_input(uart, kUartReceive, byte, receiver.can_receive());
    if (!receiver.receive(byte)) return false;
  }
  return true;
}

Clock& Machine::clock() { return assembly_->timeline; }
const std::vector<std::uint8_t>& Machine::device_tree() const { return assembly_->plan.dtb; }

}  // namespace trapline
