// The back end of a virtual network interface (Xen's public header io/netif.h).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sim/time/clock.h"
#include "sim/trap/xen/net_switch.h"
#include "sim/trap/xen/shared_ring.h"
#include "sim/trap/xen/xenbus.h"

namespace trapline::xen {

struct NetOptions {
  unsigned device = 0;  ///< vif number.
  MacAddress mac{};     ///< All zero: mac_address() of the domain and the device.
  unsigned mtu = 1500;
};

/// netback in copy mode with one pair of rings: scatter-gather, blank checksums and TCP packets
/// that are still to be segmented, both ways.
class NetBackend final : public XenbusBackend, private NetPort {
 public:
  NetBackend(const GuestPorts& guest, XenstoreServer& server, NetSwitch& network,
             const NetOptions& options);
  ~NetBackend() override;

  const MacAddress& mac() const { return options_.mac; }

  struct Counts {
    std::uint64_t sent = 0, received = 0, dropped = 0, errors = 0;
  };
  const Counts& counts() const { return counts_; }

 private:
  struct TxSlot {
    GrantRef ref = 0;
    std::uint16_t offset = 0, flags = 0, id = 0, size = 0;
  };
  /// A packet as the front end sent it: a slot, extra slots that belong to it, and more slots.
  struct TxPacket {
    std::vector<TxSlot> slots;
    unsigned extras = 0;
    std::uint16_t segment_bytes = 0;  // 0: not to be segmented.
    bool ipv6 = false;                // What it is segmented as.
    bool bad = false;                 // Dropped, with an error for an answer.
  };

  bool connect(std::string& problem) override;
  void disconnect() override;
  void publish() override;
  void receive(const NetFrame& frame) override;
  void resume() override;

  bool check_features(std::string& problem);
  bool map_ring(const std::string& name, std::size_t entry_bytes, BackRing& ring,
                std::string& problem);
  void on_transmit();
  bool take_packet(std::uint32_t available, TxPacket& packet);
  bool take_extras(std::uint32_t available, std::uint32_t& at, TxPacket& packet);
  static bool take_segmentation(std::span<const std::uint8_t> extra, TxPacket& packet);
  TxSlot tx_slot(std::uint32_t ahead) const;
  bool copy_in(const TxPacket& packet, NetFrame& frame);
  std::int16_t transmit(const TxPacket& packet);
  bool may_pass(const TxPacket& packet, NetFrame& frame) const;
  void answer(const TxPacket& packet, std::int16_t status);
  void on_receive();
  void halt(const char* ring);
  bool has_room() const;
  void wait_for_buffers(NetFrame frame);
  bool fills_checksum(const NetFrame& frame) const;
  bool takes_segments(const NetFrame& frame) const;
  static std::uint32_t slots_of(const NetFrame& frame);
  void deliver(const NetFrame& frame);
  bool deliver_part(std::span<const std::uint8_t> part, std::uint16_t flags);
  void deliver_segmentation(const NetFrame& frame);
  BackendChannel& rx_channel() { return rx_channel_ ? *rx_channel_ : *tx_channel_; }

  NetSwitch& network_;
  NetOptions options_;
  BackRing tx_, rx_;
  std::unique_ptr<BackendChannel> tx_channel_, rx_channel_;  // rx_channel_ empty: one for both.
  bool scatter_ = false, fill_checksums_ = false, fill_ipv6_checksums_ = false;
  bool segments_ipv4_ = false, segments_ipv6_ = false;
  bool halted_ = false;
  std::deque<NetFrame> waiting_;  // For requests of the front end.
  std::size_t waiting_bytes_ = 0;
  Counts counts_;
};

}  // namespace trapline::xen
