#include "sim/cpu/pmu.h"

#include <gtest/gtest.h>

#include <string>

#include "sim/arch/registers.h"
#include "sim/time/timeline.h"

namespace trapline {
namespace {

constexpr auto kOk = SysRegStatus::ok;
constexpr auto kUndefined = SysRegStatus::undefined;
constexpr auto kTrapEl1 = SysRegStatus::trap_el1;
constexpr auto kTrapEl2 = SysRegStatus::trap_el2;

constexpr std::uint64_t kE = 1, kP = 2, kC = 4, kD = 8, kLc = 64;
constexpr std::uint64_t kCycle = 1u << 31;
constexpr std::uint64_t kTpmcr = 1 << 5, kTpm = 1 << 6, kHpme = 1 << 7;
constexpr std::uint64_t kTge = 1ull << 27;
constexpr std::uint64_t kTop = 1ull << 32;

constexpr SysRegContext kEl0{.el = El::el0};
constexpr SysRegContext kEl1{.el = El::el1};
constexpr SysRegContext kEl2{.el = El::el2};

/// A PE of 1 GHz that is given its virtual time: it executes, or waits.
class FakePe final : public CounterSource {
 public:
  static constexpr Time kPicosecondsPerCycle = 1000;
  explicit FakePe(Timeline& timeline) : timeline_(timeline) {}

  std::uint64_t cycles() const override {
    return before_ + (executing_ ? (timeline_.now() - since_) / kPicosecondsPerCycle : 0);
  }
  std::uint64_t instructions() const override { return cycles() / cycles_per_instruction; }

  void run(std::uint64_t cycles) { spend(cycles, true); }
  void wait(std::uint64_t cycles) { spend(cycles, false); }

  std::uint64_t cycles_per_instruction = 2;

 private:
  void spend(std::uint64_t cycles, bool executing) {
    before_ = this->cycles();
    since_ = timeline_.now();
    executing_ = executing;
    timeline_.advance_to(since_ + cycles * kPicosecondsPerCycle);
  }

  Timeline& timeline_;
  std::uint64_t before_ = 0;
  Time since_ = 0;
  bool executing_ = false;
};

class PmuTest : public ::testing::Test {
 protected:
  std::uint64_t read(SysReg reg, const SysRegContext& context = kEl1) {
    std::uint64_t value = 0xdead;
    EXPECT_EQ(pmu.read(reg, context, value), kOk) << name_of(reg);
    return value;
  }
  void write(SysReg reg, std::uint64_t value, const SysRegContext& context = kEl1) {
    EXPECT_EQ(pmu.write(reg, context, value), kOk) << name_of(reg);
  }
  SysRegStatus try_read(SysReg reg, const SysRegContext& context) {
    std::uint64_t ignored = 0;
    return pmu.read(reg, context, ignored);
  }
  SysRegStatus try_write(SysReg reg, const SysRegContext& context) {
    return pmu.write(reg, context, 0);
  }

