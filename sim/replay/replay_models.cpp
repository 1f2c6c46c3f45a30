// The four models on a bench.
#include <stdexcept>

#include "models/timer/system_counter.h"
#include "sim/replay/device_facts.h"
#include "sim/replay/mpu_answers.h"
#include "sim/replay/replay.h"

namespace trapline {
namespace {

/// The lines of the CPUs behind a GIC.
class Wires {
 public:
  Wires(ReplayBench& bench, unsigned cpus) : lines_(cpus) {
    for (unsigned cpu = 0; cpu < cpus; ++cpu) {
      bench.watch(cpu, kIrq, lines_[cpu].irq);
      bench.watch(cpu, kFiq, lines_[cpu].fiq);
      bench.watch(cpu, kVirtualIrq, lines_[cpu].virq);
      bench.watch(cpu, kVirtualFiq, lines_[cpu].vfiq);
    }
  }
  std::vector<CpuLines*> pointers() {
    std::vector<CpuLines*> all;
    for (CpuLines& lines : lines_) all.push_back(&lines);
    return all;
  }

 private:
  std::deque<CpuLines> lines_;
};

/// An access by a CPU that the model has not would be the recording's fault.
template <typename Gic>
bool set_line(Gic& gic, const Event& event) {
  try {
    (event.b < 32 ? gic.ppi(unit_of(event), static_cast<unsigned>(event.b))
                  : gic.spi(static_cast<unsigned>(event.b)))
        .set(event.c != 0);
  } catch (const std::out_of_range& error) {
    throw TraceError(error.what());
  }
  return true;
}

class GicV2Replay final : public ReplayModel {
 public:
  GicV2Replay(const GicV2Config& config, ReplayBench& bench)
      : cpus_(config.cpus),
        virtualization_(config.virtualization),
        wires_(bench, config.cpus),
        gic_(config, wires_.pointers(), &bench) {}

  Device* window(unsigned unit) override {
    switch (unit) {
      case kGicDistributor:
        return &gic_.distributor();
      case kGicCpuInterface:
        return &gic_.cpu_interface();
      case kGicHypervisor:
        return virtualization_ ? &gic_.hypervisor_interface() : nullptr;
      case kGicVirtualCpu:
        return virtualization_ ? &gic_.virtual_cpu_interface() : nullptr;
      default:
        return nullptr;
    }
  }
  bool input(const Event& event) override { return set_line(gic_, event); }
  unsigned cpus() const override { return cpus_; }

 private:
  unsigned cpus_;
  bool virtualization_;
  Wires wires_;
  GicV2 gic_;
};

class GicV3Replay final : public ReplayModel {
 public:
  GicV3Replay(const GicV3Config& config, ReplayBench& bench)
      : cpus_(config.cpus), wires_(bench, cpus_), gic_(config, wires_.pointers(), &bench) {}

  Device* window(unsigned unit) override {
    if (unit == kGicDistributor) return &gic_.distributor();
    return unit == kGicRedistributors ? &gic_.redistributors() : nullptr;
  }
  SysRegPort* registers(unsigned unit) override {
    return unit < cpus_ ? &gic_.cpu_interface(unit) : nullptr;
  }
  bool input(const Event& event) override { return set_line(gic_, event); }
  unsigned cpus() const override { return cpus_; }

 private:
  unsigned cpus_;
  Wires wires_;
  GicV3 gic_;
};

class TimerReplay final : public ReplayModel {
 public:
  TimerReplay(const TimerSetup& setup, ReplayBench& bench)
      : counter_(bench.clock(), setup.counter_hz, setup.counter_runs) {
    for (unsigned cpu = 0; cpu < setup.cpus; ++cpu) {
      const auto line = [&](TimerIndex index) -> Line& {
        return bench.output(cpu, static_cast<std::uint64_t>(index));
      };
      const TimerLines lines{line(TimerIndex::el1_physical), line(TimerIndex::el1_virtual),
                             line(TimerIndex::hyp_physical), line(TimerIndex::hyp_virtual)};
      GenericTimerConfig config{
          .vhe = setup.vhe, .frequency_known = setup.frequency_known, .ecv = setup.ecv};
      if (setup.secure_physical)
        config.secure_hyp_physical = &line(TimerIndex::secure_hyp_physical);
      if (setup.secure_virtual) config.secure_hyp_virtual = &line(TimerIndex::secure_hyp_virtual);
      timers_.emplace_back(bench.clock(), counter_, lines, cpu, &bench, config);
    }
  }

