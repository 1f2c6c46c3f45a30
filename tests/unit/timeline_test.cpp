#include "sim/time/timeline.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace trapline {
namespace {

class TimelineTest : public ::testing::Test {
 protected:
  /// An alarm that notes its name and the time at which it ran.
  std::unique_ptr<Wakeup> alarm(const std::string& name) {
    return std::make_unique<Wakeup>(timeline, [this, name] {
      ran.push_back({name, timeline.now()});
    });
  }

  using Run = std::pair<std::string, Time>;
  Timeline timeline;
  std::vector<Run> ran;
};

// The CPU that runs, as the timeline sees it.
class FakeCpu final : public TimeSource {
 public:
  Time current_time() const override { return time; }
  void deadline_changed(Time when) override { deadlines.push_back(when); }

  Time time = 0;
  std::vector<Time> deadlines;
};

TEST_F(TimelineTest, StartsAtZeroWithNothingDue) {
  EXPECT_EQ(timeline.now(), 0u);
  EXPECT_EQ(timeline.next_due(), kNever);
  timeline.advance_to(1000);
  EXPECT_EQ(timeline.now(), 1000u);
}

TEST_F(TimelineTest, RunsWakeupsInOrderOfTimeAtTheirTime) {
  auto late = alarm("late");
  auto early = alarm("early");
  late->at(200);
  early->at(100);
  EXPECT_EQ(timeline.next_due(), 100u);
  timeline.advance_to(500);
  EXPECT_EQ(ran, (std::vector<Run>{{"early", 100}, {"late", 200}}));
  EXPECT_EQ(timeline.now(), 500u);
  EXPECT_EQ(timeline.next_due(), kNever);
  EXPECT_EQ(early->due(), kNever);
}

TEST_F(TimelineTest, RunsWhatIsDueExactlyNowAndNothingLater) {
  auto exact = alarm("exact");
  auto later = alarm("later");
  exact->at(100);
  later->at(101);
  timeline.advance_to(100);
  EXPECT_EQ(ran, (std::vector<Run>{{"exact", 100}}));
  EXPECT_EQ(timeline.next_due(), 101u);
}

TEST_F(TimelineTest, EqualTimesRunInOrderOfConstructionNotOfArming) {
  auto first = alarm("first");
  auto second = alarm("second");
  auto third = alarm("third");
  third->at(50);
  first->at(50);
  second->at(50);
  timeline.advance_to(50);
  EXPECT_EQ(ran, (std::vector<Run>{{"first", 50}, {"second", 50}, {"third", 50}}));
}

TEST_F(TimelineTest, RearmingReplacesTheEarlierTime) {
  auto wakeup = alarm("a");
  wakeup->at(100);
  wakeup->at(300);
  EXPECT_EQ(timeline.next_due(), 300u);
  timeline.advance_to(200);
  EXPECT_TRUE(ran.empty());
  wakeup->at(250);
  timeline.advance_to(1000);
  EXPECT_EQ(ran, (std::vector<Run>{{"a", 250}}));
}

TEST_F(TimelineTest, CancelledAndDestroyedWakeupsDoNotRun) {
  auto cancelled = alarm("cancelled");
  auto destroyed = alarm("destroyed");
  cancelled->at(10);
  destroyed->at(20);
  cancelled->cancel();
  destroyed.reset();
  EXPECT_EQ(timeline.next_due(), kNever);
  timeline.advance_to(100);
  EXPECT_TRUE(ran.empty());
}

TEST_F(TimelineTest, PeriodicWakeupSeesEveryPeriodOfALongStep) {
  std::vector<Time> ticks;
  std::unique_ptr<Wakeup> tick;
  tick = std::make_unique<Wakeup>(timeline, [&] {
    ticks.push_back(timeline.now());
    tick->at(timeline.now() + 10);
  });
  tick->at(10);
  timeline.advance_to(35);
  EXPECT_EQ(ticks, (std::vector<Time>{10, 20, 30}));
  EXPECT_EQ(tick->due(), 40u);
}

TEST_F(TimelineTest, ActionMayArmAnotherForTheSameTime) {
  auto second = alarm("second");
  Wakeup first(timeline, [&] {
    ran.push_back({"first", timeline.now()});
    second->at(timeline.now());
  });
  first.at(70);
  timeline.advance_to(70);
  EXPECT_EQ(ran, (std::vector<Run>{{"first", 70}, {"second", 70}}));
}

TEST_F(TimelineTest, ActionMayCancelOrDestroyALaterOne) {
  auto cancelled = alarm("cancelled");
  auto destroyed = alarm("destroyed");
  Wakeup first(timeline, [&] {
    cancelled->cancel();
    destroyed.reset();
  });
  first.at(5);
  cancelled->at(10);
  destroyed->at(20);
  timeline.advance_to(100);
  EXPECT_TRUE(ran.empty());
  EXPECT_EQ(timeline.now(), 100u);
}

TEST_F(TimelineTest, ATimeInThePastRunsAtTheNextBoundaryWithoutTurningTimeBack) {
  timeline.advance_to(500);
  auto wakeup = alarm("a");
  wakeup->at(100);
  EXPECT_TRUE(ran.empty()) << "not from within at()";
  EXPECT_EQ(timeline.next_due(), 100u);
  timeline.advance_to(500);
  EXPECT_EQ(ran, (std::vector<Run>{{"a", 500}}));
  wakeup->at(200);
  timeline.advance_to(900);
  EXPECT_EQ(ran.back(), (Run{"a", 500}));
  EXPECT_EQ(timeline.now(), 900u);
}

TEST_F(TimelineTest, RunningCpuIsTheSourceOfNow) {
  FakeCpu cpu;
  timeline.advance_to(100);
  cpu.time = 140;
  timeline.set_source(&cpu);
  EXPECT_EQ(timeline.now(), 140u);
  timeline.set_source(nullptr);
  EXPECT_EQ(timeline.now(), 100u);
}

TEST_F(TimelineTest, RunningCpuIsToldOfEarlierDeadlinesOnly) {
  FakeCpu cpu;
  auto near = alarm("near");
  auto far = alarm("far");
  timeline.set_source(&cpu);
  far->at(1000);
  near->at(500);
  far->at(800);  // Behind the earliest: nothing changes for the CPU.
  EXPECT_EQ(cpu.deadlines, (std::vector<Time>{1000, 500}));
  near->cancel();
  EXPECT_EQ(cpu.deadlines.size(), 2u) << "a CPU may stop early, never late";
  EXPECT_EQ(timeline.next_due(), 800u);
}

}  // namespace
}  // namespace trapline
