#include "sim/machine/instance.h"

#include <utility>

#include "sim/check/guest_check.h"

namespace trapline {
namespace {

constexpr std::uint64_t kAffinityMask = 0xff'00ff'ffffull;

}  // namespace

Instance::Instance(const MachineConfig& config, InstancePorts ports)
    : config_(config),
      ports_(std::move(ports)),
      sink_(ports_.events, ports_.first_cpu, ports_.vmid),
      plan_(plan_boot(config_)),
      has_el2_(boot_el(config_) == 2) {
  board_ = make_board(config_, {.bus = bus_,
                                .timeline = ports_.timeline,
                                .events = sink_,
                                .uart = ports_.uart,
                                .recorders = ports_.hooks.recorders,
                                .power =
                                    [this](std::optional<unsigned> cpu, ExitReason reason) {
                                      if (cpu) return power_down(*cpu, reason);
                                      ports_.ended(reason, 0, {});
                                    },
                                .first_uart = ports_.first_uart,
                                .memory = ports_.memory});
  board_->add_memory();
  build_cpus();
  board_->add_devices(*cpus_);
}

void Instance::build_cpus() {
  FirmwareConfig options;
  options.conduit.reset();
  if (plan_.psci) options.conduit = plan_.psci == PsciConduit::smc ? Conduit::smc : Conduit::hvc;
  options.has_el2 = has_el2_;
  if (config_.semihosting) {
    semihosting_ = std::make_unique<Semihosting>(
        SemihostingConfig{}, SemihostingPorts{*this, ports_.timeline, ports_.uart(0), nullptr,
                                              [this](const SemihostingExit& exit) {
                                                cpus_->cpu(exit.cpu).power_off();
                                                ports_.ended(ExitReason::guest_exit, exit.code, {});
                                              }});
  }
  traps_.firmware = std::make_unique<Firmware>(options, power(), semihosting_.get(), &sink_);
  std::vector<CpuConfig> configs;
  for (unsigned i = 0; i < config_.cpus; ++i) {
    CpuConfig& cpu = configs.emplace_back(board_->cpu(i));
    cpu.first = ports_.first_cpu;
    cpu.vmid = ports_.vmid;
    cpu.hz = config_.cpu_hz;
    cpu.skip_delay_loops = config_.skip_delay_loops;
  }
  const MachineHooks& hooks = ports_.hooks;
  cpus_ = make_cpu_complex(
      {.bus = bus_,
       .timeline = ports_.timeline,
       .events = ports_.events,
       .timing = ports_.timing,
       .traps = &traps_,
       .host_poll = ports_.host_poll,
       // A recording is of one machine: not of a domain, as for its devices.
       .mpu_recorder =
           config_.domain_map ? nullptr : recorder_of(hooks.recorders, RecordedDevice::mpu),
       .instructions = hooks.instructions,
       .blocks = hooks.blocks,
       .samples = hooks.samples,
       .guard = hooks.check ? &hooks.check->add_part() : nullptr},
      configs);
}

void Instance::load() {
  for (const BootBlob& blob : plan_.blobs) {
    if (!bus_.write(blob.address, blob.bytes.data(), blob.bytes.size())) {
      throw ImageError(blob.item.text(), "does not fit into RAM",
                       "give the machine more memory (-m)");
    }
  }
  for (unsigned i = 0; i < cpus_->count(); ++i) {
    if (i != 0 && !plan_.secondary_entry) break;
    Cpu& cpu = cpus_->cpu(i);
    cpu.power_on(i == 0 ? plan_.entry : *plan_.secondary_entry, static_cast<El>(plan_.entry_el),
                 plan_.x[0]);
    for (unsigned n = 1; n < plan_.x.size(); ++n) cpu.set_x(n, plan_.x[n]);
    if (told_) told_(i, true);
  }
  if (ports_.hooks.check) {
    ports_.hooks.check->start_part(*cpus_, bus_, ports_.first_cpu, ports_.vmid);
  }
}

void Instance::end(ExitReason reason, int code, std::string detail) {
  for (unsigned i = 0; i < cpus_->count(); ++i) {
    if (cpus_->cpu(i).powered()) cpus_->cpu(i).power_off();
  }
  ports_.ended(reason, code, std::move(detail));
}

std::uint64_t Instance::affinity(unsigned cpu) const {
  return board_->cpu(cpu).mpidr & kAffinityMask;
}

void Instance::cpu_on(unsigned cpu, PhysAddr entry, El el, std::uint64_t context) {
  cpus_->cpu(cpu).power_on(entry, el, context);
  if (told_) told_(cpu, true);
  ports_.woken(ports_.first_cpu + cpu);
}

void Instance::cpu_off(unsigned cpu) {
  cpus_->cpu(cpu).power_off();
  if (told_) told_(cpu, false);
}

/// The caller must not execute another instruction, so it loses power with the board. The other
/// CPUs of a machine are never run again; those of a domain would be.
void Instance::power_down(unsigned cpu, ExitReason reason) {
  if (config_.domain_map) return end(reason);
  cpus_->cpu(cpu).power_off();
  ports_.ended(reason, 0, {});
}

CallResult Instance::Traps::call(Conduit conduit, std::uint16_t immediate, unsigned cpu,
                                 std::array<std::uint64_t, 18>& x) {
  const bool hypercall_made = hypervisor && conduit == Conduit::hvc && immediate == hypercall;
  TrapPort& port = hypercall_made ? *hypervisor : *firmware;
  // Xen answers its domains' firmware calls by SMC as those by HVC.
  return port.call(hypervisor ? Conduit::hvc : conduit, immediate, cpu, x);
}

bool Instance::Traps::semihosting(unsigned cpu, std::uint64_t& x0, std::uint64_t x1) {
  return firmware->semihosting(cpu, x0, x1);
}

}  // namespace trapline
