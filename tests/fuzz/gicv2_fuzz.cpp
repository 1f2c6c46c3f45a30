// GICv2: distributor, CPU interfaces, list registers and the virtual interface of two CPUs.
#include "models/gic/gicv2.h"
#include "tests/fuzz/device.h"

namespace {

using namespace trapline;

class GicV2Rig final : public fuzz::Rig {
 public:
  explicit GicV2Rig(const GicV2Config& config) : gic_(config, {&lines_[0], &lines_[1]}, this) {
    frames = {{&gic_.distributor(), 0x1000},
              {&gic_.cpu_interface(), 0x2000},
              {&gic_.hypervisor_interface(), 0x2000},
              {&gic_.virtual_cpu_interface(), 0x2000}};
    for (CpuLines& cpu : lines_) {
      outputs.insert(outputs.end(), {&cpu.irq, &cpu.fiq, &cpu.virq, &cpu.vfiq});
    }
    for (unsigned intid = 32; intid < 32 + config.spis; intid += 7) {
      inputs.push_back(&gic_.spi(intid));
    }
    for (unsigned cpu = 0; cpu < 2; ++cpu) {
      for (unsigned intid = 16; intid < 32; ++intid) inputs.push_back(&gic_.ppi(cpu, intid));
    }
  }

 private:
  CpuLines lines_[2];
  GicV2 gic_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint8_t shape = input.byte();
  const GicV2Config config{.cpus = 2,
                           .spis = shape & 1 ? 992u : 32u,
                           .security_extensions = (shape & 2) != 0,
                           .boots_nonsecure = (shape & 6) == 6,
                           .list_registers = shape & 8 ? 64u : 4u,
                           .priority_bits = shape & 16 ? 5u : 8u};
  const auto rest = input.rest();
  fuzz::play_twice(rest.data(), rest.size(), [&] { return std::make_unique<GicV2Rig>(config); });
  return 0;
}
