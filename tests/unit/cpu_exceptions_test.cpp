// Exceptions of the CPU core: every class, its syndrome and return address, and where it goes.
#include "tests/unit/cpu_fixture.h"

namespace trapline::test {
namespace {

using namespace a64;

class CpuExceptions : public CpuTest {};

TEST_F(CpuExceptions, SvcFromEl1GoesToEl1WithTheNextAddress) {
  make();
  EXPECT_EQ(run_guest({svc(0x123)}), PauseReason::wait_for_interrupt);
  EXPECT_EQ(vector_of(kEl1Vectors), kFromSpx);
  EXPECT_EQ(esr(), esr::svc(0x123));
  EXPECT_EQ(elr(), kGuest + 4);
  EXPECT_EQ(spsr(), kEl1hMasked);
  EXPECT_EQ(cpu().el(), El::el1);
}

TEST_F(CpuExceptions, SvcFromEl0EntersTheLowerVector) {
  make();
  run_guest({svc(7)}, kHcrRw, {}, 0x60000000);
  EXPECT_EQ(vector_of(kEl1Vectors), kFromLower);
  EXPECT_EQ(esr(), esr::svc(7));
  EXPECT_EQ(spsr(), 0x60000000u);
}

TEST_F(CpuExceptions, SvcFromEl1tEntersTheFirstVector) {
  make();
  run_guest({svc(7)}, kHcrRw, {}, 0x3c4);
  EXPECT_EQ(vector_of(kEl1Vectors), kFromSp0);
}

TEST_F(CpuExceptions, SvcAtEl2StaysThere) {
  make();
  run_code({svc(1)});
  EXPECT_EQ(vector_of(kEl2Vectors), kFromSpx);
  EXPECT_EQ(esr(), esr::svc(1));
}

TEST_F(CpuExceptions, TgeSendsEl0ToEl2) {
  make();
  run_guest({svc(9)}, kHcrRw | kHcrTge, {}, 0);
  EXPECT_EQ(vector_of(kEl2Vectors), kFromLower);
  EXPECT_EQ(esr(), esr::svc(9));
  EXPECT_EQ(cpu().el(), El::el2);
}

TEST_F(CpuExceptions, HvcGoesToEl2AndIsReported) {
  make();
  run_guest(Code().mov(0, 0x42).add({hvc(0xea1)}));
  EXPECT_EQ(vector_of(kEl2Vectors), kFromLower);
  EXPECT_EQ(esr(), esr::hvc(0xea1));
  EXPECT_EQ(elr(), kGuest + 8);
  const auto calls = sink.of(EventKind::hypercall);
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].a, 0xea1u);
  EXPECT_EQ(calls[0].b, 0x42u);
}

TEST_F(CpuExceptions, HvcIsUndefinedAtEl0AndWithHcd) {
  make();
  run_guest({hvc(1)}, kHcrRw, {}, kEl0Masked);
  EXPECT_EQ(vector_of(kEl1Vectors), kFromLower);
  EXPECT_EQ(esr(), esr::unknown());
  EXPECT_EQ(elr(), kGuest);

  run_guest({hvc(1)}, kHcrRw | 1ull << 29);
  EXPECT_EQ(vector_of(kEl1Vectors), kFromSpx);
  EXPECT_EQ(esr(), esr::unknown());
  EXPECT_EQ(elr(), kGuest);
}

TEST_F(CpuExceptions, CallsToFirmwareReturnBehindTheInstruction) {
  make({.has_el2 = false});
  EXPECT_EQ(run_code(Code().mov(0, 5).add({hvc(0), add(1, 0, 1)})),
            PauseReason::wait_for_interrupt);
  ASSERT_EQ(firmware.calls.size(), 1u);
  EXPECT_EQ(firmware.calls[0].conduit, Conduit::hvc);
  EXPECT_EQ(firmware.calls[0].x0, 5u);
  EXPECT_EQ(cpu().x(1), 0x5bu);

  run_code(Code().mov(0, 6).add({smc(3), add(1, 0, 2)}));
  EXPECT_EQ(firmware.calls.at(1).immediate, 3u);
  EXPECT_EQ(cpu().x(1), 0x5cu);
}

