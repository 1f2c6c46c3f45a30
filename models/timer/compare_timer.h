// One timer: a compare value, a control register and an interrupt line (DDI 0487 D11.2.4).
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "models/timer/system_counter.h"
#include "sim/bus/line.h"
#include "sim/time/clock.h"

namespace trapline {

/// CNTx_CTL, CNTx_CVAL and CNTx_TVAL of a timer that compares `counter - offset` with CVAL. The
/// line is high while ENABLE && condition && !IMASK and rises at the first Time at which the
/// condition holds. System-register and memory-mapped timers are both made of this.
class CompareTimer {
 public:
  static constexpr std::uint64_t kEnable = 1u << 0;
  static constexpr std::uint64_t kImask = 1u << 1;
  static constexpr std::uint64_t kIstatus = 1u << 2;

  /// `fired(compare)` is called just before each rising edge of the line. Counter and line must
  /// outlive the timer.
  CompareTimer(Clock& clock, SystemCounter& counter, Line& line,
               std::function<void(std::uint64_t compare)> fired);

  /// ISTATUS is live; it reads as zero while ENABLE is zero (UNKNOWN in the architecture).
  std::uint64_t control() const { return control_ | (enabled() && met() ? kIstatus : 0); }
  std::uint64_t compare() const { return compare_; }
  /// TVAL: the low 32 bits of CVAL - (counter - offset), a signed quantity.
  std::uint32_t timer_value() const { return static_cast<std::uint32_t>(compare_ - count()); }
  std::uint64_t offset() const { return offset_; }

  void set_control(std::uint64_t value);
  void set_compare(std::uint64_t value);
  /// CVAL = (counter - offset) + SignExtend(value).
  void set_timer_value(std::uint32_t value);
  void set_offset(std::uint64_t offset);
  /// Clears everything and lowers the line.
  void reset();
  /// Re-evaluates the line and the wake-up; needed after the counter was changed.
  void update();

 private:
  std::uint64_t count() const { return counter_.count() - offset_; }
  bool enabled() const { return control_ & kEnable; }
  bool met() const { return count() >= compare_; }

  Clock& clock_;
  SystemCounter& counter_;
  Line& line_;
  std::function<void(std::uint64_t)> fired_;
  Wakeup wakeup_;
  std::uint64_t control_ = 0;  // ENABLE and IMASK only.
  std::uint64_t compare_ = 0;
  std::uint64_t offset_ = 0;
  bool output_ = false;
};

}  // namespace trapline
