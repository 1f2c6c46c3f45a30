// VMSAv8-64 at EL1 under an MPU at EL2 (VTCR_EL2.MSA).
#include "tests/unit/cpu_pmsa_fixture.h"

namespace trapline::test {
namespace {

using namespace a64;
using Tables = PageTables;

constexpr std::uint64_t kMsa = 1ull << 31;
constexpr VirtAddr kWindow = 0x12'3456'7000;  ///< Where the guest maps kData.

class CpuMsa : public PmsaTest {
 protected:
  CpuMsa() : tables(bus, kTables) {
    tables.map(kRam, kRam, Tables::kKernel, 16);
    tables.map(kWindow, kData, Tables::kKernel);
    tables.map(kWindow + 0x1000, kData + 0x1000, Tables::kKernel);
  }
  /// EL2 regions for code, tables and `data`; EL1 with its MMU on.
  static Code setup(const Code& data) {
    return PmsaTest::el2_on(Code(data).add(el2_region(3, kTables, 0x100000, kReadOnlyAll)))
        .set(reg::VTCR_EL2, kMsa)
        .set(reg::VSCTLR_EL2, 7ull << 48)
        .set(reg::MAIR_EL1, Tables::kMair)
        .set(reg::TCR_EL1, Tables::kTcr)
        .set(reg::TTBR0_EL1, kTables)
        .set(reg::SCTLR_EL1, 0x30d00801)
        .add({kIsb});
  }
  PageTables tables;
  static constexpr std::uint64_t kHcrVm = kHcrRw | 1;
};

TEST_F(CpuMsa, TheGuestTranslatesAndTheHypervisorProtects) {
  make_r82();
  const Code s = setup(Code().add(el2_region(1, kData, 0x1000, kReadWriteAll)));
  run_guest(Code().mov(1, kWindow + 0x18).mov(2, 99).add({mem(kStr, 2, 1), mem(kLdr, 3, 1)}),
            kHcrVm, s);
  EXPECT_EQ(cpu().x(3), 99u);
  EXPECT_EQ(peek(kData + 0x18), 99u);
  run_guest(Code().mov(1, kWindow + 0x1018).add({mem(kStrW, 2, 1)}), kHcrVm, s);
  EXPECT_EQ(vector_of(kEl2Vectors), kFromLower);
  EXPECT_EQ(esr(), esr::data_abort({.status = fsc::translation(0),
                                    .write = true,
                                    .access = {.valid = true, .size_log2 = 2, .rt = 2}}));
  EXPECT_EQ(far(), kWindow + 0x1018);
  EXPECT_EQ(hpfar(), (kData + 0x1000) >> 8);
  run_guest(Code().mov(1, kWindow + 0x2000).add({mem(kLdr, 2, 1)}), kHcrVm, s);
  EXPECT_EQ(vector_of(kEl1Vectors), kFromSpx);
  EXPECT_EQ(esr(), esr::data_abort({.same_el = true, .status = fsc::translation(3)}));
}

TEST_F(CpuMsa, TablesOutOfReachAreAStage2FaultOnTheWalk) {
  make_r82();
  const Code s = setup(Code()).set(reg::PRENR_EL2, 1);
  run_guest(Code().add({kNop}), kHcrVm, s);
  EXPECT_EQ(vector_of(kEl2Vectors), kFromLower);
  EXPECT_EQ(esr(), esr::instruction_abort({.status = fsc::translation(0), .stage1_walk = true}));
  EXPECT_EQ(far(), kGuest);
  EXPECT_EQ(hpfar(), kTables >> 8);
}

TEST_F(CpuMsa, ItsOwnMpuIsUndefinedToTheGuest) {
  make_r82();
  run_guest(Code().add({mrs(0, reg::PRENR_EL1)}), kHcrVm, setup(Code()));
  EXPECT_EQ(vector_of(kEl1Vectors), kFromSpx);
  EXPECT_EQ(ec(), ExceptionClass::unknown);
}

TEST_F(CpuMsa, WithoutTheOptionMsaIsIgnored) {
  make_r82({.model = "cortex-r82", .vmsa_at_el1 = false});
  run_guest(Code().add({mrs(0, reg::MPUIR_EL1)}), kHcrRw, Code().set(reg::VTCR_EL2, kMsa));
  EXPECT_EQ(cpu().x(0), 16u);
}

TEST_F(CpuMsa, RegionsSplitTheGuestsPages) {
  make_r82();
  const Code s = setup(Code()
                           .add(el2_region(1, kData, 0x840, kReadWriteAll))
                           .add(el2_region(2, kData + 0x840, 0x7c0, kReadOnlyAll)));
  run_guest(Code()
                .mov(1, kWindow + 0x838)
                .mov(2, 5)
                .add({mem(kStr, 2, 1), mem(kLdxr, 3, 1), stxr(4, 2, 1), mem(kStr, 2, 1)}),
            kHcrVm, s);
  EXPECT_EQ(cpu().x(3), 5u);
  EXPECT_EQ(cpu().x(4), 0u);
  run_guest(Code().mov(1, kWindow + 0x840).add({mem(kLdr, 3, 1), mem(kStr, 2, 1)}), kHcrVm, s);
  EXPECT_EQ(vector_of(kEl2Vectors), kFromLower);
  EXPECT_EQ(far(), kWindow + 0x840);
  EXPECT_EQ(hpfar(), kData >> 8);
  run_guest(Code().mov(1, kWindow + 0x83c).add({mem(kLdr, 3, 1), mem(kStr, 2, 1)}), kHcrVm, s);
  EXPECT_EQ(far(), kWindow + 0x840) << "the first byte that is refused";
}

TEST_F(CpuMsa, CodeOfTheGuestEndsWithItsRegion) {
  make_r82();
  Code code;
  for (unsigned n = 0; n < 32; ++n) code.add({add(9, 9, 1)});
  put(kData + 0x800, code);
  run_guest(Code().mov(9, 0).mov(1, kWindow + 0x800).add({br(1)}), kHcrVm,
            setup(Code().add(el2_region(1, kData, 0x840, kCodeAll))));
  EXPECT_EQ(vector_of(kEl2Vectors), kFromLower);
  EXPECT_EQ(esr(), esr::instruction_abort({.status = fsc::translation(0)}));
  EXPECT_EQ(elr(), kWindow + 0x840);
  EXPECT_EQ(cpu().x(9), 16u);
}

TEST_F(CpuMsa, AChangeOfRegionsNeedsNoTlbi) {
  make_r82();
  put_handler(kEl2Vectors + kFromLower,
              Code()
                  .set(reg::PRENR_EL2, 9)
                  .add({mrs(20, reg::ESR_EL2), mrs(23, reg::FAR_EL2), add(9, 9, 1), sub(10, 9, 2),
                        cbnz(10, 2), kWfi, kEret}));
  run_guest(Code().mov(9, 0).mov(1, kWindow).add({mem(kLdr, 3, 1), hvc(0), mem(kLdr, 3, 1)}),
            kHcrVm, setup(Code().add(el2_region(1, kData, 0x1000, kReadWriteAll))));
  EXPECT_EQ(cpu().x(9), 2u);
  EXPECT_EQ(ec(), ExceptionClass::data_abort_lower);
  EXPECT_EQ(far(), kWindow);
}

TEST_F(CpuMsa, AVmsaAndAPmsaGuestTakeTurns) {
  make_r82();
  // Each time the guest calls, EL2 changes what EL1 translates with: VMSA, PMSA off, VMSA.
  Code handler = Code().add({mrs(11, reg::VTCR_EL2)});
  handler.mov(12, kMsa).add({0xca0c0000 | 11u << 5 | 11, msr(reg::VTCR_EL2, 11)});  // EOR x11
  handler.mov(12, 1).add(
      {mrs(11, reg::SCTLR_EL1), 0xca0c0000 | 11u << 5 | 11, msr(reg::SCTLR_EL1, 11), kEret});
  put_handler(kEl2Vectors + kFromLower, handler);
  poke(kData, 42);
  run_guest(Code()
                .mov(1, kWindow)
                .mov(2, kData)
                .add({mem(kLdr, 3, 1), hvc(0), mem(kLdr, 4, 2), hvc(0), mem(kLdr, 5, 1)}),
            kHcrVm, setup(Code().add(el2_region(1, kData, 0x1000, kReadWriteAll))));
  EXPECT_EQ(cpu().x(3), 42u);
  EXPECT_EQ(cpu().x(4), 42u);
  EXPECT_EQ(cpu().x(5), 42u);
}

TEST_F(CpuMsa, AddressTranslationGoesThroughBothSystems) {
  make_r82();
  const SysReg s1e1r = sysreg(1, 0, 7, 8, 0), s12e1r = sysreg(1, 4, 7, 8, 4);
  run_code(setup(Code().add(el2_region(1, kData, 0x1000, kReadWriteAll)))
               .set(reg::HCR_EL2, kHcrVm)
               .sys(s1e1r, kWindow + 0x1000)
               .add({mrs(0, reg::PAR_EL1)})
               .sys(s12e1r, kWindow)
               .add({mrs(1, reg::PAR_EL1)})
               .sys(s12e1r, kWindow + 0x1000)
               .add({mrs(2, reg::PAR_EL1)})
               .set(reg::PRENR_EL2, 1)
               .sys(s1e1r, kWindow)
               .add({mrs(3, reg::PAR_EL1)}),
           kHcrRw);
  EXPECT_EQ(cpu().x(0) & 0xffff'ffff'f001, kData + 0x1000);
  EXPECT_EQ(cpu().x(1) & 0xffff'ffff'f001, kData);
  EXPECT_EQ(cpu().x(2) & 0x3ff, 1u | 0x04 << 1 | 1 << 9);
  EXPECT_EQ(cpu().x(3) & 0x3ff, 1u | 0x04 << 1 | 1 << 8 | 1 << 9) << "stage 2 on the walk";
}

TEST_F(CpuMsa, AnAtOfTheGuestWhoseWalkTheHypervisorForbidsIsAnException) {
  make_r82();
  const SysReg s1e1r = sysreg(1, 0, 7, 8, 0);
  // The guest's code has been translated before its tables go.
  put_handler(kEl2Vectors + kFromLower,
              Code()
                  .set(reg::PRENR_EL2, 1)
                  .add({add(9, 9, 1), sub(10, 9, 2), cbnz(10, 5), mrs(20, reg::ESR_EL2),
                        mrs(23, reg::FAR_EL2), mrs(24, reg::HPFAR_EL2), kWfi, kEret}));
  run_guest(Code().mov(9, 0).add({hvc(0)}).sys(s1e1r, kWindow), kHcrVm, setup(Code()));
  EXPECT_EQ(cpu().x(9), 2u);
  EXPECT_EQ(ec(), ExceptionClass::data_abort_lower);
  EXPECT_EQ(iss() & 0x3f, fsc::translation(0));
  EXPECT_EQ(bit(iss(), 7), true) << "S1PTW";
  EXPECT_EQ(hpfar(), kTables >> 8);
}

}  // namespace
}  // namespace trapline::test
