#include "models/system/sp810.h"

#include <array>
#include <utility>

namespace trapline {
namespace {

// SCCTRL (DDI 0254B 3.3.1): bit numbers.
constexpr unsigned kModeStatus = 3, kRemapClear = 8, kRemapStat = 9, kTimerEn0Sel = 15,
                   kTimerEn0Ov = 16;
constexpr std::uint64_t kDoze = 1;
constexpr std::uint64_t kControlReset = kDoze << kModeStatus | kDoze;
constexpr std::uint64_t kControlMask = 0x00fff107;
constexpr unsigned kTimers = 4;

constexpr std::array<std::uint8_t, 8> kIdentification = {0x10, 0x18, 0x14, 0x00,
                                                         0x0d, 0xf0, 0x05, 0xb1};

/// ModeStatus once the mode that ModeCtrl asks for is reached: of several bits the highest counts.
std::uint64_t mode_status(std::uint64_t mode) {
  if (mode & 4) return 4;  // NORMAL
  if (mode & 2) return 2;  // SLOW
  return mode & 1;         // DOZE, SLEEP
}

}  // namespace

Sp810::Sp810(std::string name, OnTimerClock on_timer_clock, RegisterBank::Log log)
    : on_timer_clock_(std::move(on_timer_clock)), bank_(std::move(name), std::move(log)) {
  declare_registers();
  reset();
}

// DDI 0254B table 3-1.
void Sp810::declare_registers() {
  control_ = &bank_.add(0x000, "SCCTRL")
                  .resets_to(kControlReset)
                  .writable(kControlMask)
                  .unimplemented("HCLKDivSel", 14, 12)
                  .unimplemented("WDogEnOv", 23, 23)
                  .on_write([this](const RegisterWrite& w) { control_written(w); });
  bank_.add(0x004, "SCSYSSTAT").unimplemented();
  bank_.add(0x008, "SCIMCTRL").writable(0x8f).unimplemented("SCIMCTRL", 7, 0);
  bank_.add(0x00c, "SCIMSTAT").writable(1);
  bank_.add(0x010, "SCXTALCTRL").writable(0x7ffff).unimplemented("SCXTALCTRL", 18, 0);
  bank_.add(0x014, "SCPLLCTRL").writable(0x0fffffff).unimplemented("SCPLLCTRL", 27, 0);
  bank_.add(0x018, "SCPLLFCTRL").writable(0xffffffff).unimplemented("SCPLLFCTRL", 31, 0);
  bank_.add(0x01c, "SCPERCTRL0").writable(0xffffffff).unimplemented("SCPERCTRL0", 31, 0);
  bank_.add(0x020, "SCPERCTRL1").writable(0xffffffff).unimplemented("SCPERCTRL1", 31, 0);
  bank_.add(0x024, "SCPEREN").write_only().on_write([this](const RegisterWrite& w) {
    enabled_->set(enabled_->value() | w.written);
  });
  bank_.add(0x028, "SCPERDIS").write_only().on_write([this](const RegisterWrite& w) {
    enabled_->set(enabled_->value() & ~w.written);
  });
  enabled_ = &bank_.add(0x02c, "SCPERCLKEN").resets_to(0xffffffff);
  bank_.add(0x030, "SCPERSTAT").on_read([this] { return enabled_->value(); });
  for (unsigned n = 0; n < 4; ++n) bank_.add(0xee0 + 4 * n, "SCSYSID" + std::to_string(n));
  bank_.add(0xf00, "SCITCR").unimplemented();
  bank_.add(0xf04, "SCITIR0").unimplemented();
  bank_.add(0xf08, "SCITIR1").unimplemented();
  bank_.add(0xf0c, "SCITOR").unimplemented();
  bank_.add(0xf10, "SCCNTCTRL").unimplemented();
  bank_.add(0xf14, "SCCNTDATA").unimplemented();
  bank_.add(0xf18, "SCCNTSTEP").unimplemented();
  bank_.add_identification(0xfe0, kIdentification);
}

void Sp810::reset() {
  bank_.reset();
  for (unsigned timer = 0; timer < kTimers; ++timer) on_timer_clock_(timer, clock_of(timer));
}

BusStatus Sp810::read(const Access& access, std::uint64_t& value) {
  return bank_.read(access, value);
}

BusStatus Sp810::write(const Access& access, std::uint64_t value) {
  return bank_.write(access, value);
}

void Sp810::control_written(const RegisterWrite& write) {
  std::uint64_t value = control_->value() & ~(0xfull << kModeStatus | 1ull << kRemapStat);
  value |= mode_status(value & 7) << kModeStatus;
  value |= std::uint64_t{bit(value, kRemapClear)} << kRemapStat;
  control_->set(value);
  const std::uint64_t changed = value ^ write.previous;
  for (unsigned timer = 0; timer < kTimers; ++timer) {
    if (bits(changed, kTimerEn0Ov + 2 * timer, kTimerEn0Sel + 2 * timer) != 0) {
      on_timer_clock_(timer, clock_of(timer));
    }
  }
}

Sp810::TimerClock Sp810::clock_of(unsigned timer) const {
  if (control_->test(kTimerEn0Ov + 2 * timer)) return TimerClock::free_running;
  return control_->test(kTimerEn0Sel + 2 * timer) ? TimerClock::timclk : TimerClock::refclk;
}

}  // namespace trapline
