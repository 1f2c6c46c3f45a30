#include "sim/report/mpu_usage.h"

#include <gtest/gtest.h>

#include "models/mpu/mpu.h"
#include "sim/arch/registers.h"
#include "sim/trace/hub.h"

namespace trapline {
namespace {

/// An MPU at EL2 whose register writes are seen through events, each at its own cycle.
class MpuUsageTest : public testing::Test, private StampSource {
 protected:
  MpuUsageTest() {
    hub_.set_source(this);
    hub_.attach(usage);
  }
  void write(SysReg reg, std::uint64_t value) {
    ASSERT_EQ(mpu_.write(reg, {.el = El::el2}, value), SysRegStatus::ok);
  }
  void region(unsigned n, bool enable) {
    write(reg::PRSELR_EL2, n);
    write(reg::PRBAR_EL2, n * 0x1000);
    write(reg::PRLAR_EL2, n * 0x1000 + (enable ? 1 : 0));
  }
  void at(std::uint64_t cycle) { cycle_ = cycle; }
  const MpuLoad& end(std::uint64_t cycle) {
    cycle_ = cycle;
    hub_.on_event({.kind = EventKind::run_end});
    usage.finish();
    return usage.loads().at({0, El::el2});
  }

  MpuUsage usage;

 private:
  void stamp(Event& event) const override { event.cycles = cycle_; }

  std::uint64_t cycle_ = 0;
  EventHub hub_;
  Mpu mpu_{{}, 0, &hub_};
};

TEST_F(MpuUsageTest, CountsWhatIsEnabledAtMostForLongestAndAtTheEnd) {
  for (unsigned n = 0; n < 5; ++n) region(n, true);
  at(100);
  write(reg::PRENR_EL2, 0b00111);
  at(1000);
  write(reg::PRENR_EL2, 0b00001);
  const MpuLoad& load = end(1050);
  EXPECT_EQ(load.peak(), 5u);
  EXPECT_EQ(load.steady(), 3u);
  EXPECT_EQ(load.enabled(), 1u);
  EXPECT_EQ(load.used(), 5u);
}

TEST_F(MpuUsageTest, ADisabledRegionThatIsWrittenIsNotUsed) {
  region(3, false);
  const MpuLoad& load = end(10);
  EXPECT_EQ(load.used(), 0u);
  EXPECT_EQ(load.peak(), 0u);
  EXPECT_EQ(load.writes().prbar, 1u);
  EXPECT_EQ(load.writes().prlar, 1u);
}

TEST_F(MpuUsageTest, TellsIndexedWritesFromSelectedOnes) {
  region(2, true);
  write(reg::PRBAR1_EL2, 0x40000);
  write(reg::PRLAR1_EL2, 0x40000);
  write(reg::PRENR_EL2, 0);
  const MpuLoad& load = end(10);
  EXPECT_EQ(load.writes().prbar, 2u);
  EXPECT_EQ(load.writes().prlar, 2u);
  EXPECT_EQ(load.writes().indexed, 2u);
  EXPECT_EQ(load.writes().prenr, 1u);
}

TEST_F(MpuUsageTest, AMachineWithoutMpuWritesSaysSo) {
  usage.finish();
  EXPECT_EQ(mpu_table(usage), "no MPU region was ever written\n");
}

}  // namespace
}  // namespace trapline