TEST_F(CpuExceptions, RefusedCallIsUndefinedAtTheInstruction) {
  make();
  firmware.answer = CallResult::refused;
  run_guest({smc(0)});
  EXPECT_EQ(vector_of(kEl1Vectors), kFromSpx);
  EXPECT_EQ(esr(), esr::unknown());
  EXPECT_EQ(elr(), kGuest);
}

TEST_F(CpuExceptions, TscTrapsSmcAtTheInstruction) {
  make();
  run_guest({smc(0x12)}, kHcrRw | 1u << 19);
  EXPECT_EQ(vector_of(kEl2Vectors), kFromLower);
  EXPECT_EQ(esr(), esr::smc(0x12));
  EXPECT_EQ(elr(), kGuest);
  EXPECT_TRUE(firmware.calls.empty());
}

TEST_F(CpuExceptions, UndefinedBrkAndHlt) {
  make();
  run_guest({kNop, kUdf});
  EXPECT_EQ(esr(), esr::unknown());
  EXPECT_EQ(elr(), kGuest + 4);
  run_guest({kNop, brk(0xf00)});
  EXPECT_EQ(vector_of(kEl1Vectors), kFromSpx);
  EXPECT_EQ(esr(), esr::brk(0xf00));
  EXPECT_EQ(elr(), kGuest + 4);
  run_guest({hlt(1)});
  EXPECT_EQ(esr(), esr::unknown());
  EXPECT_EQ(elr(), kGuest);
}

TEST_F(CpuExceptions, BrkGoesToEl2WithMdcrTde) {
  make();
  run_guest({brk(3)}, kHcrRw, Code().set(reg::MDCR_EL2, 1 << 8));
  EXPECT_EQ(vector_of(kEl2Vectors), kFromLower);
  EXPECT_EQ(esr(), esr::brk(3));
  EXPECT_EQ(elr(), kGuest);
}

TEST_F(CpuExceptions, SemihostingAnswersHlt) {
  make();
  firmware.semihosting_on = true;
  run_guest({hlt(0xf000), add(1, 0, 1)});
  EXPECT_EQ(cpu().pc(), kGuest + 12);
  EXPECT_EQ(cpu().x(1), 0x78u);
}

TEST_F(CpuExceptions, PcAlignment) {
  make();
  run_guest(Code().mov(1, kUser + 2).add({br(1)}));
  EXPECT_EQ(vector_of(kEl1Vectors), kFromSpx);
  EXPECT_EQ(ec(), ExceptionClass::pc_alignment);
  EXPECT_EQ(elr(), kUser + 2);
  EXPECT_EQ(far(), kUser + 2);
  run_guest(Code().mov(1, kUser + 2).add({br(1)}), kHcrRw | kHcrTge, {}, kEl0Masked);
  EXPECT_EQ(vector_of(kEl2Vectors), kFromLower);
  EXPECT_EQ(ec(), ExceptionClass::pc_alignment);
}

TEST_F(CpuExceptions, ExceptionReturnRestoresStateAndStack) {
  make();
  // EL1h with its own SP, an SVC, and back: flags and both stack pointers survive.
  Code guest;
  guest.mov(1, kData).add({mov_to_sp(1), spsel(0)}).mov(1, kData + 0x100).add({mov_to_sp(1)});
  guest.add({spsel(1), 0xf100003f /* cmp x1, #0 */, svc(0), mov_from_sp(2), spsel(0), mov_from_sp(3)});
  run_guest(guest);
  EXPECT_EQ(vector_of(kEl1Vectors), kFromSpx);
  EXPECT_EQ(spsr(), kEl1hMasked | pstate::kC);
  run();
  EXPECT_EQ(cpu().x(2), kData);
  EXPECT_EQ(cpu().x(3), kData + 0x100);
  const auto returns = sink.of(EventKind::exception_return);
  ASSERT_EQ(returns.size(), 2u);  // EL2 to EL1, and the handler's.
  EXPECT_EQ(returns[1].a, 0x101u);
}

