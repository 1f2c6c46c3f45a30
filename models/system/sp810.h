// PrimeXsys system controller SP810 (DDI 0254B).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "sim/bus/device.h"
#include "sim/bus/register_bank.h"

namespace trapline {

/// System modes and the clock enables of four timers. A mode is reached at once.
class Sp810 final : public Device {
 public:
  /// What a timer counts by: SCCTRL.TIMERENnSEL and TIMERENnOV.
  enum class TimerClock : std::uint8_t {
    refclk,  ///< The slow reference clock.
    timclk,
    free_running,  ///< Every cycle of the bus clock.
  };
  /// Called at reset and when a timer's clock changes.
  using OnTimerClock = std::function<void(unsigned timer, TimerClock clock)>;

  /// Without a log, messages go to spdlog as warnings.
  Sp810(std::string name, OnTimerClock on_timer_clock, RegisterBank::Log log = {});

  std::string_view name() const override { return bank_.owner(); }
  void reset() override;
  BusStatus read(const Access& access, std::uint64_t& value) override;
  BusStatus write(const Access& access, std::uint64_t value) override;

 private:
  void declare_registers();
  void control_written(const RegisterWrite& write);
  TimerClock clock_of(unsigned timer) const;

  OnTimerClock on_timer_clock_;
  RegisterBank bank_;
  Register* control_;
  Register* enabled_;
};

}  // namespace trapline
