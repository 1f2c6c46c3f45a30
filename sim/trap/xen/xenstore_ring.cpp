#include "sim/trap/xen/xenstore_ring.h"

#include <algorithm>
#include <array>

#include "sim/trap/xen/le_bytes.h"

namespace trapline::xen {
namespace {

XsHeader parse_header(const std::string& bytes) {
  const auto* at = reinterpret_cast<const std::uint8_t*>(bytes.data());
  return {get_le<std::uint32_t>(at), get_le<std::uint32_t>(at + 4), get_le<std::uint32_t>(at + 8),
          get_le<std::uint32_t>(at + 12)};
}

std::string wire_bytes(const XsMessage& message) {
  std::array<std::uint8_t, kXsHeaderBytes> header{};
  put_le(header.data(), message.header.type);
  put_le(header.data() + 4, message.header.req_id);
  put_le(header.data() + 8, message.header.tx_id);
  put_le(header.data() + 12, message.header.len);
  std::string bytes(header.begin(), header.end());
  return bytes += message.payload;
}

}  // namespace

XenstoreRing::XenstoreRing(XenstoreServer& server, DomId domain, DomainMemory& memory, Gfn gfn,
                           Channels& channels)
    : server_(server),
      domain_(domain),
      memory_(memory),
      gfn_(gfn),
      connection_(server.introduce(domain)),
      service_(server.clock(), [this] { service(); }) {
  channel_ = channels.allocate([this] { soon(); }, port_);
  connection_.on_output = [this] { soon(); };
  if (std::uint8_t* page = memory_.own_frame(gfn_)) reset_page(page);
}

XenstoreRing::~XenstoreRing() {
  connection_.on_output = nullptr;
  server_.release(domain_);
}

void XenstoreRing::soon() {
  if (!in_service_ && service_.due() == kNever) {
    service_.at(server_.clock().now() + server_.timing().request);
  }
}

void XenstoreRing::set_word(std::uint8_t* page, std::size_t offset, std::uint32_t value) {
  put_le(page + offset, value);
  memory_.written(gfn_, offset, sizeof value);
}

void XenstoreRing::reset_page(std::uint8_t* page) {
  for (const std::size_t field : {kXsReqCons, kXsReqProd, kXsRspCons, kXsRspProd, kXsErrorField}) {
    set_word(page, field, 0);
  }
  set_word(page, kXsFeatures, kXsAllFeatures);
  set_word(page, kXsConnection, kXsConnected);
}

void XenstoreRing::service() {
  std::uint8_t* page = memory_.own_frame(gfn_);
  if (!page) return;  // The domain gave the page up, or mapped another's over it.
  in_service_ = true;
  bool changed = false;
  if (get_le<std::uint32_t>(page + kXsConnection) == kXsReconnect) {
    server_.reset(connection_);
    input_.clear();
    sending_.clear();
    dead_ = false;
    reset_page(page);
    changed = true;
  }
  // No longer than there is input, as the domain does not run meanwhile.
  while (!dead_) {
    const bool wrote = write_output(page);
    const bool read = !dead_ && read_input(page);
    if (!wrote && !read) break;
    changed = true;
  }
  in_service_ = false;
  if (changed || dead_) channel_->notify();
}

// One message, or what there is of it.
bool XenstoreRing::read_input(std::uint8_t* page) {
  if (input_.empty() && !server_.accepts(connection_)) return false;
  bool progress = false;
  if (input_.size() < kXsHeaderBytes) progress = take_input(page, kXsHeaderBytes);
  if (dead_ || input_.size() < kXsHeaderBytes) return progress;
  const XsHeader header = parse_header(input_);
  if (header.len > kXsPayloadMax) {
    fail(page, kXsErrorProtocol);
    return true;
  }
  progress |= take_input(page, kXsHeaderBytes + header.len);
  if (dead_ || input_.size() < kXsHeaderBytes + header.len) return progress;
  const std::string message = std::move(input_);
  input_.clear();
  server_.request(connection_, header, std::string_view(message).substr(kXsHeaderBytes));
  return true;
}

// Up to `wanted` bytes of the message in all.
bool XenstoreRing::take_input(std::uint8_t* page, std::size_t wanted) {
  const auto consumer = get_le<std::uint32_t>(page + kXsReqCons);
  const auto producer = get_le<std::uint32_t>(page + kXsReqProd);
  if (producer - consumer > kXsRingBytes) {
    fail(page, kXsErrorRingIndex);
    return true;
  }
  const auto count = static_cast<std::uint32_t>(
      std::min<std::size_t>(producer - consumer, wanted - input_.size()));
  for (std::uint32_t n = 0; n < count; ++n) {
    input_ += static_cast<char>(page[kXsRequests + (consumer + n) % kXsRingBytes]);
  }
  if (count > 0) set_word(page, kXsReqCons, consumer + count);
  return count > 0;
}

bool XenstoreRing::write_output(std::uint8_t* page) {
  if (sending_.empty() && connection_.output.empty()) return false;
  const auto consumer = get_le<std::uint32_t>(page + kXsRspCons);
  const auto producer = get_le<std::uint32_t>(page + kXsRspProd);
  if (producer - consumer > kXsRingBytes) {
    fail(page, kXsErrorRingIndex);
    return true;
  }
  std::uint32_t room = kXsRingBytes - (producer - consumer);
  std::uint32_t written = 0;
  while (room > 0) {
    if (sending_.empty()) {
      if (connection_.output.empty()) break;
      sending_ = wire_bytes(connection_.take());
    }
    const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(room, sending_.size()));
    for (std::uint32_t n = 0; n < count; ++n) {
      const std::size_t at = kXsResponses + (producer + written + n) % kXsRingBytes;
      page[at] = static_cast<std::uint8_t>(sending_[n]);
    }
    sending_.erase(0, count);
    written += count;
    room -= count;
  }
  if (written == 0) return false;
  memory_.written(gfn_, kXsResponses, kXsRingBytes);
  set_word(page, kXsRspProd, producer + written);
  return true;
}

void XenstoreRing::fail(std::uint8_t* page, std::uint32_t error) {
  set_word(page, kXsErrorField, error);
  server_.reset(connection_);
  input_.clear();
  sending_.clear();
  dead_ = true;
}

}  // namespace trapline::xen
