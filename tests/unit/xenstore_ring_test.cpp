#include "sim/trap/xen/xenstore_ring.h"

#include <gtest/gtest.h>

#include <string>

#include "sim/trap/xen/xenbus.h"
#include "tests/unit/xen_fake_guest.h"

namespace trapline::xen {
namespace {

using namespace std::string_literals;

constexpr DomId kOne = 1;

// Through the page, byte by byte.
class XenstoreRingTest : public testing::Test {
 protected:
  static constexpr Gfn kPage = 3;

  XenstoreRingTest() { write_domain_nodes(server, {kOne, "one", "", 65536, 1, 0, 0}); }

  std::string message(XsType type, const std::string& payload, std::uint32_t id = 1) {
    std::uint8_t header[kXsHeaderBytes];
    put_le(header, static_cast<std::uint32_t>(type));
    put_le(header + 4, id);
    put_le(header + 8, std::uint32_t{0});
    put_le(header + 12, static_cast<std::uint32_t>(payload.size()));
    return std::string(header, header + sizeof header) + payload;
  }
  // Puts what there is room for; the rest is returned.
  std::string put(const std::string& bytes) {
    std::uint32_t producer = guest.word(kPage, kXsReqProd);
    std::size_t n = 0;
    for (; n < bytes.size() && producer - guest.word(kPage, kXsReqCons) < kXsRingBytes; ++n) {
      guest.frame(kPage)[producer++ % kXsRingBytes] = static_cast<std::uint8_t>(bytes[n]);
    }
    guest.set_word(kPage, kXsReqProd, producer);
    guest.send(ring.port());
    return bytes.substr(n);
  }
  std::string get() {
    std::string bytes;
    std::uint32_t consumer = guest.word(kPage, kXsRspCons);
    for (; consumer != guest.word(kPage, kXsRspProd); ++consumer) {
      bytes += static_cast<char>(guest.frame(kPage)[1024 + consumer % kXsRingBytes]);
    }
    guest.set_word(kPage, kXsRspCons, consumer);
    guest.send(ring.port());
    return bytes;
  }
  void wait() { timeline.advance_to(timeline.now() + server.timing().request); }

