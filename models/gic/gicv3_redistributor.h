// GICv3 redistributors: SGIs and PPIs of each CPU, and the GICR frames (IHI 0069 12.10, 12.11).
#pragma once

#include <cstdint>
#include <string_view>

#include "models/gic/gic_common.h"
#include "models/gic/gic_register_names.h"
#include "models/gic/gicv3_bank.h"
#include "models/gic/gicv3_core.h"
#include "sim/bus/device.h"

namespace trapline::gicv3 {

/// One CPU's redistributor. Offsets are from RD_base; SGI_base is at 64 KiB.
class Redistributor {
 public:
  Redistributor(Core& core, unsigned cpu);

  /// State after reset; the caller tells the core.
  void power_on();
  std::uint32_t read_word(std::uint32_t offset, const Access& access);
  void write_word(std::uint32_t offset, std::uint32_t value, const Access& access);
  /// False if the register at `offset` has no byte access.
  bool write_byte(std::uint32_t offset, std::uint8_t value, const Access& access);

  InterruptBank& bank() { return bank_; }
  bool asleep() const { return waker_ & kProcessorSleep; }
  /// GICR_CTLR.DPG*: this CPU does not want 1-of-N interrupts of the group.
  bool declines(Group group) const;

 private:
  static constexpr std::uint32_t kProcessorSleep = 1u << 1;
  static constexpr std::uint32_t kChildrenAsleep = 1u << 2;

  View view_of(const Access& access) const;
  std::uint64_t typer() const;
  std::uint32_t read_sgi_frame(std::uint32_t offset, const Access& access);
  void write_sgi_frame(std::uint32_t offset, std::uint32_t value, const Access& access);
  std::uint64_t* table_base(std::uint32_t offset);

  Core& core_;
  unsigned cpu_;
  gic::AccessLog log_;
  InterruptBank bank_;
  std::uint32_t ctlr_ = 0;
  std::uint32_t waker_ = 0;
  std::uint32_t pwrr_ = 0;
  std::uint64_t propbaser_ = 0;
  std::uint64_t pendbaser_ = 0;
};

/// All redistributors in a row, 128 KiB each.
class RedistributorWindow final : public Device {
 public:
  explicit RedistributorWindow(Core& core) : core_(core), log_(name()) {}

  std::string_view name() const override { return "gicv3-redistributors"; }
  void reset() override;
  BusStatus read(const Access& access, std::uint64_t& value) override;
  BusStatus write(const Access& access, std::uint64_t value) override;
  std::string register_name(PhysAddr offset) const override {
    return gic::register_name(gic::Frame::gicr, offset);
  }

 private:
  Core& core_;
  gic::AccessLog log_;
};

}  // namespace trapline::gicv3
