// The `virt` board's devices.
#include <optional>

#include "models/rtc/pl031.h"
#include "models/timer/system_counter.h"
#include "models/virtio/empty_slots.h"
#include "sim/machine/board.h"
#include "sim/machine/device_recording.h"
#include "sim/machine/interrupt_controller.h"
#include "sim/machine/virt_board.h"

namespace trapline {
namespace {

class VirtBoard final : public Board {
 public:
  VirtBoard(const MachineConfig& config, const BoardPorts& ports)
      : config_(config),
        ports_(ports),
        has_el2_(config.entry_el.value_or(2) == 2),
        counter_(ports.timeline, kVirtCounterHz) {}

  void add_memory() override {
    ports_.bus.add_ram("ram", virt_region(VirtPart::ram).base, ram_bytes_of(config_));
  }

  /// MPIDR_EL1 as QEMU's virt numbers its CPUs: Aff0 alone, RES1 bit 31.
  CpuConfig cpu(unsigned index) const override {
    CpuConfig cpu;
    cpu.model = cpu_of(config_);
    cpu.index = index;
    cpu.mpidr = 0x80000000ull | index;
    cpu.has_el2 = has_el2_;
    cpu.gic = config_.gic;
    return cpu;
  }

  void add_devices(CpuComplex& cpus) override {
    std::vector<CpuLines*> lines;
    for (unsigned i = 0; i < config_.cpus; ++i) lines.push_back(&cpus.cpu(i).lines());
    gic_ = make_virt_gic(config_.gic, config_.cpus, has_el2_, lines, ports_.events,
                         recorder_of(ports_.recorders, RecordedDevice::gic));
    gic_->map(ports_.bus);
    begin_recording(recorder_of(ports_.recorders, RecordedDevice::timer), counter_,
                    {.cpus = config_.cpus, .vhe = timer_config().vhe});
    for (unsigned i = 0; i < config_.cpus; ++i) wire(i, cpus.cpu(i));

    const VirtRegion& uart = virt_region(VirtPart::uart0);
    const RecordedPorts with(ports_, RecordedDevice::pl011);
    begin_recording(with.recorder, {.uarts = 1, .clock_hz = kVirtUartClockHz});
    Line& interrupt = gic_->spi(intid(uart));
    uarts_.emplace_back("uart0", interrupt, recorded(with.recorder, 0, ports_.uart(0)), with.clock,
                        with.sink, 0u, kVirtUartClockHz);
    ports_.bus.map(recorded(with.recorder, 0, uarts_.back()), uart.base, uart.size);
    if (with.recorder) with.recorder->output(0, kUartInterrupt, interrupt);
    const VirtRegion& clock = virt_region(VirtPart::rtc);
    rtc_.emplace(gic_->spi(intid(clock)), ports_.timeline);
    ports_.bus.map(*rtc_, clock.base, clock.size);
    const VirtRegion& slots = virt_region(VirtPart::virtio);
    ports_.bus.map(virtio_, slots.base, slots.size * slots.count);
    ports_.bus.reset_devices();
  }

 private:
  static unsigned intid(const VirtRegion& region) {
    return 32u + static_cast<unsigned>(region.spi);
  }

  GenericTimerConfig timer_config() const { return {.vhe = config_.cpu == "max"}; }

  void wire(unsigned i, Cpu& cpu) {
    const TimerLines wires{gic_->ppi(i, kVirtPpis.timer_physical),
                           gic_->ppi(i, kVirtPpis.timer_virtual), gic_->ppi(i, kVirtPpis.timer_hyp),
                           gic_->ppi(i, kVirtPpis.timer_hyp_virtual)};
    const RecordedPorts with(ports_, RecordedDevice::timer);
    timers_.emplace_back(with.clock, counter_, wires, i, with.sink, timer_config());
    cpu.add_port(recorded(with.recorder, i, timers_.back()));
    record_lines(with.recorder, i, wires, timer_config());
    cpu.connect_pmu(gic_->ppi(i, kVirtPpis.pmu));
    if (SysRegPort* port = gic_->cpu_interface(i)) cpu.add_port(*port);
  }

  const MachineConfig& config_;
  BoardPorts ports_;
  bool has_el2_;
  SystemCounter counter_;
  std::unique_ptr<InterruptController> gic_;
  std::optional<Pl031> rtc_;
  VirtioEmptySlots virtio_;
};

}  // namespace

std::unique_ptr<Board> make_virt_board(const MachineConfig& config, const BoardPorts& ports) {
  return std::make_unique<VirtBoard>(config, ports);
}

}  // namespace trapline
