#include "models/timer/counter_frame.h"

#include <gtest/gtest.h>

#include "models/timer/timer_frame.h"
#include "sim/time/timeline.h"

namespace trapline {
namespace {

std::uint64_t read(Device& device, PhysAddr offset, std::uint8_t size = 4) {
  std::uint64_t value = ~0ull;
  EXPECT_EQ(device.read({.offset = offset, .size = size}, value), BusStatus::ok);
  return value;
}

void write(Device& device, PhysAddr offset, std::uint64_t value, std::uint8_t size = 4) {
  EXPECT_EQ(device.write({.offset = offset, .size = size}, value), BusStatus::ok);
}

constexpr Time kTick = 10'000;  // 100 MHz.

TEST(CounterControlFrameTest, StartsStopsAndSetsTheCounter) {
  Timeline timeline;
  SystemCounter counter(timeline, 100'000'000);
  CounterControlFrame control("control", counter);
  CounterReadFrame view("read", counter);
  timeline.advance_to(5 * kTick);
  EXPECT_EQ(read(view, 0x0, 8), 0u);
  EXPECT_EQ(read(control, 0x020), 100'000'000u);
  EXPECT_EQ(read(control, 0x024), 0u);
  write(control, 0x008, 0x89abcdef);
  write(control, 0x00c, 0x01234567);
  EXPECT_EQ(read(view, 0x4), 0x01234567u);
  write(control, 0x000, 1);
  timeline.advance_to(6 * kTick);
  EXPECT_EQ(read(control, 0x008, 8), 0x0123456789abcdf0u);
  EXPECT_EQ(read(view, 0x0), 0x89abcdf0u);
  write(view, 0x0, 0);  // Read-only.
  EXPECT_EQ(read(view, 0x0), 0x89abcdf0u);
  control.reset();
  EXPECT_FALSE(counter.enabled());
  EXPECT_EQ(counter.count(), 0u);
}

class TimerFrameTest : public ::testing::Test {
 protected:
  Timeline timeline;
  SystemCounter counter{timeline, 100'000'000};
  Line p, v;
  TimerFrame frame{"frame0", timeline, counter, p, v};
  TimerControlFrame control{"control", counter, {nullptr, &frame}, 1u << 1};
};

TEST_F(TimerFrameTest, ControlFrameDescribesAndOpensFrames) {
  EXPECT_EQ(read(control, 0x008), 0x70u);
  timeline.advance_to(50 * kTick);
  EXPECT_EQ(read(frame.base(), 0x000), 0u);  // Out of reach until CNTACR1 says so.
  write(control, 0x044, 0x3f);
  EXPECT_EQ(read(control, 0x044), 0x3fu);
  EXPECT_EQ(read(frame.base(), 0x000, 8), 50u);
  write(control, 0x088, 20, 8);
  EXPECT_EQ(read(frame.base(), 0x008, 8), 30u);
  EXPECT_EQ(read(frame.base(), 0x018), 20u);
  EXPECT_EQ(read(frame.base(), 0x010), 100'000'000u);
}

TEST_F(TimerFrameTest, TimersDriveTheirLines) {
  write(control, 0x044, 0x3f);
  write(frame.base(), 0x028, 10);  // CNTP_TVAL
  write(frame.base(), 0x02c, 1);   // CNTP_CTL
  write(frame.base(), 0x030, 20, 8);
  write(frame.base(), 0x03c, 1);
  timeline.advance_to(10 * kTick - 1);
  EXPECT_FALSE(p.level());
  timeline.advance_to(10 * kTick);
  EXPECT_TRUE(p.level());
  EXPECT_EQ(read(frame.base(), 0x02c), 5u);
  EXPECT_FALSE(v.level());
  timeline.advance_to(20 * kTick);
  EXPECT_TRUE(v.level());
  write(frame.base(), 0x034, 1);  // High half of CNTV_CVAL.
  EXPECT_FALSE(v.level());
  EXPECT_EQ(read(frame.base(), 0x030, 8), 0x1'0000'0014u);
}

TEST_F(TimerFrameTest, SecondWindowNeedsPermission) {
  write(control, 0x044, 0x3f);
  timeline.advance_to(7 * kTick);
  EXPECT_EQ(read(frame.el0(), 0x000), 0u);
  write(frame.el0(), 0x02c, 1);
  EXPECT_EQ(read(frame.base(), 0x02c), 0u);
  write(frame.base(), 0x014, 0x201);  // EL0PCTEN, EL0PTEN
  EXPECT_EQ(read(frame.el0(), 0x000), 7u);
  EXPECT_EQ(read(frame.el0(), 0x008), 0u);
  write(frame.el0(), 0x02c, 3);
  EXPECT_EQ(read(frame.base(), 0x02c) & 3, 3u);
}

}  // namespace
}  // namespace trapline
