// What the bus knows of a memory-mapped device.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sim/arch/types.h"

namespace trapline {

/// One access as it reaches a device. The bus splits nothing: `offset` is a multiple of `size`
/// whenever the CPU's access was aligned; a device must accept any offset and size in its window.
struct Access {
  PhysAddr offset = 0;    ///< From the start of the device's window, in bytes.
  std::uint8_t size = 4;  ///< 1, 2, 4 or 8 bytes.
  std::uint8_t cpu = 0;   ///< Index of the requesting CPU (banked registers).
  bool secure = false;    ///< The access is to the Secure physical address space.
};

/// How a device answers. `error` becomes a synchronous External abort in the requester.
enum class BusStatus : std::uint8_t { ok, error };

/// A register file. It reads, writes, drives Lines and asks the Timeline for wake-ups; it knows
/// nothing of CPUs. Not thread safe; the simulator calls from one thread.
class Device {
 public:
  virtual ~Device() = default;

  /// The name in logs and traces, for example "pl011@9000000".
  virtual std::string_view name() const = 0;
  /// Returns the device to its state at power-on.
  virtual void reset() = 0;
  /// Reads zero-extended into `value`.
  virtual BusStatus read(const Access& access, std::uint64_t& value) = 0;
  /// Bits of `value` above 8 * size are zero.
  virtual BusStatus write(const Access& access, std::uint64_t value) = 0;
  /// The register at an offset, by its name in the manual; empty where the device knows none.
  virtual std::string register_name(PhysAddr) const { return {}; }
};

}  // namespace trapline
