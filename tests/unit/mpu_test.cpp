// The MPU as start-up code and hypervisors program it, rule by rule.
#include "models/mpu/mpu.h"

#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <vector>

#include "sim/arch/registers.h"

namespace trapline {
namespace {

using Word = std::uint64_t;

constexpr auto kOk = SysRegStatus::ok;
constexpr auto kUndefined = SysRegStatus::undefined;
constexpr auto kTrapEl2 = SysRegStatus::trap_el2;

constexpr Word kM = 1, kC = 1 << 2, kBr = 1 << 17, kWxn = 1 << 19;
constexpr Word kVm = 1, kPtw = 1 << 2, kDc = 1 << 12, kTid1 = 1 << 16, kTvm = 1 << 26,
               kTge = 1 << 27, kTrvm = 1 << 30;

// PRBAR fields as an assembler programmer would name them.
constexpr Word kRwHigh = 0 << 2, kRwAll = 1 << 2, kRoHigh = 2 << 2, kRoAll = 3 << 2;
constexpr Word kXn = 2, kXn0 = 1;
constexpr Word kOuter = 2 << 4, kInner = 3 << 4;
// PRLAR.
constexpr Word kEn = 1, kNs = 1 << 4;
constexpr Word attr(unsigned index) {
  return index << 1;
}

class Recorder final : public Sink {
 public:
  void on_event(const Event& event) override { events.push_back(event); }
  std::vector<Event> events;
};

class MpuTest : public ::testing::Test {
 protected:
  static constexpr SysRegContext kEl0{.el = El::el0};
  static constexpr SysRegContext kEl1{.el = El::el1};
  static constexpr SysRegContext kEl2{.el = El::el2};

  MpuTest() { build({.el1_regions = 16, .el2_regions = 32}); }

  void build(const MpuConfig& config) {
    mpu.emplace(config, 3, &recorder, [this](const std::string& text) { log.push_back(text); });
    controls = {};
    controls.sctlr_el1 = controls.sctlr_el2 = kM | kC;
    controls.mair_el1 = 0x44'04'00'ff;  // 0 Write-Back, 1 nGnRnE, 2 nGnRE, 3 Non-cacheable.
    controls.mair_el2 = 0x44'04'00'ff;
    controls.default_map = mpu->default_map();
  }

  void write(SysReg reg, Word value, SysRegContext context = kEl2) {
    ASSERT_EQ(mpu->write(reg, context, value), kOk) << name_of(reg);
  }
  Word read(SysReg reg, SysRegContext context = kEl2) {
    Word value = ~Word{0};
    EXPECT_EQ(mpu->read(reg, context, value), kOk) << name_of(reg);
    return value;
  }
  SysRegStatus try_read(SysReg reg, SysRegContext context) {
    Word ignored = 0;
    return mpu->read(reg, context, ignored);
  }

  // By PRSELR, as most start-up code does. `last` is the last address inside.
  void map(El el, unsigned n, Word first, Word last, Word prbar, Word prlar = kEn) {
    const bool el2 = el == El::el2;
    write(el2 ? reg::PRSELR_EL2 : reg::PRSELR_EL1, n);
    write(el2 ? reg::PRBAR_EL2 : reg::PRBAR_EL1, first | prbar);
    write(el2 ? reg::PRLAR_EL2 : reg::PRLAR_EL1, (last & ~Word{63}) | prlar);
  }

  MpuResult look(MpuRegime regime, Word address, AccessKind kind, bool privileged = true,
                 bool pan = false) {
    return lookup(regime, {address, kind, privileged, pan, false}, controls, mpu->regions());
  }
  MpuResult at_el2(Word address, AccessKind kind = AccessKind::read) {
    return look(MpuRegime::el2, address, kind);
  }
  MpuResult at_el1(Word address, AccessKind kind = AccessKind::read) {
    return look(MpuRegime::el1_0, address, kind);
  }
  MpuResult at_el0(Word address, AccessKind kind = AccessKind::read) {
    return look(MpuRegime::el1_0, address, kind, false);
  }

  // "rwx" for what is allowed, "-" for a permission fault, "t" for a translation fault.
  std::string rights(MpuRegime regime, Word address, bool privileged) {
    std::string text;
    for (const auto& [kind, letter] :
         {std::pair{AccessKind::read, 'r'}, {AccessKind::write, 'w'}, {AccessKind::fetch, 'x'}}) {
      const MpuResult result = look(regime, address, kind, privileged);
      const Fault* fault = std::get_if<Fault>(&result);
      text += !fault ? letter : fault->kind == FaultKind::permission ? '-' : 't';
    }
    return text;
  }
  std::string el2(Word address) { return rights(MpuRegime::el2, address, true); }
  std::string el1(Word address) { return rights(MpuRegime::el1_0, address, true); }
  std::string el0(Word address) { return rights(MpuRegime::el1_0, address, false); }

