// What a sender leaves to the hardware: checksums, and cutting TCP packets up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace trapline::xen {

/// Fills in the TCP or UDP checksum of an Ethernet frame with IPv4 or IPv6. False if the frame
/// carries neither, is a later fragment, or ends too early; it is then unchanged.
bool fill_checksum(std::span<std::uint8_t> frame);

/// As a sender leaves it that leaves the checksum to the hardware: the sum of the pseudo-header
/// alone stands in its place. False as above.
bool blank_checksum(std::span<std::uint8_t> frame);

/// The frame carries IPv6.
bool is_ipv6(std::span<const std::uint8_t> frame);

/// Where the parts of a TCP packet are, from the start of the frame. What is behind `end` is
/// padding.
struct TcpLayout {
  bool ipv6 = false;
  std::size_t ip = 0, tcp = 0, payload = 0, end = 0;
};
/// Nothing if the frame carries no TCP, is a fragment, or ends too early.
std::optional<TcpLayout> tcp_layout(std::span<const std::uint8_t> frame);

/// The segments, with `payload` bytes each (not 0) but for the last, that hardware makes of one
/// large TCP packet, one at a time; their checksums are filled in. None if there is no
/// tcp_layout(). The frame must outlive it.
class TcpSegments {
 public:
  TcpSegments(std::span<const std::uint8_t> frame, std::size_t payload);

  std::size_t left() const { return count_ - made_; }
  std::vector<std::uint8_t> next();  ///< Only while there is one left.

 private:
  std::span<const std::uint8_t> frame_;
  std::size_t payload_;
  std::optional<TcpLayout> whole_;
  std::size_t count_ = 0, made_ = 0;
};

}  // namespace trapline::xen
