#include "sim/trap/xen/net_checksum.h"

#include <algorithm>

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

void put_big16(std::uint8_t* at, std::uint32_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
}

std::optional<Transport> transport(std::span<std::uint8_t> frame) {
  const auto found = network(frame);
  if (!found || (found->type != kIpv4 && found->type != kIpv6)) return std::nullopt;
  const auto packet = frame.subspan(found->header);
  return found->type == kIpv4 ? ipv4(packet) : ipv6(packet);
}

struct Checksum {
  Transport of;
  std::uint8_t* field;
  std::uint32_t pseudo_header;  // Its sum.
};

std::optional<Checksum> checksum(std::span<std::uint8_t> frame) {
  const auto found = transport(frame);
  if (!found || (found->protocol != kTcp && found->protocol != kUdp)) return std::nullopt;
  const std::size_t field = found->protocol == kTcp ? 16 : 6;
  if (found->segment.size() < field + 2) return std::nullopt;
  const auto length = static_cast<std::uint32_t>(found->segment.size());
  return Checksum{*found, found->segment.data() + field,
                  sum(found->addresses, found->protocol + length)};
}

constexpr std::uint8_t kFin = 1, kPsh = 8, kCwr = 0x80;

/// Makes the headers of `segment`, a copy of those of the whole, its own (RFC 9293, 3.1).
void write_headers(std::vector<std::uint8_t>& segment, const TcpLayout& whole, std::size_t number,
                   std::size_t offset, bool last) {
  std::uint8_t* const ip = segment.data() + whole.ip;
  const std::size_t length = segment.size() - whole.ip;
  if (whole.ipv6) {
    put_big16(ip + 4, static_cast<std::uint32_t>(length - 40));
  } else {
    put_big16(ip + 2, static_cast<std::uint32_t>(length));
    const std::uint32_t id = static_cast<std::uint32_t>(ip[4] << 8 | ip[5]);
    put_big16(ip + 4, id + static_cast<std::uint32_t>(number));
    put_big16(ip + 10, 0);
    put_big16(ip + 10, ~sum({ip, whole.tcp - whole.ip}, 0));
  }
  std::uint8_t* const tcp = segment.data() + whole.tcp;
  std::uint32_t sequence = 0;
  for (unsigned n = 0; n < 4; ++n) sequence = sequence << 8 | tcp[4 + n];
  sequence += static_cast<std::uint32_t>(offset);
  put_big16(tcp + 4, sequence >> 16);
  put_big16(tcp + 6, sequence);
  if (!last) tcp[13] = static_cast<std::uint8_t>(tcp[13] & ~(kFin | kPsh));
  if (number != 0) tcp[13] = static_cast<std::uint8_t>(tcp[13] & ~kCwr);
}

}  // namespace

bool is_ipv6(std::span<const std::uint8_t> frame) {
  const auto found = network(frame);
  return found && found->type == kIpv6;
}

bool fill_checksum(std::span<std::uint8_t> frame) {
  const auto found = checksum(frame);
  if (!found) return false;
  put_big16(found->field, 0);
  auto value = static_cast<std::uint16_t>(~sum(found->of.segment, found->pseudo_header));
  // RFC 768: zero would say that there is none.
  if (value == 0 && found->of.protocol == kUdp) value = 0xffff;
  put_big16(found->field, value);
  return true;
}

bool blank_checksum(std::span<std::uint8_t> frame) {
  const auto found = checksum(frame);
  if (!found) return false;
  put_big16(found->field, found->pseudo_header);
  return true;
}

std::optional<TcpLayout> tcp_layout(std::span<const std::uint8_t> frame) {
  // Nothing is written through it.
  const std::span<std::uint8_t> bytes(const_cast<std::uint8_t*>(frame.data()), frame.size());
  const auto found = transport(bytes);
  if (!found || found->protocol != kTcp || found->segment.size() < 20) return std::nullopt;
  const std::size_t header = (found->segment[12] >> 4) * 4u;
  if (header < 20 || header > found->segment.size()) return std::nullopt;
  TcpLayout layout;
  layout.ipv6 = is_ipv6(frame);
  layout.ip = network(frame)->header;
  layout.tcp = static_cast<std::size_t>(found->segment.data() - frame.data());
  layout.payload = layout.tcp + header;
  layout.end = layout.tcp + found->segment.size();
  return layout;
}

TcpSegments::TcpSegments(std::span<const std::uint8_t> frame, std::size_t payload)
    : frame_(frame), payload_(payload), whole_(tcp_layout(frame)) {
  if (!whole_) return;
  const std::size_t bytes = whole_->end - whole_->payload;
  count_ = std::max<std::size_t>(1, (bytes + payload - 1) / payload);
}

std::vector<std::uint8_t> TcpSegments::next() {
  const std::size_t number = made_++;
  const std::size_t done = number * payload_;
  const std::size_t part = std::min(payload_, whole_->end - whole_->payload - done);
  const auto headers = frame_.first(whole_->payload);
  const auto from = frame_.subspan(whole_->payload + done, part);
  std::vector<std::uint8_t> segment;
  segment.reserve(headers.size() + part);
  segment.assign(headers.begin(), headers.end());
  segment.insert(segment.end(), from.begin(), from.end());
  write_headers(segment, *whole_, number, done, left() == 0);
  fill_checksum(segment);
  return segment;
}

}  // namespace trapline::xen
