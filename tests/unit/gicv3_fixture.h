// Drives a GICv3 the way software does: through its frames and system registers.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "models/gic/gicv3.h"

namespace trapline {

inline constexpr SysReg kIccPmr = sysreg(3, 0, 4, 6, 0);
inline constexpr SysReg kIccIar0 = sysreg(3, 0, 12, 8, 0);
inline constexpr SysReg kIccEoir0 = sysreg(3, 0, 12, 8, 1);
inline constexpr SysReg kIccHppir0 = sysreg(3, 0, 12, 8, 2);
inline constexpr SysReg kIccBpr0 = sysreg(3, 0, 12, 8, 3);
inline constexpr SysReg kIccAp0r0 = sysreg(3, 0, 12, 8, 4);
inline constexpr SysReg kIccAp1r0 = sysreg(3, 0, 12, 9, 0);
inline constexpr SysReg kIccDir = sysreg(3, 0, 12, 11, 1);
inline constexpr SysReg kIccRpr = sysreg(3, 0, 12, 11, 3);
inline constexpr SysReg kIccSgi1r = sysreg(3, 0, 12, 11, 5);
inline constexpr SysReg kIccAsgi1r = sysreg(3, 0, 12, 11, 6);
inline constexpr SysReg kIccSgi0r = sysreg(3, 0, 12, 11, 7);
inline constexpr SysReg kIccIar1 = sysreg(3, 0, 12, 12, 0);
inline constexpr SysReg kIccEoir1 = sysreg(3, 0, 12, 12, 1);
inline constexpr SysReg kIccHppir1 = sysreg(3, 0, 12, 12, 2);
inline constexpr SysReg kIccBpr1 = sysreg(3, 0, 12, 12, 3);
inline constexpr SysReg kIccCtlr = sysreg(3, 0, 12, 12, 4);
inline constexpr SysReg kIccSreEl1 = sysreg(3, 0, 12, 12, 5);
inline constexpr SysReg kIccIgrpen0 = sysreg(3, 0, 12, 12, 6);
inline constexpr SysReg kIccIgrpen1 = sysreg(3, 0, 12, 12, 7);
inline constexpr SysReg kIchAp0r0 = sysreg(3, 4, 12, 8, 0);
inline constexpr SysReg kIchAp1r0 = sysreg(3, 4, 12, 9, 0);
inline constexpr SysReg kIccSreEl2 = sysreg(3, 4, 12, 9, 5);
inline constexpr SysReg kIchHcr = sysreg(3, 4, 12, 11, 0);
inline constexpr SysReg kIchVtr = sysreg(3, 4, 12, 11, 1);
inline constexpr SysReg kIchMisr = sysreg(3, 4, 12, 11, 2);
inline constexpr SysReg kIchEisr = sysreg(3, 4, 12, 11, 3);
inline constexpr SysReg kIchElrsr = sysreg(3, 4, 12, 11, 5);
inline constexpr SysReg kIchVmcr = sysreg(3, 4, 12, 11, 7);

constexpr SysReg ich_lr(unsigned n) {
  return sysreg(3, 4, 12, 12 + n / 8, n % 8);
}

inline constexpr std::uint64_t kSpuriousIntid = 1023;
inline constexpr std::uint64_t kHcrFmo = 1u << 3;
inline constexpr std::uint64_t kHcrImo = 1u << 4;

inline constexpr PhysAddr kSgiBase = 0x10000;
inline constexpr PhysAddr kRedistributorStride = 0x20000;

/// A GIC with its wires and a record of its events.
class GicV3Rig : public Sink {
 public:
  explicit GicV3Rig(GicV3Config config = {}) : cpus_(config.cpus) {
    std::vector<CpuLines*> wires;
    for (unsigned n = 0; n < config.cpus; ++n) {
      lines_.push_back(std::make_unique<CpuLines>());
      wires.push_back(lines_.back().get());
    }
    gic_ = std::make_unique<GicV3>(config, wires, this);
  }

  GicV3& gic() { return *gic_; }
  CpuLines& lines(unsigned cpu = 0) { return *lines_[cpu]; }
  std::vector<Event> events;
  void on_event(const Event& event) override { events.push_back(event); }

  bool irq(unsigned cpu = 0) { return lines(cpu).irq.level(); }
  bool fiq(unsigned cpu = 0) { return lines(cpu).fiq.level(); }

  // Memory-mapped registers.
  std::uint64_t gicd(PhysAddr offset, unsigned size = 4) {
    return device_read(gic_->distributor(), offset, size);
  }
  void set_gicd(PhysAddr offset, std::uint64_t value, unsigned size = 4) {
    device_write(gic_->distributor(), offset, value, size);
  }
  std::uint64_t gicr(unsigned cpu, PhysAddr offset, unsigned size = 4) {
    return device_read(gic_->redistributors(), cpu * kRedistributorStride + offset, size);
  }
  void set_gicr(unsigned cpu, PhysAddr offset, std::uint64_t value, unsigned size = 4) {
    device_write(gic_->redistributors(), cpu * kRedistributorStride + offset, value, size);
  }

