#include "models/system/cci400.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/system/unmodelled.h"

namespace trapline {
namespace {

std::uint64_t read(Device& device, PhysAddr offset, std::uint8_t size = 4) {
  std::uint64_t value = ~0ull;
  EXPECT_EQ(device.read({.offset = offset, .size = size}, value), BusStatus::ok);
  return value;
}

void write(Device& device, PhysAddr offset, std::uint64_t value, std::uint8_t size = 4) {
  EXPECT_EQ(device.write({.offset = offset, .size = size}, value), BusStatus::ok);
}

TEST(Cci400Test, IsIdentifiedByPart) {
  Cci400 cci("cci");
  EXPECT_EQ((read(cci, 0xfe4) & 0xf) << 8 | read(cci, 0xfe0), 0x420u);
  EXPECT_EQ(
      read(cci, 0xff0) | read(cci, 0xff4) << 8 | read(cci, 0xff8) << 16 | read(cci, 0xffc) << 24,
      0xb105f00du);
  EXPECT_EQ(read(cci, 0xfe0, 1), 0x20u);
  EXPECT_EQ(read(cci, 0xfd0), 0x44u);
}

TEST(Cci400Test, SnoopsAreEnabledAtOnceWhereTheInterfaceSupportsThem) {
  Cci400 cci("cci");
  const auto snoop_control = [](unsigned n) { return PhysAddr{0x1000} * (n + 1); };
  for (unsigned n = 0; n < 3; ++n) {
    EXPECT_EQ(read(cci, snoop_control(n)), 0x80000000u);
    write(cci, snoop_control(n), 3);
    EXPECT_EQ(read(cci, snoop_control(n)), 0x80000002u);
  }
  for (unsigned n = 3; n < 5; ++n) {
    EXPECT_EQ(read(cci, snoop_control(n)), 0xc0000000u);
    write(cci, snoop_control(n), 3);
    EXPECT_EQ(read(cci, snoop_control(n)), 0xc0000003u);
  }
  EXPECT_EQ(read(cci, 0x00c), 0u) << "no change is pending";
  write(cci, snoop_control(3), ~3ull & 0xffffffff);
  EXPECT_EQ(read(cci, snoop_control(3)), 0xc0000000u);
  cci.reset();
  EXPECT_EQ(read(cci, snoop_control(4)), 0xc0000000u);
}

TEST(Cci400Test, RegistersWithoutEffectKeepTheirBitsAndSaySo) {
  std::vector<std::string> messages;
  Cci400 cci("cci", [&](const std::string& message) { messages.push_back(message); });
  write(cci, 0x4100, 0xff);
  EXPECT_EQ(read(cci, 0x4100), 0xfu);
  EXPECT_EQ(read(cci, 0x100) >> 11, 4u);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0], "cci: S3_Read_QoS_Override.Read_QoS_Override is not implemented");
}

TEST(UnmodelledTest, ReadsAsZeroAndIsNamedOnce) {
  std::vector<std::string> messages;
  Unmodelled part("clcd@9c1f0000",
                  [&](const std::string& message) { messages.push_back(message); });
  write(part, 0x18, 0x1234);
  EXPECT_EQ(read(part, 0x18), 0u);
  EXPECT_EQ(read(part, 0xfe0, 1), 0u);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0], "clcd@9c1f0000: this part has no model: reads as zero, ignores writes");
}

}  // namespace
}  // namespace trapline