  Timeline timeline;
  XenstoreServer server{timeline};
  FakeGuest guest;
  XenstoreRing ring{server, kOne, guest, kPage, guest};
};

TEST_F(XenstoreRingTest, AnswersInVirtualTime) {
  EXPECT_EQ(guest.word(kPage, kXsFeatures), kXsAllFeatures);
  EXPECT_EQ(put(message(XsType::read, "name\0"s, 7)), "");
  EXPECT_EQ(get(), "");
  timeline.advance_to(timeline.now() + server.timing().request - 1);
  EXPECT_EQ(get(), "");
  guest.events(ring.port());
  timeline.advance_to(timeline.now() + 1);
  EXPECT_EQ(guest.events(ring.port()), 1u);
  EXPECT_EQ(get(), message(XsType::read, "one", 7));
}

TEST_F(XenstoreRingTest, MessagesInPiecesAndAroundTheEnd) {
  guest.set_word(kPage, kXsReqCons, 0xffff'fff0);
  guest.set_word(kPage, kXsReqProd, 0xffff'fff0);
  guest.set_word(kPage, kXsRspCons, 0xffff'fffc);
  guest.set_word(kPage, kXsRspProd, 0xffff'fffc);
  const std::string value(1800, 'v');
  std::string rest = message(XsType::write, "data/big\0"s + value);
  while (!rest.empty()) {
    rest = put(rest);
    wait();
  }
  EXPECT_EQ(get(), message(XsType::write, "OK\0"s));
  put(message(XsType::read, "data/big\0"s));
  std::string answer;
  for (int n = 0; n < 4; ++n) {
    wait();
    answer += get();
  }
  EXPECT_EQ(answer, message(XsType::read, value));
}

TEST_F(XenstoreRingTest, ADomainThatTakesNoRepliesIsNotReadOn) {
  std::string sent;
  for (int n = 0; n < 2000; ++n) sent += message(XsType::read, "name\0"s);
  for (int n = 0; n < 100; ++n) {
    sent = put(sent);
    wait();
  }
  // The ring is full of requests, and of replies; a bounded number of them waits.
  EXPECT_EQ(guest.word(kPage, kXsReqProd) - guest.word(kPage, kXsReqCons), kXsRingBytes);
  EXPECT_EQ(guest.word(kPage, kXsRspProd) - guest.word(kPage, kXsRspCons), kXsRingBytes);
  EXPECT_GT(sent.size(), 1850u * 21);
  std::string replies;
  for (int n = 0; n < 400; ++n) {
    replies += get();
    sent = put(sent);
    wait();
  }
  EXPECT_EQ(replies.size(), 2000 * message(XsType::read, "one").size());
}

TEST_F(XenstoreRingTest, AnothersPageThatIsMappedOverTheRingIsLeftAlone) {
  guest.mapped_over = kPage;
  put(message(XsType::read, "name\0"s));
  const FakeGuest::Page before = *reinterpret_cast<FakeGuest::Page*>(guest.frame(kPage));
  wait();
  EXPECT_EQ(before, *reinterpret_cast<FakeGuest::Page*>(guest.frame(kPage)));
  guest.mapped_over = ~Gfn{0};
  guest.send(ring.port());
  wait();
  EXPECT_EQ(get(), message(XsType::read, "one"));
}

TEST_F(XenstoreRingTest, IndexesOutOfReachEndTheConnection) {
  guest.set_word(kPage, kXsReqProd, guest.word(kPage, kXsReqCons) + kXsRingBytes + 1);
  guest.send(ring.port());
  wait();
  EXPECT_EQ(guest.word(kPage, kXsErrorField), kXsErrorRingIndex);
  guest.set_word(kPage, kXsReqProd, guest.word(kPage, kXsReqCons));
  put(message(XsType::read, "name\0"s));
  wait();
  EXPECT_EQ(get(), "");
  // Until it reconnects.
  guest.set_word(kPage, kXsConnection, kXsReconnect);
  guest.send(ring.port());
  wait();
  EXPECT_EQ(guest.word(kPage, kXsConnection), kXsConnected);
  EXPECT_EQ(guest.word(kPage, kXsErrorField), kXsErrorNone);
  EXPECT_EQ(guest.word(kPage, kXsReqProd), 0u);
  put(message(XsType::read, "name\0"s));
  wait();
  EXPECT_EQ(get(), message(XsType::read, "one"));
}

TEST_F(XenstoreRingTest, ResponseIndexesOutOfReachToo) {
  put(message(XsType::read, "name\0"s));
  guest.set_word(kPage, kXsRspCons, 1);
  wait();
  EXPECT_EQ(guest.word(kPage, kXsErrorField), kXsErrorRingIndex);
}

TEST_F(XenstoreRingTest, LongMessagesEndTheConnection) {
  std::string header = message(XsType::read, "");
  header[12] = 1;
  header[13] = 0x10;
  put(header);
  wait();
  EXPECT_EQ(guest.word(kPage, kXsErrorField), kXsErrorProtocol);
}

TEST_F(XenstoreRingTest, ReconnectingDropsWatchesAndHalfMessages) {
  put(message(XsType::watch, "data\0t\0"s));
  wait();
  get();
  put(message(XsType::read, "name\0"s).substr(0, 18));
  wait();
  guest.set_word(kPage, kXsConnection, kXsReconnect);
  guest.send(ring.port());
  wait();
  XenstoreClient(server).write("/local/domain/1/data", "1");
  put(message(XsType::read, "name\0"s, 5));
  wait();
  EXPECT_EQ(get(), message(XsType::read, "one", 5));
}

TEST_F(XenstoreRingTest, EventsComeWithoutBeingAskedFor) {
  put(message(XsType::watch, "memory/target\0t\0"s));
  wait();
  get();
  XenstoreClient(server).write("/local/domain/1/memory/target", "1");
  wait();
  EXPECT_EQ(get(), message(XsType::watch_event, "memory/target\0t\0"s, 0));
}

TEST_F(XenstoreRingTest, APageThatIsGoneIsNotTouched) {
  put(message(XsType::read, "name\0"s));
  guest.give_up(kPage);
  wait();
  XenstoreClient(server).write("/local/domain/1/memory/target", "1");
  wait();
  EXPECT_FALSE(guest.out_of_bounds);
}

}  // namespace
}  // namespace trapline::xen
