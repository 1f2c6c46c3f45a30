// PrimeCell real-time clock PL031 (DDI 0224C).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sim/bus/device.h"
#include "sim/bus/line.h"
#include "sim/bus/register_bank.h"
#include "sim/time/clock.h"

namespace trapline {

/// A 32-bit count of seconds with one alarm. Seconds are virtual, so the time of day that a guest
/// sees depends on the run alone.
class Pl031 final : public Device {
 public:
  /// 2024-01-01T00:00:00Z.
  static constexpr std::uint32_t kDefaultEpoch = 1'704'067'200;

  /// `epoch` is what RTCDR shows at virtual time 0, in seconds since 1970. Line and clock must
  /// outlive the device.
  Pl031(Line& irq, Clock& clock, std::uint32_t epoch = kDefaultEpoch, std::string name = "pl031");

  std::string_view name() const override { return bank_.owner(); }
  void reset() override;
  BusStatus read(const Access& access, std::uint64_t& value) override;
  BusStatus write(const Access& access, std::uint64_t value) override;

  /// RTCDR.
  std::uint32_t seconds() const;

 private:
  void declare_registers();
  void arm();
  void alarm();
  void update();

  Line& irq_;
  Clock& clock_;
  std::uint32_t epoch_;
  RegisterBank bank_;
  Register* match_;
  Register* mask_;
  std::uint32_t offset_ = 0;  // RTCDR at virtual time 0, modulo 2^32.
  bool raw_ = false;          // RTCRIS.
  Wakeup alarm_;
};

}  // namespace trapline
