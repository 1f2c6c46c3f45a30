#include "models/watchdog/sp805.h"

#include <array>
#include <utility>

namespace trapline {
namespace {

// WdogControl: bit numbers.
constexpr unsigned kInten = 0, kResen = 1;
constexpr std::uint64_t kUnlock = 0x1acce551;

constexpr std::array<std::uint8_t, 8> kIdentification = {0x05, 0x18, 0x14, 0x00,
                                                         0x0d, 0xf0, 0x05, 0xb1};

}  // namespace

Sp805::Sp805(std::string name, Line& irq, Line& reset_request, Clock& clock, std::uint64_t clock_hz)
    : irq_(irq),
      reset_request_(reset_request),
      ticks_(clock, clock_hz),
      bank_(std::move(name)),
      expiry_(clock, [this] { expire(); }) {
  declare_registers();
  reset();
}

// DDI 0270B table 3-1. While locked, every register but WdogLock ignores writes.
void Sp805::declare_registers() {
  bank_.add(0x000, "WdogLoad")
      .resets_to(0xffffffff)
      .on_read([this] { return load_; })
      .on_write([this](const RegisterWrite& w) {
        if (locked_) return;
        load_ = w.written;
        restart();
      });
  bank_.add(0x004, "WdogValue").resets_to(0xffffffff).on_read([this] { return value(); });
  bank_.add(0x008, "WdogControl")
      .on_read([this] { return control_; })
      .on_write([this](const RegisterWrite& w) {
        if (locked_) return;
        const std::uint64_t shown = value();
        const bool was_counting = counting();
        control_ = w.written & 3;
        if (counting() && !was_counting) {
          restart();
        } else if (!counting()) {
          start_value_ = shown;
          expiry_.cancel();
        }
        update();
      });
  bank_.add(0x00c, "WdogIntClr").write_only().on_write([this](const RegisterWrite&) {
    if (locked_) return;
    raw_ = false;
    restart();
    update();
  });
  bank_.add(0x010, "WdogRIS").on_read([this] { return raw_; });
  bank_.add(0x014, "WdogMIS").on_read([this] { return raw_ && counting(); });
  bank_.add(0xc00, "WdogLock")
      .on_read([this] { return locked_; })
      .on_write([this](const RegisterWrite& w) { locked_ = w.written != kUnlock; });
  bank_.add(0xf00, "WdogITCR").unimplemented();
  bank_.add(0xf04, "WdogITOP").unimplemented();
  bank_.add_identification(0xfe0, kIdentification);
}

void Sp805::reset() {
  bank_.reset();
  load_ = start_value_ = 0xffffffff;
  control_ = 0;
  locked_ = raw_ = false;
  expiry_.cancel();
  reset_request_.set(false);
  update();
}

BusStatus Sp805::read(const Access& access, std::uint64_t& value) {
  return bank_.read(access, value);
}

BusStatus Sp805::write(const Access& access, std::uint64_t value) {
  return bank_.write(access, value);
}

std::uint32_t Sp805::value() const {
  const std::uint64_t elapsed = counting() ? ticks_.count() - start_tick_ : 0;
  return static_cast<std::uint32_t>(elapsed < start_value_ ? start_value_ - elapsed : 0);
}

// A countdown lasts load + 1 ticks: it shows zero for one of them before it starts again.
void Sp805::restart() {
  start_tick_ = ticks_.count();
  start_value_ = load_;
  expiry_.at(counting() ? ticks_.time_of_count(start_tick_ + load_ + 1) : kNever);
}

void Sp805::expire() {
  if (raw_ && bit(control_, kResen)) {
    reset_request_.set(true);
    return;
  }
  raw_ = true;
  restart();
  update();
}

void Sp805::update() {
  irq_.set(raw_ && bit(control_, kInten));
}

}  // namespace trapline
