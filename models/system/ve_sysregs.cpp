#include "models/system/ve_sysregs.h"

#include <cstdio>
#include <utility>

namespace trapline {
namespace {

// SYS_CFGCTRL (DUI 0447 4.3.14).
constexpr unsigned kStart = 31, kWrite = 30;
constexpr std::uint64_t kCfgctrlMask = 0x7ff3ffff;  // START reads as zero; [19:18] are reserved.
constexpr std::uint64_t kComplete = 1, kError = 2;  // SYS_CFGSTAT.

// SYS_CFGCTRL.FUNCTION.
constexpr unsigned kOsc = 1, kVolt = 2, kMuxFpga = 7, kShutdown = 8, kReboot = 9, kDviMode = 11;

// The motherboard's oscillators (DUI 0447 2.4): memory, CLCD, IO FPGA and the rest.
constexpr std::array<std::uint32_t, 6> kOscillatorHz = {50'000'000, 23'750'000, 24'000'000,
                                                        24'000'000, 24'000'000, 24'000'000};
constexpr std::uint32_t kIoMicrovolts = 3'300'000;

}  // namespace

VeSysregs::VeSysregs(std::string name, Clock& clock, Power power, std::uint32_t id,
                     RegisterBank::Log log)
    : power_(std::move(power)),
      counter_100hz_(clock, 100),
      counter_24mhz_(clock, 24'000'000),
      bank_(std::move(name), std::move(log)) {
  bank_.add(0x000, "SYS_ID").resets_to(id);
  declare_registers();
  reset();
}

void VeSysregs::declare_registers() {
  const auto low = [](const SystemCounter& counter) { return counter.count() & 0xffffffff; };
  const auto set_and_clear = [this](PhysAddr offset, const std::string& name) {
    Register& flags = bank_.add(offset, name).writable(0);
    flags.on_write(
        [&flags](const RegisterWrite& w) { flags.set(w.previous | (w.written & w.lanes)); });
    bank_.add(offset + 4, name + "CLR").write_only().on_write([&flags](const RegisterWrite& w) {
      flags.set(flags.value() & ~w.written);
    });
    return &flags;
  };
  bank_.add(0x004, "SYS_SW").writable(0xff);
  led_ = &bank_.add(0x008, "SYS_LED").writable(0xff);
  bank_.add(0x024, "SYS_100HZ").on_read([this, low] { return low(counter_100hz_); });
  flags_ = set_and_clear(0x030, "SYS_FLAGS");
  nvflags_ = set_and_clear(0x038, "SYS_NVFLAGS");
  bank_.add(0x048, "SYS_MCI");  // No card.
  bank_.add(0x04c, "SYS_FLASH").writable(1).unimplemented("FLASHWPn", 0, 0);
  bank_.add(0x058, "SYS_CFGSW").writable(0xff);
  bank_.add(0x05c, "SYS_24MHZ").on_read([this, low] { return low(counter_24mhz_); });
  bank_.add(0x060, "SYS_MISC").writable(1u << 20).unimplemented("SWINT", 20, 20);
  bank_.add(0x064, "SYS_DMA").writable(0xffffffff).unimplemented("DMA", 31, 0);
  bank_.add(0x084, "SYS_PROCID0").resets_to(0xff000000);  // No daughterboard is identified.
  bank_.add(0x088, "SYS_PROCID1").resets_to(0xff000000);
  cfgdata_ = &bank_.add(0x0a0, "SYS_CFGDATA").writable(0xffffffff);
  cfgctrl_ = &bank_.add(0x0a4, "SYS_CFGCTRL")
                  .writable(kCfgctrlMask)
                  .on_write([this](const RegisterWrite& w) {
                    if (bit(w.written, kStart)) start_transfer(w.written, w.cpu);
                  });
  cfgstat_ = &bank_.add(0x0a8, "SYS_CFGSTAT").writable(kComplete | kError);
}

/// SYS_NVFLAGS survives, as it does everything but the loss of power.
void VeSysregs::reset() {
  const std::uint64_t kept = nvflags_->value();
  bank_.reset();
  nvflags_->set(kept);
  oscillators_ = kOscillatorHz;
  mux_ = dvi_mode_ = 0;
}

BusStatus VeSysregs::read(const Access& access, std::uint64_t& value) {
  return bank_.read(access, value);
}

BusStatus VeSysregs::write(const Access& access, std::uint64_t value) {
  return bank_.write(access, value);
}

/// Transfers complete at once.
void VeSysregs::start_transfer(std::uint64_t control, unsigned cpu) {
  if (transfer(control, cpu)) {
    cfgstat_->set(kComplete);
    return;
  }
  cfgstat_->set(kComplete | kError);
  char text[64];
  std::snprintf(text, sizeof text, "SYS_CFGCTRL %s %#x is not implemented",
                bit(control, kWrite) ? "write" : "read",
                static_cast<unsigned>(control & 0x03ffffff));
  bank_.say_once(text);
}

/// DCC, position and site must name the motherboard: all zero.
bool VeSysregs::transfer(std::uint64_t control, unsigned cpu) {
  const unsigned function = static_cast<unsigned>(bits(control, 25, 20));
  const unsigned device = static_cast<unsigned>(bits(control, 11, 0));
  if (bits(control, 29, 26) != 0 || bits(control, 17, 12) != 0) return false;
  if (bit(control, kWrite)) return write_setting(function, device, cpu);
  if (function == kOsc && device < kOscillators) {
    cfgdata_->set(oscillators_[device]);
  } else if (function == kVolt && device == 0) {
    cfgdata_->set(kIoMicrovolts);
  } else if (function == kMuxFpga && device == 0) {
    cfgdata_->set(mux_);
  } else if (function == kDviMode && device == 0) {
    cfgdata_->set(dvi_mode_);
  } else {
    return false;
  }
  return true;
}

bool VeSysregs::write_setting(unsigned function, unsigned device, unsigned cpu) {
  const auto data = static_cast<std::uint32_t>(cfgdata_->value());
  if (function == kOsc && device < kOscillators) {
    oscillators_[device] = data;  // Read back only: nothing is clocked by them.
    return true;
  }
  if (device != 0) return false;
  switch (function) {
    case kMuxFpga:
      mux_ = data & 3;
      return true;
    case kDviMode:
      dvi_mode_ = data & 7;
      return true;
    case kShutdown:
      power_(cpu, PowerRequest::shutdown);
      return true;
    case kReboot:
      power_(cpu, PowerRequest::reboot);
      return true;
    default:
      return false;
  }
}

}  // namespace trapline
