#include "models/timer/generic_timer.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "sim/arch/registers.h"
#include "sim/time/timeline.h"

namespace trapline {
namespace {

constexpr std::uint64_t kTge = 1ull << 27;
constexpr std::uint64_t kE2h = 1ull << 34;
constexpr std::uint64_t kEnable = 1, kImask = 2, kIstatus = 4;
constexpr auto kOk = SysRegStatus::ok;
constexpr auto kUndefined = SysRegStatus::undefined;
constexpr auto kTrapEl1 = SysRegStatus::trap_el1;
constexpr auto kTrapEl2 = SysRegStatus::trap_el2;

class Recorder final : public Sink {
 public:
  void on_event(const Event& event) override { events.push_back(event); }
  std::vector<Event> events;
};

/// One PE with a 62.5 MHz counter: a tick is 16000 ps.
class GenericTimerTest : public ::testing::Test {
 protected:
  static constexpr Time kTick = 16'000;

  void build(const GenericTimerConfig& config) {
    timer.emplace(timeline, counter, TimerLines{p, v, hp, hv}, 3, &recorder, config);
  }
  GenericTimerTest() { build({.vhe = true}); }

  SysRegStatus try_read(SysReg reg, SysRegContext context) {
    std::uint64_t ignored = 0;
    return timer->read(reg, context, ignored);
  }
  std::uint64_t read(SysReg reg, SysRegContext context = {.el = El::el2}) {
    std::uint64_t value = 0;
    EXPECT_EQ(timer->read(reg, context, value), kOk) << name(reg);
    return value;
  }
  void write(SysReg reg, std::uint64_t value, SysRegContext context = {.el = El::el2}) {
    EXPECT_EQ(timer->write(reg, context, value), kOk) << name(reg);
  }
  static std::string name(SysReg reg) {
    return "op1 " + std::to_string(reg.op1()) + " CRm " + std::to_string(reg.crm()) + " op2 " +
           std::to_string(reg.op2());
  }
  void run_ticks(std::uint64_t ticks) { timeline.advance_to(timeline.now() + ticks * kTick); }

  static constexpr SysRegContext kEl0{.el = El::el0};
  static constexpr SysRegContext kEl1{.el = El::el1};
  static constexpr SysRegContext kEl2{.el = El::el2};
  static constexpr SysRegContext kHostEl0{.el = El::el0, .hcr_el2 = kE2h | kTge};
  static constexpr SysRegContext kHost{.el = El::el2, .hcr_el2 = kE2h | kTge};
  static constexpr SysRegContext kGuestOfHost{.el = El::el1, .hcr_el2 = kE2h};

