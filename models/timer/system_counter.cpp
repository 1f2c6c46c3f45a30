#include "models/timer/system_counter.h"

#include <numeric>
#include <stdexcept>
#include <string>

namespace trapline {

SystemCounter::SystemCounter(Clock& clock, std::uint64_t hz, bool enabled)
    : clock_(clock), hz_(hz), enabled_(enabled), base_time_(clock.now()) {
  if (hz == 0 || hz > kPicosecondsPerSecond) {
    throw std::invalid_argument("system counter: " + std::to_string(hz) +
                                " Hz is outside 1 Hz to 1 THz");
  }
  const std::uint64_t divisor = std::gcd(hz, kPicosecondsPerSecond);
  numerator_ = hz / divisor;
  denominator_ = kPicosecondsPerSecond / divisor;
}

SystemCounter::uint128 SystemCounter::parts_at(Time time) const {
  if (!enabled_ || time <= base_time_) return phase_;
  return uint128{time - base_time_} * numerator_ + phase_;
}

Time SystemCounter::time_of_ticks(uint128 ticks) const {
  if (ticks == 0) return base_time_;
  if (!enabled_) return kNever;
  // The least e with e * numerator + phase >= ticks * denominator. No overflow: callers pass less
  // than 2^66 ticks and denominator is at most 10^12 < 2^40.
  const uint128 parts = ticks * denominator_ - phase_;
  const uint128 elapsed = (parts + numerator_ - 1) / numerator_;
  return elapsed >= kNever - base_time_ ? kNever : base_time_ + static_cast<Time>(elapsed);
}

Time SystemCounter::time_of_count(std::uint64_t n) const {
  return time_of_ticks(n > base_count_ ? n - base_count_ : 0);
}

Time SystemCounter::time_after(Time from, std::uint64_t ticks) const {
  return time_of_ticks(uint128{ticks_at(from)} + ticks);
}

void SystemCounter::rebase() {
  const Time now = clock_.now();
  const uint128 parts = parts_at(now);
  base_count_ += static_cast<std::uint64_t>(parts / denominator_);
  phase_ = static_cast<std::uint64_t>(parts % denominator_);
  base_time_ = now;
}

void SystemCounter::set_enabled(bool enabled) {
  if (enabled == enabled_) return;
  rebase();
  enabled_ = enabled;
  notify();
}

void SystemCounter::set_count(std::uint64_t count) {
  rebase();
  base_count_ = count;
  phase_ = 0;
  notify();
}

void SystemCounter::notify() const {
  for (const Listener& listener : listeners_) listener();
}

}  // namespace trapline
