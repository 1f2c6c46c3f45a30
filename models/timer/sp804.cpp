#include "models/timer/sp804.h"

#include <utility>

namespace trapline {
namespace {

// TimerXControl (DDI 0271D 3.3.3): bit numbers.
constexpr unsigned kOneShot = 0, kSize = 1, kIntEnable = 5, kPeriodic = 6, kEnable = 7;
constexpr std::uint64_t kControlReset = 1u << kIntEnable;
constexpr std::uint64_t kControlMask = 0xef;

constexpr std::array<std::uint8_t, 8> kIdentification = {0x04, 0x18, 0x14, 0x00,
                                                         0x0d, 0xf0, 0x05, 0xb1};

std::uint64_t value_mask(std::uint64_t control) {
  return bit(control, kSize) ? 0xffffffff : 0xffff;
}

// Divides by 1, 16 or 256; the fourth value is undefined and taken as 256.
std::uint64_t prescale(std::uint64_t control) {
  constexpr std::array<std::uint64_t, 4> kDivisors = {1, 16, 256, 256};
  return kDivisors[bits(control, 3, 2)];
}

}  // namespace

Sp804::Sp804(std::string name, Line& irq, Clock& clock, std::uint64_t clock_hz)
    : irq_(irq),
      clock_(clock),
      bank_(std::move(name)),
      timers_{Timer(clock, clock_hz, *this), Timer(clock, clock_hz, *this)} {
  add_timer(0x00, "Timer1", timers_[0]);
  add_timer(0x20, "Timer2", timers_[1]);
  bank_.add(0xf00, "TimerITCR").unimplemented();
  bank_.add(0xf04, "TimerITOP").unimplemented();
  bank_.add_identification(0xfe0, kIdentification);
  reset();
}

void Sp804::add_timer(PhysAddr offset, const std::string& prefix, Timer& timer) {
  bank_.add(offset + 0x00, prefix + "Load")
      .on_read([&timer] { return timer.load; })
      .on_write([this, &timer](const RegisterWrite& w) { set_load(timer, w.written); });
  bank_.add(offset + 0x04, prefix + "Value").resets_to(0xffffffff).on_read([this, &timer] {
    return value(timer);
  });
  bank_.add(offset + 0x08, prefix + "Control")
      .resets_to(kControlReset)
      .on_read([&timer] { return timer.control; })
      .on_write([this, &timer](const RegisterWrite& w) { set_control(timer, w.written); });
  bank_.add(offset + 0x0c, prefix + "IntClr")
      .write_only()
      .on_write([this, &timer](const RegisterWrite&) {
        catch_up(timer);
        timer.raw = false;
        update();
      });
  bank_.add(offset + 0x10, prefix + "RIS").on_read([this, &timer] {
    catch_up(timer);
    return timer.raw;
  });
  bank_.add(offset + 0x14, prefix + "MIS").on_read([this, &timer] {
    catch_up(timer);
    return timer.raw && bit(timer.control, kIntEnable);
  });
  // The next reload takes it; the countdown under way is not disturbed.
  bank_.add(offset + 0x18, prefix + "BGLoad")
      .on_read([&timer] { return timer.load; })
      .on_write([&timer](const RegisterWrite& w) { timer.load = w.written; });
}

void Sp804::reset() {
  bank_.reset();
  for (Timer& timer : timers_) {
    timer.load = 0;
    timer.control = kControlReset;
    timer.start_value = 0xffffffff;
    timer.raw = false;
  }
  update();
}

BusStatus Sp804::read(const Access& access, std::uint64_t& value) {
  return bank_.read(access, value);
}

BusStatus Sp804::write(const Access& access, std::uint64_t value) {
  return bank_.write(access, value);
}

void Sp804::set_load(Timer& timer, std::uint64_t value) {
  catch_up(timer);
  timer.load = value;
  timer.start_tick = timer.ticks->count();
  timer.start_value = value & value_mask(timer.control);
  update();
}

void Sp804::set_control(Timer& timer, std::uint64_t value) {
  const std::uint64_t now_shown = this->value(timer);
  timer.control = value & kControlMask;
  timer.start_tick = timer.ticks->count();
  timer.start_value = now_shown & value_mask(timer.control);
  update();
}

void Sp804::set_clock(unsigned index, std::uint64_t clock_hz) {
  Timer& timer = timers_[index];
  if (timer.ticks->frequency() == clock_hz) return;
  timer.start_value = remaining(timer);
  timer.ticks.emplace(clock_, clock_hz);
  timer.start_tick = timer.ticks->count();
  update();
}

/// Ticks to zero, prescaled: up to 2^32, of which TimerXValue shows the low bits.
std::uint64_t Sp804::remaining(Timer& timer) {
  catch_up(timer);
  if (!bit(timer.control, kEnable) || timer.start_value == 0) return timer.start_value;
  return timer.start_value -
         (timer.ticks->count() - timer.start_tick) / prescale(timer.control);
}

std::uint64_t Sp804::value(Timer& timer) {
  return remaining(timer) & value_mask(timer.control);
}

// Accounts for every passage through zero up to now: a period is `load` ticks in periodic mode and
// the whole range in free-running mode; a one-shot timer stays at zero (DDI 0271D 2.2.2).
void Sp804::catch_up(Timer& timer) {
  if (!bit(timer.control, kEnable)) return;
  const std::uint64_t divisor = prescale(timer.control);
  const std::uint64_t elapsed = (timer.ticks->count() - timer.start_tick) / divisor;
  if (elapsed < timer.start_value) return;
  const std::uint64_t mask = value_mask(timer.control);
  std::uint64_t period = 0;
  if (!bit(timer.control, kOneShot)) {
    period = bit(timer.control, kPeriodic) ? timer.load & mask : mask + 1;
  }
  if (timer.start_value != 0 || !bit(timer.control, kOneShot)) timer.raw = true;
  const std::uint64_t rest = elapsed - timer.start_value;
  const std::uint64_t whole = period == 0 ? rest : rest / period * period;
  timer.start_tick += (timer.start_value + whole) * divisor;
  timer.start_value = period;
}

void Sp804::update() {
  bool level = false;
  for (Timer& timer : timers_) {
    catch_up(timer);
    level = level || (timer.raw && bit(timer.control, kIntEnable));
    // A second passage through zero changes nothing until the first has been cleared.
    const bool counting = bit(timer.control, kEnable) && timer.start_value != 0 && !timer.raw;
    timer.expiry.at(counting ? timer.ticks->time_of_count(timer.start_tick +
                                                    timer.start_value * prescale(timer.control))
                             : kNever);
  }
  irq_.set(level);
}

}  // namespace trapline
