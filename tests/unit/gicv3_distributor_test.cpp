// The GICD frame and SPIs.
#include <stdexcept>

#include "tests/unit/gicv3_fixture.h"

namespace trapline {
namespace {

TEST(GicV3Distributor, IdentifiesItselfAsQemuVirtDoes) {
  GicV3Rig rig;
  EXPECT_EQ(rig.gicd(0x000), 0x50u);        // DS and ARE.
  EXPECT_EQ(rig.gicd(0x004), 0x03780008u);  // No1N, A3V, 16-bit INTIDs, 288 INTIDs.
  EXPECT_EQ(rig.gicd(0x008), 0x43bu);
  EXPECT_EQ(rig.gicd(0xffe8), 0x3bu);  // PIDR2: GICv3.
  EXPECT_EQ(rig.gicd(0xffe0), 0x92u);
  EXPECT_EQ(rig.gicd(0xffd0), 0x44u);
  EXPECT_EQ(rig.gicd(0xfff0), 0x0du);
  EXPECT_EQ(rig.gicd(0xfffc), 0xb1u);
}

TEST(GicV3Distributor, RefusesConfigurationsThatCannotExist) {
  CpuLines lines;
  EXPECT_THROW(GicV3({.spis = 33}, {&lines}, nullptr), std::invalid_argument);
  EXPECT_THROW(GicV3({.cpus = 2}, {&lines}, nullptr), std::invalid_argument);
  EXPECT_THROW(GicV3({.list_registers = 17}, {&lines}, nullptr), std::invalid_argument);
  EXPECT_THROW(GicV3({.maintenance_intid = 40}, {&lines}, nullptr), std::invalid_argument);
  GicV3Rig rig;
  EXPECT_THROW(rig.gic().spi(31), std::out_of_range);
  EXPECT_THROW(rig.gic().spi(288), std::out_of_range);
  EXPECT_THROW(rig.gic().ppi(0, 32), std::out_of_range);
  EXPECT_THROW(rig.gic().ppi(1, 27), std::out_of_range);
}

TEST(GicV3Distributor, LevelSpiFollowsItsLine) {
  GicV3Rig rig;
  rig.boot();
  rig.enable(33);
  EXPECT_FALSE(rig.irq());
  rig.gic().spi(33).set(true);
  EXPECT_TRUE(rig.irq());
  EXPECT_TRUE(rig.is_pending(33));
  rig.gic().spi(33).set(false);
  EXPECT_FALSE(rig.irq());
  EXPECT_FALSE(rig.is_pending(33));
}

TEST(GicV3Distributor, LevelSpiStillHighIsPendingAgainAfterItsEnd) {
  GicV3Rig rig;
  rig.boot();
  rig.enable(33);
  rig.gic().spi(33).set(true);
  EXPECT_EQ(rig.get(kIccIar1), 33u);
  EXPECT_FALSE(rig.irq());
  EXPECT_TRUE(rig.is_active(33));
  EXPECT_TRUE(rig.is_pending(33));
  rig.set(kIccEoir1, 33);
  EXPECT_FALSE(rig.is_active(33));
  EXPECT_TRUE(rig.irq());
}

TEST(GicV3Distributor, EdgeSpiLatchesUntilAcknowledged) {
  GicV3Rig rig;
  rig.boot();
  rig.enable(40);
  rig.make_edge(40);
  EXPECT_EQ(rig.gicd(0xc08), 2u << 16);
  rig.gic().spi(40).pulse();
  EXPECT_TRUE(rig.irq());
  EXPECT_EQ(rig.get(kIccIar1), 40u);
  EXPECT_FALSE(rig.is_pending(40));
  rig.gic().spi(40).pulse();  // A second edge while active.
  EXPECT_TRUE(rig.is_pending(40));
  EXPECT_FALSE(rig.irq());
  rig.set(kIccEoir1, 40);
  EXPECT_TRUE(rig.irq());
  EXPECT_EQ(rig.get(kIccIar1), 40u);
  rig.set(kIccEoir1, 40);
  EXPECT_FALSE(rig.irq());
}

TEST(GicV3Distributor, PendingAndActiveBitsCanBeWritten) {
  GicV3Rig rig;
  rig.boot();
  rig.enable(50);
  rig.set_gicd(0x204, 1u << 18);
  EXPECT_TRUE(rig.irq());
  EXPECT_EQ(rig.gicd(0x284), 1u << 18);
  rig.set_gicd(0x304, 1u << 18);  // Active: not signalled.
  EXPECT_FALSE(rig.irq());
  rig.set_gicd(0x384, 1u << 18);
  EXPECT_TRUE(rig.irq());
  rig.set_gicd(0x284, 1u << 18);
  EXPECT_FALSE(rig.irq());
}

TEST(GicV3Distributor, ClearingPendingDoesNotLowerALine) {
  GicV3Rig rig;
  rig.boot();
  rig.enable(50);
  rig.gic().spi(50).set(true);
  rig.set_gicd(0x284, 1u << 18);
  EXPECT_TRUE(rig.irq());
}

TEST(GicV3Distributor, DisabledInterruptsAndGroupsAreNotSignalled) {
  GicV3Rig rig;
  rig.boot();
  rig.gic().spi(33).set(true);
  EXPECT_FALSE(rig.irq());
  rig.enable(33);
  EXPECT_TRUE(rig.irq());
  rig.set_gicd(0x184, 2);
  EXPECT_FALSE(rig.irq());
  EXPECT_EQ(rig.gicd(0x104), 0u);
  rig.enable(33);
  rig.set_gicd(0x000, 0x11);  // EnableGrp1 off.
  EXPECT_FALSE(rig.irq());
  rig.set_gicd(0x000, 0x12);
  EXPECT_TRUE(rig.irq());
}

TEST(GicV3Distributor, GroupZeroIsSignalledAsFiq) {
  GicV3Rig rig;
  rig.boot();
  rig.enable(33);
  rig.gic().spi(33).set(true);
  rig.set_gicd(0x084, ~2u);
  EXPECT_FALSE(rig.irq());
  EXPECT_TRUE(rig.fiq());
  EXPECT_EQ(rig.get(kIccIar1), kSpuriousIntid);
  EXPECT_EQ(rig.get(kIccHppir0), 33u);
  EXPECT_EQ(rig.get(kIccIar0), 33u);
  rig.gic().spi(33).set(false);
  rig.set(kIccEoir1, 33);  // Not the register of its group.
  EXPECT_TRUE(rig.is_active(33));
  rig.set(kIccEoir0, 33);
  EXPECT_FALSE(rig.is_active(33));
}

TEST(GicV3Distributor, RoutesByAffinity) {
  GicV3Rig rig({.cpus = 3, .affinities = {0x000, 0x100, 0x1'0000'0001}});
  rig.boot();
  rig.enable(64);
  rig.gic().spi(64).set(true);
  EXPECT_TRUE(rig.irq(0));
  rig.set_gicd(0x6000 + 8 * 64, 0x100, 8);
  EXPECT_FALSE(rig.irq(0));
  EXPECT_TRUE(rig.irq(1));
  rig.set_gicd(0x6000 + 8 * 64, 0x1'0000'0001, 8);
  EXPECT_FALSE(rig.irq(1));
  EXPECT_TRUE(rig.irq(2));
  EXPECT_EQ(rig.gicd(0x6000 + 8 * 64, 8), 0x1'0000'0001u);
  rig.set_gicd(0x6004 + 8 * 64, 0);  // By halves: now 0.0.0.1, which no CPU has.
  EXPECT_FALSE(rig.irq(0) || rig.irq(1) || rig.irq(2));
  rig.set_gicd(0x6000 + 8 * 64, 0);
  EXPECT_TRUE(rig.irq(0));
  EXPECT_EQ(rig.get(kIccIar1, 1), kSpuriousIntid);
  EXPECT_EQ(rig.get(kIccIar1, 0), 64u);
}

TEST(GicV3Distributor, WithoutOneOfNTheRoutingModeBitIsZero) {
  GicV3Rig rig({.cpus = 2});
  rig.set_gicd(0x6000 + 8 * 64, 0x8000'0001, 8);
  EXPECT_EQ(rig.gicd(0x6000 + 8 * 64, 8), 1u);
}

TEST(GicV3Distributor, OneOfNGoesToOneParticipatingCpu) {
  GicV3Rig rig({.cpus = 3, .one_of_n = true});
  rig.boot();
  EXPECT_EQ(rig.gicd(0x004) >> 25 & 1, 0u);
  rig.enable(64);
  rig.set_gicd(0x6000 + 8 * 64, 0x8000'0000, 8);
  rig.gic().spi(64).set(true);
  EXPECT_TRUE(rig.irq(0));
  EXPECT_FALSE(rig.irq(1) || rig.irq(2));
  rig.set(kIccIgrpen1, 0, 0);
  EXPECT_FALSE(rig.irq(0));
  EXPECT_TRUE(rig.irq(1));
  rig.set_gicr(1, 0x14, 2);  // ProcessorSleep
  EXPECT_TRUE(rig.irq(2));
  rig.set_gicr(2, 0x00, 1u << 25);  // DPG1NS
  EXPECT_FALSE(rig.irq(0) || rig.irq(1) || rig.irq(2));
  rig.set(kIccIgrpen1, 1, 0);
  EXPECT_EQ(rig.get(kIccIar1, 0), 64u);
}

TEST(GicV3Distributor, HighestPriorityThenLowestIntidWins) {
  GicV3Rig rig;
  rig.boot();
  for (unsigned intid : {100u, 70u, 200u}) {
    rig.enable(intid);
    rig.gic().spi(intid).set(true);
  }
  EXPECT_EQ(rig.get(kIccHppir1), 70u);
  rig.set_priority(200, 0x40);
  EXPECT_EQ(rig.get(kIccHppir1), 200u);
  rig.set_priority(200, 0xc0);
  rig.set_priority(100, 0x90);
  EXPECT_EQ(rig.get(kIccHppir1), 100u);
}

TEST(GicV3Distributor, PrioritiesAreReachedByByteAndWord) {
  GicV3Rig rig;
  rig.set_gicd(0x420, 0x40302010);
  EXPECT_EQ(rig.gicd(0x422, 1), 0x30u);
  rig.set_gicd(0x421, 0xee, 1);
  EXPECT_EQ(rig.gicd(0x420), 0x4030ee10u);
  EXPECT_EQ(rig.gicd(0x422, 2), 0x4030u);
  rig.set_gicd(0x422, 0x1234, 2);
  EXPECT_EQ(rig.gicd(0x420), 0x1234ee10u);
  EXPECT_EQ(rig.gicd(0x420, 8), 0x1234ee10u);
}

TEST(GicV3Distributor, UnimplementedPriorityBitsReadAsZero) {
  GicV3Rig rig({.distributor_priority_bits = 5});
  rig.set_gicd(0x420, 0xff, 1);
  EXPECT_EQ(rig.gicd(0x420, 1), 0xf8u);
}

TEST(GicV3Distributor, PrivateInterruptsAreNotInTheDistributor) {
  GicV3Rig rig;
  rig.boot();
  rig.enable(27);
  rig.set_gicd(0x100, ~0u);
  EXPECT_EQ(rig.gicd(0x100), 0u);
  rig.set_gicd(0x400, ~0u);
  EXPECT_EQ(rig.gicd(0x400), 0u);
  rig.set_gicd(0x800, ~0u);
  EXPECT_EQ(rig.gicd(0x800), 0u);
  EXPECT_EQ(rig.gicd(0x820), 0u);   // ITARGETSR is RAZ with affinity routing.
  rig.set_gicd(0xf00, 0x02000003);  // SGIR has no effect either.
  EXPECT_EQ(rig.gicr(0, kSgiBase + 0x200), 0u);
  EXPECT_EQ(rig.gicr(0, kSgiBase + 0x100), 1u << 27);
}

TEST(GicV3Distributor, InterruptsBeyondTheLastAreNotThere) {
  GicV3Rig rig({.spis = 32});
  rig.set_gicd(0x108, ~0u);
  EXPECT_EQ(rig.gicd(0x108), 0u);
  rig.set_gicd(0x440, ~0u);
  EXPECT_EQ(rig.gicd(0x440), 0u);
  rig.set_gicd(0x6000 + 8 * 64, 1, 8);
  EXPECT_EQ(rig.gicd(0x6000 + 8 * 64, 8), 0u);
  EXPECT_EQ(rig.gicd(0x004) & 0x1f, 1u);
}

TEST(GicV3Distributor, ReservedOffsetsAndOddWidthsAreHarmless) {
  GicV3Rig rig({.cpus = 2});
  for (PhysAddr offset = 0; offset < 0x10000; offset += 0xf3) {
    for (unsigned size : {1u, 2u, 4u, 8u}) {
      rig.set_gicd(offset, 0x5a5a'5a5a'5a5a'5a5a & (~0ull >> (64 - 8 * size)), size);
      const std::uint64_t value = rig.gicd(offset, size);
      if (size < 8) {
        EXPECT_EQ(value >> (8 * size), 0u) << offset;
      }
    }
  }
  EXPECT_EQ(rig.gicd(0x060), 0u);
  rig.set_gicd(0x004, 0);
  EXPECT_EQ(rig.gicd(0x004, 1), 0x08u);
  EXPECT_EQ(rig.gicd(0x000, 8), 0x0378'0008ull << 32 | rig.gicd(0x000));
}

TEST(GicV3Distributor, MessageBasedSpis) {
  GicV3Rig rig({.message_spis = true});
  rig.boot();
  EXPECT_EQ(rig.gicd(0x004) >> 16 & 1, 1u);
  rig.enable(64);
  rig.set_gicd(0x040, 64);
  EXPECT_TRUE(rig.irq());
  EXPECT_EQ(rig.get(kIccIar1), 64u);
  rig.set(kIccEoir1, 64);
  EXPECT_TRUE(rig.irq());  // Level-sensitive: stays until it is cleared.
  rig.set_gicd(0x048, 64, 2);
  EXPECT_FALSE(rig.irq());
  rig.set_gicd(0x208, 1);  // Made pending by ISPENDR: CLRSPI ends that as well.
  EXPECT_TRUE(rig.irq());
  rig.set_gicd(0x048, 64);
  EXPECT_FALSE(rig.irq());
  rig.make_edge(64);
  rig.set_gicd(0x040, 64, 2);
  EXPECT_EQ(rig.get(kIccIar1), 64u);
  rig.set(kIccEoir1, 64);
  EXPECT_FALSE(rig.irq());
}

TEST(GicV3Distributor, MessageRegistersAreReservedOtherwise) {
  GicV3Rig rig;
  rig.boot();
  rig.enable(64);
  rig.set_gicd(0x040, 64);
  EXPECT_FALSE(rig.irq());
}

TEST(GicV3Distributor, ResetKeepsOnlyTheInputLevels) {
  GicV3Rig rig;
  rig.boot();
  rig.enable(33);
  rig.set_gicd(0x208, 1);
  rig.gic().spi(33).set(true);
  rig.gic().reset();
  EXPECT_FALSE(rig.irq());
  EXPECT_EQ(rig.gicd(0x000), 0x50u);
  EXPECT_EQ(rig.gicd(0x104), 0u);
  EXPECT_EQ(rig.gicd(0x204), 2u);
  EXPECT_EQ(rig.gicd(0x208), 0u);
  EXPECT_EQ(rig.gicd(0x420), 0u);
  EXPECT_EQ(rig.get(kIccPmr), 0u);
  rig.boot();
  rig.enable(33);
  EXPECT_TRUE(rig.irq());
}

// ---- GICD_CTLR.ARE as the Armv8-R board has it ----

class LegacyRouting : public ::testing::Test {
 protected:
  void SetUp() override {
    rig.set_gicd(0x000, 3);  // Groups on, ARE off.
    for (unsigned n = 0; n < 9; ++n) rig.set_gicd(0x080 + 4 * n, ~0u);
    for (unsigned cpu = 0; cpu < 2; ++cpu) {
      rig.set(kIccPmr, 0xf0, cpu);
      rig.set(kIccIgrpen1, 1, cpu);
    }
    rig.requester = 1;
    rig.set_gicd(0x080, ~0u);
    rig.requester = 0;
  }
  GicV3Rig rig{{.cpus = 2, .distributor_priority_bits = 5, .programmable_are = true}};
};

TEST_F(LegacyRouting, AreResetsToZeroAndSticksWhenSet) {
  EXPECT_EQ(rig.gicd(0x000), 0x43u);
  EXPECT_EQ(rig.gicd(0x004) >> 5 & 7, 1u);  // CPUNumber
  rig.set_gicd(0x000, 0x12);
  EXPECT_EQ(rig.gicd(0x000), 0x52u);
}

TEST_F(LegacyRouting, PrivateRegistersAreBankedByRequester) {
  rig.set_gicd(0x400, 0xff, 1);
  EXPECT_EQ(rig.gicd(0x400, 1), 0xf8u);
  rig.requester = 1;
  EXPECT_EQ(rig.gicd(0x400, 1), 0u);
  rig.set_gicd(0x100, 1u << 30);
  EXPECT_EQ(rig.gicr(1, kSgiBase + 0x100), 1u << 30);
  EXPECT_EQ(rig.gicr(0, kSgiBase + 0x100), 0u);
  rig.set_gicd(0x000, 0x12);
  EXPECT_EQ(rig.gicd(0x400, 1), 0u);  // ARE on: RAZ.
}

TEST_F(LegacyRouting, SpisFollowItargetsr) {
  rig.enable(40);
  rig.gic().spi(40).set(true);
  EXPECT_FALSE(rig.irq(0) || rig.irq(1));
  rig.set_gicd(0x828, 0xff, 1);
  EXPECT_EQ(rig.gicd(0x828, 1), 3u);
  EXPECT_TRUE(rig.irq(0) && rig.irq(1));
  EXPECT_EQ(rig.get(kIccIar1, 1), 40u);  // First come, first served.
  EXPECT_FALSE(rig.irq(0) || rig.irq(1));
  rig.set(kIccEoir1, 40, 1);
  rig.set_gicd(0x828, 2, 1);
  EXPECT_FALSE(rig.irq(0));
  EXPECT_TRUE(rig.irq(1));
  rig.set_gicd(0x000, 0x12);  // IROUTER takes over: 0.0.0.0.
  EXPECT_TRUE(rig.irq(0));
  EXPECT_FALSE(rig.irq(1));
}

TEST_F(LegacyRouting, ReadOnlyTargetsNameTheReader) {
  EXPECT_EQ(rig.gicd(0x800), 0x01010101u);
  rig.requester = 1;
  EXPECT_EQ(rig.gicd(0x81c), 0x02020202u);
}

TEST_F(LegacyRouting, SgirSendsToListOthersAndSelf) {
  rig.set_gicd(0x100, 0xffff);
  rig.requester = 1;
  rig.set_gicd(0x100, 0xffff);
  rig.requester = 0;
  rig.set_gicd(0xf00, 0x00020003);  // List: CPU 1, SGI 3.
  EXPECT_FALSE(rig.irq(0));
  EXPECT_TRUE(rig.irq(1));
  EXPECT_EQ(rig.get(kIccIar1, 1), 3u);
  rig.set(kIccEoir1, 3, 1);
  rig.set_gicd(0xf00, 0x01000004);  // All others.
  EXPECT_FALSE(rig.irq(0));
  EXPECT_EQ(rig.get(kIccIar1, 1), 4u);
  rig.set(kIccEoir1, 4, 1);
  rig.set_gicd(0xf00, 0x02000005);  // Self.
  EXPECT_FALSE(rig.irq(1));
  EXPECT_EQ(rig.get(kIccIar1, 0), 5u);
}

TEST_F(LegacyRouting, PendingSgisRememberTheirSources) {
  rig.set_gicd(0xf00, 0x02000005);
  EXPECT_EQ(rig.gicd(0xf25, 1), 1u);
  rig.set_gicd(0xf25, 2, 1);
  EXPECT_EQ(rig.gicd(0xf15, 1), 3u);
  rig.set_gicd(0xf15, 1, 1);
  EXPECT_EQ(rig.gicd(0x200), 1u << 5);
  rig.set_gicd(0xf15, 2, 1);
  EXPECT_EQ(rig.gicd(0x200), 0u);
}

// ---- two Security states ----

class TwoStates : public ::testing::Test {
 protected:
  void SetUp() override {
    rig.secure = true;
    rig.set_gicd(0x000, 7);
    rig.set_gicd(0x084, 0x0000ffff);  // 32-47 Group 1, 48-63 Secure.
    rig.set_gicd(0xd04, 0xff000000);  // 56-63 Secure Group 1.
  }
  GicV3Rig rig{{.two_security_states = true}};
};

TEST_F(TwoStates, ControlRegisterHasTwoViews) {
  EXPECT_EQ(rig.gicd(0x000), 0x37u);
  EXPECT_EQ(rig.gicd(0x004) >> 10 & 1, 1u);
  rig.secure = false;
  EXPECT_EQ(rig.gicd(0x000), 0x12u);
  rig.set_gicd(0x000, 0);
  EXPECT_EQ(rig.gicd(0x000), 0x10u);
  rig.secure = true;
  EXPECT_EQ(rig.gicd(0x000), 0x35u);
}

TEST_F(TwoStates, NonSecureReachesOnlyItsInterrupts) {
  rig.secure = false;
  rig.set_gicd(0x104, ~0u);
  EXPECT_EQ(rig.gicd(0x104), 0xffffu);
  EXPECT_EQ(rig.gicd(0x084), 0u);  // IGROUPR and IGRPMODR are RAZ/WI.
  EXPECT_EQ(rig.gicd(0xd04), 0u);
  rig.set_gicd(0x084, 0);
  rig.secure = true;
  EXPECT_EQ(rig.gicd(0x084), 0xffffu);
  EXPECT_EQ(rig.gicd(0xd04), 0xff000000u);
}

TEST_F(TwoStates, NonSecurePrioritiesAreTheLowerHalf) {
  rig.secure = false;
  rig.set_gicd(0x420, 0x40, 1);
  EXPECT_EQ(rig.gicd(0x420, 1), 0x40u);
  rig.set_gicd(0x430, 0x40, 1);  // INTID 48 is Secure.
  rig.secure = true;
  EXPECT_EQ(rig.gicd(0x420, 1), 0xa0u);
  EXPECT_EQ(rig.gicd(0x430, 1), 0u);
}

TEST_F(TwoStates, NsacrOpensPendingThenMore) {
  rig.set_gicd(0xe0c, 0b11'10'01'00);  // INTIDs 48-51 allow 0, 1, 2, 3.
  EXPECT_EQ(rig.gicd(0xe0c), 0b11'10'01'00u);
  rig.secure = false;
  rig.set_gicd(0x204, 0x000f0000);
  EXPECT_EQ(rig.gicd(0x204), 0x000e0000u);
  rig.set_gicd(0x284, 0x000f0000);
  EXPECT_EQ(rig.gicd(0x204), 0x00020000u);
  rig.set_gicd(0x304, 0x000f0000);  // Active bits can be read from 2 on, never written.
  rig.secure = true;
  EXPECT_EQ(rig.gicd(0x304), 0u);
  rig.set_gicd(0x304, 0x000f0000);
  rig.secure = false;
  EXPECT_EQ(rig.gicd(0x304), 0x000c0000u);
  rig.set_gicd(0x6000 + 8 * 50, 5, 8);
  rig.set_gicd(0x6000 + 8 * 51, 5, 8);
  EXPECT_EQ(rig.gicd(0x6000 + 8 * 50, 8), 0u);
  EXPECT_EQ(rig.gicd(0x6000 + 8 * 51, 8), 5u);
  EXPECT_EQ(rig.gicd(0xe0c), 0u);
}

TEST_F(TwoStates, SecureGroupsAreFiqsToANonSecureCpu) {
  SysRegContext secure = GicV3Rig::el1();
  secure.secure = true;
  rig.set_gicd(0x104, ~0u);
  rig.set(kIccPmr, 0xf0, 0, secure);
  rig.set(kIccIgrpen1, 1, 0, secure);
  rig.gic().spi(60).set(true);
  EXPECT_TRUE(rig.fiq());
  EXPECT_EQ(rig.get(kIccIar1), kSpuriousIntid);  // Not from Non-secure.
  EXPECT_EQ(rig.get(kIccIar1, 0, secure), 60u);
}

TEST_F(TwoStates, DisablingSecurityIsOneWay) {
  rig.set_gicd(0x000, 0x47);
  EXPECT_EQ(rig.gicd(0x000), 0x53u);  // ARE_NS and EnableGrp1S are gone.
  rig.secure = false;
  rig.set_gicd(0x000, 0);
  EXPECT_EQ(rig.gicd(0x000), 0x50u);
  EXPECT_EQ(rig.gicd(0x004) >> 10 & 1, 0u);
}

}  // namespace
}  // namespace trapline