TEST_F(CpuExceptions, HandlerOfEl0UsesTheHandlersStack) {
  make();
  Code setup;
  setup.mov(1, kData + 0x80).add({msr(reg::SP_EL1, 1)}).mov(1, kData).add({msr(reg::SP_EL0, 1)});
  run_guest({sub(31, 31, 0x10), svc(0)}, kHcrRw, setup, kEl0Masked);
  ASSERT_EQ(vector_of(kEl1Vectors), kFromLower);
  put(kEl1Vectors + kFromLower, {mov_from_sp(1), mrs(2, reg::SP_EL0), kWfi});
  cpu().power_on(kCode, El::el2, 0);
  run();
  EXPECT_EQ(cpu().x(1), kData + 0x80);
  EXPECT_EQ(cpu().x(2), kData - 0x10);
}

TEST_F(CpuExceptions, EntrySetsMasksAndClearsNothingElse) {
  make();
  put(kEl1Vectors, {});
  run_guest({svc(0)}, kHcrRw, {}, 0xf0000005);
  EXPECT_EQ(spsr(), 0xf0000005u);
  put(kEl1Vectors + kFromSpx, {mrs(4, reg::DAIF), mrs(5, reg::NZCV), mrs(6, reg::SPSel), kWfi});
  cpu().power_on(kCode, El::el2, 0);
  run();
  EXPECT_EQ(cpu().x(4), 0x3c0u);
  EXPECT_EQ(cpu().x(5), 0xf0000000u);
  EXPECT_EQ(cpu().x(6), 1u);
}

TEST_F(CpuExceptions, PanIsSetUnlessSpan) {
  make({.model = "max"});
  const Code show{mrs(4, reg::PAN), kWfi};
  const auto pan_on_entry = [&](std::uint64_t sctlr) {
    put(kEl1Vectors + kFromSpx, show);
    run_guest(Code().set(reg::SCTLR_EL1, sctlr).add({svc(0)}));
    return cpu().x(4) >> 22;
  };
  EXPECT_EQ(pan_on_entry(0x30d00800 & ~(1u << 23)), 1u);
  EXPECT_EQ(pan_on_entry(0x30d00800 | 1u << 23), 0u);
}

struct SysregTrap {
  const char* name;
  std::uint64_t hcr;
  Word instruction;
  std::uint64_t mdcr = 0;
};

TEST_F(CpuExceptions, HcrTrapsSystemRegistersOfEl1) {
  make();
  const SysregTrap cases[] = {
      {"TVM", 1ull << 26, msr(reg::SCTLR_EL1, 3)},
      {"TVM ttbr", 1ull << 26, msr(reg::TTBR0_EL1, 3)},
      {"TVM contextidr", 1ull << 26, msr(reg::CONTEXTIDR_EL1, 3)},
      {"TRVM", 1ull << 30, mrs(4, reg::TCR_EL1)},
      {"TID3", 1ull << 18, mrs(4, reg::ID_AA64PFR0_EL1)},
      {"TID3 reserved", 1ull << 18, mrs(4, sysreg(3, 0, 0, 7, 7))},
      {"TID2", 1ull << 17, mrs(4, reg::CTR_EL0)},
      {"TID2 write", 1ull << 17, msr(reg::CSSELR_EL1, 4)},
      {"TID1", 1ull << 16, mrs(4, reg::REVIDR_EL1)},
      {"TACR", 1ull << 21, mrs(4, reg::ACTLR_EL1)},
      {"TSW", 1ull << 22, msr(reg::DC_ISW, 4)},
      {"TPC", 1ull << 23, msr(reg::DC_CIVAC, 4)},
      {"TPU", 1ull << 24, msr(reg::IC_IALLU, 31)},
      {"TTLB", 1ull << 25, msr(reg::TLBI_VMALLE1, 31)},
      {"TTLB by VA", 1ull << 25, msr(reg::TLBI_VAE1IS, 4)},
      {"TDZ", 1ull << 28, msr(reg::DC_ZVA, 4)},
      {"TIDCP", 1ull << 20, mrs(4, sysreg(3, 0, 15, 2, 0))},
      {"TDA", 0, mrs(4, reg::MDSCR_EL1), 1u << 9},
      {"TDRA", 0, mrs(4, reg::MDRAR_EL1), 1u << 11},
      {"TDOSA", 0, msr(reg::OSLAR_EL1, 4), 1u << 10},
      {"TPM", 0, mrs(4, reg::PMCCNTR_EL0), 1u << 6},
  };
  for (const SysregTrap& trap : cases) {
    SCOPED_TRACE(trap.name);
    Code guest = Code().mov(4, kData).add({trap.instruction});
    run_guest(guest, kHcrRw | trap.hcr, Code().set(reg::MDCR_EL2, trap.mdcr));
    EXPECT_EQ(vector_of(kEl2Vectors), kFromLower);
    EXPECT_EQ(esr(), esr::sysreg_trap(trap.instruction));
    EXPECT_EQ(elr(), kGuest + (guest.words.size() - 1) * 4);
    run_guest(guest, kHcrRw);
    EXPECT_NE(vector_of(kEl2Vectors), kFromLower) << "without the control";
  }
}

