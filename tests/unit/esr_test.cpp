// Exception syndromes and PSTATE, against values that Linux, Xen and the manual spell out.
#include "sim/arch/esr.h"

#include <gtest/gtest.h>

#include "sim/arch/pstate.h"

namespace trapline {
namespace {

TEST(Esr, CallsCarryTheirImmediate) {
  EXPECT_EQ(esr::svc(0), 0x56000000u);
  EXPECT_EQ(esr::hvc(0xea1), 0x5a000ea1u);
  EXPECT_EQ(esr::smc(0), 0x5e000000u);
  EXPECT_EQ(esr::brk(0xf000), 0xf200f000u);
  EXPECT_EQ(esr::immediate_of(0xd41dd422), 0xeea1u);  // hvc #0xeea1
  EXPECT_EQ(esr::unknown(), 0x02000000u);
}

TEST(Esr, TrappedRegistersNameTheAccess) {
  // mrs x3, id_aa64mmfr0_el1: op0 3, op1 0, CRn 0, CRm 7, op2 0.
  EXPECT_EQ(esr::sysreg_trap(0xd5380703), 0x6230006fu);
  // msr ttbr0_el1, x3
  EXPECT_EQ(esr::sysreg_trap(0xd5182003), 0x62300860u);
  // msr icc_sgi1r_el1, x1: op2 5, CRn 12, CRm 11.
  EXPECT_EQ(esr::sysreg_trap(0xd518cba1), 0x623a3036u);
  // dc cisw, xzr: op0 1, CRn 7, CRm 14, op2 2.
  EXPECT_EQ(esr::sysreg_trap(0xd5087e5f), 0x62141ffcu);
}

TEST(Esr, WaitsSayWhichOne) {
  EXPECT_EQ(esr::wfx(0xd503207f), 0x07e00000u);  // wfi
  EXPECT_EQ(esr::wfx(0xd503205f), 0x07e00001u);  // wfe
  EXPECT_EQ(esr::wfx(0xd5031025), 0x07e000a6u);  // wfit x5
  EXPECT_EQ(esr::wfx(WaitKind::wfet, 5), 0x07e000a7u);
}

TEST(Esr, OtherTraps) {
  EXPECT_EQ(esr::fp_access_trap(), 0x1fe00000u);
  EXPECT_EQ(esr::illegal_state(), 0x3a000000u);
  EXPECT_EQ(esr::pc_alignment(), 0x8a000000u);
  EXPECT_EQ(esr::sp_alignment(), 0x9a000000u);
  EXPECT_EQ(esr::sve_access(), 0x66000000u);
  EXPECT_EQ(esr::pointer_authentication_trap(), 0x26000000u);
  EXPECT_EQ(esr::pac_failure(true, false), 0x72000002u);
  EXPECT_EQ(esr::branch_target(2), 0x36000002u);
  EXPECT_EQ(esr::eret_trap(0xd69f03e0), 0x6a000000u);
  EXPECT_EQ(esr::eret_trap(0xd69f0bff), 0x6a000002u);
  EXPECT_EQ(esr::eret_trap(0xd69f0fff), 0x6a000003u);
  EXPECT_EQ(esr::software_step(false, true, true), 0xcb000062u);
  EXPECT_EQ(esr::breakpoint(true), 0xc6000022u);
  EXPECT_EQ(esr::watchpoint(false, true, false), 0xd2000062u);
  EXPECT_EQ(esr::serror(0x1000011), 0xbf000011u);
}

TEST(Esr, DataAbortsDescribeTheAccess) {
  // A guest's word store of w1 to an unmapped device register, as a hypervisor decodes it.
  EXPECT_EQ(esr::data_abort({.status = fsc::translation(3),
                             .write = true,
                             .access = {.valid = true, .size_log2 = 2, .rt = 1}}),
            0x93810047u);
  EXPECT_EQ(esr::data_abort({.status = fsc::translation(2),
                             .access = {.valid = true,
                                        .size_log2 = 0,
                                        .sign_extend = true,
                                        .rt = 31,
                                        .sixty_four = true,
                                        .ordered = true}}),
            0x933fc006u);
  EXPECT_EQ(esr::data_abort({.same_el = true, .status = fsc::kAlignment}), 0x96000021u);
  EXPECT_EQ(esr::data_abort({.status = fsc::permission(3), .stage1_walk = true}), 0x9200008fu);
  EXPECT_EQ(esr::data_abort({.same_el = true, .status = fsc::kExternal, .external = true}),
            0x96000210u);
  EXPECT_EQ(esr::data_abort({.status = fsc::translation(1), .cache_maintenance = true}),
            0x92000145u);
  EXPECT_EQ(esr::data_abort({.status = fsc::external_on_walk(2), .far_not_valid = true}),
            0x92000416u);
}

TEST(Esr, NoAccessIsDescribedForAWalkOrCacheMaintenance) {
  const AccessSyndrome access{.valid = true, .size_log2 = 3, .rt = 4};
  EXPECT_EQ(esr::iss_of(esr::data_abort(
                {.status = fsc::translation(0), .stage1_walk = true, .access = access})),
            0x84u);
  EXPECT_EQ(esr::iss_of(esr::data_abort(
                {.status = fsc::translation(0), .cache_maintenance = true, .access = access})),
            0x144u);
}

TEST(Esr, InstructionAborts) {
  EXPECT_EQ(esr::instruction_abort({.status = fsc::translation(0)}), 0x82000004u);
  EXPECT_EQ(esr::instruction_abort({.same_el = true, .status = fsc::permission(2)}), 0x8600000eu);
  EXPECT_EQ(esr::instruction_abort({.status = fsc::access_flag(3), .stage1_walk = true}),
            0x8200008bu);
}

TEST(Esr, ClassFollowsWhetherTheLevelChanged) {
  EXPECT_EQ(esr::with_same_el(0x92000006, true), 0x96000006u);
  EXPECT_EQ(esr::with_same_el(0x96000006, false), 0x92000006u);
  EXPECT_EQ(esr::with_same_el(0x82000006, true), 0x86000006u);
  EXPECT_EQ(esr::with_same_el(0xca000022, true), 0xce000022u);
  EXPECT_EQ(esr::with_same_el(esr::svc(3), true), esr::svc(3));
  EXPECT_EQ(esr::with_same_el(esr::pc_alignment(), true), esr::pc_alignment());
}

TEST(Esr, DescribesItselfInOneLine) {
  EXPECT_EQ(esr::describe(esr::hvc(0)), "HVC #0x0");
  EXPECT_EQ(esr::describe(esr::brk(0xf000)), "BRK #0xf000");
  EXPECT_EQ(esr::describe(0x9600004f), "data abort, permission fault level 3, write");
  EXPECT_EQ(esr::describe(0x93810047),
            "data abort from a lower EL, translation fault level 3, write, 32-bit W1");
  EXPECT_EQ(esr::describe(0x9200008f),
            "data abort from a lower EL, permission fault level 3, read, on a stage-1 walk");
  EXPECT_EQ(esr::describe(0x86000005), "instruction abort, translation fault level 1");
  EXPECT_EQ(esr::describe(esr::sysreg_trap(0xd5182003)), "trapped MSR TTBR0_EL1, X3");
  EXPECT_EQ(esr::describe(esr::sysreg_trap(0xd538073f)), "trapped MRS XZR, ID_AA64MMFR1_EL1");
  EXPECT_EQ(esr::describe(esr::sysreg_trap(0xd5087e5f)), "trapped DC CISW, XZR");
  EXPECT_EQ(esr::describe(esr::wfx(WaitKind::wfe)), "trapped WFE");
  EXPECT_EQ(esr::describe(esr::unknown()), "undefined instruction");
  EXPECT_EQ(esr::describe(0xfe000000), "reserved exception class");
}

TEST(FaultStatus, IsSpelledOutForEveryCode) {
  EXPECT_EQ(fsc::describe(fsc::address_size(0)), "address size fault level 0");
  EXPECT_EQ(fsc::describe(fsc::access_flag(2)), "access flag fault level 2");
  EXPECT_EQ(fsc::describe(fsc::external_on_walk(3)), "External abort on walk level 3");
  EXPECT_EQ(fsc::describe(fsc::translation(-1)), "translation fault level -1");
  EXPECT_EQ(fsc::describe(fsc::kTlbConflict), "TLB conflict abort");
  EXPECT_EQ(fsc::describe(fsc::kUnsupportedExclusive), "unsupported exclusive or atomic access");
  EXPECT_EQ(fsc::describe(0x3f), "fault status 0x3f");
}

using namespace pstate;

constexpr Features kAllFeatures{
    .pan = true, .uao = true, .dit = true, .ssbs = true, .bti = true, .mte = true};

TEST(PstateEntry, MasksEverythingAndSelectsTheTargetsStack) {
  EXPECT_EQ(on_exception_entry(kEl0t, El::el1, kSctlrSpan, 0, {}), kDaif | kEl1h);
  EXPECT_EQ(on_exception_entry(kEl1t | kF, El::el2, 0, 0, {}), kDaif | kEl2h);
}

TEST(PstateEntry, KeepsFlagsAndClearsExecutionState) {
  const std::uint64_t old = kN | kC | kSs | kIl | kBtype | kUao | kDit | kSsbs | kEl0t;
  EXPECT_EQ(on_exception_entry(old, El::el1, kSctlrSpan, 0, kAllFeatures),
            kN | kC | kDit | kTco | kDaif | kEl1h);
}

TEST(PstateEntry, SetsPanUnlessSpan) {
  const Features pan{.pan = true};
  EXPECT_TRUE(on_exception_entry(kEl0t, El::el1, 0, 0, pan) & kPan);
  EXPECT_FALSE(on_exception_entry(kEl0t, El::el1, kSctlrSpan, 0, pan) & kPan);
  EXPECT_TRUE(on_exception_entry(kEl1h | kPan, El::el1, kSctlrSpan, 0, pan) & kPan);
  EXPECT_FALSE(on_exception_entry(kEl0t, El::el1, 0, 0, {}) & kPan);
  // At EL2 only for a host's EL2&0 regime.
  EXPECT_FALSE(on_exception_entry(kEl1h, El::el2, 0, kHcrE2h, pan) & kPan);
  EXPECT_FALSE(on_exception_entry(kEl0t, El::el2, 0, kHcrTge, pan) & kPan);
  EXPECT_TRUE(on_exception_entry(kEl0t, El::el2, 0, kHcrE2h | kHcrTge, pan) & kPan);
}

TEST(PstateEntry, TakesSsbsFromDssbs) {
  const Features ssbs{.ssbs = true};
  EXPECT_TRUE(on_exception_entry(kEl0t, El::el1, kSctlrDssbs, 0, ssbs) & kSsbs);
  EXPECT_FALSE(on_exception_entry(kEl0t | kSsbs, El::el1, 0, 0, ssbs) & kSsbs);
}

TEST(PstateReturn, AllowsOnlyLegalTargets) {
  const ReturnRules rules{.hcr = kHcrRw};
  EXPECT_TRUE(legal_return(kEl0t, El::el1, rules));
  EXPECT_TRUE(legal_return(kEl1h, El::el1, rules));
  EXPECT_TRUE(legal_return(kEl1t, El::el2, rules));
  EXPECT_TRUE(legal_return(kEl2h, El::el2, rules));
  EXPECT_FALSE(legal_return(kEl2h, El::el1, rules));                      // Higher level
  EXPECT_FALSE(legal_return(0xd, El::el2, rules));                        // EL3
  EXPECT_FALSE(legal_return(0x1, El::el1, rules));                        // EL0 with SP_EL0h
  EXPECT_FALSE(legal_return(0x6, El::el1, rules));                        // M[1]
  EXPECT_FALSE(legal_return(0x10, El::el1, rules));                       // AArch32
  EXPECT_FALSE(legal_return(kEl1h, El::el2, {.hcr = kHcrRw | kHcrTge}));  // TGE: no EL1
  EXPECT_TRUE(legal_return(kEl0t, El::el2, {.hcr = kHcrRw | kHcrTge}));
  EXPECT_FALSE(legal_return(kEl1h, El::el2, {.hcr = 0}));  // EL1 is AArch32
  EXPECT_TRUE(legal_return(kEl1h, El::el1, {.el2_present = false}));
}

TEST(PstateReturn, TakesTheSavedStateOrSetsIl) {
  const ReturnRules rules{.hcr = kHcrRw};
  const Features pan{.pan = true};
  EXPECT_EQ(on_exception_return(kEl2h, kZ | kPan | kUao | kEl1h, rules, pan), kZ | kPan | kEl1h);
  EXPECT_EQ(on_exception_return(kEl1h, kZ | kI | kEl2h, rules, pan), kZ | kI | kIl | kEl1h);
}

TEST(Pstate, ReadsModes) {
  EXPECT_EQ(el_of(kEl2h), El::el2);
  EXPECT_TRUE(sp_sel(kEl2h));
  EXPECT_FALSE(sp_sel(kEl2t));
  EXPECT_EQ(mode(El::el1, true), kEl1h);
  EXPECT_EQ(reset_value(El::el1), 0x3c5u);
  EXPECT_EQ(reset_value(El::el0), 0x3c0u);
}

}  // namespace
}  // namespace trapline
