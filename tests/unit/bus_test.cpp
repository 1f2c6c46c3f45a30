#include "sim/bus/bus.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "sim/bus/line.h"

namespace trapline {
namespace {

class FakeDevice final : public Device {
 public:
  explicit FakeDevice(std::string name) : name_(std::move(name)) {}
  std::string_view name() const override { return name_; }
  void reset() override { ++resets; }
  BusStatus read(const Access&, std::uint64_t&) override { return BusStatus::ok; }
  BusStatus write(const Access&, std::uint64_t) override { return BusStatus::ok; }

  int resets = 0;

 private:
  std::string name_;
};

/// The message of the std::invalid_argument that `action` throws, or "" if it throws none.
template <typename Action>
std::string refusal(Action action) {
  try {
    action();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

TEST(RamTest, IsZeroedAndHoldsWhatIsWritten) {
  Ram ram("dram", 0x40000000, 0x10000);
  EXPECT_EQ(ram.host(0x4000ffff)[0], 0);
  ram.host(0x40001234)[0] = 0x5a;
  EXPECT_EQ(ram.host(0x40001000)[0x234], 0x5a);
  EXPECT_FALSE(ram.read_only());
}

TEST(RamTest, ContainsIsExactAtBothEnds) {
  Ram ram("dram", 0x40000000, 0x1000);
  EXPECT_TRUE(ram.contains(0x40000000));
  EXPECT_TRUE(ram.contains(0x40000fff));
  EXPECT_FALSE(ram.contains(0x3fffffff));
  EXPECT_FALSE(ram.contains(0x40001000));
  EXPECT_TRUE(ram.contains(0x40000000, 0x1000));
  EXPECT_FALSE(ram.contains(0x40000000, 0x1001));
  EXPECT_FALSE(ram.contains(0x40000ff9, 8));
  EXPECT_FALSE(ram.contains(0x40000010, ~0ull)) << "a length that would wrap";
}

TEST(RamTest, ReachesTheTopOfTheAddressSpace) {
  Ram ram("top", ~0ull - 0xfff, 0x1000);
  EXPECT_TRUE(ram.contains(~0ull));
  EXPECT_FALSE(ram.contains(~0ull, 2));
}

TEST(RamTest, RefusesSizesThatAreNotPages) {
  EXPECT_THROW(Ram("a", 0, 0), std::invalid_argument);
  EXPECT_THROW(Ram("a", 0, 0x1001), std::invalid_argument);
  EXPECT_THROW(Ram("a", 0x800, 0x1000), std::invalid_argument);
  EXPECT_THROW(Ram("a", ~0ull - 0xfff, 0x2000), std::invalid_argument) << "wraps";
  EXPECT_TRUE(contains(refusal([] { Ram("lowmem", 0x800, 0x1000); }), "lowmem"));
}

TEST(RamTest, SaysSoIfTheHostHasNoRoom) {
  EXPECT_THROW(Ram("huge", 0, 1ull << 60), std::runtime_error);
}

class BusTest : public ::testing::Test {
 protected:
  Bus bus;
  FakeDevice uart{"uart@9000000"};
  FakeDevice timer{"timer@9001000"};
};

TEST_F(BusTest, FindsRamAndWindowsByAddress) {
  Ram& ram = bus.add_ram("dram", 0x40000000, 0x1000);
  bus.map(timer, 0x9001000, 0x1000);  // Not in order of address.
  bus.map(uart, 0x9000000, 0x1000);
  EXPECT_EQ(bus.ram_at(0x40000800), &ram);
  EXPECT_EQ(bus.ram_at(0x40001000), nullptr);
  EXPECT_EQ(bus.ram_at(0x9000000), nullptr);
  ASSERT_NE(bus.window_at(0x9000fff), nullptr);
  EXPECT_EQ(bus.window_at(0x9000fff)->device, &uart);
  EXPECT_EQ(bus.window_at(0x9001000)->device, &timer);
  EXPECT_EQ(bus.window_at(0x9001000)->base, 0x9001000u);
  EXPECT_EQ(bus.window_at(0x8ffffff), nullptr);
  EXPECT_EQ(bus.window_at(0x9002000), nullptr);
  EXPECT_EQ(bus.window_at(0x40000000), nullptr);
  EXPECT_EQ(bus.windows().front().device, &uart) << "sorted by base";
}

TEST_F(BusTest, MemoryCanBeOnSeveralBuses) {
  const auto shared = std::make_shared<Ram>("dram", 0x40000000, 0x1000);
  Bus other;
  bus.add_ram(shared);
  other.add_ram(shared);
  EXPECT_THROW(bus.add_ram(shared), std::invalid_argument);
  const std::uint32_t written = 0x12345678;
  std::uint32_t read = 0;
  EXPECT_TRUE(bus.write(0x40000100, &written, sizeof written));
  EXPECT_TRUE(other.read(0x40000100, &read, sizeof read));
  EXPECT_EQ(read, written);
}

TEST_F(BusTest, AnEmptyBusHasNothingAnywhere) {
  std::uint8_t byte = 0;
  EXPECT_EQ(bus.ram_at(0), nullptr);
  EXPECT_EQ(bus.window_at(~0ull), nullptr);
  EXPECT_FALSE(bus.read(0, &byte, 1));
  EXPECT_FALSE(bus.write(0, &byte, 1));
}

TEST_F(BusTest, OverlapsAreRefusedAndNameBothParts) {
  bus.add_ram("dram", 0x40000000, 0x10000);
  bus.map(uart, 0x9000000, 0x1000);
  const std::string device_on_ram = refusal([&] { bus.map(timer, 0x4000f000, 0x2000); });
  EXPECT_TRUE(contains(device_on_ram, "timer@9001000") && contains(device_on_ram, "dram"))
      << device_on_ram;
  const std::string device_on_device = refusal([&] { bus.map(timer, 0x8fff000, 0x1001); });
  EXPECT_TRUE(contains(device_on_device, "timer@9001000") &&
              contains(device_on_device, "uart@9000000"))
      << device_on_device;
  const std::string ram_on_device = refusal([&] { bus.add_ram("sram", 0x8ff0000, 0x100000); });
  EXPECT_TRUE(contains(ram_on_device, "sram") && contains(ram_on_device, "uart@9000000"))
      << ram_on_device;
  EXPECT_THROW(bus.add_ram("inside", 0x40001000, 0x1000), std::invalid_argument);
  EXPECT_EQ(bus.windows().size(), 1u);
  EXPECT_EQ(bus.rams().size(), 1u);
}

TEST_F(BusTest, NeighboursAndBadSizes) {
  bus.map(uart, 0x9000000, 0x1000);
  EXPECT_NO_THROW(bus.map(timer, 0x9001000, 1));
  FakeDevice empty("empty"), wraps("wraps");
  EXPECT_THROW(bus.map(empty, 0x1000, 0), std::invalid_argument);
  EXPECT_THROW(bus.map(wraps, ~0ull, 2), std::invalid_argument);
}

TEST_F(BusTest, CopiesToAndFromRam) {
  bus.add_ram("dram", 0x40000000, 0x1000);
  const std::array<std::uint8_t, 4> data = {1, 2, 3, 4};
  EXPECT_TRUE(bus.write(0x40000ffc, data.data(), data.size()));
  std::array<std::uint8_t, 4> back{};
  EXPECT_TRUE(bus.read(0x40000ffc, back.data(), back.size()));
  EXPECT_EQ(back, data);
}

TEST_F(BusTest, CopyAcrossTheEndOfRamTouchesNothing) {
  Ram& ram = bus.add_ram("dram", 0x40000000, 0x1000);
  const std::array<std::uint8_t, 4> data = {1, 2, 3, 4};
  EXPECT_FALSE(bus.write(0x40000ffe, data.data(), data.size()));
  EXPECT_EQ(ram.host(0x40000ffe)[0], 0);
  std::array<std::uint8_t, 4> back = {9, 9, 9, 9};
  EXPECT_FALSE(bus.read(0x40000ffe, back.data(), back.size()));
  EXPECT_EQ(back[0], 9);
}

TEST_F(BusTest, CopyMayCrossFromOneRamIntoTheNext) {
  bus.add_ram("high", 0x40001000, 0x1000);
  bus.add_ram("low", 0x40000000, 0x1000);
  const std::array<std::uint8_t, 4> data = {1, 2, 3, 4};
  EXPECT_TRUE(bus.write(0x40000ffe, data.data(), data.size()));
  EXPECT_EQ(bus.ram_at(0x40001000)->host(0x40001000)[1], 4);
  std::array<std::uint8_t, 4> back{};
  EXPECT_TRUE(bus.read(0x40000ffe, back.data(), back.size()));
  EXPECT_EQ(back, data);
}

TEST_F(BusTest, TheLoadersDoorOpensReadOnlyRam) {
  Ram& rom = bus.add_ram("rom", 0, 0x1000, true);
  const std::uint8_t byte = 0x77;
  EXPECT_TRUE(rom.read_only());
  EXPECT_TRUE(bus.write(0x10, &byte, 1));
  EXPECT_EQ(rom.host(0x10)[0], 0x77);
}

TEST_F(BusTest, ResetReachesEveryDevice) {
  bus.map(uart, 0x9000000, 0x1000);
  bus.map(timer, 0x9001000, 0x1000);
  bus.reset_devices();
  EXPECT_EQ(uart.resets, 1);
  EXPECT_EQ(timer.resets, 1);
}

TEST_F(BusTest, DeviceWithTwoWindowsIsResetOnce) {
  bus.map(uart, 0x9000000, 0x1000);
  bus.map(timer, 0x9001000, 0x1000);
  bus.map(uart, 0x9002000, 0x1000);
  bus.reset_devices();
  EXPECT_EQ(uart.resets, 1);
}

TEST(LineTest, TellsItsListenersOfChangesInTheOrderTheyConnected) {
  Line line("SPI 33");
  std::vector<std::string> heard;
  line.connect([&](bool level) { heard.push_back(level ? "a up" : "a down"); });
  line.connect([&](bool level) { heard.push_back(level ? "b up" : "b down"); });
  line.set(false);
  EXPECT_TRUE(heard.empty());
  line.set(true);
  line.set(true);
  EXPECT_TRUE(line.level());
  EXPECT_EQ(heard, (std::vector<std::string>{"a up", "b up"}));
  line.set(false);
  EXPECT_EQ(heard.size(), 4u);
  EXPECT_EQ(line.name(), "SPI 33");
}

TEST(LineTest, PulseIsAnEdgeUpAndDown) {
  Line line;
  std::vector<bool> heard;
  line.connect([&](bool level) { heard.push_back(level); });
  line.pulse();
  EXPECT_EQ(heard, (std::vector<bool>{true, false}));
  EXPECT_FALSE(line.level());
}

TEST_F(BusTest, ADeviceBeforeReadOnlyMemoryGetsItsWindow) {
  Bus bus;
  Ram& flash = bus.add_ram("flash", 0x88000000, 0x10000, true);
  Ram& ram = bus.add_ram("ram", 0, 0x10000);
  FakeDevice device("commands");
  bus.map_over(device, flash);
  EXPECT_EQ(bus.ram_at(0x8800fff0), &flash);
  ASSERT_NE(bus.window_at(0x8800fff0), nullptr);
  EXPECT_EQ(bus.window_at(0x8800fff0)->device, &device);
  EXPECT_EQ(bus.window_at(0x88010000), nullptr);
  EXPECT_TRUE(flash.direct());
  EXPECT_THROW(bus.map_over(device, ram), std::invalid_argument);
}

TEST(RamTest, FilledMemoryCanBeWrittenPageByPage) {
  Ram ram("flash", 0x1000, 3 << 20, true);
  ram.fill(0xff);
  EXPECT_EQ(*ram.host(0x1000), 0xff);
  EXPECT_EQ(*ram.host(0x1000 + (3 << 20) - 1), 0xff);
  *ram.host(0x1000) = 1;
  EXPECT_EQ(*ram.host(0x1000 + (1 << 20)), 0xff) << "the pieces are not one memory";
  EXPECT_EQ(*ram.host(0x1001), 0xff);
}

}  // namespace
}  // namespace trapline
