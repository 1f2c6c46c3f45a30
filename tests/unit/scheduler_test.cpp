// The order in which CPUs run, driven by CPUs that follow a script.
#include "sim/cpu/scheduler.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>

namespace trapline {
namespace {

using Outcome = Scheduler::Outcome;

/// Takes the next step of its script each turn; the last one again and again.
class FakeCpu final : public Cpu {
 public:
  struct Step {
    std::uint64_t instructions = ~0ull;  ///< At most the slice.
    PauseReason reason = PauseReason::slice_end;
  };

  const CpuConfig& config() const override { return config_; }
  CpuLines& lines() override { return lines_; }
  void add_port(SysRegPort&) override {}
  void connect_pmu(Line&) override {}
  void power_on(VirtAddr, El, std::uint64_t) override { on = true; }
  void power_off() override { on = false; }
  bool powered() const override { return on; }
  PauseReason run(const Slice& slice) override {
    slices.push_back(slice);
    if (log) *log += static_cast<char>('0' + config_.index);
    Step step = script.front();
    if (script.size() > 1) script.pop_front();
    if (during) during();
    event = false;
    const std::uint64_t room = std::min(slice.instructions,
                                        slice.instruction_limit - counters_.instructions);
    counters_.instructions += std::min(step.instructions, room);
    return step.reason;
  }
  bool can_wake(PauseReason waiting) const override {
    return lines_.irq.level() || (waiting == PauseReason::wait_for_event && event);
  }
  void wake() override {}
  bool interrupt_deliverable() const override { return false; }
  void unmask_interrupts() override {}
  void signal_event() override { event = true; }
  void request_stop() override { ++stops; }
  void write_el2(SysReg, std::uint64_t) override {}
  std::uint64_t x(unsigned) const override { return 0; }
  std::uint64_t sp() const override { return 0; }
  std::uint32_t pstate() const override { return 0; }
  void set_x(unsigned, std::uint64_t) override {}
  VirtAddr pc() const override { return 0; }
  El el() const override { return El::el1; }
  std::uint64_t hcr_el2() const override { return 0; }
  bool read_memory(VirtAddr, void*, std::size_t) override { return false; }
  bool write_memory(VirtAddr, const void*, std::size_t) override { return false; }
  std::uint64_t sctlr_el1() const override { return 0; }
  std::optional<AddressView> view(VirtAddr) override { return std::nullopt; }
  bool peek(VirtAddr, void*, std::size_t) override { return false; }
  const CpuCounters& counters() const override { return counters_; }
  std::string describe() const override { return {}; }
  std::string stuck_reason() const override { return {}; }

  CpuConfig config_;
  CpuLines lines_;
  CpuCounters counters_;
  std::deque<Step> script{{}};
  std::vector<Slice> slices;
  std::function<void()> during;
  std::string* log = nullptr;
  bool on = true;
  bool event = false;
  unsigned stops = 0;
};

class SchedulerTest : public ::testing::Test {
 protected:
  void make(unsigned count) {
    cpus.resize(count);
    std::vector<Cpu*> all;
    for (unsigned i = 0; i < count; ++i) {
      cpus[i].config_.index = i;
      cpus[i].log = &order;
      all.push_back(&cpus[i]);
    }
    scheduler.emplace(all, timeline, 100, [this](unsigned, Time after) {
      return stream == kNever ? kNever : after + stream;
    });
  }
  FakeCpu& cpu(unsigned index) { return cpus[index]; }
  Outcome round(std::uint64_t limit = ~0ull) { return scheduler->round(limit); }
  void park(unsigned index, PauseReason reason, std::uint64_t instructions = 5) {
    cpu(index).script = {{instructions, reason}};
  }

