#include "models/virtio/empty_slots.h"

#include <gtest/gtest.h>

namespace trapline {
namespace {

class EmptySlots : public ::testing::Test {
 protected:
  std::uint64_t read(PhysAddr offset, std::uint8_t size = 4) {
    std::uint64_t value = ~0ull;
    EXPECT_EQ(slots.read({.offset = offset, .size = size}, value), BusStatus::ok);
    return value;
  }
  VirtioEmptySlots slots;
};

TEST_F(EmptySlots, EachSlotIsATransportWithoutADevice) {
  for (const PhysAddr slot : {0x000u, 0x200u, 0x3e00u}) {
    EXPECT_EQ(read(slot + 0x000), 0x74726976u);  // MagicValue
    EXPECT_EQ(read(slot + 0x004), 1u);           // Version
    EXPECT_EQ(read(slot + 0x008), 0u);           // DeviceID: none
    EXPECT_NE(read(slot + 0x00c), 0u);           // VendorID
  }
}

TEST_F(EmptySlots, OtherRegistersReadAsZeroAndIgnoreWrites) {
  EXPECT_EQ(slots.write({.offset = 0x070}, 0xff), BusStatus::ok);
  EXPECT_EQ(read(0x070), 0u);
  EXPECT_EQ(slots.write({.offset = 0x000}, 0), BusStatus::ok);
  EXPECT_EQ(read(0x000), 0x74726976u);
  EXPECT_EQ(read(0x100), 0u);
}

TEST_F(EmptySlots, NarrowReadsGiveTheirBytes) {
  EXPECT_EQ(read(0x000, 1), 0x76u);
  EXPECT_EQ(read(0x001, 1), 0x69u);
  EXPECT_EQ(read(0x002, 2), 0x7472u);
}

}  // namespace
}  // namespace trapline
