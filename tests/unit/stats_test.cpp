#include "sim/report/stats.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "sim/report/outcome.h"

namespace trapline {
namespace {

RunResult two_cpus() {
  RunResult result;
  result.reason = ExitReason::guest_exit;
  result.guest_code = 7;
  result.digest = "00ff";
  result.stats.virtual_time = 1'500'000'000'999;
  result.stats.cpus.resize(2);
  CpuStats& first = result.stats.cpus[0];
  first = {3'000'000, 4'000'000, 5, 6, 7, {}};
  first.exceptions.taken[0x16][2] = 11;
  first.exceptions.taken[0x15][1] = 3;
  CpuStats& second = result.stats.cpus[1];
  second = {1'000'000, 1'000'000, 1, 1, 1, {}};
  second.exceptions.taken[0x16][2] = 1;
  second.exceptions.taken[ExceptionCounts::kIrq][1] = 2;
  return result;
}

TEST(Stats, JsonHasTheDocumentedKeys) {
  const auto json = nlohmann::json::parse(stats_json(two_cpus(), {2.0, 7}, {}));
  EXPECT_EQ(json["instructions"], 4'000'000);
  EXPECT_EQ(json["cycles"], 5'000'000);
  EXPECT_EQ(json["virtual_ns"], 1'500'000'000);
  EXPECT_EQ(json["host_seconds"], 2.0);
  EXPECT_DOUBLE_EQ(json["mips"].get<double>(), 2.0);
  EXPECT_EQ(json["exit"]["reason"], "guest-exit");
  EXPECT_EQ(json["exit"]["code"], 7);
  EXPECT_EQ(json["digest"], "00ff");
  EXPECT_EQ(json["exceptions"]["EL2"]["hvc"], 12);
  EXPECT_EQ(json["exceptions"]["EL1"]["svc"], 3);
  EXPECT_EQ(json["exceptions"]["EL1"]["irq"], 2);
  EXPECT_FALSE(json["exceptions"].contains("EL0"));
  EXPECT_EQ(json["interrupts"], 6);
  EXPECT_EQ(json["mmio"], 7);
  EXPECT_EQ(json["tlb_fills"], 8);
  ASSERT_EQ(json["cpus"].size(), 2u);
  EXPECT_EQ(json["cpus"][1]["cpu"], 1);
  EXPECT_EQ(json["cpus"][1]["instructions"], 1'000'000);
  EXPECT_EQ(json["cpus"][1]["registers"]["pc"], "0x0");
  EXPECT_EQ(json["cpus"][1]["registers"]["x"].size(), 31u);
  EXPECT_EQ(json["cpus"][1]["exceptions"]["EL2"]["hvc"], 1);
}

TEST(Stats, NamesExceptionClasses) {
  EXPECT_EQ(exception_class_name(0x18), "sysreg");
  EXPECT_EQ(exception_class_name(0x24), "data-abort-lower");
  EXPECT_EQ(exception_class_name(ExceptionCounts::kSError), "serror");
  EXPECT_EQ(exception_class_name(0x3f), "ec-0x3f");
}

TEST(Stats, StatusIsOneLine) {
  EXPECT_EQ(status_line(two_cpus(), {2.0, 7}),
            "trapline: guest-exit 7 at 1.500 s virtual, 4.00 M instructions, 2.00 s host, 2 MIPS, "
            "digest 00ff");
}

TEST(Stats, NoHostTimeGivesNoSpeed) {
  EXPECT_EQ(mips(two_cpus(), {0.0, 0}), 0.0);
}

int code_for(ExitReason reason, int guest_code = 0, const Expectations& expect = {}) {
  RunResult result;
  result.reason = reason;
  result.guest_code = guest_code;
  return judge(result, expect, false, {}).exit_code;
}

TEST(Outcome, ReasonDecidesTheExitCode) {
  EXPECT_EQ(code_for(ExitReason::power_off), 0);
  EXPECT_EQ(code_for(ExitReason::guest_exit, 42), 42);
  EXPECT_EQ(code_for(ExitReason::guest_exit, 0), 0);
  EXPECT_EQ(code_for(ExitReason::expectation_failed), 1);
  EXPECT_EQ(code_for(ExitReason::stuck), 3);
  EXPECT_EQ(code_for(ExitReason::reset), 3);
  EXPECT_EQ(code_for(ExitReason::limit_instructions), 124);
  EXPECT_EQ(code_for(ExitReason::limit_time), 124);
  EXPECT_EQ(code_for(ExitReason::host_timeout), 124);
}

TEST(Outcome, AnExpectedEndIsASuccess) {
  Expectations expect;
  expect.exit = ExitReason::stuck;
  EXPECT_EQ(code_for(ExitReason::stuck, 0, expect), 0);
  EXPECT_EQ(code_for(ExitReason::power_off, 0, expect), 1);
  Expectations code;
  code.code = 42;
  EXPECT_EQ(code_for(ExitReason::guest_exit, 42, code), 0);
  EXPECT_EQ(code_for(ExitReason::guest_exit, 41, code), 1);
  EXPECT_EQ(code_for(ExitReason::power_off, 0, code), 1);
}

TEST(Outcome, ComplaintsNameBothSides) {
  RunResult result = two_cpus();
  Expectations expect;
  expect.exit = ExitReason::power_off;
  expect.digest = "1234";
  const Outcome outcome = judge(result, expect, false, {"the script failed"});
  EXPECT_EQ(outcome.exit_code, 1);
  const std::vector<std::string> expected{"the script failed",
                                          "the run ended by guest-exit, not by power-off",
                                          "the digest is 00ff, not 1234"};
  EXPECT_EQ(outcome.complaints, expected);
}

TEST(Outcome, AnInteractiveSessionHasNoExpectations) {
  Expectations expect;
  expect.exit = ExitReason::stuck;
  expect.digest = "1234";
  RunResult result;
  EXPECT_EQ(judge(result, expect, true, {}).exit_code, 0);
}

}  // namespace
}  // namespace trapline
