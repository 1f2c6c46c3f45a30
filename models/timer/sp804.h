// Dual timer module SP804 (DDI 0271D).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "models/timer/system_counter.h"
#include "sim/bus/device.h"
#include "sim/bus/line.h"
#include "sim/bus/register_bank.h"
#include "sim/time/clock.h"

namespace trapline {

/// Two down counters on one clock with the combined interrupt TIMINTC.
class Sp804 final : public Device {
 public:
  /// `clock_hz` is TIMCLK. Line and clock must outlive the device.
  Sp804(std::string name, Line& irq, Clock& clock, std::uint64_t clock_hz = 1'000'000);

  std::string_view name() const override { return bank_.owner(); }
  void reset() override;
  BusStatus read(const Access& access, std::uint64_t& value) override;
  BusStatus write(const Access& access, std::uint64_t value) override;

  /// A timer (0 or 1) goes on from what it shows at another rate (TIMCLKENn).
  void set_clock(unsigned timer, std::uint64_t clock_hz);

 private:
  struct Timer {
    Timer(Clock& clock, std::uint64_t clock_hz, Sp804& owner)
        : ticks(std::in_place, clock, clock_hz), expiry(clock, [&owner] { owner.update(); }) {}
    std::optional<SystemCounter> ticks;  // Replaced when the clock changes.
    std::uint64_t load = 0;         // What the next reload in periodic mode takes.
    std::uint64_t control = 0;      // TimerXControl.
    std::uint64_t start_tick = 0;   // When the current countdown began,
    std::uint64_t start_value = 0;  // and from where: up to 2^32 in free-running mode.
    bool raw = false;               // TimerXRIS.
    Wakeup expiry;
  };

  void add_timer(PhysAddr offset, const std::string& prefix, Timer& timer);
  void set_load(Timer& timer, std::uint64_t value);
  void set_control(Timer& timer, std::uint64_t value);
  std::uint64_t remaining(Timer& timer);
  std::uint64_t value(Timer& timer);
  void catch_up(Timer& timer);
  void update();

  Line& irq_;
  Clock& clock_;
  RegisterBank bank_;
  std::array<Timer, 2> timers_;
};

}  // namespace trapline
