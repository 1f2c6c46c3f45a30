#include "sim/machine/machine.h"

#include <chrono>
#include <optional>

#include "sim/cpu/scheduler.h"
#include "sim/machine/fvp_baser.h"
#include "sim/machine/guest_domain.h"
#include "sim/machine/instance.h"
#include "sim/machine/machine_type.h"
#include "sim/machine/vcpu_placement.h"
#include "sim/machine/xen_domain.h"
#include "sim/time/timeline.h"
#include "sim/time/timing_model.h"
#include "sim/trace/hub.h"

namespace trapline {
namespace {

using HostClock = std::chrono::steady_clock;

constexpr auto kPollInterval = std::chrono::milliseconds(10);
constexpr Time kInteractiveStep = 10'000'000'000;  // 10 ms of idle virtual time at once.

class DroppedOutput final : public CharacterPort {
  void transmit(std::uint8_t) override {}
};

xen::HypervisorConfig layer_config(const MachineConfig& machine) {
  xen::HypervisorConfig config;
  config.silo = machine.silo;
  return config;
}

/// How one domain left.
struct DomainEnd {
  ExitReason reason;
  int code;
  std::string detail;
};

}  // namespace

struct Machine::Assembly {
  Assembly(const MachineConfig& config, MachineHooks given);

  InstancePorts ports();
  void add_board(const MachineConfig& config, InstancePorts ports);
  void share_cpus(const SchedulerSpec& spec);
  CharacterPort& port(unsigned uart);
  RunResult run(const Limits& limits);
  void poll();
  void idle(Wakeup& time_limit);
  void finish(ExitReason reason, std::string detail = {}, int code = 0);
  void domain_ended(unsigned domain, DomainEnd end);
  void stuck(const Cpu& cpu);
  unsigned part_of(unsigned cpu) const;
  std::string describe_cpus() const;
  CpuStats stats_of(const Cpu& cpu) const;
  RunResult result();

  MachineConfig config;
  MachineHooks hooks;
  Timeline timeline;
  EventHub events;
  TableTiming timing;
  DroppedOutput dropped;
  std::vector<std::shared_ptr<Ram>> memory;       ///< Of domains that share the board's.
  std::vector<std::unique_ptr<Instance>> boards;  ///< One, or the domains'.
  std::unique_ptr<XenLayer> layer;                ///< Of domains.
  std::vector<std::unique_ptr<GuestDomain>> guests;
  std::vector<std::optional<DomainEnd>> ends;  ///< By domain.
  std::vector<Cpu*> cpus;                      ///< Of the whole machine.
  std::vector<GenericTimer*> timers;           ///< By CPU.
  std::optional<Scheduler> scheduler;
  std::unique_ptr<VcpuPlacement> placement;

