#include "sim/trap/xen/net_backend.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "sim/trap/xen/le_bytes.h"
#include "sim/trap/xen/net_checksum.h"

namespace trapline::xen {
namespace {

// netif.h.
constexpr std::size_t kTxEntryBytes = 12, kRxEntryBytes = 8;
constexpr std::uint16_t kTxCsumBlank = 1, kTxDataValidated = 2, kTxMoreData = 4, kTxExtraInfo = 8;
constexpr std::uint16_t kRxDataValidated = 1, kRxCsumBlank = 2, kRxMoreData = 4, kRxExtraInfo = 8;
constexpr std::uint8_t kExtraGso = 1, kExtraTypes = 5, kExtraMore = 1;
constexpr std::uint8_t kGsoTcpv4 = 1, kGsoTcpv6 = 2;
constexpr std::int16_t kOkay = 0, kError = -1, kNull = 1;
constexpr unsigned kMostSlots = 18;  // XEN_NETIF_NR_SLOTS_MIN

constexpr std::size_t kEthernetHeader = 14, kVlanTag = 4;
// Frames that wait for the front end's buffers; later ones are lost, as on a wire. The bytes are
// those of netback's XENVIF_RX_QUEUE_BYTES, half a ring of pages.
constexpr std::size_t kMostWaiting = 256, kMostWaitingBytes = 128 * kPageBytes;

}  // namespace

NetBackend::NetBackend(const GuestPorts& guest, XenstoreServer& server, NetSwitch& network,
                       const NetOptions& options)
    : XenbusBackend(guest, server, "vif", options.device), network_(network), options_(options) {
  if (options_.mac == MacAddress{}) options_.mac = mac_address(guest.id, options.device);
  network_.attach(*this);
  const std::string mac = mac_text(options_.mac);
  const std::string handle = std::to_string(options_.device);
  start({{"handle", handle}, {"mac", mac}, {"trusted", "1"}},
        {{"mtu", std::to_string(options_.mtu)}},
        {{"mac", mac}, {"bridge", network_.name()}, {"handle", handle}, {"type", "vif"}});
}

NetBackend::~NetBackend() {
  network_.detach(*this);
}

void NetBackend::publish() {
  const auto put = [&](const char* name, unsigned value) {
    store_.write(backend() + "/" + name, value);
  };
  put("feature-sg", 1);
  put("feature-gso-tcpv4", 1);
  put("feature-gso-tcpv6", 1);
  put("feature-ipv6-csum-offload", 1);
  put("feature-rx-copy", 1);
  put("feature-rx-flip", 0);
  put("feature-multicast-control", 0);
  put("feature-split-event-channels", 1);
  put("feature-ctrl-ring", 0);
}

bool NetBackend::check_features(std::string& problem) {
  if (!front_flag("request-rx-copy")) {
    problem = frontend() + "/request-rx-copy is not 1";
  } else if (!front_flag("feature-rx-notify")) {
    problem = frontend() + "/feature-rx-notify is not 1";
  } else if (front_number("multi-queue-num-queues").value_or(1) != 1) {
    problem = frontend() + "/multi-queue-num-queues is not 1";
  }
  scatter_ = front_flag("feature-sg");
  fill_checksums_ = front_flag("feature-no-csum-offload");
  fill_ipv6_checksums_ = !front_flag("feature-ipv6-csum-offload");
  segments_ipv4_ = scatter_ && !fill_checksums_ && front_flag("feature-gso-tcpv4");
  segments_ipv6_ = scatter_ && !fill_ipv6_checksums_ && front_flag("feature-gso-tcpv6");
  return problem.empty();
}

bool NetBackend::map_ring(const std::string& name, std::size_t entry_bytes, BackRing& ring,
                          std::string& problem) {
  std::vector<std::unique_ptr<GrantedPage>> pages;
  pages.push_back(map(name, problem));
  if (!pages.front()) return false;
  ring = BackRing(std::move(pages), entry_bytes);
  return true;
}

bool NetBackend::connect(std::string& problem) {
  if (!check_features(problem)) return false;
  if (!map_ring("tx-ring-ref", kTxEntryBytes, tx_, problem) ||
      !map_ring("rx-ring-ref", kRxEntryBytes, rx_, problem)) {
    return false;
  }
  halted_ = false;
  if (front_number("event-channel-tx")) {
    tx_channel_ = bind(
        "event-channel-tx", [this] { on_transmit(); }, problem);
    if (!tx_channel_) return false;
    rx_channel_ = bind(
        "event-channel-rx", [this] { on_receive(); }, problem);
    if (!rx_channel_) return false;
  } else {
    const auto both = [this] {
      on_transmit();
      on_receive();
    };
    tx_channel_ = bind("event-channel", both, problem);
    if (!tx_channel_) return false;
  }
  on_transmit();
  return true;
}

void NetBackend::disconnect() {
  tx_channel_.reset();
  rx_channel_.reset();
  tx_ = BackRing();
  rx_ = BackRing();
  waiting_.clear();
  waiting_bytes_ = 0;
}

void NetBackend::on_transmit() {
  bool broken = false;
  while (!halted_ && tx_.attached() && network_.ready(*this)) {
    const std::uint32_t available = tx_.available(broken);
    if (available == 0) {
      if (broken || !tx_.final_check(broken)) break;
      continue;
    }
    TxPacket packet;
    if (!take_packet(available, packet)) {
      broken = true;
      break;
    }
    tx_.consume(static_cast<std::uint32_t>(packet.slots.size()) + packet.extras);
    answer(packet, transmit(packet));
  }
  // A front end that breaks the protocol is not listened to until it connects anew.
  if (broken) halt("transmit");
  if (tx_.attached() && tx_.push()) tx_channel_->notify();
}

void NetBackend::halt(const char* ring) {
  halted_ = true;
  complain(std::string("the ") + ring + " ring breaks the protocol; it is not served any more");
}

NetBackend::TxSlot NetBackend::tx_slot(std::uint32_t ahead) const {
  std::array<std::uint8_t, kTxEntryBytes> entry;
  tx_.peek(ahead, entry);
  const std::uint8_t* at = entry.data();
  return {get_le<std::uint32_t>(at), get_le<std::uint16_t>(at + 4), get_le<std::uint16_t>(at + 6),
          get_le<std::uint16_t>(at + 8), get_le<std::uint16_t>(at + 10)};
}

// The extra slots after the first one. False if they break the protocol.
bool NetBackend::take_extras(std::uint32_t available, std::uint32_t& at, TxPacket& packet) {
  std::array<std::uint8_t, kTxEntryBytes> extra;
  do {
    if (at >= available) return false;
    tx_.peek(at++, extra);
    if (extra[0] == 0 || extra[0] >= kExtraTypes) return false;
    if (extra[0] == kExtraGso && !take_segmentation(extra, packet)) return false;
    ++packet.extras;
  } while (extra[1] & kExtraMore);
  return true;
}

// False: no size, or a type that was not offered.
bool NetBackend::take_segmentation(std::span<const std::uint8_t> extra, TxPacket& packet) {
  packet.segment_bytes = get_le<std::uint16_t>(extra.data() + 2);
  packet.ipv6 = extra[4] == kGsoTcpv6;
  return packet.segment_bytes != 0 && (extra[4] == kGsoTcpv4 || extra[4] == kGsoTcpv6);
}

// The first slot has the size of the whole packet. False if this is no packet: a slot is missing,
// or reaches beyond its page, which front ends are shut out for.
bool NetBackend::take_packet(std::uint32_t available, TxPacket& packet) {
  std::uint32_t at = 1;
  packet.slots.push_back(tx_slot(0));
  std::uint16_t flags = packet.slots.front().flags;
  if ((flags & kTxExtraInfo) && !take_extras(available, at, packet)) return false;
  unsigned rest = packet.slots.front().size;
  while (flags & kTxMoreData) {
    if (at >= available) return false;
    const TxSlot slot = tx_slot(at++);
    if (slot.offset + slot.size > kPageBytes) return false;
    if (slot.size > rest) packet.bad = true;
    rest -= std::min<unsigned>(slot.size, rest);
    flags = slot.flags;
    packet.slots.push_back(slot);
  }
  TxSlot& first = packet.slots.front();
  if (!packet.bad && first.offset + rest > kPageBytes) return false;
  if (packet.slots.size() > kMostSlots) packet.bad = true;
  first.size = static_cast<std::uint16_t>(rest);
  return true;
}

bool NetBackend::copy_in(const TxPacket& packet, NetFrame& frame) {
  for (const TxSlot& slot : packet.slots) {
    const auto page = guest_.grants.map(slot.ref, false);
    if (!page) return false;
    const std::uint8_t* from = page->bytes() + slot.offset;
    frame.bytes.insert(frame.bytes.end(), from, from + slot.size);
  }
  return true;
}

std::int16_t NetBackend::transmit(const TxPacket& packet) {
  NetFrame frame;
  const std::uint16_t flags = packet.slots.front().flags;
  frame.checksum_blank = flags & kTxCsumBlank;
  frame.validated = flags & (kTxCsumBlank | kTxDataValidated);
  if (packet.bad || !copy_in(packet, frame) || frame.bytes.size() < kEthernetHeader) {
    ++counts_.errors;
    return kError;
  }
  if (!may_pass(packet, frame)) {
    ++counts_.dropped;
    return kOkay;
  }
  ++counts_.sent;
  network_.send(*this, std::move(frame));
  return kOkay;
}

// What is too long for the network is lost, and what is to be segmented and is no such packet.
bool NetBackend::may_pass(const TxPacket& packet, NetFrame& frame) const {
  if (packet.segment_bytes == 0) {
    return frame.bytes.size() <= options_.mtu + kEthernetHeader + kVlanTag;
  }
  const auto layout = tcp_layout(frame.bytes);
  if (!layout || layout->ipv6 != packet.ipv6) return false;
  if (layout->payload - layout->ip + packet.segment_bytes > options_.mtu) return false;
  frame.bytes.resize(layout->end);
  frame.segment_bytes = packet.segment_bytes;
  // Some senders forget to say that it is.
  if (!frame.checksum_blank) blank_checksum(frame.bytes);
  frame.checksum_blank = frame.validated = true;
  return true;
}

void NetBackend::answer(const TxPacket& packet, std::int16_t status) {
  const auto put = [&](std::uint16_t id, std::int16_t value) {
    std::array<std::uint8_t, 4> response;
    put_le(response.data(), id);
    put_le(response.data() + 2, static_cast<std::uint16_t>(value));
    tx_.respond(response);
  };
  put(packet.slots.front().id, status);
  // In the place of a slot that has no number.
  for (unsigned n = 0; n < packet.extras; ++n) put(0, kNull);
  for (std::size_t n = 1; n < packet.slots.size(); ++n) put(packet.slots[n].id, status);
}

void NetBackend::resume() {
  on_transmit();
}

void NetBackend::receive(const NetFrame& frame) {
  if (frame.segment_bytes != 0 && !takes_segments(frame)) {
    // One at a time, as a sender can ask for as many as there are bytes.
    TcpSegments segments(frame.bytes, frame.segment_bytes);
    while (segments.left() != 0 && has_room()) {
      wait_for_buffers({.bytes = segments.next(), .validated = true});
    }
    counts_.dropped += segments.left();
  } else if (has_room()) {
    wait_for_buffers(frame);
  } else {
    ++counts_.dropped;
  }
  on_receive();
}

bool NetBackend::takes_segments(const NetFrame& frame) const {
  return is_ipv6(frame.bytes) ? segments_ipv6_ : segments_ipv4_;
}

// Each protocol for itself (NETIF_F_IP_CSUM, NETIF_F_IPV6_CSUM).
bool NetBackend::fills_checksum(const NetFrame& frame) const {
  return is_ipv6(frame.bytes) ? fill_ipv6_checksums_ : fill_checksums_;
}

bool NetBackend::has_room() const {
  return state() == XenbusState::connected && !halted_ && rx_.attached() &&
         waiting_.size() < kMostWaiting && waiting_bytes_ < kMostWaitingBytes;
}

void NetBackend::wait_for_buffers(NetFrame frame) {
  if (!scatter_ && frame.bytes.size() > kPageBytes) {
    ++counts_.dropped;
    return;
  }
  if (frame.checksum_blank && fills_checksum(frame)) {
    fill_checksum(frame.bytes);
    frame.checksum_blank = frame.validated = false;
  }
  waiting_bytes_ += frame.bytes.size();
  waiting_.push_back(std::move(frame));
}

// A page each, and one that says how it is segmented.
std::uint32_t NetBackend::slots_of(const NetFrame& frame) {
  const std::size_t pages = (frame.bytes.size() + kPageBytes - 1) / kPageBytes;
  return static_cast<std::uint32_t>(pages + (frame.segment_bytes != 0 ? 1 : 0));
}

void NetBackend::on_receive() {
  bool broken = false;
  while (!halted_ && rx_.attached() && !waiting_.empty()) {
    if (rx_.available(broken) < slots_of(waiting_.front())) {
      rx_.ask_for_more();
      break;
    }
    deliver(waiting_.front());
    waiting_bytes_ -= waiting_.front().bytes.size();
    waiting_.pop_front();
  }
  if (broken) halt("receive");
  if (rx_.attached() && rx_.push()) rx_channel().notify();
}

void NetBackend::deliver(const NetFrame& frame) {
  std::uint16_t first = 0;
  if (frame.checksum_blank) first |= kRxCsumBlank | kRxDataValidated;
  if (frame.validated) first |= kRxDataValidated;
  if (frame.segment_bytes != 0) first |= kRxExtraInfo;
  bool whole = true;
  for (std::size_t at = 0; at < frame.bytes.size(); at += kPageBytes) {
    const std::size_t size = std::min(frame.bytes.size() - at, kPageBytes);
    std::uint16_t flags = at == 0 ? first : 0;
    if (at + size < frame.bytes.size()) flags |= kRxMoreData;
    whole &= deliver_part({frame.bytes.data() + at, size}, flags);
    if (flags & kRxExtraInfo) deliver_segmentation(frame);
  }
  ++(whole ? counts_.received : counts_.errors);
}

bool NetBackend::deliver_part(std::span<const std::uint8_t> part, std::uint16_t flags) {
  std::array<std::uint8_t, kRxEntryBytes> request;
  rx_.peek(0, request);
  rx_.consume(1);
  const auto page = guest_.grants.map(get_le<std::uint32_t>(request.data() + 4), true);
  if (page) {
    std::memcpy(page->bytes(), part.data(), part.size());
    page->written(0, part.size());
  }
  std::array<std::uint8_t, kRxEntryBytes> response{};
  std::copy_n(request.begin(), 2, response.begin());  // The id.
  put_le(response.data() + 4, flags);
  put_le(response.data() + 6,
         page ? static_cast<std::uint16_t>(part.size()) : static_cast<std::uint16_t>(kError));
  rx_.respond(response);
  return page != nullptr;
}

// struct xen_netif_extra_info, in the place of a response.
void NetBackend::deliver_segmentation(const NetFrame& frame) {
  rx_.consume(1);
  std::array<std::uint8_t, kRxEntryBytes> extra{kExtraGso};
  put_le(extra.data() + 2, frame.segment_bytes);
  extra[4] = is_ipv6(frame.bytes) ? kGsoTcpv6 : kGsoTcpv4;
  rx_.respond(extra);
}

}  // namespace trapline::xen
