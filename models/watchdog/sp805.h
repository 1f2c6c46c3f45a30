// Watchdog module SP805 (DDI 0270B).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "models/timer/system_counter.h"
#include "sim/bus/device.h"
#include "sim/bus/line.h"
#include "sim/bus/register_bank.h"
#include "sim/time/clock.h"

namespace trapline {

/// Counts down from WdogLoad; interrupts at zero, and asks for a reset at the next zero if nobody
/// has cleared the interrupt by then.
class Sp805 final : public Device {
 public:
  /// `reset_request` (WDOGRES) rises once and stays high until reset(). `clock_hz` is WDOGCLK.
  /// Lines and clock must outlive the device.
  Sp805(std::string name, Line& irq, Line& reset_request, Clock& clock,
        std::uint64_t clock_hz = 32'768);

  std::string_view name() const override { return bank_.owner(); }
  void reset() override;
  BusStatus read(const Access& access, std::uint64_t& value) override;
  BusStatus write(const Access& access, std::uint64_t value) override;

 private:
  void declare_registers();
  bool counting() const { return control_ & 1; }
  std::uint32_t value() const;
  void restart();
  void expire();
  void update();

  Line& irq_;
  Line& reset_request_;
  SystemCounter ticks_;
  RegisterBank bank_;
  std::uint64_t load_ = 0;
  std::uint64_t control_ = 0;
  bool locked_ = false;
  bool raw_ = false;
  std::uint64_t start_tick_ = 0;
  std::uint64_t start_value_ = 0;
  Wakeup expiry_;
};

}  // namespace trapline
