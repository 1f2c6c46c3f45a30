#include "sim/trace/trace_diff.h"

#include <gtest/gtest.h>

#include <sstream>

namespace trapline {
namespace {

/// Hypercalls with ascending arguments, a checkpoint before every tenth.
std::vector<Event> calls(unsigned count) {
  std::vector<Event> events;
  for (unsigned n = 0; n < count; ++n) {
    if (n % 10 == 0) {
      events.push_back({.kind = EventKind::checkpoint, .instructions = n * 100, .a = n});
    }
    events.push_back({.kind = EventKind::hypercall, .instructions = n * 100 + 1, .b = n});
  }
  return events;
}

TraceDifference compare(const std::vector<Event>& a, const std::vector<Event>& b,
                        const EventSet& in_a = EventSet::all(), std::size_t context = 2) {
  std::string bytes[2];
  const EventSet sets[2] = {in_a, EventSet::all()};
  const std::vector<Event>* events[2] = {&a, &b};
  for (unsigned n = 0; n < 2; ++n) {
    TraceWriter writer(TraceFormat::binary, {{}, sets[n]},
                       [&](std::string_view part) { bytes[n] += part; });
    for (const Event& event : *events[n]) writer.on_event(event);
    writer.finish("0");
  }
  std::istringstream input_a(bytes[0]), input_b(bytes[1]);
  TraceReader reader_a(input_a, "a"), reader_b(input_b, "b");
  return compare_traces(reader_a, reader_b, EventSet::all(), context);
}

TEST(TraceDiff, EqualTracesDoNotDiffer) {
  const TraceDifference difference = compare(calls(50), calls(50));
  EXPECT_FALSE(difference.differ());
  EXPECT_EQ(difference.common, 55u);
}

TEST(TraceDiff, NamesTheFirstDifferenceWithWhatIsAround) {
  auto b = calls(50);
  b[30].b ^= 1;  // Call 27; its checkpoint is that before call 20.
  const TraceDifference difference = compare(calls(50), b);
  EXPECT_EQ(difference.common, 30u);
  ASSERT_EQ(difference.before.size(), 2u);
  EXPECT_EQ(difference.before.back().event.b, 26u);
  ASSERT_EQ(difference.a.size(), 3u);
  EXPECT_EQ(difference.a.front().event.b, 27u);
  EXPECT_EQ(difference.b.front().event.b, 26u);
  EXPECT_EQ(difference.a.back().event.b, 29u);
  ASSERT_TRUE(difference.checkpoint);
  EXPECT_EQ(difference.checkpoint->event.a, 20u);
  EXPECT_EQ(different_fields(difference.a.front().view(), difference.b.front().view()),
            std::vector<std::string>{"x0"});
}

TEST(TraceDiff, ATraceThatEndsEarlierDiffersThere) {
  const TraceDifference difference = compare(calls(5), calls(8));
  EXPECT_TRUE(difference.a.empty());
  ASSERT_FALSE(difference.b.empty());
  EXPECT_EQ(difference.b.front().event.b, 5u);
}

TEST(TraceDiff, ComparesOnlyWhatBothRecorded) {
  auto b = calls(20);
  b[5].b ^= 1;
  EXPECT_FALSE(compare(calls(20), b, EventSet::parse("uart-line")).differ());
}

TEST(TraceDiff, TellsTwoKindsApartByTheirKindAlone) {
  EXPECT_EQ(different_fields({.kind = EventKind::wait, .cpu = 1}, {.kind = EventKind::wake}),
            std::vector<std::string>{"kind"});
}

}  // namespace
}  // namespace trapline
