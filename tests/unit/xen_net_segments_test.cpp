// TCP packets that are larger than the network's frames.
#include "sim/trap/xen/net_checksum.h"
#include "tests/unit/xen_net_fixture.h"

namespace trapline::xen {
namespace {

constexpr std::uint8_t kGsoExtra = 1, kTcpv4 = 1, kTcpv6 = 2;
constexpr std::uint8_t kFin = 1, kPsh = 8, kAck = 16, kCwr = 0x80;

std::uint32_t big(const Bytes& frame, std::size_t at, unsigned bytes) {
  std::uint32_t value = 0;
  for (unsigned n = 0; n < bytes; ++n) value = value << 8 | frame[at + n];
  return value;
}

void put_big(Bytes& frame, std::size_t at, unsigned bytes, std::uint32_t value) {
  for (unsigned n = bytes; n-- > 0; value >>= 8) {
    frame[at + n] = static_cast<std::uint8_t>(value);
  }
}

std::uint16_t ones_sum(const Bytes& frame, std::size_t from, std::size_t to, std::uint32_t start) {
  std::uint64_t total = start;
  for (std::size_t at = from; at < to; at += 2) {
    total += static_cast<unsigned>(frame[at] << 8) + (at + 1 < to ? frame[at + 1] : 0);
  }
  while (total >> 16) total = (total & 0xffff) + (total >> 16);
  return static_cast<std::uint16_t>(total);
}

// What a receiver checks: all sums are 0xffff.
bool sums_are_right(const Bytes& frame) {
  const bool v6 = frame[12] == 0x86;
  const std::size_t tcp = v6 ? 54 : 34;
  const auto length = static_cast<std::uint32_t>(frame.size() - tcp);
  const std::uint16_t pseudo =
      v6 ? ones_sum(frame, 22, 54, 6 + length) : ones_sum(frame, 26, 34, 6 + length);
  return (v6 || ones_sum(frame, 14, 34, 0) == 0xffff) &&
         ones_sum(frame, tcp, frame.size(), pseudo) == 0xffff;
}

// From 10.0.0.1:1000 to 10.0.0.2:2000, or ::1 to ::2, sequence number 0xfffffff0.
Bytes tcp_frame(const MacAddress& from, std::size_t payload, bool v6 = false) {
  const std::size_t tcp = v6 ? 54 : 34;
  Bytes frame = frame_of(kEverybody, from, tcp + 20 + payload, 0);
  if (v6) {
    put_big(frame, 12, 2, 0x86dd);
    frame[14] = 0x60;
    put_big(frame, 18, 2, static_cast<std::uint32_t>(20 + payload));
    frame[20] = 6;
    frame[37] = 1;
    frame[53] = 2;
  } else {
    put_big(frame, 12, 2, 0x0800);
    frame[14] = 0x45;
    put_big(frame, 16, 2, static_cast<std::uint32_t>(40 + payload));
    put_big(frame, 18, 2, 0xffff);  // Identification.
    frame[22] = 64;
    frame[23] = 6;
    put_big(frame, 26, 4, 0x0a000001);
    put_big(frame, 30, 4, 0x0a000002);
    put_big(frame, 24, 2, static_cast<std::uint16_t>(~ones_sum(frame, 14, 34, 0)));
  }
  put_big(frame, tcp, 2, 1000);
  put_big(frame, tcp + 2, 2, 2000);
  put_big(frame, tcp + 4, 4, 0xfffffff0);
  frame[tcp + 12] = 5 << 4;
  frame[tcp + 13] = kFin | kPsh | kAck | kCwr;
  for (std::size_t n = 0; n < payload; ++n) {
    frame[tcp + 20 + n] = static_cast<std::uint8_t>(n * 7 + n / 256);
  }
  return frame;
}

std::vector<Bytes> segment_tcp(std::span<const std::uint8_t> frame, std::size_t payload) {
  TcpSegments segments(frame, payload);
  std::vector<Bytes> made;
  while (segments.left() != 0) made.push_back(segments.next());
  return made;
}

TEST(TcpSegmentsTest, HeadersAreThoseOfEachSegment) {
  for (const bool v6 : {false, true}) {
    const std::size_t ip = 14, tcp = v6 ? 54 : 34, data = tcp + 20;
    Bytes whole = tcp_frame(mac_address(1, 0), 2500, v6);
    whole.resize(whole.size() + 9, 0xee);  // Padding.
    const std::vector<Bytes> segments = segment_tcp(whole, 1000);
    ASSERT_EQ(segments.size(), 3u);
    Bytes payload;
    for (std::size_t n = 0; n < 3; ++n) {
      const Bytes& segment = segments[n];
      ASSERT_EQ(segment.size(), data + (n < 2 ? 1000u : 500u));
      EXPECT_TRUE(std::equal(segment.begin(), segment.begin() + 14, whole.begin()));
      if (v6) {
        EXPECT_EQ(big(segment, ip + 4, 2), segment.size() - ip - 40);
      } else {
        EXPECT_EQ(big(segment, ip + 2, 2), segment.size() - ip);
        EXPECT_EQ(big(segment, ip + 4, 2), (0xffff + n) & 0xffff);
      }
      EXPECT_EQ(big(segment, tcp + 4, 4), static_cast<std::uint32_t>(0xfffffff0 + n * 1000));
      EXPECT_EQ(segment[tcp + 13], kAck | (n == 0 ? kCwr : 0) | (n == 2 ? kFin | kPsh : 0)) << n;
      EXPECT_TRUE(sums_are_right(segment)) << n;
      payload.insert(payload.end(), segment.begin() + static_cast<std::ptrdiff_t>(data),
                     segment.end());
    }
    EXPECT_TRUE(std::equal(payload.begin(), payload.end(),
                           whole.begin() + static_cast<std::ptrdiff_t>(data)));
    EXPECT_EQ(payload.size(), 2500u);
  }
}

TEST(TcpSegmentsTest, WhatIsNoWholeTcpPacketHasNone) {
  const Bytes whole = tcp_frame(mac_address(1, 0), 10);
  EXPECT_EQ(segment_tcp(whole, 1000).size(), 1u);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_TRUE(segment_tcp({whole.data(), size}, 1000).empty()) << size;
  }
  const auto changed = [&](std::size_t at, std::uint8_t value) {
    Bytes frame = whole;
    frame[at] = value;
    return segment_tcp(frame, 1000).size();
  };
  EXPECT_EQ(changed(23, 17), 0u) << "UDP";
  EXPECT_EQ(changed(20, 0x20), 0u) << "a fragment";
  EXPECT_EQ(changed(46, 4 << 4), 0u) << "a header that is too short";
  EXPECT_EQ(changed(46, 15 << 4), 0u) << "a header beyond the packet";
  EXPECT_EQ(changed(46, 7 << 4), 1u) << "options";
}

TEST(TcpSegmentsTest, ABlankChecksumIsThePseudoHeaders) {
  Bytes frame = tcp_frame(mac_address(1, 0), 10);
  EXPECT_TRUE(blank_checksum(frame));
  EXPECT_EQ(big(frame, 50, 2), ones_sum(frame, 26, 34, 6 + 30));
}

class XenNetSegmentsTest : public testing::Test {
 protected:
  XenNetSegmentsTest() { a.connect(); }

