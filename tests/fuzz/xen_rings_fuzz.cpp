// The rings of disk, network and console, with any bytes in them.
//
// A step is a byte that says what and where, and a number: words of the shared pages, whole ring
// entries, events, states, time.
#include <spdlog/spdlog.h>

#include <memory>
#include <string>
#include <vector>

#include "sim/trap/xen/block_backend.h"
#include "sim/trap/xen/console_backend.h"
#include "sim/trap/xen/net_backend.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/xen_fake_guest.h"

namespace {

using namespace trapline;
using namespace trapline::xen;
using fuzz::check;

constexpr Gfn kBlockRing = 0, kTxRing = 1, kRxRing = 2, kConsole = 3;
constexpr unsigned kFrames = 12;

class CountingPort final : public NetPort {
 public:
  void receive(const NetFrame& frame) override { bytes += frame.bytes.size(); }
  std::uint64_t bytes = 0;
};

class Rig final : private CharacterPort {
 public:
  Rig() {
    write_domain_nodes(server, {1, "one", "", 65536, 1, 0, 0});
    console = std::make_unique<ConsoleBackend>(guest, kConsole, guest,
                                               static_cast<CharacterPort&>(*this));
    disk = std::make_unique<BlockBackend>(GuestPorts{1, guest, guest}, server,
                                          std::make_unique<SnapshotImage>(1 << 20), BlockOptions{});
    net = std::make_unique<NetBackend>(GuestPorts{1, guest, guest}, server, network, NetOptions{});
    network.attach(wire);
    // The references are 8 to 19, so that small numbers name pages.
    for (Gfn gfn = 0; gfn < kFrames; ++gfn) guest.grant(gfn);
    connect();
    advance();
  }
  ~Rig() override { network.detach(wire); }

  void connect() {
    ports = {guest.alloc_unbound(), guest.alloc_unbound(), guest.alloc_unbound()};
    const std::string vbd = disk->frontend() + "/", vif = net->frontend() + "/";
    client.write(vbd + "ring-ref", std::uint64_t{8 + kBlockRing});
    client.write(vbd + "event-channel", std::uint64_t{ports[0]});
    client.write(vif + "tx-ring-ref", std::uint64_t{8 + kTxRing});
    client.write(vif + "rx-ring-ref", std::uint64_t{8 + kRxRing});
    client.write(vif + "event-channel-tx", std::uint64_t{ports[1]});
    client.write(vif + "event-channel-rx", std::uint64_t{ports[2]});
    for (const char* feature : {"request-rx-copy", "feature-rx-notify", "feature-sg"}) {
      client.write(vif + feature, "1");
    }
    state(4);
  }
  void state(std::uint64_t value) {
    client.write(disk->frontend() + "/state", value);
    client.write(net->frontend() + "/state", value);
  }
  // The front end takes IPv4's, IPv6's, both or neither when it connects anew.
  void segments(unsigned of) {
    client.write(net->frontend() + "/feature-gso-tcpv4", std::uint64_t{of & 1u});
    client.write(net->frontend() + "/feature-gso-tcpv6", std::uint64_t{of >> 1});
  }
  void advance() { timeline.advance_to(timeline.now() + 50'000'000); }

  Timeline timeline;
  XenstoreServer server{timeline};
  XenstoreClient client{server};
  FakeGuest guest{kFrames};
  NetSwitch network{timeline, "br"};
  CountingPort wire;
  std::unique_ptr<ConsoleBackend> console;
  std::unique_ptr<BlockBackend> disk;
  std::unique_ptr<NetBackend> net;
  std::vector<EventPort> ports;
  std::string output;

 private:
  void transmit(std::uint8_t byte) override { output += static_cast<char>(byte); }
};

// A ring entry where the next one belongs.
void put_entry(Rig& rig, Gfn gfn, std::size_t bytes, std::uint32_t count,
               std::span<const std::uint8_t> entry) {
  const std::uint32_t producer = rig.guest.word(gfn, 0);
  std::uint8_t* at = rig.guest.frame(gfn) + 64 + producer % count * bytes;
  std::copy(entry.begin(), entry.end(), at);
  rig.guest.set_word(gfn, 0, producer + 1);
}

// Some of them claim to be TCP packets that are to be segmented, and some are.
NetFrame frame_from_wire(std::uint8_t what, fuzz::Input& input) {
  NetFrame frame{.bytes = std::vector<std::uint8_t>(14 + input.number(2) % 9000, what)};
  if (what & 64) {
    frame.segment_bytes = static_cast<std::uint16_t>(input.number(2));
    frame.checksum_blank = frame.validated = true;
    const std::span<const std::uint8_t> headers = input.take(80);
    std::copy_n(headers.begin(), std::min(headers.size(), frame.bytes.size()), frame.bytes.begin());
  }
  return frame;
}

void step(Rig& rig, fuzz::Input& input) {
  const std::uint8_t what = input.byte();
  switch (what & 7) {
    case 0:
      put_entry(rig, kBlockRing, 112, 32, input.take(112));
      return rig.guest.send(rig.ports[0]);
    case 1:
      put_entry(rig, kTxRing, 12, 256, input.take(12));
      if (what & 8) rig.guest.send(rig.ports[1]);
      return;
    case 2:
      put_entry(rig, kRxRing, 8, 256, input.take(8));
      return rig.guest.send(rig.ports[2]);
    case 3: {
      // Indexes, and the console's.
      const Gfn gfn = what >> 3 & 3;
      const std::size_t offset = (gfn == kConsole ? 3072 : 0) + (what >> 5 & 3) * 4;
      rig.guest.set_word(gfn, offset, static_cast<std::uint32_t>(input.number(4)));
      return;
    }
    case 4: {
      // Contents of any page: lists of segments, packets.
      std::uint8_t* at = rig.guest.frame((what >> 3) % kFrames) + input.number(2) % 4000;
      for (const std::uint8_t byte : input.take(input.byte() % 96)) *at++ = byte;
      return;
    }
    case 5:
      for (const EventPort port : rig.ports) rig.guest.send(port);
      rig.guest.send(rig.console->port());
      rig.console->receive(what);
      return;
    case 6:
      if (what & 8) return rig.state(what >> 4);
      if (what & 16) return rig.connect();
      if (what & 32) return rig.segments(what >> 6);
      return rig.network.send(rig.wire, frame_from_wire(what, input));
    default:
      rig.advance();
  }
}

std::string play(fuzz::Input input) {
  Rig rig;
  for (unsigned n = 0; n < 400 && !input.empty(); ++n) {
    step(rig, input);
    check(rig.guest.mappings() < 40'000, "mappings are bounded");
  }
  rig.advance();
  check(!rig.guest.out_of_bounds, "changes lie within a page");
  // Whatever was, a front end that goes leaves nothing behind.
  rig.state(6);
  rig.advance();
  check(rig.guest.mappings() == 0, "all is unmapped in the end");
  std::string seen = rig.output + std::to_string(rig.wire.bytes);
  for (Gfn gfn = 0; gfn < kFrames; ++gfn) {
    seen.append(reinterpret_cast<const char*>(rig.guest.frame(gfn)), kPageBytes);
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  spdlog::set_level(spdlog::level::off);
  check(play({data, size}) == play({data, size}), "the same is done for the same");
  return 0;
}