TEST_F(CpuExceptions, CptrTrapsCpacr) {
  make();
  run_guest({mrs(4, reg::CPACR_EL1)}, kHcrRw, Code().set(reg::CPTR_EL2, 0x33ff | 1u << 31));
  EXPECT_EQ(esr(), esr::sysreg_trap(mrs(4, reg::CPACR_EL1)));
}

TEST_F(CpuExceptions, FloatingPointTrapsGoWhereTheControlsSay) {
  make();
  const auto taken_to = [&](std::uint64_t cpacr, std::uint64_t cptr, Word word, bool user) {
    const Code controls = Code().set(reg::CPACR_EL1, cpacr << 20).set(reg::CPTR_EL2, cptr).add({kIsb});
    run_guest({kNop, word}, kHcrRw, Code(controls).set(reg::SCTLR_EL1, 0x30d10800),
              user ? kEl0Masked : kEl1hMasked);
    if (cpu().pc() - kGuest < 16) return -1;
    EXPECT_EQ(esr(), esr::fp_access_trap());
    EXPECT_EQ(elr(), kGuest + 4);
    return static_cast<int>(cpu().el());
  };
  const Word fp = fmov_d_x(0, 0), control = mrs(1, reg::FPCR);
  constexpr std::uint64_t kTfp = 1u << 10;
  EXPECT_EQ(taken_to(3, 0, fp, false), -1);
  EXPECT_EQ(taken_to(0, 0, fp, false), 1);
  EXPECT_EQ(taken_to(0, 0, control, false), 1);
  EXPECT_EQ(taken_to(1, 0, fp, false), -1) << "FPEN 1 traps EL0 alone";
  EXPECT_EQ(taken_to(1, 0, fp, true), 1);
  EXPECT_EQ(taken_to(3, kTfp, fp, false), 2);
  EXPECT_EQ(taken_to(3, kTfp, fp, true), 2);
  EXPECT_EQ(taken_to(0, kTfp, fp, false), 1) << "EL1's control comes first";
  EXPECT_EQ(taken_to(3, 0, fp, true), -1);
}

TEST_F(CpuExceptions, El0TrapsOfSctlr) {
  make();
  struct {
    Word instruction;
    std::uint64_t enable;
  } const cases[] = {{mrs(4, reg::CTR_EL0), 1u << 15},
                     {msr(reg::DC_ZVA, 4), 1u << 14},
                     {msr(reg::DC_CVAU, 4), 1u << 26},
                     {mrs(4, reg::DAIF), 1u << 9},
                     {daifset(2), 1u << 9},
                     {kWfi, 1u << 16}};
  for (const auto& trap : cases) {
    SCOPED_TRACE(trap.instruction);
    const Code user = Code().mov(4, kData).add({trap.instruction});
    const auto with = [&](std::uint64_t sctlr) {
      return Code().set(reg::SCTLR_EL1, sctlr);
    };
    run_guest(user, kHcrRw, with(0x30d00800), kEl0Masked);
    EXPECT_EQ(vector_of(kEl1Vectors), kFromLower);
    EXPECT_EQ(esr(), trap.instruction == kWfi ? esr::wfx(kWfi) : esr::sysreg_trap(trap.instruction));
    run_guest(user, kHcrRw, with(0x30d10800 | trap.enable), kEl0Masked);
    EXPECT_EQ(vector_of(kEl1Vectors), std::nullopt) << "enabled";
    run_guest(user, kHcrRw | kHcrTge, with(0x30d00800), kEl0Masked);
    EXPECT_EQ(vector_of(kEl2Vectors), kFromLower) << "with TGE";
  }
}

