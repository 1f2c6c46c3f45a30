#include "models/system/sp810.h"

#include <gtest/gtest.h>

#include <array>

namespace trapline {
namespace {

constexpr PhysAddr kScctrl = 0x000, kScperen = 0x024, kScperdis = 0x028, kScperclken = 0x02c,
                   kScperstat = 0x030;

class Sp810Test : public ::testing::Test {
 protected:
  using TimerClock = Sp810::TimerClock;

  std::uint64_t read(PhysAddr offset, std::uint8_t size = 4) {
    std::uint64_t value = ~0ull;
    EXPECT_EQ(device.read({.offset = offset, .size = size}, value), BusStatus::ok);
    return value;
  }
  void write(PhysAddr offset, std::uint64_t value, std::uint8_t size = 4) {
    EXPECT_EQ(device.write({.offset = offset, .size = size}, value), BusStatus::ok);
  }

  std::array<TimerClock, 4> clocks{TimerClock::timclk, TimerClock::timclk, TimerClock::timclk,
                                   TimerClock::timclk};
  int changes = 0;
  Sp810 device{"sp810",
               [this](unsigned timer, TimerClock clock) {
                 clocks.at(timer) = clock;
                 ++changes;
               },
               [](const std::string&) {}};
};

TEST_F(Sp810Test, StartsInDozeWithTimersOnTheReferenceClock) {
  EXPECT_EQ(read(kScctrl), 0x9u);
  for (const TimerClock clock : clocks) EXPECT_EQ(clock, TimerClock::refclk);
  EXPECT_EQ(changes, 4);
}

TEST_F(Sp810Test, TimersChooseTheirClocks) {
  write(kScctrl, read(kScctrl) | 1u << 15 | 1u << 21);
  EXPECT_EQ(clocks, (std::array{TimerClock::timclk, TimerClock::refclk, TimerClock::refclk,
                                TimerClock::timclk}));
  EXPECT_EQ(changes, 6) << "the others are not disturbed";
  write(kScctrl + 2, 0x04, 1);  // TIMEREN1OV; TIMEREN3SEL goes.
  EXPECT_EQ(clocks, (std::array{TimerClock::timclk, TimerClock::free_running, TimerClock::refclk,
                                TimerClock::refclk}));
  device.reset();
  EXPECT_EQ(clocks[0], TimerClock::refclk);
  EXPECT_EQ(clocks[1], TimerClock::refclk);
}

TEST_F(Sp810Test, ModeStatusFollowsModeControl) {
  const std::array<std::pair<std::uint64_t, std::uint64_t>, 5> kModes{
      {{4, 4}, {7, 4}, {3, 2}, {1, 1}, {0, 0}}};
  for (const auto& [mode, status] : kModes) {
    write(kScctrl, mode);
    EXPECT_EQ(read(kScctrl), status << 3 | mode);
  }
  write(kScctrl, 1u << 9);  // Status only.
  EXPECT_EQ(read(kScctrl), 0u);
  write(kScctrl, 1u << 8);
  EXPECT_EQ(read(kScctrl), 0x300u);
}

TEST_F(Sp810Test, PeripheralClocksAreSetAndCleared) {
  EXPECT_EQ(read(kScperclken), 0xffffffffu);
  write(kScperdis, 0xff00);
  EXPECT_EQ(read(kScperclken), 0xffff00ffu);
  write(kScperen, 0x1100);
  EXPECT_EQ(read(kScperstat), 0xffff11ffu);
  write(kScperclken, 0);
  EXPECT_EQ(read(kScperclken), 0xffff11ffu);
}

TEST_F(Sp810Test, Identification) {
  const std::uint64_t id[] = {0x10, 0x18, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
  for (unsigned i = 0; i < 8; ++i) EXPECT_EQ(read(0xfe0 + 4 * i, 1), id[i]);
}

}  // namespace
}  // namespace trapline
