// ICC_*_EL1: acknowledge, priorities, preemption, end of interrupt, SGIs.
#include "tests/unit/gicv3_fixture.h"

namespace trapline {
namespace {

class CpuInterfaceTest : public ::testing::Test {
 protected:
  void SetUp() override { rig.boot(); }
  /// Enables an SPI at a priority and raises it.
  void raise(unsigned intid, std::uint8_t priority) {
    rig.set_priority(intid, priority);
    rig.enable(intid);
    rig.gic().spi(intid).set(true);
  }
  GicV3Rig rig;
};

TEST(GicV3CpuInterface, ResetValuesMatchQemu) {
  GicV3Rig rig;
  EXPECT_EQ(rig.get(kIccCtlr), 0x8c00u);
  EXPECT_EQ(rig.get(kIccPmr), 0u);
  EXPECT_EQ(rig.get(kIccBpr0), 2u);
  EXPECT_EQ(rig.get(kIccBpr1), 3u);
  EXPECT_EQ(rig.get(kIccRpr), 0xffu);
  EXPECT_EQ(rig.get(kIccSreEl1), 7u);
  EXPECT_EQ(rig.get(kIccSreEl2), 0xfu);
  EXPECT_EQ(rig.get(kIccIgrpen0), 0u);
  EXPECT_EQ(rig.get(kIccIgrpen1), 0u);
  EXPECT_EQ(rig.get(kIccIar1), kSpuriousIntid);
  EXPECT_EQ(rig.get(kIccHppir1), kSpuriousIntid);
}

TEST_F(CpuInterfaceTest, AcknowledgeRaisesThePriorityAndEoiDropsIt) {
  raise(33, 0xa0);
  EXPECT_EQ(rig.get(kIccHppir1), 33u);
  EXPECT_EQ(rig.get(kIccIar1), 33u);
  EXPECT_EQ(rig.get(kIccRpr), 0xa0u);
  EXPECT_EQ(rig.get(kIccAp1r0), 1u << (0xa0 >> 3));
  EXPECT_EQ(rig.get(kIccAp0r0), 0u);
  EXPECT_EQ(rig.get(kIccIar1), kSpuriousIntid);
  rig.gic().spi(33).set(false);
  rig.set(kIccEoir1, 33);
  EXPECT_EQ(rig.get(kIccRpr), 0xffu);
  EXPECT_EQ(rig.get(kIccAp1r0), 0u);
}

TEST_F(CpuInterfaceTest, OnlyAHigherGroupPriorityPreempts) {
  raise(33, 0xa0);
  EXPECT_EQ(rig.get(kIccIar1), 33u);
  raise(34, 0xa0);
  EXPECT_FALSE(rig.irq());
  EXPECT_EQ(rig.get(kIccHppir1), 34u);
  EXPECT_EQ(rig.get(kIccIar1), kSpuriousIntid);
  raise(35, 0x60);
  EXPECT_TRUE(rig.irq());
  EXPECT_EQ(rig.get(kIccIar1), 35u);
  EXPECT_EQ(rig.get(kIccRpr), 0x60u);
  rig.gic().spi(35).set(false);
  rig.gic().spi(33).set(false);
  rig.set(kIccEoir1, 35);
  EXPECT_EQ(rig.get(kIccRpr), 0xa0u);
  EXPECT_FALSE(rig.irq());
  rig.set(kIccEoir1, 33);
  EXPECT_TRUE(rig.irq());
  EXPECT_EQ(rig.get(kIccIar1), 34u);
}

TEST_F(CpuInterfaceTest, BinaryPointHidesSubpriorities) {
  rig.set(kIccBpr1, 6);  // Group priority is [7:6].
  raise(33, 0xa0);
  EXPECT_EQ(rig.get(kIccIar1), 33u);
  EXPECT_EQ(rig.get(kIccRpr), 0x80u);
  raise(34, 0x88);
  EXPECT_FALSE(rig.irq());
  raise(35, 0x78);
  EXPECT_EQ(rig.get(kIccIar1), 35u);
  EXPECT_EQ(rig.get(kIccRpr), 0x40u);
  rig.gic().spi(35).set(false);
  rig.set(kIccEoir1, 35);
  rig.set(kIccBpr1, 3);  // 0x88 is still below what was recorded as 0x80.
  EXPECT_FALSE(rig.irq());
}

TEST_F(CpuInterfaceTest, BinaryPointsHaveMinimaAndCbprSharesThem) {
  rig.set(kIccBpr0, 0);
  rig.set(kIccBpr1, 0);
  EXPECT_EQ(rig.get(kIccBpr0), 2u);
  EXPECT_EQ(rig.get(kIccBpr1), 3u);
  rig.set(kIccBpr0, 5);
  rig.set(kIccCtlr, 1);
  EXPECT_EQ(rig.get(kIccBpr1), 6u);
  rig.set(kIccBpr1, 3);
  EXPECT_EQ(rig.get(kIccBpr1), 6u);
  raise(33, 0xa0);
  EXPECT_EQ(rig.get(kIccIar1), 33u);
  EXPECT_EQ(rig.get(kIccRpr), 0x80u);  // [7:6] by BPR0 = 5.
  rig.set(kIccBpr0, 7);
  EXPECT_EQ(rig.get(kIccBpr1), 7u);  // Saturated.
  rig.set(kIccCtlr, 0);
  EXPECT_EQ(rig.get(kIccBpr1), 3u);
}

TEST_F(CpuInterfaceTest, PriorityMaskIsExclusiveAndTruncated) {
  raise(33, 0xa0);
  rig.set(kIccPmr, 0xa0);
  EXPECT_FALSE(rig.irq());
  EXPECT_EQ(rig.get(kIccHppir1), 33u);  // HPPIR ignores the mask.
  rig.set(kIccPmr, 0xa8);
  EXPECT_TRUE(rig.irq());
  rig.set(kIccPmr, 0xff);
  EXPECT_EQ(rig.get(kIccPmr), 0xf8u);
  rig.set(kIccPmr, 0);
  EXPECT_FALSE(rig.irq());
}

TEST_F(CpuInterfaceTest, IdlePriorityIsNeverSignalled) {
  raise(33, 0xff);
  rig.set(kIccPmr, 0xff);
  EXPECT_FALSE(rig.irq());
  EXPECT_EQ(rig.get(kIccIar1), kSpuriousIntid);
}

TEST_F(CpuInterfaceTest, GroupEnableGatesTheGroup) {
  raise(33, 0xa0);
  rig.set(kIccIgrpen1, 0);
  EXPECT_FALSE(rig.irq());
  EXPECT_EQ(rig.get(kIccHppir1), kSpuriousIntid);
  EXPECT_EQ(rig.get(kIccIar1), kSpuriousIntid);
  rig.set(kIccIgrpen1, 1);
  EXPECT_TRUE(rig.irq());
}

TEST_F(CpuInterfaceTest, SplitEoiDropsThenDirDeactivates) {
  rig.set(kIccCtlr, 2);
  EXPECT_EQ(rig.get(kIccCtlr), 0x8c02u);
  raise(33, 0xa0);
  EXPECT_EQ(rig.get(kIccIar1), 33u);
  rig.set(kIccEoir1, 33);
  EXPECT_EQ(rig.get(kIccRpr), 0xffu);
  EXPECT_TRUE(rig.is_active(33));
  EXPECT_FALSE(rig.irq());
  raise(34, 0xa0);
  EXPECT_TRUE(rig.irq());  // Others run meanwhile.
  rig.gic().spi(33).set(false);
  rig.set(kIccDir, 33);
  EXPECT_FALSE(rig.is_active(33));
}

TEST_F(CpuInterfaceTest, DirIsIgnoredWithoutSplitEoi) {
  raise(33, 0xa0);
  EXPECT_EQ(rig.get(kIccIar1), 33u);
  rig.set(kIccDir, 33);
  EXPECT_TRUE(rig.is_active(33));
}

TEST_F(CpuInterfaceTest, DirWorksFromAnotherCpu) {
  GicV3Rig smp({.cpus = 2});
  smp.boot();
  smp.set(kIccCtlr, 2, 0);
  smp.set(kIccCtlr, 2, 1);
  smp.enable(33);
  smp.gic().spi(33).set(true);
  EXPECT_EQ(smp.get(kIccIar1, 0), 33u);
  smp.set(kIccEoir1, 33, 0);
  smp.gic().spi(33).set(false);
  smp.set(kIccDir, 33, 1);
  EXPECT_FALSE(smp.is_active(33));
}

TEST_F(CpuInterfaceTest, StrayEoisAreIgnored) {
  rig.set(kIccEoir1, 33);
  rig.set(kIccEoir1, kSpuriousIntid);
  raise(33, 0xa0);
  EXPECT_EQ(rig.get(kIccIar1), 33u);
  rig.set(kIccEoir1, kSpuriousIntid);
  rig.set(kIccEoir1, 5000);
  rig.set(kIccEoir0, 33);
  EXPECT_EQ(rig.get(kIccRpr), 0xa0u);
  EXPECT_TRUE(rig.is_active(33));
}

TEST_F(CpuInterfaceTest, GroupZeroPreemptsGroupOneOnItsOwnLine) {
  raise(33, 0xa0);
  EXPECT_EQ(rig.get(kIccIar1), 33u);
  rig.set_gicd(0x084, ~4u);  // 34 is Group 0.
  raise(34, 0x20);
  EXPECT_TRUE(rig.fiq());
  EXPECT_EQ(rig.get(kIccIar0), 34u);
  EXPECT_EQ(rig.get(kIccAp0r0), 1u << 4);
  EXPECT_EQ(rig.get(kIccRpr), 0x20u);
  rig.set(kIccEoir1, 33);  // Not the highest active: ignored.
  EXPECT_EQ(rig.get(kIccRpr), 0x20u);
  rig.gic().spi(34).set(false);
  rig.set(kIccEoir0, 34);
  EXPECT_EQ(rig.get(kIccRpr), 0xa0u);
}

TEST_F(CpuInterfaceTest, ActivePrioritiesCanBeSavedAndRestored) {
  raise(33, 0xa0);
  rig.set(kIccAp1r0, 1u << 4);  // As if something at 0x20 were active.
  EXPECT_EQ(rig.get(kIccRpr), 0x20u);
  EXPECT_FALSE(rig.irq());
  rig.set(kIccAp1r0, 0);
  EXPECT_TRUE(rig.irq());
}

TEST(GicV3CpuInterface, ActivePriorityRegistersFollowThePriorityBits) {
  const SysReg ap1r1 = sysreg(3, 0, 12, 9, 1);
  const SysReg ap1r2 = sysreg(3, 0, 12, 9, 2);
  GicV3Rig five;
  EXPECT_TRUE(five.gic().cpu_interface(0).owns(kIccAp1r0));
  EXPECT_FALSE(five.gic().cpu_interface(0).owns(ap1r1));
  EXPECT_EQ(five.try_get(ap1r1, GicV3Rig::el2()), SysRegStatus::undefined);
  GicV3Rig six({.priority_bits = 6});
  EXPECT_TRUE(six.gic().cpu_interface(0).owns(ap1r1));
  EXPECT_FALSE(six.gic().cpu_interface(0).owns(ap1r2));
  GicV3Rig seven({.priority_bits = 7});
  EXPECT_TRUE(seven.gic().cpu_interface(0).owns(ap1r2));
  seven.boot();
  seven.enable(33);
  seven.gic().spi(33).set(true);
  EXPECT_EQ(seven.get(kIccIar1), 33u);
  EXPECT_EQ(seven.get(ap1r2), 1u << 16);  // 0xa0 >> 1 = 80.
  EXPECT_EQ(seven.get(kIccRpr), 0xa0u);
  seven.gic().spi(33).set(false);
  seven.set(kIccEoir1, 33);
  EXPECT_EQ(seven.get(kIccRpr), 0xffu);
}

TEST_F(CpuInterfaceTest, EventsTellOfLinesAcksAndEnds) {
  rig.events.clear();
  raise(33, 0xa0);
  EXPECT_EQ(rig.get(kIccIar1), 33u);
  EXPECT_EQ(rig.get(kIccIar1), kSpuriousIntid);  // No event.
  rig.gic().spi(33).set(false);
  rig.set(kIccEoir1, 33);
  ASSERT_EQ(rig.events.size(), 4u);
  EXPECT_EQ(rig.events[0].kind, EventKind::interrupt_line);
  EXPECT_EQ(rig.events[0].a, 33u);
  EXPECT_EQ(rig.events[0].b, 1u);
  EXPECT_EQ(rig.events[1].kind, EventKind::interrupt_ack);
  EXPECT_EQ(rig.events[1].a, 33u);
  EXPECT_EQ(rig.events[1].b, 0u);
  EXPECT_EQ(rig.events[2].b, 0u);
  EXPECT_EQ(rig.events[3].kind, EventKind::interrupt_eoi);
  EXPECT_EQ(rig.events[3].a, 33u);
}

// ---- SGIs ----

class SgiTest : public ::testing::Test {
 protected:
  void SetUp() override {
    rig.boot();
    for (unsigned cpu = 0; cpu < 4; ++cpu) rig.set_gicr(cpu, kSgiBase + 0x100, 0xffff);
  }
  // Two clusters of two.
  GicV3Rig rig{{.cpus = 4, .affinities = {0x000, 0x001, 0x100, 0x101}}};
};

TEST_F(SgiTest, TargetListSelectsWithinACluster) {
  rig.set(kIccSgi1r, 5ull << 24 | 0x2, 0);
  EXPECT_FALSE(rig.irq(0));
  EXPECT_TRUE(rig.irq(1));
  EXPECT_FALSE(rig.irq(2) || rig.irq(3));
  EXPECT_EQ(rig.get(kIccIar1, 1), 5u);
  rig.set(kIccEoir1, 5, 1);
  EXPECT_FALSE(rig.irq(1));
  rig.set(kIccSgi1r, 7ull << 24 | 1ull << 16 | 0x3, 0);
  EXPECT_FALSE(rig.irq(0) || rig.irq(1));
  EXPECT_EQ(rig.get(kIccIar1, 2), 7u);
  EXPECT_EQ(rig.get(kIccIar1, 3), 7u);
}

TEST_F(SgiTest, OtherAffinityLevelsMustMatch) {
  rig.set(kIccSgi1r, 5ull << 24 | 1ull << 32 | 0xf, 0);
  rig.set(kIccSgi1r, 5ull << 24 | 1ull << 48 | 0xf, 0);
  for (unsigned cpu = 0; cpu < 4; ++cpu) EXPECT_FALSE(rig.irq(cpu)) << cpu;
}

TEST(GicV3CpuInterface, SgiTargetListStopsAtFifteen) {
  GicV3Rig rig({.cpus = 3, .affinities = {0x00, 0x0f, 0x21}});
  rig.boot();
  for (unsigned cpu = 0; cpu < 3; ++cpu) rig.set_gicr(cpu, kSgiBase + 0x100, 0xffff);
  rig.set(kIccSgi1r, 5ull << 24 | 0xfffe);
  EXPECT_TRUE(rig.irq(1));
  EXPECT_FALSE(rig.irq(2));
}

TEST(GicV3CpuInterface, NonSecureSgisReachSecureOnesThroughNsacrOnly) {
  GicV3Rig rig({.two_security_states = true});
  rig.secure = true;
  rig.set_gicr(0, kSgiBase + 0x080, 1u << 5);  // SGI 5 is Group 1, the others are Group 0.
  rig.set_gicr(0, kSgiBase + 0xe00, 1u << 8);  // SGI 4 allows Non-secure pending.
  const auto pending = [&] { return rig.gicr(0, kSgiBase + 0x200); };
  rig.set(kIccSgi1r, 3ull << 24 | 1);
  EXPECT_EQ(pending(), 0u);
  rig.set(kIccSgi1r, 4ull << 24 | 1);
  EXPECT_EQ(pending(), 1u << 4);
  rig.set(kIccSgi1r, 5ull << 24 | 1);
  EXPECT_EQ(pending(), 3u << 4);
}

TEST_F(SgiTest, BroadcastReachesAllButTheSender) {
  rig.set(kIccSgi1r, 1ull << 40 | 3ull << 24, 2);
  EXPECT_TRUE(rig.irq(0) && rig.irq(1) && rig.irq(3));
  EXPECT_FALSE(rig.irq(2));
}

TEST_F(SgiTest, SelfSgiAndDisabledSgi) {
  rig.set(kIccSgi1r, 1ull << 24 | 0x1, 0);
  EXPECT_EQ(rig.get(kIccIar1, 0), 1u);
  rig.set(kIccEoir1, 1, 0);
  rig.set_gicr(0, kSgiBase + 0x180, 2);
  rig.set(kIccSgi1r, 1ull << 24 | 0x1, 0);
  EXPECT_FALSE(rig.irq(0));
  EXPECT_EQ(rig.gicr(0, kSgiBase + 0x200), 2u);
}

TEST_F(SgiTest, RegistersReachOnlyTheirGroup) {
  rig.set(kIccSgi0r, 4ull << 24 | 0x1, 0);  // SGI 4 is in Group 1.
  EXPECT_FALSE(rig.irq(0) || rig.fiq(0));
  rig.set_gicr(0, kSgiBase + 0x080, ~0x10u);  // Now Group 0.
  rig.set(kIccSgi1r, 4ull << 24 | 0x1, 0);
  EXPECT_FALSE(rig.irq(0) || rig.fiq(0));
  rig.set(kIccSgi0r, 4ull << 24 | 0x1, 0);
  EXPECT_TRUE(rig.fiq(0));
  EXPECT_EQ(rig.get(kIccIar0, 0), 4u);
}

TEST_F(SgiTest, SecureCallersUseGroupOneWhereThereIsOneState) {
  SysRegContext secure = GicV3Rig::el2();
  secure.secure = true;
  rig.set(kIccSgi1r, 5ull << 24 | 0x2, 0, secure);
  EXPECT_TRUE(rig.irq(1));
  EXPECT_EQ(rig.get(kIccIar1, 1, secure), 5u);
}

TEST(GicV3CpuInterface, NonSecureViewOfTwoStates) {
  GicV3Rig rig({.two_security_states = true});
  SysRegContext secure = GicV3Rig::el1();
  secure.secure = true;
  rig.set(kIccPmr, 0xf0);  // The mask is Secure (0): out of reach.
  EXPECT_EQ(rig.get(kIccPmr, 0, secure), 0u);
  rig.set(kIccPmr, 0xf8, 0, secure);
  EXPECT_EQ(rig.get(kIccPmr), 0xf0u);
  rig.set(kIccPmr, 0x40);
  EXPECT_EQ(rig.get(kIccPmr, 0, secure), 0xa0u);
  rig.set(kIccIgrpen1, 1);
  EXPECT_EQ(rig.get(kIccIgrpen1, 0, secure), 0u);  // Banked.
  rig.set(kIccIgrpen0, 1);
  EXPECT_EQ(rig.get(kIccIgrpen0, 0, secure), 0u);  // Out of reach.
  rig.set(kIccCtlr, 3);
  EXPECT_EQ(rig.get(kIccCtlr), 0x8c02u);  // CBPR is not Non-secure's.
  rig.set(kIccAp1r0, 1u << 4);
  EXPECT_EQ(rig.get(kIccRpr), 0u);
  EXPECT_EQ(rig.get(kIccRpr, 0, secure), 0x20u);
}

// The cached choice of interrupt must equal what a scan of everything gives.
TEST(GicV3CpuInterface, CachedSelectionSurvivesRandomTraffic) {
  GicV3Rig rig({.cpus = 2, .spis = 64, .one_of_n = true});
  rig.boot();
  std::uint32_t seed = 12345;
  const auto random = [&](std::uint32_t below) {
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
  };
  for (unsigned step = 0; step < 20000; ++step) {
    const unsigned intid = 16 + random(80);
    const unsigned cpu = random(2);
    const bool spi = intid >= 32;
    const unsigned word = intid / 32 * 4;
    const std::uint32_t mask = 1u << (intid % 32);
    const unsigned action = random(12);
    if (action < 3) {
      // The maintenance PPI has its own driver.
      Line& line = spi ? rig.gic().spi(intid) : rig.gic().ppi(cpu, intid == 25 ? 26 : intid);
      line.set(!line.level());
    } else if (action < 8) {
      // IGROUPR to ICACTIVER, whichever comes.
      const PhysAddr base = 0x80 + 0x80 * random(7);
      spi ? rig.set_gicd(base + word, mask | seed) : rig.set_gicr(cpu, kSgiBase + base, mask);
    } else if (action == 8) {
      rig.set_priority(intid, static_cast<std::uint8_t>(random(256)), cpu);
    } else if (action == 9 && spi) {
      rig.set_gicd(0x6000 + 8 * intid, random(4) == 3 ? 0x8000'0000 : random(3), 8);
    } else if (action == 10) {
      const std::uint64_t got = rig.get(kIccIar1, cpu);
      if (got != kSpuriousIntid && random(2)) rig.set(kIccEoir1, got, cpu);
    } else if (action == 11) {
      rig.set(random(2) ? kIccIgrpen1 : kIccIgrpen0, random(4) != 0, cpu);
      if (random(8) == 0) rig.set(kIccAp1r0, 0, cpu);
    }
    const bool before[] = {rig.irq(0), rig.fiq(0), rig.irq(1), rig.fiq(1)};
    const std::uint64_t best[] = {rig.get(kIccHppir1, 0), rig.get(kIccHppir1, 1)};
    rig.set_gicr(0, 0x14, rig.gicr(0, 0x14));  // Makes the model look at everything again.
    ASSERT_EQ(rig.irq(0), before[0]) << step;
    ASSERT_EQ(rig.fiq(0), before[1]) << step;
    ASSERT_EQ(rig.irq(1), before[2]) << step;
    ASSERT_EQ(rig.fiq(1), before[3]) << step;
    ASSERT_EQ(rig.get(kIccHppir1, 0), best[0]) << step;
    ASSERT_EQ(rig.get(kIccHppir1, 1), best[1]) << step;
  }
}

}  // namespace
}  // namespace trapline
