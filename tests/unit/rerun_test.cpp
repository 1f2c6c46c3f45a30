#include <gtest/gtest.h>

#include <memory>

#include "sim/rerun/channel.h"
#include "sim/rerun/copy_schedule.h"
#include "sim/rerun/memory_differences.h"
#include "sim/rerun/parting_text.h"
#include "sim/rerun/remake.h"

namespace trapline {
namespace {

TEST(WatchedMemory, HoldsBytes) {
  WatchedMemory memory;
  EXPECT_TRUE(memory.empty());
  memory.add(0x1ffe, 4);
  EXPECT_TRUE(memory.has_page(0x1000));
  EXPECT_TRUE(memory.has_page(0x2abc));
  EXPECT_FALSE(memory.has_page(0x3000));
  EXPECT_TRUE(memory.has(0x1ff0, 16));
  EXPECT_FALSE(memory.has(0x1ff0, 14));
  EXPECT_TRUE(memory.has(0x2001, 8));
  EXPECT_FALSE(memory.has(0x2002, 8));
  memory.remove(0x2000, 2);
  EXPECT_FALSE(memory.has_page(0x2000));
  memory.remove_page(0x1234);
  EXPECT_TRUE(memory.empty());
}

BootPlan plan(std::vector<std::pair<PhysAddr, std::string>> pieces) {
  BootPlan plan;
  for (const auto& [address, text] : pieces) {
    BootBlob blob;
    blob.address = address;
    blob.storage = std::make_shared<const std::vector<std::uint8_t>>(text.begin(), text.end());
    blob.bytes = *blob.storage;
    plan.blobs.push_back(blob);
  }
  return plan;
}

TEST(MemoryDifferences, AreWatchedByteByByte) {
  const WatchedMemory memory = memory_differences(plan({{0x1000, "abcdef"}, {0x3000, "same"}}),
                                                  plan({{0x1000, "abXdef"}, {0x3000, "same"}}));
  EXPECT_TRUE(memory.has(0x1002, 1));
  EXPECT_FALSE(memory.has(0x1000, 2));
  EXPECT_FALSE(memory.has(0x1003, 3));
  EXPECT_FALSE(memory.has_page(0x3000));
}

TEST(MemoryDifferences, FollowImagesThatMoveAndGrow) {
  const WatchedMemory memory =
      memory_differences(plan({{0x1000, "abc"}, {0x1003, "de"}}), plan({{0x1001, "bcdefg"}}));
  EXPECT_TRUE(memory.has(0x1000, 1));  // Only in the one; the other's RAM is zero.
  EXPECT_FALSE(memory.has(0x1001, 4));
  EXPECT_TRUE(memory.has(0x1005, 1));
  EXPECT_TRUE(memory.has(0x1006, 1));
  EXPECT_TRUE(memory_differences(plan({{0x1000, std::string(8, '\0')}}), plan({})).empty());
}

TEST(MemoryDifferences, EntriesAreCompared) {
  BootPlan a, b;
  EXPECT_TRUE(same_entry(a, b));
  b.x[0] = 1;
  EXPECT_FALSE(same_entry(a, b));
}

TEST(SplitWords, KeepsQuotedWordsTogether) {
  EXPECT_EQ(split_words(" a.toml  -append 'x  y'z \"\" "),
            (std::vector<std::string>{"a.toml", "-append", "x  yz", ""}));
  EXPECT_TRUE(split_words(" ").empty());
  EXPECT_THROW(split_words("'a"), RerunError);
}

TEST(Channel, CarriesWholeMessages) {
  auto [here, there] = Channel::make_pair();
  ASSERT_TRUE(here.send(7, "text"));
  ASSERT_TRUE(here.send_value(8, std::uint64_t{9}));
  auto message = there.receive();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->type, 7u);
  EXPECT_EQ(message->bytes, "text");
  EXPECT_FALSE(message->as<std::uint64_t>());
  message = there.receive();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->as<std::uint64_t>(), 9u);
  here.close();
  EXPECT_FALSE(there.receive());
  EXPECT_FALSE(there.send(1));
}

