// GICv3: distributor, redistributors, and the system registers of two CPUs at every level.
#include "models/gic/gicv3.h"
#include "tests/fuzz/device.h"

namespace {

using namespace trapline;

class GicV3Rig final : public fuzz::Rig {
 public:
  explicit GicV3Rig(const GicV3Config& config) : gic_(config, {&lines_[0], &lines_[1]}, this) {
    frames = {{&gic_.distributor(), 0x10000}, {&gic_.redistributors(), 2 * 0x20000}};
    ports = {&gic_.cpu_interface(0), &gic_.cpu_interface(1)};
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
  GicV3 gic_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint8_t shape = input.byte(), more = input.byte();
  const GicV3Config config{.cpus = 2,
                           .spis = shape & 1 ? 960u : 32u,
                           .two_security_states = (shape & 2) != 0,
                           .list_registers = shape & 4 ? 16u : 4u,
                           .priority_bits = shape & 8 ? 7u : 5u,
                           .distributor_priority_bits = shape & 16 ? 4u : 8u,
                           .programmable_are = (shape & 0x22) == 0x20,
                           .programmable_sre = (shape & 0x40) != 0,
                           .one_of_n = (shape & 0x80) != 0,
                           .message_spis = (more & 1) != 0,
                           .sleep_gates = (more & 2) != 0,
                           .power_register = (more & 4) != 0};
  const auto rest = input.rest();
  fuzz::play_twice(rest.data(), rest.size(), [&] { return std::make_unique<GicV3Rig>(config); });
  return 0;
}
