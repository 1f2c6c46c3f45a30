// The far end of a serial line.
#pragma once

#include <cstdint>
#include <span>

namespace trapline {

/// Receives what a UART transmits. Input travels the other way by the UART's receive(), which the
/// simulator calls at a virtual time of its choosing.
class CharacterPort {
 public:
  virtual ~CharacterPort() = default;
  virtual void transmit(std::uint8_t byte) = 0;
};

}  // namespace trapline
