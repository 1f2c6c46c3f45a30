#include "sim/trace/tarmac.h"

#include <gtest/gtest.h>

#include <string>

namespace trapline {
namespace {

class TarmacTest : public testing::Test {
 protected:
  explicit TarmacTest(bool secure = false)
      : writer(1, secure, [this](std::string_view part) { text += part; }) {}

  static ExecutedInstruction instruction(VirtAddr pc, std::uint32_t word) {
    ExecutedInstruction executed;
    executed.cpu = 1;
    executed.el = El::el1;
    executed.number = 7;
    executed.pc = pc;
    executed.pa = pc & 0xffffffff;
    executed.word = word;
    return executed;
  }
  std::string written(const ExecutedInstruction& executed) {
    text.clear();
    writer.on_instruction(executed);
    return text;
  }

  /// What stands behind the first instruction.
  static std::string all_registers() {
    std::string lines;
    for (unsigned n = 0; n < 31; ++n) {
      lines += "7 clk cpu1 R X" + std::to_string(n) + " 0000000000000000\n";
    }
    return lines + "7 clk cpu1 R SP_EL0 0000000000000000\n7 clk cpu1 R cpsr 00000000\n";
  }

  std::string text;
  TarmacWriter writer;
};

TEST_F(TarmacTest, WritesAnInstructionAsFastModelsDo) {
  EXPECT_EQ(written(instruction(0x40080004, 0xd4000002)),
            "7 clk cpu1 IT (7) 40080004:000040080004_NS d4000002 O EL1h_n : HVC      #0\n" +
                all_registers());
  EXPECT_EQ(written(instruction(0xffff000040080004, 0xd503201f)),
            "7 clk cpu1 IT (7) ffff000040080004:000040080004_NS d503201f O EL1h_n : NOP      \n");
}

TEST_F(TarmacTest, WritesAllRegistersFirstAndThenThoseThatChanged) {
  ExecutedInstruction executed = instruction(0x1000, 0xd503201f);
  EXPECT_TRUE(written(executed).ends_with(all_registers()));
  EXPECT_EQ(written(executed).find(" R "), std::string::npos);
  executed.x[3] = 0x1234;
  executed.sp = 0x8000;
  executed.pstate = 0x600003c5;
  EXPECT_TRUE(written(executed).ends_with("7 clk cpu1 R X3 0000000000001234\n"
                                          "7 clk cpu1 R SP_EL1 0000000000008000\n"
                                          "7 clk cpu1 R cpsr 600003c5\n"));
  EXPECT_EQ(written(executed).find(" R "), std::string::npos);
  executed.pstate = 0x600003c9;  // Another level, whose SP has the same value.
  EXPECT_NE(written(executed).find("7 clk cpu1 R SP_EL2 0000000000008000\n"), std::string::npos);
}

TEST_F(TarmacTest, WritesMemoryAWordALineOfAtMostEightBytes) {
  ExecutedInstruction executed = instruction(0x1000, 0xa9000440);
  executed.memory = MemoryContents{.va = 0xffff000000002000, .pa = 0x2000, .bytes = 16,
                                   .write = true, .data = {0xef, 0xbe, 0xad, 0xde}};
  const std::string text = written(executed);
  EXPECT_NE(text.find("MW8 ffff000000002000:000000002000_NS 00000000deadbeef\n"),
            std::string::npos);
  EXPECT_NE(text.find("MW8 ffff000000002008:000000002008_NS 0000000000000000\n"),
            std::string::npos);
  executed.memory = MemoryContents{.va = 0x10, .pa = 0x10, .bytes = 1, .data = {0xa5}};
  EXPECT_NE(written(executed).find("MR1 00000010:000000000010_NS a5\n"), std::string::npos);
}

TEST_F(TarmacTest, NamesTheVectorAtTheFirstInstructionAfterAnException) {
  writer.on_event({.kind = EventKind::exception_entry, .cpu = 0});
  EXPECT_EQ(written(instruction(0x40080480, 0xd503201f)).find(" E "), std::string::npos)
      << "another CPU's";
  writer.on_event({.kind = EventKind::exception_entry, .cpu = 1, .instructions = 6});
  EXPECT_EQ(written(instruction(0x40080480, 0xd503201f)).find(" E "), std::string::npos)
      << "one before the instructions of interest";
  writer.on_event({.kind = EventKind::exception_entry, .cpu = 1, .instructions = 7});
  EXPECT_TRUE(written(instruction(0x40080480, 0xd503201f))
                  .starts_with("7 clk cpu1 E 40080480 00000480 CoreEvent_LOWER_64_IRQ\n"));
  ExecutedInstruction next = instruction(0x40080484, 0xd503201f);
  next.number = 8;
  EXPECT_EQ(written(next).find(" E "), std::string::npos);
}

class SecureTarmacTest : public TarmacTest {
 protected:
  SecureTarmacTest() : TarmacTest(true) {}
};

TEST_F(SecureTarmacTest, MarksSecureState) {
  ExecutedInstruction executed = instruction(0x200000, 0xd5384240);
  executed.el = El::el2;
  executed.sp_el0 = true;
  EXPECT_TRUE(written(executed).starts_with(
      "7 clk cpu1 IT (7) 00200000:000000200000 d5384240 O EL2t_s : MRS      x0, currentel\n"));
}

}  // namespace
}  // namespace trapline
