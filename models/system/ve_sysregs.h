// System registers of the Versatile Express motherboard (V2M-P1, DUI 0447) as Arm's models have
// them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "models/timer/system_counter.h"
#include "sim/bus/device.h"
#include "sim/bus/register_bank.h"
#include "sim/time/clock.h"

namespace trapline {

/// Board identity, switches, LEDs, flags, two counters, and the configuration port through which
/// software reaches clocks and power.
class VeSysregs final : public Device {
 public:
  enum class PowerRequest : std::uint8_t { shutdown, reboot };
  /// Called from the access of `cpu` that asked for it.
  using Power = std::function<void(unsigned cpu, PowerRequest request)>;

  /// SYS_ID: revision 0, HBI 0x020 (base platform), variant 1 (64 KiB GICv3 map), type 1 (model).
  static constexpr std::uint32_t kBaseId = 0x00201100;

  /// The clock must outlive the device. Without a log, messages go to spdlog as warnings.
  VeSysregs(std::string name, Clock& clock, Power power, std::uint32_t id = kBaseId,
            RegisterBank::Log log = {});

  std::string_view name() const override { return bank_.owner(); }
  void reset() override;
  BusStatus read(const Access& access, std::uint64_t& value) override;
  BusStatus write(const Access& access, std::uint64_t value) override;

  /// What SYS_LED shows.
  std::uint8_t leds() const { return static_cast<std::uint8_t>(led_->value()); }

 private:
  void declare_registers();
  void start_transfer(std::uint64_t control, unsigned cpu);
  bool transfer(std::uint64_t control, unsigned cpu);
  bool write_setting(unsigned function, unsigned device, unsigned cpu);

  static constexpr unsigned kOscillators = 6;

  Power power_;
  SystemCounter counter_100hz_;
  SystemCounter counter_24mhz_;
  RegisterBank bank_;
  Register* led_ = nullptr;
  Register* flags_ = nullptr;
  Register* nvflags_ = nullptr;
  Register* cfgdata_ = nullptr;
  Register* cfgctrl_ = nullptr;
  Register* cfgstat_ = nullptr;
  std::array<std::uint32_t, kOscillators> oscillators_{};  // Hz.
  std::uint32_t mux_ = 0;
  std::uint32_t dvi_mode_ = 0;
};

}  // namespace trapline
