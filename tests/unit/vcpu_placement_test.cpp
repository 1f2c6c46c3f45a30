// Who has a physical CPU when, under each policy.
#include "sim/machine/vcpu_placement.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "sim/machine/image_error.h"

namespace trapline {
namespace {

using Policy = SchedulerSpec::Policy;

constexpr Time kMs = 1'000'000'000;

struct SwitchSink final : Sink {
  void on_event(const Event& event) override { seen.push_back(event); }
  bool wants(EventKind kind) const override { return kind == EventKind::vcpu_switch; }
  std::vector<Event> seen;
};

class Placement : public ::testing::Test {
 protected:
  /// One domain a vCPU: "a", "b", "c"...
  void make(SchedulerSpec spec, unsigned processors, unsigned vcpus) {
    events.attach(sink);
    std::vector<VcpuPlacement::Vcpu> all;
    for (unsigned n = 0; n < vcpus; ++n) {
      all.push_back(
          {std::string(1, static_cast<char>('a' + n)), 0, static_cast<std::uint16_t>(n + 1)});
    }
    placement.emplace(spec, processors, std::move(all), timeline, events, [this] { due = true; });
    ready.assign(vcpus, true);
  }
  /// Places at `when` and says who runs, such as "ac".
  std::string at(Time when) {
    timeline.advance_to(when);
    std::vector<unsigned> turns;
    placement->place(when, ready, turns);
    std::string text;
    for (const unsigned n : turns) text += static_cast<char>('a' + n);
    return text;
  }
  SchedulerSpec table(std::vector<SchedulerSpec::Window> windows) {
    SchedulerSpec spec{.policy = Policy::arinc653};
    spec.tables.push_back(std::move(windows));
    return spec;
  }

