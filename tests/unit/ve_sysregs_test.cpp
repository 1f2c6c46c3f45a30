#include "models/system/ve_sysregs.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "sim/time/timeline.h"

namespace trapline {
namespace {

constexpr PhysAddr kId = 0x00, kSw = 0x04, kLed = 0x08, k100Hz = 0x24, kFlags = 0x30,
                   kFlagsClr = 0x34, kNvFlags = 0x38, kNvFlagsClr = 0x3c, kMci = 0x48,
                   k24MHz = 0x5c, kMisc = 0x60, kProcId0 = 0x84, kCfgData = 0xa0, kCfgCtrl = 0xa4,
                   kCfgStat = 0xa8;
constexpr std::uint64_t kStart = 1u << 31, kWrite = 1u << 30;

constexpr std::uint64_t function(unsigned number, unsigned device = 0) {
  return kStart | std::uint64_t{number} << 20 | device;
}

class VeSysregsTest : public ::testing::Test {
 protected:
  std::uint64_t read(PhysAddr offset, std::uint8_t size = 4) {
    std::uint64_t value = ~0ull;
    EXPECT_EQ(device.read({.offset = offset, .size = size}, value), BusStatus::ok);
    return value;
  }
  void write(PhysAddr offset, std::uint64_t value, std::uint8_t size = 4, std::uint8_t cpu = 0) {
    EXPECT_EQ(device.write({.offset = offset, .size = size, .cpu = cpu}, value), BusStatus::ok);
  }

  using Request = VeSysregs::PowerRequest;
  Timeline timeline;
  std::vector<std::pair<unsigned, Request>> requests;
  std::vector<std::string> messages;
  VeSysregs device{"sysregs", timeline,
                   [this](unsigned cpu, Request request) { requests.emplace_back(cpu, request); },
                   VeSysregs::kBaseId, [this](const std::string& m) { messages.push_back(m); }};
};

TEST_F(VeSysregsTest, IdentifiesTheBasePlatform) {
  EXPECT_EQ(read(kId), 0x00201100u);
  EXPECT_EQ(read(kId + 2, 1), 0x20u);
  EXPECT_EQ(read(kId, 2), 0x1100u);
  write(kId, 0);
  EXPECT_EQ(read(kId), 0x00201100u);
  EXPECT_EQ(read(kProcId0), 0xff000000u);
  EXPECT_EQ(read(kMci), 0u);
}

TEST_F(VeSysregsTest, SwitchesAndLedsHaveEightBits) {
  write(kLed, 0xabcd12a5);
  EXPECT_EQ(read(kLed), 0xa5u);
  EXPECT_EQ(device.leds(), 0xa5u);
  write(kLed + 1, 0xff, 1);
  EXPECT_EQ(read(kLed), 0xa5u);
  write(kSw, 0x1ff);
  EXPECT_EQ(read(kSw), 0xffu);
  device.reset();
  EXPECT_EQ(read(kLed) | read(kSw), 0u);
}

TEST_F(VeSysregsTest, FlagsAreSetAndClearedByBit) {
  for (const auto& [set, clear] : {std::pair{kFlags, kFlagsClr}, {kNvFlags, kNvFlagsClr}}) {
    write(set, 0x80000005);
    write(set, 0x00000012);
    EXPECT_EQ(read(set), 0x80000017u);
    write(clear, 0x80000001);
    EXPECT_EQ(read(set), 0x16u);
    write(set + 3, 0x40, 1);
    EXPECT_EQ(read(set), 0x40000016u);
    write(clear + 3, 0xff, 1);
    EXPECT_EQ(read(set), 0x16u);
  }
  device.reset();
  EXPECT_EQ(read(kFlags), 0u);
  EXPECT_EQ(read(kNvFlags), 0x16u) << "survives a reset";
}

TEST_F(VeSysregsTest, CountersFollowVirtualTime) {
  timeline.advance_to(kPicosecondsPerSecond / 4 * 5);
  EXPECT_EQ(read(k100Hz), 125u);
  EXPECT_EQ(read(k24MHz), 30'000'000u);
  timeline.advance_to(200 * kPicosecondsPerSecond);
  EXPECT_EQ(read(k24MHz), 4'800'000'000u & 0xffffffff);
}

TEST_F(VeSysregsTest, ConfigurationReadsAndWritesOscillators) {
  write(kCfgCtrl, function(1, 1));
  EXPECT_EQ(read(kCfgStat), 1u);
  EXPECT_EQ(read(kCfgData), 23'750'000u);
  write(kCfgData, 63'500'000);
  write(kCfgCtrl, function(1, 1) | kWrite);
  write(kCfgData, 0);
  write(kCfgCtrl, function(1, 1));
  EXPECT_EQ(read(kCfgData), 63'500'000u);
  EXPECT_EQ(read(kCfgCtrl), 0x00100001u) << "START reads as zero";
  write(kCfgCtrl, function(2));
  EXPECT_EQ(read(kCfgData), 3'300'000u);
}

TEST_F(VeSysregsTest, UnknownFunctionsSitesAndDevicesAreErrors) {
  for (const std::uint64_t control :
       {function(1, 6), function(3), function(1) | 1u << 16, function(1) | 1u << 12,
        function(1) | 1u << 26, function(5) | kWrite, function(8)}) {
    write(kCfgStat, 0);
    write(kCfgCtrl, control);
    EXPECT_EQ(read(kCfgStat), 3u) << std::hex << control;
  }
  EXPECT_TRUE(requests.empty());
  ASSERT_FALSE(messages.empty());
  EXPECT_EQ(messages.front(), "sysregs: SYS_CFGCTRL read 0x100006 is not implemented");
}

TEST_F(VeSysregsTest, ShutdownAndRebootReachThePowerControlOnce) {
  write(kCfgCtrl, 0xc0800000, 4, 2);
  write(kCfgCtrl, 0xc0900000);
  write(kCfgCtrl, 0x40800000);  // Without START nothing happens.
  EXPECT_EQ(requests, (std::vector<std::pair<unsigned, Request>>{{2, Request::shutdown},
                                                                 {0, Request::reboot}}));
}

TEST_F(VeSysregsTest, WhatHasNoEffectSaysSo) {
  write(kMisc, 1u << 20);
  EXPECT_EQ(read(kMisc), 1u << 20);
  EXPECT_EQ(messages, std::vector<std::string>{"sysregs: SYS_MISC.SWINT is not implemented"});
}

}  // namespace
}  // namespace trapline
