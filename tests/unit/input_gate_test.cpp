// Input from outside: when it enters, and that a recording of it enters at the same times.
#include "sim/scenario/input_gate.h"

#include <gtest/gtest.h>

#include "sim/time/timeline.h"

namespace trapline {
namespace {

constexpr std::uint64_t kHz = 1'000'000'000;

struct Gate {
  explicit Gate(Timeline& timeline)
      : gate(timeline, kHz,
             {.receive =
                  [this](unsigned, std::uint8_t byte) {
                    if (room == 0) return false;
                    --room;
                    received += static_cast<char>(byte);
                    return true;
                  },
              .quit = [this] { quit = true; }}) {
    gate.on_entered([this](const HostInput& input) { entered.push_back(input); });
  }
  unsigned room = 100;
  std::string received;
  bool quit = false;
  std::vector<HostInput> entered;
  InputGate gate;
};

TEST(InputGate, BytesEnterALittleLaterInVirtualTime) {
  Timeline timeline;
  Gate it(timeline);
  std::deque<std::uint8_t> typed{'a', 'b'};
  it.gate.offer(0, typed);
  EXPECT_EQ(it.received, "") << "not in the middle of what the CPU does";
  timeline.advance_to(10'000'000);
  EXPECT_EQ(it.received, "ab");
  EXPECT_TRUE(typed.empty());
  ASSERT_EQ(it.entered.size(), 2u);
  EXPECT_GT(it.entered[0].time, 2000u) << "two cycles at least";
  EXPECT_EQ(it.entered[0].time, it.entered[1].time);
}

TEST(InputGate, WhatDoesNotFitIsOfferedAgain) {
  Timeline timeline;
  Gate it(timeline);
  it.room = 1;
  std::deque<std::uint8_t> typed{'a', 'b'};
  it.gate.offer(0, typed);
  timeline.advance_to(10'000'000);
  EXPECT_EQ(it.received, "a");
  it.room = 1;
  it.gate.offer(0, typed);
  timeline.advance_to(20'000'000);
  EXPECT_EQ(it.received, "ab");
  EXPECT_GT(it.entered[1].time, it.entered[0].time);
}

TEST(InputGate, ARecordingEntersAsItDid) {
  Timeline live, again;
  Gate first(live), second(again);
  std::deque<std::uint8_t> typed;
  for (const Time when : {1'000'000ull, 7'654'321ull, 8'000'001ull}) {
    live.advance_to(when);
    typed.push_back('x');
    first.gate.offer(0, typed);
  }
  live.advance_to(50'000'000);
  first.gate.ask_to_quit();
  live.advance_to(60'000'000);
  EXPECT_TRUE(first.quit);
  second.gate.play(first.entered);
  again.advance_to(60'000'000);
  EXPECT_EQ(second.entered, first.entered);
  EXPECT_TRUE(second.quit);
  EXPECT_FALSE(second.gate.refused());
}

TEST(InputGate, AnotherRunIsNoticed) {
  Timeline timeline;
  Gate it(timeline);
  it.room = 0;
  it.gate.play({{.time = 5, .uart = 1, .byte = 'q'}});
  timeline.advance_to(10);
  ASSERT_TRUE(it.gate.refused());
  EXPECT_NE(it.gate.refused()->find("UART 1 does not take byte 0x71"), std::string::npos);
}

}  // namespace
}  // namespace trapline
