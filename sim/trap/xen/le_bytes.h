// Little-endian numbers in pages that are shared with a guest.
#pragma once

#include <cstddef>
#include <cstdint>

namespace trapline::xen {

template <typename Number>
Number get_le(const std::uint8_t* from) {
  Number value = 0;
  for (std::size_t n = 0; n < sizeof(Number); ++n) {
    value = static_cast<Number>(value | static_cast<Number>(Number{from[n]} << (8 * n)));
  }
  return value;
}

template <typename Number>
void put_le(std::uint8_t* to, Number value) {
  for (std::size_t n = 0; n < sizeof(Number); ++n) {
    to[n] = static_cast<std::uint8_t>(value >> (8 * n));
  }
}

}  // namespace trapline::xen
