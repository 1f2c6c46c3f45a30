#include "sim/trap/xen/net_backend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "sim/trap/xen/net_checksum.h"
#include "sim/trap/xen/pcap.h"
#include "tests/unit/xen_net_fixture.h"

namespace trapline::xen {
namespace {

TEST_F(XenNetTest, ItsNodesSayWhatItOffers) {
  EXPECT_EQ(mac_text(a.backend->mac()), "00:16:3e:00:01:00");
  EXPECT_EQ(a.back("state"), "2");
  XenstoreClient client(server);
  EXPECT_EQ(client.read(a.front("mac")), "00:16:3e:00:01:00");
  EXPECT_EQ(client.read(a.front("handle")), "0");
  EXPECT_EQ(a.back("bridge"), "xenbr0");
  EXPECT_EQ(a.back("feature-rx-copy"), "1");
  EXPECT_EQ(a.back("feature-sg"), "1");
  EXPECT_EQ(a.back("feature-gso-tcpv4"), "1");
  a.connect();
  EXPECT_EQ(a.back("state"), "4");
}

TEST_F(XenNetTest, AFrameArrivesAtItsTime) {
  a.connect();
  b.connect(true);
  b.post(4);
  const Bytes frame = frame_of(kEverybody, a.backend->mac());
  const Time sent = timeline.now();
  a.transmit(frame);
  EXPECT_EQ(a.answers(), std::vector<int>{0});
  const NetTiming timing;
  b.guest.events(b.rx_port);
  timeline.advance_to(sent + 60 * timing.per_byte + timing.latency - 1);
  EXPECT_TRUE(b.received().empty());
  timeline.advance_to(timeline.now() + 1);
  EXPECT_EQ(b.guest.events(b.rx_port), 1u);
  const auto slots = b.received();
  ASSERT_EQ(slots.size(), 1u);
  EXPECT_EQ(slots[0].bytes, frame);
  EXPECT_EQ(slots[0].flags, 0u);
  EXPECT_EQ(b.guest.mappings(), 2u) << "only the rings";
}

TEST_F(XenNetTest, TheSwitchLearnsWhoIsWhere) {
  for (Station* station : {&a, &b, &c}) station->connect(), station->post(8);
  a.transmit(frame_of(b.backend->mac(), a.backend->mac()));
  settle();
  EXPECT_EQ(b.received().size(), 1u);
  EXPECT_EQ(c.received().size(), 1u) << "nobody knows b yet";
  b.transmit(frame_of(a.backend->mac(), b.backend->mac()));
  settle();
  EXPECT_EQ(a.received().size(), 1u);
  EXPECT_EQ(c.received().size(), 0u);
  a.transmit(frame_of(b.backend->mac(), a.backend->mac()));
  a.transmit(frame_of(kEverybody, a.backend->mac()));
  settle();
  EXPECT_EQ(b.received().size(), 2u);
  EXPECT_EQ(c.received().size(), 1u);
  // After five minutes of silence b may be anywhere.
  timeline.advance_to(timeline.now() + 301 * kPicosecondsPerSecond);
  a.transmit(frame_of(b.backend->mac(), a.backend->mac()));
  settle();
  EXPECT_EQ(c.received().size(), 1u);
}

TEST_F(XenNetTest, APacketInSeveralSlots) {
  a.connect();
  b.connect();
  b.post(8);
  const Bytes frame = frame_of(kEverybody, a.backend->mac(), 1400, 9);
  std::copy(frame.begin(), frame.begin() + 100, a.guest.frame(Station::kOut) + 50);
  std::copy(frame.begin() + 100, frame.begin() + 1000, a.guest.frame(Station::kOut + 1));
  std::copy(frame.begin() + 1000, frame.end(), a.guest.frame(Station::kOut + 2) + 4096 - 400);
  a.put_tx(a.out[0], 50, kMore | kValidated, 1, 1400);
  a.put_tx(a.out[1], 0, kMore, 2, 900);
  a.put_tx(a.out[2], 4096 - 400, 0, 3, 400);
  a.kick();
  EXPECT_EQ(a.answers(), (std::vector<int>{0, 0, 0}));
  settle();
  const auto slots = b.received();
  ASSERT_EQ(slots.size(), 1u);
  EXPECT_EQ(slots[0].bytes, frame);
  EXPECT_EQ(slots[0].flags, 1u) << "data validated";
}

TEST_F(XenNetTest, LargeFramesFillSeveralBuffers) {
  NetOptions options;
  options.mtu = 9000;
  Station big(4, timeline, server, network, options);
  big.connect();
  b.connect();
  const Bytes frame = frame_of(kEverybody, big.backend->mac(), 9000, 3);
  for (unsigned n = 0; n < 3; ++n) {
    const std::size_t part = std::min<std::size_t>(4096, 9000 - n * 4096);
    std::copy_n(frame.begin() + n * 4096, part, big.guest.frame(Station::kOut + n));
    big.put_tx(big.out[n], 0, n < 2 ? kMore : 0, static_cast<std::uint16_t>(n),
               static_cast<std::uint16_t>(n == 0 ? 9000 : part));
  }
  big.kick();
  settle();
  b.post(2);
  EXPECT_TRUE(b.received().empty()) << "two buffers are not enough";
  b.post(1);
  const auto slots = b.received();
  ASSERT_EQ(slots.size(), 3u);
  Bytes whole;
  for (const auto& slot : slots) whole.insert(whole.end(), slot.bytes.begin(), slot.bytes.end());
  EXPECT_EQ(whole, frame);
  EXPECT_EQ(slots[0].flags, 4u);
  EXPECT_EQ(slots[1].flags, 4u);
  EXPECT_EQ(slots[2].flags, 0u);
}

TEST_F(XenNetTest, PacketsThatAreNoneAreErrors) {
  a.connect();
  b.connect();
  b.post(8);
  const Bytes frame = frame_of(kEverybody, a.backend->mac());
  std::copy(frame.begin(), frame.end(), a.guest.frame(Station::kOut));
  a.put_tx(a.out[0], 0, 0, 1, 13);
  a.kick();
  EXPECT_EQ(a.answers(), std::vector<int>{-1}) << "shorter than a header";
  a.put_tx(9999, 0, 0, 1, 60);
  a.kick();
  EXPECT_EQ(a.answers(), std::vector<int>{-1}) << "not granted";
  a.put_tx(a.out[0], 0, kMore, 1, 100);
  a.put_tx(a.out[1], 0, 0, 2, 101);
  a.kick();
  EXPECT_EQ(a.answers(), (std::vector<int>{-1, -1})) << "the parts are more than the whole";
  for (unsigned n = 0; n < 19; ++n) {
    a.put_tx(a.out[0], 0, n < 18 ? kMore : 0, 1, static_cast<std::uint16_t>(n == 0 ? 1000 : 10));
  }
  a.kick();
  EXPECT_EQ(a.answers(), std::vector<int>(19, -1)) << "too many slots";
  a.put_tx(a.out[0], 0, kExtra, 1, 60);
  a.put_extra(2, 0);
  a.kick();
  EXPECT_EQ(a.answers(), (std::vector<int>{0, 1}));
  a.put_tx(a.out[0], 0, 0, 1, 1600);
  a.kick();
  EXPECT_EQ(a.answers(), std::vector<int>{0}) << "too long for the network, and lost there";
  EXPECT_EQ(a.backend->counts().dropped, 1u);
  settle();
  EXPECT_EQ(b.received().size(), 1u);
}

TEST_F(XenNetTest, FrontEndsThatBreakTheProtocolAreShutOut) {
  const std::vector<std::function<void()>> breaches = {
      [&] { a.put_tx(a.out[0], 4000, 0, 1, 100); },   // Beyond the page.
      [&] { a.put_tx(a.out[0], 0, kMore, 1, 100); },  // Goes on, and does not.
      [&] { a.put_tx(a.out[0], 0, kExtra, 1, 100); },
      [&] {
        a.put_tx(a.out[0], 0, kExtra, 1, 100);
        a.put_extra(0, 0);
      },
      [&] {
        a.put_tx(a.out[0], 0, kExtra, 1, 100);
        a.put_extra(1, 0, 0, 1);  // Segments of nothing.
      },
      [&] {
        a.put_tx(a.out[0], 0, kExtra, 1, 100);
        a.put_extra(1, 0, 1000, 3);  // As what?
      },
      [&] {
        for (int n = 0; n < 300; ++n) a.put_tx(a.out[0], 0, 0, 1, 60);
      },
  };
  for (const auto& breach : breaches) {
    a.connect();
    breach();
    a.kick();
    a.guest.send(a.tx_port);
    a.transmit(frame_of(kEverybody, a.backend->mac()));
    EXPECT_TRUE(a.answers().empty());
    a.state(6);
    EXPECT_EQ(a.guest.mappings(), 0u);
    a.state(1);
  }
  a.connect();
  a.transmit(frame_of(kEverybody, a.backend->mac()));
  EXPECT_EQ(a.answers(), std::vector<int>{0});
}

TEST_F(XenNetTest, FrontEndsWithoutWhatIsNeededAreClosed) {
  a.state(4);
  EXPECT_EQ(a.back("state"), "5");
  b.connect();
  b.set("feature-rx-notify", 0);
  b.state(6);
  b.state(1);
  b.state(4);
  EXPECT_EQ(b.back("state"), "5");
}

TEST_F(XenNetTest, WhoSendsTooFastWaitsAndLosesNothing) {
  a.connect();
  b.connect();
  const Bytes frame = frame_of(b.backend->mac(), a.backend->mac(), 1000);
  std::copy(frame.begin(), frame.end(), a.guest.frame(Station::kOut));
  for (unsigned n = 0; n < 200; ++n) a.put_tx(a.out[0], 0, 0, 1, 1000);
  a.kick();
  EXPECT_EQ(a.answers().size(), NetSwitch::kFramesInFlight);
  settle();
  EXPECT_EQ(a.answers().size(), 200 - NetSwitch::kFramesInFlight);
  b.post(255);
  EXPECT_EQ(b.received().size(), 200u);
}

TEST_F(XenNetTest, WhoTakesNothingLosesWhatIsTooMuch) {
  a.connect();
  b.connect();
  for (unsigned n = 0; n < 400; ++n) {
    a.transmit(frame_of(b.backend->mac(), a.backend->mac()));
    a.answers();
    settle();
  }
  EXPECT_EQ(b.backend->counts().dropped, 400u - 256u);
  b.post(255);
  EXPECT_EQ(b.received().size(), 255u);
}

TEST_F(XenNetTest, BuffersThatAreNotGrantedAreErrors) {
  a.connect();
  b.connect();
  b.guest.revoke(b.in[0]);
  b.post(2);
  a.transmit(frame_of(kEverybody, a.backend->mac()));
  a.transmit(frame_of(kEverybody, a.backend->mac()));
  settle();
  const auto slots = b.received();
  ASSERT_EQ(slots.size(), 2u);
  EXPECT_EQ(slots[0].status, -1);
  EXPECT_EQ(slots[1].status, 60);
  EXPECT_FALSE(b.guest.out_of_bounds);
}

TEST_F(XenNetTest, AReceiveIndexOutOfReachStopsTheRing) {
  a.connect();
  b.connect();
  b.guest.set_word(Station::kRx, 0, 0x1000'0000);
  a.transmit(frame_of(kEverybody, a.backend->mac()));
  settle();
  b.guest.set_word(Station::kRx, 0, 0);
  b.post(1);
  EXPECT_TRUE(b.received().empty());
}

// UDP over IPv4: 10.0.0.1:1 to 10.0.0.2:2, "hi!".
Bytes udp_frame(const MacAddress& from) {
  Bytes frame = frame_of(kEverybody, from, 45);
  const std::uint8_t packet[] = {0x08, 0x00, 0x45, 0,  0, 31, 0, 0,  0x40, 0,   64,
                                 17,   0,    0,    10, 0, 0,  1, 10, 0,    0,   2,
                                 0,    1,    0,    2,  0, 11, 0, 0,  'h',  'i', '!'};
  std::copy(std::begin(packet), std::end(packet), frame.begin() + 12);
  return frame;
}
// The pseudo-header, the header and the data, summed up by hand: 0a00+0001+0a00+0002+0011+000b,
// 0001+0002+000b, 6869+2100 are 9d96, whose complement is 6269.
constexpr std::uint8_t kSumHigh = 0x62, kSumLow = 0x69;

TEST_F(XenNetTest, ChecksumsLeftBlankStayBlankAndAreFilledForWhoCannot) {
  a.connect();
  b.connect();
  c.connect();
  c.state(6);
  c.state(1);
  c.set("feature-no-csum-offload", 1);
  c.connect();
  b.post(1);
  c.post(1);
  a.transmit(udp_frame(a.backend->mac()), kBlank | kValidated);
  settle();
  const auto blank = b.received(), filled = c.received();
  ASSERT_EQ(blank.size(), 1u);
  ASSERT_EQ(filled.size(), 1u);
  EXPECT_EQ(blank[0].flags, 3u);
  EXPECT_EQ(blank[0].bytes, udp_frame(a.backend->mac()));
  EXPECT_EQ(filled[0].flags, 0u);
  EXPECT_EQ(filled[0].bytes[40], kSumHigh);
  EXPECT_EQ(filled[0].bytes[41], kSumLow);
}

TEST(NetChecksumTest, FillsWhatItKnowsAndLeavesTheRest) {
  const MacAddress from = mac_address(1, 0);
  Bytes frame = udp_frame(from);
  EXPECT_TRUE(fill_checksum(frame));
  EXPECT_EQ(frame[40], kSumHigh);
  EXPECT_EQ(frame[41], kSumLow);
  // Padding at the end does not count.
  frame = udp_frame(from);
  frame.resize(60, 0xee);
  EXPECT_TRUE(fill_checksum(frame));
  EXPECT_EQ(frame[41], kSumLow);
  for (std::size_t size = 0; size < 45; ++size) {
    Bytes cut = udp_frame(from);
    cut.resize(size);
    const Bytes before = cut;
    EXPECT_FALSE(fill_checksum(cut)) << size;
    EXPECT_EQ(cut, before);
  }
  // A fragment, and a protocol without one of these checksums.
  frame = udp_frame(from);
  frame[20] = 0x20;
  EXPECT_FALSE(fill_checksum(frame));
  frame = udp_frame(from);
  frame[23] = 1;
  EXPECT_FALSE(fill_checksum(frame));
}

TEST(NetChecksumTest, TcpOverIpv6) {
  // Zeros but for the ports, so that the sum is that of the pseudo-header and these.
  Bytes frame(14 + 40 + 20, 0);
  frame[12] = 0x86;
  frame[13] = 0xdd;
  frame[14] = 0x60;
  frame[19] = 20;
  frame[20] = 6;
  frame[14 + 8 + 15] = 1;  // ::1 to ::2
  frame[14 + 24 + 15] = 2;
  frame[54] = 0x12;
  EXPECT_TRUE(fill_checksum(frame));
  // 1 + 2 + 6 + 20 + 0x1200 = 0x121d.
  EXPECT_EQ(frame[70], 0xed);
  EXPECT_EQ(frame[71], 0xe2);
  EXPECT_TRUE(is_ipv6(frame));
}

TEST_F(XenNetTest, ACaptureHasEveryFrameAndItsTime) {
  std::ostringstream file;
  PcapWriter capture(file);
  network.observe(capture);
  a.connect();
  const Time sent = timeline.now() + 2 * kPicosecondsPerSecond + 345'678'000;
  timeline.advance_to(sent);
  a.transmit(udp_frame(a.backend->mac()), kBlank);
  const std::string bytes = file.str();
  ASSERT_EQ(bytes.size(), 24u + 16 + 45);
  const auto* at = reinterpret_cast<const std::uint8_t*>(bytes.data());
  EXPECT_EQ(get_le<std::uint32_t>(at), 0xa1b2'3c4du);
  EXPECT_EQ(get_le<std::uint16_t>(at + 4), 2u);
  EXPECT_EQ(get_le<std::uint16_t>(at + 6), 4u);
  EXPECT_EQ(get_le<std::uint32_t>(at + 20), 1u);
  EXPECT_EQ(get_le<std::uint32_t>(at + 24), sent / kPicosecondsPerSecond);
  EXPECT_EQ(get_le<std::uint32_t>(at + 28), sent % kPicosecondsPerSecond / 1000);
  EXPECT_EQ(get_le<std::uint32_t>(at + 32), 45u);
  EXPECT_EQ(at[40 + 41], kSumLow) << "the blank checksum is filled in";
}

TEST(MacAddressTest, Texts) {
  EXPECT_EQ(parse_mac_address("00:16:3e:00:01:00"), mac_address(1, 0));
  for (const char* bad : {"", "00:16:3e:00:01", "00:16:3e:00:01:00:", "00:16:3e:00:01:0",
                          "01:16:3e:00:01:00", "00:00:00:00:00:00", "00:16:3e:00:01:0g",
                          "0x:16:3e:00:01:00", "00-16-3e-00-01-00", " 0:16:3e:00:01:00"}) {
    EXPECT_THROW(parse_mac_address(bad), std::invalid_argument) << bad;
  }
}

class CountingPort final : public NetPort {
 public:
  void receive(const NetFrame&) override { ++count; }
  unsigned count = 0;
};

TEST(NetSwitchTest, NoFloodOfAddressesFillsTheMemory) {
  Timeline timeline;
  NetSwitch network(timeline, "br");
  CountingPort flooder, victim;
  network.attach(flooder);
  network.attach(victim);
  for (unsigned n = 0; n < 5000; ++n) {
    ASSERT_TRUE(network.ready(flooder));
    network.send(flooder, {frame_of(kEverybody, mac_address(n, n & 0xff))});
    timeline.advance_to(timeline.now() + 100'000'000);
  }
  EXPECT_EQ(victim.count, 5000u);
  EXPECT_EQ(network.stations(), NetSwitch::kStations);
}

}  // namespace
}  // namespace trapline::xen