  void settle() { timeline.advance_to(timeline.now() + 1'000'000'000); }
  static void connect(Station& station, bool v4, bool v6) {
    station.set("feature-gso-tcpv4", v4);
    station.set("feature-gso-tcpv6", v6);
    station.set("feature-ipv6-csum-offload", 1);
    station.connect();
    station.post(16);
  }
  // One packet of up to four pages, with the extra slot.
  void transmit(const Bytes& frame, std::uint16_t size, std::uint8_t type,
                std::uint16_t flags = kBlank | kValidated) {
    std::size_t pages = (frame.size() + kPageBytes - 1) / kPageBytes;
    for (std::size_t n = 0; n < pages; ++n) {
      const std::size_t part = std::min(kPageBytes, frame.size() - n * kPageBytes);
      std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(n * kPageBytes), part,
                  a.guest.frame(Station::kOut + n));
      const std::uint16_t more = n + 1 < pages ? kMore : 0;
      const std::size_t bytes = n == 0 ? frame.size() : part;
      a.put_tx(a.out[n], 0, static_cast<std::uint16_t>(more | (n == 0 ? kExtra | flags : 0)),
               static_cast<std::uint16_t>(n), static_cast<std::uint16_t>(bytes));
      if (n == 0) a.put_extra(kGsoExtra, 0, size, type);
    }
    a.kick();
  }

  Timeline timeline;
  XenstoreServer server{timeline};
  NetSwitch network{timeline, "xenbr0"};
  Station a{1, timeline, server, network}, b{2, timeline, server, network};
};

TEST_F(XenNetSegmentsTest, WhoTakesLargePacketsGetsThemWhole) {
  for (const bool v6 : {false, true}) {
    b.state(6);
    b.state(1);
    connect(b, true, true);
    Bytes frame = tcp_frame(a.backend->mac(), 9000, v6);
    blank_checksum(frame);
    transmit(frame, 1400, v6 ? kTcpv6 : kTcpv4);
    EXPECT_EQ(a.answers(), (std::vector<int>{0, 1, 0, 0}));
    settle();
    const auto slots = b.received();
    ASSERT_EQ(slots.size(), 4u);
    EXPECT_EQ(slots[0].flags, 1u | 2u | 4u | 8u) << "validated, blank, more, extra";
    EXPECT_EQ(slots[1].raw,
              (Bytes{kGsoExtra, 0, 1400 & 0xff, 1400 >> 8, v6 ? kTcpv6 : kTcpv4, 0, 0, 0}));
    EXPECT_EQ(slots[2].flags, 4u);
    EXPECT_EQ(slots[3].flags, 0u);
    Bytes whole = slots[0].bytes;
    for (unsigned n : {2, 3}) {
      whole.insert(whole.end(), slots[n].bytes.begin(), slots[n].bytes.end());
    }
    EXPECT_EQ(whole, frame);
  }
}

TEST_F(XenNetSegmentsTest, OthersGetSegments) {
  // Of both kinds, the one it does not take.
  for (const bool v6 : {false, true}) {
    b.state(6);
    b.state(1);
    connect(b, v6, !v6);
    transmit(tcp_frame(a.backend->mac(), 3000, v6), 1400, v6 ? kTcpv6 : kTcpv4);
    EXPECT_EQ(a.answers(), (std::vector<int>{0, 1}));
    settle();
    const auto slots = b.received();
    ASSERT_EQ(slots.size(), 3u);
    std::size_t total = 0;
    for (const auto& slot : slots) {
      EXPECT_EQ(slot.flags, 1u) << "validated";
      EXPECT_TRUE(sums_are_right(slot.bytes));
      total += slot.bytes.size() - (v6 ? 74 : 54);
    }
    EXPECT_EQ(total, 3000u);
  }
}

TEST_F(XenNetSegmentsTest, LargePacketsNeedScatterGather) {
  b.set("feature-gso-tcpv4", 1);
  b.connect();
  b.state(6);
  b.state(1);
  b.connect();
  b.set("feature-sg", 0);
  b.state(6);
  b.state(1);
  b.state(4);
  b.post(4);
  EXPECT_EQ(b.back("state"), "4");
  transmit(tcp_frame(a.backend->mac(), 2000), 1400, kTcpv4);
  settle();
  EXPECT_EQ(b.received().size(), 2u);
}

TEST_F(XenNetSegmentsTest, TheExtraSlotNeedsABuffer) {
  b.set("feature-gso-tcpv4", 1);
  b.connect();
  b.post(1);
  transmit(tcp_frame(a.backend->mac(), 2000), 1400, kTcpv4);
  settle();
  EXPECT_TRUE(b.received().empty());
  b.post(1);
  EXPECT_EQ(b.received().size(), 2u);
}

TEST_F(XenNetSegmentsTest, ASumThatWasNotLeftBlankIs) {
  connect(b, true, true);
  const Bytes frame = tcp_frame(a.backend->mac(), 2000);
  transmit(frame, 1400, kTcpv4, 0);
  settle();
  const auto slots = b.received();
  ASSERT_EQ(slots.size(), 2u);
  EXPECT_EQ(slots[0].flags, 1u | 2u | 8u);
  Bytes blank = frame;
  blank_checksum(blank);
  EXPECT_EQ(slots[0].bytes, blank);
}

TEST_F(XenNetSegmentsTest, WhatCannotBeSegmentedIsLost) {
  connect(b, true, true);
  const Bytes frame = tcp_frame(a.backend->mac(), 2000);
  transmit(frame, 1461, kTcpv4);
  transmit(frame, 1400, kTcpv6);
  transmit(frame_of(kEverybody, a.backend->mac(), 2000), 1400, kTcpv4);
  EXPECT_EQ(a.answers(), (std::vector<int>{0, 1, 0, 1, 0, 1}));
  EXPECT_EQ(a.backend->counts().dropped, 3u);
  settle();
  EXPECT_TRUE(b.received().empty());
}

TEST_F(XenNetSegmentsTest, EachProtocolHasItsOwnChecksums) {
  b.set("feature-no-csum-offload", 1);  // IPv4's.
  connect(b, true, true);
  Bytes frame = tcp_frame(a.backend->mac(), 2000, true);
  blank_checksum(frame);
  transmit(frame, 1400, kTcpv6);
  settle();
  auto slots = b.received();
  ASSERT_EQ(slots.size(), 2u);
  EXPECT_EQ(slots[0].flags, 1u | 2u | 8u) << "what is to be segmented has a blank sum";
  EXPECT_EQ(slots[0].bytes, frame);
  // And the other way round.
  transmit(tcp_frame(a.backend->mac(), 1000), 1400, kTcpv4);
  settle();
  slots = b.received();
  ASSERT_EQ(slots.size(), 1u);
  EXPECT_EQ(slots[0].flags, 1u) << "validated";
  EXPECT_TRUE(sums_are_right(slots[0].bytes));
}

TEST_F(XenNetSegmentsTest, SegmentsThatHaveNoRoomAreNotMade) {
  // Nobody is there: all are lost.
  transmit(tcp_frame(a.backend->mac(), 16'000), 1, kTcpv4);
  EXPECT_EQ(a.answers(), (std::vector<int>{0, 1, 0, 0, 0}));
  settle();
  EXPECT_EQ(b.backend->counts().dropped, 16'000u);
  b.connect();
  transmit(tcp_frame(a.backend->mac(), 16'000), 1, kTcpv4);
  settle();
  const std::uint64_t lost = b.backend->counts().dropped - 16'000;
  b.post(16);
  EXPECT_EQ(b.received().size(), 16u);
  EXPECT_GT(lost, 14'000u);
  EXPECT_LT(lost, 16'000u);
}

TEST_F(XenNetSegmentsTest, WhatWaitsIsBoundedInBytes) {
  b.set("feature-gso-tcpv4", 1);
  b.connect();
  for (unsigned n = 0; n < 100; ++n) {
    transmit(tcp_frame(a.backend->mac(), 16'000), 1400, kTcpv4);
    a.answers();
    settle();
  }
  const std::uint64_t kept = 100 - b.backend->counts().dropped;
  EXPECT_EQ(kept, (128 * kPageBytes + 16'053) / 16'054);
}

}  // namespace
}  // namespace trapline::xen
