#include "sim/bus/register_bank.h"

#include <gtest/gtest.h>

#include <array>
#include <stdexcept>
#include <utility>
#include <vector>

namespace trapline {
namespace {

class RegisterBankTest : public ::testing::Test {
 protected:
  std::uint64_t read(PhysAddr offset, std::uint8_t size = 4) {
    std::uint64_t value = ~0ull;
    EXPECT_EQ(bank.read({.offset = offset, .size = size}, value), BusStatus::ok);
    return value;
  }
  void write(PhysAddr offset, std::uint64_t value, std::uint8_t size = 4) {
    EXPECT_EQ(bank.write({.offset = offset, .size = size}, value), BusStatus::ok);
  }

  std::vector<std::string> said;
  RegisterBank bank{"dev@1000", [this](const std::string& message) { said.push_back(message); }};
};

TEST_F(RegisterBankTest, StoresOnlyWritableBitsAndResets) {
  bank.add(0x10, "CTRL").resets_to(0x50).writable(0x0f);
  EXPECT_EQ(read(0x10), 0x50u);
  write(0x10, 0xffffffff);
  EXPECT_EQ(read(0x10), 0x5fu);
  bank.reset();
  EXPECT_EQ(read(0x10), 0x50u);
  EXPECT_TRUE(said.empty());
}

TEST_F(RegisterBankTest, NarrowAccessesTouchTheirBytesOnly) {
  bank.add(0x0, "A").resets_to(0x11223344).writable(~0ull);
  EXPECT_EQ(read(0x0, 1), 0x44u);
  EXPECT_EQ(read(0x2, 2), 0x1122u);
  write(0x1, 0xab, 1);
  EXPECT_EQ(read(0x0), 0x1122ab44u);
}

TEST_F(RegisterBankTest, WideAndUnalignedAccessesReachEachRegisterInOrder) {
  std::vector<std::pair<char, std::uint64_t>> order;
  bank.add(0x4, "B").resets_to(0x55667788).on_write([&](const RegisterWrite& w) {
    order.emplace_back('B', w.written);
  });
  bank.add(0x0, "A").resets_to(0x11223344).on_write([&](const RegisterWrite& w) {
    order.emplace_back('A', w.written);
  });
  EXPECT_EQ(read(0x0, 8), 0x5566778811223344u);
  EXPECT_EQ(read(0x3, 2), 0x8811u);
  bank.reset();
  write(0x0, 0x0000000200000001, 8);
  EXPECT_EQ(order, (std::vector<std::pair<char, std::uint64_t>>{{'A', 1}, {'B', 2}}));
}

TEST_F(RegisterBankTest, EightByteRegisterIsWrittenWholeOrByHalves) {
  std::vector<std::uint64_t> lanes;
  bank.add(0x8, "CVAL", 8).writable(~0ull).on_write([&](const RegisterWrite& w) {
    lanes.push_back(w.lanes);
  });
  write(0x8, 0x0123456789abcdef, 8);
  write(0xc, 0xffffffff);
  EXPECT_EQ(read(0x8, 8), 0xffffffff89abcdefu);
  EXPECT_EQ(read(0xc), 0xffffffffu);
  EXPECT_EQ(lanes, (std::vector<std::uint64_t>{~0ull, 0xffffffff00000000}));
}

TEST_F(RegisterBankTest, CommandRegisterSeesZeroInBytesNotWritten) {
  std::uint64_t cleared = 0;
  Register& icr = bank.add(0x44, "ICR").write_only();
  icr.on_write([&](const RegisterWrite& w) { cleared = w.written; });
  icr.set(0xffff);
  write(0x44, 0x10, 1);
  EXPECT_EQ(cleared, 0x10u);
}

TEST_F(RegisterBankTest, ReadCallbackRunsOnceForAnAccess) {
  int reads = 0;
  bank.add(0x0, "DR").on_read([&] { return static_cast<std::uint64_t>(++reads); });
  EXPECT_EQ(read(0x0, 4), 1u);
  EXPECT_EQ(read(0x0, 1), 2u);
  EXPECT_EQ(reads, 2);
}

TEST_F(RegisterBankTest, GuestErrorsAreSaidOnceByName) {
  bank.add(0x0, "ID");
  bank.add(0x4, "ICR").write_only();
  for (int i = 0; i < 3; ++i) {
    write(0x0, 1);
    read(0x4);
    read(0x20);
    write(0x20, 1);
  }
  EXPECT_EQ(said, (std::vector<std::string>{"dev@1000: write of read-only register ID",
                                            "dev@1000: read of write-only register ICR",
                                            "dev@1000: read of unassigned offset 0x20",
                                            "dev@1000: write of unassigned offset 0x20"}));
  EXPECT_EQ(read(0x20), 0u);
}

TEST_F(RegisterBankTest, UnimplementedFieldsAndRegistersSaySo) {
  bank.add(0x0, "CR").writable(0x3).unimplemented("SIREN", 1, 1);
  bank.add(0x4, "TCR").unimplemented();
  write(0x0, 1);
  EXPECT_TRUE(said.empty());
  write(0x0, 3);
  write(0x0, 3);
  read(0x4);
  write(0x4, 1);
  EXPECT_EQ(said, (std::vector<std::string>{"dev@1000: CR.SIREN is not implemented",
                                            "dev@1000: TCR is not implemented"}));
}

TEST_F(RegisterBankTest, IdentificationIsOneByteARegister) {
  const std::array<std::uint8_t, 8> id = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
  bank.add_identification(0xfe0, id);
  EXPECT_EQ(read(0xfe4), 0x10u);
  EXPECT_EQ(read(0xffc), 0xb1u);
  EXPECT_EQ(read(0x1000), 0u);
}

TEST_F(RegisterBankTest, OverlapIsRefusedNamingBoth) {
  bank.add(0x8, "CVAL", 8);
  try {
    bank.add(0xc, "CTL");
    FAIL() << "an overlap was accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "dev@1000: register CTL at 0xc overlaps CVAL");
  }
}

TEST_F(RegisterBankTest, DescribesItself) {
  bank.add(0x4, "ICR").write_only();
  bank.add(0x0, "CR").resets_to(0x300).writable(1);
  EXPECT_EQ(bank.describe(), "0x000 CR rw 0x300\n0x004 ICR wo 0x0\n");
}

}  // namespace
}  // namespace trapline
