// The fvp-baser board's devices.
#include <array>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "models/flash/nor_flash.h"
#include "models/gic/gicv3.h"
#include "models/rtc/pl031.h"
#include "models/system/cci400.h"
#include "models/system/sp810.h"
#include "models/system/unmodelled.h"
#include "models/system/ve_sysregs.h"
#include "models/timer/counter_frame.h"
#include "models/timer/sp804.h"
#include "models/timer/system_counter.h"
#include "models/timer/timer_frame.h"
#include "models/virtio/empty_slots.h"
#include "models/watchdog/sp805.h"
#include "sim/machine/board.h"
#include "sim/machine/device_recording.h"
#include "sim/machine/fvp_baser.h"
#include "sim/machine/interrupt_controller.h"

namespace trapline {
namespace {

constexpr std::array kUarts{FvpPart::uart0, FvpPart::uart1, FvpPart::uart2, FvpPart::uart3};

/// PMSAv8-32's default map, but for what this board has below 0x98000000: memory that code starts
/// from with the MPU off.
MpuDefaultMap default_map() {
  MpuDefaultMap map = pmsav8_default_map();
  const MpuDefaultRange normal = map.front();
  map.insert(map.begin() + 1, {fvp_region(FvpPart::vram).base - 1, normal.attributes, true});
  return map;
}

/// A wire that carries on what several others say: high while any of them is.
class AnyOf {
 public:
  explicit AnyOf(std::vector<Line*> outputs) : outputs_(std::move(outputs)) {}
  Line& input() {
    Line& line = inputs_.emplace_back();
    line.connect([this](bool) {
      bool level = false;
      for (const Line& in : inputs_) level = level || in.level();
      for (Line* out : outputs_) out->set(level);
    });
    return line;
  }

 private:
  std::vector<Line*> outputs_;
  std::deque<Line> inputs_;
};

class FvpBaserBoard final : public Board {
 public:
  FvpBaserBoard(const MachineConfig& config, const BoardPorts& ports)
      : config_(config),
        ports_(ports),
        has_el2_(config.entry_el.value_or(2) == 2),
        counter_(ports.timeline, kFvpCounterHz, !config.hardware_counter) {}

  void add_memory() override {
    for (const MemoryRange& bank : fvp_dram(ram_bytes_of(config_))) {
      ports_.bus.add_ram("dram", bank.base, bank.size);
    }
    for (const FvpPart part : {FvpPart::trusted_sram, FvpPart::trusted_dram, FvpPart::psram,
                               FvpPart::vram, FvpPart::sram}) {
      add_ram(part, false);
    }
    add_ram(FvpPart::rom, true);
    for (const FvpPart part : {FvpPart::flash0, FvpPart::flash1}) {
      flash_memory_.push_back(&add_ram(part, true));
      flash_memory_.back()->fill(0xff);
    }
  }

  CpuConfig cpu(unsigned index) const override {
    CpuConfig cpu;
    cpu.model = cpu_of(config_);
    cpu.index = index;
    cpu.mpidr = 0x80000000ull | index;
    cpu.has_el2 = has_el2_;
    cpu.vmsa_at_el1 = config_.vmsa_at_el1;
    if (const auto sizes = mpu_of(config_)) {
      cpu.mpu = {.el1_regions = sizes->el1,
                 .el2_regions = sizes->el2,
                 .el2 = has_el2_,
                 .default_map = default_map()};
    }
    return cpu;
  }

  void add_devices(CpuComplex& cpus) override {
    add_gic(cpus);
    begin_recording(recorder_of(ports_.recorders, RecordedDevice::timer), counter_,
                    {.cpus = config_.cpus,
                     .frequency_known = !config_.hardware_counter,
                     .secure_physical = has_el2_});
    for (unsigned i = 0; i < config_.cpus; ++i) wire(i, cpus.cpu(i));
    add_timers();
    add_peripherals();
    add_system();
    for (Ram* memory : flash_memory_) add_flash(cpus, *memory);
    for (const FvpRegion& region : fvp_map()) {
      if (region.part != FvpPart::unmodelled) continue;
      ports_.bus.map(unmodelled_.emplace_back(name_of(region.name, region.base)), region.base,
                     region.size);
    }
    ports_.bus.reset_devices();
  }

 private:
  Ram& add_ram(FvpPart part, bool read_only) {
    const FvpRegion& region = fvp_region(part);
    return ports_.bus.add_ram(std::string(region.name), region.base, region.size, read_only);
  }