TEST(CopySchedule, LeavesFewCopiesAndNoneFarBehind) {
  const CopySchedule schedule;
  std::uint64_t last = 0, copies = 0;
  for (std::uint64_t at = 0; at < 4000; ++at) {
    if (schedule.has(at)) last = at, ++copies;
    EXPECT_EQ(schedule.copy_of(at), copies - 1);
    EXPECT_LE(at - last, std::max<std::uint64_t>(16, at / 2)) << at;
  }
  EXPECT_TRUE(schedule.has(0));
  EXPECT_LT(copies, 10u);
}

TEST(CopySchedule, LeavesOneWhereTheRunsPart) {
  const CopySchedule schedule(3700);
  for (const std::uint64_t at : {3636u, 3684u, 3696u, 3700u}) EXPECT_TRUE(schedule.has(at)) << at;
  EXPECT_EQ(schedule.copy_of(3699), schedule.copy_of(3696));
  EXPECT_EQ(schedule.copy_of(3700), schedule.copy_of(3696) + 1);
  EXPECT_TRUE(CopySchedule(3).has(3));
  // Where no memory is watched, what differs comes in shortly before it shows.
  const CopySchedule input(3700, false);
  EXPECT_EQ(input.copy_of(1849), 0u);
  EXPECT_EQ(input.copy_of(1850), 1u);
  EXPECT_TRUE(input.has(3696));
  EXPECT_EQ(CopySchedule(1).copy_of(1), 1u);
}

ExecutedInstruction instruction(VirtAddr pc, std::uint64_t x0) {
  ExecutedInstruction one;
  one.el = El::el2;
  one.pc = pc;
  one.word = 0xd503201f;
  one.x[0] = x0;
  return one;
}

TEST(Remake, ARunWithDomainsIsRefused) {
  const TraceHeader header{.facts = {}};
  try {
    remake_scenario(header, "t.ttb", "--domain kernel=/dev/null",
                    [](std::string_view) { return std::nullopt; });
    FAIL();
  } catch (const RerunError& error) {
    EXPECT_EQ(std::string(error.what()), "t.ttb: a run with domains cannot be done again");
  }
}

TEST(PartingText, NamesWhatDiffers) {
  ExecutedInstruction a = instruction(0x1000, 1), b = a;
  EXPECT_TRUE(different_parts(a, b).empty());
  EXPECT_EQ(hash_of(a), hash_of(b));
  b.x[0] = 2;
  b.word = 0;
  b.memory = MemoryContents{};
  EXPECT_NE(hash_of(a), hash_of(b));
  EXPECT_EQ(different_parts(a, b), (std::vector<std::string>{"instruction", "x0", "memory"}));
}

TEST(PartingText, ComparesVectorRegisters) {
  ExecutedInstruction a = instruction(0x1000, 1);
  a.vector = VectorResult{7, 1, 2};
  ExecutedInstruction b = a;
  EXPECT_EQ(hash_of(a), hash_of(b));
  b.vector->high = 3;
  EXPECT_NE(hash_of(a), hash_of(b));
  EXPECT_EQ(different_parts(a, b), std::vector<std::string>{"v7"});
  Partings partings;
  partings.first.kind = Parting::Kind::instruction;
  partings.first.a = {{a, {}}};
  partings.first.b = {{b, {}}};
  EXPECT_NE(partings_text(partings, {}, {})
                .find("v7      a 0x00000000000000020000000000000001  b 0x0000000000000003"),
            std::string::npos);
}

TEST(PartingText, NamesTheInstructionBehindEventsThatDiffer) {
  Partings partings;
  partings.first.kind = Parting::Kind::instruction;
  partings.first.before = {{instruction(0x1000, 1), {}}};
  partings.first.a = {{{}, "event a"}, {instruction(0x1004, 1), {}}, {instruction(0x1008, 1), {}}};
  partings.first.b = {{{}, "event b"}, {instruction(0x1004, 1), {}}, {instruction(0x2000, 1), {}}};
  const std::string text = partings_text(partings, {}, {});
  EXPECT_NE(text.find("   a cpu0 insn 0 pc 0x1008\n   b cpu0 insn 0 pc 0x2000\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("a  event a\n"), std::string::npos);
}

TEST(PartingText, SaysWhereARunEnded) {
  Partings partings;
  partings.first.kind = Parting::Kind::instruction;
  partings.first.a = {{instruction(0x1004, 1), {}}};
  const std::string text = partings_text(partings, {}, {});
  EXPECT_NE(text.find("   b none, the run has ended\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace trapline
