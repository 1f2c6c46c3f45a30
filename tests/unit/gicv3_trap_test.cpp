// Who may touch which GIC system register, and where the others trap.
#include "tests/unit/gicv3_fixture.h"

namespace trapline {
namespace {

constexpr std::uint64_t kTc = 1u << 10;
constexpr std::uint64_t kTall0 = 1u << 11;
constexpr std::uint64_t kTall1 = 1u << 12;
constexpr std::uint64_t kTdir = 1u << 14;

const SysReg kGroup0Read[] = {kIccIar0, kIccHppir0, kIccBpr0, kIccAp0r0, kIccIgrpen0};
const SysReg kGroup1Read[] = {kIccIar1, kIccHppir1, kIccBpr1, kIccAp1r0, kIccIgrpen1};
const SysReg kCommonRead[] = {kIccPmr, kIccRpr, kIccCtlr};
const SysReg kSgiRegisters[] = {kIccSgi0r, kIccSgi1r, kIccAsgi1r};

TEST(GicV3Traps, El0HasNoAccess) {
  GicV3Rig rig;
  SysRegContext user;
  user.el = El::el0;
  EXPECT_EQ(rig.try_get(kIccPmr, user), SysRegStatus::undefined);
  EXPECT_EQ(rig.try_set(kIccPmr, user), SysRegStatus::undefined);
  EXPECT_EQ(rig.try_get(kIccSreEl1, user), SysRegStatus::undefined);
  EXPECT_EQ(rig.try_set(kIccSgi1r, user), SysRegStatus::undefined);
}

TEST(GicV3Traps, El2RegistersAreUndefinedAtEl1) {
  GicV3Rig rig;
  for (const SysReg reg : {kIchHcr, kIchVmcr, kIchAp0r0, kIccSreEl2, ich_lr(0)}) {
    EXPECT_EQ(rig.try_get(reg, GicV3Rig::el1()), SysRegStatus::undefined);
    EXPECT_EQ(rig.try_set(reg, GicV3Rig::el1()), SysRegStatus::undefined);
    EXPECT_EQ(rig.try_get(reg, GicV3Rig::el2()), SysRegStatus::ok);
  }
}

TEST(GicV3Traps, DirectionMattersForOneWayRegisters) {
  GicV3Rig rig;
  for (const SysReg reg : {kIccIar1, kIccIar0, kIccHppir1, kIccRpr}) {
    EXPECT_EQ(rig.try_set(reg, GicV3Rig::el2()), SysRegStatus::undefined);
    EXPECT_EQ(rig.try_set(reg, GicV3Rig::el1(kHcrImo | kHcrFmo)), SysRegStatus::undefined);
  }
  for (const SysReg reg : {kIccEoir1, kIccEoir0, kIccDir, kIccSgi1r}) {
    EXPECT_EQ(rig.try_get(reg, GicV3Rig::el2()), SysRegStatus::undefined);
  }
  for (const SysReg reg : {kIchVtr, kIchMisr, kIchEisr, kIchElrsr}) {
    EXPECT_EQ(rig.try_set(reg, GicV3Rig::el2()), SysRegStatus::undefined);
  }
}

TEST(GicV3Traps, UnknownEncodingsAreNotOwned) {
  GicV3Rig rig;
  SysRegPort& port = rig.gic().cpu_interface(0);
  EXPECT_FALSE(port.owns(sysreg(3, 6, 12, 12, 4)));  // ICC_CTLR_EL3
  EXPECT_FALSE(port.owns(sysreg(3, 0, 12, 9, 5)));   // ICC_NMIAR1_EL1
  EXPECT_FALSE(port.owns(sysreg(3, 0, 12, 0, 0)));   // VBAR_EL1
  EXPECT_FALSE(port.owns(sysreg(3, 4, 12, 11, 4)));
  EXPECT_FALSE(port.owns(sysreg(3, 0, 12, 13, 0)));
  EXPECT_FALSE(port.owns(sysreg(2, 0, 12, 12, 0)));
  std::uint64_t value = 0;
  EXPECT_EQ(port.read(sysreg(3, 6, 12, 12, 4), GicV3Rig::el2(), value), SysRegStatus::undefined);
}

TEST(GicV3Traps, SgisFromEl1TrapUnderImoOrFmo) {
  GicV3Rig rig;
  for (const SysReg reg : kSgiRegisters) {
    EXPECT_EQ(rig.try_set(reg, GicV3Rig::el1()), SysRegStatus::ok);
    EXPECT_EQ(rig.try_set(reg, GicV3Rig::el1(kHcrImo)), SysRegStatus::trap_el2);
    EXPECT_EQ(rig.try_set(reg, GicV3Rig::el1(kHcrFmo)), SysRegStatus::trap_el2);
    SysRegContext no_el2 = GicV3Rig::el1(kHcrImo);
    no_el2.el2_present = false;
    EXPECT_EQ(rig.try_set(reg, no_el2), SysRegStatus::ok);
    SysRegContext el2 = GicV3Rig::el2();
    el2.hcr_el2 = kHcrImo | kHcrFmo;
    EXPECT_EQ(rig.try_set(reg, el2), SysRegStatus::ok);
  }
}

struct TrapCase {
  std::uint64_t ich_hcr;
  bool group0, group1, common, dir;
};

class HcrTraps : public ::testing::TestWithParam<TrapCase> {};

TEST_P(HcrTraps, TrapsItsRegistersAtEl1Only) {
  const TrapCase param = GetParam();
  GicV3Rig rig;
  rig.set(kIchHcr, param.ich_hcr);
  const auto expected = [](bool trapped) {
    return trapped ? SysRegStatus::trap_el2 : SysRegStatus::ok;
  };
  for (const std::uint64_t hcr : {std::uint64_t{0}, kHcrImo | kHcrFmo}) {
    const SysRegContext guest = GicV3Rig::el1(hcr);
    for (const SysReg reg : kGroup0Read) EXPECT_EQ(rig.try_get(reg, guest), expected(param.group0));
    for (const SysReg reg : kGroup1Read) EXPECT_EQ(rig.try_get(reg, guest), expected(param.group1));
    for (const SysReg reg : kCommonRead) EXPECT_EQ(rig.try_get(reg, guest), expected(param.common));
    EXPECT_EQ(rig.try_set(kIccEoir0, guest, 1023), expected(param.group0));
    EXPECT_EQ(rig.try_set(kIccEoir1, guest, 1023), expected(param.group1));
    EXPECT_EQ(rig.try_set(kIccPmr, guest), expected(param.common));
    EXPECT_EQ(rig.try_set(kIccDir, guest, 1023), expected(param.dir));
  }
  for (const SysReg reg : kSgiRegisters) {
    EXPECT_EQ(rig.try_set(reg, GicV3Rig::el1()), expected(param.common));
  }
  EXPECT_EQ(rig.try_get(kIccSreEl1, GicV3Rig::el1()), SysRegStatus::ok);
  EXPECT_EQ(rig.try_get(kIccPmr, GicV3Rig::el2()), SysRegStatus::ok);
  EXPECT_EQ(rig.try_set(kIccDir, GicV3Rig::el2(), 1023), SysRegStatus::ok);
  SysRegContext no_el2 = GicV3Rig::el1();
  no_el2.el2_present = false;
  EXPECT_EQ(rig.try_get(kIccPmr, no_el2), SysRegStatus::ok);
}

INSTANTIATE_TEST_SUITE_P(EachBit, HcrTraps,
                         ::testing::Values(TrapCase{0, false, false, false, false},
                                           TrapCase{kTc, false, false, true, true},
                                           TrapCase{kTall0, true, false, false, false},
                                           TrapCase{kTall1, false, true, false, false},
                                           TrapCase{kTdir, false, false, false, true}));

TEST(GicV3Traps, TrappedAccessesChangeNothing) {
  GicV3Rig rig;
  rig.boot();
  rig.enable(33);
  rig.gic().spi(33).set(true);
  rig.set(kIchHcr, kTall1 | kTc);
  EXPECT_EQ(rig.try_get(kIccIar1, GicV3Rig::el1()), SysRegStatus::trap_el2);
  EXPECT_EQ(rig.try_set(kIccPmr, GicV3Rig::el1(), 0), SysRegStatus::trap_el2);
  EXPECT_FALSE(rig.is_active(33));
  EXPECT_EQ(rig.get(kIccPmr), 0xf0u);
}

TEST(GicV3Traps, SystemRegistersAreAlwaysOnByDefault) {
  GicV3Rig rig;
  rig.set(kIccSreEl2, 0);
  rig.set(kIccSreEl1, 0, 0, GicV3Rig::el1());
  EXPECT_EQ(rig.get(kIccSreEl2), 0xfu);
  EXPECT_EQ(rig.get(kIccSreEl1, 0, GicV3Rig::el1()), 7u);
  EXPECT_EQ(rig.try_get(kIccPmr, GicV3Rig::el1()), SysRegStatus::ok);
}

TEST(GicV3Traps, ProgrammableSreEnablesLevelByLevel) {
  GicV3Rig rig({.programmable_sre = true});
  EXPECT_EQ(rig.get(kIccSreEl2), 6u);
  EXPECT_EQ(rig.try_get(kIccPmr, GicV3Rig::el2()), SysRegStatus::trap_el2);
  EXPECT_EQ(rig.try_get(kIchHcr, GicV3Rig::el2()), SysRegStatus::trap_el2);
  EXPECT_EQ(rig.try_get(kIccPmr, GicV3Rig::el1()), SysRegStatus::trap_el1);
  EXPECT_EQ(rig.try_get(kIccSreEl1, GicV3Rig::el1()), SysRegStatus::trap_el2);  // Enable is 0.
  rig.set(kIccSreEl1, 1);  // From EL2, but EL2 itself is not on.
  EXPECT_EQ(rig.get(kIccSreEl1), 6u);
  rig.set(kIccSreEl2, 9);
  EXPECT_EQ(rig.try_get(kIccPmr, GicV3Rig::el2()), SysRegStatus::ok);
  EXPECT_EQ(rig.try_get(kIccPmr, GicV3Rig::el1()), SysRegStatus::trap_el1);
  rig.set(kIccSreEl1, 1, 0, GicV3Rig::el1());
  EXPECT_EQ(rig.get(kIccSreEl1, 0, GicV3Rig::el1()), 7u);
  EXPECT_EQ(rig.try_get(kIccPmr, GicV3Rig::el1()), SysRegStatus::ok);
  rig.set(kIccSreEl2, 1);  // Enable off: EL1 keeps SRE but may not touch it.
  EXPECT_EQ(rig.try_set(kIccSreEl1, GicV3Rig::el1()), SysRegStatus::trap_el2);
  EXPECT_EQ(rig.try_get(kIccPmr, GicV3Rig::el1()), SysRegStatus::ok);
  rig.set(kIccSreEl2, 0);  // EL1 cannot stay on without EL2.
  rig.set(kIccSreEl2, 1);
  EXPECT_EQ(rig.try_get(kIccPmr, GicV3Rig::el1()), SysRegStatus::trap_el1);
}

}  // namespace
}  // namespace trapline
