// The system counter: virtual time as an integer number of ticks (DDI 0487 D11.1, I2).
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "sim/time/clock.h"

namespace trapline {

/// Counts ticks of `hz` since virtual time 0, modulo 2^64. All arithmetic is exact: a tick lasts
/// 10^12 / hz picoseconds, and fractions are carried, so there is no drift at any frequency.
class SystemCounter {
 public:
  /// Called after the counter was set, started or stopped, so that timers can re-arm.
  using Listener = std::function<void()>;

  /// `hz` from 1 to 10^12; throws std::invalid_argument otherwise. Counts from 0 if `enabled`.
  SystemCounter(Clock& clock, std::uint64_t hz, bool enabled = true);

  std::uint64_t frequency() const { return hz_; }
  bool enabled() const { return enabled_; }

  /// The count now.
  std::uint64_t count() const { return count_at(clock_.now()); }

  /// The count at `time`, which must not lie before the last set_count() or set_enabled().
  std::uint64_t count_at(Time time) const { return base_count_ + ticks_at(time); }

  /// The first Time at which count() >= `n`, if the counter runs on undisturbed: a past time if
  /// that is so already, kNever if the counter is stopped or virtual time ends before.
  Time time_of_count(std::uint64_t n) const;

  /// The first Time at which the counter will have advanced by `ticks` (at least 1) from what it
  /// showed at `from`. kNever as above. Holds across a wrap of the 64-bit count.
  Time time_after(Time from, std::uint64_t ticks) const;

  /// CNTCR.EN. A stopped counter keeps its value and its fraction of a tick.
  void set_enabled(bool enabled);
  /// CNTCV. A tick starts at the moment of the write.
  void set_count(std::uint64_t count);

  /// The owner of `listener` must live as long as anything can change the counter.
  void connect(Listener listener) { listeners_.push_back(std::move(listener)); }

 private:
  __extension__ typedef unsigned __int128 uint128;

  /// Whole ticks from base_time_ to `time`.
  std::uint64_t ticks_at(Time time) const {
    if (!enabled_ || time <= base_time_) return 0;
    std::uint64_t parts;
    if (!__builtin_mul_overflow(time - base_time_, numerator_, &parts) &&
        !__builtin_add_overflow(parts, phase_, &parts)) [[likely]] {
      return parts / denominator_;
    }
    return static_cast<std::uint64_t>(parts_at(time) / denominator_);
  }

  uint128 parts_at(Time time) const;
  Time time_of_ticks(uint128 ticks) const;
  void rebase();
  void notify() const;

  Clock& clock_;
  std::uint64_t hz_;
  std::uint64_t numerator_;  // hz / 10^12 in lowest terms: ticks a picosecond.
  std::uint64_t denominator_;
  bool enabled_;
  std::uint64_t base_count_ = 0;  // The count at base_time_.
  Time base_time_ = 0;
  std::uint64_t phase_ = 0;  // Of the tick under way at base_time_, in 1 / denominator_ ticks.
  std::vector<Listener> listeners_;
};

}  // namespace trapline
