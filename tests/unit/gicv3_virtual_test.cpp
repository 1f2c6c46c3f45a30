// List registers, ICV_*_EL1 for a guest and ICH_*_EL2 for its hypervisor.
#include "tests/unit/gicv3_fixture.h"

namespace trapline {
namespace {

constexpr std::uint64_t kEn = 1u << 0;
constexpr std::uint64_t kUie = 1u << 1;
constexpr std::uint64_t kLrenpie = 1u << 2;
constexpr std::uint64_t kNpie = 1u << 3;

constexpr std::uint64_t kPending = 1ull << 62;
constexpr std::uint64_t kActive = 1ull << 63;
constexpr std::uint64_t kHw = 1ull << 61;
constexpr std::uint64_t kGroup1 = 1ull << 60;
constexpr std::uint64_t kEoi = 1ull << 41;

constexpr std::uint64_t lr(unsigned intid, unsigned priority, std::uint64_t flags) {
  return flags | std::uint64_t{priority} << 48 | intid;
}

class VirtualTest : public ::testing::Test {
 protected:
  void SetUp() override {
    rig.set(kIchHcr, kEn);
    guest_set(kIccPmr, 0xf0);
    guest_set(kIccIgrpen1, 1);
    guest_set(kIccIgrpen0, 1);
  }
  std::uint64_t guest(SysReg reg) { return rig.get(reg, 0, kGuest); }
  void guest_set(SysReg reg, std::uint64_t value) { rig.set(reg, value, 0, kGuest); }
  bool virq() { return rig.lines().virq.level(); }
  bool vfiq() { return rig.lines().vfiq.level(); }

