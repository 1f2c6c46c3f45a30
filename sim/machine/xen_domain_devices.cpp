// The devices that Xen gives to a domain.
#include "models/gic/gicv2.h"
#include "models/gic/gicv3.h"
#include "models/timer/system_counter.h"
#include "sim/machine/board.h"
#include "sim/machine/device_recording.h"
#include "sim/machine/interrupt_controller.h"
#include "sim/machine/virt_board.h"
#include "sim/machine/xen_domain.h"

namespace trapline {
namespace {

constexpr PhysAddr kIspendr0 = 0x200;  // GICD_ISPENDR0 and GICR_ISPENDR0.

class DomainGicV2 final : public InterruptController {
 public:
  DomainGicV2(const GicV2Config& config, const DomainMap& map, const std::vector<CpuLines*>& lines,
              Sink& sink)
      : map_(map), gic_(config, lines, &sink) {}
  void map(Bus& bus) override {
    bus.map(gic_.distributor(), map_.gicd, xen_guest::kGicdBytes);
    bus.map(gic_.cpu_interface(), map_.gicc, xen_guest::kGiccBytes);
  }
  Line& spi(unsigned intid) override { return gic_.spi(intid); }
  Line& ppi(unsigned cpu, unsigned intid) override { return gic_.ppi(cpu, intid); }
  SysRegPort* cpu_interface(unsigned) override { return nullptr; }
  void pend(unsigned cpu, unsigned intid) override {
    gic_.distributor().write({.offset = kIspendr0, .cpu = static_cast<std::uint8_t>(cpu)},
                             1ull << intid);
  }

 private:
  const DomainMap& map_;
  GicV2 gic_;
};

class DomainGicV3 final : public InterruptController {
 public:
  DomainGicV3(const GicV3Config& config, const DomainMap& map, const std::vector<CpuLines*>& lines,
              Sink& sink)
      : map_(map), cpus_(config.cpus), gic_(config, lines, &sink) {}
  void map(Bus& bus) override {
    bus.map(gic_.distributor(), map_.gicd, xen_guest::kGicv3DistributorBytes);
    bus.map(gic_.redistributors(), map_.gicr, cpus_ * kVirtRedistributorBytes);
  }
  Line& spi(unsigned intid) override { return gic_.spi(intid); }
  Line& ppi(unsigned cpu, unsigned intid) override { return gic_.ppi(cpu, intid); }
  SysRegPort* cpu_interface(unsigned cpu) override { return &gic_.cpu_interface(cpu); }
  void pend(unsigned cpu, unsigned intid) override {
    constexpr PhysAddr kSgiFrame = 0x10000;
    gic_.redistributors().write({.offset = cpu * kVirtRedistributorBytes + kSgiFrame + kIspendr0,
                                 .cpu = static_cast<std::uint8_t>(cpu)},
                                1ull << intid);
  }

 private:
  const DomainMap& map_;
  unsigned cpus_;
  GicV3 gic_;
};

class DomainBoard final : public Board {
 public:
  DomainBoard(const MachineConfig& config, const BoardPorts& ports)
      : config_(config),
        map_(*config.domain_map),
        ports_(ports),
        counter_(ports.timeline, map_.counter_hz) {}

  void add_memory() override {
    if (map_.mpu) {
      // Nothing but its regions keeps a domain from the others' memory.
      for (const std::shared_ptr<Ram>& ram : ports_.memory) ports_.bus.add_ram(ram);
      return;
    }
    for (const MemoryRange& bank : map_.ram) ports_.bus.add_ram("ram", bank.base, bank.size);
    if (map_.grant_table) {
      ports_.bus.add_ram("grant-table", map_.grant_table->base, map_.grant_table->size);
    }
    if (map_.magic) ports_.bus.add_ram("magic-pages", map_.magic->base, map_.magic->size);
  }

  /// VMPIDR_EL2 as Xen sets it: 16 vCPUs to Aff0, RES1 bit 31.
  CpuConfig cpu(unsigned index) const override {
    CpuConfig cpu;
    cpu.model = config_.cpu;
    cpu.index = index;
    cpu.mpidr = 0x80000000ull | index;
    cpu.has_el2 = false;
    cpu.gic = config_.gic;
    if (map_.mpu) {
      const MpuSizes sizes = *mpu_of(config_);
      cpu.has_el2 = cpu.layer_at_el2 = true;
      cpu.mpu = {.el1_regions = sizes.el1, .el2_regions = sizes.el2};
      cpu.vmsa_at_el1 = config_.vmsa_at_el1;
    }
    return cpu;
  }

  void add_devices(CpuComplex& cpus) override {
    std::vector<CpuLines*> lines;
    for (unsigned i = 0; i < config_.cpus; ++i) lines.push_back(&cpus.cpu(i).lines());
    make_gic(lines);
    gic_->map(ports_.bus);
    for (unsigned i = 0; i < config_.cpus; ++i) {
      const TimerLines wires{gic_->ppi(i, xen_guest::kTimerPhysical),
                             gic_->ppi(i, xen_guest::kTimerVirtual), unconnected_, unconnected_};
      timers_.emplace_back(ports_.timeline, counter_, wires, i, &ports_.events,
                           GenericTimerConfig{});
      cpus.cpu(i).add_port(timers_.back());
      if (SysRegPort* port = gic_->cpu_interface(i)) cpus.cpu(i).add_port(*port);
    }
    if (map_.uart) {
      // The guest knows an SBSA UART and so never enables it, but for one of the board's.
      uarts_.emplace_back("vpl011", gic_->spi(map_.uart_intid), ports_.uart(0), ports_.timeline,
                          &ports_.events, ports_.first_uart, kVirtUartClockHz,
                          Pl011Options{.enabled_at_reset = !map_.own_uart});
      ports_.bus.map(uarts_.back(), *map_.uart, map_.uart_bytes);
    }
    ports_.bus.reset_devices();
  }

  void pend(unsigned cpu, unsigned intid) override { gic_->pend(cpu, intid); }

 private:
  void make_gic(const std::vector<CpuLines*>& lines) {
    if (config_.gic == 2) {
      GicV2Config gic;
      gic.cpus = config_.cpus;
      gic.spis = map_.spis;
      gic.virtualization = false;
      gic_ = std::make_unique<DomainGicV2>(gic, map_, lines, ports_.events);
      return;
    }
    GicV3Config gic;
    gic.cpus = config_.cpus;
    gic.spis = map_.spis;
    gic.virtualization = false;
    if (map_.mpu) {
      // What software for the board expects of its distributor.
      gic.distributor_priority_bits = 5;
      gic.programmable_are = true;
      gic.power_register = true;
    }
    gic_ = std::make_unique<DomainGicV3>(gic, map_, lines, ports_.events);
  }

  const MachineConfig& config_;
  const DomainMap& map_;
  BoardPorts ports_;
  SystemCounter counter_;
  Line unconnected_;
  std::unique_ptr<InterruptController> gic_;
};

}  // namespace

std::unique_ptr<Board> make_xen_domain_board(const MachineConfig& config, const BoardPorts& ports) {
  return std::make_unique<DomainBoard>(config, ports);
}

}  // namespace trapline
