#include "models/watchdog/sp805.h"

#include <gtest/gtest.h>

#include "sim/time/timeline.h"

namespace trapline {
namespace {

constexpr Time kTick = 1'000'000;
constexpr PhysAddr kLoad = 0x00, kValue = 0x04, kControl = 0x08, kIntClr = 0x0c, kRis = 0x10,
                   kMis = 0x14, kLock = 0xc00;

class Sp805Test : public ::testing::Test {
 protected:
  std::uint64_t read(PhysAddr offset) {
    std::uint64_t value = ~0ull;
    EXPECT_EQ(watchdog.read({.offset = offset, .size = 4}, value), BusStatus::ok);
    return value;
  }
  void write(PhysAddr offset, std::uint64_t value) {
    EXPECT_EQ(watchdog.write({.offset = offset, .size = 4}, value), BusStatus::ok);
  }
  void run(std::uint64_t ticks) { timeline.advance_to(timeline.now() + ticks * kTick); }

  Timeline timeline;
  Line irq, reset_request;
  Sp805 watchdog{"sp805", irq, reset_request, timeline, 1'000'000};
};

TEST_F(Sp805Test, InterruptsThenAsksForReset) {
  EXPECT_EQ(read(kValue), 0xffffffffu);
  write(kLoad, 99);
  write(kControl, 3);
  run(40);
  EXPECT_EQ(read(kValue), 59u);
  run(59);
  EXPECT_FALSE(irq.level());
  run(1);
  EXPECT_TRUE(irq.level());
  EXPECT_EQ(read(kMis), 1u);
  run(99);
  EXPECT_FALSE(reset_request.level());
  run(1);
  EXPECT_TRUE(reset_request.level());
  watchdog.reset();
  EXPECT_FALSE(reset_request.level());
  EXPECT_FALSE(irq.level());
  EXPECT_EQ(timeline.next_due(), kNever);
}

TEST_F(Sp805Test, ClearingInTimeStartsAgain) {
  write(kLoad, 9);
  write(kControl, 3);
  for (int i = 0; i < 5; ++i) {
    run(10);
    EXPECT_TRUE(irq.level());
    run(9);
    write(kIntClr, 1);
    EXPECT_FALSE(irq.level());
    EXPECT_EQ(read(kValue), 9u);
  }
  EXPECT_FALSE(reset_request.level());
}

TEST_F(Sp805Test, WithoutResetEnableItOnlyInterrupts) {
  write(kLoad, 9);
  write(kControl, 1);
  run(1000);
  EXPECT_TRUE(irq.level());
  EXPECT_FALSE(reset_request.level());
}

TEST_F(Sp805Test, DisablingStopsAndEnablingReloads) {
  write(kLoad, 99);
  write(kControl, 1);
  run(50);
  write(kControl, 0);
  run(1000);
  EXPECT_EQ(read(kValue), 49u);
  EXPECT_EQ(read(kRis), 0u);
  write(kControl, 1);
  EXPECT_EQ(read(kValue), 99u);
}

TEST_F(Sp805Test, LockGuardsEveryOtherRegister) {
  write(kLock, 1);
  EXPECT_EQ(read(kLock), 1u);
  write(kLoad, 5);
  write(kControl, 3);
  EXPECT_EQ(read(kLoad), 0xffffffffu);
  EXPECT_EQ(read(kControl), 0u);
  write(kLock, 0x1acce551);
  EXPECT_EQ(read(kLock), 0u);
  write(kControl, 3);
  EXPECT_EQ(read(kControl), 3u);
}

}  // namespace
}  // namespace trapline