  const SysRegContext kGuest = GicV3Rig::el1(kHcrImo | kHcrFmo);
  GicV3Rig rig;
};

TEST(GicV3Virtual, ResetValuesMatchQemu) {
  GicV3Rig rig;
  EXPECT_EQ(rig.get(kIchVtr), 0x90b80003u);
  EXPECT_EQ(rig.get(kIchVmcr), 0x004c0008u);
  EXPECT_EQ(rig.get(kIchHcr), 0u);
  EXPECT_EQ(rig.get(kIchElrsr), 0xfu);
  EXPECT_EQ(rig.get(kIchEisr), 0u);
  EXPECT_EQ(rig.get(kIchMisr), 0u);
}

TEST(GicV3Virtual, ListRegistersAreAsManyAsConfigured) {
  GicV3Rig rig({.list_registers = 10});
  EXPECT_EQ(rig.get(kIchVtr) & 0x1f, 9u);
  EXPECT_TRUE(rig.gic().cpu_interface(0).owns(ich_lr(9)));
  EXPECT_FALSE(rig.gic().cpu_interface(0).owns(ich_lr(10)));
  rig.set(ich_lr(9), kPending | 40);
  EXPECT_EQ(rig.get(ich_lr(9)), kPending | 40);
  EXPECT_EQ(rig.get(kIchElrsr), 0x1ffu);
}

TEST(GicV3Virtual, WithoutVirtualizationNothingOfItExists) {
  GicV3Rig rig({.virtualization = false});
  EXPECT_FALSE(rig.gic().cpu_interface(0).owns(kIchHcr));
  EXPECT_FALSE(rig.gic().cpu_interface(0).owns(kIccSreEl2));
  EXPECT_TRUE(rig.gic().cpu_interface(0).owns(kIccIar1));
  rig.set(kIccPmr, 0x80, 0, GicV3Rig::el1(kHcrImo));
  EXPECT_EQ(rig.get(kIccPmr, 0, GicV3Rig::el1()), 0x80u);
}

TEST_F(VirtualTest, GuestTakesAndEndsAnInterrupt) {
  rig.set(ich_lr(0), lr(27, 0xa0, kPending | kGroup1));
  EXPECT_TRUE(virq());
  EXPECT_FALSE(vfiq());
  EXPECT_FALSE(rig.irq());
  EXPECT_EQ(guest(kIccHppir1), 27u);
  EXPECT_EQ(guest(kIccIar1), 27u);
  EXPECT_FALSE(virq());
  EXPECT_EQ(guest(kIccRpr), 0xa0u);
  EXPECT_EQ(rig.get(ich_lr(0)), lr(27, 0xa0, kActive | kGroup1));
  EXPECT_EQ(rig.get(kIchAp1r0), 1u << 20);
  EXPECT_EQ(guest(kIccAp1r0), 1u << 20);
  EXPECT_EQ(guest(kIccIar1), kSpuriousIntid);
  guest_set(kIccEoir1, 27);
  EXPECT_EQ(rig.get(ich_lr(0)), lr(27, 0xa0, kGroup1));
  EXPECT_EQ(rig.get(kIchAp1r0), 0u);
  EXPECT_EQ(guest(kIccRpr), 0xffu);
}

TEST_F(VirtualTest, GroupZeroIsAVirtualFiq) {
  rig.set(ich_lr(1), lr(30, 0x20, kPending));
  EXPECT_TRUE(vfiq());
  EXPECT_FALSE(virq());
  EXPECT_EQ(guest(kIccIar1), kSpuriousIntid);
  EXPECT_EQ(guest(kIccIar0), 30u);
  EXPECT_EQ(rig.get(kIchAp0r0), 1u << 4);
  guest_set(kIccEoir0, 30);
  EXPECT_EQ(rig.get(kIchAp0r0), 0u);
}

TEST_F(VirtualTest, HighestPriorityOfTheListRegistersWins) {
  rig.set(ich_lr(0), lr(40, 0xa0, kPending | kGroup1));
  rig.set(ich_lr(1), lr(41, 0x80, kPending | kGroup1));
  rig.set(ich_lr(2), lr(42, 0x80, kPending | kGroup1));
  EXPECT_EQ(guest(kIccIar1), 41u);
  EXPECT_FALSE(virq());  // 42 has the running priority, 40 a lower one.
  rig.set(ich_lr(3), lr(43, 0x40, kPending | kGroup1));
  EXPECT_TRUE(virq());
  EXPECT_EQ(guest(kIccIar1), 43u);
  guest_set(kIccEoir1, 43);
  EXPECT_FALSE(virq());
  guest_set(kIccEoir1, 41);
  EXPECT_EQ(guest(kIccIar1), 42u);
  guest_set(kIccEoir1, 42);
  EXPECT_EQ(guest(kIccIar1), 40u);
}

TEST_F(VirtualTest, PendingAndActiveIsNotSignalledUntilEnded) {
  rig.set(ich_lr(0), lr(27, 0xa0, kPending | kActive | kGroup1));
  EXPECT_FALSE(virq());
  EXPECT_EQ(guest(kIccHppir1), kSpuriousIntid);
  rig.set(kIchAp1r0, 1u << 20);
  EXPECT_EQ(guest(kIccIar1), kSpuriousIntid);
  guest_set(kIccEoir1, 27);
  EXPECT_EQ(rig.get(ich_lr(0)), lr(27, 0xa0, kPending | kGroup1));
  EXPECT_TRUE(virq());
}

TEST_F(VirtualTest, MaskEnablesAndEnGateTheSignal) {
  rig.set(ich_lr(0), lr(27, 0xa0, kPending | kGroup1));
  guest_set(kIccPmr, 0xa0);
  EXPECT_FALSE(virq());
  guest_set(kIccPmr, 0xa8);
  EXPECT_TRUE(virq());
  guest_set(kIccIgrpen1, 0);
  EXPECT_FALSE(virq());
  EXPECT_EQ(guest(kIccHppir1), kSpuriousIntid);
  guest_set(kIccIgrpen1, 1);
  rig.set(kIchHcr, 0);
  EXPECT_FALSE(virq());
  EXPECT_EQ(guest(kIccIar1), kSpuriousIntid);
  rig.set(kIchHcr, kEn);
  EXPECT_TRUE(virq());
}

TEST_F(VirtualTest, VmcrIsTheGuestsControlState) {
  guest_set(kIccPmr, 0x58);
  guest_set(kIccBpr0, 4);
  guest_set(kIccBpr1, 5);
  guest_set(kIccCtlr, 2);
  EXPECT_EQ(rig.get(kIchVmcr), 0x58u << 24 | 4u << 21 | 5u << 18 | 1u << 9 | 1u << 3 | 3u);
  rig.set(kIchVmcr, 0xf8u << 24 | 1u << 4 | 1u << 1);
  EXPECT_EQ(guest(kIccPmr), 0xf8u);
  EXPECT_EQ(guest(kIccIgrpen0), 0u);
  EXPECT_EQ(guest(kIccIgrpen1), 1u);
  EXPECT_EQ(guest(kIccCtlr), 0x8c01u);
  EXPECT_EQ(guest(kIccBpr0), 2u);  // Raised to the minimum.
  EXPECT_EQ(guest(kIccBpr1), 3u);  // BPR0 + 1 under CBPR.
  guest_set(kIccBpr1, 7);
  guest_set(kIccCtlr, 0);
  EXPECT_EQ(guest(kIccBpr1), 3u);
  EXPECT_EQ(rig.get(kIccPmr), 0u);  // The physical interface is another one.
}

TEST_F(VirtualTest, BinaryPointHidesSubpriorities) {
  guest_set(kIccBpr1, 6);
  rig.set(ich_lr(0), lr(40, 0xa0, kPending | kGroup1));
  EXPECT_EQ(guest(kIccIar1), 40u);
  EXPECT_EQ(guest(kIccRpr), 0x80u);
  rig.set(ich_lr(1), lr(41, 0x88, kPending | kGroup1));
  EXPECT_FALSE(virq());
  guest_set(kIccEoir1, 40);
  EXPECT_EQ(rig.get(ich_lr(0)) & (kActive | kPending), 0u);
  EXPECT_TRUE(virq());
}

TEST_F(VirtualTest, UnimplementedListRegisterBitsAreZero) {
  rig.set(ich_lr(0), ~0ull);
  EXPECT_EQ(rig.get(ich_lr(0)) >> 48 & 0xff, 0xf8u);
  EXPECT_EQ(rig.get(ich_lr(0)) >> 59 & 1, 0u);
}

TEST_F(VirtualTest, SpecialIntidIsReturnedAndForgotten) {
  rig.set(ich_lr(0), lr(1022, 0xa0, kPending | kGroup1));
  EXPECT_EQ(guest(kIccIar1), 1022u);
  EXPECT_EQ(rig.get(ich_lr(0)) & (kActive | kPending), 0u);
  EXPECT_EQ(rig.get(kIchAp1r0), 0u);
}

// ---- hardware interrupts ----

class HardwareTest : public VirtualTest {
 protected:
  // The hypervisor takes PPI 27, drops its priority and hands it to the guest, as Xen and KVM do.
  void SetUp() override {
    rig.boot();
    VirtualTest::SetUp();
    rig.set(kIccCtlr, 2);
    rig.enable(27);
    rig.gic().ppi(0, 27).set(true);
    ASSERT_EQ(rig.get(kIccIar1), 27u);
    rig.set(kIccEoir1, 27);
    rig.set(ich_lr(0), lr(27, 0xa0, kPending | kGroup1 | kHw | 27ull << 32));
  }
  bool active() { return rig.gicr(0, kSgiBase + 0x300) >> 27 & 1; }
};

TEST_F(HardwareTest, GuestEoiDeactivatesThePhysicalInterrupt) {
  EXPECT_EQ(guest(kIccIar1), 27u);
  EXPECT_TRUE(active());
  EXPECT_FALSE(rig.irq());
  guest_set(kIccEoir1, 27);
  EXPECT_FALSE(active());
  EXPECT_TRUE(rig.irq());  // The timer's line is still high.
}

TEST_F(HardwareTest, GuestDirDeactivatesInSplitMode) {
  guest_set(kIccCtlr, 2);
  EXPECT_EQ(guest(kIccIar1), 27u);
  guest_set(kIccEoir1, 27);
  EXPECT_TRUE(active());
  EXPECT_EQ(rig.get(ich_lr(0)) & kActive, kActive);
  EXPECT_EQ(guest(kIccRpr), 0xffu);
  guest_set(kIccDir, 27);
  EXPECT_FALSE(active());
  EXPECT_EQ(rig.get(ich_lr(0)) & (kActive | kPending), 0u);
}

TEST_F(HardwareTest, PhysicalAndVirtualIntidsMayDiffer) {
  rig.set(ich_lr(0), lr(60, 0xa0, kPending | kGroup1 | kHw | 27ull << 32));
  EXPECT_EQ(guest(kIccIar1), 60u);
  guest_set(kIccEoir1, 60);
  EXPECT_FALSE(active());
}

TEST_F(HardwareTest, NonsensePhysicalIntidIsHarmless) {
  rig.set(ich_lr(0), lr(60, 0xa0, kPending | kGroup1 | kHw | 0x1fffull << 32));
  EXPECT_EQ(guest(kIccIar1), 60u);
  guest_set(kIccEoir1, 60);
  EXPECT_TRUE(active());
  EXPECT_EQ(rig.get(ich_lr(0)) & (kActive | kPending), 0u);
}

TEST_F(HardwareTest, HardwareListRegisterIsEmptyAtOnce) {
  EXPECT_EQ(rig.get(kIchElrsr), 0xeu);
  EXPECT_EQ(guest(kIccIar1), 27u);
  guest_set(kIccEoir1, 27);
  EXPECT_EQ(rig.get(kIchElrsr), 0xfu);
  EXPECT_EQ(rig.get(kIchEisr), 0u);
}

// ---- end of interrupt without a list register, EOI maintenance ----

TEST_F(VirtualTest, EoiWithoutAListRegisterIsCounted) {
  rig.set(kIchHcr, kEn | kLrenpie);
  rig.set(kIchAp1r0, 1u << 20);
  EXPECT_EQ(rig.get(kIchMisr), 0u);
  guest_set(kIccEoir1, 99);
  EXPECT_EQ(rig.get(kIchHcr), 1u << 27 | kEn | kLrenpie);
  EXPECT_EQ(rig.get(kIchMisr), 4u);
  EXPECT_TRUE(rig.gic().ppi(0, 25).level());
  rig.set(kIchHcr, kEn | kLrenpie);
  EXPECT_FALSE(rig.gic().ppi(0, 25).level());
  guest_set(kIccEoir1, 99);  // Nothing active: not counted.
  EXPECT_EQ(rig.get(kIchHcr), kEn | kLrenpie);
}

TEST_F(VirtualTest, InSplitModeOnlyDirCounts) {
  guest_set(kIccCtlr, 2);
  rig.set(kIchAp1r0, 1u << 20);
  guest_set(kIccEoir1, 99);
  EXPECT_EQ(rig.get(kIchHcr), kEn);
  EXPECT_EQ(rig.get(kIchAp1r0), 0u);
  guest_set(kIccDir, 99);
  EXPECT_EQ(rig.get(kIchHcr), 1u << 27 | kEn);
}

TEST_F(VirtualTest, EoiByTheOtherGroupsRegisterOnlyDropsThePriority) {
  rig.set(ich_lr(0), lr(27, 0xa0, kPending | kGroup1));
  EXPECT_EQ(guest(kIccIar1), 27u);
  guest_set(kIccEoir0, 27);
  EXPECT_EQ(rig.get(kIchAp1r0), 0u);
  EXPECT_EQ(rig.get(ich_lr(0)), lr(27, 0xa0, kActive | kGroup1));
}

TEST_F(VirtualTest, GroupZeroIsDroppedFirstAtEqualPriority) {
  rig.set(kIchAp0r0, 1u << 20);
  rig.set(kIchAp1r0, 1u << 20);
  guest_set(kIccEoir1, 27);
  EXPECT_EQ(rig.get(kIchAp0r0), 0u);
  EXPECT_EQ(rig.get(kIchAp1r0), 1u << 20);
}

TEST_F(VirtualTest, DirIsIgnoredWithoutSplitMode) {
  rig.set(ich_lr(0), lr(27, 0xa0, kActive | kGroup1));
  guest_set(kIccDir, 27);
  EXPECT_EQ(rig.get(ich_lr(0)), lr(27, 0xa0, kActive | kGroup1));
  EXPECT_EQ(rig.get(kIchHcr), kEn);
}

TEST_F(VirtualTest, EoiBitAsksForMaintenance) {
  rig.set(ich_lr(2), lr(27, 0xa0, kPending | kGroup1 | kEoi));
  EXPECT_EQ(guest(kIccIar1), 27u);
  EXPECT_FALSE(rig.gic().ppi(0, 25).level());
  guest_set(kIccEoir1, 27);
  EXPECT_EQ(rig.get(kIchEisr), 4u);
  EXPECT_EQ(rig.get(kIchElrsr), 0xbu);
  EXPECT_EQ(rig.get(kIchMisr), 1u);
  EXPECT_TRUE(rig.gic().ppi(0, 25).level());
  rig.set(ich_lr(2), 0);
  EXPECT_EQ(rig.get(kIchElrsr), 0xfu);
  EXPECT_FALSE(rig.gic().ppi(0, 25).level());
}

TEST_F(VirtualTest, UnderflowMeansAtMostOneValid) {
  rig.set(ich_lr(0), lr(40, 0xa0, kPending | kGroup1));
  rig.set(ich_lr(1), lr(41, 0xa0, kActive | kGroup1));
  rig.set(kIchHcr, kEn | kUie);
  EXPECT_EQ(rig.get(kIchMisr), 0u);
  rig.set(ich_lr(1), 0);
  EXPECT_EQ(rig.get(kIchMisr), 2u);
  EXPECT_TRUE(rig.gic().ppi(0, 25).level());
  rig.set(kIchHcr, kUie);  // MISR tells; the line needs En.
  EXPECT_EQ(rig.get(kIchMisr), 2u);
  EXPECT_FALSE(rig.gic().ppi(0, 25).level());
}

TEST_F(VirtualTest, NoPendingMaintenance) {
  rig.set(kIchHcr, kEn | kNpie);
  EXPECT_EQ(rig.get(kIchMisr), 8u);
  rig.set(ich_lr(0), lr(40, 0xa0, kPending | kGroup1));
  EXPECT_EQ(rig.get(kIchMisr), 0u);
  EXPECT_EQ(guest(kIccIar1), 40u);
  EXPECT_EQ(rig.get(kIchMisr), 8u);
}

TEST_F(VirtualTest, GroupEnableMaintenance) {
  guest_set(kIccIgrpen0, 0);
  rig.set(kIchHcr, kEn | 0xf0);
  EXPECT_EQ(rig.get(kIchMisr), 0x60u);  // Group 0 off, Group 1 on.
  guest_set(kIccIgrpen0, 1);
  guest_set(kIccIgrpen1, 0);
  EXPECT_EQ(rig.get(kIchMisr), 0x90u);
  rig.set(kIchHcr, kEn | 1u << 5);
  EXPECT_FALSE(rig.gic().ppi(0, 25).level());
  guest_set(kIccIgrpen0, 0);
  EXPECT_TRUE(rig.gic().ppi(0, 25).level());
}

TEST_F(VirtualTest, MaintenanceInterruptReachesTheHypervisor) {
  rig.boot();
  rig.enable(25);
  rig.set(kIchHcr, kEn | kNpie);
  EXPECT_TRUE(rig.irq());
  EXPECT_EQ(rig.get(kIccIar1), 25u);
  rig.set(kIchHcr, 0);
  rig.set(kIccEoir1, 25);
  EXPECT_FALSE(rig.irq());
}

TEST(GicV3Virtual, MaintenanceIntidIsConfigurableAndPerCpu) {
  GicV3Rig rig({.cpus = 2, .maintenance_intid = 22});
  rig.set(kIchHcr, kEn | kNpie, 1);
  EXPECT_TRUE(rig.gic().ppi(1, 22).level());
  EXPECT_FALSE(rig.gic().ppi(0, 22).level());
  EXPECT_FALSE(rig.gic().ppi(1, 25).level());
}

TEST_F(VirtualTest, EventsTellOfListRegistersAndVirtualAcks) {
  rig.events.clear();
  const std::uint64_t value = lr(27, 0xa0, kPending | kGroup1);
  rig.set(ich_lr(3), value);
  EXPECT_EQ(guest(kIccIar1), 27u);
  guest_set(kIccEoir1, 27);
  ASSERT_EQ(rig.events.size(), 3u);
  EXPECT_EQ(rig.events[0].kind, EventKind::list_register);
  EXPECT_EQ(rig.events[0].a, 3u);
  EXPECT_EQ(rig.events[0].b, value);
  EXPECT_EQ(rig.events[1].kind, EventKind::interrupt_ack);
  EXPECT_EQ(rig.events[1].b, 1u);
  EXPECT_EQ(rig.events[2].kind, EventKind::interrupt_eoi);
  EXPECT_EQ(rig.events[2].a, 27u);
  EXPECT_EQ(rig.events[2].b, 1u);
}

TEST_F(VirtualTest, RedirectionIsByGroup) {
  const SysRegContext imo = GicV3Rig::el1(kHcrImo);
  const SysRegContext fmo = GicV3Rig::el1(kHcrFmo);
  EXPECT_EQ(rig.get(kIccIgrpen1, 0, imo), 1u);  // Virtual.
  EXPECT_EQ(rig.get(kIccIgrpen0, 0, imo), 0u);  // Physical, never enabled here.
  EXPECT_EQ(rig.get(kIccIgrpen1, 0, fmo), 0u);
  EXPECT_EQ(rig.get(kIccIgrpen0, 0, fmo), 1u);
  EXPECT_EQ(rig.get(kIccPmr, 0, imo), 0xf0u);  // Either bit.
  EXPECT_EQ(rig.get(kIccPmr, 0, fmo), 0xf0u);
  EXPECT_EQ(rig.get(kIccPmr, 0, GicV3Rig::el1()), 0u);
  SysRegContext host = GicV3Rig::el2();
  host.hcr_el2 = kHcrImo | kHcrFmo;
  EXPECT_EQ(rig.get(kIccPmr, 0, host), 0u);
  SysRegContext no_el2 = kGuest;
  no_el2.el2_present = false;
  EXPECT_EQ(rig.get(kIccPmr, 0, no_el2), 0u);
}

TEST_F(VirtualTest, ActivePrioritiesOfSevenBits) {
  GicV3Rig wide({.priority_bits = 7});
  const SysReg ich_ap1r2 = sysreg(3, 4, 12, 9, 2);
  EXPECT_EQ(wide.get(kIchVtr) >> 26, 6u << 3 | 6u);
  wide.set(kIchHcr, kEn);
  wide.set(kIchVmcr, 0xffu << 24 | 3);
  wide.set(ich_lr(0), lr(27, 0xa2, kPending | kGroup1));
  EXPECT_EQ(wide.get(kIccIar1, 0, kGuest), 27u);
  EXPECT_EQ(wide.get(ich_ap1r2), 1u << 17);
  EXPECT_EQ(wide.get(kIccRpr, 0, kGuest), 0xa2u);
  wide.set(kIccEoir1, 27, 0, kGuest);
  EXPECT_EQ(wide.get(ich_ap1r2), 0u);
  EXPECT_FALSE(rig.gic().cpu_interface(0).owns(ich_ap1r2));
}

}  // namespace
}  // namespace trapline
