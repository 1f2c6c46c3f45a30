#include "models/flash/nor_flash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace trapline {
namespace {

constexpr std::uint64_t kBlock = NorFlash::kBlockBytes;
constexpr std::uint64_t kSize = 64ull << 20;

// A command as software gives it to both chips.
constexpr std::uint64_t both(std::uint64_t code) {
  return code | code << 16;
}

class NorFlashTest : public ::testing::Test {
 protected:
  NorFlashTest() : array(kSize, 0xff) {}

  std::uint64_t read(PhysAddr offset, std::uint8_t size = 4) {
    std::uint64_t value = ~0ull;
    EXPECT_EQ(flash.read({.offset = offset, .size = size}, value), BusStatus::ok);
    return value;
  }
  void write(PhysAddr offset, std::uint64_t value, std::uint8_t size = 4) {
    EXPECT_EQ(flash.write({.offset = offset, .size = size}, value), BusStatus::ok);
  }
  void command(PhysAddr offset, std::uint64_t code) { write(offset, both(code)); }
  std::uint64_t status() {
    command(0, 0x70);
    return read(0);
  }

  std::vector<std::uint8_t> array;
  std::vector<bool> modes;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> changes;
  std::vector<std::string> messages;
  NorFlash flash{
      "flash",
      array,
      {.mode = [this](bool direct) { modes.push_back(direct); },
       .changed = [this](std::uint64_t o, std::uint64_t n) { changes.emplace_back(o, n); }},
      [this](const std::string& m) { messages.push_back(m); }};
};

TEST_F(NorFlashTest, QueryDescribesThePair) {
  command(0x55 * 4, 0x98);
  const auto query = [this](unsigned offset) {
    const std::uint64_t word = read(offset * 4);
    EXPECT_EQ(word & 0xffff, word >> 16) << offset;
    return word & 0xff;
  };
  EXPECT_EQ(query(0x10), 'Q');
  EXPECT_EQ(query(0x11), 'R');
  EXPECT_EQ(query(0x12), 'Y');
  EXPECT_EQ(query(0x13), 1u);
  EXPECT_EQ(query(0x15), 0x31u);
  EXPECT_EQ(query(0x31), 'P');
  EXPECT_EQ(std::uint64_t{2} << query(0x27), kSize) << "two chips";
  EXPECT_EQ(query(0x2c), 1u);
  EXPECT_EQ((query(0x2d) | query(0x2e) << 8) + 1, kSize / kBlock);
  EXPECT_EQ((query(0x2f) | query(0x30) << 8) * 256 * 2, kBlock);
  EXPECT_EQ(read(0x10 * 4, 1), std::uint64_t{'Q'});
  EXPECT_EQ(read(0x10 * 4 + 2, 2), std::uint64_t{'Q'});
  EXPECT_EQ(read(0x10 * 4, 8), 0x0052005200510051u);
  EXPECT_EQ(modes, std::vector<bool>{false});
  command(0, 0xff);
  EXPECT_EQ(modes, (std::vector<bool>{false, true}));
  EXPECT_EQ(read(0x40), 0xffffffffu);
}

TEST_F(NorFlashTest, IdentifierNamesMakerDeviceAndLocks) {
  command(0, 0x90);
  EXPECT_EQ(read(0), 0x00890089u);
  EXPECT_EQ(read(4), 0x001d001du);
  EXPECT_EQ(read(3 * kBlock + 8), 0u);
  command(3 * kBlock, 0x60);
  command(3 * kBlock, 0x01);
  command(0, 0x90);
  EXPECT_EQ(read(3 * kBlock + 8), 0x00010001u);
  EXPECT_EQ(read(2 * kBlock + 8), 0u);
}

TEST_F(NorFlashTest, ProgrammingTurnsOnesIntoZeros) {
  command(0x100, 0x40);
  write(0x100, 0x12345678);
  EXPECT_EQ(read(0x100), both(0x80)) << "reads as status until told otherwise";
  command(0, 0xff);
  EXPECT_EQ(read(0x100), 0x12345678u);
  command(0x100, 0x10);
  write(0x100, 0xff00ff00);
  command(0, 0xff);
  EXPECT_EQ(read(0x100), 0x12005600u);
  command(0x102, 0x40);
  write(0x102, 0x0f, 1);
  command(0, 0xff);
  EXPECT_EQ(read(0x100), 0x12005600u & 0xff0fffffu);
  EXPECT_EQ(changes[0], (std::pair<std::uint64_t, std::uint64_t>{0x100, 4}));
  EXPECT_EQ(status(), both(0x80));
}

TEST_F(NorFlashTest, ABufferIsWrittenWhenItIsConfirmed) {
  command(kBlock, 0xe8);
  EXPECT_EQ(read(kBlock), both(0x80)) << "a buffer is free";
  write(kBlock, both(3));
  for (unsigned n = 0; n < 4; ++n) write(kBlock + 0x40 + 4 * n, 0x11111111 * n);
  EXPECT_TRUE(changes.empty());
  command(kBlock, 0xd0);
  command(0, 0xff);
  for (unsigned n = 0; n < 4; ++n) EXPECT_EQ(read(kBlock + 0x40 + 4 * n), 0x11111111u * n);
  EXPECT_EQ(changes.size(), 4u);
}

TEST_F(NorFlashTest, ErasingMakesABlockOnes) {
  std::fill(array.begin(), array.end(), 0);
  command(2 * kBlock + 0x1234, 0x20);
  command(2 * kBlock + 0x1234, 0xd0);
  EXPECT_EQ(read(0), both(0x80));
  command(0, 0xff);
  EXPECT_EQ(read(2 * kBlock - 4), 0u);
  EXPECT_EQ(read(2 * kBlock), 0xffffffffu);
  EXPECT_EQ(read(3 * kBlock - 4), 0xffffffffu);
  EXPECT_EQ(read(3 * kBlock), 0u);
  EXPECT_EQ(changes[0], (std::pair<std::uint64_t, std::uint64_t>{2 * kBlock, kBlock}));
}

TEST_F(NorFlashTest, LockedBlocksStayAsTheyAre) {
  command(kBlock, 0x60);
  command(kBlock, 0x01);
  command(kBlock, 0x40);
  write(kBlock, 0);
  EXPECT_EQ(status(), both(0x92));
  command(0, 0x50);
  command(kBlock, 0x20);
  command(kBlock, 0xd0);
  EXPECT_EQ(status(), both(0xa2));
  flash.reset();
  command(kBlock, 0x20);
  command(kBlock, 0xd0);
  EXPECT_EQ(status(), both(0xa2)) << "a reset unlocks nothing";
  EXPECT_EQ(array[kBlock], 0xff);
  command(0, 0x50);
  command(0, 0x60);
  command(0, 0xd0);
  command(kBlock, 0x40);
  write(kBlock, 0);
  EXPECT_EQ(status(), both(0x80));
  EXPECT_EQ(array[kBlock], 0);
}

TEST_F(NorFlashTest, WrongSequencesSetBothErrorBits) {
  command(0, 0x20);
  command(0, 0x20);
  EXPECT_EQ(status(), both(0xb0));
  command(0, 0x50);
  EXPECT_EQ(status(), both(0x80));
  command(0, 0xe8);
  write(0, both(16));  // More than the buffer holds.
  EXPECT_EQ(status(), both(0xb0));
  command(0, 0x50);
  command(0, 0xe8);
  write(0, both(0));
  write(kBlock, 0);  // Another block.
  EXPECT_EQ(status(), both(0xb0));
  EXPECT_TRUE(changes.empty());
}

TEST_F(NorFlashTest, WhatIsNotModelledIsNamed) {
  command(0, 0xc0);
  write(0x100, 0);
  EXPECT_EQ(messages,
            std::vector<std::string>{"flash: the protection register is not implemented"});
  EXPECT_EQ(array[0x100], 0xff);
  messages.clear();
  write(0, 0x00ff0070);
  EXPECT_EQ(messages,
            std::vector<std::string>{
                "flash: the two chips are given different commands; both take the lower"});
}

TEST_F(NorFlashTest, AccessesAcrossTheEndAreRefused) {
  std::uint64_t value = 0;
  for (const std::uint64_t code : {0xffu, 0x90u, 0x40u}) {
    command(0, code);
    EXPECT_EQ(flash.read({.offset = kSize - 4, .size = 8}, value), BusStatus::error);
    EXPECT_EQ(flash.write({.offset = kSize - 4, .size = 8}, 0), BusStatus::error);
    EXPECT_EQ(flash.read({.offset = kSize - 4, .size = 4}, value), BusStatus::ok);
  }
}

TEST(NorFlash, OddSizesAreRefused) {
  std::vector<std::uint8_t> array(3 * kBlock);
  EXPECT_THROW(NorFlash("flash", array, {}), std::invalid_argument);
}

}  // namespace
}  // namespace trapline
