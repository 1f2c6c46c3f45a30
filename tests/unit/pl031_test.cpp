#include "models/rtc/pl031.h"

#include <gtest/gtest.h>

#include "sim/time/timeline.h"

namespace trapline {
namespace {

constexpr PhysAddr kDr = 0x00, kMr = 0x04, kLr = 0x08, kCr = 0x0c, kImsc = 0x10, kRis = 0x14,
                   kMis = 0x18, kIcr = 0x1c;
constexpr Time kSecond = kPicosecondsPerSecond;

class Pl031Test : public ::testing::Test {
 protected:
  std::uint64_t read(PhysAddr offset, std::uint8_t size = 4) {
    std::uint64_t value = ~0ull;
    EXPECT_EQ(rtc.read({.offset = offset, .size = size}, value), BusStatus::ok);
    return value;
  }
  void write(PhysAddr offset, std::uint64_t value) {
    EXPECT_EQ(rtc.write({.offset = offset, .size = 4}, value), BusStatus::ok);
  }

  Timeline timeline;
  Line irq;
  Pl031 rtc{irq, timeline};
};

TEST_F(Pl031Test, CountsVirtualSecondsFromAFixedEpoch) {
  EXPECT_EQ(read(kDr), 1'704'067'200u);
  timeline.advance_to(10 * kSecond - 1);
  EXPECT_EQ(read(kDr), 1'704'067'209u);
  timeline.advance_to(10 * kSecond);
  EXPECT_EQ(read(kDr), 1'704'067'210u);
  Pl031 other(irq, timeline, 1000);
  EXPECT_EQ(other.seconds(), 1010u);
}

TEST_F(Pl031Test, LoadSetsTheTimeAndResetRestoresTheEpoch) {
  timeline.advance_to(3 * kSecond / 2);
  write(kLr, 5000);
  EXPECT_EQ(read(kLr), 5000u);
  EXPECT_EQ(read(kDr), 5000u);
  timeline.advance_to(2 * kSecond);
  EXPECT_EQ(read(kDr), 5001u);
  rtc.reset();
  EXPECT_EQ(read(kDr), 1'704'067'202u);
}

TEST_F(Pl031Test, AlarmAtTheExactSecond) {
  timeline.advance_to(kSecond / 2);
  write(kMr, 1'704'067'205);
  write(kImsc, 1);
  timeline.advance_to(5 * kSecond - 1);
  EXPECT_FALSE(irq.level());
  timeline.advance_to(5 * kSecond);
  EXPECT_TRUE(irq.level());
  EXPECT_EQ(read(kRis), 1u);
  EXPECT_EQ(read(kMis), 1u);
  write(kIcr, 1);
  EXPECT_FALSE(irq.level());
  EXPECT_EQ(read(kRis), 0u);
}

TEST_F(Pl031Test, MaskHidesTheAlarm) {
  write(kMr, 1'704'067'201);
  timeline.advance_to(kSecond);
  EXPECT_FALSE(irq.level());
  EXPECT_EQ(read(kRis), 1u);
  EXPECT_EQ(read(kMis), 0u);
  write(kImsc, 0xff);
  EXPECT_EQ(read(kImsc), 1u);
  EXPECT_TRUE(irq.level());
}

TEST_F(Pl031Test, LoadingMovesTheAlarm) {
  write(kImsc, 1);
  write(kMr, 100);
  write(kLr, 98);
  timeline.advance_to(2 * kSecond - 1);
  EXPECT_FALSE(irq.level());
  timeline.advance_to(2 * kSecond);
  EXPECT_TRUE(irq.level());
  write(kIcr, 1);
  write(kMr, 100);  // Equal now.
  EXPECT_TRUE(irq.level());
}

TEST_F(Pl031Test, RunsFromResetAndCannotBeStopped) {
  EXPECT_EQ(read(kCr), 1u);
  write(kCr, 0);
  EXPECT_EQ(read(kCr), 1u);
  timeline.advance_to(kSecond);
  EXPECT_EQ(read(kDr), 1'704'067'201u);
}

TEST_F(Pl031Test, Identification) {
  const std::uint64_t id[] = {0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
  for (unsigned i = 0; i < 8; ++i) EXPECT_EQ(read(0xfe0 + 4 * i, 1), id[i]);
}

}  // namespace
}  // namespace trapline
