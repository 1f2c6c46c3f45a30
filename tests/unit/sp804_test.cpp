#include "models/timer/sp804.h"

#include <gtest/gtest.h>

#include "sim/time/timeline.h"

namespace trapline {
namespace {

constexpr Time kTick = 1'000'000;  // 1 MHz.
constexpr PhysAddr kLoad = 0x00, kValue = 0x04, kControl = 0x08, kIntClr = 0x0c, kRis = 0x10,
                   kMis = 0x14, kBgLoad = 0x18;
constexpr std::uint64_t kOneShot = 1, k32Bit = 2, kIntEnable = 0x20, kPeriodic = 0x40,
                        kEnable = 0x80;

class Sp804Test : public ::testing::Test {
 protected:
  std::uint64_t read(PhysAddr offset) {
    std::uint64_t value = ~0ull;
    EXPECT_EQ(timer.read({.offset = offset, .size = 4}, value), BusStatus::ok);
    return value;
  }
  void write(PhysAddr offset, std::uint64_t value) {
    EXPECT_EQ(timer.write({.offset = offset, .size = 4}, value), BusStatus::ok);
  }
  void run(std::uint64_t ticks) { timeline.advance_to(timeline.now() + ticks * kTick); }

  Timeline timeline;
  Line irq;
  Sp804 timer{"sp804", irq, timeline};
};

TEST_F(Sp804Test, ResetValues) {
  EXPECT_EQ(read(kControl), 0x20u);
  EXPECT_EQ(read(kValue), 0xffffu);  // 16 bits wide until TimerSize is set.
  EXPECT_EQ(read(0xfe0), 0x04u);
  run(100);
  EXPECT_EQ(read(kValue), 0xffffu);
}

TEST_F(Sp804Test, PeriodicModeInterruptsEveryLoadTicks) {
  write(kControl, k32Bit | kPeriodic | kIntEnable);
  write(kLoad, 100);
  write(kControl, k32Bit | kPeriodic | kIntEnable | kEnable);
  run(30);
  EXPECT_EQ(read(kValue), 70u);
  timeline.advance_to(100 * kTick - 1);
  EXPECT_FALSE(irq.level());
  timeline.advance_to(100 * kTick);
  EXPECT_TRUE(irq.level());
  run(250);  // Nobody clears it for a while.
  EXPECT_EQ(read(kValue), 50u);
  write(kIntClr, 0);
  EXPECT_FALSE(irq.level());
  timeline.advance_to(400 * kTick - 1);
  EXPECT_FALSE(irq.level());
  timeline.advance_to(400 * kTick);
  EXPECT_TRUE(irq.level());
}

TEST_F(Sp804Test, BackgroundLoadWaitsForTheNextPeriod) {
  write(kControl, k32Bit | kPeriodic | kIntEnable | kEnable);
  write(kLoad, 10);
  write(kBgLoad, 50);
  EXPECT_EQ(read(kLoad), 50u);
  EXPECT_EQ(read(kValue), 10u);
  run(10);
  EXPECT_TRUE(irq.level());
  write(kIntClr, 1);
  EXPECT_EQ(read(kValue), 50u);
  run(49);
  EXPECT_FALSE(irq.level());
  run(1);
  EXPECT_TRUE(irq.level());
}

TEST_F(Sp804Test, OneShotStopsAtZero) {
  write(kControl, k32Bit | kOneShot | kIntEnable | kEnable);
  write(kLoad, 5);
  run(20);
  EXPECT_TRUE(irq.level());
  EXPECT_EQ(read(kValue), 0u);
  write(kIntClr, 1);
  run(1000);
  EXPECT_FALSE(irq.level());
  write(kLoad, 3);
  run(3);
  EXPECT_TRUE(irq.level());
}

TEST_F(Sp804Test, FreeRunningWrapsAtItsWidth) {
  write(kControl, kEnable);
  write(kLoad, 10);
  run(10);
  EXPECT_EQ(read(kRis), 1u);
  EXPECT_EQ(read(kMis), 0u);
  EXPECT_FALSE(irq.level());
  run(1);
  EXPECT_EQ(read(kValue), 0xffffu);
  write(kIntClr, 1);
  run(0xffff - 1);
  EXPECT_EQ(read(kRis), 0u);
  run(1);
  EXPECT_EQ(read(kRis), 1u);
}

TEST_F(Sp804Test, PrescalerAndSecondTimer) {
  write(0x20 + kControl, k32Bit | kPeriodic | kIntEnable | kEnable | 1 << 2);
  write(0x20 + kLoad, 4);
  run(63);
  EXPECT_FALSE(irq.level());
  EXPECT_EQ(read(0x20 + kValue), 1u);
  run(1);
  EXPECT_TRUE(irq.level());
  EXPECT_EQ(read(0x20 + kMis), 1u);
  EXPECT_EQ(read(kRis), 0u);
}

TEST_F(Sp804Test, DisablingHoldsTheValue) {
  write(kControl, k32Bit | kIntEnable | kEnable);
  write(kLoad, 100);
  run(40);
  write(kControl, k32Bit | kIntEnable);
  run(1000);
  EXPECT_EQ(read(kValue), 60u);
  write(kControl, k32Bit | kIntEnable | kEnable);
  run(60);
  EXPECT_TRUE(irq.level());
}

TEST_F(Sp804Test, AChangeOfClockGoesOnFromTheValueShown) {
  write(kControl, k32Bit | kPeriodic | kIntEnable | kEnable);
  write(kLoad, 100);
  run(40);
  timer.set_clock(0, 100'000);  // A tenth: each count lasts ten of run()'s ticks.
  EXPECT_EQ(read(kValue), 60u);
  run(599);
  EXPECT_EQ(read(kValue), 1u);
  EXPECT_FALSE(irq.level());
  run(1);
  EXPECT_TRUE(irq.level());
  EXPECT_EQ(read(kValue), 100u);
  write(kIntClr, 1);
  timer.set_clock(0, 1'000'000);
  run(99);
  EXPECT_FALSE(irq.level());
  run(1);
  EXPECT_TRUE(irq.level());
}

TEST_F(Sp804Test, AStoppedTimerKeepsItsValueThroughAChangeOfClock) {
  write(kControl, k32Bit | kIntEnable | kEnable);
  write(kLoad, 100);
  run(40);
  write(kControl, k32Bit | kIntEnable);
  timer.set_clock(0, 35'000'000);
  run(10);
  EXPECT_EQ(read(kValue), 60u);
}

}  // namespace
}  // namespace trapline
