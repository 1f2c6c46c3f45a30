// Cache coherent interconnect CCI-400 (DDI 0470) as software sees it where nothing has a cache.
#pragma once

#include <string>
#include <string_view>

#include "sim/bus/device.h"
#include "sim/bus/register_bank.h"

namespace trapline {

/// Control, identification and slave interface registers. Snoop and DVM enables are kept and read
/// back; memory is coherent whatever they say. Quality of service and the performance monitor have
/// no effect.
class Cci400 final : public Device {
 public:
  static constexpr unsigned kSlaveInterfaces = 5;  ///< S0 to S2 are ACE-Lite, S3 and S4 are ACE.
  static constexpr unsigned kCounters = 4;

  /// Without a log, messages go to spdlog as warnings.
  explicit Cci400(std::string name, RegisterBank::Log log = {});

  std::string_view name() const override { return bank_.owner(); }
  void reset() override { bank_.reset(); }
  BusStatus read(const Access& access, std::uint64_t& value) override {
    return bank_.read(access, value);
  }
  BusStatus write(const Access& access, std::uint64_t value) override {
    return bank_.write(access, value);
  }

 private:
  void add_slave_interface(unsigned n);
  void add_counter(const std::string& name, PhysAddr offset);

  RegisterBank bank_;
};

}  // namespace trapline