  void map(FvpPart part, Device& device) {
    const FvpRegion& region = fvp_region(part);
    ports_.bus.map(device, region.base, region.size);
  }

  Line& spi(FvpPart part) { return gic_->spi(32u + static_cast<unsigned>(fvp_region(part).spi)); }

  static std::string name_of(std::string_view model, PhysAddr base) {
    char text[40];
    std::snprintf(text, sizeof text, "%.*s@%llx", static_cast<int>(model.size()), model.data(),
                  static_cast<unsigned long long>(base));
    return text;
  }
  static std::string name_of(std::string_view model, FvpPart part) {
    return name_of(model, fvp_region(part).base);
  }

  void add_gic(CpuComplex& cpus) {
    std::vector<CpuLines*> lines;
    for (unsigned i = 0; i < config_.cpus; ++i) lines.push_back(&cpus.cpu(i).lines());
    GicV3Config gic;
    gic.cpus = config_.cpus;
    gic.spis = kFvpSpis;
    gic.virtualization = has_el2_;
    gic.distributor_priority_bits = 5;
    gic.programmable_are = true;
    gic.power_register = true;
    gic.maintenance_intid = kFvpPpis.gic_maintenance;
    const RecordedPorts with(ports_, RecordedDevice::gic);
    if (with.recorder) with.recorder->begin(device_facts(gic));
    gic_.emplace(gic, lines, with.sink);
    record_lines(with.recorder, *gic_, gic.spis, lines);
    map(FvpPart::gicd, recorded(with.recorder, kGicDistributor, gic_->distributor()));
    ports_.bus.map(recorded(with.recorder, kGicRedistributors, gic_->redistributors()),
                   fvp_region(FvpPart::gicr).base,
                   config_.cpus * kRedistributorBytes);
  }

  void wire(unsigned i, Cpu& cpu) {
    const auto any_of = [this](std::vector<Line*> outputs) -> AnyOf& {
      return wires_.emplace_back(std::move(outputs));
    };
    AnyOf& physical =
        any_of({&gic_->ppi(i, kFvpPpis.timer_secure), &gic_->ppi(i, kFvpPpis.timer_physical)});
    AnyOf& hyp = any_of({&gic_->ppi(i, kFvpPpis.timer_hyp)});
    std::vector<Line*> pmu{&gic_->ppi(i, kFvpPpis.pmu)};
    if (i < 4) pmu.push_back(&gic_->spi(32 + kFvpFirstPmuSpi + i));
    GenericTimerConfig timer;
    timer.frequency_known = !config_.hardware_counter;
    if (has_el2_) timer.secure_hyp_physical = &hyp.input();
    // There is no EL2 virtual timer: Armv8-R64 has no FEAT_VHE.
    const TimerLines lines{physical.input(), gic_->ppi(i, kFvpPpis.timer_virtual), hyp.input(),
                           unconnected_};
    const RecordedPorts with(ports_, RecordedDevice::timer);
    timers_.emplace_back(with.clock, counter_, lines, i, with.sink, timer);
    cpu.add_port(recorded(with.recorder, i, timers_.back()));
    record_lines(with.recorder, i, lines, timer);
    cpu.connect_pmu(any_of(std::move(pmu)).input());
    cpu.add_port(recorded(recorder_of(ports_.recorders, RecordedDevice::gic), i,
                          gic_->cpu_interface(i)));
  }

  void add_timers() {
    counter_control_.emplace(name_of("counter", FvpPart::counter_control), counter_,
                             !config_.hardware_counter);
    map(FvpPart::counter_control, *counter_control_);
    counter_read_.emplace(name_of("counter", FvpPart::counter_read), counter_);
    map(FvpPart::counter_read, *counter_read_);
    std::vector<TimerFrame*> frames;
    for (const FvpPart part : {FvpPart::timer_frame0, FvpPart::timer_frame1}) {
      // The physical and the virtual timer of a frame share its interrupt.
      AnyOf& irq = wires_.emplace_back(std::vector<Line*>{&spi(part)});
      Line& physical = irq.input();
      TimerFrame& frame = frames_.emplace_back(name_of("timer", part), ports_.timeline, counter_,
                                               physical, irq.input());
      map(part, frame.base());
      frames.push_back(&frame);
    }
    timer_control_.emplace(name_of("timer", FvpPart::timer_control), counter_, std::move(frames));
    map(FvpPart::timer_control, *timer_control_);
    for (const FvpPart part : {FvpPart::timer01, FvpPart::timer23}) {
      map(part, dual_timers_.emplace_back(name_of("sp804", part), spi(part), ports_.timeline));
    }
  }