  Timeline timeline;
  SystemCounter counter{timeline, 62'500'000};
  Line p{"CNTP"}, v{"CNTV"}, hp{"CNTHP"}, hv{"CNTHV"}, hps{"CNTHPS"}, hvs{"CNTHVS"};
  Recorder recorder;
  std::optional<GenericTimer> timer;
};

TEST_F(GenericTimerTest, CountersFollowVirtualTimeAndOffset) {
  timeline.advance_to(100 * kTick - 1);
  EXPECT_EQ(read(reg::CNTPCT_EL0), 99u);
  timeline.advance_to(100 * kTick);
  EXPECT_EQ(read(reg::CNTPCT_EL0), 100u);
  write(reg::CNTVOFF_EL2, 40);
  EXPECT_EQ(read(reg::CNTVCT_EL0, kEl1), 60u);
  EXPECT_EQ(read(reg::CNTVCT_EL0, kEl2), 60u);
  EXPECT_EQ(read(reg::CNTVCT_EL0, kHost), 100u);
  write(reg::CNTHCTL_EL2, 3, kHost);  // EL0PCTEN, EL0VCTEN
  EXPECT_EQ(read(reg::CNTVCT_EL0, kHostEl0), 100u);
  EXPECT_EQ(timer->virtual_count(kEl1), 60u);
  EXPECT_EQ(timer->physical_count(), 100u);
}

TEST_F(GenericTimerTest, CountersAreReadOnly) {
  EXPECT_EQ(timer->write(reg::CNTPCT_EL0, kEl2, 1), kUndefined);
  EXPECT_EQ(timer->write(reg::CNTVCT_EL0, kEl2, 1), kUndefined);
}

TEST_F(GenericTimerTest, FrequencyIsWritableAtTheHighestLevelOnly) {
  EXPECT_EQ(read(reg::CNTFRQ_EL0, kEl1), 62'500'000u);
  EXPECT_EQ(timer->write(reg::CNTFRQ_EL0, kEl1, 1), kUndefined);
  EXPECT_EQ(timer->write(reg::CNTFRQ_EL0, kEl0, 1), kUndefined);
  write(reg::CNTFRQ_EL0, 0x1'0000'0007, kEl2);
  EXPECT_EQ(read(reg::CNTFRQ_EL0, kEl1), 7u);
  write(reg::CNTFRQ_EL0, 9, {.el = El::el1, .el2_present = false});
  EXPECT_EQ(read(reg::CNTFRQ_EL0), 9u);
}

TEST_F(GenericTimerTest, EachTimerRaisesItsLineAtTheExactTime) {
  struct Case {
    SysReg ctl, cval;
    Line* line;
    TimerIndex index;
  };
  const Case cases[] = {
      {reg::CNTP_CTL_EL0, reg::CNTP_CVAL_EL0, &p, TimerIndex::el1_physical},
      {reg::CNTV_CTL_EL0, reg::CNTV_CVAL_EL0, &v, TimerIndex::el1_virtual},
      {reg::CNTHP_CTL_EL2, reg::CNTHP_CVAL_EL2, &hp, TimerIndex::hyp_physical},
      {reg::CNTHV_CTL_EL2, reg::CNTHV_CVAL_EL2, &hv, TimerIndex::hyp_virtual},
  };
  for (const Case& c : cases) {
    const std::uint64_t due = counter.count() + 1000;
    write(c.cval, due);
    write(c.ctl, kEnable);
    EXPECT_EQ(timeline.next_due(), due * kTick);
    timeline.advance_to(due * kTick - 1);
    EXPECT_FALSE(c.line->level());
    EXPECT_EQ(read(c.ctl), kEnable);
    timeline.advance_to(due * kTick);
    EXPECT_TRUE(c.line->level());
    EXPECT_EQ(read(c.ctl), kEnable | kIstatus);
    ASSERT_EQ(recorder.events.size(), 1u);
    EXPECT_EQ(recorder.events[0].kind, EventKind::timer_fired);
    EXPECT_EQ(recorder.events[0].cpu, 3u);
    EXPECT_EQ(recorder.events[0].a, static_cast<std::uint64_t>(c.index));
    EXPECT_EQ(recorder.events[0].b, due);
    recorder.events.clear();
    write(c.ctl, 0);
    EXPECT_FALSE(c.line->level());
    EXPECT_EQ(timeline.next_due(), kNever);
  }
}

TEST_F(GenericTimerTest, MaskAndEnableGateTheLineButMaskNotTheStatus) {
  write(reg::CNTV_CVAL_EL0, 10);
  write(reg::CNTV_CTL_EL0, kEnable | kImask);
  run_ticks(10);
  EXPECT_FALSE(v.level());
  EXPECT_EQ(read(reg::CNTV_CTL_EL0), kEnable | kImask | kIstatus);
  EXPECT_TRUE(recorder.events.empty());
  write(reg::CNTV_CTL_EL0, kEnable);
  EXPECT_TRUE(v.level());
  EXPECT_EQ(recorder.events.size(), 1u);
  write(reg::CNTV_CTL_EL0, kImask);
  EXPECT_FALSE(v.level());
  EXPECT_EQ(read(reg::CNTV_CTL_EL0), kImask);
  write(reg::CNTV_CTL_EL0, 0xfffffffc);  // ISTATUS and RES0 cannot be written.
  EXPECT_EQ(read(reg::CNTV_CTL_EL0), 0u);
}

TEST_F(GenericTimerTest, MovingTheCompareValueLowersTheLineAndReArms) {
  write(reg::CNTP_CVAL_EL0, 5);
  write(reg::CNTP_CTL_EL0, kEnable);
  run_ticks(6);
  EXPECT_TRUE(p.level());
  write(reg::CNTP_CVAL_EL0, 20);
  EXPECT_FALSE(p.level());
  run_ticks(13);
  EXPECT_FALSE(p.level());
  run_ticks(1);
  EXPECT_TRUE(p.level());
  EXPECT_EQ(recorder.events.size(), 2u);
}

TEST_F(GenericTimerTest, TimerValueIsSignedAndRelativeToTheOffsetCount) {
  run_ticks(1000);
  write(reg::CNTVOFF_EL2, 400);
  write(reg::CNTV_TVAL_EL0, 50);
  EXPECT_EQ(read(reg::CNTV_CVAL_EL0), 650u);
  run_ticks(60);
  EXPECT_EQ(read(reg::CNTV_TVAL_EL0), 0xfffffff6u);  // -10: keeps counting down when expired.
  write(reg::CNTV_TVAL_EL0, 0xffffffff);             // -1
  EXPECT_EQ(read(reg::CNTV_CVAL_EL0), 659u);
  write(reg::CNTV_CTL_EL0, kEnable);
  EXPECT_TRUE(v.level());
  write(reg::CNTV_TVAL_EL0, 0xffffffff00000005);  // Only 32 bits count.
  EXPECT_EQ(read(reg::CNTV_CVAL_EL0), 665u);
}

TEST_F(GenericTimerTest, ChangingTheOffsetReArmsTheVirtualTimerOnly) {
  run_ticks(200);
  write(reg::CNTV_CVAL_EL0, 300);
  write(reg::CNTP_CVAL_EL0, 300);
  write(reg::CNTV_CTL_EL0, kEnable);
  write(reg::CNTVOFF_EL2, 50);
  EXPECT_EQ(timeline.next_due(), 350 * kTick);
  write(reg::CNTVOFF_EL2, static_cast<std::uint64_t>(-1000));
  EXPECT_TRUE(v.level());
  write(reg::CNTVOFF_EL2, 5);
  EXPECT_FALSE(v.level());
  write(reg::CNTP_CTL_EL0, kEnable);
  EXPECT_EQ(timeline.next_due(), 300 * kTick);
}

TEST_F(GenericTimerTest, OffsetBeyondTheCountWrapsToAMetCondition) {
  // counter - offset is a huge unsigned number until it wraps to zero.
  write(reg::CNTVOFF_EL2, 30);
  write(reg::CNTV_CVAL_EL0, 10);
  write(reg::CNTV_CTL_EL0, kEnable);
  EXPECT_TRUE(v.level());
  timeline.advance_to(30 * kTick - 1);
  EXPECT_TRUE(v.level());
  timeline.advance_to(30 * kTick);
  EXPECT_FALSE(v.level());
  timeline.advance_to(40 * kTick);
  EXPECT_TRUE(v.level());
}

TEST_F(GenericTimerTest, UnreachableCompareValueNeverWakes) {
  write(reg::CNTV_CVAL_EL0, ~0ull);
  write(reg::CNTV_CTL_EL0, kEnable);
  EXPECT_EQ(timeline.next_due(), kNever);
  write(reg::CNTV_CVAL_EL0, 0);
  EXPECT_TRUE(v.level());
  EXPECT_EQ(timeline.next_due(), kNever);
}

TEST_F(GenericTimerTest, StoppingAndSettingTheCounterReArms) {
  write(reg::CNTV_CVAL_EL0, 100);
  write(reg::CNTV_CTL_EL0, kEnable);
  counter.set_enabled(false);
  EXPECT_EQ(timeline.next_due(), kNever);
  run_ticks(1000);
  EXPECT_EQ(read(reg::CNTPCT_EL0), 0u);
  counter.set_enabled(true);
  EXPECT_EQ(timeline.next_due(), 1100 * kTick);
  counter.set_count(100);
  EXPECT_TRUE(v.level());
  counter.set_count(0);
  EXPECT_FALSE(v.level());
}

TEST_F(GenericTimerTest, UserAccessFollowsKernelControl) {
  struct Case {
    SysReg reg;
    std::uint64_t enable;
  };
  const Case cases[] = {{reg::CNTPCT_EL0, 1 << 0},   {reg::CNTVCT_EL0, 1 << 1},
                        {reg::CNTV_CTL_EL0, 1 << 8}, {reg::CNTV_TVAL_EL0, 1 << 8},
                        {reg::CNTP_CTL_EL0, 1 << 9}, {reg::CNTP_CVAL_EL0, 1 << 9}};
  const SysRegContext tge{.el = El::el0, .hcr_el2 = kTge};
  for (const Case& c : cases) {
    write(reg::CNTKCTL_EL1, 0x3ff & ~c.enable, kEl1);
    EXPECT_EQ(try_read(c.reg, kEl0), kTrapEl1) << name(c.reg);
    EXPECT_EQ(try_read(c.reg, tge), kTrapEl2) << name(c.reg);
    write(reg::CNTKCTL_EL1, c.enable, kEl1);
    EXPECT_EQ(try_read(c.reg, kEl0), kOk) << name(c.reg);
    // With E2H and TGE the host's own control decides instead.
    write(reg::CNTHCTL_EL2, 0x3ff & ~c.enable, kHost);
    EXPECT_EQ(try_read(c.reg, kHostEl0), kTrapEl2) << name(c.reg);
    write(reg::CNTHCTL_EL2, c.enable, kHost);
    EXPECT_EQ(try_read(c.reg, kHostEl0), kOk) << name(c.reg);
    write(reg::CNTHCTL_EL2, 3);
  }
  for (const std::uint64_t enable : {0, 1, 2}) {
    write(reg::CNTKCTL_EL1, enable, kEl1);
    EXPECT_EQ(try_read(reg::CNTFRQ_EL0, kEl0), enable ? kOk : kTrapEl1);
  }
}

TEST_F(GenericTimerTest, HypervisorTrapsThePhysicalTimerInBothLayouts) {
  write(reg::CNTKCTL_EL1, 0x3ff, kEl1);
  const SysRegContext el0_guest{.el = El::el0, .hcr_el2 = kE2h};
  struct Case {
    SysReg reg;
    std::uint64_t enable, enable_e2h;
  };
  const Case cases[] = {{reg::CNTPCT_EL0, 1 << 0, 1 << 10},
                        {reg::CNTP_CTL_EL0, 1 << 1, 1 << 11},
                        {reg::CNTP_TVAL_EL0, 1 << 1, 1 << 11}};
  for (const Case& c : cases) {
    write(reg::CNTHCTL_EL2, 0xfff & ~c.enable);
    EXPECT_EQ(try_read(c.reg, kEl1), kTrapEl2) << name(c.reg);
    EXPECT_EQ(try_read(c.reg, kEl0), kTrapEl2) << name(c.reg);
    EXPECT_EQ(try_read(c.reg, kGuestOfHost), kOk) << name(c.reg);
    EXPECT_EQ(try_read(c.reg, kEl2), kOk) << name(c.reg);
    EXPECT_EQ(try_read(c.reg, {.el = El::el1, .el2_present = false}), kOk) << name(c.reg);
    write(reg::CNTHCTL_EL2, 0xfff & ~c.enable_e2h);
    EXPECT_EQ(try_read(c.reg, kGuestOfHost), kTrapEl2) << name(c.reg);
    EXPECT_EQ(try_read(c.reg, el0_guest), kTrapEl2) << name(c.reg);
    EXPECT_EQ(try_read(c.reg, kEl1), kOk) << name(c.reg);
    EXPECT_EQ(try_read(c.reg, kHost), kOk) << name(c.reg);
  }
  // A trapped write changes nothing.
  write(reg::CNTHCTL_EL2, 0);
  EXPECT_EQ(timer->write(reg::CNTP_CTL_EL0, kEl1, kEnable), kTrapEl2);
  EXPECT_EQ(read(reg::CNTP_CTL_EL0), 0u);
  EXPECT_EQ(try_read(reg::CNTV_CTL_EL0, kEl1), kOk);
  EXPECT_EQ(try_read(reg::CNTVCT_EL0, kEl1), kOk);
}

TEST_F(GenericTimerTest, KernelTrapComesBeforeHypervisorTrap) {
  write(reg::CNTHCTL_EL2, 0);
  EXPECT_EQ(try_read(reg::CNTPCT_EL0, kEl0), kTrapEl1);
  write(reg::CNTKCTL_EL1, 1, kEl1);
  EXPECT_EQ(try_read(reg::CNTPCT_EL0, kEl0), kTrapEl2);
}

TEST_F(GenericTimerTest, HypervisorRegistersAreUndefinedBelowEl2) {
  for (const SysReg r :
       {reg::CNTHCTL_EL2, reg::CNTVOFF_EL2, reg::CNTHP_CTL_EL2, reg::CNTHP_TVAL_EL2,
        reg::CNTHV_CVAL_EL2, reg::CNTP_CTL_EL02, reg::CNTV_CVAL_EL02, reg::CNTKCTL_EL12}) {
    EXPECT_EQ(try_read(r, kEl1), kUndefined) << name(r);
    EXPECT_EQ(timer->write(r, kEl1, 0), kUndefined) << name(r);
    EXPECT_EQ(try_read(r, kEl0), kUndefined) << name(r);
    EXPECT_EQ(try_read(r, kHost), kOk) << name(r);
  }
  EXPECT_EQ(try_read(reg::CNTKCTL_EL1, kEl0), kUndefined);
  EXPECT_EQ(try_read(reg::CNTP_CTL_EL02, kEl2), kUndefined);  // E2H is clear.
  EXPECT_EQ(try_read(reg::CNTKCTL_EL12, kEl2), kUndefined);
}

TEST_F(GenericTimerTest, HostExtensionsRedirectAtEl2) {
  write(reg::CNTP_CVAL_EL0, 11, kHost);
  write(reg::CNTV_CVAL_EL0, 22, kHost);
  write(reg::CNTP_CVAL_EL02, 33, kHost);
  write(reg::CNTV_CVAL_EL02, 44, kHost);
  EXPECT_EQ(read(reg::CNTHP_CVAL_EL2), 11u);
  EXPECT_EQ(read(reg::CNTHV_CVAL_EL2), 22u);
  EXPECT_EQ(read(reg::CNTP_CVAL_EL0, kEl1), 33u);
  EXPECT_EQ(read(reg::CNTV_CVAL_EL0, kEl1), 44u);
  EXPECT_EQ(read(reg::CNTP_CVAL_EL0, kEl2), 33u);
  write(reg::CNTHCTL_EL2, 0x303, kHost);
  EXPECT_EQ(read(reg::CNTP_CVAL_EL0, kHostEl0), 11u);
  EXPECT_EQ(read(reg::CNTV_CVAL_EL0, kHostEl0), 22u);

  write(reg::CNTKCTL_EL1, 0xc00, kHost);
  EXPECT_EQ(read(reg::CNTHCTL_EL2), 0xc00u);
  write(reg::CNTKCTL_EL12, 0x1, kHost);
  EXPECT_EQ(read(reg::CNTKCTL_EL1, kEl1), 1u);
  EXPECT_EQ(read(reg::CNTHCTL_EL2), 0xc00u);
}

TEST_F(GenericTimerTest, HostVirtualTimerIgnoresTheOffset) {
  run_ticks(10);
  write(reg::CNTVOFF_EL2, 5);
  write(reg::CNTHV_TVAL_EL2, 100);
  EXPECT_EQ(read(reg::CNTHV_CVAL_EL2), 110u);
}

TEST_F(GenericTimerTest, WithoutVheThereAreNoHostRegisters) {
  build({});
  for (const SysReg r : {reg::CNTHV_CTL_EL2, reg::CNTP_CTL_EL02, reg::CNTKCTL_EL12}) {
    EXPECT_FALSE(timer->owns(r)) << name(r);
    EXPECT_EQ(try_read(r, kHost), kUndefined) << name(r);
  }
  write(reg::CNTP_CVAL_EL0, 7, kHost);  // E2H means nothing.
  EXPECT_EQ(read(reg::CNTP_CVAL_EL0, kEl1), 7u);
  EXPECT_TRUE(timer->owns(reg::CNTHP_CTL_EL2));
  EXPECT_FALSE(timer->owns(reg::CNTHPS_CTL_EL2));
  EXPECT_FALSE(timer->owns(reg::CNTPCTSS_EL0));
  EXPECT_FALSE(timer->owns(reg::SCTLR_EL1));
}

TEST_F(GenericTimerTest, SecureHypervisorTimersExistByConfiguration) {
  build({.vhe = true, .secure_hyp_physical = &hps, .secure_hyp_virtual = &hvs});
  const SysRegContext secure{.el = El::el2, .secure = true};
  const SysRegContext secure_host{.el = El::el2, .secure = true, .hcr_el2 = kE2h};
  EXPECT_EQ(try_read(reg::CNTHPS_CTL_EL2, kEl2), kUndefined);
  EXPECT_EQ(try_read(reg::CNTHVS_CTL_EL2, {.el = El::el1, .secure = true}), kUndefined);
  write(reg::CNTHPS_TVAL_EL2, 10, secure);
  write(reg::CNTHPS_CTL_EL2, kEnable, secure);
  run_ticks(10);
  EXPECT_TRUE(hps.level());
  EXPECT_FALSE(hp.level());
  EXPECT_EQ(recorder.events.back().a, 4u);
  EXPECT_EQ(read(reg::CNTP_CVAL_EL0, secure_host), 10u);
  write(reg::CNTV_CVAL_EL0, 12, secure_host);
  EXPECT_EQ(read(reg::CNTHVS_CVAL_EL2, secure), 12u);
}

TEST_F(GenericTimerTest, EnhancedCounterVirtualization) {
  write(reg::CNTHCTL_EL2, 1 << 13 | 1 << 14);
  EXPECT_EQ(read(reg::CNTHCTL_EL2), 0u);
  build({.vhe = true, .ecv = true});
  run_ticks(4);
  EXPECT_EQ(read(reg::CNTPCTSS_EL0), 4u);
  EXPECT_EQ(read(reg::CNTVCTSS_EL0), 4u);
  write(reg::CNTHCTL_EL2, 3 | 1 << 14);
  EXPECT_EQ(try_read(reg::CNTVCT_EL0, kEl1), kTrapEl2);
  EXPECT_EQ(try_read(reg::CNTVCTSS_EL0, kEl1), kTrapEl2);
  EXPECT_EQ(try_read(reg::CNTV_CTL_EL0, kEl1), kOk);
  write(reg::CNTHCTL_EL2, 3 | 1 << 13);
  EXPECT_EQ(try_read(reg::CNTV_CTL_EL0, kEl1), kTrapEl2);
  EXPECT_EQ(try_read(reg::CNTV_CTL_EL0, kEl2), kOk);
}

TEST_F(GenericTimerTest, EventStreamFollowsTheSelectedTransition) {
  EXPECT_EQ(timer->next_event_stream(0), kNever);
  // EVNTEN, EVNTI = 4: rising edges of bit 4 at 16, 48, 80...
  write(reg::CNTKCTL_EL1, 1 << 2 | 4 << 4, kEl1);
  EXPECT_EQ(timer->next_event_stream(0), 16 * kTick);
  EXPECT_EQ(timer->next_event_stream(16 * kTick), 48 * kTick);
  EXPECT_EQ(timer->next_event_stream(47 * kTick + 1), 48 * kTick);
  // EVNTDIR: falling edges at 32, 64...
  write(reg::CNTKCTL_EL1, 1 << 2 | 1 << 3 | 4 << 4, kEl1);
  EXPECT_EQ(timer->next_event_stream(0), 32 * kTick);
  write(reg::CNTVOFF_EL2, 5);
  EXPECT_EQ(timer->next_event_stream(0), 5 * kTick);
  // CNTHCTL_EL2's stream comes from the physical count; E2H and TGE silence CNTKCTL_EL1's.
  write(reg::CNTHCTL_EL2, 1 << 2 | 2 << 4);
  EXPECT_EQ(timer->next_event_stream(0), 4 * kTick);
  EXPECT_EQ(timer->next_event_stream(4 * kTick), 5 * kTick);
  EXPECT_EQ(timer->next_event_stream(4 * kTick, kE2h | kTge), 12 * kTick);
}

TEST_F(GenericTimerTest, ResetTurnsEverythingOff) {
  write(reg::CNTVOFF_EL2, 9);
  write(reg::CNTP_CTL_EL0, kEnable);
  write(reg::CNTKCTL_EL1, 0x3ff, kEl1);
  EXPECT_TRUE(p.level());
  timer->reset();
  EXPECT_FALSE(p.level());
  EXPECT_EQ(read(reg::CNTVOFF_EL2), 0u);
  EXPECT_EQ(read(reg::CNTKCTL_EL1, kEl1), 0u);
  EXPECT_EQ(read(reg::CNTHCTL_EL2), 3u);
}

TEST(SystemCounterTest, TicksAreExactAtEveryFrequency) {
  for (const std::uint64_t hz : {62'500'000ull, 100'000'000ull, 24'000'000ull, 1'000'000'000ull,
                                 19'200'000ull, 32'768ull, 999'999'937ull, 1'000'000'000'000ull}) {
    Timeline timeline;
    SystemCounter counter(timeline, hz);
    // No drift: after a whole number of seconds the count is exact.
    EXPECT_EQ(counter.count_at(10'000'000 * kPicosecondsPerSecond), 10'000'000 * hz) << hz;
    for (const std::uint64_t n : {1ull, 2ull, 3ull, 1000ull, 999'983ull, 123'456'789ull}) {
      const Time due = counter.time_of_count(n);
      EXPECT_GE(counter.count_at(due), n) << hz;
      EXPECT_LT(counter.count_at(due - 1), n) << hz;
    }
  }
}

TEST(SystemCounterTest, StoppingKeepsTheFractionOfATick) {
  Timeline timeline;
  SystemCounter counter(timeline, 24'000'000);  // A tick is 41666 2/3 ps.
  for (int i = 0; i < 1000; ++i) {
    timeline.advance_to(timeline.now() + 1001);
    counter.set_enabled(false);
    timeline.advance_to(timeline.now() + 777);
    counter.set_enabled(true);
  }
  EXPECT_EQ(counter.count(), 1'001'000ull * 24 / 1'000'000);
}

TEST(SystemCounterTest, TimeOfCountBoundaries) {
  Timeline timeline;
  SystemCounter counter(timeline, 1'000'000'000);
  timeline.advance_to(5'500);
  counter.set_count(~0ull - 1);
  EXPECT_EQ(counter.time_of_count(3), 5'500u);
  EXPECT_EQ(counter.time_of_count(~0ull), 6'500u);
  timeline.advance_to(7'500);
  EXPECT_EQ(counter.count(), 0u);  // Wrapped.
  EXPECT_EQ(counter.time_after(timeline.now(), 3), 10'500u);
  EXPECT_EQ(counter.time_after(timeline.now(), ~0ull), kNever);
  counter.set_enabled(false);
  EXPECT_EQ(counter.time_after(timeline.now(), 1), kNever);
  EXPECT_THROW(SystemCounter(timeline, 0), std::invalid_argument);
}

}  // namespace
}  // namespace trapline
