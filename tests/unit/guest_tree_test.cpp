#include "sim/check/guest_tree.h"

#include "tests/unit/check_fixture.h"

namespace trapline {
namespace {

TEST(GuestTreeTest, GivesWhatRegSays) {
  const GuestTree tree(guest_tree().bytes());
  EXPECT_TRUE(tree.valid());
  EXPECT_TRUE(tree.gives(kRam));
  EXPECT_TRUE(tree.gives(kRam + kRamBytes - 1));
  EXPECT_FALSE(tree.gives(kRam + kRamBytes));
  EXPECT_FALSE(tree.gives(kRam - 1));
  EXPECT_TRUE(tree.gives(kUart + 0xfff));
  EXPECT_FALSE(tree.gives(kNothing));
  EXPECT_TRUE(tree.is_interrupt_controller(kGic));
  EXPECT_TRUE(tree.is_interrupt_controller(0x0303'ffff)) << "its second range";
  EXPECT_FALSE(tree.is_interrupt_controller(kUart));
  EXPECT_EQ(tree.controllers().size(), 2u);
}

TEST(GuestTreeTest, KnowsTheInitrdInEitherSize) {
  DeviceTree source = guest_tree();
  EXPECT_EQ(GuestTree(source.bytes()).initrd().base, kInitrd);
  EXPECT_EQ(GuestTree(source.bytes()).initrd().bytes, kInitrdBytes);
  source.set_cells("/chosen", "linux,initrd-start", {0x5000});
  source.set_cells("/chosen", "linux,initrd-end", {0x6000});
  EXPECT_EQ(GuestTree(source.bytes()).initrd().bytes, 0x1000u);
  source.set_cells("/chosen", "linux,initrd-end", {0x5000});
  EXPECT_EQ(GuestTree(source.bytes()).initrd().bytes, 0u) << "ends where it begins";
  source.set_cells("/chosen", "linux,initrd-end", {0x4000});
  EXPECT_EQ(GuestTree(source.bytes()).initrd().bytes, 0u) << "ends before it begins";
  source.set_cells("/chosen", "linux,initrd-end", {0, 0, 0x6000});
  EXPECT_EQ(GuestTree(source.bytes()).initrd().bytes, 0u) << "three cells";
  source.remove_property("/chosen", "linux,initrd-end");
  EXPECT_EQ(GuestTree(source.bytes()).initrd().bytes, 0u);
}

TEST(GuestTreeTest, SeedsMayBeErasedAndNothingElse) {
  const std::vector<std::uint8_t> blob = guest_tree().bytes();
  const GuestTree tree(blob);
  ASSERT_EQ(tree.erasable().size(), 1u);
  const GivenRange& seed = tree.erasable()[0];
  EXPECT_EQ(seed.bytes, 12u + 16 + 4) << "token, length, name, value, and the next token";
  const std::array<std::uint8_t, 16> value{0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2};
  EXPECT_EQ(std::memcmp(blob.data() + seed.base + 12, value.data(), value.size()), 0);
  DeviceTree without = guest_tree();
  without.remove_property("/chosen", "rng-seed");
  EXPECT_TRUE(GuestTree(without.bytes()).erasable().empty());
}

TEST(GuestTreeTest, RangesTranslateAndAreGiven) {
  DeviceTree source = guest_tree();
  source.add_node("/bus@50000000");
  source.set_cells("/bus@50000000", "#address-cells", {1});
  source.set_cells("/bus@50000000", "#size-cells", {1});
  source.set_cells("/bus@50000000", "ranges", {0x100, 0, 0x5000'0000, 0x1000});
  source.add_node("/bus@50000000/device@200");
  source.set_cells("/bus@50000000/device@200", "reg", {0x200, 0x10});
  source.set_empty("/bus@50000000/device@200", "interrupt-controller");
  source.add_node("/bus@50000000/device@9000");
  source.set_cells("/bus@50000000/device@9000", "reg", {0x9000, 0x10});
  source.add_node("/closed");
  source.set_cells("/closed", "#address-cells", {1});
  source.set_cells("/closed", "#size-cells", {1});
  source.add_node("/closed/device@300");
  source.set_cells("/closed/device@300", "reg", {0x300, 0x10});
  source.add_node("/open");
  source.set_cells("/open", "#address-cells", {2});
  source.set_cells("/open", "#size-cells", {2});
  source.set_empty("/open", "ranges");
  source.add_node("/open/device@60000000");
  source.set_u64s("/open/device@60000000", "reg", {0x6000'0000, 0x10});
  const GuestTree tree(source.bytes());
  ASSERT_TRUE(tree.valid());
  EXPECT_TRUE(tree.is_interrupt_controller(0x5000'0100)) << "the device, 0x100 into the window";
  EXPECT_FALSE(tree.is_interrupt_controller(0x5000'0000));
  EXPECT_TRUE(tree.gives(0x5000'0fff)) << "the window itself";
  EXPECT_FALSE(tree.gives(0x200)) << "as the bus calls it";
  EXPECT_FALSE(tree.gives(0x9000)) << "not in the window";
  EXPECT_FALSE(tree.gives(0x300)) << "a bus without ranges leads nowhere";
  EXPECT_TRUE(tree.gives(0x6000'000f)) << "empty ranges: the same addresses";
}

TEST(GuestTreeTest, WhatIsNoTreeGivesNothing) {
  std::vector<std::uint8_t> blob = guest_tree().bytes();
  EXPECT_FALSE(GuestTree().valid());
  EXPECT_FALSE(GuestTree(std::vector<std::uint8_t>(64)).valid());
  for (std::size_t size = 0; size < blob.size(); size += 3) {
    EXPECT_FALSE(GuestTree({blob.data(), size}).valid()) << size;
  }
  blob[0] ^= 1;
  EXPECT_FALSE(GuestTree(blob).valid());
  EXPECT_FALSE(GuestTree(blob).gives(kRam));
  DeviceTree bad = guest_tree();
  bad.set_cells("/", "#size-cells", {0});
  EXPECT_FALSE(GuestTree(bad.bytes()).gives(kRam)) << "addresses without sizes";
}

}  // namespace
}  // namespace trapline
