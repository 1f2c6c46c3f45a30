// The few integer types that every folder speaks in.
#pragma once

#include <cstdint>

namespace trapline {

using PhysAddr = std::uint64_t;
using VirtAddr = std::uint64_t;

/// Exception level (DDI 0487 D1.1).
enum class El : std::uint8_t { el0 = 0, el1 = 1, el2 = 2, el3 = 3 };

/// Extracts value[msb:lsb]. Requires 63 >= msb >= lsb.
constexpr std::uint64_t bits(std::uint64_t value, unsigned msb, unsigned lsb) {
  const unsigned width = msb - lsb + 1;
  return (value >> lsb) & (width == 64 ? ~0ull : (1ull << width) - 1);
}

/// Extracts one bit.
constexpr bool bit(std::uint64_t value, unsigned n) { return (value >> n) & 1; }

}  // namespace trapline