TEST_F(CpuExceptions, RegistersOfEl2AreUndefinedAtEl1) {
  make();
  for (const Word word : {mrs(4, reg::HCR_EL2), msr(reg::VTTBR_EL2, 4), mrs(4, reg::ESR_EL2)}) {
    run_guest({word});
    EXPECT_EQ(vector_of(kEl1Vectors), kFromSpx);
    EXPECT_EQ(esr(), esr::unknown());
    EXPECT_EQ(elr(), kGuest);
  }
}

TEST_F(CpuExceptions, IdentificationIsThatOfTheModel) {
  make();
  run_guest({mrs(1, reg::MPIDR_EL1), mrs(2, reg::MIDR_EL1), mrs(3, reg::ID_AA64PFR0_EL1),
             mrs(4, reg::ID_AA64MMFR2_EL1)},
            kHcrRw, Code().set(reg::VMPIDR_EL2, 0x80000102).set(reg::VPIDR_EL2, 0x1234));
  EXPECT_EQ(cpu().x(1), 0x80000102u);
  EXPECT_EQ(cpu().x(2), 0x1234u);
  EXPECT_EQ(cpu().x(3), 0x01000111u);
  EXPECT_EQ(cpu().x(4), 0u);
  run_code({mrs(1, reg::MPIDR_EL1), mrs(2, reg::MIDR_EL1)});
  EXPECT_EQ(cpu().x(1), 0x80000000u);
  EXPECT_EQ(cpu().x(2) >> 4 & 0xfff, 0xd07u);
}

TEST_F(CpuExceptions, UndefinedIsNoStepWhereDebugExceptionsAreDisabled) {
  make();
  const Code stepping = Code().set(reg::MDSCR_EL1, 1);
  run_guest(Code(stepping).add({kUdf}));  // KDE is 0, and PSTATE.D is set.
  EXPECT_EQ(ec(), ExceptionClass::unknown);
  run_guest({svc(0)}, kHcrRw, stepping, 0x3c0);  // From EL0 they are enabled.
  EXPECT_EQ(ec(), ExceptionClass::software_step_lower);
  run_guest({kUdf}, kHcrRw, stepping, 0x3c0 | 1u << 21);  // PSTATE.SS: one instruction first.
  EXPECT_EQ(ec(), ExceptionClass::unknown);
}

TEST_F(CpuExceptions, IllegalReturnsComeBeforeWhateverIsWrongWithTheAddress) {
  make();
  for (const VirtAddr to : {kGuest, kGuest + 2, VirtAddr{kHole}, ~VirtAddr{0}}) {
    SCOPED_TRACE(to);
    run_code(Code().enter(El::el2, to, 0x3ce));  // No such mode.
    EXPECT_EQ(ec(), ExceptionClass::illegal_state);
    EXPECT_EQ(elr(), to);
  }
}

TEST_F(CpuExceptions, PowerOnIsAReset) {
  make();
  run_code(Code().set(reg::SCTLR_EL1, 0x30d00801).set(reg::TPIDR_EL0, 5).mov(7, 9));
  run_code({mrs(1, reg::SCTLR_EL1), mrs(2, reg::VTTBR_EL2), mrs(3, reg::DAIF)});
  EXPECT_EQ(cpu().x(1) & 1, 0u);
  EXPECT_EQ(cpu().x(2), 0u);
  EXPECT_EQ(cpu().x(3), 0x3c0u);
  EXPECT_EQ(cpu().x(7), 0u);
}

TEST_F(CpuExceptions, RepeatedExceptionsAreCalledStuck) {
  make();
  // No vectors: the first instruction of the handler faults for ever.
  const Code bad = Code().set(reg::VBAR_EL2, kHole).add({svc(0)});
  EXPECT_EQ(run_code(bad), PauseReason::stuck);
  EXPECT_NE(cpu().stuck_reason().find("repeats for ever"), std::string::npos);
  EXPECT_NE(cpu().describe().find("EL2"), std::string::npos);
}

}  // namespace
}  // namespace trapline::test
