// A part that the board has and nothing here models.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "sim/bus/device.h"
#include "sim/bus/register_bank.h"

namespace trapline {

/// Reads as zero, ignores writes, and says so by name at the first access.
class Unmodelled final : public Device {
 public:
  explicit Unmodelled(std::string name, RegisterBank::Log log = {})
      : bank_(std::move(name), std::move(log)) {}

  std::string_view name() const override { return bank_.owner(); }
  void reset() override {}
  BusStatus read(const Access&, std::uint64_t& value) override {
    value = 0;
    return said();
  }
  BusStatus write(const Access&, std::uint64_t) override { return said(); }

 private:
  BusStatus said() {
    bank_.say_once("this part has no model: reads as zero, ignores writes");
    return BusStatus::ok;
  }

  RegisterBank bank_;
};

}  // namespace trapline
