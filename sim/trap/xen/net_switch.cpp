#include "sim/trap/xen/net_switch.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <stdexcept>
#include <utility>

namespace trapline::xen {
namespace {

constexpr Time kForgetAfter = 300 * kPicosecondsPerSecond;  // As IEEE 802.1D suggests.

MacAddress address_at(const NetFrame& frame, std::size_t at) {
  MacAddress address;
  std::copy_n(frame.bytes.begin() + static_cast<std::ptrdiff_t>(at), address.size(),
              address.begin());
  return address;
}

bool is_group(const MacAddress& address) {
  return address[0] & 1;
}

}  // namespace

MacAddress mac_address(unsigned domain, unsigned device) {
  return {0x00,
          0x16,
          0x3e,
          static_cast<std::uint8_t>(domain >> 8),
          static_cast<std::uint8_t>(domain),
          static_cast<std::uint8_t>(device)};
}

MacAddress parse_mac_address(const std::string& text) {
  MacAddress address{};
  bool good = text.size() == 17;
  for (std::size_t n = 0; good && n < address.size(); ++n) {
    const char* const at = text.data() + 3 * n;
    const auto [end, failed] = std::from_chars(at, at + 2, address[n], 16);
    good = failed == std::errc() && end == at + 2 && (n == 5 || *end == ':');
  }
  if (!good || is_group(address) || address == MacAddress{}) {
    throw std::invalid_argument("\"" + text +
                                "\" is no MAC address of a station, as 00:16:3e:00:01:00 is");
  }
  return address;
}

std::string mac_text(const MacAddress& address) {
  char text[18];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", address[0], address[1],
                address[2], address[3], address[4], address[5]);
  return text;
}

NetSwitch::NetSwitch(Clock& clock, std::string name, const NetTiming& timing)
    : clock_(clock),
      name_(std::move(name)),
      timing_(timing),
      arrive_(clock, [this] { arrive(); }) {}

void NetSwitch::attach(NetPort& port) {
  ports_.push_back({&port, next_id_++, 0, 0, false});
}

// What it sent still arrives.
void NetSwitch::detach(NetPort& port) {
  std::erase_if(ports_, [&](const Port& entry) { return entry.port == &port; });
}

NetSwitch::Port* NetSwitch::find(std::uint64_t id) {
  const auto found =
      std::find_if(ports_.begin(), ports_.end(), [&](const Port& port) { return port.id == id; });
  return found == ports_.end() ? nullptr : &*found;
}

NetSwitch::Port* NetSwitch::find(const NetPort& port) {
  const auto found = std::find_if(ports_.begin(), ports_.end(),
                                  [&](const Port& entry) { return entry.port == &port; });
  return found == ports_.end() ? nullptr : &*found;
}

bool NetSwitch::ready(NetPort& from) {
  Port* port = find(from);
  if (!port || port->in_flight < kFramesInFlight) return true;
  port->waiting = true;
  return false;
}

void NetSwitch::send(NetPort& from, NetFrame frame) {
  Port* port = find(from);
  if (!port || frame.bytes.size() < kHeaderBytes) return;
  const Time now = clock_.now();
  for (NetObserver* observer : observers_) observer->on_frame(now, frame);
  port->free_at = std::max(port->free_at, now) + frame.bytes.size() * timing_.per_byte;
  ++port->in_flight;
  const Time due = port->free_at + timing_.latency;
  flights_.emplace(due, Flight{port->id, std::move(frame)});
  arrive_.at(flights_.begin()->first);
}

void NetSwitch::arrive() {
  const Time now = clock_.now();
  while (!flights_.empty() && flights_.begin()->first <= now) {
    const Flight flight = std::move(flights_.extract(flights_.begin()).mapped());
    if (Port* port = find(flight.from)) --port->in_flight;
    forward(flight);
    Port* port = find(flight.from);
    if (port && std::exchange(port->waiting, false)) port->port->resume();
  }
  if (!flights_.empty()) arrive_.at(flights_.begin()->first);
}

void NetSwitch::learn(const MacAddress& station, std::uint64_t port) {
  const Time now = clock_.now();
  const auto found = stations_.find(station);
  if (found != stations_.end()) {
    found->second = {port, now};
    return;
  }
  if (stations_.size() >= kStations) {
    // The one that was silent longest; the lowest address of several.
    stations_.erase(std::min_element(
        stations_.begin(), stations_.end(),
        [](const auto& a, const auto& b) { return a.second.seen < b.second.seen; }));
  }
  stations_.emplace(station, Station{port, now});
}

void NetSwitch::forward(const Flight& flight) {
  const MacAddress to = address_at(flight.frame, 0);
  const MacAddress from = address_at(flight.frame, 6);
  if (!is_group(from)) learn(from, flight.from);
  const auto station = stations_.find(to);
  if (!is_group(to) && station != stations_.end() &&
      clock_.now() - station->second.seen <= kForgetAfter) {
    Port* port = find(station->second.port);
    if (port) {
      if (port->id != flight.from) port->port->receive(flight.frame);
      return;
    }
  }
  for (std::size_t n = 0; n < ports_.size(); ++n) {
    if (ports_[n].id != flight.from) ports_[n].port->receive(flight.frame);
  }
}

}  // namespace trapline::xen