  // System registers: at EL2 unless `context` says otherwise.
  static SysRegContext el1(std::uint64_t hcr = 0) {
    SysRegContext context;
    context.el = El::el1;
    context.hcr_el2 = hcr;
    return context;
  }
  static SysRegContext el2() {
    SysRegContext context;
    context.el = El::el2;
    return context;
  }
  std::uint64_t get(SysReg reg, unsigned cpu = 0, SysRegContext context = el2()) {
    std::uint64_t value = 0xdead;
    EXPECT_EQ(gic_->cpu_interface(cpu).read(reg, context, value), SysRegStatus::ok)
        << name_of_key(reg);
    return value;
  }
  void set(SysReg reg, std::uint64_t value, unsigned cpu = 0, SysRegContext context = el2()) {
    EXPECT_EQ(gic_->cpu_interface(cpu).write(reg, context, value), SysRegStatus::ok)
        << name_of_key(reg);
  }
  SysRegStatus try_get(SysReg reg, SysRegContext context) {
    std::uint64_t value = 0;
    return gic_->cpu_interface(0).read(reg, context, value);
  }
  SysRegStatus try_set(SysReg reg, SysRegContext context, std::uint64_t value = 0) {
    return gic_->cpu_interface(0).write(reg, context, value);
  }

  /// What an operating system does at start: both groups on, everything in Group 1 at priority
  /// 0xa0, mask open, SGIs and PPIs and SPIs still disabled.
  void boot() {
    set_gicd(0x000, 0x13);
    for (unsigned n = 1; n <= 8; ++n) set_gicd(0x080 + 4 * n, ~0u);
    for (unsigned n = 32; n < 288; n += 4) set_gicd(0x400 + n, 0xa0a0a0a0);
    for (unsigned cpu = 0; cpu < cpus_; ++cpu) {
      set_gicr(cpu, 0x14, 0);
      set_gicr(cpu, kSgiBase + 0x080, ~0u);
      for (unsigned n = 0; n < 32; n += 4) set_gicr(cpu, kSgiBase + 0x400 + n, 0xa0a0a0a0);
      set(kIccPmr, 0xf0, cpu);
      set(kIccIgrpen1, 1, cpu);
      set(kIccIgrpen0, 1, cpu);
    }
  }
  void enable(unsigned intid, unsigned cpu = 0) {
    if (intid < 32) {
      set_gicr(cpu, kSgiBase + 0x100, 1u << intid);
    } else {
      set_gicd(0x100 + intid / 32 * 4, 1u << (intid % 32));
    }
  }
  void set_priority(unsigned intid, std::uint8_t priority, unsigned cpu = 0) {
    if (intid < 32) {
      set_gicr(cpu, kSgiBase + 0x400 + intid, priority, 1);
    } else {
      set_gicd(0x400 + intid, priority, 1);
    }
  }
  void make_edge(unsigned intid) {
    const PhysAddr offset = 0xc00 + intid / 16 * 4;
    set_gicd(offset, gicd(offset) | 2u << (intid % 16 * 2));
  }
  bool is_pending(unsigned intid) { return gicd(0x200 + intid / 32 * 4) >> (intid % 32) & 1; }
  bool is_active(unsigned intid) { return gicd(0x300 + intid / 32 * 4) >> (intid % 32) & 1; }

  bool secure = false;     ///< Security state of memory accesses.
  unsigned requester = 0;  ///< CPU that makes memory accesses.

 private:
  static std::string name_of_key(SysReg reg) { return "key " + std::to_string(reg.key); }
  Access access(PhysAddr offset, unsigned size) const {
    Access access;
    access.offset = offset;
    access.size = static_cast<std::uint8_t>(size);
    access.cpu = static_cast<std::uint8_t>(requester);
    access.secure = secure;
    return access;
  }
  std::uint64_t device_read(Device& device, PhysAddr offset, unsigned size) {
    std::uint64_t value = 0xdead;
    EXPECT_EQ(device.read(access(offset, size), value), BusStatus::ok);
    return value;
  }
  void device_write(Device& device, PhysAddr offset, std::uint64_t value, unsigned size) {
    EXPECT_EQ(device.write(access(offset, size), value), BusStatus::ok);
  }

  unsigned cpus_;
  std::vector<std::unique_ptr<CpuLines>> lines_;
  std::unique_ptr<GicV3> gic_;
};

}  // namespace trapline
