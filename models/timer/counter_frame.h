// Memory-mapped views of the system counter: CNTControlBase and CNTReadBase (DDI 0487 I2.2, I5.6).
#pragma once

#include <string>
#include <string_view>

#include "models/timer/system_counter.h"
#include "sim/bus/device.h"
#include "sim/bus/register_bank.h"

namespace trapline {

/// CNTControlBase: start, stop and set the counter. There is one frequency mode, CNTFID0, and no
/// counter scaling.
class CounterControlFrame final : public Device {
 public:
  /// The counter runs after reset() only if `enabled_at_reset`. It must outlive the frame.
  CounterControlFrame(std::string name, SystemCounter& counter, bool enabled_at_reset = false);

  std::string_view name() const override { return bank_.owner(); }
  /// Sets the counter to zero.
  void reset() override;
  BusStatus read(const Access& access, std::uint64_t& value) override;
  BusStatus write(const Access& access, std::uint64_t value) override;

 private:
  SystemCounter& counter_;
  bool enabled_at_reset_;
  RegisterBank bank_;
  Register* cntcr_;
};

/// CNTReadBase: the count, read-only.
class CounterReadFrame final : public Device {
 public:
  CounterReadFrame(std::string name, const SystemCounter& counter);

  std::string_view name() const override { return bank_.owner(); }
  void reset() override {}
  BusStatus read(const Access& access, std::uint64_t& value) override;
  BusStatus write(const Access& access, std::uint64_t value) override;

 private:
  RegisterBank bank_;
};

/// Declares CounterID0-11, which every frame of the timer ends with; they read as zero.
void add_counter_id(RegisterBank& bank);

}  // namespace trapline