  std::optional<ExitReason> ended;
  std::string detail;
  int exit_code = 0;
  HostClock::time_point next_poll{};
  HostClock::time_point host_deadline = HostClock::time_point::max();
};

Machine::Assembly::Assembly(const MachineConfig& given_config, MachineHooks given)
    : config(given_config), hooks(std::move(given)), ends(config.domains.size()) {
  for (Sink* sink : hooks.sinks) events.attach(*sink);
  for (DeviceRecorder* recorder : hooks.recorders) recorder->connect(events, timeline);
  if (config.domains.empty()) {
    if (!config.silo) {
      throw ImageError("", "a policy for domains is chosen, and there are none",
                       "leave out --xsm; a hypervisor image is told by --xen-append xsm=dummy");
    }
    add_board(config, ports());
  } else {
    check_domains(config);
    layer = std::make_unique<XenLayer>(timeline, layer_config(config));
    for (const auto& [bridge, observer] : hooks.frames) layer->bridge(bridge).observe(*observer);
    if (mpu_of(config)) {
      for (const MemoryRange& bank : fvp_dram(ram_bytes_of(config))) {
        memory.push_back(std::make_shared<Ram>("dram", bank.base, bank.size));
      }
    }
  }
  for (unsigned n = 0; n < config.domains.size(); ++n) {
    InstancePorts with = ports();
    with.uart = [this, n](unsigned) -> CharacterPort& { return port(n); };
    with.ended = [this, n](ExitReason reason, int code, std::string text) {
      domain_ended(n, {reason, code, std::move(text)});
    };
    with.vmid = static_cast<std::uint16_t>(n + 1);
    with.first_uart = n;
    with.memory = memory;
    add_board(domain_config(config, config.domains[n]), std::move(with));
    guests.push_back(std::make_unique<GuestDomain>(
        config.domains[n], static_cast<xen::DomId>(n + 1), *boards[n], *layer, port(n),
        [this](unsigned cpu) { scheduler->woken(cpu); }));
  }
  scheduler.emplace(cpus, timeline, config.quantum, [this](unsigned cpu, Time after) {
    return timers[cpu]->next_event_stream(after, cpus[cpu]->hcr_el2());
  });
  if (config.scheduler) share_cpus(*config.scheduler);
  if (!guests.empty()) {
    scheduler->watch_activity([this](unsigned cpu, CpuActivity activity) {
      const unsigned n = part_of(cpu);
      guests[n]->set_activity(cpu - boards[n]->first_cpu(), activity);
    });
  }
  for (const auto& board : boards) board->load();
}

void Machine::Assembly::share_cpus(const SchedulerSpec& spec) {
  if (guests.empty()) {
    throw ImageError("", "a policy is chosen, and there are no domains", "leave out --sched");
  }
  std::vector<VcpuPlacement::Vcpu> vcpus;
  for (const Cpu* cpu : cpus) {
    vcpus.push_back({config.domains[part_of(cpu->config().number())].name, cpu->config().index,
                     cpu->config().vmid});
  }
  placement = std::make_unique<VcpuPlacement>(spec, config.cpus, std::move(vcpus), timeline, events,
                                              [this] { scheduler->preempt(); });
  placement->on_load([this](unsigned vcpu, unsigned before) {
    const unsigned part = part_of(vcpu);
    const GuestDomain* other = before < cpus.size() ? guests[part_of(before)].get() : nullptr;
    if (other == guests[part].get()) return std::uint64_t{0};
    return guests[part]->load_regions(vcpu - boards[part]->first_cpu(), other);
  });
  scheduler->place_by(*placement);
}

InstancePorts Machine::Assembly::ports() {
  return {.timeline = timeline,
          .events = events,
          .timing = timing,
          .hooks = hooks,
          .uart = [this](unsigned uart) -> CharacterPort& { return port(uart); },
          .host_poll = [this] { poll(); },
          .ended = [this](ExitReason reason, int code,
                          std::string text) { finish(reason, std::move(text), code); },
          .woken = [this](unsigned cpu) { scheduler->woken(cpu); },
          .first_cpu = static_cast<unsigned>(cpus.size())};
}

void Machine::Assembly::add_board(const MachineConfig& of, InstancePorts ports) {
  Instance& board = *boards.emplace_back(std::make_unique<Instance>(of, std::move(ports)));
  for (unsigned i = 0; i < board.cpus().count(); ++i) {
    cpus.push_back(&board.cpus().cpu(i));
    timers.push_back(&board.board().timer(i));
  }
}

CharacterPort& Machine::Assembly::port(unsigned uart) {
  return uart < hooks.uarts.size() && hooks.uarts[uart] ? *hooks.uarts[uart] : dropped;
}

void Machine::Assembly::finish(ExitReason reason, std::string text, int code) {
  if (ended) return;
  ended = reason;
  detail = std::move(text);
  exit_code = code;
  scheduler->stop();
}

/// The run is over with its last domain; what went wrong first is what it ended of.
void Machine::Assembly::domain_ended(unsigned domain, DomainEnd end) {
  if (ends[domain]) return;
  ends[domain] = std::move(end);
  guests[domain]->ended();
  const DomainEnd* worst = nullptr;
  std::string text;
  for (unsigned n = 0; n < ends.size(); ++n) {
    if (!ends[n]) return;
    if (!worst || worst->reason == ExitReason::power_off) worst = &*ends[n];
    if (!ends[n]->detail.empty()) text += config.domains[n].name + ": " + ends[n]->detail + "\n";
  }
  finish(worst->reason, std::move(text), worst->code);
}

/// Which of the boards a CPU of the machine is on.
unsigned Machine::Assembly::part_of(unsigned cpu) const {
  unsigned n = 0;
  while (n + 1 < boards.size() && cpu >= boards[n + 1]->first_cpu()) ++n;
  return n;
}

/// A CPU can never go on. A domain of which that is true ends alone.
void Machine::Assembly::stuck(const Cpu& cpu) {
  std::string text = cpu.stuck_reason() + "\n" + cpu.describe();
  if (config.domains.empty()) return finish(ExitReason::stuck, std::move(text));
  boards[part_of(cpu.config().number())]->end(ExitReason::stuck, 0, std::move(text));
}

/// The CPUs that have executed something.
std::string Machine::Assembly::describe_cpus() const {
  std::string text;
  for (const Cpu* cpu : cpus) {
    if (cpu->powered() || cpu->counters().instructions != 0) text += cpu->describe();
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
      case Scheduler::Outcome::stuck:
        stuck(*cpus[scheduler->stuck_cpu()]);
        break;
      case Scheduler::Outcome::stopped:
        break;
    }
  }
  return result();
}

