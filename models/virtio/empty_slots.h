// virtio-mmio transports with nothing plugged in (Virtio 1.1, 4.2.2).
#pragma once

#include <cstdint>
#include <string_view>

#include "sim/bus/device.h"

namespace trapline {

/// A row of transports whose DeviceID is 0, so that drivers pass over them. All other registers read
/// as zero and ignore writes.
class VirtioEmptySlots final : public Device {
 public:
  static constexpr std::uint64_t kSlotBytes = 0x200;

  std::string_view name() const override { return "virtio-mmio"; }
  void reset() override {}
  BusStatus read(const Access& access, std::uint64_t& value) override;
  BusStatus write(const Access& access, std::uint64_t value) override;
};

}  // namespace trapline
