// A GICv2 with its wires and frames, as software on any of its CPUs reaches it.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "models/gic/gicv2.h"

namespace trapline {

// Register names as in IHI 0048B, prefix dropped where the frame says it.
namespace gicd {
inline constexpr unsigned kCtlr = 0x000, kTyper = 0x004, kIidr = 0x008, kIgroupr = 0x080;
inline constexpr unsigned kIsenabler = 0x100, kIcenabler = 0x180, kIspendr = 0x200;
inline constexpr unsigned kIcpendr = 0x280, kIsactiver = 0x300, kIcactiver = 0x380;
inline constexpr unsigned kIpriorityr = 0x400, kItargetsr = 0x800, kIcfgr = 0xc00;
inline constexpr unsigned kSgir = 0xf00, kCpendsgir = 0xf10, kSpendsgir = 0xf20;
}  // namespace gicd
namespace gicc {
inline constexpr unsigned kCtlr = 0x00, kPmr = 0x04, kBpr = 0x08, kIar = 0x0c, kEoir = 0x10;
inline constexpr unsigned kRpr = 0x14, kHppir = 0x18, kAbpr = 0x1c, kAiar = 0x20, kAeoir = 0x24;
inline constexpr unsigned kAhppir = 0x28, kApr = 0xd0, kNsapr = 0xe0, kIidr = 0xfc, kDir = 0x1000;
inline constexpr std::uint32_t kEnableGrp0 = 1, kEnableGrp1 = 2, kAckCtl = 4, kFiqEn = 8;
inline constexpr std::uint32_t kCbpr = 0x10, kEoiMode = 0x200;
}  // namespace gicc
namespace gich {
inline constexpr unsigned kHcr = 0x00, kVtr = 0x04, kVmcr = 0x08, kMisr = 0x10, kEisr0 = 0x20;
inline constexpr unsigned kEisr1 = 0x24, kElrsr0 = 0x30, kElrsr1 = 0x34, kApr = 0xf0, kLr = 0x100;
inline constexpr std::uint32_t kPending = 1u << 28, kActive = 1u << 29, kGrp1 = 1u << 30;
inline constexpr std::uint32_t kHw = 1u << 31, kEoi = 1u << 19;
}  // namespace gich

inline constexpr std::uint32_t kSpurious = 1023;

class RecordingSink : public Sink {
 public:
  void on_event(const Event& event) override { events.push_back(event); }
  std::vector<Event> events;
};

class GicV2Test : public ::testing::Test {
 protected:
  void build(GicV2Config config) {
    config_ = config;
    lines.clear();
    std::vector<CpuLines*> wires;
    for (unsigned cpu = 0; cpu < config.cpus; ++cpu) wires.push_back(&lines.emplace_back());
    gic = std::make_unique<GicV2>(config, wires, &sink);
  }
  void build(unsigned cpus) {
    GicV2Config config;
    config.cpus = cpus;
    build(config);
  }

  static std::uint32_t read(Device& device, unsigned offset, unsigned cpu = 0, unsigned size = 4,
                            bool secure = false) {
    std::uint64_t value = ~0ull;
    EXPECT_EQ(device.read(
                  {offset, static_cast<std::uint8_t>(size), static_cast<std::uint8_t>(cpu), secure},
                  value),
              BusStatus::ok)
        << std::hex << offset;
    return static_cast<std::uint32_t>(value);
  }
  static void write(Device& device, unsigned offset, std::uint32_t value, unsigned cpu = 0,
                    unsigned size = 4, bool secure = false) {
    EXPECT_EQ(device.write(
                  {offset, static_cast<std::uint8_t>(size), static_cast<std::uint8_t>(cpu), secure},
                  value),
              BusStatus::ok)
        << std::hex << offset;
  }

  std::uint32_t gicd_read(unsigned offset, unsigned cpu = 0, unsigned size = 4) {
    return read(gic->distributor(), offset, cpu, size);
  }
  void gicd_write(unsigned offset, std::uint32_t value, unsigned cpu = 0, unsigned size = 4) {
    write(gic->distributor(), offset, value, cpu, size);
  }
  std::uint32_t gicc_read(unsigned offset, unsigned cpu = 0) {
    return read(gic->cpu_interface(), offset, cpu);
  }
  void gicc_write(unsigned offset, std::uint32_t value, unsigned cpu = 0) {
    write(gic->cpu_interface(), offset, value, cpu);
  }
  std::uint32_t gich_read(unsigned offset, unsigned cpu = 0) {
    return read(gic->hypervisor_interface(), offset, cpu);
  }
  void gich_write(unsigned offset, std::uint32_t value, unsigned cpu = 0) {
    write(gic->hypervisor_interface(), offset, value, cpu);
  }
  std::uint32_t gicv_read(unsigned offset, unsigned cpu = 0) {
    return read(gic->virtual_cpu_interface(), offset, cpu);
  }
  void gicv_write(unsigned offset, std::uint32_t value, unsigned cpu = 0) {
    write(gic->virtual_cpu_interface(), offset, value, cpu);
  }

  void set_bit(unsigned array, unsigned intid, unsigned cpu = 0) {
    gicd_write(array + intid / 32 * 4, 1u << (intid % 32), cpu);
  }
  bool get_bit(unsigned array, unsigned intid, unsigned cpu = 0) {
    return gicd_read(array + intid / 32 * 4, cpu) >> (intid % 32) & 1;
  }
  void set_priority(unsigned intid, unsigned priority, unsigned cpu = 0) {
    gicd_write(gicd::kIpriorityr + intid, priority, cpu, 1);
  }
  void set_edge(unsigned intid, unsigned cpu = 0) {
    const unsigned offset = gicd::kIcfgr + intid / 16 * 4;
    gicd_write(offset, gicd_read(offset, cpu) | 2u << (intid % 16 * 2), cpu);
  }
  void target(unsigned intid, unsigned cpus) { gicd_write(gicd::kItargetsr + intid, cpus, 0, 1); }

  /// What Linux and Xen do at boot: everything on, nothing masked.
  void enable_delivery(std::uint32_t gicc_ctlr = gicc::kEnableGrp0) {
    gicd_write(gicd::kCtlr, 3);
    for (unsigned cpu = 0; cpu < config_.cpus; ++cpu) {
      gicc_write(gicc::kPmr, 0xff, cpu);
      gicc_write(gicc::kCtlr, gicc_ctlr, cpu);
    }
  }
  /// A level-sensitive SPI or PPI that is enabled at `priority`, an SPI at `cpus`.
  void prepare(unsigned intid, unsigned priority = 0xa0, unsigned cpus = 1) {
    set_priority(intid, priority);
    if (intid >= 32) target(intid, cpus);
    set_bit(gicd::kIsenabler, intid);
  }

  GicV2Config config_;
  std::deque<CpuLines> lines;
  RecordingSink sink;
  std::unique_ptr<GicV2> gic;
};

}  // namespace trapline
