// A learning switch between virtual network interfaces.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "sim/time/clock.h"

namespace trapline::xen {

using MacAddress = std::array<std::uint8_t, 6>;

/// 00:16:3e, Xen's own prefix, and what follows from the domain and the interface.
MacAddress mac_address(unsigned domain, unsigned device);
/// "00:16:3e:00:00:01". Throws std::invalid_argument for anything but six bytes that name one
/// station.
MacAddress parse_mac_address(const std::string& text);
std::string mac_text(const MacAddress& address);

/// An Ethernet frame without its checksum.
struct NetFrame {
  std::vector<std::uint8_t> bytes;
  bool checksum_blank = false;  ///< The TCP or UDP checksum is still to be filled in.
  bool validated = false;       ///< The sender vouches for the checksum.
  /// A TCP packet that is to be cut into segments with so many bytes of payload; 0: it is not. Its
  /// checksum is blank.
  std::uint16_t segment_bytes = 0;
};

/// Where a frame can go.
class NetPort {
 public:
  virtual ~NetPort() = default;
  virtual void receive(const NetFrame& frame) = 0;
  /// There is room for frames of this port again.
  virtual void resume() {}
};

/// Sees every frame that a switch forwards, when it is sent. It may not change the run.
class NetObserver {
 public:
  virtual ~NetObserver() = default;
  virtual void on_frame(Time when, const NetFrame& frame) = 0;
};

struct NetTiming {
  Time latency = 20'000'000;  ///< From the last byte sent to its arrival (20 us).
  Time per_byte = 800;        ///< 10 Gbit/s, for each port.
};

/// Frames arrive in the order in which they were sent, at the time that follows from the timing. A
/// station that was silent for five minutes is forgotten; no more than kStations are remembered.
class NetSwitch {
 public:
  static constexpr std::size_t kStations = 1024;
  static constexpr std::size_t kFramesInFlight = 64;  ///< Of one port.
  static constexpr std::size_t kHeaderBytes = 14;     ///< A shorter frame is none.

  explicit NetSwitch(Clock& clock, std::string name, const NetTiming& timing = {});

  const std::string& name() const { return name_; }
  Clock& clock() const { return clock_; }
  /// Ports are told of floods in the order in which they came.
  void attach(NetPort& port);
  void detach(NetPort& port);
  void observe(NetObserver& observer) { observers_.push_back(&observer); }
  std::size_t stations() const { return stations_.size(); }

  /// False if the port has as many frames in flight as it may; resume() says when to try again.
  bool ready(NetPort& from);
  /// Only after ready() said so.
  void send(NetPort& from, NetFrame frame);

 private:
  struct Port {
    NetPort* port = nullptr;
    std::uint64_t id = 0;
    Time free_at = 0;
    std::size_t in_flight = 0;
    bool waiting = false;
  };
  struct Flight {
    std::uint64_t from;
    NetFrame frame;
  };
  struct Station {
    std::uint64_t port;
    Time seen;
  };

  void arrive();
  void forward(const Flight& flight);
  void learn(const MacAddress& station, std::uint64_t port);
  Port* find(std::uint64_t id);
  Port* find(const NetPort& port);

  Clock& clock_;
  std::string name_;
  NetTiming timing_;
  std::vector<Port> ports_;
  std::uint64_t next_id_ = 1;
  // By time of arrival, then in order of sending.
  std::multimap<Time, Flight> flights_;
  std::map<MacAddress, Station> stations_;
  std::vector<NetObserver*> observers_;
  Wakeup arrive_;
};

}  // namespace trapline::xen
