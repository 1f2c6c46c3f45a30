#include "sim/scenario/uart_script.h"

#include <gtest/gtest.h>

#include "sim/time/timeline.h"

namespace trapline {
namespace {

constexpr Time kMs = 1'000'000'000;

ScriptStep step(std::string expect, std::string send, Time timeout = kNever) {
  ScriptStep result;
  if (!expect.empty()) result.expect.push_back(std::move(expect));
  result.send = std::move(send);
  result.timeout = timeout;
  result.where = "boot.toml:7";
  return result;
}

// A UART's far end: remembers what arrives and when, and can be full.
class UartScriptTest : public testing::Test {
 protected:
  UartScript& play(std::vector<ScriptStep> steps) {
    script_.emplace(0, std::move(steps));
    script_->attach(
        timeline_,
        [this](std::uint8_t byte) {
          if (room_ == 0) return false;
          --room_;
          received_ += static_cast<char>(byte);
          arrivals_.push_back(timeline_.now());
          return true;
        },
        [this] { ++failures_; });
    return *script_;
  }
  void print(std::string_view text) {
    for (const char c : text) script_->transmit(static_cast<std::uint8_t>(c));
  }

  Timeline timeline_;
  std::optional<UartScript> script_;
  std::string received_;
  std::vector<Time> arrivals_;
  unsigned room_ = 1000;
  unsigned failures_ = 0;
};

TEST_F(UartScriptTest, SendsAfterAFixedVirtualDelay) {
  UartScript& script = play({step("login: ", "root\n")});
  timeline_.advance_to(5 * kMs);
  print("debian login: ");
  EXPECT_EQ(received_, "");
  timeline_.advance_to(5 * kMs + kScriptDelay - 1);
  EXPECT_EQ(received_, "");
  timeline_.advance_to(1000 * kMs);
  EXPECT_EQ(received_, "root\n");
  ASSERT_EQ(arrivals_.size(), 5u);
  EXPECT_EQ(arrivals_[0], 5 * kMs + kScriptDelay);
  EXPECT_EQ(arrivals_[4], arrivals_[0] + 4 * kScriptBytePeriod);
  EXPECT_TRUE(script.done());
}

TEST_F(UartScriptTest, KeepsToTheStepsPace) {
  ScriptStep slow = step("$", "ab");
  slow.pace = 3 * kMs;
  slow.delay = 0;
  play({slow});
  print("$");
  timeline_.advance_to(100 * kMs);
  EXPECT_EQ(arrivals_, (std::vector<Time>{0, 3 * kMs}));
}

TEST_F(UartScriptTest, RetriesWhileTheReceiverIsFull) {
  play({step("$", "abc")});
  room_ = 1;
  print("$");
  timeline_.advance_to(100 * kMs);
  EXPECT_EQ(received_, "a");
  EXPECT_FALSE(script_->done());
  room_ = 10;
  timeline_.advance_to(101 * kMs);
  EXPECT_EQ(received_, "abc");
}

TEST_F(UartScriptTest, LooksForTheNextPatternFromTheMatchOn) {
  play({step("one", "x"), step("one two", "y")});
  print("one");
  print(" two");  // The first "one" is used up.
  timeline_.advance_to(100 * kMs);
  EXPECT_EQ(received_, "x");
  print(" one two");
  timeline_.advance_to(200 * kMs);
  EXPECT_EQ(received_, "xy");
}

TEST_F(UartScriptTest, SeesAnAnswerThatComesBeforeAllBytesAreSent) {
  play({step("$ ", "a\nb\n"), step("first answer", "c")});
  print("$ ");
  timeline_.advance_to(kScriptDelay + kScriptBytePeriod);
  EXPECT_EQ(received_, "a\n");
  print("first answer");
  timeline_.advance_to(1000 * kMs);
  EXPECT_EQ(received_, "a\nb\nc");
}

TEST_F(UartScriptTest, TextSpansLinesAndIgnoresCarriageReturns) {
  play({step("Starting\n# ", "ok")});
  print("Starting\r\n# ");
  timeline_.advance_to(100 * kMs);
  EXPECT_EQ(received_, "ok");
}

TEST_F(UartScriptTest, TextIsFoundAfterAFalseStart) {
  play({step("ababac", "y")});
  print("abababac");
  timeline_.advance_to(100 * kMs);
  EXPECT_EQ(received_, "y");
}

TEST_F(UartScriptTest, RegexMatchesWithinOneLine) {
  ScriptStep wait = step("^[a-z]+ login: $", "root");
  wait.regex = true;
  play({wait});
  print("Debian login: \nlog");
  timeline_.advance_to(100 * kMs);
  EXPECT_EQ(received_, "");
  print("in login: ");
  timeline_.advance_to(200 * kMs);
  EXPECT_EQ(received_, "root");
}

TEST_F(UartScriptTest, RegexKnowsWhereTheLineStarts) {
  ScriptStep wait = step("^# $", "x");
  wait.regex = true;
  play({step("prompt", ""), wait});
  print("prompt# ");
  timeline_.advance_to(100 * kMs);
  EXPECT_EQ(received_, "");
  print("\r\n# ");
  timeline_.advance_to(200 * kMs);
  EXPECT_EQ(received_, "x");
}

TEST_F(UartScriptTest, RegexSurvivesALineWithoutEnd) {
  ScriptStep wait = step("done$", "y");
  wait.regex = true;
  play({wait});
  print(std::string(10'000, '.'));
  print("done");
  timeline_.advance_to(100 * kMs);
  EXPECT_EQ(received_, "y");
}

TEST_F(UartScriptTest, StepsWithoutPatternSendInOrder) {
  play({step("", "a"), step("", "b"), step("go", "c")});
  timeline_.advance_to(50 * kMs);
  EXPECT_EQ(received_, "ab");
  print("go");
  timeline_.advance_to(100 * kMs);
  EXPECT_EQ(received_, "abc");
}

TEST_F(UartScriptTest, WaitsForAllPatternsInAnyOrder) {
  ScriptStep wait = step("DOM1: ready", "go", 50 * kMs);
  wait.expect.push_back("dom0# ");
  for (const auto& [first, second] :
       {std::pair{"dom0# ", "DOM1: ready"}, {"DOM1: ready", "dom0# "}}) {
    received_.clear();
    play({wait});
    print(first);
    timeline_.advance_to(timeline_.now() + 20 * kMs);
    EXPECT_EQ(received_, "");
    print(second);
    timeline_.advance_to(timeline_.now() + 20 * kMs);
    EXPECT_EQ(received_, "go");
  }
  play({wait});
  print("dom0# ");
  script_->finish();
  ASSERT_TRUE(script_->failure());
  EXPECT_NE(script_->failure()->find("UART 0: \"DOM1: ready\" was not"), std::string::npos)
      << "only what is missing is named";
}

TEST_F(UartScriptTest, TimeoutIsInVirtualTimeFromTheStepBefore) {
  UartScript& script = play({step("one", ""), step("two", "", 20 * kMs)});
  timeline_.advance_to(100 * kMs);
  EXPECT_EQ(failures_, 0u);
  print("Xen 4.17\r\none\r\nPanic on \x1b[1mCPU 0");
  timeline_.advance_to(119 * kMs);
  EXPECT_EQ(failures_, 0u);
  timeline_.advance_to(120 * kMs);
  EXPECT_EQ(failures_, 1u);
  ASSERT_TRUE(script.failure());
  EXPECT_EQ(*script.failure(),
            "boot.toml:7: UART 0: \"two\" was not seen within 20.000 ms of virtual time (at "
            "120.000 ms); the last lines it sent were\n"
            "  | Xen 4.17\n  | one\n  | Panic on \\x1b[1mCPU 0");
}

TEST_F(UartScriptTest, SeenInTimeMeansNoTimeout) {
  play({step("one", "", 20 * kMs), step("two", "")});
  print("one");
  timeline_.advance_to(500 * kMs);
  EXPECT_EQ(failures_, 0u);
}

TEST_F(UartScriptTest, EndOfTheRunFailsAnAwaitedPattern) {
  UartScript& script = play({step("one", "1"), step("two", "2")});
  print("one");
  script.finish();
  ASSERT_TRUE(script.failure());
  EXPECT_NE(script.failure()->find("\"two\" was not seen before the end of the run"),
            std::string::npos);
  EXPECT_EQ(failures_, 0u) << "the run is over: nobody is left to be told";
}

TEST_F(UartScriptTest, EndOfTheRunAcceptsUnsentInput) {
  UartScript& script = play({step("one", "1"), step("", "2")});
  print("one");
  script.finish();
  EXPECT_FALSE(script.failure());
}

TEST_F(UartScriptTest, NothingIsSentAfterAFailure) {
  play({step("", "abc"), step("never", "", 1 * kMs)});
  timeline_.advance_to(1000 * kMs);
  EXPECT_EQ(failures_, 1u);
  EXPECT_EQ(received_, "");
}

TEST(CharacterFanOut, GivesEachByteToEveryPort) {
  struct Port : CharacterPort {
    void transmit(std::uint8_t byte) override { text += static_cast<char>(byte); }
    std::string text;
  } one, two;
  CharacterFanOut both;
  both.add(one);
  both.add(two);
  both.transmit('x');
  both.transmit('y');
  EXPECT_EQ(one.text, "xy");
  EXPECT_EQ(two.text, "xy");
}

}  // namespace
}  // namespace trapline