  Timeline timeline;
  EventHub events;
  SwitchSink sink;
  std::optional<VcpuPlacement> placement;
  std::vector<bool> ready;
  bool due = false;
};

TEST_F(Placement, NullGivesEachItsOwnAndNeverSwitches) {
  make({.policy = Policy::null}, 3, 3);
  EXPECT_EQ(at(0), "abc");
  ready[1] = false;
  EXPECT_EQ(at(kMs), "ac");
  EXPECT_EQ(placement->overhead(0), 0u);
  EXPECT_TRUE(sink.seen.empty());
  EXPECT_EQ(timeline.next_due(), kNever);
}

TEST_F(Placement, NullRefusesMoreVcpusThanCpus) {
  EXPECT_THROW(make({.policy = Policy::null}, 2, 3), ImageError);
}

TEST_F(Placement, RoundRobinTakesTurnsBySlice) {
  make({.policy = Policy::round_robin, .slice = 10 * kMs, .switch_cycles = 500}, 1, 3);
  EXPECT_EQ(at(0), "a");
  EXPECT_EQ(timeline.next_due(), 10 * kMs);
  EXPECT_EQ(at(9 * kMs), "a");
  EXPECT_EQ(at(10 * kMs), "b");
  EXPECT_TRUE(due);
  EXPECT_EQ(placement->overhead(1), 500u);
  EXPECT_EQ(placement->overhead(1), 0u) << "once a switch";
  EXPECT_EQ(at(20 * kMs), "c");
  EXPECT_EQ(at(30 * kMs), "a");
  ASSERT_EQ(sink.seen.size(), 4u);
  EXPECT_EQ(sink.seen[1].a, 1u);
  EXPECT_EQ(sink.seen[1].b, 2u);
  EXPECT_EQ(sink.seen[1].cpu, 0u);
  const auto report = placement->report();
  EXPECT_EQ(report[0].running, 10 * kMs);
  EXPECT_EQ(report[1].waiting, 20 * kMs) << "from 0 to 10 and from 20 to 30 ms";
  EXPECT_EQ(report[2].longest_wait, 20 * kMs);
}

TEST_F(Placement, WhoeverBlocksGivesWayAndCostsNothingToComeBack) {
  make({.policy = Policy::round_robin, .slice = 10 * kMs, .switch_cycles = 500}, 1, 2);
  at(0);
  placement->overhead(0);
  ready[0] = ready[1] = false;
  EXPECT_EQ(at(kMs), "");
  EXPECT_EQ(timeline.next_due(), kNever) << "nobody to decide about";
  ready[0] = true;
  EXPECT_EQ(at(2 * kMs), "a");
  EXPECT_EQ(placement->overhead(0), 0u);
  ready[1] = true;
  ready[0] = false;
  EXPECT_EQ(at(3 * kMs), "b");
  EXPECT_EQ(placement->overhead(1), 500u);
}

TEST_F(Placement, RoundRobinUsesAllCpus) {
  make({.policy = Policy::round_robin, .slice = 10 * kMs}, 2, 3);
  EXPECT_EQ(at(0), "ab");
  EXPECT_EQ(at(10 * kMs), "ca") << "c waited, and a is back in the queue before b";
  ready[1] = false;
  EXPECT_EQ(at(11 * kMs), "ca");
}

TEST_F(Placement, TableDecidesAloneAndSharesAreExact) {
  make(table({{"a", 0, 5 * kMs}, {"b", 0, 3 * kMs}, {"", 0, 2 * kMs}}), 1, 2);
  EXPECT_EQ(at(0), "a");
  EXPECT_EQ(timeline.next_due(), 5 * kMs);
  EXPECT_EQ(at(5 * kMs), "b");
  EXPECT_EQ(at(8 * kMs), "") << "nobody's window";
  EXPECT_EQ(timeline.next_due(), 10 * kMs);
  EXPECT_EQ(at(10 * kMs), "a");
  EXPECT_EQ(at(15 * kMs + 7), "b") << "a block ended 7 ps late";
  EXPECT_EQ(at(18 * kMs), "");
  EXPECT_EQ(at(20 * kMs), "a");
  const auto report = placement->report();
  EXPECT_EQ(report[0].running, 10 * kMs + 7);
  EXPECT_EQ(report[1].running, 6 * kMs - 7);
  EXPECT_EQ(report[1].windows, 2u);
  EXPECT_EQ(report[1].start_delay_least, 0u);
  EXPECT_EQ(report[1].start_delay_most, 7u);
}

TEST_F(Placement, AWindowOfASleeperIsNotLate) {
  make(table({{"a", 0, 5 * kMs}, {"b", 0, 5 * kMs}}), 1, 2);
  ready[1] = false;
  EXPECT_EQ(at(0), "a");
  EXPECT_EQ(at(5 * kMs), "");
  ready[1] = true;
  EXPECT_EQ(at(7 * kMs), "b") << "it may use the rest";
  EXPECT_EQ(placement->report()[1].windows, 0u);
  EXPECT_EQ(placement->report()[1].windows_slept, 1u);
  EXPECT_EQ(placement->report()[1].start_delay_most, 0u);
}

TEST_F(Placement, TablesNameWhatThereIs) {
  EXPECT_THROW(make({.policy = Policy::arinc653}, 1, 1), ImageError);
  EXPECT_THROW(make(table({{"z", 0, kMs}}), 1, 1), ImageError);
  EXPECT_THROW(make(table({{"a", 1, kMs}}), 1, 1), ImageError);
  EXPECT_THROW(make(table({{"a", 0, kMs}}), 1, 2), ImageError) << "b would never run";
  SchedulerSpec two = table({{"a", 0, kMs}});
  two.tables.push_back({{"b", 0, kMs}});
  EXPECT_THROW(make(two, 1, 2), ImageError) << "one CPU, two tables";
  two.tables[1][0].domain = "a";
  EXPECT_THROW(make(two, 2, 1), ImageError) << "a vCPU on two CPUs";
}

}  // namespace
}  // namespace trapline