  Timeline timeline;
  std::deque<FakeCpu> cpus;
  std::optional<Scheduler> scheduler;
  std::string order;
  Time stream = kNever;
};

TEST_F(SchedulerTest, CpusTakeTurnsInIndexOrderWithTheQuantum) {
  make(3);
  EXPECT_EQ(round(), Outcome::ran);
  EXPECT_EQ(round(), Outcome::ran);
  EXPECT_EQ(order, "012012");
  EXPECT_EQ(cpu(1).slices[0].instructions, 100u);
  EXPECT_EQ(cpu(1).slices[0].sharers, 3u);
  EXPECT_EQ(scheduler->instructions(), 600u);
}

TEST_F(SchedulerTest, ACpuThatRunsAloneGetsALongTurn) {
  make(2);
  park(1, PauseReason::wait_for_interrupt);
  round();
  round();
  EXPECT_EQ(order, "010");
  EXPECT_GT(cpu(0).slices[1].instructions, 1'000'000u);
  EXPECT_EQ(cpu(0).slices[1].sharers, 1u);
}

TEST_F(SchedulerTest, AnInterruptForAWaitingCpuEndsALongTurn) {
  make(2);
  park(1, PauseReason::wait_for_interrupt);
  round();
  cpu(0).during = [&] { cpu(1).lines_.irq.set(true); };
  round();
  EXPECT_EQ(cpu(0).stops, 1u);
  cpu(0).during = {};
  order.clear();
  round();
  EXPECT_EQ(order, "01");
}

TEST_F(SchedulerTest, AnInterruptInASharedRoundStopsNobody) {
  make(3);
  park(2, PauseReason::wait_for_interrupt);
  round();
  cpu(0).during = [&] { cpu(2).lines_.irq.set(true); };
  round();
  EXPECT_EQ(cpu(0).stops, 0u);
}

TEST_F(SchedulerTest, ACpuInWfeLooksAgainAfterOthersWorked) {
  make(2);
  park(1, PauseReason::wait_for_event);
  round();
  EXPECT_TRUE(order == "01");
  round();
  EXPECT_TRUE(cpu(1).event) << "a store may have been what it waits for";
  EXPECT_EQ(cpu(0).slices[1].instructions, 100u) << "so nobody gets a long turn meanwhile";
  EXPECT_EQ(cpu(0).slices[1].sharers, 1u) << "and waiting slows nobody down";
}

TEST_F(SchedulerTest, SpinningCpusDoNotSlowTheOthers) {
  make(2);
  park(1, PauseReason::yielded);
  round();
  round();
  EXPECT_EQ(cpu(0).slices[0].sharers, 2u);
  EXPECT_EQ(cpu(0).slices[1].sharers, 1u);
  EXPECT_EQ(order, "0101") << "but they get their turns";
}

TEST_F(SchedulerTest, IdleAllOffStuckAndStopped) {
  make(2);
  park(0, PauseReason::wait_for_interrupt);
  park(1, PauseReason::wait_for_interrupt);
  EXPECT_EQ(round(), Outcome::ran);
  EXPECT_EQ(round(), Outcome::idle);
  EXPECT_EQ(order, "01") << "nobody ran";
  cpu(0).lines_.irq.set(true);
  EXPECT_EQ(round(), Outcome::ran);
  cpu(0).on = cpu(1).on = false;
  EXPECT_EQ(round(), Outcome::all_off);
  cpu(1).on = true;
  cpu(1).script = {{1, PauseReason::stuck}};
  EXPECT_EQ(round(), Outcome::stuck);
  EXPECT_EQ(scheduler->stuck_cpu(), 1u);
  scheduler->stop();
  EXPECT_EQ(round(), Outcome::stopped);
}

TEST_F(SchedulerTest, StopReachesTheCpuThatRuns) {
  make(2);
  cpu(0).during = [&] { scheduler->stop(); };
  EXPECT_EQ(round(), Outcome::stopped);
  EXPECT_EQ(cpu(0).stops, 1u);
  EXPECT_EQ(order, "0");
}

TEST_F(SchedulerTest, TheLimitCountsAllCpus) {
  make(2);
  EXPECT_EQ(round(150), Outcome::ran);
  EXPECT_EQ(scheduler->instructions(), 150u);
  EXPECT_EQ(cpu(1).counters_.instructions, 50u);
  round(150);
  EXPECT_EQ(order, "01") << "nobody is started at the limit";
}

TEST_F(SchedulerTest, ACpuPoweredOnMakesALongTurnEnd) {
  make(2);
  cpu(1).on = false;
  cpu(0).during = [&] {
    cpu(1).on = true;
    scheduler->woken(1);
  };
  round();
  EXPECT_EQ(cpu(0).stops, 1u);
}

TEST_F(SchedulerTest, ACpuSwitchedOffInARoundDoesNotRunInIt) {
  make(2);
  cpu(0).during = [&] { cpu(1).on = false; };
  round();
  EXPECT_EQ(order, "0");
}

TEST_F(SchedulerTest, NextEventIsTheEarliestOfTimelineAndEventStream) {
  make(1);
  park(0, PauseReason::wait_for_event);
  round();
  EXPECT_EQ(scheduler->next_event(), kNever) << "nobody else could store";
  Wakeup wakeup(timeline, [] {});
  wakeup.at(5000);
  EXPECT_EQ(scheduler->next_event(), 5000u);
  stream = 300;
  EXPECT_EQ(scheduler->next_event(), 300u);
  scheduler->advance_to(300);
  EXPECT_TRUE(cpu(0).event);
  EXPECT_EQ(timeline.now(), 300u);
}

TEST_F(SchedulerTest, CpusThatAllWaitForEventsPollLessAndLess) {
  make(2);
  park(0, PauseReason::wait_for_event);
  park(1, PauseReason::wait_for_event);
  round();
  Time last = 0, gap = 0;
  for (unsigned i = 0; i < 4; ++i) {
    ASSERT_EQ(round(), Outcome::idle);
    const Time next = scheduler->next_event();
    ASSERT_NE(next, kNever);
    EXPECT_GT(next - last, gap);
    gap = next - last;
    last = next;
    scheduler->advance_to(next);
    EXPECT_EQ(round(), Outcome::ran);
  }
  for (unsigned i = 0; i < 20'000 && scheduler->next_event() != kNever; ++i) {
    scheduler->advance_to(scheduler->next_event());
    round();
  }
  EXPECT_EQ(scheduler->next_event(), kNever) << "in the end they are idle for ever";
}

/// Runs those that a string names.
struct NamedPlacement final : CpuPlacement {
  void place(Time, const std::vector<bool>& ready, std::vector<unsigned>& turns) override {
    turns.clear();
    for (const char name : who) {
      const auto n = static_cast<unsigned>(name - '0');
      if (ready[n]) turns.push_back(n);
    }
  }
  std::uint64_t overhead(unsigned cpu) override { return 10 + cpu; }
  std::string who;
};

TEST_F(SchedulerTest, APlacementSaysWhoRuns) {
  make(3);
  NamedPlacement placement;
  scheduler->place_by(placement);
  placement.who = "20";
  EXPECT_EQ(round(), Outcome::ran);
  EXPECT_EQ(order, "20");
  EXPECT_EQ(cpu(2).slices[0].overhead, 12u);
  EXPECT_EQ(cpu(2).slices[0].sharers, 2u);
  placement.who = "";
  EXPECT_EQ(round(), Outcome::idle) << "CPUs are ready and have no processor";
}

TEST_F(SchedulerTest, ADecisionThatIsDueEndsTheRound) {
  make(2);
  NamedPlacement placement;
  placement.who = "01";
  scheduler->place_by(placement);
  cpu(0).during = [&] { scheduler->preempt(); };
  EXPECT_EQ(round(), Outcome::ran);
  EXPECT_EQ(order, "0");
  EXPECT_EQ(cpu(0).stops, 1u);
}

TEST_F(SchedulerTest, TellsWhatEachCpuDoes) {
  make(3);
  NamedPlacement placement;
  placement.who = "0";
  scheduler->place_by(placement);
  std::string told;
  scheduler->watch_activity([&](unsigned n, CpuActivity activity) {
    told += std::to_string(n) + "obrR"[static_cast<unsigned>(activity)];
  });
  cpu(2).on = false;
  round();
  EXPECT_EQ(told, "0R1r");
  told.clear();
  park(0, PauseReason::wait_for_interrupt);
  round();
  round();
  EXPECT_EQ(told, "0b");
}

}  // namespace
}  // namespace trapline
