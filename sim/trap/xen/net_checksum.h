// Checksums that a sender left to the hardware.
#pragma once

#include <cstdint>
#include <span>

namespace trapline::xen {

/// Fills in the TCP or UDP checksum of an Ethernet frame with IPv4 or IPv6. False if the frame
/// carries neither, is a later fragment, or ends too early; it is then unchanged.
bool fill_checksum(std::span<std::uint8_t> frame);

/// The frame carries IPv6.
bool is_ipv6(std::span<const std::uint8_t> frame);

}  // namespace trapline::xen
