#include <stdexcept>

#include "tests/unit/gicv2_fixture.h"

namespace trapline {
namespace {

constexpr unsigned kMaintenance = 25;
constexpr std::uint32_t kEn = 1, kUie = 2, kLrenpie = 4, kNpie = 8;

constexpr std::uint32_t list_register(unsigned intid, unsigned priority = 0xa0) {
  return intid | priority >> 3 << 23;
}

// Software at EL2 programs GICH, its guest uses GICV as if it were GICC.
class GicV2VirtualTest : public GicV2Test {
 protected:
  void SetUp() override { start(1); }
  void start(unsigned cpus) {
    build(cpus);
    for (unsigned cpu = 0; cpu < cpus; ++cpu) {
      gich_write(gich::kHcr, kEn, cpu);
      gicv_write(gicc::kPmr, 0xff, cpu);
      gicv_write(gicc::kCtlr, gicc::kEnableGrp0, cpu);
    }
    sink.events.clear();
  }
  void lr(unsigned n, std::uint32_t value, unsigned cpu = 0) {
    gich_write(gich::kLr + 4 * n, value, cpu);
  }
  std::uint32_t lr(unsigned n) { return gich_read(gich::kLr + 4 * n); }
  unsigned eoi_count() { return gich_read(gich::kHcr) >> 27; }
  bool maintenance() { return gic->ppi(0, kMaintenance).level(); }
};

TEST_F(GicV2VirtualTest, ResetValuesAreThoseOfAGic400) {
  build(1);
  EXPECT_EQ(gich_read(gich::kVtr), 0x90000003u);
  EXPECT_EQ(gich_read(gich::kVmcr), 0x004c0000u);
  EXPECT_EQ(gich_read(gich::kElrsr0), 0xfu);
  EXPECT_EQ(gich_read(gich::kElrsr1), 0u);
  EXPECT_EQ(gich_read(gich::kHcr), 0u);
  EXPECT_EQ(gich_read(gich::kMisr), 0u);
  EXPECT_EQ(gicv_read(gicc::kIidr), 0x2043bu);
  EXPECT_EQ(gicv_read(gicc::kIar), kSpurious);
}

TEST_F(GicV2VirtualTest, PendingListRegisterInterruptsTheGuest) {
  lr(0, list_register(27) | gich::kPending);
  EXPECT_TRUE(lines[0].virq.level());
  EXPECT_FALSE(lines[0].vfiq.level());
  EXPECT_FALSE(lines[0].irq.level());
  EXPECT_EQ(gicv_read(gicc::kHppir), 27u);
  EXPECT_EQ(gicv_read(gicc::kIar), 27u);
  EXPECT_FALSE(lines[0].virq.level());
  EXPECT_EQ(lr(0), list_register(27) | gich::kActive);
  EXPECT_EQ(gicv_read(gicc::kRpr), 0xa0u);
  EXPECT_EQ(gich_read(gich::kApr), 1u << (0xa0 >> 3));
  gicv_write(gicc::kEoir, 27);
  EXPECT_EQ(lr(0), list_register(27));
  EXPECT_EQ(gich_read(gich::kElrsr0), 0xfu);
  EXPECT_EQ(gich_read(gich::kApr), 0u);
  EXPECT_EQ(gicv_read(gicc::kIar), kSpurious);
}

TEST_F(GicV2VirtualTest, DisabledInterfaceSignalsNothing) {
  lr(0, list_register(27) | gich::kPending);
  gich_write(gich::kHcr, 0);
  EXPECT_FALSE(lines[0].virq.level());
  EXPECT_EQ(gicv_read(gicc::kIar), kSpurious);
  gich_write(gich::kHcr, kEn);
  EXPECT_TRUE(lines[0].virq.level());
  gicv_write(gicc::kCtlr, 0);
  EXPECT_FALSE(lines[0].virq.level());
}

TEST_F(GicV2VirtualTest, HighestPriorityListRegisterWins) {
  lr(0, list_register(40, 0xb0) | gich::kPending);
  lr(2, list_register(41, 0x50) | gich::kPending);
  lr(3, list_register(42, 0x50) | gich::kPending);
  EXPECT_EQ(gicv_read(gicc::kIar), 41u);
  EXPECT_FALSE(lines[0].virq.level()) << "equal priority does not preempt";
  gicv_write(gicc::kEoir, 41);
  EXPECT_EQ(gicv_read(gicc::kIar), 42u);
  gicv_write(gicc::kEoir, 42);
  EXPECT_EQ(gicv_read(gicc::kIar), 40u);
}

TEST_F(GicV2VirtualTest, GuestPriorityMaskHasFiveBits) {
  gicv_write(gicc::kPmr, 0xff);
  EXPECT_EQ(gicv_read(gicc::kPmr), 0xf8u);
  lr(0, list_register(40, 0xa0) | gich::kPending);
  gicv_write(gicc::kPmr, 0xa0);
  EXPECT_FALSE(lines[0].virq.level());
  gicv_write(gicc::kPmr, 0xa8);
  EXPECT_TRUE(lines[0].virq.level());
  gicv_write(gicc::kBpr, 0);
  EXPECT_EQ(gicv_read(gicc::kBpr), 2u);
  gicv_write(gicc::kAbpr, 0);
  EXPECT_EQ(gicv_read(gicc::kAbpr), 3u);
}

TEST_F(GicV2VirtualTest, ActiveAndPendingWaitsForTheEndOfTheFirst) {
  lr(0, list_register(40) | gich::kPending);
  EXPECT_EQ(gicv_read(gicc::kIar), 40u);
  lr(0, list_register(40) | gich::kPending | gich::kActive);  // The hypervisor adds another.
  EXPECT_FALSE(lines[0].virq.level());
  gicv_write(gicc::kEoir, 40);
  EXPECT_EQ(lr(0), list_register(40) | gich::kPending);
  EXPECT_TRUE(lines[0].virq.level());
}

TEST_F(GicV2VirtualTest, HardwareInterruptIsDeactivatedByTheGuestsEnd) {
  gicd_write(gicd::kCtlr, 1);
  gicc_write(gicc::kPmr, 0xff);
  gicc_write(gicc::kCtlr, gicc::kEnableGrp0 | gicc::kEoiMode);
  prepare(60, 0xa0);
  gic->spi(60).set(true);
  EXPECT_EQ(gicc_read(gicc::kIar), 60u);
  gicc_write(gicc::kEoir, 60);  // The hypervisor drops the priority and hands it to the guest,
  lr(1, list_register(33) | 60u << 10 | gich::kHw | gich::kPending);
  EXPECT_EQ(gicv_read(gicc::kIar), 33u);  // which knows it by another number.
  EXPECT_TRUE(get_bit(gicd::kIsactiver, 60));
  gicv_write(gicc::kEoir, 33);
  EXPECT_FALSE(get_bit(gicd::kIsactiver, 60));
  EXPECT_TRUE(lines[0].irq.level()) << "the device has not lowered its wire";
  EXPECT_EQ(gich_read(gich::kEisr0), 0u) << "no maintenance for hardware interrupts";
  EXPECT_EQ(gich_read(gich::kElrsr0), 0xfu);
}

TEST_F(GicV2VirtualTest, HardwarePpiIsDeactivatedOnTheGuestsCpuOnly) {
  start(2);
  for (unsigned cpu = 0; cpu < 2; ++cpu) set_bit(gicd::kIsactiver, 27, cpu);
  lr(0, list_register(27) | 27u << 10 | gich::kHw | gich::kPending, 1);
  EXPECT_TRUE(lines[1].virq.level());
  EXPECT_FALSE(lines[0].virq.level());
  EXPECT_EQ(gicv_read(gicc::kIar, 1), 27u);
  gicv_write(gicc::kEoir, 27, 1);
  EXPECT_FALSE(get_bit(gicd::kIsactiver, 27, 1));
  EXPECT_TRUE(get_bit(gicd::kIsactiver, 27, 0));
}

TEST_F(GicV2VirtualTest, HardwareBitWithAnImpossiblePhysicalIdIsHarmless) {
  lr(0, list_register(40) | 1000u << 10 | gich::kHw | gich::kPending);
  EXPECT_EQ(gicv_read(gicc::kIar), 40u);
  gicv_write(gicc::kEoir, 40);
  EXPECT_EQ(lr(0) & (gich::kActive | gich::kPending), 0u);
}

TEST_F(GicV2VirtualTest, GuestEoiModeSplitsDropAndDeactivation) {
  set_bit(gicd::kIsactiver, 60);
  gicv_write(gicc::kCtlr, gicc::kEnableGrp0 | gicc::kEoiMode);
  lr(0, list_register(33) | 60u << 10 | gich::kHw | gich::kPending);
  EXPECT_EQ(gicv_read(gicc::kIar), 33u);
  gicv_write(gicc::kEoir, 33);
  EXPECT_EQ(gicv_read(gicc::kRpr), 0xffu);
  EXPECT_EQ(lr(0) >> 28 & 3, 2u);
  EXPECT_TRUE(get_bit(gicd::kIsactiver, 60));
  gicv_write(gicc::kDir, 33);
  EXPECT_EQ(lr(0) >> 28 & 3, 0u);
  EXPECT_FALSE(get_bit(gicd::kIsactiver, 60));
  EXPECT_EQ(eoi_count(), 0u);
}

TEST_F(GicV2VirtualTest, SgiCarriesItsSourceAndIsEndedByIt) {
  lr(0, list_register(5) | 1u << 10 | gich::kPending);
  lr(1, list_register(5) | 3u << 10 | gich::kPending);
  EXPECT_EQ(gicv_read(gicc::kIar), 5u | 1u << 10);
  gicv_write(gicc::kCtlr, gicc::kEnableGrp0 | gicc::kEoiMode);
  gicv_write(gicc::kEoir, 5u | 1u << 10);
  EXPECT_EQ(gicv_read(gicc::kIar), 5u | 3u << 10);
  gicv_write(gicc::kEoir, 5u | 3u << 10);
  gicv_write(gicc::kDir, 5u | 3u << 10);
  EXPECT_EQ(lr(0) >> 28 & 3, 2u);
  EXPECT_EQ(lr(1) >> 28 & 3, 0u);
  gicv_write(gicc::kDir, 5);  // Without the source: the first that fits.
  EXPECT_EQ(lr(0) >> 28 & 3, 0u);
}

TEST_F(GicV2VirtualTest, EndWithoutAListRegisterCounts) {
  gich_write(gich::kHcr, kEn | kLrenpie);
  lr(0, list_register(40) | gich::kPending);
  EXPECT_EQ(gicv_read(gicc::kIar), 40u);
  lr(0, 0);  // The hypervisor needed the list register for something else.
  EXPECT_FALSE(maintenance());
  gicv_write(gicc::kEoir, 40);
  EXPECT_EQ(eoi_count(), 1u);
  EXPECT_EQ(gich_read(gich::kMisr), 1u << 2);
  EXPECT_TRUE(maintenance());
  gicv_write(gicc::kEoir, 40);
  EXPECT_EQ(eoi_count(), 1u) << "no priority was dropped, nothing ended";
  gich_write(gich::kHcr, kEn | kLrenpie);
  EXPECT_FALSE(maintenance());
}

TEST_F(GicV2VirtualTest, DeactivationWithoutAListRegisterCounts) {
  gicv_write(gicc::kCtlr, gicc::kEnableGrp0 | gicc::kEoiMode);
  gicv_write(gicc::kDir, 77);
  EXPECT_EQ(eoi_count(), 1u);
  gicv_write(gicc::kDir, kSpurious);
  EXPECT_EQ(eoi_count(), 1u);
}

TEST_F(GicV2VirtualTest, EoiMaintenanceTellsWhichListRegisterEnded) {
  lr(2, list_register(40) | gich::kEoi | gich::kPending);
  EXPECT_EQ(gicv_read(gicc::kIar), 40u);
  EXPECT_FALSE(maintenance());
  gicv_write(gicc::kEoir, 40);
  EXPECT_TRUE(maintenance());
  EXPECT_EQ(gich_read(gich::kMisr), 1u);
  EXPECT_EQ(gich_read(gich::kEisr0), 1u << 2);
  EXPECT_EQ(gich_read(gich::kElrsr0), 0xbu) << "not free before the hypervisor has seen the end";
  lr(2, 0);
  EXPECT_FALSE(maintenance());
  EXPECT_EQ(gich_read(gich::kElrsr0), 0xfu);
}

TEST_F(GicV2VirtualTest, UnderflowAndNoPendingMaintenance) {
  lr(0, list_register(40) | gich::kPending);
  lr(1, list_register(41) | gich::kPending);
  gich_write(gich::kHcr, kEn | kUie | kNpie);
  EXPECT_EQ(gich_read(gich::kMisr), 0u);
  EXPECT_EQ(gicv_read(gicc::kIar), 40u);
  EXPECT_EQ(gich_read(gich::kMisr), 0u);
  gicv_write(gicc::kEoir, 40);
  EXPECT_EQ(gich_read(gich::kMisr), 1u << 1) << "one list register is valid";
  EXPECT_TRUE(maintenance());
  EXPECT_EQ(gicv_read(gicc::kIar), 41u);
  EXPECT_EQ(gich_read(gich::kMisr), 1u << 1 | 1u << 3);
  gich_write(gich::kHcr, kUie | kNpie);
  EXPECT_FALSE(maintenance()) << "EN gates the interrupt";
}

TEST_F(GicV2VirtualTest, GroupEnableMaintenanceFollowsTheGuestsControl) {
  gich_write(gich::kHcr, kEn | 0xf0);
  EXPECT_EQ(gich_read(gich::kMisr), 1u << 4 | 1u << 7);
  gicv_write(gicc::kCtlr, gicc::kEnableGrp1);
  EXPECT_EQ(gich_read(gich::kMisr), 1u << 5 | 1u << 6);
}

TEST_F(GicV2VirtualTest, MaintenanceInterruptReachesTheHypervisor) {
  gicd_write(gicd::kCtlr, 1);
  gicc_write(gicc::kPmr, 0xff);
  gicc_write(gicc::kCtlr, 1);
  prepare(kMaintenance);
  gich_write(gich::kHcr, kEn | kNpie);
  EXPECT_TRUE(lines[0].irq.level());
  EXPECT_EQ(gicc_read(gicc::kIar), kMaintenance);
  gich_write(gich::kHcr, kEn);
  gicc_write(gicc::kEoir, kMaintenance);
  EXPECT_FALSE(lines[0].irq.level());
}

TEST_F(GicV2VirtualTest, Group1AndFiqInTheGuest) {
  gicv_write(gicc::kCtlr, gicc::kEnableGrp0 | gicc::kEnableGrp1 | gicc::kFiqEn);
  lr(0, list_register(40, 0x80) | gich::kGrp1 | gich::kPending);
  EXPECT_TRUE(lines[0].virq.level());
  lr(1, list_register(41, 0x40) | gich::kPending);
  EXPECT_FALSE(lines[0].virq.level());
  EXPECT_TRUE(lines[0].vfiq.level());
  EXPECT_EQ(gicv_read(gicc::kAiar), kSpurious);
  EXPECT_EQ(gicv_read(gicc::kIar), 41u);
  gicv_write(gicc::kEoir, 41);
  EXPECT_EQ(gicv_read(gicc::kIar), 1022u);
  EXPECT_EQ(gicv_read(gicc::kAhppir), 40u);
  EXPECT_EQ(gicv_read(gicc::kAiar), 40u);
  gicv_write(gicc::kAeoir, 40);
  EXPECT_EQ(lr(0) >> 28 & 3, 0u);
}

TEST_F(GicV2VirtualTest, VmcrIsTheGuestsInterfaceState) {
  gicv_write(gicc::kCtlr, 0x21f);
  gicv_write(gicc::kPmr, 0xb0);
  gicv_write(gicc::kBpr, 4);
  gicv_write(gicc::kAbpr, 6);
  const std::uint32_t saved = gich_read(gich::kVmcr);
  EXPECT_EQ(saved, 0x21fu | 6u << 18 | 4u << 21 | (0xb0u >> 3) << 27);
  gich_write(gich::kVmcr, 0);
  EXPECT_EQ(gicv_read(gicc::kCtlr), 0u);
  EXPECT_EQ(gicv_read(gicc::kBpr), 2u);
  gich_write(gich::kVmcr, saved);
  EXPECT_EQ(gicv_read(gicc::kCtlr), 0x21fu);
  EXPECT_EQ(gicv_read(gicc::kPmr), 0xb0u);
  EXPECT_EQ(gicv_read(gicc::kBpr), 4u);
  EXPECT_EQ(gicv_read(gicc::kAbpr), 6u);
}

TEST_F(GicV2VirtualTest, StateMovesBetweenVirtualCpus) {
  lr(0, list_register(40, 0x80) | gich::kPending);
  EXPECT_EQ(gicv_read(gicc::kIar), 40u);
  const std::uint32_t apr = gich_read(gich::kApr), vmcr = gich_read(gich::kVmcr), list = lr(0);
  gich_write(gich::kHcr, 0);
  lr(0, list_register(50, 0xa0) | gich::kPending);  // Another vCPU runs,
  gich_write(gich::kApr, 0);
  gich_write(gich::kHcr, kEn);
  EXPECT_TRUE(lines[0].virq.level()) << "its running priority is idle";
  lr(0, list);  // and the first comes back.
  gich_write(gich::kApr, apr);
  gich_write(gich::kVmcr, vmcr);
  EXPECT_FALSE(lines[0].virq.level());
  EXPECT_EQ(gicv_read(gicc::kRpr), 0x80u);
  EXPECT_EQ(gicv_read(gicc::kApr), apr);
  gicv_write(gicc::kEoir, 40);
  EXPECT_EQ(lr(0) >> 28 & 3, 0u);
}

TEST_F(GicV2VirtualTest, AliasFramesReachTheOtherCpus) {
  start(2);
  gich_write(0x1200 + gich::kLr, list_register(40) | gich::kPending, 0);
  EXPECT_TRUE(lines[1].virq.level());
  EXPECT_FALSE(lines[0].virq.level());
  EXPECT_EQ(gich_read(gich::kLr, 1), list_register(40) | gich::kPending);
  EXPECT_EQ(gich_read(0x1000 + gich::kVtr, 1), 0x90000003u);
  EXPECT_EQ(gich_read(0x1400 + gich::kVtr, 0), 0u) << "there is no CPU 2";
}

TEST_F(GicV2VirtualTest, ListRegistersBeyondTheLastAreRazWi) {
  lr(4, 0xffffffff);
  EXPECT_EQ(lr(4), 0u);
  lr(0, 0xffffffff);
  EXPECT_EQ(lr(0), 0xff8fffffu) << "bits 22:20 are reserved";
}

TEST_F(GicV2VirtualTest, ManyListRegistersUseTheSecondStatusWord) {
  GicV2Config config;
  config.list_registers = 40;
  build(config);
  EXPECT_EQ(gich_read(gich::kVtr) & 0x3f, 39u);
  EXPECT_EQ(gich_read(gich::kElrsr1), 0xffu);
  lr(33, list_register(40) | gich::kEoi);
  EXPECT_EQ(gich_read(gich::kElrsr1), 0xfdu);
  EXPECT_EQ(gich_read(gich::kEisr1), 2u);
  EXPECT_EQ(gich_read(gich::kEisr0), 0u);
}

TEST_F(GicV2VirtualTest, ReportsToTheSink) {
  lr(1, list_register(40) | gich::kPending);
  EXPECT_EQ(gicv_read(gicc::kIar), 40u);
  gicv_write(gicc::kEoir, 40);
  ASSERT_EQ(sink.events.size(), 3u);
  EXPECT_EQ(sink.events[0].kind, EventKind::list_register);
  EXPECT_EQ(sink.events[0].a, 1u);
  EXPECT_EQ(sink.events[0].b, list_register(40) | gich::kPending);
  EXPECT_EQ(sink.events[1].kind, EventKind::interrupt_ack);
  EXPECT_EQ(sink.events[1].b, 1u);
  EXPECT_EQ(sink.events[2].kind, EventKind::interrupt_eoi);
  EXPECT_EQ(sink.events[2].b, 1u);
}

TEST_F(GicV2VirtualTest, ResetClearsTheVirtualInterfaces) {
  lr(0, list_register(40) | gich::kPending);
  gich_write(gich::kHcr, kEn | kNpie);
  gic->reset();
  EXPECT_FALSE(lines[0].virq.level());
  EXPECT_FALSE(maintenance());
  EXPECT_EQ(lr(0), 0u);
  EXPECT_EQ(gich_read(gich::kHcr), 0u);
  EXPECT_EQ(gich_read(gich::kVmcr), 0x004c0000u);
}

TEST_F(GicV2VirtualTest, IsAbsentWithoutVirtualization) {
  GicV2Config config;
  config.virtualization = false;
  build(config);
  EXPECT_THROW(gic->hypervisor_interface(), std::logic_error);
  EXPECT_THROW(gic->virtual_cpu_interface(), std::logic_error);
  enable_delivery();
  prepare(40);
  gic->spi(40).set(true);
  EXPECT_EQ(gicc_read(gicc::kIar), 40u);
}

}  // namespace
}  // namespace trapline
