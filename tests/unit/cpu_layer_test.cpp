// An EL2 that is the simulator's hypervisor layer: what its MPU lets EL1 have of devices.
#include "tests/unit/cpu_pmsa_fixture.h"

namespace trapline::test {
namespace {

using namespace a64;

class LayerPort final : public TrapPort {
 public:
  CallResult call(Conduit, std::uint16_t, unsigned, std::array<std::uint64_t, 18>&) override {
    return CallResult::refused;
  }
  void trapped(unsigned, const El2Trap& trap) override {
    far = trap.far;
    cpu->power_off();
  }
  bool semihosting(unsigned, std::uint64_t&, std::uint64_t) override { return false; }

  Cpu* cpu = nullptr;
  std::optional<VirtAddr> far;
};

class CpuLayer : public PmsaTest {
 protected:
  /// A guest that loads from the device, with a region for its code and those of `devices`.
  void load_from_device(std::initializer_list<std::uint64_t> device_permissions) {
    CpuConfig config{.model = "cortex-r82", .mpidr = 0x80000000};
    config.layer_at_el2 = true;
    events.set_source(nullptr);
    complex = make_cpu_complex({.bus = bus,
                                .timeline = timeline,
                                .events = events,
                                .timing = unit_timing,
                                .traps = &layer},
                               {config});
    layer.cpu = &cpu();
    layer.far.reset();
    device.seen.clear();
    put(kGuest, Code().mov(1, kDevice).add({mem(kLdrW, 2, 1), kWfi}));
    cpu().power_on(kGuest, El::el1, 0);
    cpu().write_el2(reg::MAIR_EL2, 0x00ff);
    map(0, kRam, 0x10000, kCodeAll);
    unsigned n = 1;
    for (const std::uint64_t permissions : device_permissions) {
      map(n++, kDevice, 0x1000, permissions);
    }
    cpu().write_el2(reg::SCTLR_EL2, 1);
    cpu().write_el2(reg::HCR_EL2, kHcrRw | 1);
    run();
  }
  void map(unsigned n, PhysAddr base, std::uint64_t bytes, std::uint64_t permissions) {
    cpu().write_el2(reg::PRSELR_EL2, n);
    cpu().write_el2(reg::PRBARn_EL2(0), base | permissions);
    cpu().write_el2(reg::PRLARn_EL2(0), ((base + bytes - 1) & ~0x3full) | 1);
  }

  LayerPort layer;
};

TEST_F(CpuLayer, ADeviceInARegionOfEl2sAloneIsThereInPlaceOfWhatWouldBeEmulated) {
  load_from_device({kReadWrite});
  EXPECT_EQ(device.seen.size(), 1u);
  EXPECT_FALSE(layer.far);
}

TEST_F(CpuLayer, ADeviceInNoRegionIsOutOfReach) {
  load_from_device({});
  EXPECT_TRUE(device.seen.empty());
  EXPECT_EQ(layer.far, kDevice);
}

}  // namespace
}  // namespace trapline::test