  Timeline timeline;
  FakePe pe{timeline};
  Line irq{"PMUIRQ"};
  Pmu pmu{pe};
};

TEST_F(PmuTest, IdentifiesItselfAsTheCortexA57sWithWhatIsModelled) {
  EXPECT_EQ(read(reg::PMCR_EL0), 0x41013000u);
  EXPECT_EQ(read(reg::PMCEID0_EL0), 1u << 0x00 | 1u << 0x08 | 1u << 0x11);
  EXPECT_EQ(read(reg::PMCEID1_EL0), 0u);
  Pmu small{pe, 3};
  std::uint64_t value = 0;
  EXPECT_EQ(small.read(reg::PMCR_EL0, kEl1, value), kOk);
  EXPECT_EQ(value >> 11 & 0x1f, 3u);
  EXPECT_EQ(small.read(reg::PMEVCNTRn_EL0(2), kEl1, value), kOk);
  EXPECT_EQ(small.read(reg::PMEVCNTRn_EL0(3), kEl1, value), kUndefined);
}

TEST_F(PmuTest, OwnsItsRegistersOnly) {
  for (SysReg reg : {reg::PMCR_EL0, reg::PMINTENSET_EL1, reg::PMEVCNTRn_EL0(0),
                     reg::PMEVTYPERn_EL0(30), reg::PMCCFILTR_EL0, reg::PMUSERENR_EL0}) {
    EXPECT_TRUE(pmu.owns(reg)) << name_of(reg);
  }
  for (SysReg reg : {reg::CNTVCT_EL0, reg::CNTP_CTL_EL0, reg::CNTKCTL_EL1, reg::PMSCR_EL1,
                     reg::PMMIR_EL1, sysreg(3, 3, 14, 11, 7)}) {
    EXPECT_FALSE(pmu.owns(reg)) << name_of(reg);
  }
}

TEST_F(PmuTest, CycleCounterCountsWhileEnabledAndStopsWhileThePeWaits) {
  pe.run(100);
  EXPECT_EQ(read(reg::PMCCNTR_EL0), 0u);
  write(reg::PMCNTENSET_EL0, kCycle);
  pe.run(100);
  EXPECT_EQ(read(reg::PMCCNTR_EL0), 0u);
  write(reg::PMCR_EL0, kE | kLc);
  pe.run(123);
  EXPECT_EQ(read(reg::PMCCNTR_EL0), 123u);
  pe.wait(1000);
  EXPECT_EQ(read(reg::PMCCNTR_EL0), 123u);
  write(reg::PMCNTENCLR_EL0, kCycle);
  pe.run(10);
  EXPECT_EQ(read(reg::PMCCNTR_EL0), 123u);
  write(reg::PMCCNTR_EL0, 0x1'2345'6789);
  EXPECT_EQ(read(reg::PMCCNTR_EL0), 0x1'2345'6789u);
  write(reg::PMCR_EL0, kE | kC);
  EXPECT_EQ(read(reg::PMCCNTR_EL0), 0u);
}

TEST_F(PmuTest, DividerCountsEvery64CyclesAndKeepsTheRemainder) {
  write(reg::PMCNTENSET_EL0, kCycle);
  write(reg::PMCR_EL0, kE | kD);
  pe.run(63);
  EXPECT_EQ(read(reg::PMCCNTR_EL0), 0u);
  write(reg::PMSELR_EL0, 3);  // Any other write leaves the divider alone.
  pe.run(1);
  EXPECT_EQ(read(reg::PMCCNTR_EL0), 1u);
  pe.run(64 * 9 + 5);
  EXPECT_EQ(read(reg::PMCCNTR_EL0), 10u);
  write(reg::PMCR_EL0, kE | kD | kLc);  // LC overrides D.
  pe.run(7);
  EXPECT_EQ(read(reg::PMCCNTR_EL0), 17u);
}

TEST_F(PmuTest, EventCountersCountTheirEvents) {
  write(reg::PMEVTYPERn_EL0(0), Pmu::kInstRetired);
  write(reg::PMEVTYPERn_EL0(1), Pmu::kCpuCycles);
  write(reg::PMEVTYPERn_EL0(2), Pmu::kSwIncr);
  write(reg::PMEVTYPERn_EL0(3), 0x03);  // L1D_CACHE_REFILL: not implemented.
  write(reg::PMCNTENSET_EL0, 0x3f);
  write(reg::PMCR_EL0, kE);
  pe.run(1000);
  write(reg::PMSWINC_EL0, 0x3f);
  write(reg::PMSWINC_EL0, 0x04);
  EXPECT_EQ(read(reg::PMEVCNTRn_EL0(0)), 500u);
  EXPECT_EQ(read(reg::PMEVCNTRn_EL0(1)), 1000u);
  EXPECT_EQ(read(reg::PMEVCNTRn_EL0(2)), 2u);
  EXPECT_EQ(read(reg::PMEVCNTRn_EL0(3)), 0u);
  EXPECT_EQ(read(reg::PMCCNTR_EL0), 0u);  // Not enabled.
  write(reg::PMCR_EL0, kE | kP);
  for (unsigned n = 0; n < 4; ++n) EXPECT_EQ(read(reg::PMEVCNTRn_EL0(n)), 0u);
}

TEST_F(PmuTest, SelectorReachesEachCounterAndTheCycleFilter) {
  write(reg::PMSELR_EL0, 4);
  EXPECT_EQ(read(reg::PMSELR_EL0), 4u);
  write(reg::PMXEVTYPER_EL0, 0x11 | kCycle | 0x400);
  EXPECT_EQ(read(reg::PMEVTYPERn_EL0(4)), 0x11 | kCycle);
  write(reg::PMXEVCNTR_EL0, 0x1'0000'0009);
  EXPECT_EQ(read(reg::PMEVCNTRn_EL0(4)), 9u);
  EXPECT_EQ(read(reg::PMXEVCNTR_EL0), 9u);
  write(reg::PMSELR_EL0, 31);
  write(reg::PMXEVTYPER_EL0, 1u << 30 | 0x11);
  EXPECT_EQ(read(reg::PMCCFILTR_EL0), 1u << 30);
  EXPECT_EQ(read(reg::PMXEVCNTR_EL0), 0u);
  write(reg::PMSELR_EL0, 6);  // Beyond N.
  write(reg::PMXEVCNTR_EL0, 1);
  EXPECT_EQ(read(reg::PMXEVCNTR_EL0), 0u);
}

TEST_F(PmuTest, OverflowFlagsAppearWhenTheCountWraps) {
  write(reg::PMEVTYPERn_EL0(0), Pmu::kCpuCycles);
  write(reg::PMEVCNTRn_EL0(0), kTop - 10);
  write(reg::PMCCNTR_EL0, kTop - 10);
  write(reg::PMCNTENSET_EL0, kCycle | 1);
  write(reg::PMCR_EL0, kE);
  pe.run(9);
  EXPECT_EQ(read(reg::PMOVSSET_EL0), 0u);
  pe.run(1);
  EXPECT_EQ(read(reg::PMOVSSET_EL0), kCycle | 1);
  EXPECT_EQ(read(reg::PMEVCNTRn_EL0(0)), 0u);
  EXPECT_EQ(read(reg::PMCCNTR_EL0), kTop);  // Without LC only the flag is at 32 bits.
  write(reg::PMOVSCLR_EL0, 1);
  EXPECT_EQ(read(reg::PMOVSCLR_EL0), kCycle);
  write(reg::PMOVSSET_EL0, 0x20);
  EXPECT_EQ(read(reg::PMOVSCLR_EL0), kCycle | 0x20);
}

TEST_F(PmuTest, LongCycleCounterOverflowsAt64Bits) {
  write(reg::PMCNTENSET_EL0, kCycle);
  write(reg::PMCR_EL0, kE | kLc);
  write(reg::PMCCNTR_EL0, kTop - 1);
  pe.run(5);
  EXPECT_EQ(read(reg::PMOVSSET_EL0), 0u);
  write(reg::PMCCNTR_EL0, ~0ull);
  pe.run(1);
  EXPECT_EQ(read(reg::PMOVSSET_EL0), kCycle);
  EXPECT_EQ(read(reg::PMCCNTR_EL0), 0u);
}

TEST_F(PmuTest, SoftwareIncrementOverflows) {
  write(reg::PMEVCNTRn_EL0(1), kTop - 1);
  write(reg::PMCNTENSET_EL0, 2);
  write(reg::PMSWINC_EL0, 2);
  EXPECT_EQ(read(reg::PMEVCNTRn_EL0(1)), kTop - 1);  // PMCR_EL0.E is 0.
  write(reg::PMCR_EL0, kE);
  write(reg::PMSWINC_EL0, 2);
  EXPECT_EQ(read(reg::PMEVCNTRn_EL0(1)), 0u);
  EXPECT_EQ(read(reg::PMOVSSET_EL0), 2u);
}

TEST_F(PmuTest, FiltersStopWhatTheyExcludeForSure) {
  constexpr std::uint64_t kNotEl1 = 1u << 31, kNotEl0 = 1u << 30, kEl2Too = 1u << 27;
  write(reg::PMCNTENSET_EL0, kCycle | 1);
  write(reg::PMCR_EL0, kE);
  write(reg::PMCCFILTR_EL0, kNotEl1 | kNotEl0);
  pe.run(10);
  EXPECT_EQ(read(reg::PMCCNTR_EL0), 0u);
  write(reg::PMCCFILTR_EL0, kNotEl1 | kNotEl0 | kEl2Too);
  pe.run(10);
  EXPECT_EQ(read(reg::PMCCNTR_EL0), 10u);
  write(reg::PMEVTYPERn_EL0(0), kNotEl1);  // SW_INCR knows where it comes from.
  write(reg::PMSWINC_EL0, 1, kEl1);
  write(reg::PMSWINC_EL0, 1, kEl2);
  EXPECT_EQ(read(reg::PMEVCNTRn_EL0(0)), 0u);
  write(reg::PMUSERENR_EL0, 2);
  write(reg::PMSWINC_EL0, 1, kEl0);
  EXPECT_EQ(read(reg::PMEVCNTRn_EL0(0)), 1u);
}

TEST_F(PmuTest, El0NeedsItsEnables) {
  struct Case {
    SysReg reg;
    std::uint64_t read_bits, write_bits;  // PMUSERENR_EL0 bits that allow it: EN SW CR ER.
  };
  const Case cases[] = {
      {reg::PMCR_EL0, 1, 1},       {reg::PMCNTENSET_EL0, 1, 1},    {reg::PMCCNTR_EL0, 1 | 4, 1},
      {reg::PMSELR_EL0, 1 | 8, 9}, {reg::PMXEVCNTR_EL0, 1 | 8, 1}, {reg::PMXEVTYPER_EL0, 1, 1},
      {reg::PMOVSCLR_EL0, 1, 1},   {reg::PMCCFILTR_EL0, 1, 1},     {reg::PMEVCNTRn_EL0(2), 9, 1},
      {reg::PMOVSSET_EL0, 1, 1},   {reg::PMEVTYPERn_EL0(2), 1, 1},
  };
  for (const Case& c : cases) {
    for (std::uint64_t enable = 0; enable < 16; ++enable) {
      write(reg::PMUSERENR_EL0, enable);
      EXPECT_EQ(try_read(c.reg, kEl0), enable & c.read_bits ? kOk : kTrapEl1)
          << name_of(c.reg) << " " << enable;
      EXPECT_EQ(try_write(c.reg, kEl0), enable & c.write_bits ? kOk : kTrapEl1)
          << name_of(c.reg) << " " << enable;
    }
  }
  write(reg::PMUSERENR_EL0, 0);
  EXPECT_EQ(try_write(reg::PMSWINC_EL0, kEl0), kTrapEl1);
  EXPECT_EQ(try_read(reg::PMCEID0_EL0, kEl0), kTrapEl1);
  write(reg::PMUSERENR_EL0, 2);
  EXPECT_EQ(try_write(reg::PMSWINC_EL0, kEl0), kOk);
  EXPECT_EQ(read(reg::PMUSERENR_EL0, kEl0), 2u);
  EXPECT_EQ(try_write(reg::PMUSERENR_EL0, kEl0), kUndefined);
  EXPECT_EQ(try_read(reg::PMINTENSET_EL1, kEl0), kUndefined);
  // A host's EL0 has no EL1 to trap to.
  EXPECT_EQ(try_read(reg::PMCR_EL0, {.el = El::el0, .hcr_el2 = kTge}), kTrapEl2);
}

TEST_F(PmuTest, DirectionOfEachRegisterIsKept) {
  EXPECT_EQ(try_read(reg::PMSWINC_EL0, kEl1), kUndefined);
  EXPECT_EQ(try_write(reg::PMCEID0_EL0, kEl1), kUndefined);
  EXPECT_EQ(try_write(reg::PMCEID1_EL0, kEl2), kUndefined);
}

TEST_F(PmuTest, HypervisorTrapsGuestAccesses) {
  write(reg::PMUSERENR_EL0, 1);
  for (El el : {El::el0, El::el1}) {
    const SysRegContext tpm{.el = el, .mdcr_el2 = kTpm};
    const SysRegContext tpmcr{.el = el, .mdcr_el2 = kTpmcr};
    EXPECT_EQ(try_read(reg::PMCCNTR_EL0, tpm), kTrapEl2);
    EXPECT_EQ(try_read(reg::PMUSERENR_EL0, tpm), kTrapEl2);
    EXPECT_EQ(try_write(reg::PMCR_EL0, tpm), kTrapEl2);
    EXPECT_EQ(try_write(reg::PMCR_EL0, tpmcr), kTrapEl2);
    EXPECT_EQ(try_read(reg::PMCCNTR_EL0, tpmcr), kOk);
  }
  EXPECT_EQ(try_read(reg::PMCR_EL0, {.el = El::el2, .mdcr_el2 = kTpm | kTpmcr}), kOk);
  EXPECT_EQ(try_read(reg::PMCR_EL0, {.el = El::el1, .el2_present = false, .mdcr_el2 = kTpm}), kOk);
  // EL1's own trap comes first.
  write(reg::PMUSERENR_EL0, 0);
  EXPECT_EQ(try_read(reg::PMCCNTR_EL0, {.el = El::el0, .mdcr_el2 = kTpm}), kTrapEl1);
}

TEST_F(PmuTest, HpmnGivesCountersToEl2) {
  const SysRegContext guest{.el = El::el1, .mdcr_el2 = 4};
  const SysRegContext host{.el = El::el2, .mdcr_el2 = 4};
  const SysRegContext host_on{.el = El::el2, .mdcr_el2 = 4 | kHpme};
  EXPECT_EQ(read(reg::PMCR_EL0, guest) >> 11 & 0x1f, 4u);
  EXPECT_EQ(read(reg::PMCR_EL0, host) >> 11 & 0x1f, 6u);
  write(reg::PMEVTYPERn_EL0(4), Pmu::kCpuCycles, host);
  write(reg::PMEVTYPERn_EL0(0), Pmu::kCpuCycles, guest);
  write(reg::PMEVTYPERn_EL0(5), 0x11, guest);  // RAZ/WI for the guest.
  EXPECT_EQ(read(reg::PMEVTYPERn_EL0(5), host), 0u);
  write(reg::PMCNTENSET_EL0, 0x3f, host);
  EXPECT_EQ(read(reg::PMCNTENSET_EL0, guest), 0xfu);
  write(reg::PMCNTENCLR_EL0, 0x20, guest);
  EXPECT_EQ(read(reg::PMCNTENSET_EL0, host), 0x3fu);

  write(reg::PMCR_EL0, kE, guest);  // E does not reach counters 4 and 5.
  pe.run(100);
  EXPECT_EQ(read(reg::PMEVCNTRn_EL0(0), host), 100u);
  EXPECT_EQ(read(reg::PMEVCNTRn_EL0(4), host), 0u);
  EXPECT_EQ(read(reg::PMEVCNTRn_EL0(4), host_on), 0u);  // HPME is on from here.
  pe.run(50);
  EXPECT_EQ(read(reg::PMEVCNTRn_EL0(4), host_on), 50u);
  EXPECT_EQ(read(reg::PMEVCNTRn_EL0(4), {.el = El::el1, .mdcr_el2 = 4 | kHpme}), 0u);
  write(reg::PMCR_EL0, kE | kP, {.el = El::el1, .mdcr_el2 = 4 | kHpme});
  EXPECT_EQ(read(reg::PMEVCNTRn_EL0(0), host_on), 0u);
  EXPECT_EQ(read(reg::PMEVCNTRn_EL0(4), host_on), 50u);
  write(reg::PMCR_EL0, kE | kP, host_on);
  EXPECT_EQ(read(reg::PMEVCNTRn_EL0(4), host_on), 0u);
}

TEST_F(PmuTest, ControlsOfEl2TakeEffectWhenToldOf) {
  const SysRegContext host{.el = El::el2, .mdcr_el2 = 1};
  const SysRegContext host_on{.el = El::el2, .mdcr_el2 = 1 | kHpme};
  write(reg::PMEVTYPERn_EL0(2), Pmu::kCpuCycles, host);
  write(reg::PMCNTENSET_EL0, 4, host);
  pe.run(10);
  pmu.mdcr_el2_written(1 | kHpme);
  pe.run(20);
  pmu.mdcr_el2_written(1);
  pe.run(40);
  EXPECT_EQ(read(reg::PMEVCNTRn_EL0(2), host), 20u);
  EXPECT_EQ(read(reg::PMEVCNTRn_EL0(2), host_on), 20u);
}

TEST_F(PmuTest, OverflowInterruptComesAtTheExactCycle) {
  pmu.connect(irq, timeline, 1'000'000'000);
  write(reg::PMCCNTR_EL0, kTop - 500);
  write(reg::PMCNTENSET_EL0, kCycle);
  write(reg::PMCR_EL0, kE);
  EXPECT_EQ(timeline.next_due(), kNever);  // Nobody asked for an interrupt.
  pe.run(100);
  write(reg::PMINTENSET_EL1, kCycle);
  pe.run(399);
  EXPECT_FALSE(irq.level());
  pe.run(1);
  EXPECT_TRUE(irq.level());
  write(reg::PMCR_EL0, 0);
  EXPECT_FALSE(irq.level());
  write(reg::PMCR_EL0, kE);
  EXPECT_TRUE(irq.level());
  write(reg::PMINTENCLR_EL1, kCycle);
  EXPECT_FALSE(irq.level());
  write(reg::PMINTENSET_EL1, kCycle);
  EXPECT_TRUE(irq.level());
  write(reg::PMOVSCLR_EL0, kCycle);
  EXPECT_FALSE(irq.level());
}

TEST_F(PmuTest, DividedCounterInterruptsAtTheExactCycle) {
  pmu.connect(irq, timeline);
  write(reg::PMCCNTR_EL0, kTop - 2);
  write(reg::PMCNTENSET_EL0, kCycle);
  write(reg::PMINTENSET_EL1, kCycle);
  write(reg::PMCR_EL0, kE | kD);
  pe.run(30);
  EXPECT_EQ(read(reg::PMCCNTR_EL0), kTop - 2);  // Reading does not disturb the divider.
  pe.run(97);
  EXPECT_FALSE(irq.level());
  pe.run(1);
  EXPECT_TRUE(irq.level());
}

TEST_F(PmuTest, InstructionCounterInterruptsAtTheExactInstruction) {
  pmu.connect(irq, timeline);
  pe.cycles_per_instruction = 3;
  write(reg::PMEVTYPERn_EL0(5), Pmu::kInstRetired);
  write(reg::PMEVCNTRn_EL0(5), kTop - 1000);
  write(reg::PMCNTENSET_EL0, 0x20);
  write(reg::PMINTENSET_EL1, 0x20);
  write(reg::PMCR_EL0, kE);
  pe.run(2999);
  EXPECT_FALSE(irq.level());
  pe.run(1);
  EXPECT_TRUE(irq.level());
}

TEST_F(PmuTest, WaitingPeIsNotWokenForEveryCycle) {
  pmu.connect(irq, timeline);
  write(reg::PMCCNTR_EL0, kTop - 50);
  write(reg::PMCNTENSET_EL0, kCycle);
  write(reg::PMINTENSET_EL1, kCycle);
  write(reg::PMCR_EL0, kE);
  unsigned looks = 0;
  const Time end = 1'000'000 * FakePe::kPicosecondsPerCycle;  // 1 ms
  while (timeline.next_due() < end) {
    pe.wait(timeline.next_due() / FakePe::kPicosecondsPerCycle -
            timeline.now() / FakePe::kPicosecondsPerCycle);
    ASSERT_LT(++looks, 40u);
  }
  EXPECT_GT(looks, 2u);
  EXPECT_FALSE(irq.level());
  pe.run(200'000);  // It runs again: seen at the next look.
  EXPECT_TRUE(irq.level());
}

TEST_F(PmuTest, InterruptOfAnEl2CounterFollowsHpme) {
  pmu.connect(irq, timeline);
  const SysRegContext host{.el = El::el2, .mdcr_el2 = 2};
  const SysRegContext host_on{.el = El::el2, .mdcr_el2 = 2 | kHpme};
  write(reg::PMINTENSET_EL1, 0x10, host);
  write(reg::PMOVSSET_EL0, 0x10, host);
  write(reg::PMCR_EL0, kE, host);
  EXPECT_FALSE(irq.level());
  read(reg::PMCR_EL0, host_on);
  EXPECT_TRUE(irq.level());
}

TEST_F(PmuTest, ResetStopsAndClearsEverything) {
  pmu.connect(irq, timeline);
  write(reg::PMUSERENR_EL0, 15);
  write(reg::PMCNTENSET_EL0, kCycle);
  write(reg::PMINTENSET_EL1, kCycle);
  write(reg::PMOVSSET_EL0, kCycle);
  write(reg::PMCR_EL0, kE);
  EXPECT_TRUE(irq.level());
  pmu.reset();
  EXPECT_FALSE(irq.level());
  pe.run(10);
  EXPECT_EQ(read(reg::PMCCNTR_EL0), 0u);
  EXPECT_EQ(read(reg::PMCR_EL0), 0x41013000u);
  EXPECT_EQ(read(reg::PMUSERENR_EL0) | read(reg::PMINTENSET_EL1) | read(reg::PMCNTENSET_EL0), 0u);
}

}  // namespace
}  // namespace trapline