CpuStats Machine::Assembly::stats_of(const Cpu& cpu) const {
  const CpuCounters& counted = cpu.counters();
  CpuStats stats{.instructions = counted.instructions,
                 .cycles = counted.cycles,
                 .mmio = counted.mmio,
                 // Not the engine's own fills: it sizes its TLB by the host's clock.
                 .tlb_fills = counted.translation_walks,
                 .exceptions = {}};
  for (unsigned el = 0; el < 4; ++el) {
    for (unsigned ec = 0; ec < 64; ++ec)
      stats.exceptions.taken[ec][el] = counted.exceptions[el][ec];
    stats.exceptions.taken[ExceptionCounts::kIrq][el] =
        counted.interrupts[el][0] + counted.interrupts[el][3];
    stats.exceptions.taken[ExceptionCounts::kFiq][el] = counted.interrupts[el][1];
    stats.exceptions.taken[ExceptionCounts::kSError][el] = counted.interrupts[el][2];
    for (const std::uint64_t taken : counted.interrupts[el]) stats.interrupts += taken;
  }
  stats.registers = {.pc = cpu.pc(), .pstate = cpu.pstate(), .sp = cpu.sp()};
  for (unsigned n = 0; n < stats.registers.x.size(); ++n) stats.registers.x[n] = cpu.x(n);
  return stats;
}

RunResult Machine::Assembly::result() {
  for (const auto& guest : guests) guest->flush();
  if (guests.empty()) {
    for (Pl011& uart : boards.front()->board().uarts()) uart.flush();
  }
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

  RunResult outcome{.reason = *ended,
                    .guest_code = exit_code,
                    .detail = detail,
                    .stats = {},
                    .digest = events.digest().text()};
  outcome.stats.virtual_time = timeline.now();
  if (placement) outcome.stats.scheduling = placement->report();
  for (const Cpu* cpu : cpus) outcome.stats.cpus.push_back(stats_of(*cpu));
  return outcome;
}

Machine::Machine(const MachineConfig& config, MachineHooks hooks)
    : assembly_(std::make_unique<Assembly>(config, std::move(hooks))) {}
Machine::~Machine() = default;

RunResult Machine::run(const Limits& limits) {
  return assembly_->run(limits);
}

void Machine::stop(ExitReason reason, int code) {
  assembly_->finish(reason, {}, code);
}

bool Machine::uart_input(unsigned uart, std::span<const std::uint8_t> bytes) {
  if (uart < assembly_->guests.size()) {
    for (const std::uint8_t byte : bytes) {
      if (!assembly_->guests[uart]->receive(byte)) return false;
    }
    return true;
  }
  std::deque<Pl011>& uarts = assembly_->boards.front()->board().uarts();
  if (uart >= uarts.size()) return false;
  Pl011& receiver = uarts[uart];
  DeviceRecorder* recorder = recorder_of(assembly_->hooks.recorders, RecordedDevice::pl011);
  for (const std::uint8_t byte : bytes) {
    if (recorder) recorder->note_input(uart, kUartReceive, byte, receiver.can_receive());
    if (!receiver.receive(byte)) return false;
  }
  return true;
}

Clock& Machine::clock() {
  return assembly_->timeline;
}
const std::vector<std::uint8_t>& Machine::device_tree() const {
  return assembly_->boards.front()->plan().dtb;
}

}  // namespace trapline
