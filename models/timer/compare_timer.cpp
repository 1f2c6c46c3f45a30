#include "models/timer/compare_timer.h"

namespace trapline {

CompareTimer::CompareTimer(Clock& clock, SystemCounter& counter, Line& line,
                           std::function<void(std::uint64_t)> fired)
    : clock_(clock),
      counter_(counter),
      line_(line),
      fired_(std::move(fired)),
      wakeup_(clock, [this] { update(); }) {}

void CompareTimer::set_control(std::uint64_t value) {
  control_ = value & (kEnable | kImask);
  update();
}

void CompareTimer::set_compare(std::uint64_t value) {
  compare_ = value;
  update();
}

void CompareTimer::set_timer_value(std::uint32_t value) {
  const std::int64_t ticks = static_cast<std::int32_t>(value);
  set_compare(count() + static_cast<std::uint64_t>(ticks));
}

void CompareTimer::set_offset(std::uint64_t offset) {
  if (offset == offset_) return;
  offset_ = offset;
  update();
}

void CompareTimer::reset() {
  control_ = compare_ = offset_ = 0;
  update();
}

void CompareTimer::update() {
  const Time now = clock_.now();
  const std::uint64_t count = counter_.count_at(now) - offset_;
  const bool met = count >= compare_;
  const bool armed = enabled() && !(control_ & kImask);
  const bool output = armed && met;
  if (!armed || (met && compare_ == 0)) {
    wakeup_.cancel();
  } else {
    // Unsigned comparison: a condition that holds ends when counter - offset wraps to zero.
    wakeup_.at(counter_.time_after(now, met ? 0 - count : compare_ - count));
  }
  if (output != output_) {
    output_ = output;
    if (output && fired_) fired_(compare_);
    line_.set(output);
  }
}

}  // namespace trapline