  void add_peripherals() {
    const RecordedPorts with(ports_, RecordedDevice::pl011);
    begin_recording(with.recorder,
                    {.uarts = static_cast<unsigned>(kUarts.size()), .clock_hz = kFvpUartClockHz});
    for (unsigned n = 0; n < kUarts.size(); ++n) {
      Line& interrupt = spi(kUarts[n]);
      uarts_.emplace_back("uart" + std::to_string(n), interrupt,
                          recorded(with.recorder, n, ports_.uart(n)), with.clock, with.sink, n,
                          kFvpUartClockHz);
      map(kUarts[n], recorded(with.recorder, n, uarts_.back()));
      if (with.recorder) with.recorder->output(n, kUartInterrupt, interrupt);
    }
    watchdog_.emplace(name_of("sp805", FvpPart::watchdog), spi(FvpPart::watchdog), watchdog_reset_,
                      ports_.timeline, kFvpWatchdogHz);
    map(FvpPart::watchdog, *watchdog_);
    rtc_.emplace(spi(FvpPart::rtc), ports_.timeline);
    map(FvpPart::rtc, *rtc_);
    map(FvpPart::virtio_block, virtio_[0]);
    map(FvpPart::virtio_p9, virtio_[1]);
    map(FvpPart::virtio_net, virtio_[2]);
  }

  void add_system() {
    sysregs_.emplace(name_of("sysregs", FvpPart::sysregs), ports_.timeline,
                     [this](unsigned cpu, VeSysregs::PowerRequest request) {
                       ports_.power(cpu, request == VeSysregs::PowerRequest::shutdown
                                             ? ExitReason::power_off
                                             : ExitReason::reset);
                     });
    map(FvpPart::sysregs, *sysregs_);
    sysctl_.emplace(name_of("sp810", FvpPart::sysctl),
                    [this](unsigned timer, Sp810::TimerClock clock) {
                      dual_timers_[timer / 2].set_clock(timer % 2, timer_hz(clock));
                    });
    map(FvpPart::sysctl, *sysctl_);
    cci_.emplace(name_of("cci400", FvpPart::cci));
    map(FvpPart::cci, *cci_);
    watchdog_reset_.connect([this](bool level) {
      if (level) ports_.power(std::nullopt, ExitReason::reset);
    });
  }

  static std::uint64_t timer_hz(Sp810::TimerClock clock) {
    switch (clock) {
      case Sp810::TimerClock::refclk:
        return 32'768;
      case Sp810::TimerClock::timclk:
        return 1'000'000;
      case Sp810::TimerClock::free_running:
        return 35'000'000;
    }
    return 0;
  }

  void add_flash(CpuComplex& cpus, Ram& memory) {
    NorFlash& flash = flashes_.emplace_back(
        name_of("flash", memory.base()), std::span(memory.host(memory.base()), memory.size()),
        NorFlash::Hooks{.mode =
                            [&memory, &cpus](bool array) {
                              memory.set_direct(array);
                              cpus.memory_redirected();
                            },
                        .changed =
                            [&memory, &cpus](std::uint64_t offset, std::uint64_t bytes) {
                              cpus.memory_written(memory.base() + offset, bytes);
                            }});
    ports_.bus.map_over(flash, memory);
  }

  static constexpr std::uint64_t kRedistributorBytes = 0x20000;

  const MachineConfig& config_;
  BoardPorts ports_;
  bool has_el2_;
  SystemCounter counter_;
  std::optional<GicV3> gic_;
  std::deque<AnyOf> wires_;
  Line unconnected_;
  Line watchdog_reset_;
  std::optional<CounterControlFrame> counter_control_;
  std::optional<CounterReadFrame> counter_read_;
  std::deque<TimerFrame> frames_;
  std::optional<TimerControlFrame> timer_control_;
  std::deque<Sp804> dual_timers_;
  std::optional<Sp805> watchdog_;
  std::optional<Pl031> rtc_;
  std::array<VirtioEmptySlots, 3> virtio_;
  std::optional<VeSysregs> sysregs_;
  std::optional<Sp810> sysctl_;
  std::optional<Cci400> cci_;
  std::vector<Ram*> flash_memory_;
  std::deque<NorFlash> flashes_;
  std::deque<Unmodelled> unmodelled_;
};

}  // namespace

std::unique_ptr<Board> make_fvp_baser_board(const MachineConfig& config, const BoardPorts& ports) {
  return std::make_unique<FvpBaserBoard>(config, ports);
}

}  // namespace trapline
