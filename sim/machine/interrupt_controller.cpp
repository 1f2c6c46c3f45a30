#include "sim/machine/interrupt_controller.h"

#include "models/gic/gicv2.h"
#include "models/gic/gicv3.h"
#include "sim/machine/virt_board.h"

namespace trapline {
namespace {

class VirtGicV2 final : public InterruptController {
 public:
  VirtGicV2(const GicV2Config& config, std::vector<CpuLines*> lines, Sink* sink)
      : virtualization_(config.virtualization), gic_(config, std::move(lines), sink) {}

  void map(Bus& bus) override {
    const auto add = [&](VirtPart part, Device& device) {
      const VirtRegion& region = virt_region(part);
      bus.map(device, region.base, region.size);
    };
    add(VirtPart::gicd, gic_.distributor());
    add(VirtPart::gicc, gic_.cpu_interface());
    if (!virtualization_) return;
    add(VirtPart::gich, gic_.hypervisor_interface());
    add(VirtPart::gicv, gic_.virtual_cpu_interface());
  }
  Line& spi(unsigned intid) override { return gic_.spi(intid); }
  Line& ppi(unsigned cpu, unsigned intid) override { return gic_.ppi(cpu, intid); }
  SysRegPort* cpu_interface(unsigned) override { return nullptr; }

 private:
  bool virtualization_;
  GicV2 gic_;
};

class VirtGicV3 final : public InterruptController {
 public:
  VirtGicV3(const GicV3Config& config, std::vector<CpuLines*> lines, Sink* sink)
      : cpus_(config.cpus), gic_(config, std::move(lines), sink) {}

  void map(Bus& bus) override {
    const VirtRegion& gicd = virt_region(VirtPart::gicd);
    bus.map(gic_.distributor(), gicd.base, gicd.size);
    bus.map(gic_.redistributors(), virt_region(VirtPart::gicr).base,
            cpus_ * kVirtRedistributorBytes);
  }
  Line& spi(unsigned intid) override { return gic_.spi(intid); }
  Line& ppi(unsigned cpu, unsigned intid) override { return gic_.ppi(cpu, intid); }
  SysRegPort* cpu_interface(unsigned cpu) override { return &gic_.cpu_interface(cpu); }

 private:
  unsigned cpus_;
  GicV3 gic_;
};

}  // namespace

std::unique_ptr<InterruptController> make_virt_gic(unsigned version, unsigned cpus, bool has_el2,
                                                   std::vector<CpuLines*> lines, Sink* sink) {
  if (version == 2) {
    GicV2Config config;
    config.cpus = cpus;
    config.spis = kVirtSpis;
    config.virtualization = has_el2;
    config.maintenance_intid = kVirtPpis.gic_maintenance;
    return std::make_unique<VirtGicV2>(config, std::move(lines), sink);
  }
  GicV3Config config;
  config.cpus = cpus;
  config.spis = kVirtSpis;
  config.virtualization = has_el2;
  config.maintenance_intid = kVirtPpis.gic_maintenance;
  return std::make_unique<VirtGicV3>(config, std::move(lines), sink);
}

}  // namespace trapline
