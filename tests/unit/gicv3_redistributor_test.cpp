// The GICR frames, SGIs and PPIs.
#include "tests/unit/gicv3_fixture.h"

namespace trapline {
namespace {

TEST(GicV3Redistributor, TyperNamesTheCpuAndMarksTheLast) {
  GicV3Rig rig({.cpus = 3, .affinities = {0x000, 0x001, 0x2'0003'0405}});
  EXPECT_EQ(rig.gicr(0, 0x08, 8), 0x00000000'01000000u);
  EXPECT_EQ(rig.gicr(1, 0x08, 8), 0x00000001'01000100u);
  EXPECT_EQ(rig.gicr(2, 0x08, 8), 0x02030405'01000210u);
  EXPECT_EQ(rig.gicr(2, 0x0c), 0x02030405u);
  EXPECT_EQ(rig.gicr(1, 0x04), 0x43bu);
  EXPECT_EQ(rig.gicr(1, 0xffe8), 0x3bu);
  EXPECT_EQ(rig.gicr(1, 0xffe0), 0x93u);
}

TEST(GicV3Redistributor, WakerAnswersAtOnce) {
  GicV3Rig rig;
  EXPECT_EQ(rig.gicr(0, 0x14), 6u);
  rig.set_gicr(0, 0x14, 0);
  EXPECT_EQ(rig.gicr(0, 0x14), 0u);
  rig.set_gicr(0, 0x14, 2);
  EXPECT_EQ(rig.gicr(0, 0x14), 6u);
}

TEST(GicV3Redistributor, SleepHoldsInterruptsBackWhereConfigured) {
  for (const bool gates : {false, true}) {
    GicV3Rig rig({.sleep_gates = gates});
    rig.boot();
    rig.enable(27);
    rig.gic().ppi(0, 27).set(true);
    EXPECT_TRUE(rig.irq());
    rig.set_gicr(0, 0x14, 2);
    EXPECT_EQ(rig.irq(), !gates);
    rig.set_gicr(0, 0x14, 0);
    EXPECT_TRUE(rig.irq());
  }
}

TEST(GicV3Redistributor, PpisBelongToOneCpu) {
  GicV3Rig rig({.cpus = 2});
  rig.boot();
  rig.enable(27, 0);
  rig.enable(27, 1);
  rig.gic().ppi(1, 27).set(true);
  EXPECT_FALSE(rig.irq(0));
  EXPECT_TRUE(rig.irq(1));
  EXPECT_EQ(rig.gicr(0, kSgiBase + 0x200), 0u);
  EXPECT_EQ(rig.gicr(1, kSgiBase + 0x200), 1u << 27);
  EXPECT_EQ(rig.get(kIccIar1, 1), 27u);
  EXPECT_EQ(rig.gicr(1, kSgiBase + 0x300), 1u << 27);
  rig.gic().ppi(1, 27).set(false);
  rig.set(kIccEoir1, 27, 1);
  EXPECT_EQ(rig.gicr(1, kSgiBase + 0x300), 0u);
  EXPECT_FALSE(rig.irq(1));
}

TEST(GicV3Redistributor, EnablesPendingAndActiveBitsAreSetAndCleared) {
  GicV3Rig rig;
  rig.boot();
  rig.set_gicr(0, kSgiBase + 0x100, 0x00010002);
  EXPECT_EQ(rig.gicr(0, kSgiBase + 0x180), 0x00010002u);
  rig.set_gicr(0, kSgiBase + 0x180, 2);
  EXPECT_EQ(rig.gicr(0, kSgiBase + 0x100), 0x00010000u);
  rig.set_gicr(0, kSgiBase + 0x200, 1u << 16);
  EXPECT_TRUE(rig.irq());
  rig.set_gicr(0, kSgiBase + 0x300, 1u << 16);
  EXPECT_FALSE(rig.irq());
  rig.set_gicr(0, kSgiBase + 0x380, 1u << 16);
  EXPECT_TRUE(rig.irq());
  rig.set_gicr(0, kSgiBase + 0x280, 1u << 16);
  EXPECT_FALSE(rig.irq());
}

TEST(GicV3Redistributor, SgisAreEdgeAndPpisConfigurable) {
  GicV3Rig rig;
  rig.boot();
  EXPECT_EQ(rig.gicr(0, kSgiBase + 0xc00), 0xaaaaaaaau);
  EXPECT_EQ(rig.gicr(0, kSgiBase + 0xc04), 0u);
  rig.set_gicr(0, kSgiBase + 0xc00, 0);
  EXPECT_EQ(rig.gicr(0, kSgiBase + 0xc00), 0xaaaaaaaau);
  rig.set_gicr(0, kSgiBase + 0xc04, 0x55555557);
  EXPECT_EQ(rig.gicr(0, kSgiBase + 0xc04), 2u);
  rig.enable(16);
  rig.gic().ppi(0, 16).pulse();
  EXPECT_EQ(rig.get(kIccIar1), 16u);
  rig.set(kIccEoir1, 16);
  EXPECT_FALSE(rig.irq());
}

TEST(GicV3Redistributor, PrioritiesByByteAndWord) {
  GicV3Rig rig({.cpus = 2});
  rig.set_gicr(1, kSgiBase + 0x41b, 0x90, 1);
  rig.set_gicr(1, kSgiBase + 0x41a, 0x80, 1);
  EXPECT_EQ(rig.gicr(1, kSgiBase + 0x418), 0x90800000u);
  EXPECT_EQ(rig.gicr(1, kSgiBase + 0x41b, 1), 0x90u);
  EXPECT_EQ(rig.gicr(0, kSgiBase + 0x418), 0u);
}

TEST(GicV3Redistributor, LpiTablesAreStoredThoughUnused) {
  GicV3Rig rig;
  rig.set_gicr(0, 0x70, 0x1122'3344'5566'7788, 8);
  EXPECT_EQ(rig.gicr(0, 0x70, 8), 0x1122'3344'5566'7788u);
  rig.set_gicr(0, 0x7c, 0xabcd);
  EXPECT_EQ(rig.gicr(0, 0x78, 8), 0xabcd'0000'0000u);
  rig.set_gicr(0, 0x00, 1);  // EnableLPIs is RES0.
  EXPECT_EQ(rig.gicr(0, 0x00), 0u);
  EXPECT_EQ(rig.gicr(0, 0xc0), 0u);
}

TEST(GicV3Redistributor, PowerRegisterFollowsItsRequest) {
  GicV3Rig rig({.power_register = true});
  EXPECT_EQ(rig.gicr(0, 0x24), 0u);
  rig.set_gicr(0, 0x24, 1);
  EXPECT_EQ(rig.gicr(0, 0x24), 0xdu);  // RDPD, and the group says it is off.
  rig.set_gicr(0, 0x24, 2);
  EXPECT_EQ(rig.gicr(0, 0x24), 2u);
  GicV3Rig plain;
  plain.set_gicr(0, 0x24, 1);
  EXPECT_EQ(plain.gicr(0, 0x24), 0u);
}

TEST(GicV3Redistributor, NonSecureSeesOnlyGroupOne) {
  GicV3Rig rig({.two_security_states = true});
  rig.secure = true;
  rig.set_gicr(0, kSgiBase + 0x080, 0xffff0000);
  rig.set_gicr(0, kSgiBase + 0xd00, 0xff);
  EXPECT_EQ(rig.gicr(0, kSgiBase + 0xd00), 0xffu);
  rig.secure = false;
  rig.set_gicr(0, kSgiBase + 0x100, ~0u);
  EXPECT_EQ(rig.gicr(0, kSgiBase + 0x100), 0xffff0000u);
  EXPECT_EQ(rig.gicr(0, kSgiBase + 0x080), 0u);
  EXPECT_EQ(rig.gicr(0, kSgiBase + 0xd00), 0u);
  rig.set_gicr(0, kSgiBase + 0x41b, 0x20, 1);
  rig.secure = true;
  EXPECT_EQ(rig.gicr(0, kSgiBase + 0x41b, 1), 0x90u);
}

TEST(GicV3Redistributor, ReservedOffsetsAndOddWidthsAreHarmless) {
  GicV3Rig rig({.cpus = 2});
  for (PhysAddr offset = 0; offset < 0x20000; offset += 0x1fb) {
    for (unsigned size : {1u, 2u, 4u, 8u}) {
      rig.set_gicr(1, offset, 0xa5, size);
      if (size < 8) {
        EXPECT_EQ(rig.gicr(1, offset, size) >> (8 * size), 0u) << offset;
      }
    }
  }
  rig.set_gicr(2, 0x14, 0);  // Past the last redistributor.
  EXPECT_EQ(rig.gicr(2, 0x14), 0u);
  EXPECT_EQ(rig.gicr(1, 0x0a, 2), 0x0100u);  // Upper half of TYPER's low word.
}

}  // namespace
}  // namespace trapline
