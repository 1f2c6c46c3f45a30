#include "sim/machine/interrupt_controller.h"

#include "models/gic/gicv2.h"
#include "models/gic/gicv3.h"
#include "sim/machine/virt_board.h"
#include "sim/replay/device_facts.h"

namespace trapline {
namespace {

class VirtGicV2 final : public InterruptController {
 public:
  VirtGicV2(const GicV2Config& config, const std::vector<CpuLines*>& lines, Sink& sink,
            DeviceRecorder* recorder)
      : virtualization_(config.virtualization), gic_(config, lines, &sink), recorder_(recorder) {
    record_lines(recorder, gic_, config.spis, lines);
  }

  void map(Bus& bus) override {
    const auto add = [&](VirtPart part, GicUnit unit, Device& device) {
      const VirtRegion& region = virt_region(part);
      bus.map(recorded(recorder_, unit, device), region.base, region.size);
    };
    add(VirtPart::gicd, kGicDistributor, gic_.distributor());
    add(VirtPart::gicc, kGicCpuInterface, gic_.cpu_interface());
    if (!virtualization_) return;
    add(VirtPart::gich, kGicHypervisor, gic_.hypervisor_interface());
    add(VirtPart::gicv, kGicVirtualCpu, gic_.virtual_cpu_interface());
  }
  Line& spi(unsigned intid) override { return gic_.spi(intid); }
  Line& ppi(unsigned cpu, unsigned intid) override { return gic_.ppi(cpu, intid); }
  SysRegPort* cpu_interface(unsigned) override { return nullptr; }

 private:
  bool virtualization_;
  GicV2 gic_;
  DeviceRecorder* recorder_;
};

class VirtGicV3 final : public InterruptController {
 public:
  VirtGicV3(const GicV3Config& config, const std::vector<CpuLines*>& lines, Sink& sink,
            DeviceRecorder* recorder)
      : cpus_(config.cpus), gic_(config, lines, &sink), recorder_(recorder) {
    record_lines(recorder, gic_, config.spis, lines);
    for (unsigned cpu = 0; cpu < cpus_; ++cpu) {
      ports_.push_back(&recorded(recorder, cpu, gic_.cpu_interface(cpu)));
    }
  }

  void map(Bus& bus) override {
    const VirtRegion& gicd = virt_region(VirtPart::gicd);
    bus.map(recorded(recorder_, kGicDistributor, gic_.distributor()), gicd.base, gicd.size);
    bus.map(recorded(recorder_, kGicRedistributors, gic_.redistributors()), virt_region(VirtPart::gicr).base,
            cpus_ * kVirtRedistributorBytes);
  }
  Line& spi(unsigned intid) override { return gic_.spi(intid); }
  Line& ppi(unsigned cpu, unsigned intid) override { return gic_.ppi(cpu, intid); }
  SysRegPort* cpu_interface(unsigned cpu) override { return ports_[cpu]; }

 private:
  unsigned cpus_;
  GicV3 gic_;
  DeviceRecorder* recorder_;
  std::vector<SysRegPort*> ports_;
};

}  // namespace

std::unique_ptr<InterruptController> make_virt_gic(unsigned version, unsigned cpus, bool has_el2,
                                                   std::vector<CpuLines*> lines, Sink& events,
                                                   DeviceRecorder* recorder) {
  Sink& sink = recorder ? static_cast<Sink&>(*recorder) : events;
  if (version == 2) {
    GicV2Config config;
    config.cpus = cpus;
    config.spis = kVirtSpis;
    config.virtualization = has_el2;
    config.maintenance_intid = kVirtPpis.gic_maintenance;
    if (recorder) recorder->begin(device_facts(config));
    return std::make_unique<VirtGicV2>(config, lines, sink, recorder);
  }
  GicV3Config config;
  config.cpus = cpus;
  config.spis = kVirtSpis;
  config.virtualization = has_el2;
  config.maintenance_intid = kVirtPpis.gic_maintenance;
  if (recorder) recorder->begin(device_facts(config));
  return std::make_unique<VirtGicV3>(config, lines, sink, recorder);
}

}  // namespace trapline
