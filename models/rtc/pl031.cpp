#include "models/rtc/pl031.h"

#include <array>
#include <utility>

namespace trapline {
namespace {

// Part 0x031, designer 0x41 (Arm), revision 1.
constexpr std::array<std::uint8_t, 8> kIdentification = {0x31, 0x10, 0x14, 0x00,
                                                         0x0d, 0xf0, 0x05, 0xb1};

}  // namespace

Pl031::Pl031(Line& irq, Clock& clock, std::uint32_t epoch, std::string name)
    : irq_(irq),
      clock_(clock),
      epoch_(epoch),
      bank_(std::move(name)),
      offset_(epoch),
      alarm_(clock, [this] { alarm(); }) {
  declare_registers();
  reset();
}

// DDI 0224C table 3-1.
void Pl031::declare_registers() {
  bank_.add(0x000, "RTCDR").on_read([this] { return seconds(); });
  match_ = &bank_.add(0x004, "RTCMR").writable(0xffffffff).on_write([this](const RegisterWrite&) {
    arm();
  });
  bank_.add(0x008, "RTCLR").writable(0xffffffff).on_write([this](const RegisterWrite& w) {
    // The second under way goes on, as the load takes effect at a tick of CLK1HZ.
    offset_ += static_cast<std::uint32_t>(w.written) - seconds();
    arm();
  });
  // Once the clock runs a write has no effect until reset; firmware has started it.
  bank_.add(0x00c, "RTCCR").resets_to(1).command();
  mask_ =
      &bank_.add(0x010, "RTCIMSC").writable(1).on_write([this](const RegisterWrite&) { update(); });
  bank_.add(0x014, "RTCRIS").on_read([this] { return raw_; });
  bank_.add(0x018, "RTCMIS").on_read([this] { return raw_ && mask_->test(0); });
  bank_.add(0x01c, "RTCICR").write_only().on_write([this](const RegisterWrite& w) {
    if (w.written & 1) raw_ = false;
    update();
  });
  bank_.add_identification(0xfe0, kIdentification);
}

void Pl031::reset() {
  bank_.reset();
  offset_ = epoch_;
  raw_ = false;
  arm();
  update();
}

BusStatus Pl031::read(const Access& access, std::uint64_t& value) {
  return bank_.read(access, value);
}

BusStatus Pl031::write(const Access& access, std::uint64_t value) {
  return bank_.write(access, value);
}

std::uint32_t Pl031::seconds() const {
  return offset_ + static_cast<std::uint32_t>(clock_.now() / kPicosecondsPerSecond);
}

// The alarm is the moment at which RTCDR comes to equal RTCMR, which may be now.
void Pl031::arm() {
  const std::uint32_t wait = match_->value() - seconds();
  const Time second = clock_.now() / kPicosecondsPerSecond;
  if (wait == 0) {
    alarm_.cancel();
    alarm();
    return;
  }
  const bool reachable = second + wait < kNever / kPicosecondsPerSecond;
  alarm_.at(reachable ? (second + wait) * kPicosecondsPerSecond : kNever);
}

void Pl031::alarm() {
  raw_ = true;
  update();
}

void Pl031::update() {
  irq_.set(raw_ && mask_->test(0));
}

}  // namespace trapline
