// Cycle counts by instruction.
#include "sim/time/timing_model.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace trapline {
namespace {

TEST(TimingModel, UnitCountsInstructions) {
  const UnitTiming unit;
  for (const std::uint32_t word : {0u, 0x9ac20c20u, 0xd503201fu, ~0u})
    EXPECT_EQ(unit.cycles(word), 1u);
}

TEST(TimingModel, TableFollowsItsAnchors) {
  const TableTiming table;
  EXPECT_EQ(table.cycles(0x8b020020), 1u);   // add x0, x1, x2
  EXPECT_EQ(table.cycles(0x9b027c20), 1u);   // mul x0, x1, x2
  EXPECT_EQ(table.cycles(0x9ac20c20), 8u);   // sdiv x0, x1, x2
  EXPECT_EQ(table.cycles(0xf9400020), 1u);   // ldr x0, [x1]
  EXPECT_EQ(table.cycles(0xa9400420), 2u);   // ldp x0, x1, [x1]
  EXPECT_EQ(table.cycles(0x1e621820), 19u);  // fdiv d0, d1, d2
  EXPECT_EQ(table.cycles(0xd69f03e0), 8u);   // eret
}

TEST(TimingModel, EveryInstructionCostsSomethingAndNotTooMuch) {
  const TableTiming table;
  for (unsigned i = 0; i < kInstructionClasses; ++i) {
    const unsigned cycles = table.cycles_of(static_cast<InstructionClass>(i));
    EXPECT_GE(cycles, 1u);
    EXPECT_LE(cycles, TimingModel::kMaxCycles);
  }
}

TEST(TimingModel, RefusesFiguresOutOfRange) {
  TableTiming::Table figures;
  figures.fill(1);
  figures[static_cast<unsigned>(InstructionClass::divide)] = 64;
  try {
    TableTiming refused("mine", figures);
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("divide"), std::string::npos);
  }
  figures[static_cast<unsigned>(InstructionClass::divide)] = 63;
  EXPECT_EQ(TableTiming("mine", figures).cycles(0x9ac20c20), 63u);
}

TEST(TimingModel, IsFoundByName) {
  EXPECT_EQ(timing_model("table").name(), "table");
  EXPECT_EQ(timing_model("unit").name(), "unit");
  EXPECT_THROW(timing_model("exact"), std::invalid_argument);
}

}  // namespace
}  // namespace trapline
