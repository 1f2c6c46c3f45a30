#include "sim/trap/xen/net_checksum.h"

#include <optional>

namespace trapline::xen {
namespace {

constexpr std::size_t kEthernetHeader = 14, kVlanTag = 4;
constexpr std::uint16_t kVlan = 0x8100, kIpv4 = 0x0800, kIpv6 = 0x86dd;
constexpr std::uint8_t kTcp = 6, kUdp = 17;

std::uint16_t big16(std::span<const std::uint8_t> bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

// RFC 1071, without the last complement.
std::uint32_t sum(std::span<const std::uint8_t> bytes, std::uint32_t total) {
  std::uint64_t wide = total;
  std::size_t at = 0;
  for (; at + 1 < bytes.size(); at += 2) wide += big16(bytes, at);
  if (at < bytes.size()) wide += std::uint32_t{bytes[at]} << 8;
  while (wide >> 16) wide = (wide & 0xffff) + (wide >> 16);
  return static_cast<std::uint32_t>(wide);
}

struct Network {
  std::uint16_t type = 0;
  std::size_t header = 0;  // Where the IP header begins.
};

std::optional<Network> network(std::span<const std::uint8_t> frame) {
  if (frame.size() < kEthernetHeader) return std::nullopt;
  Network found{big16(frame, 12), kEthernetHeader};
  if (found.type == kVlan && frame.size() >= kEthernetHeader + kVlanTag) {
    found = {big16(frame, 16), kEthernetHeader + kVlanTag};
  }
  return found;
}

struct Transport {
  std::uint8_t protocol = 0;
  std::span<std::uint8_t> segment;          // Header and data, padding cut off.
  std::span<const std::uint8_t> addresses;  // Of the pseudo-header.
};

std::optional<Transport> ipv4(std::span<std::uint8_t> packet) {
  if (packet.size() < 20 || packet[0] >> 4 != 4) return std::nullopt;
  const std::size_t header = (packet[0] & 15u) * 4;
  const std::size_t length = big16(packet, 2);
  if (header < 20 || length < header || length > packet.size()) return std::nullopt;
  // A fragment has no checksum of its own.
  if ((big16(packet, 6) & 0x3fff) != 0) return std::nullopt;
  return Transport{packet[9], packet.subspan(header, length - header), packet.subspan(12, 8)};
}

std::optional<Transport> ipv6(std::span<std::uint8_t> packet) {
  if (packet.size() < 40 || packet[0] >> 4 != 6) return std::nullopt;
  const std::size_t length = big16(packet, 4);
  if (length > packet.size() - 40) return std::nullopt;
  // Extension headers do not occur where checksums are left blank (netif.h says TCP and UDP).
  return Transport{packet[6], packet.subspan(40, length), packet.subspan(8, 32)};
}

}  // namespace

bool is_ipv6(std::span<const std::uint8_t> frame) {
  const auto found = network(frame);
  return found && found->type == kIpv6;
}

bool fill_checksum(std::span<std::uint8_t> frame) {
  const auto found = network(frame);
  if (!found || (found->type != kIpv4 && found->type != kIpv6)) return false;
  const auto packet = frame.subspan(found->header);
  const auto transport = found->type == kIpv4 ? ipv4(packet) : ipv6(packet);
  if (!transport || (transport->protocol != kTcp && transport->protocol != kUdp)) return false;
  const std::size_t field = transport->protocol == kTcp ? 16 : 6;
  const auto segment = transport->segment;
  if (segment.size() < field + 2) return false;
  segment[field] = segment[field + 1] = 0;
  std::uint32_t total = sum(transport->addresses, transport->protocol);
  total += static_cast<std::uint32_t>(segment.size());
  auto checksum = static_cast<std::uint16_t>(~sum(segment, total));
  // RFC 768: zero would say that there is none.
  if (checksum == 0 && transport->protocol == kUdp) checksum = 0xffff;
  segment[field] = static_cast<std::uint8_t>(checksum >> 8);
  segment[field + 1] = static_cast<std::uint8_t>(checksum);
  return true;
}

}  // namespace trapline::xen
