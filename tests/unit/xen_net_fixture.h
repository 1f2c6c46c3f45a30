// Front ends as netfront is, on one network.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "sim/trap/xen/net_backend.h"
#include "tests/unit/xen_front_ring.h"

namespace trapline::xen {

using Bytes = std::vector<std::uint8_t>;

inline constexpr std::uint16_t kBlank = 1, kValidated = 2, kMore = 4, kExtra = 8;

// A domain with a front end as netfront is.
class Station {
 public:
  static constexpr Gfn kTx = 0, kRx = 1, kOut = 8, kIn = 32;

  Station(DomId id, Timeline& timeline, XenstoreServer& server, NetSwitch& network,
          const NetOptions& options = {})
      : id_(id), timeline_(timeline), client_(server) {
    write_domain_nodes(server, {id, "d", "", 65536, 1, 0, 0});
    backend = std::make_unique<NetBackend>(GuestPorts{id, guest, guest}, server, network, options);
    for (Gfn n = 0; n < 16; ++n) {
      out.push_back(guest.grant(kOut + n, true));
      in.push_back(guest.grant(kIn + n));
    }
  }

  std::string front(const std::string& name) const {
    return "/local/domain/" + std::to_string(id_) + "/device/vif/0/" + name;
  }
  std::string back(const std::string& name) const {
    return client_.read("/local/domain/0/backend/vif/" + std::to_string(id_) + "/0/" + name)
        .value_or("-");
  }
  void set(const std::string& name, std::uint64_t value) { client_.write(front(name), value); }

  void connect(bool split = false) {
    tx = std::make_unique<FrontRing>(guest, kTx, 12, 256);
    rx = std::make_unique<FrontRing>(guest, kRx, 8, 256);
    tx_port = guest.alloc_unbound();
    rx_port = split ? guest.alloc_unbound() : tx_port;
    if (split) {
      set("event-channel-tx", tx_port);
      set("event-channel-rx", rx_port);
    } else {
      set("event-channel", tx_port);
    }
    set("tx-ring-ref", guest.grant(kTx));
    set("rx-ring-ref", guest.grant(kRx));
    for (const char* feature : {"request-rx-copy", "feature-rx-notify", "feature-sg"}) {
      set(feature, 1);
    }
    state(4);
  }
  void state(unsigned value) {
    set("state", value);
    timeline_.advance_to(timeline_.now() + 100'000'000);
  }

  void put_tx(GrantRef ref, std::uint16_t offset, std::uint16_t flags, std::uint16_t id,
              std::uint16_t size) {
    std::array<std::uint8_t, 12> entry{};
    put_le(&entry[0], ref);
    put_le(&entry[4], offset);
    put_le(&entry[6], flags);
    put_le(&entry[8], id);
    put_le(&entry[10], size);
    tx->put(entry);
  }
  void put_extra(std::uint8_t type, std::uint8_t flags, std::uint16_t size = 0,
                 std::uint8_t segmentation = 0) {
    std::array<std::uint8_t, 12> entry{type, flags};
    put_le(&entry[2], size);
    entry[4] = segmentation;
    tx->put(entry);
  }
  void kick() {
    if (tx->push()) guest.send(tx_port);
  }
  // One frame in one slot.
  void transmit(const Bytes& frame, std::uint16_t flags = 0, std::uint16_t id = 1) {
    std::copy(frame.begin(), frame.end(), guest.frame(kOut));
    put_tx(out[0], 0, flags, id, static_cast<std::uint16_t>(frame.size()));
    kick();
  }
  // The status of each slot that was answered.
  std::vector<int> answers() {
    std::vector<int> found;
    for (Bytes entry = tx->take(); !entry.empty(); entry = tx->take()) {
      found.push_back(static_cast<std::int16_t>(get_le<std::uint16_t>(&entry[2])));
    }
    return found;
  }
  void post(unsigned count) {
    for (unsigned n = 0; n < count; ++n) {
      std::array<std::uint8_t, 8> entry{};
      const unsigned buffer = posted_++ % 16;
      put_le(&entry[0], static_cast<std::uint16_t>(buffer));
      put_le(&entry[4], in[buffer]);
      rx->put(entry);
    }
    if (rx->push()) guest.send(rx_port);
  }
  struct Slot {
    unsigned flags;
    int status;
    Bytes bytes;
    Bytes raw{};  // The response itself.
  };
  std::vector<Slot> received() {
    std::vector<Slot> found;
    for (Bytes entry = rx->take(); !entry.empty(); entry = rx->take()) {
      Slot slot;
      const unsigned id = get_le<std::uint16_t>(&entry[0]);
      slot.flags = get_le<std::uint16_t>(&entry[4]);
      slot.status = static_cast<std::int16_t>(get_le<std::uint16_t>(&entry[6]));
      const std::uint8_t* from = guest.frame(kIn + id) + get_le<std::uint16_t>(&entry[2]);
      if (slot.status > 0) slot.bytes.assign(from, from + slot.status);
      slot.raw = entry;
      found.push_back(std::move(slot));
    }
    return found;
  }

  FakeGuest guest;
  std::unique_ptr<NetBackend> backend;
  std::unique_ptr<FrontRing> tx, rx;
  EventPort tx_port = 0, rx_port = 0;
  std::vector<GrantRef> out, in;

 private:
  DomId id_;
  Timeline& timeline_;
  XenstoreClient client_;
  unsigned posted_ = 0;
};

inline Bytes frame_of(const MacAddress& to, const MacAddress& from, std::size_t size = 60,
                      std::uint8_t fill = 7) {
  Bytes frame(size, fill);
  std::copy(to.begin(), to.end(), frame.begin());
  std::copy(from.begin(), from.end(), frame.begin() + 6);
  frame[12] = 0x88;
  frame[13] = 0xb5;
  return frame;
}

inline constexpr MacAddress kEverybody{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

class XenNetTest : public testing::Test {
 protected:
  void settle() { timeline.advance_to(timeline.now() + 1'000'000'000); }

  Timeline timeline;
  XenstoreServer server{timeline};
  NetSwitch network{timeline, "xenbr0"};
  Station a{1, timeline, server, network}, b{2, timeline, server, network},
      c{3, timeline, server, network};
};

}  // namespace trapline::xen
