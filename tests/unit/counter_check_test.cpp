#include "sim/report/counter_check.h"

#include <gtest/gtest.h>

namespace trapline {
namespace {

constexpr const char* kStats = R"({
  "instructions": 5000, "exit": {"reason": "power-off", "code": 0},
  "exceptions": {"EL1": {"svc": 3, "irq": 4}, "EL2": {"hvc": 7, "irq": 5}},
  "mpu": [{"cpu": 0, "el": 2, "peak": 10, "writes": {"prenr": 2}},
          {"cpu": 1, "el": 2, "peak": 12, "writes": {"prenr": 9}},
          {"cpu": 0, "el": 1, "peak": 3, "writes": {"prenr": 1}}]})";

std::vector<std::string> check(const std::string& limit, const char* stats = kStats) {
  return check_counters({parse_counter_limit(limit)}, stats);
}

TEST(CounterCheck, HoldsEachRelationAgainstTheCount) {
  for (const char* met : {"instructions < 5001", "instructions <= 5k", "instructions == 5000",
                          "instructions >= 5000", "instructions > 4999"}) {
    EXPECT_TRUE(check(met).empty()) << met;
  }
  for (const char* broken : {"instructions < 5000", "instructions <= 4999", "instructions == 4",
                             "instructions >= 5001", "instructions > 5000"}) {
    EXPECT_EQ(check(broken), std::vector{std::string(broken) + ": it is 5000"});
  }
}

TEST(CounterCheck, SumsAClassOfExceptionsOverTheLevels) {
  EXPECT_TRUE(check("exceptions.irq == 9").empty());
  EXPECT_TRUE(check("exceptions.EL2.irq == 5").empty());
  EXPECT_TRUE(check("exceptions.serror == 0").empty());
}

TEST(CounterCheck, TakesTheLargestOfTheMpus) {
  EXPECT_TRUE(check("mpu.el2.peak == 12").empty());
  EXPECT_TRUE(check("mpu.el1.writes.prenr == 1").empty());
  EXPECT_TRUE(check("mpu.el2.peak == 0", R"({"exceptions": {}})").empty());
}

TEST(CounterCheck, SaysWhereThereIsNoSuchCounter) {
  for (const char* name : {"nonsense", "exit.reason", "mpu.el3.peak", "mpu.el2.nonsense", "mpu"}) {
    const std::string limit = std::string(name) + " >= 0";
    EXPECT_EQ(check(limit), std::vector{limit + ": the statistics have no such counter"});
  }
}

TEST(CounterCheck, RefusesWhatIsNoLimit) {
  for (const char* text : {"", "instructions", "instructions <=", "instructions = 5",
                           "instructions <= many", "instructions <= 5 6"}) {
    EXPECT_THROW(parse_counter_limit(text), std::invalid_argument) << text;
  }
}

}  // namespace
}  // namespace trapline
