// Virtual time as a device sees it.
#pragma once

#include <cstdint>
#include <functional>

namespace trapline {

/// Virtual picoseconds since reset. 2^64 ps are 213 days.
using Time = std::uint64_t;

inline constexpr Time kNever = ~Time{0};
inline constexpr Time kPicosecondsPerSecond = 1'000'000'000'000;

class Wakeup;

/// Read access to virtual time, and the place where wake-ups are kept. The Timeline is one; tests
/// use a Timeline that they advance by hand.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Current virtual time; exact to the instruction while a CPU runs.
  virtual Time now() const = 0;

 protected:
  friend class Wakeup;
  /// Gives a place in the fixed order of wake-ups that fall due at the same time.
  virtual std::uint64_t register_wakeup(Wakeup& wakeup) = 0;
  virtual void unregister_wakeup(Wakeup& wakeup) = 0;
  virtual void schedule(Wakeup& wakeup, Time when) = 0;

  // What a clock does with the wake-ups that it keeps.
  static void set_due(Wakeup& wakeup, Time when);
  /// The wake-up's time has come: it is disarmed, and its action runs.
  static void run(Wakeup& wakeup);
};

/// A single-shot alarm owned by a device. At most one time is pending. Wake-ups due at the same time
/// run in the order in which they were constructed, so a run does not depend on who armed last.
class Wakeup {
 public:
  Wakeup(Clock& clock, std::function<void()> action)
      : clock_(clock), action_(std::move(action)), order_(clock.register_wakeup(*this)) {}
  ~Wakeup() { clock_.unregister_wakeup(*this); }
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  /// Arms for `when` (replacing any earlier time). A time not after now() runs at the next
  /// instruction boundary. kNever disarms.
  void at(Time when) {
    if (when != due_) clock_.schedule(*this, when);
  }
  void cancel() { at(kNever); }
  Time due() const { return due_; }
  std::uint64_t order() const { return order_; }

 private:
  friend class Clock;
  Clock& clock_;
  std::function<void()> action_;
  std::uint64_t order_;
  Time due_ = kNever;
};

inline void Clock::set_due(Wakeup& wakeup, Time when) { wakeup.due_ = when; }
inline void Clock::run(Wakeup& wakeup) {
  wakeup.due_ = kNever;
  wakeup.action_();
}

}  // namespace trapline
