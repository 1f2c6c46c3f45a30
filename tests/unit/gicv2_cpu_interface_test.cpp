#include "tests/unit/gicv2_fixture.h"

namespace trapline {
namespace {

class GicV2CpuInterfaceTest : public GicV2Test {
 protected:
  void SetUp() override { build(1); }
};

TEST_F(GicV2CpuInterfaceTest, LeavesResetMaskingEverything) {
  EXPECT_EQ(gicc_read(gicc::kCtlr), 0u);
  EXPECT_EQ(gicc_read(gicc::kPmr), 0u);
  EXPECT_EQ(gicc_read(gicc::kBpr), 0u);
  EXPECT_EQ(gicc_read(gicc::kAbpr), 1u);
  EXPECT_EQ(gicc_read(gicc::kRpr), 0xffu);
  EXPECT_EQ(gicc_read(gicc::kIar), kSpurious);
  EXPECT_EQ(gicc_read(gicc::kHppir), kSpurious);
}

TEST_F(GicV2CpuInterfaceTest, ControlKeepsTheBitsThatExistWithoutSecurityExtensions) {
  gicc_write(gicc::kCtlr, 0xffffffff);
  EXPECT_EQ(gicc_read(gicc::kCtlr), 0x21fu);
}

TEST_F(GicV2CpuInterfaceTest, HandlesALevelInterruptFromWireToEnd) {
  enable_delivery();
  prepare(33, 0xa0);
  gic->spi(33).set(true);
  EXPECT_TRUE(lines[0].irq.level());
  EXPECT_FALSE(lines[0].fiq.level());
  EXPECT_EQ(gicc_read(gicc::kIar), 33u);
  EXPECT_FALSE(lines[0].irq.level());
  EXPECT_EQ(gicc_read(gicc::kRpr), 0xa0u);
  EXPECT_TRUE(get_bit(gicd::kIsactiver, 33));
  EXPECT_TRUE(get_bit(gicd::kIspendr, 33)) << "active and pending while the wire is up";
  gic->spi(33).set(false);
  gicc_write(gicc::kEoir, 33);
  EXPECT_FALSE(lines[0].irq.level());
  EXPECT_FALSE(get_bit(gicd::kIsactiver, 33));
  EXPECT_EQ(gicc_read(gicc::kRpr), 0xffu);
}

TEST_F(GicV2CpuInterfaceTest, LevelInterruptFiresAgainIfItsWireStaysUp) {
  enable_delivery();
  prepare(33);
  gic->spi(33).set(true);
  EXPECT_EQ(gicc_read(gicc::kIar), 33u);
  gicc_write(gicc::kEoir, 33);
  EXPECT_TRUE(lines[0].irq.level());
  EXPECT_EQ(gicc_read(gicc::kIar), 33u);
}

TEST_F(GicV2CpuInterfaceTest, WithdrawnInterruptReadsAsSpurious) {
  enable_delivery();
  prepare(33);
  gic->spi(33).set(true);
  gic->spi(33).set(false);
  EXPECT_FALSE(lines[0].irq.level());
  EXPECT_EQ(gicc_read(gicc::kIar), kSpurious);
  gicc_write(gicc::kEoir, kSpurious);
  EXPECT_EQ(gicc_read(gicc::kRpr), 0xffu);
}

TEST_F(GicV2CpuInterfaceTest, HighestPriorityGoesFirstAndThenTheLowestIntid) {
  enable_delivery();
  prepare(40, 0x80);
  prepare(50, 0x40);
  prepare(45, 0x40);
  for (unsigned intid : {40u, 50u, 45u}) gic->spi(intid).set(true);
  EXPECT_EQ(gicc_read(gicc::kHppir), 45u);
  EXPECT_EQ(gicc_read(gicc::kIar), 45u);
  gic->spi(45).set(false);
  gicc_write(gicc::kEoir, 45);
  EXPECT_EQ(gicc_read(gicc::kIar), 50u);
  gic->spi(50).set(false);
  gicc_write(gicc::kEoir, 50);
  EXPECT_EQ(gicc_read(gicc::kIar), 40u);
}

TEST_F(GicV2CpuInterfaceTest, PriorityMaskIsStrict) {
  enable_delivery();
  prepare(40, 0x80);
  gic->spi(40).set(true);
  gicc_write(gicc::kPmr, 0x80);
  EXPECT_FALSE(lines[0].irq.level());
  EXPECT_EQ(gicc_read(gicc::kIar), kSpurious);
  EXPECT_EQ(gicc_read(gicc::kHppir), 40u) << "the mask does not hide what is pending";
  gicc_write(gicc::kPmr, 0x81);
  EXPECT_TRUE(lines[0].irq.level());
}

TEST_F(GicV2CpuInterfaceTest, InterfaceEnableGatesSignalling) {
  enable_delivery(0);
  prepare(40);
  gic->spi(40).set(true);
  EXPECT_FALSE(lines[0].irq.level());
  gicc_write(gicc::kCtlr, gicc::kEnableGrp0);
  EXPECT_TRUE(lines[0].irq.level());
  gicc_write(gicc::kCtlr, 0);
  EXPECT_FALSE(lines[0].irq.level());
}

TEST_F(GicV2CpuInterfaceTest, HigherPriorityPreemptsAndUnwindsInOrder) {
  enable_delivery();
  prepare(40, 0x80);
  prepare(41, 0x40);
  prepare(42, 0x60);
  gic->spi(40).set(true);
  EXPECT_EQ(gicc_read(gicc::kIar), 40u);
  gic->spi(41).set(true);
  EXPECT_TRUE(lines[0].irq.level());
  EXPECT_EQ(gicc_read(gicc::kIar), 41u);
  EXPECT_EQ(gicc_read(gicc::kRpr), 0x40u);
  gic->spi(42).set(true);
  EXPECT_FALSE(lines[0].irq.level()) << "0x60 does not preempt 0x40";
  EXPECT_EQ(gicc_read(gicc::kIar), kSpurious);
  gic->spi(41).set(false);
  gicc_write(gicc::kEoir, 41);
  EXPECT_EQ(gicc_read(gicc::kRpr), 0x80u);
  EXPECT_TRUE(lines[0].irq.level()) << "but it preempts 0x80";
}

TEST_F(GicV2CpuInterfaceTest, BinaryPointGroupsPriorities) {
  enable_delivery();
  gicc_write(gicc::kBpr, 4);  // Group priority is bits 7:5.
  prepare(40, 0x5c);
  prepare(41, 0x44);
  prepare(42, 0x3c);
  gic->spi(40).set(true);
  EXPECT_EQ(gicc_read(gicc::kIar), 40u);
  EXPECT_EQ(gicc_read(gicc::kRpr), 0x40u);
  gic->spi(41).set(true);
  EXPECT_FALSE(lines[0].irq.level()) << "same group priority";
  gic->spi(42).set(true);
  EXPECT_TRUE(lines[0].irq.level());
  EXPECT_EQ(gicc_read(gicc::kIar), 42u);
}

TEST_F(GicV2CpuInterfaceTest, BinaryPointSevenForbidsPreemption) {
  enable_delivery();
  gicc_write(gicc::kBpr, 7);
  prepare(40, 0xf0);
  prepare(41, 0x00);
  gic->spi(40).set(true);
  EXPECT_EQ(gicc_read(gicc::kIar), 40u);
  EXPECT_EQ(gicc_read(gicc::kRpr), 0u);
  gic->spi(41).set(true);
  EXPECT_FALSE(lines[0].irq.level());
}

TEST_F(GicV2CpuInterfaceTest, ActivePrioritiesHoldOneBitALevel) {
  enable_delivery();
  prepare(40, 0x82);
  gic->spi(40).set(true);
  EXPECT_EQ(gicc_read(gicc::kIar), 40u);
  EXPECT_EQ(gicc_read(gicc::kApr + 8), 2u);  // Level 0x41 of 128.
  EXPECT_EQ(gicc_read(gicc::kApr), 0u);
  gicc_write(gicc::kApr, 1u << 31);  // Level 31: priority 0x3e.
  EXPECT_EQ(gicc_read(gicc::kRpr), 0x3eu);
  for (unsigned n = 0; n < 4; ++n) gicc_write(gicc::kApr + 4 * n, 0);
  EXPECT_EQ(gicc_read(gicc::kRpr), 0xffu);
}

TEST_F(GicV2CpuInterfaceTest, EoiModeSplitsPriorityDropFromDeactivation) {
  enable_delivery(gicc::kEnableGrp0 | gicc::kEoiMode);  // As Xen and KVM run.
  prepare(40, 0x80);
  prepare(41, 0x80);
  gic->spi(40).set(true);
  EXPECT_EQ(gicc_read(gicc::kIar), 40u);
  gicc_write(gicc::kEoir, 40);
  EXPECT_EQ(gicc_read(gicc::kRpr), 0xffu);
  EXPECT_TRUE(get_bit(gicd::kIsactiver, 40));
  EXPECT_FALSE(lines[0].irq.level()) << "still active, so not signalled again";
  gic->spi(41).set(true);
  EXPECT_EQ(gicc_read(gicc::kIar), 41u) << "equal priority is deliverable after the drop";
  gicc_write(gicc::kEoir, 41);
  gicc_write(gicc::kDir, 41);
  gic->spi(41).set(false);
  gicc_write(gicc::kDir, 40);
  EXPECT_FALSE(get_bit(gicd::kIsactiver, 40));
  EXPECT_TRUE(lines[0].irq.level());
}

TEST_F(GicV2CpuInterfaceTest, DirIsIgnoredWithoutEoiMode) {
  enable_delivery();
  prepare(40);
  gic->spi(40).set(true);
  EXPECT_EQ(gicc_read(gicc::kIar), 40u);
  gicc_write(gicc::kDir, 40);
  EXPECT_TRUE(get_bit(gicd::kIsactiver, 40));
}

TEST_F(GicV2CpuInterfaceTest, AnotherCpuMayDeactivateAnSpi) {
  build(2);
  enable_delivery(gicc::kEnableGrp0 | gicc::kEoiMode);
  prepare(40);
  gic->spi(40).set(true);
  EXPECT_EQ(gicc_read(gicc::kIar, 0), 40u);
  gicc_write(gicc::kEoir, 40, 0);
  gicc_write(gicc::kDir, 40, 1);
  EXPECT_FALSE(get_bit(gicd::kIsactiver, 40));
  EXPECT_TRUE(lines[0].irq.level()) << "the target sees the wire again";
}

TEST_F(GicV2CpuInterfaceTest, EndOfAnUnknownInterruptIsIgnored) {
  enable_delivery();
  prepare(40, 0x80);
  gic->spi(40).set(true);
  EXPECT_EQ(gicc_read(gicc::kIar), 40u);
  gicc_write(gicc::kEoir, 900);
  gicc_write(gicc::kEoir, kSpurious);
  EXPECT_EQ(gicc_read(gicc::kRpr), 0x80u);
}

TEST_F(GicV2CpuInterfaceTest, EndWithoutARunningInterruptChangesNothing) {
  enable_delivery();
  set_bit(gicd::kIsactiver, 40);
  gicc_write(gicc::kEoir, 40);
  EXPECT_TRUE(get_bit(gicd::kIsactiver, 40));
}

TEST_F(GicV2CpuInterfaceTest, Group0IsSignalledAsFiqIfFiqEnSaysSo) {
  enable_delivery(gicc::kEnableGrp0 | gicc::kEnableGrp1 | gicc::kFiqEn);
  prepare(40, 0x80);
  prepare(41, 0x90);
  set_bit(gicd::kIgroupr, 41);
  gic->spi(41).set(true);
  EXPECT_TRUE(lines[0].irq.level());
  EXPECT_FALSE(lines[0].fiq.level());
  gic->spi(40).set(true);
  EXPECT_FALSE(lines[0].irq.level());
  EXPECT_TRUE(lines[0].fiq.level());
  EXPECT_EQ(gicc_read(gicc::kIar), 40u);
  EXPECT_FALSE(lines[0].fiq.level());
}

TEST_F(GicV2CpuInterfaceTest, Group1NeedsAckCtlOrTheAliasedRegisters) {
  enable_delivery(gicc::kEnableGrp0 | gicc::kEnableGrp1);
  prepare(40, 0x80);
  set_bit(gicd::kIgroupr, 40);
  gic->spi(40).set(true);
  EXPECT_EQ(gicc_read(gicc::kHppir), 1022u);
  EXPECT_EQ(gicc_read(gicc::kIar), 1022u);
  EXPECT_FALSE(get_bit(gicd::kIsactiver, 40));
  EXPECT_EQ(gicc_read(gicc::kAhppir), 40u);
  EXPECT_EQ(gicc_read(gicc::kAiar), 40u);
  EXPECT_EQ(gicc_read(gicc::kNsapr + 8), 1u);
  EXPECT_EQ(gicc_read(gicc::kApr + 8), 0u);
  gicc_write(gicc::kAeoir, 40);
  EXPECT_FALSE(get_bit(gicd::kIsactiver, 40));
  EXPECT_EQ(gicc_read(gicc::kRpr), 0xffu);
  gicc_write(gicc::kCtlr, gicc::kEnableGrp0 | gicc::kEnableGrp1 | gicc::kAckCtl);
  EXPECT_EQ(gicc_read(gicc::kHppir), 40u);
  EXPECT_EQ(gicc_read(gicc::kIar), 40u);
  gicc_write(gicc::kEoir, 40);
  EXPECT_EQ(gicc_read(gicc::kRpr), 0xffu);
}

TEST_F(GicV2CpuInterfaceTest, AliasedRegistersLeaveGroup0Alone) {
  enable_delivery(gicc::kEnableGrp0 | gicc::kEnableGrp1);
  prepare(40, 0x80);
  gic->spi(40).set(true);
  EXPECT_EQ(gicc_read(gicc::kAhppir), kSpurious);
  EXPECT_EQ(gicc_read(gicc::kAiar), kSpurious);
  EXPECT_EQ(gicc_read(gicc::kIar), 40u);
  gicc_write(gicc::kAeoir, 40);
  EXPECT_EQ(gicc_read(gicc::kRpr), 0x80u);
}

TEST_F(GicV2CpuInterfaceTest, DisabledGroupDoesNotBlockTheOther) {
  enable_delivery(gicc::kEnableGrp0);
  prepare(40, 0x80);
  prepare(41, 0x10);
  set_bit(gicd::kIgroupr, 41);
  gic->spi(40).set(true);
  gic->spi(41).set(true);
  EXPECT_TRUE(lines[0].irq.level());
  EXPECT_EQ(gicc_read(gicc::kIar), 40u);
}

TEST_F(GicV2CpuInterfaceTest, Group1UsesTheAliasedBinaryPointUnlessCbpr) {
  const std::uint32_t groups = gicc::kEnableGrp0 | gicc::kEnableGrp1 | gicc::kAckCtl;
  enable_delivery(groups);
  gicc_write(gicc::kAbpr, 5);  // Group 1 group priority: bits 7:5.
  prepare(40, 0x7c);
  set_bit(gicd::kIgroupr, 40);
  gic->spi(40).set(true);
  EXPECT_EQ(gicc_read(gicc::kIar), 40u);
  EXPECT_EQ(gicc_read(gicc::kRpr), 0x60u);
  gicc_write(gicc::kEoir, 40);
  gicc_write(gicc::kCtlr, groups | gicc::kCbpr);
  EXPECT_EQ(gicc_read(gicc::kIar), 40u);
  EXPECT_EQ(gicc_read(gicc::kRpr), 0x7cu);
}

TEST_F(GicV2CpuInterfaceTest, BinaryPointsHaveTheirMinimum) {
  gicc_write(gicc::kAbpr, 0);
  EXPECT_EQ(gicc_read(gicc::kAbpr), 1u);
  gicc_write(gicc::kBpr, 0xff);
  EXPECT_EQ(gicc_read(gicc::kBpr), 7u);
}

TEST_F(GicV2CpuInterfaceTest, NarrowAndWideAccesses) {
  gicc_write(gicc::kPmr, 0xf0);
  EXPECT_EQ(read(gic->cpu_interface(), gicc::kPmr, 0, 1), 0xf0u);
  std::uint64_t value = 0;
  gicc_write(gicc::kCtlr, 1);
  EXPECT_EQ(gic->cpu_interface().read({gicc::kCtlr, 8, 0, false}, value), BusStatus::ok);
  EXPECT_EQ(value, 0xf0'0000'0001u);
  EXPECT_EQ(gic->cpu_interface().read({0x2000, 4, 0, false}, value), BusStatus::error);
  EXPECT_EQ(gic->cpu_interface().read({0x0e, 4, 0, false}, value), BusStatus::error);
  EXPECT_EQ(gicc_read(0x40), 0u);
  EXPECT_EQ(gicc_read(gicc::kDir), 0u);
}

TEST_F(GicV2CpuInterfaceTest, ReportsAcknowledgeAndEndToTheSink) {
  enable_delivery();
  prepare(40);
  gic->spi(40).set(true);
  sink.events.clear();
  EXPECT_EQ(gicc_read(gicc::kIar), 40u);
  gicc_write(gicc::kEoir, 40);
  EXPECT_EQ(gicc_read(gicc::kIar), 40u);
  EXPECT_EQ(gicc_read(gicc::kIar), kSpurious);
  gicc_write(gicc::kEoir, kSpurious);
  ASSERT_EQ(sink.events.size(), 3u);
  EXPECT_EQ(sink.events[0].kind, EventKind::interrupt_ack);
  EXPECT_EQ(sink.events[0].a, 40u);
  EXPECT_EQ(sink.events[0].b, 0u);
  EXPECT_EQ(sink.events[1].kind, EventKind::interrupt_eoi);
  EXPECT_EQ(sink.events[1].a, 40u);
  EXPECT_EQ(sink.events[2].kind, EventKind::interrupt_ack);
}

// The Security Extensions split the interface in two views (IHI 0048B 4.1.3).
class GicV2SecurityTest : public GicV2Test {
 protected:
  void SetUp() override {
    config_.cpus = 2;
    config_.security_extensions = true;
    build(config_);
  }
  std::uint32_t secure_gicc(unsigned offset) {
    return read(gic->cpu_interface(), offset, 0, 4, true);
  }
  void secure_gicc(unsigned offset, std::uint32_t value) {
    write(gic->cpu_interface(), offset, value, 0, 4, true);
  }
  void secure_gicd(unsigned offset, std::uint32_t value, unsigned size = 4) {
    write(gic->distributor(), offset, value, 0, size, true);
  }
};

TEST_F(GicV2SecurityTest, ControlRegistersAreBanked) {
  EXPECT_EQ(gicd_read(gicd::kTyper) >> 10 & 1, 1u);
  secure_gicd(gicd::kCtlr, 1);
  EXPECT_EQ(gicd_read(gicd::kCtlr), 0u);
  gicd_write(gicd::kCtlr, 1);
  EXPECT_EQ(read(gic->distributor(), gicd::kCtlr, 0, 4, true), 3u);
  secure_gicc(gicc::kCtlr, 0xffffffff);
  EXPECT_EQ(secure_gicc(gicc::kCtlr), 0x61fu);
  EXPECT_EQ(gicc_read(gicc::kCtlr), 0x201u);
  gicc_write(gicc::kCtlr, 0);
  EXPECT_EQ(secure_gicc(gicc::kCtlr), 0x21du);
}

TEST_F(GicV2SecurityTest, NonSecureSeesGroup1InTheUpperHalfOfThePriorities) {
  secure_gicd(gicd::kIgroupr + 4, 1u << 1);  // INTID 33.
  secure_gicd(gicd::kIpriorityr + 32, 0x40, 1);
  set_priority(33, 0x40);
  EXPECT_EQ(gicd_read(gicd::kIpriorityr + 32), 0x00004000u);
  EXPECT_EQ(read(gic->distributor(), gicd::kIpriorityr + 32, 0, 4, true), 0x0000a040u);
  gicd_write(gicd::kIgroupr + 4, 0);
  EXPECT_EQ(gicd_read(gicd::kIgroupr + 4), 0u) << "RAZ/WI";
  gicd_write(gicd::kIsenabler + 4, 3);
  EXPECT_EQ(read(gic->distributor(), gicd::kIsenabler + 4, 0, 4, true), 2u);
  target(32, 1);
  target(33, 1);
  EXPECT_EQ(gicd_read(gicd::kItargetsr + 32), 0x0100u);
}

TEST_F(GicV2SecurityTest, NonSecureCannotSeeOrEndGroup0) {
  secure_gicd(gicd::kCtlr, 3);
  secure_gicc(gicc::kPmr, 0xff);
  secure_gicc(gicc::kCtlr, 0xb);  // Both groups, group 0 as FIQ.
  secure_gicd(gicd::kItargetsr + 32, 1, 1);
  secure_gicd(gicd::kIpriorityr + 32, 0x20, 1);
  secure_gicd(gicd::kIsenabler + 4, 1);
  gic->spi(32).set(true);
  EXPECT_TRUE(lines[0].fiq.level());
  EXPECT_EQ(gicc_read(gicc::kHppir), kSpurious);
  EXPECT_EQ(gicc_read(gicc::kIar), kSpurious);
  EXPECT_EQ(secure_gicc(gicc::kIar), 32u);
  EXPECT_EQ(gicc_read(gicc::kRpr), 0u);
  gicc_write(gicc::kEoir, 32);
  EXPECT_EQ(secure_gicc(gicc::kRpr), 0x20u);
  secure_gicc(gicc::kEoir, 32);
  EXPECT_EQ(secure_gicc(gicc::kRpr), 0xffu);
}

TEST_F(GicV2SecurityTest, NonSecureMaskAndBinaryPointAreItsOwn) {
  gicc_write(gicc::kPmr, 0xf0);
  EXPECT_EQ(secure_gicc(gicc::kPmr), 0u) << "below the Secure mask: ignored";
  secure_gicc(gicc::kPmr, 0x80);
  gicc_write(gicc::kPmr, 0xf0);
  EXPECT_EQ(secure_gicc(gicc::kPmr), 0xf8u);
  EXPECT_EQ(gicc_read(gicc::kPmr), 0xf0u);
  gicc_write(gicc::kBpr, 4);
  EXPECT_EQ(secure_gicc(gicc::kBpr), 0u);
  EXPECT_EQ(secure_gicc(gicc::kAbpr), 4u);
  secure_gicc(gicc::kCtlr, gicc::kCbpr);
  EXPECT_EQ(gicc_read(gicc::kBpr), 1u);
  EXPECT_EQ(gicc_read(gicc::kAbpr), 0u);
}

TEST_F(GicV2SecurityTest, NonSecureActivePrioritiesAreItsHalfOfTheGroup1Ones) {
  secure_gicc(gicc::kNsapr + 8, 0x5);
  EXPECT_EQ(gicc_read(gicc::kApr), 0x5u);
  gicc_write(gicc::kApr, 0x8);
  EXPECT_EQ(secure_gicc(gicc::kNsapr + 8), 0x8u);
  EXPECT_EQ(gicc_read(gicc::kRpr), 0x0cu) << "priority 0x86 in the Non-secure view";
  EXPECT_EQ(gicc_read(gicc::kNsapr), 0u);
}

TEST_F(GicV2SecurityTest, SgirReachesTheGroupItNames) {
  secure_gicd(gicd::kIgroupr, 1u << 3);  // SGI 3 of CPU 0 is in group 1, SGI 4 in group 0.
  gicd_write(gicd::kSgir, 1u << 16 | 4, 1);
  EXPECT_EQ(read(gic->distributor(), gicd::kIspendr, 0, 4, true), 0u);
  gicd_write(gicd::kSgir, 1u << 16 | 3, 1);
  EXPECT_EQ(read(gic->distributor(), gicd::kIspendr, 0, 4, true), 1u << 3);
  secure_gicd(gicd::kCpendsgir, 0xff000000);
  secure_gicd(gicd::kSgir, 1u << 16 | 3);
  EXPECT_EQ(read(gic->distributor(), gicd::kIspendr, 0, 4, true), 0u) << "NSATT is 0: group 0 only";
  secure_gicd(gicd::kSgir, 1u << 16 | 1u << 15 | 3);
  EXPECT_EQ(read(gic->distributor(), gicd::kIspendr, 0, 4, true), 1u << 3);
}

TEST_F(GicV2SecurityTest, CanLeaveResetAsFirmwareHandsItOver) {
  config_.boots_nonsecure = true;
  build(config_);
  EXPECT_EQ(read(gic->distributor(), gicd::kIgroupr + 4, 0, 4, true), 0xffffffffu);
  gicc_write(gicc::kPmr, 0xf0);
  EXPECT_EQ(gicc_read(gicc::kPmr), 0xf0u);
  gicd_write(gicd::kCtlr, 1);
  gicc_write(gicc::kCtlr, 1);
  prepare(40, 0xa0);
  gic->spi(40).set(true);
  EXPECT_TRUE(lines[0].irq.level());
  EXPECT_EQ(gicc_read(gicc::kIar), 40u);
  EXPECT_EQ(gicc_read(gicc::kRpr), 0xa0u);
  gicc_write(gicc::kEoir, 40);
  EXPECT_EQ(gicc_read(gicc::kRpr), 0xffu);
}

}  // namespace
}  // namespace trapline