  SysRegPort* registers(unsigned unit) override {
    return unit < timers_.size() ? &timers_[unit] : nullptr;
  }
  bool input(const Event& event) override {
    if (event.b == kCounterRunning) {
      counter_.set_enabled(event.c != 0);
    } else if (event.b == kCounterValue) {
      counter_.set_count(event.c);
    } else {
      return false;
    }
    return true;
  }

 private:
  SystemCounter counter_;
  std::deque<GenericTimer> timers_;
};

class MpuReplay final : public ReplayModel {
 public:
  MpuReplay(const MpuSetup& setup, ReplayBench& bench) : bench_(bench) {
    for (unsigned cpu = 0; cpu < setup.cpus; ++cpu) {
      mpus_.emplace_back(setup.config, cpu, &bench, [](const std::string&) {});
    }
  }

  SysRegPort* registers(unsigned unit) override {
    return unit < mpus_.size() ? &mpus_[unit] : nullptr;
  }
  bool input(const Event& event) override {
    if (event.b != kVmsaAtEl1 || unit_of(event) >= mpus_.size()) return false;
    mpus_[unit_of(event)].set_vmsa_at_el1(event.c != 0);
    return true;
  }
  bool reset(unsigned unit) override {
    if (unit >= mpus_.size()) return false;
    mpus_[unit].reset();
    return true;
  }
  void after_write(unsigned unit) override {
    bench_.note_output(unit, kMpuAnswers, mpu_answers(mpus_[unit]));
  }

 private:
  ReplayBench& bench_;
  std::deque<Mpu> mpus_;
};

class Pl011Replay final : public ReplayModel {
 public:
  Pl011Replay(const Pl011Setup& setup, ReplayBench& bench) {
    for (unsigned n = 0; n < setup.uarts; ++n) {
      uarts_.emplace_back("uart" + std::to_string(n), bench.output(n, kUartInterrupt),
                          bench.transmitter(n), bench.clock(), &bench, n, setup.clock_hz);
    }
  }

  Device* window(unsigned unit) override { return unit < uarts_.size() ? &uarts_[unit] : nullptr; }
  bool input(const Event& event) override {
    if (event.b != kUartReceive || unit_of(event) >= uarts_.size()) return false;
    const bool accepted = (event.d >> 8 & 1) != 0;
    return uarts_[unit_of(event)].receive(static_cast<std::uint8_t>(event.c)) == accepted;
  }

 private:
  std::deque<Pl011> uarts_;
};

template <typename Model, typename Setup>
std::unique_ptr<ReplayModel> make(const TraceHeader& header, ReplayBench& bench) {
  Setup setup;
  read_facts(header, setup);
  try {
    return std::make_unique<Model>(setup, bench);
  } catch (const std::invalid_argument& error) {
    throw TraceError(error.what());
  }
}

}  // namespace

std::unique_ptr<ReplayModel> make_replay_model(RecordedDevice device, const TraceHeader& header,
                                               ReplayBench& bench) {
  switch (device) {
    case RecordedDevice::gic:
      if (gic_version(header) == 2) return make<GicV2Replay, GicV2Config>(header, bench);
      return make<GicV3Replay, GicV3Config>(header, bench);
    case RecordedDevice::timer:
      return make<TimerReplay, TimerSetup>(header, bench);
    case RecordedDevice::mpu:
      return make<MpuReplay, MpuSetup>(header, bench);
    case RecordedDevice::pl011:
      return make<Pl011Replay, Pl011Setup>(header, bench);
  }
  throw TraceError("no such device");
}

}  // namespace trapline
