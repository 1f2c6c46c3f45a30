// Interrupts, waiting and counting: what happens at which instruction.
#include "tests/unit/cpu_fixture.h"

namespace trapline::test {
namespace {

using namespace a64;

class CpuTime : public CpuTest {
 protected:
  /// A wake-up that raises a line when CPU 0 has run so many cycles of 1 ns.
  void raise_at(std::uint64_t cycle, Line& line) {
    wakeups.push_back(std::make_unique<Wakeup>(timeline, [&line] { line.set(true); }));
    wakeups.back()->at(cycle * 1000);
  }
  std::vector<std::unique_ptr<Wakeup>> wakeups;
};

struct Routing {
  const char* name;
  std::uint64_t hcr;
  std::uint64_t state;  ///< PSTATE of the guest.
  bool fiq;
  PhysAddr vectors;  ///< Where it is taken; 0: it stays pending.
  unsigned offset;
};

TEST_F(CpuTime, PhysicalInterruptsAreRoutedAndMasked) {
  constexpr std::uint64_t kImo = 1u << 4, kFmo = 1u << 3;
  const Routing cases[] = {
      {"EL1 unmasked", 0, 0x345, false, kEl1Vectors, kFromSpx + kIrq},
      {"EL1 masked", 0, 0x3c5, false, 0, 0},
      {"EL0", 0, 0x340, false, kEl1Vectors, kFromLower + kIrq},
      {"IMO takes it to EL2 whatever the mask", kImo, 0x3c5, false, kEl2Vectors, kFromLower + kIrq},
      {"IMO is not for FIQ", kImo, 0x3c5, true, 0, 0},
      {"FIQ", 0, 0x385, true, kEl1Vectors, kFromSpx + kFiq},
      {"FMO", kFmo, 0x3c5, true, kEl2Vectors, kFromLower + kFiq},
      {"TGE", kHcrTge, 0x3c0, false, kEl2Vectors, kFromLower + kIrq},
      {"EL2 with IMO", kImo, 0x349, false, kEl2Vectors, kFromSpx + kIrq},
      {"EL2 with IMO, masked", kImo, 0x3c9, false, 0, 0},
      {"EL2 without IMO", 0, 0x349, false, 0, 0},
  };
  for (const Routing& routing : cases) {
    SCOPED_TRACE(routing.name);
    vector_end = b(0);
    make();
    (routing.fiq ? cpu().lines().fiq : cpu().lines().irq).set(true);
    run_guest({kNop, b(1), kNop, b(0)}, kHcrRw | routing.hcr,
              Code().set(reg::SCTLR_EL1, 0x30d10800), routing.state);
    if (routing.vectors == 0) {
      EXPECT_EQ(cpu().pc(), kGuest + 3 * 4);
    } else {
      EXPECT_EQ(vector_of(routing.vectors), routing.offset);
      EXPECT_EQ(elr(), kGuest);
      EXPECT_EQ(spsr(), routing.state);
    }
  }
}

TEST_F(CpuTime, VirtualInterruptsNeedTheirControlAndGoToEl1) {
  constexpr std::uint64_t kImo = 1u << 4, kFmo = 1u << 3, kAmo = 1u << 5;
  const auto taken = [&](std::uint64_t hcr, std::uint64_t state, bool line) {
    vector_end = b(0);
    make();
    cpu().lines().virq.set(line);
    run_guest({b(1), b(0)}, kHcrRw | hcr, {}, state);
    return vector_of(kEl1Vectors);
  };
  EXPECT_EQ(taken(kImo, 0x345, true), kFromSpx + kIrq);
  EXPECT_EQ(taken(0, 0x345, true), std::nullopt);
  EXPECT_EQ(taken(kImo, 0x3c5, true), std::nullopt);
  EXPECT_EQ(taken(kImo | 1u << 7, 0x345, false), kFromSpx + kIrq) << "HCR_EL2.VI";
  EXPECT_EQ(taken(kFmo | 1u << 6, 0x385, false), kFromSpx + kFiq) << "HCR_EL2.VF";
  EXPECT_EQ(taken(kAmo | 1u << 8, 0x2c5, false), kFromSpx + kSError) << "HCR_EL2.VSE";
  EXPECT_EQ(ec(), ExceptionClass::serror);
  EXPECT_EQ(taken(kImo | 1u << 7, 0x349, false), std::nullopt) << "never at EL2";
}

TEST_F(CpuTime, TakingAVirtualSErrorClearsItsBit) {
  make();
  put(kEl1Vectors + kFromSpx + kSError, {hvc(0)});
  put(kEl2Vectors + kFromLower, {mrs(1, reg::HCR_EL2), kWfi});
  run_guest({b(1)}, kHcrRw | 1u << 5 | 1u << 8, {}, 0x2c5);
  EXPECT_EQ(cpu().x(1), kHcrRw | 1u << 5);
}

TEST_F(CpuTime, UnmaskingTakesAPendingInterruptAtOnce) {
  vector_end = b(0);
  make();
  cpu().lines().irq.set(true);
  run_guest({kNop, daifclr(2), a64::add(1, 1, 1), a64::add(1, 1, 1)});
  EXPECT_EQ(vector_of(kEl1Vectors), kFromSpx + kIrq);
  EXPECT_EQ(elr(), kGuest + 8);
  EXPECT_EQ(cpu().x(1), 0u);
}

TEST_F(CpuTime, TimerFiresAtItsInstruction) {
  vector_end = b(0);
  make({.timers = true});
  // CNTP in 62.5 MHz ticks of 16 instructions; a loop of two instructions until it fires.
  Code guest = Code().set(reg::CNTP_CVAL_EL0, 100).set(reg::CNTP_CTL_EL0, 1);
  const auto loop = guest.words.size();
  guest.add({a64::add(1, 1, 1), b(-1)});
  Code setup = Code().set(reg::CNTHCTL_EL2, 3);
  run_guest(guest, kHcrRw, setup, 0x345);
  EXPECT_EQ(vector_of(kEl1Vectors), kFromSpx + kIrq);
  EXPECT_EQ(elr(), kGuest + loop * 4);
  const auto entry = sink.of(EventKind::exception_entry);
  ASSERT_EQ(entry.size(), 1u);
  EXPECT_GE(entry[0].cycles, 1600u);
  EXPECT_LE(entry[0].cycles, 1602u);
}

TEST_F(CpuTime, CounterReadsAreExactInMidBlock) {
  make({.timers = true});
  Code code = Code().mov(9, 0);
  code.words.resize(64, kNop);
  code.add({mrs(1, reg::CNTPCT_EL0)});
  code.words.resize(96, kNop);
  code.add({mrs(2, reg::CNTPCT_EL0)});
  run_code(code);
  const std::uint64_t before = prologue().words.size() + 64;
  EXPECT_EQ(cpu().x(1), before / 16);
  EXPECT_EQ(cpu().x(2), (before + 32) / 16);
}

TEST_F(CpuTime, El0CounterAccessIsTrappedByCntkctlAndCnthctl) {
  make({.timers = true});
  const Code user{mrs(1, reg::CNTPCT_EL0)};
  const auto with = [&](std::uint64_t cntkctl, std::uint64_t cnthctl) {
    run_guest(user, kHcrRw,
              Code().set(reg::SCTLR_EL1, 0x30d10800).set(reg::CNTKCTL_EL1, cntkctl).set(
                  reg::CNTHCTL_EL2, cnthctl),
              kEl0Masked);
  };
  with(0, 3);
  EXPECT_EQ(vector_of(kEl1Vectors), kFromLower);
  EXPECT_EQ(esr(), esr::sysreg_trap(user.words[0]));
  with(1, 2);
  EXPECT_EQ(vector_of(kEl2Vectors), kFromLower);
  EXPECT_EQ(esr(), esr::sysreg_trap(user.words[0]));
  with(1, 3);
  EXPECT_EQ(cpu().pc(), kGuest + 8);
}

TEST_F(CpuTime, WfiWaitsUnlessSomethingIsPending) {
  make();
  EXPECT_EQ(run_guest({movz(1, 1)}), PauseReason::wait_for_interrupt);
  EXPECT_FALSE(cpu().can_wake(PauseReason::wait_for_interrupt));
  cpu().lines().irq.set(true);  // Masked, and yet it wakes.
  EXPECT_TRUE(cpu().can_wake(PauseReason::wait_for_interrupt));
  EXPECT_EQ(run_guest({kWfi, movz(1, 2), kWfi, b(0)}), PauseReason::slice_end) << "nothing waits";
  EXPECT_EQ(cpu().x(1), 2u);
}

TEST_F(CpuTime, TwiAndTweTrapOnlyWhereTheCpuWouldWait) {
  make();
  run_guest({kWfi}, kHcrRw | 1u << 13);
  EXPECT_EQ(vector_of(kEl2Vectors), kFromLower);
  EXPECT_EQ(esr(), esr::wfx(kWfi));
  EXPECT_EQ(elr(), kGuest);
  run_guest({kWfe, kWfe}, kHcrRw | 1u << 14);
  EXPECT_EQ(vector_of(kEl2Vectors), kFromLower);
  EXPECT_EQ(esr(), esr::wfx(kWfe));
  EXPECT_EQ(elr(), kGuest + 4) << "the exception return had set the event register";
  cpu().lines().irq.set(true);
  put(kEl2Vectors + kFromLower, {mrs(20, reg::ESR_EL2), b(0)});
  run_guest({kWfi, movz(1, 7), hvc(1)}, kHcrRw | 1u << 13);
  EXPECT_EQ(cpu().x(1), 7u);
  EXPECT_EQ(esr(), esr::hvc(1));
}

TEST_F(CpuTime, EventsEndWfe) {
  make({.cpus = 2});
  EXPECT_EQ(run_code({kWfe, movz(1, 1)}), PauseReason::wait_for_event);
  EXPECT_FALSE(cpu().can_wake(PauseReason::wait_for_event));
  EXPECT_EQ(run_code({kSevl, kWfe, movz(1, 2), kWfe}), PauseReason::wait_for_event);
  EXPECT_EQ(cpu().x(1), 2u);
  EXPECT_EQ(run_code({kNop, kSev, kNop, kWfe, movz(1, 3)}), PauseReason::wait_for_interrupt);
  EXPECT_EQ(cpu().x(1), 3u);

  // From the other CPU, which gives way to the one that it wakes.
  EXPECT_EQ(run_code({kWfe, movz(1, 4)}), PauseReason::wait_for_event);
  put(kGuest, {kSev, b(1), b(0)});
  cpu(1).power_on(kGuest, El::el2, 0);
  EXPECT_EQ(run(1'000'000, 1), PauseReason::slice_end);
  EXPECT_LT(cpu(1).counters().instructions, 10u);
  EXPECT_TRUE(cpu().can_wake(PauseReason::wait_for_event));
  EXPECT_EQ(run(), PauseReason::wait_for_interrupt);
  EXPECT_EQ(cpu().x(1), 4u);
}

TEST_F(CpuTime, YieldGivesWayOnlyToOthers) {
  make({.cpus = 2});
  put(kGuest, {kYield, b(-1)});
  cpu().power_on(kGuest, El::el2, 0);
  EXPECT_EQ(cpu().run({.instructions = 100, .sharers = 2}), PauseReason::yielded);
  EXPECT_EQ(cpu().run({.instructions = 100, .sharers = 1}), PauseReason::slice_end);
}

TEST_F(CpuTime, InstructionCountsAreExactAroundEarlyExits) {
  make();
  const auto count = [&](const Code& guest) {
    const std::uint64_t before = cpu().counters().instructions;
    run_guest(guest);
    return cpu().counters().instructions - before;
  };
  const std::uint64_t base = count({});
  constexpr std::uint64_t kEl1Handler = 5, kEl2Handler = 6;  // Up to and with its WFI.
  EXPECT_EQ(count({kNop, kNop, kNop}), base + 3);
  EXPECT_EQ(count({kNop, svc(0), kNop}), base - 1 + 2 + kEl1Handler);
  EXPECT_EQ(count({kNop, hvc(0), kNop}), base - 1 + 2 + kEl2Handler);
  EXPECT_EQ(count({kNop, kUdf, kNop}), base - 1 + 1 + kEl1Handler) << "it does not retire";
  EXPECT_EQ(count({kNop, brk(0), kNop}), base - 1 + 1 + kEl1Handler);
  EXPECT_EQ(count(Code().mov(1, kDevice).add({mem(kLdr, 2, 1), kNop})), base + 4);
  EXPECT_EQ(count(Code().mov(1, kHole).add({kNop, mem(kLdr, 2, 1), kNop})),
            base - 1 + 3 + kEl1Handler);
  EXPECT_EQ(count(Code().mov(1, kHole).add({br(1)})), base - 1 + 3 + kEl1Handler);
  EXPECT_EQ(count({kNop, mrs(1, sysreg(3, 0, 15, 7, 7)), kNop}), base - 1 + 1 + kEl1Handler);
}

TEST_F(CpuTime, SlicesEndAtTheFirstSamplingPoint) {
  make();
  put(kGuest, {kNop, kNop, kNop, b(-3)});
  cpu().power_on(kGuest, El::el2, 0);
  EXPECT_EQ(run(1), PauseReason::slice_end);
  EXPECT_EQ(cpu().counters().instructions, 4u);
  EXPECT_EQ(cpu().pc(), kGuest);
  run(9);
  EXPECT_EQ(cpu().counters().instructions, 16u);
}

/// A machine of its own: runs a program with a timer, device accesses, faults and calls for 20000
/// instructions, `slice` at a time, and returns the digest of its events.
struct World final : CpuTest {
  void TestBody() override {}
  std::string digest(std::uint64_t slice, std::uint64_t hz) {
    make({.timers = true, .hz = hz});
    put(kEl1Vectors + kFromSpx + kIrq,
        Code({mrs(10, reg::CNTPCT_EL0), a64::add(10, 10, 40), msr(reg::CNTP_CVAL_EL0, 10), kEret}));
    put(kEl1Vectors + kFromSpx,
        Code({mrs(10, reg::ELR_EL1), a64::add(10, 10, 4), msr(reg::ELR_EL1, 10), kEret}));
    put(kEl2Vectors + kFromLower, {kEret});
    Code guest = Code().mov(1, kDevice).mov(2, kHole);
    guest.set(reg::CNTP_CVAL_EL0, 100).set(reg::CNTP_CTL_EL0, 1);
    guest.add({mem(kStr, 3, 1), a64::add(3, 3, 1), mem(kLdr, 4, 2), kNop, kNop, hvc(1),
               mrs(5, reg::CNTVCT_EL0), mem(kStr, 5, 1), b(-8)});
    Code code = prologue().set(reg::CNTHCTL_EL2, 3).enter(El::el2, kGuest, 0x345);
    put(kCode, code);
    put(kGuest, guest);
    cpu().power_on(kCode, El::el2, 0);
    while (cpu().counters().instructions < 20'000) {
      EXPECT_EQ(cpu().run({.instructions = slice, .instruction_limit = 20'000}),
                PauseReason::slice_end);
    }
    EXPECT_GT(sink.events.size(), 3000u);
    return events.digest().text();
  }
};

TEST(CpuSlices, TheHostsSlicingChangesNothing) {
  for (const std::uint64_t hz : {1'000'000'000ull, 1'300'000'000ull}) {
    SCOPED_TRACE(hz);
    const std::string whole = World().digest(1'000'000, hz);
    for (const std::uint64_t slice : {1u, 7u, 100u, 1999u}) {
      EXPECT_EQ(World().digest(slice, hz), whole) << "slices of " << slice;
    }
  }
}

TEST_F(CpuTime, ALimitEndsTheSliceEvenInALongQuantum) {
  make();
  put(kGuest, {b(0)});
  cpu().power_on(kGuest, El::el2, 0);
  cpu().run({.instructions = ~0ull, .instruction_limit = 1234});
  EXPECT_EQ(cpu().counters().instructions, 1234u);
}

}  // namespace
}  // namespace trapline::test
