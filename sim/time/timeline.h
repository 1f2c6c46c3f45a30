// The event queue and the current virtual time.
#pragma once

#include <cstdint>
#include <set>
#include <utility>

#include "sim/time/clock.h"

namespace trapline {

/// Says where between two events virtual time stands while a CPU runs.
class TimeSource {
 public:
  virtual ~TimeSource() = default;
  virtual Time current_time() const = 0;
  /// The earliest event moved to `when`, which may lie before the point the CPU was running to.
  virtual void deadline_changed(Time when) = 0;
};

/// Virtual time of one machine. Time only moves forward, by advance_to() or by the running CPU.
class Timeline final : public Clock {
 public:
  Time now() const override { return source_ ? source_->current_time() : now_; }

  /// While set, now() comes from `source` (the running CPU) and earlier deadlines are reported to
  /// it. nullptr returns to the time last given to advance_to().
  void set_source(TimeSource* source) { source_ = source; }

  /// When the earliest wake-up is due; kNever if none is pending.
  Time next_due() const { return queue_.empty() ? kNever : queue_.begin()->first.first; }

  /// Moves time to `when` and runs, in order, every wake-up due by then (those that they arm
  /// included). During each action now() is the action's due time, or later if it was armed late.
  /// Must not be called with a time before now().
  void advance_to(Time when);

 private:
  std::uint64_t register_wakeup(Wakeup&) override { return next_order_++; }
  void unregister_wakeup(Wakeup& wakeup) override;
  void schedule(Wakeup& wakeup, Time when) override;

  Time now_ = 0;
  TimeSource* source_ = nullptr;
  std::uint64_t next_order_ = 0;
  // Keyed by (due, order). A std::map would do as well; the set of pairs keeps nodes small.
  std::set<std::pair<std::pair<Time, std::uint64_t>, Wakeup*>> queue_;
};

}  // namespace trapline
