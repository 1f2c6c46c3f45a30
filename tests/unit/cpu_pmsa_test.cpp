// The Cortex-R82: identification, its own registers, and PMSAv8-64 as programs meet it.
#include "tests/unit/cpu_pmsa_fixture.h"

namespace trapline::test {
namespace {

using namespace a64;

class CpuR82 : public PmsaTest {};

TEST_F(CpuR82, SaysWhatItIs) {
  make_r82();
  run_code(Code().add({mrs(0, reg::MIDR_EL1), mrs(1, reg::ID_AA64MMFR0_EL1), mrs(2, reg::MPUIR_EL2),
                       mrs(3, reg::MPUIR_EL1), mrs(4, reg::ID_AA64PFR0_EL1), mrs(5, reg::HCR_EL2),
                       mrs(6, sysreg(3, 0, 0, 1, 0)), mrs(7, reg::VPIDR_EL2)}),
           0);
  EXPECT_EQ(cpu().x(0) & 0xff0ffff0, 0x410fd150u);
  EXPECT_EQ(bits(cpu().x(1), 51, 48), 0xfu) << "MSA";
  EXPECT_EQ(bits(cpu().x(1), 55, 52), 2u) << "MSA_frac";
  EXPECT_EQ(bits(cpu().x(1), 3, 0), 2u) << "40 bits of physical address";
  EXPECT_EQ(cpu().x(2), 16u);
  EXPECT_EQ(cpu().x(3), 16u);
  EXPECT_EQ(bits(cpu().x(4), 15, 12), 0u) << "no EL3";
  EXPECT_EQ(bits(cpu().x(4), 39, 36), 1u) << "Secure EL2";
  EXPECT_EQ(cpu().x(5), kHcrRw) << "HCR_EL2.RW reads as one";
  EXPECT_EQ(cpu().x(6), 0u) << "AArch32 ID registers read as zero";
  EXPECT_EQ(cpu().x(7), cpu().x(0));
}

TEST_F(CpuR82, OptionsShowInTheIdRegisters) {
  make_r82(
      {.model = "cortex-r82", .mpu = {.el1_regions = 24, .el2_regions = 32}, .vmsa_at_el1 = false});
  run_code(
      Code().add({mrs(1, reg::ID_AA64MMFR0_EL1), mrs(2, reg::MPUIR_EL2), mrs(3, reg::MPUIR_EL1)}));
  EXPECT_EQ(bits(cpu().x(1), 55, 52), 1u);
  EXPECT_EQ(cpu().x(2), 32u);
  EXPECT_EQ(cpu().x(3), 24u);
  make_r82({.model = "cortex-r82", .has_el2 = false});
  run_code(Code().add({mrs(1, reg::ID_AA64MMFR0_EL1), mrs(4, reg::ID_AA64PFR0_EL1)}));
  EXPECT_EQ(bits(cpu().x(1), 55, 52), 1u);
  EXPECT_EQ(bits(cpu().x(4), 11, 8), 0u) << "no EL2";
}

TEST_F(CpuR82, AtEl1IdentityIsWhatTheHypervisorSays) {
  make_r82();
  run_guest(Code().add({mrs(0, reg::MIDR_EL1), mrs(1, reg::MPIDR_EL1)}), kHcrRw,
            Code().set(reg::VPIDR_EL2, 0x1234).set(reg::VMPIDR_EL2, 0x80000007));
  EXPECT_EQ(cpu().x(0), 0x1234u);
  EXPECT_EQ(cpu().x(1), 0x80000007u);
}

TEST_F(CpuR82, SmcIsUndefinedEvenWhereItWouldTrap) {
  make_r82();
  run_code(Code().add({smc(0)}));
  EXPECT_EQ(ec(), ExceptionClass::unknown);
  run_guest(Code().add({smc(0)}), kHcrRw | 1u << 19);
  EXPECT_EQ(vector_of(kEl1Vectors), kFromSpx);
  EXPECT_EQ(ec(), ExceptionClass::unknown);
  EXPECT_TRUE(firmware.calls.empty());
}

TEST_F(CpuR82, AnEl1OnlyPartHasNoEl2Registers) {
  make_r82({.model = "cortex-r82", .has_el2 = false});
  run_code(Code().add({mrs(0, reg::MPUIR_EL1), mrs(1, reg::MPUIR_EL2)}));
  EXPECT_EQ(cpu().x(0), 16u);
  EXPECT_EQ(ec(), ExceptionClass::unknown);
  run_code(Code().add({hvc(0)}));
  EXPECT_EQ(ec(), ExceptionClass::unknown);
}

TEST_F(CpuR82, VsctlrHoldsTheVmidAndEventsShowIt) {
  make_r82();
  run_guest(Code().add({hvc(0)}), kHcrRw,
            Code().set(reg::VSCTLR_EL2, 0x1234'5678'9abc'def0).add({mrs(0, reg::VSCTLR_EL2)}));
  EXPECT_EQ(cpu().x(0), 0x1234'0000'0000'0000u);
  ASSERT_FALSE(sink.of(EventKind::hypercall).empty());
  EXPECT_EQ(sink.of(EventKind::hypercall).back().vmid, 0x1234u);
}

TEST_F(CpuR82, SecureHypervisorTimerAndVstcrExist) {
  make_r82({.model = "cortex-r82", .timers = true});
  run_code(Code()
               .set(reg::CNTHPS_CVAL_EL2, 0x123456789)
               .set(reg::CNTHPS_CTL_EL2, 1)
               .set(reg::VSTCR_EL2, ~0ull)
               .add({mrs(0, reg::CNTHPS_CVAL_EL2), mrs(1, reg::CNTHPS_CTL_EL2),
                     mrs(2, reg::VSTCR_EL2), kNop}));
  EXPECT_EQ(cpu().x(0), 0x123456789u);
  EXPECT_EQ(cpu().x(1), 1u);
  EXPECT_EQ(cpu().x(2), 1u << 20 | 1u << 30);
  run_guest(Code().add({mrs(0, reg::CNTHPS_CTL_EL2)}));
  EXPECT_EQ(ec(), ExceptionClass::unknown);
}

TEST_F(CpuR82, ImplementationDefinedRegistersDoNotStopStartUpCode) {
  make_r82();
  const SysReg cpuactlr = sysreg(3, 0, 15, 1, 0), unknown = sysreg(3, 0, 15, 9, 3);
  run_code(Code().set(cpuactlr, 0x55).set(unknown, 0x66).add({mrs(0, cpuactlr), mrs(1, unknown)}));
  EXPECT_EQ(cpu().x(0), 0x55u);
  EXPECT_EQ(cpu().x(1), 0u);
  run_guest(Code().add({mrs(0, cpuactlr)}), kHcrRw | 1u << 20);
  EXPECT_EQ(vector_of(kEl2Vectors), kFromLower) << "HCR_EL2.TIDCP";
}

TEST_F(CpuR82, CacheMaintenanceBySetAndWayIsAccepted) {
  make_r82();
  run_code(Code().sys(sysreg(1, 0, 7, 14, 2)).sys(sysreg(1, 0, 7, 6, 2)).mov(1, 7).add({kNop}));
  EXPECT_EQ(cpu().x(1), 7u);
  EXPECT_EQ(vector_of(kEl2Vectors), std::nullopt);
}

TEST_F(CpuR82, ScalableVectorsAreUndefined) {
  make_r82();
  run_code(Code().set(reg::CPTR_EL2, 0).set(reg::CPACR_EL1, ~0u).add({kIsb, 0x04bf5020}));  // RDVL
  EXPECT_EQ(ec(), ExceptionClass::unknown);
}

TEST_F(CpuR82, InstructionsAreThoseOfTheDocumentation) {
  // docs/cortex-r82.md. X1 points at data, X2 is 0.
  const Word executed[] = {0xd500401f, 0xba000401, 0x3a00080d,              // CFINV, RMIF, SETF8
                           0xf8bfc022, 0xd9400022, 0xd9000022,              // LDAPR, LDAPUR, STLUR
                           0x2e829400, 0x0e22ec00, 0x2e828400, 0x1ee02800,  // UDOT FMLAL RDM FP16
                           0xdac10020, 0xd503233f, 0xf8200022, 0x9ac04c00,  // PAC, LDADD, CRC32X
                           0xd503221f, 0xd503229f, 0xd50330ff};             // ESB, CSDB, SB
  const Word absent[] = {0xd503415f,
                         mrs(2, sysreg(3, 3, 4, 2, 5)),  // DIT
                         0xd503413f,
                         mrs(2, sysreg(3, 3, 4, 2, 6)),   // SSBS
                         msr(sysreg(1, 0, 8, 1, 0), 31),  // TLBI VMALLE1OS
                         msr(sysreg(1, 0, 8, 6, 1), 31),  // TLBI RVAE1
                         mrs(2, sysreg(3, 0, 1, 2, 1)),   // TRFCR_EL1
                         mrs(2, sysreg(3, 3, 13, 2, 0)),  // AMCR_EL0
                         mrs(2, sysreg(3, 0, 5, 3, 0)),   // ERRIDR_EL1
                         mrs(2, sysreg(3, 0, 12, 1, 1)),  // DISR_EL1
                         mrs(2, sysreg(3, 3, 2, 4, 0)),
                         mrs(2, sysreg(3, 3, 2, 4, 1)),  // RNDR
                         mrs(2, reg::CNTHV_CTL_EL2),
                         mrs(2, reg::CNTHV_TVAL_EL2),
                         mrs(2, reg::TTBR1_EL2),
                         mrs(2, sysreg(3, 0, 10, 4, 3))};  // LORC_EL1
  make_r82({.model = "cortex-r82", .timers = true});
  const Code setup = Code().set(reg::CPACR_EL1, 3u << 20).set(reg::CPTR_EL2, 0x33ff & ~0x400u);
  const auto undefined = [&](Word word) {
    run_code(Code(setup).add({kIsb}).mov(2, 0).mov(1, kData).add({kNop, word}));
    return vector_of(kEl2Vectors) == kFromSpx && ec() == ExceptionClass::unknown;
  };
  for (const Word word : executed) EXPECT_FALSE(undefined(word)) << std::hex << word;
  for (const Word word : absent) {
    EXPECT_TRUE(undefined(word)) << std::hex << word;
    EXPECT_EQ(cpu().x(2), 0u) << std::hex << word;
  }
}

TEST_F(CpuR82, MpuOffIsTheDefaultMap) {
  make_r82({.model = "cortex-r82",
            .mpu = {.default_map = {{kData - 1, {0xff, Shareability::non}, true},
                                    {~0ull, {0x04, Shareability::outer}, false}}}});
  run_code(Code().mov(1, kData).add({mem(kStr, 1, 1), mem(kLdr, 2, 1), br(1)}), kHcrRw);
  EXPECT_EQ(cpu().x(2), kData);
  EXPECT_EQ(esr(), esr::instruction_abort({.same_el = true, .status = fsc::permission(0)}));
  EXPECT_EQ(elr(), kData);
  EXPECT_EQ(far(), kData);
}

TEST_F(CpuR82, El2IsHeldToItsRegions) {
  make_r82();
  const Code setup = el2_on(Code().add(el2_region(1, kData, 0x1000, kReadOnly)));
  run_code(Code(setup).mov(1, kData).add({mem(kLdr, 2, 1), mem(kStr, 2, 1)}));
  EXPECT_EQ(esr(), esr::data_abort({.same_el = true, .status = fsc::permission(0), .write = true}));
  EXPECT_EQ(far(), kData);
  run_code(Code(setup).mov(1, kData + 0x1008).add({mem(kLdr, 2, 1)}));
  EXPECT_EQ(esr(), esr::data_abort({.same_el = true, .status = fsc::translation(0)}));
  EXPECT_EQ(far(), kData + 0x1008);
  run_code(Code(setup)
               .add(el2_region(2, kData + 0x800, 0x1000, kReadWrite))
               .mov(1, kData + 0x900)
               .add({mem(kLdr, 2, 1)}));
  EXPECT_EQ(esr(), esr::data_abort({.same_el = true, .status = fsc::translation(0)}))
      << "an overlap";
  run_code(Code(setup)
               .set(reg::SCTLR_EL2, kMpuOn | 1u << 17)
               .mov(1, kData + 0x1008)
               .add({mem(kLdr, 2, 1)}));
  EXPECT_EQ(vector_of(kEl2Vectors), std::nullopt) << "the background region";
}

TEST_F(CpuR82, AChangeOfRegionsActsAtOnce) {
  make_r82();
  run_code(el2_on(Code().add(el2_region(1, kData, 0x1000, kReadWrite)))
               .mov(1, kData)
               .add({mem(kStr, 1, 1)})
               .set(reg::PRENR_EL2, 1)
               .add({mem(kLdr, 2, 1)}));
  EXPECT_EQ(esr(), esr::data_abort({.same_el = true, .status = fsc::translation(0)}));
  EXPECT_EQ(peek(kData), kData);
  run_code(el2_on(Code().add(el2_region(1, kData, 0x1000, kReadWrite)))
               .mov(1, kData)
               .set(reg::PRENR_EL2, 1)
               .set(reg::PRENR_EL2, 3)
               .add({mem(kStr, 31, 1)}));
  EXPECT_EQ(vector_of(kEl2Vectors), std::nullopt);
  EXPECT_EQ(peek(kData), 0u);
  EXPECT_FALSE(sink.of(EventKind::mpu_region).empty());
}

TEST_F(CpuR82, ExclusivesAreAtomicInSplitPages) {
  make_r82({.model = "cortex-r82", .cpus = 2});
  const PhysAddr counter_at = kData + 0x20;
  poke(counter_at, 0);
  put(kGuest, el2_on(Code()
                         .add(el2_region(1, kData, 0x40, kReadWrite))
                         .add(el2_region(2, kData + 0x80, 0x1000, kReadWrite)))
                  .mov(1, counter_at)
                  .mov(3, 200)
                  .add({mem(kLdxr, 2, 1), a64::add(2, 2, 1), stxr(4, 2, 1), cbnz(4, -3),
                        sub(3, 3, 1), cbnz(3, -5), kWfi}));
  PauseReason reason[2] = {};
  for (unsigned i : {0u, 1u}) cpu(i).power_on(kGuest, El::el2, 0);
  for (unsigned turn = 0; turn < 3000; ++turn) {
    for (unsigned i : {0u, 1u}) {
      if (reason[i] != PauseReason::wait_for_interrupt) reason[i] = run(3 + turn % 5, i);
    }
  }
  EXPECT_EQ(reason[0], PauseReason::wait_for_interrupt);
  EXPECT_EQ(reason[1], PauseReason::wait_for_interrupt);
  EXPECT_EQ(peek(counter_at), 400u);
}

TEST_F(CpuR82, ClrexOpensTheMonitorOfASplitPage) {
  constexpr Word kClrex = 0xd503'3f5f;
  make_r82();
  poke(kData, 5);
  run_code(el2_on(Code().add(el2_region(1, kData, 0x40, kReadWrite)))
               .mov(1, kData)
               .add({mem(kLdxr, 2, 1), kClrex, stxr(4, 31, 1), mem(kLdxr, 2, 1), stxr(5, 31, 1),
                     stxr(6, 31, 1)}));
  EXPECT_EQ(cpu().x(4), 1u) << "after CLREX";
  EXPECT_EQ(cpu().x(5), 0u);
  EXPECT_EQ(cpu().x(6), 1u) << "without a load";
}

TEST_F(CpuR82, CodeMayForbidItsOwnPage) {
  make_r82();
  // The instruction behind the MSR is no longer there to be fetched.
  run_code(el2_on(Code()).set(reg::PRENR_EL2, 0).add({kNop}));
  EXPECT_EQ(cpu().pc() & ~0x7ffull, kEl2Vectors) << "whose fetch faults again and again";
  const auto entries = sink.of(EventKind::exception_entry);
  ASSERT_FALSE(entries.empty());
  EXPECT_EQ(entries.front().b,
            esr::instruction_abort({.same_el = true, .status = fsc::translation(0)}));
}

TEST_F(CpuR82, GuestsAreHeldToBothStages) {
  make_r82();
  const auto at_el1 = [&](const Code& guest, const Code& more = {}) {
    run_guest(guest, kHcrRw | 1,
              el1_on(el2_on(Code()
                                .add(el2_region(1, kData, 0x1000, kReadOnlyAll))
                                .add(el2_region(2, kData + 0x1000, 0x1000, kReadWrite))
                                .add(el2_region(3, kData + 0x2000, 0x1000, kReadWriteAll))
                                .add(more)),
                     Code().add(el1_region(1, kData, 0x4000, kCodeWritable))));
  };
  at_el1(Code().mov(1, kData + 0x10).add({mem(kLdr, 2, 1), mem(kStrW, 3, 1)}));
  EXPECT_EQ(vector_of(kEl2Vectors), kFromLower);
  EXPECT_EQ(esr(), esr::data_abort({.status = fsc::permission(0),
                                    .write = true,
                                    .access = {.valid = true, .size_log2 = 2, .rt = 3}}));
  EXPECT_EQ(far(), kData + 0x10);
  EXPECT_EQ(hpfar(), kData >> 8);
  at_el1(Code().mov(1, kData + 0x1010).add({mem(kLdr, 2, 1)}));
  EXPECT_EQ(esr(), esr::data_abort(
                       {.status = fsc::permission(0),
                        .access = {.valid = true, .size_log2 = 3, .rt = 2, .sixty_four = true}}));
  at_el1(Code().mov(1, kData + 0x3010).add({mem(kLdrb, 2, 1)}));
  EXPECT_EQ(esr(),
            esr::data_abort({.status = fsc::translation(0), .access = {.valid = true, .rt = 2}}));
  EXPECT_EQ(hpfar(), (kData + 0x3000) >> 8);
  at_el1(Code().mov(1, kData + 0x4010).add({mem(kLdrb, 2, 1)}));
  EXPECT_EQ(vector_of(kEl1Vectors), kFromSpx) << "stage 1 is asked first";
  EXPECT_EQ(esr(), esr::data_abort({.same_el = true, .status = fsc::translation(0)}));
  at_el1(Code().mov(1, kData + 0x2010).add({mem(kStr, 1, 1), mem(kLdr, 2, 1)}));
  EXPECT_EQ(cpu().x(2), kData + 0x2010);
  at_el1(Code().mov(1, kData + 0x1000).add({br(1)}));
  EXPECT_EQ(esr(), esr::instruction_abort({.status = fsc::permission(0)}));
  EXPECT_EQ(hpfar(), (kData + 0x1000) >> 8);
  EXPECT_EQ(elr(), kData + 0x1000);
}

TEST_F(CpuR82, RegionsThatGoAndComeBackAreSeenByTheGuest) {
  make_r82();
  // The hypervisor disables the guest's region while it runs itself, and the third time for good.
  Code handler = Code().set(reg::PRENR_EL2, 1);
  handler.add({add(9, 9, 1), sub(10, 9, 3), cbnz(10, 2), kWfi}).set(reg::PRENR_EL2, 3);
  handler.add({kEret});
  const Code guest = Code().mov(1, kData).add(
      {mem(kStr, 1, 1), hvc(0), mem(kLdr, 2, 1), hvc(0), mem(kLdr, 3, 1), hvc(0)});
  put_handler(kEl2Vectors + kFromLower, handler);
  run_guest(guest, kHcrRw | 1, el2_on(Code().add(el2_region(1, kData, 0x1000, kReadWriteAll))));
  EXPECT_EQ(cpu().x(9), 3u);
  EXPECT_EQ(cpu().x(2), kData);
  EXPECT_EQ(cpu().x(3), kData);
}

TEST_F(CpuR82, AddressTranslationInstructionsReportTheMpu) {
  make_r82();
  const Code setup = el1_on(el2_on(Code().add(el2_region(1, kData, 0x1000, kReadOnlyAll))),
                            Code().add(el1_region(1, kData, 0x2000, kReadWrite)));
  const SysReg s1e1r = sysreg(1, 0, 7, 8, 0), s12e1r = sysreg(1, 4, 7, 8, 4),
               s12e1w = sysreg(1, 4, 7, 8, 5), s1e2r = sysreg(1, 4, 7, 8, 0);
  run_code(Code(setup)
               .set(reg::HCR_EL2, kHcrRw | 1)
               .sys(s1e1r, kData + 0x1000)
               .add({mrs(0, reg::PAR_EL1)})
               .sys(s12e1r, kData + 0x1000)
               .add({mrs(1, reg::PAR_EL1)})
               .sys(s12e1w, kData)
               .add({mrs(2, reg::PAR_EL1)})
               .sys(s1e2r, kData + 0x2000)
               .add({mrs(3, reg::PAR_EL1)})
               .sys(s1e2r, kData)
               .add({mrs(4, reg::PAR_EL1)}));
  EXPECT_EQ(cpu().x(0) & 0xffff'ffff'f001, kData + 0x1000);
  EXPECT_EQ(cpu().x(1) & 0x3ff, 1u | 0x04 << 1 | 1 << 9) << "stage 2, no region";
  EXPECT_EQ(cpu().x(2) & 0x3ff, 1u | 0x0c << 1 | 1 << 9);
  EXPECT_EQ(cpu().x(3) & 0x3ff, 1u | 0x04 << 1);
  EXPECT_EQ(cpu().x(4) & 1, 0u);
}

}  // namespace
}  // namespace trapline::test