  static const MpuMapping& ok(const MpuResult& result) { return std::get<MpuMapping>(result); }
  static const Fault& fault(const MpuResult& result) { return std::get<Fault>(result); }

  Recorder recorder;
  std::vector<std::string> log;
  std::optional<Mpu> mpu;
  MpuControls controls;
};

// --- Registers -------------------------------------------------------------------------------

TEST_F(MpuTest, MpuirTellsTheRegionCounts) {
  EXPECT_EQ(read(reg::MPUIR_EL1), 16u);
  EXPECT_EQ(read(reg::MPUIR_EL2), 32u);
  build({.el1_regions = 0, .el2_regions = 255});
  EXPECT_EQ(read(reg::MPUIR_EL1, kEl1), 0u);
  EXPECT_EQ(read(reg::MPUIR_EL2), 255u);
  EXPECT_THROW(build({.el1_regions = 256}), std::invalid_argument);
  EXPECT_THROW(build({.default_map = {{0x1000, {}, true}}}), std::invalid_argument);
  EXPECT_THROW(build({.default_map = {}}), std::invalid_argument);
}

TEST_F(MpuTest, OwnsEveryRegisterOfBothMpusAndNothingElse) {
  unsigned owned = 0;
  for (unsigned key = 0; key < 0x1'0000; ++key) owned += mpu->owns({std::uint16_t(key)});
  EXPECT_EQ(owned, 2u * (3 + 2 * 16));
  EXPECT_TRUE(mpu->owns(reg::PRBARn_EL2(15)));
  EXPECT_TRUE(mpu->owns(*sysreg_named("PRLAR15_EL1")));
  EXPECT_FALSE(mpu->owns(reg::FAR_EL1));
  EXPECT_FALSE(mpu->owns(reg::HPFAR_EL2));
  build({.el2 = false});
  EXPECT_FALSE(mpu->owns(reg::PRBAR_EL2));
  EXPECT_EQ(try_read(reg::MPUIR_EL2, kEl2), kUndefined);
  EXPECT_TRUE(mpu->owns(reg::PRBAR_EL1));
}

TEST_F(MpuTest, ReservedBitsReadAsZero) {
  for (const auto& [reg, kept] : {std::pair{reg::PRBAR_EL1, 0x0000'ffff'ffff'ffff},
                                  {reg::PRLAR_EL1, 0x0000'ffff'ffff'ffdf},
                                  {reg::PRBAR_EL2, 0x0000'ffff'ffff'ffff},
                                  {reg::PRLAR_EL2, 0x0000'ffff'ffff'ffdf},
                                  {reg::PRENR_EL1, 0xffff},
                                  {reg::PRENR_EL2, 0xffff'ffff},
                                  {reg::PRSELR_EL1, 0xff},
                                  {reg::PRSELR_EL2, 0xff}}) {
    write(reg::PRSELR_EL1, 0);
    write(reg::PRSELR_EL2, 0);
    write(reg, ~Word{0});
    EXPECT_EQ(read(reg), Word(kept)) << name_of(reg);
  }
}

TEST_F(MpuTest, SelectorAndNumberedNamesReachTheSameRegions) {
  write(reg::PRSELR_EL2, 0x10);
  for (unsigned n = 1; n < 16; ++n) {
    write(reg::PRBARn_EL2(n), 0x1000 * n);
    write(reg::PRLARn_EL2(n), 0x1000 * n + 0x40);
  }
  for (unsigned n = 1; n < 16; ++n) {
    write(reg::PRSELR_EL2, 0x10 + n);
    EXPECT_EQ(read(reg::PRBAR_EL2), 0x1000 * n);
    EXPECT_EQ(read(reg::PRLAR_EL2), 0x1000 * n + 0x40);
  }
  // The numbered names ignore PRSELR[3:0]; PRBAR_EL2 does not.
  write(reg::PRSELR_EL2, 0x17);
  EXPECT_EQ(read(*sysreg_named("PRBAR3_EL2")), 0x3000u);
  EXPECT_EQ(read(reg::PRBAR_EL2), 0x7000u);
  write(reg::PRSELR_EL2, 3);
  EXPECT_EQ(read(reg::PRBAR_EL2), 0u);
  EXPECT_EQ(read(reg::PRBARn_EL2(3)), 0u);
  EXPECT_EQ(read(reg::PRBARn_EL1(3)), 0u);
}

TEST_F(MpuTest, PrenrIsTheEnableBitsOfRegions0To31) {
  build({.el1_regions = 40, .el2_regions = 16});
  map(El::el1, 0, 0, 0xfff, 0);
  map(El::el1, 31, 0x1000, 0x1fff, 0);
  map(El::el1, 32, 0x2000, 0x2fff, 0);
  EXPECT_EQ(read(reg::PRENR_EL1), 0x8000'0001u);
  write(reg::PRENR_EL1, 0x8000'0000 | Word{1} << 32);
  EXPECT_EQ(el1(0x0), "ttt");
  EXPECT_EQ(el1(0x1000), "rwx");
  EXPECT_EQ(el1(0x2000), "rwx") << "PRENR cannot reach region 32";
  write(reg::PRSELR_EL1, 0);
  EXPECT_EQ(read(reg::PRLAR_EL1), 0xfc0u);
  write(reg::PRENR_EL1, 1);
  EXPECT_EQ(read(reg::PRLAR_EL1), 0xfc1u);
  EXPECT_EQ(read(reg::PRENR_EL2), 0u);
}

TEST_F(MpuTest, RegionsThatDoNotExistReadZeroAndAreNamedOnce) {
  write(reg::PRSELR_EL1, 16);
  EXPECT_TRUE(log.empty());
  write(reg::PRBAR_EL1, 0x1000);
  write(reg::PRLAR_EL1, 0x1000 | kEn);
  EXPECT_EQ(read(reg::PRBAR_EL1), 0u);
  EXPECT_EQ(read(reg::PRLAR_EL1), 0u);
  EXPECT_EQ(read(reg::PRENR_EL1), 0u);
  ASSERT_EQ(log.size(), 1u);
  EXPECT_EQ(log[0], "mpu3: write of PRBAR_EL1 reaches region 16, MPUIR_EL1 has 16");
  write(reg::PRSELR_EL2, 0xf0);
  EXPECT_EQ(read(reg::PRLARn_EL2(15)), 0u);
  ASSERT_EQ(log.size(), 2u);
  EXPECT_EQ(log[1], "mpu3: read of PRLAR15_EL2 reaches region 255, MPUIR_EL2 has 32");
}

TEST_F(MpuTest, ResetDisablesEveryRegion) {
  map(El::el1, 2, 0, 0xfff, 0);
  map(El::el2, 3, 0, 0xfff, 0);
  mpu->reset();
  EXPECT_EQ(read(reg::PRENR_EL1), 0u);
  EXPECT_EQ(read(reg::PRENR_EL2), 0u);
  EXPECT_EQ(read(reg::PRSELR_EL2), 0u);
  EXPECT_EQ(el2(0), "ttt");
}

TEST_F(MpuTest, AccessIsRefusedBelowTheRegistersLevel) {
  for (const SysReg reg : {reg::MPUIR_EL1, reg::PRENR_EL1, reg::PRSELR_EL1, reg::PRBAR_EL1,
                           reg::PRLAR_EL1, reg::PRBARn_EL1(7), reg::PRLARn_EL1(7)}) {
    EXPECT_EQ(try_read(reg, kEl0), kUndefined);
    EXPECT_EQ(try_read(reg, kEl1), kOk);
    EXPECT_EQ(try_read(reg, kEl2), kOk);
    EXPECT_EQ(mpu->write(reg, kEl0, 0), kUndefined);
    EXPECT_EQ(mpu->write(reg, kEl1, 0), reg == reg::MPUIR_EL1 ? kUndefined : kOk);
  }
  for (const SysReg reg : {reg::MPUIR_EL2, reg::PRENR_EL2, reg::PRSELR_EL2, reg::PRBAR_EL2,
                           reg::PRLAR_EL2, reg::PRBARn_EL2(7), reg::PRLARn_EL2(7)}) {
    EXPECT_EQ(try_read(reg, kEl1), kUndefined);
    EXPECT_EQ(mpu->write(reg, kEl1, 0), kUndefined);
    EXPECT_EQ(try_read(reg, kEl2), kOk);
  }
  EXPECT_EQ(mpu->write(reg::MPUIR_EL2, kEl2, 1), kUndefined);
}

TEST_F(MpuTest, HypervisorsTrapTheEl1Mpu) {
  const auto el1_with = [](Word hcr) { return SysRegContext{.el = El::el1, .hcr_el2 = hcr}; };
  for (const SysReg reg : {reg::PRENR_EL1, reg::PRSELR_EL1, reg::PRBAR_EL1, reg::PRLARn_EL1(3)}) {
    EXPECT_EQ(try_read(reg, el1_with(kTrvm)), kTrapEl2);
    EXPECT_EQ(try_read(reg, el1_with(kTvm | kTid1)), kOk);
    EXPECT_EQ(mpu->write(reg, el1_with(kTvm), 0), kTrapEl2);
    EXPECT_EQ(mpu->write(reg, el1_with(kTrvm | kTid1), 0), kOk);
  }
  EXPECT_EQ(try_read(reg::MPUIR_EL1, el1_with(kTid1)), kTrapEl2);
  EXPECT_EQ(try_read(reg::MPUIR_EL1, el1_with(kTvm | kTrvm)), kOk);
  const SysRegContext no_el2{.el = El::el1, .el2_present = false, .hcr_el2 = kTrvm};
  EXPECT_EQ(try_read(reg::PRBAR_EL1, no_el2), kOk);
  const SysRegContext el2_itself{.el = El::el2, .hcr_el2 = kTrvm | kTvm | kTid1};
  EXPECT_EQ(try_read(reg::PRBAR_EL1, el2_itself), kOk);
}

TEST_F(MpuTest, VmsaGuestHasNoEl1Mpu) {
  mpu->set_vmsa_at_el1(true);
  EXPECT_EQ(try_read(reg::PRBAR_EL1, kEl1), kUndefined);
  EXPECT_EQ(mpu->write(reg::PRENR_EL1, kEl1, 0), kUndefined);
  EXPECT_EQ(try_read(reg::PRBAR_EL1, kEl2), kOk);
  mpu->set_vmsa_at_el1(false);
  EXPECT_EQ(try_read(reg::PRBAR_EL1, kEl1), kOk);
}

TEST_F(MpuTest, EventsTellRegionRegisterAndName) {
  write(reg::PRSELR_EL2, 5);
  EXPECT_TRUE(recorder.events.empty());
  write(reg::PRBAR_EL2, 0x1000);
  write(reg::PRLARn_EL2(4), 0x2000 | kEn);
  write(reg::PRENR_EL2, 0x20);
  write(reg::PRBARn_EL1(1), 0x40);
  ASSERT_EQ(recorder.events.size(), 4u);
  const auto is = [&](unsigned i, Word a, Word b, Word c, Word d) {
    const Event& e = recorder.events[i];
    return e.kind == EventKind::mpu_region && e.cpu == 3 && e.a == a && e.b == b && e.c == c &&
           e.d == d;
  };
  EXPECT_TRUE(is(0, 5, 0x1000, 0, 2));
  EXPECT_TRUE(is(1, 4, 0, 0x2001, 0x1'0102));
  EXPECT_TRUE(is(2, 0, 0x10, 0x20, 0x202));
  EXPECT_TRUE(is(3, 1, 0x40, 0, 0x1'0001));
}

// --- Change tracking ---------------------------------------------------------------------------

TEST_F(MpuTest, GenerationMovesOnlyWhereAnAnswerMay) {
  auto moved = [&, last = mpu->generation()]() mutable {
    const bool result = mpu->generation() != last;
    last = mpu->generation();
    return result;
  };
  write(reg::PRSELR_EL2, 1);
  write(reg::PRBAR_EL2, 0x1000);
  write(reg::PRLAR_EL2, 0x1fc0);
  EXPECT_FALSE(moved()) << "the region is still disabled";
  write(reg::PRENR_EL2, 2);
  EXPECT_TRUE(moved());
  write(reg::PRENR_EL2, 2);
  write(reg::PRBAR_EL2, 0x1000);
  EXPECT_FALSE(moved()) << "nothing changed";
  write(reg::PRBAR_EL2, 0x1000 | kXn);
  EXPECT_TRUE(moved());
  mpu->clear_changes();
  write(reg::PRLAR_EL2, 0x2fc0 | kEn);
  EXPECT_TRUE(moved());
  ASSERT_EQ(mpu->changes(El::el2).size(), 2u);
  EXPECT_EQ(mpu->changes(El::el2)[0], (AddressRange{0x1000, 0x1fff}));
  EXPECT_EQ(mpu->changes(El::el2)[1], (AddressRange{0x1000, 0x2fff}));
  EXPECT_TRUE(mpu->changes(El::el1).empty());
  write(reg::PRENR_EL2, 0);
  EXPECT_TRUE(moved());
}

TEST_F(MpuTest, ManyChangesBecomeOneThatHoldsEverything) {
  map(El::el1, 0, 0x1000, 0x1fff, 0);
  for (unsigned i = 0; i < 2 * Mpu::kMaxChanges; ++i) write(reg::PRENR_EL1, i & 1);
  ASSERT_EQ(mpu->changes(El::el1).size(), 1u);
  EXPECT_EQ(mpu->changes(El::el1)[0], AddressRange{});
  mpu->clear_changes();
  EXPECT_TRUE(mpu->changes(El::el1).empty());
}

// --- Matching ----------------------------------------------------------------------------------

TEST_F(MpuTest, LimitIsInclusiveToTheGranule) {
  map(El::el2, 0, 0x1040, 0x10bf, kRwHigh);
  EXPECT_EQ(el2(0x103f), "ttt");
  EXPECT_EQ(el2(0x1040), "rwx");
  EXPECT_EQ(el2(0x10bf), "rwx");
  EXPECT_EQ(el2(0x10c0), "ttt");
  EXPECT_EQ(ok(at_el2(0x1080)).range, (AddressRange{0x1040, 0x10bf}));
  // BASE = LIMIT is one granule; LIMIT below BASE is nothing.
  map(El::el2, 0, 0x1040, 0x1040, kRwHigh);
  EXPECT_EQ(ok(at_el2(0x107f)).range, (AddressRange{0x1040, 0x107f}));
  map(El::el2, 0, 0x1040, 0x1000, kRwHigh);
  EXPECT_EQ(el2(0x1040), "ttt");
  // The whole space.
  controls.pa_bits = 48;
  map(El::el2, 0, 0, 0xffff'ffff'ffff, kRwHigh);
  EXPECT_EQ(el2(0), "rwx");
  EXPECT_EQ(el2(0xffff'ffff'ffff), "rwx");
  EXPECT_EQ(el2(0x1'0000'0000'0000), "ttt");
}

TEST_F(MpuTest, OverlapIsATranslationFaultWhereItIs) {
  map(El::el2, 4, 0x1000, 0x2fff, kRwHigh);
  map(El::el2, 9, 0x2000, 0x3fff, kRwHigh);
  EXPECT_EQ(el2(0x1fff), "rwx");
  EXPECT_EQ(el2(0x2000), "ttt");
  EXPECT_EQ(el2(0x2fff), "ttt");
  EXPECT_EQ(el2(0x3000), "rwx");
  EXPECT_EQ(fault(at_el2(0x2000)).fsc(), 0x04);
  controls.sctlr_el2 |= kBr;
  EXPECT_EQ(el2(0x2000), "ttt") << "the background region does not heal an overlap";
  write(reg::PRENR_EL2, 1 << 9);
  EXPECT_EQ(el2(0x1fff), "rwx") << "by the background region";
  EXPECT_EQ(ok(at_el2(0x2000)).stage1.region, 9);
}

TEST_F(MpuTest, SwapByPrenrAlone) {
  map(El::el2, 0, 0x1000, 0x1fff, kRwHigh, attr(0));
  map(El::el2, 1, 0x1000, 0x1fff, kRoHigh | kXn, attr(0));
  for (int i = 0; i < 3; ++i) {
    write(reg::PRENR_EL2, 1);
    EXPECT_EQ(el2(0x1000), "rwx");
    write(reg::PRENR_EL2, 2);
    EXPECT_EQ(el2(0x1000), "r--");
  }
  write(reg::PRENR_EL2, 3);
  EXPECT_EQ(el2(0x1000), "ttt");
}

// --- Permissions -------------------------------------------------------------------------------

TEST_F(MpuTest, PermissionsAtEl1AndEl0) {
  const auto both = [&](Word prbar) {
    map(El::el1, 0, 0, 0xfff, prbar);
    return el1(0) + " " + el0(0);
  };
  EXPECT_EQ(both(kRwHigh), "rwx ---");
  EXPECT_EQ(both(kRwAll), "rw- rwx") << "EL1 never executes what EL0 may write";
  EXPECT_EQ(both(kRoHigh), "r-x ---");
  EXPECT_EQ(both(kRoAll), "r-x r-x");
  EXPECT_EQ(both(kRwHigh | kXn), "rw- ---");
  EXPECT_EQ(both(kRwAll | kXn), "rw- rw-");
  EXPECT_EQ(both(kRoAll | kXn), "r-- r--");
  EXPECT_EQ(both(kRoAll | kXn0), "r-x r-x") << "XN[0] does not matter at stage 1";
  controls.sctlr_el1 |= kWxn;
  EXPECT_EQ(both(kRwHigh), "rw- ---");
  EXPECT_EQ(both(kRwAll), "rw- rw-");
  EXPECT_EQ(both(kRoHigh), "r-x ---");
  EXPECT_EQ(both(kRoAll), "r-x r-x");
}

TEST_F(MpuTest, PermissionsAtEl2) {
  const auto one = [&](Word prbar) {
    map(El::el2, 0, 0, 0xfff, prbar);
    return el2(0);
  };
  EXPECT_EQ(one(kRwHigh), "rwx");
  EXPECT_EQ(one(kRwAll), "rwx");
  EXPECT_EQ(one(kRoHigh), "r-x");
  EXPECT_EQ(one(kRoAll), "r-x");
  EXPECT_EQ(one(kRwHigh | kXn), "rw-");
  EXPECT_EQ(one(kRoHigh | kXn0), "r-x");
  controls.sctlr_el2 |= kWxn;
  EXPECT_EQ(one(kRwAll), "rw-");
  EXPECT_EQ(one(kRoAll), "r-x");
}

TEST_F(MpuTest, PanProtectsWhatEl0MayRead) {
  map(El::el1, 0, 0, 0xfff, kRoAll);
  map(El::el1, 1, 0x1000, 0x1fff, kRwHigh);
  const auto pan = [&](Word address, AccessKind kind, bool privileged = true) {
    return std::holds_alternative<MpuMapping>(
        look(MpuRegime::el1_0, address, kind, privileged, true));
  };
  EXPECT_FALSE(pan(0, AccessKind::read));
  EXPECT_TRUE(pan(0, AccessKind::fetch));
  EXPECT_TRUE(pan(0, AccessKind::read, false));
  EXPECT_TRUE(pan(0x1000, AccessKind::write));
  controls.sctlr_el1 = 0;
  EXPECT_TRUE(pan(0, AccessKind::write)) << "no PAN while the MPU is off";
}

// --- Background region and MPU off -------------------------------------------------------------

TEST_F(MpuTest, BackgroundRegionIsForPrivilegedAccessesThatMissEveryRegion) {
  EXPECT_EQ(el1(0x1000) + el0(0x1000), "tttttt");
  controls.sctlr_el1 |= kBr;
  EXPECT_EQ(el1(0x1000) + el0(0x1000), "rwxttt");
  EXPECT_EQ(el1(0x9000'0000), "rw-") << "Device in the default map";
  EXPECT_EQ(el2(0x1000), "ttt") << "EL2 has its own BR";
  controls.sctlr_el1 |= kWxn;
  EXPECT_EQ(el1(0x1000), "rwx") << "WXN is for regions";
  map(El::el1, 0, 0x1000, 0x1fff, kRoHigh | kXn);
  EXPECT_EQ(el1(0x1000), "r--") << "a region wins";
  EXPECT_EQ(ok(at_el1(0x2000)).range, (AddressRange{0x2000, 0x7fff'ffff}));
  EXPECT_EQ(ok(at_el1(0x2000)).stage1.match, MpuMatch::background);
}

TEST_F(MpuTest, WithTheMpuOffTheDefaultMapHoldsForEverybody) {
  map(El::el1, 0, 0, 0xfff, kRoHigh | kXn);
  controls.sctlr_el1 = kC;
  EXPECT_EQ(el1(0) + el0(0), "rwxrwx");
  EXPECT_EQ(el0(0xd000'0000), "rw-");
  EXPECT_EQ(ok(at_el1(0)).attributes, (MemoryAttributes{0xff, Shareability::non}));
  EXPECT_EQ(ok(at_el1(0x9000'0000)).attributes, (MemoryAttributes{0x04, Shareability::outer}));
  EXPECT_EQ(ok(at_el1(0xd000'0000)).attributes, (MemoryAttributes{0x00, Shareability::outer}));
  EXPECT_EQ(ok(at_el1(0x8'8000'0000)).attributes, (MemoryAttributes{0xff, Shareability::non}));
  controls.sctlr_el1 = 0;
  EXPECT_EQ(ok(at_el1(0)).attributes, (MemoryAttributes{0x44, Shareability::outer}));
  EXPECT_EQ(fault(at_el1(Word{1} << 40)).kind, FaultKind::address_size);
  EXPECT_EQ(fault(at_el1(Word{1} << 40)).fsc(), 0x00);
}

TEST_F(MpuTest, TgeAndDcTurnStage1OfEl1Off) {
  map(El::el1, 0, 0, 0xfff, kRoHigh | kXn);
  map(El::el2, 0, 0, 0xffff'ffff, kRwAll);
  controls.hcr_el2 = kTge;
  EXPECT_EQ(el0(0x1000), "rwx");
  EXPECT_EQ(el2(0), "rwx");
  controls.hcr_el2 = kDc;
  controls.sctlr_el1 = kM;
  EXPECT_EQ(el1(0xd000'0000), "rwx") << "the default map's XN is gone too";
  EXPECT_EQ(ok(at_el1(0)).attributes, (MemoryAttributes{0xff, Shareability::non}));
  EXPECT_TRUE(ok(at_el1(0)).stage2_used);
}

// --- Stage 2 -----------------------------------------------------------------------------------

TEST_F(MpuTest, Stage2FaultsCarryTheIpa) {
  controls.sctlr_el1 = 0;
  controls.hcr_el2 = kVm;
  map(El::el2, 0, 0, 0xfff, kRwAll);
  map(El::el2, 1, 0x1000, 0x1fff, kRwHigh);
  EXPECT_EQ(el1(0), "rwx");
  EXPECT_EQ(el1(0x1000), "---") << "hypervisor memory: a permission fault";
  EXPECT_EQ(el1(0x2000), "ttt");
  const MpuResult missing = at_el1(0x2345);
  EXPECT_TRUE(fault(missing).stage2);
  EXPECT_EQ(fault(missing).ipa, 0x2345u);
  EXPECT_EQ(fault(missing).fsc(), 0x04);
  EXPECT_EQ(fault(at_el1(0x1040)).fsc(), 0x0c);
  EXPECT_EQ(fault(at_el1(0x1040)).ipa, 0x1040u);
  controls.sctlr_el2 |= kBr;
  EXPECT_EQ(el1(0x2000), "ttt") << "stage 2 has no background region";
  EXPECT_EQ(el2(0x2000), "rwx");
  controls.sctlr_el2 = 0;
  EXPECT_EQ(el1(0x2000), "ttt") << "HCR_EL2.VM alone enables stage 2";
}

TEST_F(MpuTest, Stage2PermissionsAndXn) {
  controls.sctlr_el1 = 0;
  controls.hcr_el2 = kVm;
  const auto both = [&](Word prbar) {
    map(El::el2, 0, 0, 0xfff, prbar);
    return el1(0) + " " + el0(0);
  };
  EXPECT_EQ(both(kRwHigh), "--- ---");
  EXPECT_EQ(both(kRwAll), "rwx rwx");
  EXPECT_EQ(both(kRoHigh), "--- ---");
  EXPECT_EQ(both(kRoAll), "r-x r-x");
  EXPECT_EQ(both(kRwAll | kXn0), "rw- rw-");
  EXPECT_EQ(both(kRoAll | kXn0), "r-- r--");
  EXPECT_EQ(el2(0), "r-x") << "XN[0] is for guests";
  EXPECT_EQ(both(kRwAll | kXn), "rwx rwx") << "XN[1] is for EL2";
  EXPECT_EQ(el2(0), "rw-");
}

TEST_F(MpuTest, Stage1IsCheckedFirst) {
  controls.hcr_el2 = kVm;
  map(El::el1, 0, 0, 0xfff, kRoHigh);
  map(El::el1, 1, 0x1000, 0x1fff, kRwHigh);
  map(El::el2, 0, 0x1000, 0x1fff, kRoAll);
  EXPECT_FALSE(fault(at_el1(0x2000)).stage2);
  EXPECT_FALSE(fault(at_el1(0, AccessKind::write)).stage2);
  EXPECT_TRUE(fault(at_el1(0)).stage2);
  EXPECT_EQ(el1(0x1000), "r-x");
  MpuRequest at_s1e1{0, AccessKind::read, true, false, true};
  EXPECT_TRUE(std::holds_alternative<MpuMapping>(
      lookup(MpuRegime::el1_0, at_s1e1, controls, mpu->regions())));
}

TEST_F(MpuTest, VmsaStage1OverTheEl2Mpu) {
  map(El::el2, 0, 0, 0xfff, kRwAll | kInner, attr(0) | kEn);
  map(El::el2, 1, 0x1000, 0x1fff, kRwAll, attr(1) | kEn);
  MpuStage2Request request;
  request.ipa = 0x10;
  request.table_walk = true;
  request.stage1 = {0x77, Shareability::inner};
  const MpuResult good = lookup_stage2(request, controls, mpu->regions());
  EXPECT_EQ(ok(good).range, (AddressRange{0, 0xfff}));
  EXPECT_EQ(ok(good).attributes, (MemoryAttributes{0x77, Shareability::inner}));
  request.ipa = 0x1010;
  EXPECT_TRUE(ok(lookup_stage2(request, controls, mpu->regions())).attributes.is_device());
  controls.hcr_el2 = kPtw;
  const MpuResult device = lookup_stage2(request, controls, mpu->regions());
  EXPECT_TRUE(fault(device).device_walk && fault(device).s1ptw && fault(device).stage2);
  EXPECT_EQ(fault(device).fsc(), 0x0c);
  request.ipa = 0x2000;
  EXPECT_TRUE(fault(lookup_stage2(request, controls, mpu->regions())).s1ptw);
  request.table_walk = false;
  EXPECT_FALSE(fault(lookup_stage2(request, controls, mpu->regions())).s1ptw);
}

TEST_F(MpuTest, NsOfBothStages) {
  controls.hcr_el2 = kVm;
  map(El::el1, 0, 0, 0xfff, kRwHigh, kEn);
  map(El::el1, 1, 0x1000, 0x1fff, kRwHigh, kEn | kNs);
  map(El::el2, 0, 0, 0x17ff, kRwAll, kEn);
  map(El::el2, 1, 0x1800, 0x1fff, kRwAll, kEn | kNs);
  EXPECT_FALSE(ok(at_el1(0)).non_secure);
  EXPECT_TRUE(ok(at_el1(0x1000)).non_secure);
  controls.vstcr_el2 = 1 << 20;  // SC
  EXPECT_EQ(fault(at_el1(0x1000)).kind, FaultKind::permission);
  EXPECT_TRUE(fault(at_el1(0x1000)).stage2);
  EXPECT_TRUE(ok(at_el1(0x1800)).non_secure);
}

// --- Attributes, pages, PAR --------------------------------------------------------------------

TEST_F(MpuTest, AttributesComeFromMairAndSh) {
  map(El::el2, 0, 0, 0xfff, kRwHigh | kInner, attr(0) | kEn);
  map(El::el2, 1, 0x1000, 0x1fff, kRwHigh, attr(2) | kEn);
  map(El::el2, 2, 0x2000, 0x2fff, kRwHigh | kInner, attr(3) | kEn);
  map(El::el2, 3, 0x3000, 0x3fff, kRwHigh | kOuter, attr(0) | kEn);
  EXPECT_EQ(ok(at_el2(0)).attributes, (MemoryAttributes{0xff, Shareability::inner}));
  EXPECT_EQ(ok(at_el2(0x1000)).attributes, (MemoryAttributes{0x04, Shareability::outer}));
  EXPECT_EQ(ok(at_el2(0x2000)).attributes, (MemoryAttributes{0x44, Shareability::outer}));
  EXPECT_EQ(ok(at_el2(0x3000)).attributes, (MemoryAttributes{0xff, Shareability::outer}));
  controls.sctlr_el2 &= ~kC;
  EXPECT_EQ(ok(at_el2(0)).attributes.attr, 0x44);
}

TEST_F(MpuTest, PagesAreUniformOrSplit) {
  const auto is_uniform = [&](Word address, unsigned shift) {
    return uniform(MpuRegime::el2, address, shift, controls, mpu->regions());
  };
  map(El::el2, 0, 0x1000, 0x147f, kRwHigh);
  EXPECT_FALSE(is_uniform(0x1234, 12));
  EXPECT_TRUE(is_uniform(0x1234, 10));
  EXPECT_FALSE(is_uniform(0x1400, 10));
  EXPECT_TRUE(is_uniform(0x1800, 10));
  map(El::el2, 1, 0x1480, 0x1fff, kRwHigh);
  EXPECT_TRUE(is_uniform(0x1234, 12)) << "two regions with one answer";
  map(El::el2, 1, 0x1480, 0x1fff, kRwHigh | kXn);
  EXPECT_FALSE(is_uniform(0x1234, 12));
  map(El::el2, 1, 0x1440, 0x1fff, kRwHigh);
  EXPECT_FALSE(is_uniform(0x1234, 12)) << "one granule overlaps";
  EXPECT_TRUE(is_uniform(0x4000, 12)) << "nothing there, all over";
}

TEST_F(MpuTest, Stage2SplitsPagesOfEl1) {
  controls.sctlr_el1 = 0;
  map(El::el2, 0, 0x1000, 0x147f, kRwAll);
  const auto is_uniform = [&] {
    return uniform(MpuRegime::el1_0, 0x1234, 12, controls, mpu->regions());
  };
  EXPECT_TRUE(is_uniform());
  controls.hcr_el2 = kVm;
  EXPECT_FALSE(is_uniform());
  EXPECT_FALSE(uniform_stage2(0x1000, 12, controls, mpu->regions()));
  controls.sctlr_el1 = kM;
  EXPECT_TRUE(is_uniform()) << "stage 1 refuses everything";
}

TEST_F(MpuTest, ParForAddressTranslation) {
  map(El::el2, 0, 0x12'3000, 0x12'3fff, kRwHigh | kInner, attr(0) | kNs | kEn);
  EXPECT_EQ(par_el1(at_el2(0x12'3456), 0x12'3456), 0xff00'0000'0012'3b80);
  EXPECT_EQ(par_el1(at_el2(0), 0), 0x809u);  // Translation, level 0.
  EXPECT_EQ(par_el1(at_el1(0x40), 0x40), 0x809u);
  controls.sctlr_el1 = 0;
  controls.hcr_el2 = kVm;
  EXPECT_EQ(par_el1(at_el1(0x12'3000), 0x12'3000), 0x800u | 0x0c << 1 | 1 | 1 << 9);
}

}  // namespace
}  // namespace trapline
