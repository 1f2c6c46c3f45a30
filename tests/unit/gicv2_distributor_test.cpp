#include <stdexcept>

#include "tests/unit/gicv2_fixture.h"

namespace trapline {
namespace {

class GicV2DistributorTest : public GicV2Test {};

TEST_F(GicV2DistributorTest, IdentifiesItselfAsAnArmGicV2) {
  build(4);
  EXPECT_EQ(gicd_read(gicd::kTyper), 8u | 3u << 5);
  EXPECT_EQ(gicd_read(gicd::kIidr), 0x43bu);
  EXPECT_EQ(gicd_read(0xfe8), 0x2bu);  // PIDR2: architecture version 2 in bits 7:4.
  EXPECT_EQ(gicd_read(0xfd0), 0x04u);
  const unsigned component[] = {0x0d, 0xf0, 0x05, 0xb1};
  for (unsigned n = 0; n < 4; ++n) EXPECT_EQ(gicd_read(0xff0 + 4 * n), component[n]);
  EXPECT_EQ(gicc_read(gicc::kIidr), 0x2043bu);
}

TEST_F(GicV2DistributorTest, LeavesResetDisabledWithSgisEnabledAndEdgeTriggered) {
  build(2);
  EXPECT_EQ(gicd_read(gicd::kCtlr), 0u);
  EXPECT_EQ(gicd_read(gicd::kIsenabler), 0xffffu);
  EXPECT_EQ(gicd_read(gicd::kIsenabler + 4), 0u);
  EXPECT_EQ(gicd_read(gicd::kIcfgr), 0xaaaaaaaau);
  EXPECT_EQ(gicd_read(gicd::kIcfgr + 4), 0u);
  EXPECT_EQ(gicd_read(gicd::kIgroupr), 0u);
  EXPECT_EQ(gicd_read(gicd::kItargetsr + 32), 0u);
}

TEST_F(GicV2DistributorTest, ResetDropsStateButKeepsTheWires) {
  build(1);
  enable_delivery();
  prepare(40);
  gic->spi(40).set(true);
  ASSERT_TRUE(lines[0].irq.level());
  gic->reset();
  EXPECT_FALSE(lines[0].irq.level());
  EXPECT_FALSE(get_bit(gicd::kIsenabler, 40));
  EXPECT_TRUE(get_bit(gicd::kIspendr, 40)) << "the level-sensitive input is still asserted";
}

TEST_F(GicV2DistributorTest, SgiEnablesCannotBeCleared) {
  build(1);
  gicd_write(gicd::kIcenabler, 0xffffffff);
  EXPECT_EQ(gicd_read(gicd::kIsenabler), 0xffffu);
}

TEST_F(GicV2DistributorTest, SgiConfigurationIsReadOnly) {
  build(1);
  gicd_write(gicd::kIcfgr, 0);
  EXPECT_EQ(gicd_read(gicd::kIcfgr), 0xaaaaaaaau);
}

TEST_F(GicV2DistributorTest, EnableRegistersSetAndClearAndReadAlike) {
  build(1);
  gicd_write(gicd::kIsenabler + 4, 0xf0f0);
  EXPECT_EQ(gicd_read(gicd::kIcenabler + 4), 0xf0f0u);
  gicd_write(gicd::kIcenabler + 4, 0x00f0);
  EXPECT_EQ(gicd_read(gicd::kIsenabler + 4), 0xf000u);
}

TEST_F(GicV2DistributorTest, ByteAccessesReachEveryArray) {
  build(2);
  gicd_write(gicd::kIsenabler + 5, 0x81, 0, 1);
  EXPECT_EQ(gicd_read(gicd::kIsenabler + 4), 0x8100u);
  EXPECT_EQ(gicd_read(gicd::kIsenabler + 5, 0, 1), 0x81u);
  gicd_write(gicd::kIpriorityr + 32, 0x40302010);
  EXPECT_EQ(gicd_read(gicd::kIpriorityr + 34, 0, 1), 0x30u);
  gicd_write(gicd::kIpriorityr + 33, 0xee, 0, 1);
  EXPECT_EQ(gicd_read(gicd::kIpriorityr + 32), 0x4030ee10u);
  EXPECT_EQ(gicd_read(gicd::kIpriorityr + 32, 0, 2), 0xee10u);
  gicd_write(gicd::kItargetsr + 34, 2, 0, 1);
  EXPECT_EQ(gicd_read(gicd::kItargetsr + 32), 0x00020000u);
  gicd_write(gicd::kIgroupr + 4, 0xffffffff);
  gicd_write(gicd::kIgroupr + 6, 0, 0, 1);
  EXPECT_EQ(gicd_read(gicd::kIgroupr + 4), 0xff00ffffu);
  gicd_write(gicd::kIcfgr + 9, 0x0a, 0, 1);  // INTIDs 36 to 39.
  EXPECT_EQ(gicd_read(gicd::kIcfgr + 8), 0x00000a00u);
}

TEST_F(GicV2DistributorTest, DoublewordsUnalignedAccessesAndOffsetsBeyondTheFrameAbort) {
  build(1);
  std::uint64_t value = 0;
  EXPECT_EQ(gic->distributor().read({0x100, 8, 0, false}, value), BusStatus::error);
  EXPECT_EQ(gic->distributor().write({0x102, 4, 0, false}, 0), BusStatus::error);
  EXPECT_EQ(gic->distributor().read({0x1000, 4, 0, false}, value), BusStatus::error);
  EXPECT_EQ(gic->distributor().read({0x100, 4, 1, false}, value), BusStatus::error);
}

TEST_F(GicV2DistributorTest, UnimplementedAndReservedRegistersReadAsZero) {
  build(1);
  for (unsigned offset : {0x00cu, 0x07cu, 0xd00u, 0xe00u, 0xf04u, 0xf30u, 0xf00u}) {
    gicd_write(offset == gicd::kSgir ? 0xf04 : offset, 0xffffffff);
    EXPECT_EQ(gicd_read(offset), 0u) << std::hex << offset;
  }
  // INTIDs past the last implemented one.
  gicd_write(gicd::kIsenabler + 4 * 9, 0xffffffff);
  EXPECT_EQ(gicd_read(gicd::kIsenabler + 4 * 9), 0u);
  gicd_write(gicd::kIpriorityr + 288, 0xffffffff);
  EXPECT_EQ(gicd_read(gicd::kIpriorityr + 288), 0u);
}

TEST_F(GicV2DistributorTest, TargetsAreRazWiOnAUniprocessor) {
  build(1);
  gicd_write(gicd::kItargetsr + 32, 0xffffffff);
  EXPECT_EQ(gicd_read(gicd::kItargetsr + 32), 0u);
  EXPECT_EQ(gicd_read(gicd::kItargetsr), 0u);
  enable_delivery();
  set_bit(gicd::kIsenabler, 33);
  gicd_write(gicd::kItargetsr + 32, 0);
  gic->spi(33).set(true);
  EXPECT_TRUE(lines[0].irq.level()) << "the one CPU is the target of every interrupt";
}

TEST_F(GicV2DistributorTest, BankedTargetsNameTheReadingCpuAndCannotBeWritten) {
  build(4);
  gicd_write(gicd::kItargetsr + 16, 0xffffffff, 2);
  EXPECT_EQ(gicd_read(gicd::kItargetsr, 2), 0x04040404u);
  EXPECT_EQ(gicd_read(gicd::kItargetsr + 28, 3), 0x08080808u);
  gicd_write(gicd::kItargetsr + 32, 0xffffffff);
  EXPECT_EQ(gicd_read(gicd::kItargetsr + 32), 0x0f0f0f0fu) << "only CPUs that exist";
}

TEST_F(GicV2DistributorTest, PrivateStateIsBankedForEachCpu) {
  build(2);
  set_bit(gicd::kIsenabler, 27, 1);
  set_priority(27, 0x50, 1);
  set_bit(gicd::kIgroupr, 27, 1);
  set_bit(gicd::kIspendr, 27, 1);
  set_bit(gicd::kIsactiver, 27, 1);
  set_edge(27, 1);
  EXPECT_FALSE(get_bit(gicd::kIsenabler, 27, 0));
  EXPECT_EQ(gicd_read(gicd::kIpriorityr + 27, 0, 1), 0u);
  EXPECT_FALSE(get_bit(gicd::kIgroupr, 27, 0));
  EXPECT_FALSE(get_bit(gicd::kIspendr, 27, 0));
  EXPECT_FALSE(get_bit(gicd::kIsactiver, 27, 0));
  EXPECT_EQ(gicd_read(gicd::kIcfgr + 4, 0), 0u);
  EXPECT_TRUE(get_bit(gicd::kIsenabler, 27, 1));
  EXPECT_TRUE(get_bit(gicd::kIspendr, 27, 1));
  set_bit(gicd::kIspendr, 27, 0);
  set_bit(gicd::kIcpendr, 27, 0);
  EXPECT_TRUE(get_bit(gicd::kIspendr, 27, 1)) << "clearing is banked too";
}

TEST_F(GicV2DistributorTest, LevelInterruptIsPendingAsLongAsItsWire) {
  build(1);
  gic->spi(50).set(true);
  EXPECT_TRUE(get_bit(gicd::kIspendr, 50));
  set_bit(gicd::kIcpendr, 50);
  EXPECT_TRUE(get_bit(gicd::kIspendr, 50));
  gic->spi(50).set(false);
  EXPECT_FALSE(get_bit(gicd::kIspendr, 50));
}

TEST_F(GicV2DistributorTest, SoftwarePendingOutlivesTheWireOfALevelInterrupt) {
  build(1);
  gic->spi(50).set(true);
  set_bit(gicd::kIspendr, 50);
  gic->spi(50).set(false);
  EXPECT_TRUE(get_bit(gicd::kIspendr, 50));
  set_bit(gicd::kIcpendr, 50);
  EXPECT_FALSE(get_bit(gicd::kIspendr, 50));
}

TEST_F(GicV2DistributorTest, EdgeInterruptLatchesThePulse) {
  build(1);
  enable_delivery();
  prepare(60);
  set_edge(60);
  gic->spi(60).pulse();
  EXPECT_TRUE(lines[0].irq.level());
  EXPECT_EQ(gicc_read(gicc::kIar), 60u);
  EXPECT_FALSE(get_bit(gicd::kIspendr, 60));
  gic->spi(60).pulse();  // Active and pending: not signalled before the end of the first.
  EXPECT_TRUE(get_bit(gicd::kIspendr, 60));
  EXPECT_FALSE(lines[0].irq.level());
  gicc_write(gicc::kEoir, 60);
  EXPECT_TRUE(lines[0].irq.level());
}

TEST_F(GicV2DistributorTest, DisabledOrUntargetedInterruptStaysPendingAndReachesTheNewTarget) {
  build(2);
  enable_delivery();
  set_edge(70);
  gic->spi(70).pulse();
  set_bit(gicd::kIsenabler, 70);
  EXPECT_FALSE(lines[0].irq.level());
  EXPECT_FALSE(lines[1].irq.level());
  target(70, 2);
  EXPECT_FALSE(lines[0].irq.level());
  EXPECT_TRUE(lines[1].irq.level());
  target(70, 1);
  EXPECT_TRUE(lines[0].irq.level());
  EXPECT_FALSE(lines[1].irq.level());
  set_bit(gicd::kIcenabler, 70);
  EXPECT_FALSE(lines[0].irq.level());
}

TEST_F(GicV2DistributorTest, SpiWithSeveralTargetsIsTakenByOne) {
  build(2);
  enable_delivery();
  prepare(45, 0xa0, 3);
  gic->spi(45).set(true);
  EXPECT_TRUE(lines[0].irq.level());
  EXPECT_TRUE(lines[1].irq.level());
  EXPECT_EQ(gicc_read(gicc::kIar, 1), 45u);
  EXPECT_FALSE(lines[0].irq.level());
  EXPECT_EQ(gicc_read(gicc::kIar, 0), kSpurious);
  EXPECT_TRUE(get_bit(gicd::kIsactiver, 45, 0));
  gicc_write(gicc::kEoir, 45, 1);
  EXPECT_TRUE(lines[0].irq.level()) << "the wire is still up";
}

TEST_F(GicV2DistributorTest, DistributorEnableGatesForwarding) {
  build(1);
  enable_delivery();
  prepare(45);
  gicd_write(gicd::kCtlr, 0);
  gic->spi(45).set(true);
  EXPECT_FALSE(lines[0].irq.level());
  EXPECT_EQ(gicc_read(gicc::kIar), kSpurious);
  gicd_write(gicd::kCtlr, 1);
  EXPECT_TRUE(lines[0].irq.level());
}

TEST_F(GicV2DistributorTest, ActiveStateCanBeSetAndClearedBySoftware) {
  build(1);
  enable_delivery();
  prepare(45);
  set_bit(gicd::kIsactiver, 45);
  gic->spi(45).set(true);
  EXPECT_FALSE(lines[0].irq.level());
  set_bit(gicd::kIcactiver, 45);
  EXPECT_TRUE(lines[0].irq.level());
}

TEST_F(GicV2DistributorTest, SgiTargetListAndItsSource) {
  build(4);
  enable_delivery();
  gicd_write(gicd::kSgir, 0b1010u << 16 | 5, 2);
  EXPECT_FALSE(lines[0].irq.level());
  EXPECT_TRUE(lines[1].irq.level());
  EXPECT_FALSE(lines[2].irq.level());
  EXPECT_TRUE(lines[3].irq.level());
  EXPECT_EQ(gicc_read(gicc::kHppir, 3), 5u | 2u << 10);
  EXPECT_EQ(gicc_read(gicc::kIar, 3), 5u | 2u << 10);
  EXPECT_FALSE(lines[3].irq.level());
  EXPECT_TRUE(lines[1].irq.level());
  gicc_write(gicc::kEoir, 5u | 2u << 10, 3);
  EXPECT_EQ(gicc_read(gicc::kIar, 3), kSpurious);
}

TEST_F(GicV2DistributorTest, SgiFiltersSelectTheOthersOrOneself) {
  build(3);
  enable_delivery();
  gicd_write(gicd::kSgir, 1u << 24 | 7, 1);
  EXPECT_TRUE(lines[0].irq.level());
  EXPECT_FALSE(lines[1].irq.level());
  EXPECT_TRUE(lines[2].irq.level());
  EXPECT_EQ(gicc_read(gicc::kIar, 0), 7u | 1u << 10);
  EXPECT_EQ(gicc_read(gicc::kIar, 2), 7u | 1u << 10);
  gicd_write(gicd::kSgir, 2u << 24 | 8, 1);
  EXPECT_EQ(gicc_read(gicc::kIar, 1), 8u | 1u << 10);
  gicd_write(gicd::kSgir, 3u << 24 | 0xffu << 16 | 9, 1);  // Reserved filter.
  for (unsigned cpu = 0; cpu < 3; ++cpu) EXPECT_EQ(gicc_read(gicc::kHppir, cpu), kSpurious);
}

TEST_F(GicV2DistributorTest, SgirIgnoresNarrowWrites) {
  build(1);
  enable_delivery();
  gicd_write(gicd::kSgir + 3, 2, 0, 1);
  gicd_write(gicd::kSgir, 2, 0, 2);
  EXPECT_FALSE(lines[0].irq.level());
}

TEST_F(GicV2DistributorTest, OneSgiFromTwoCpusIsDeliveredTwice) {
  build(3);
  enable_delivery();
  gicd_write(gicd::kSgir, 1u << 16 | 3, 2);
  gicd_write(gicd::kSgir, 1u << 16 | 3, 1);
  EXPECT_EQ(gicd_read(gicd::kSpendsgir, 0), 0x06000000u);
  EXPECT_EQ(gicc_read(gicc::kIar), 3u | 1u << 10);
  EXPECT_TRUE(get_bit(gicd::kIspendr, 3));
  EXPECT_FALSE(lines[0].irq.level()) << "active and pending";
  gicc_write(gicc::kEoir, 3u | 1u << 10);
  EXPECT_TRUE(lines[0].irq.level());
  EXPECT_EQ(gicc_read(gicc::kIar), 3u | 2u << 10);
  EXPECT_FALSE(get_bit(gicd::kIspendr, 3));
}

TEST_F(GicV2DistributorTest, SgiPendingRegistersSaveAndRestore) {
  build(4);
  enable_delivery();
  gicd_write(gicd::kSpendsgir + 4, 0x00000904, 1);  // SGI 4 from CPU 2, SGI 5 from CPUs 0 and 3.
  EXPECT_EQ(gicd_read(gicd::kSpendsgir + 4, 1), 0x0904u);
  EXPECT_EQ(gicd_read(gicd::kCpendsgir + 4, 1), 0x0904u);
  EXPECT_EQ(gicd_read(gicd::kSpendsgir + 4, 0), 0u);
  EXPECT_TRUE(lines[1].irq.level());
  gicd_write(gicd::kCpendsgir + 4, 0x04, 1, 1);
  EXPECT_EQ(gicc_read(gicc::kHppir, 1), 5u);
  gicd_write(gicd::kCpendsgir + 5, 0x01, 1, 1);
  EXPECT_EQ(gicc_read(gicc::kHppir, 1), 5u | 3u << 10);
  gicd_write(gicd::kCpendsgir + 4, 0xffffffff, 1);
  EXPECT_FALSE(lines[1].irq.level());
}

TEST_F(GicV2DistributorTest, PendingRegistersCannotTouchSgis) {
  build(1);
  gicd_write(gicd::kIspendr, 0xffff);
  EXPECT_EQ(gicd_read(gicd::kIspendr), 0u);
  gicd_write(gicd::kSgir, 2u << 24 | 1);
  gicd_write(gicd::kIcpendr, 0xffff);
  EXPECT_EQ(gicd_read(gicd::kIspendr), 2u);
}

TEST_F(GicV2DistributorTest, PpiOfOneCpuInterruptsThatCpuOnly) {
  build(2);
  enable_delivery();
  set_bit(gicd::kIsenabler, 27, 0);
  set_bit(gicd::kIsenabler, 27, 1);
  gic->ppi(1, 27).set(true);
  EXPECT_FALSE(lines[0].irq.level());
  EXPECT_TRUE(lines[1].irq.level());
  EXPECT_EQ(gicc_read(gicc::kIar, 1), 27u);
}

TEST_F(GicV2DistributorTest, UnimplementedPriorityBitsReadAsZero) {
  GicV2Config config;
  config.priority_bits = 5;
  build(config);
  gicd_write(gicd::kIpriorityr + 32, 0xffffffff);
  EXPECT_EQ(gicd_read(gicd::kIpriorityr + 32), 0xf8f8f8f8u);
  gicc_write(gicc::kPmr, 0xff);
  EXPECT_EQ(gicc_read(gicc::kPmr), 0xf8u);
  EXPECT_EQ(gicc_read(gicc::kBpr), 2u);
}

TEST_F(GicV2DistributorTest, LargestConfigurationEndsAtIntid1019) {
  GicV2Config config;
  config.spis = 992;
  build(config);
  EXPECT_EQ(gicd_read(gicd::kTyper) & 0x1f, 31u);
  gicd_write(gicd::kIsenabler + 4 * 31, 0xffffffff);
  EXPECT_EQ(gicd_read(gicd::kIsenabler + 4 * 31), 0x0fffffffu);
  enable_delivery();
  gic->spi(1019).set(true);
  EXPECT_EQ(gicc_read(gicc::kIar), 1019u);
  EXPECT_THROW(gic->spi(1020), std::out_of_range);
  EXPECT_THROW(gic->spi(31), std::out_of_range);
  EXPECT_THROW(gic->ppi(0, 15), std::out_of_range);
  EXPECT_THROW(gic->ppi(1, 27), std::out_of_range);
}

TEST_F(GicV2DistributorTest, RefusesImpossibleConfigurations) {
  const auto refused = [this](auto change) {
    GicV2Config config;
    change(config);
    EXPECT_THROW(build(config), std::invalid_argument);
  };
  refused([](GicV2Config& config) { config.cpus = 0; });
  refused([](GicV2Config& config) { config.cpus = 9; });
  refused([](GicV2Config& config) { config.spis = 100; });
  refused([](GicV2Config& config) { config.spis = 1024; });
  refused([](GicV2Config& config) { config.list_registers = 0; });
  refused([](GicV2Config& config) { config.priority_bits = 4; });
  refused([](GicV2Config& config) { config.maintenance_intid = 32; });
}

TEST_F(GicV2DistributorTest, ReportsWiresToTheSink) {
  build(2);
  gic->spi(33).set(true);
  gic->ppi(1, 30).set(true);
  gic->spi(33).set(false);
  ASSERT_EQ(sink.events.size(), 3u);
  EXPECT_EQ(sink.events[0].kind, EventKind::interrupt_line);
  EXPECT_EQ(sink.events[0].a, 33u);
  EXPECT_EQ(sink.events[0].b, 1u);
  EXPECT_EQ(sink.events[1].cpu, 1u);
  EXPECT_EQ(sink.events[1].a, 30u);
  EXPECT_EQ(sink.events[2].b, 0u);
}

}  // namespace
}  // namespace trapline
