#include "sim/trap/xen/console_backend.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/xen_fake_guest.h"

namespace trapline::xen {
namespace {

constexpr Gfn kPage = 2;
constexpr std::size_t kInCons = 3072, kInProd = 3076, kOutCons = 3080, kOutProd = 3084;

class XenConsoleTest : public testing::Test, protected CharacterPort, protected Sink {
 protected:
  void transmit(std::uint8_t byte) override { output += static_cast<char>(byte); }
  void on_event(const Event& event) override {
    EXPECT_EQ(event.kind, EventKind::uart_line);
    EXPECT_EQ(event.a, 4u);
    lines.emplace_back(event.text);
  }
  // As a driver writes; what finds no room is returned.
  std::string write(const std::string& text) {
    std::uint32_t producer = guest.word(kPage, kOutProd);
    std::size_t n = 0;
    for (; n < text.size() && producer - guest.word(kPage, kOutCons) < 2048; ++n) {
      guest.frame(kPage)[1024 + producer++ % 2048] = static_cast<std::uint8_t>(text[n]);
    }
    guest.set_word(kPage, kOutProd, producer);
    return text.substr(n);
  }
  std::string read() {
    std::string text;
    std::uint32_t consumer = guest.word(kPage, kInCons);
    for (; consumer != guest.word(kPage, kInProd); ++consumer) {
      text += static_cast<char>(guest.frame(kPage)[consumer % 1024]);
    }
    guest.set_word(kPage, kInCons, consumer);
    return text;
  }

  FakeGuest guest;
  std::string output;
  std::vector<std::string> lines;
  ConsoleBackend console{guest, kPage, guest, *this, this, 4};
};

TEST_F(XenConsoleTest, OutputIsTakenWhenTheGuestSaysSo) {
  EXPECT_EQ(write("hello\r\nwor"), "");
  EXPECT_EQ(output, "");
  guest.send(console.port());
  EXPECT_EQ(output, "hello\r\nwor");
  EXPECT_EQ(guest.word(kPage, kOutCons), 10u);
  EXPECT_EQ(guest.events(console.port()), 1u) << "a writer may wait for room";
  EXPECT_EQ(lines, std::vector<std::string>{"hello"});
  guest.send(console.port());
  EXPECT_EQ(guest.events(console.port()), 0u);
  write("ld\n");
  guest.send(console.port());
  EXPECT_EQ(lines, (std::vector<std::string>{"hello", "world"}));
}

TEST_F(XenConsoleTest, WhatIsLeftAtTheEndIsNotLost) {
  write("no newline");
  console.flush();
  EXPECT_EQ(output, "no newline");
  EXPECT_EQ(lines, std::vector<std::string>{"no newline"});
}

TEST_F(XenConsoleTest, LongOutputPassesThroughTheRingAroundItsEnd) {
  guest.set_word(kPage, kOutCons, 0xffff'fc00);
  guest.set_word(kPage, kOutProd, 0xffff'fc00);
  std::string text(10'000, 'x');
  for (std::size_t n = 0; n < text.size(); ++n) text[n] = static_cast<char>('a' + n % 26);
  for (std::string rest = text; !rest.empty();) {
    rest = write(rest);
    guest.send(console.port());
  }
  EXPECT_EQ(output, text);
  EXPECT_EQ(lines, (std::vector<std::string>{text.substr(0, 4096), text.substr(4096, 4096)}));
}

TEST_F(XenConsoleTest, InputWaitsWhileTheRingIsFull) {
  unsigned taken = 0;
  while (console.receive(static_cast<std::uint8_t>('a' + taken % 26)) && taken < 5000) ++taken;
  EXPECT_EQ(taken, 1024u);
  EXPECT_EQ(guest.events(console.port()), 1024u);
  const std::string text = read();
  EXPECT_EQ(text.size(), 1024u);
  EXPECT_EQ(text.substr(0, 3), "abc");
  EXPECT_TRUE(console.receive('!'));
  EXPECT_EQ(read(), "!");
}

TEST_F(XenConsoleTest, IndexesThatMakeNoSenseAreWaitedOut) {
  guest.set_word(kPage, kOutProd, 2049);
  guest.send(console.port());
  EXPECT_EQ(output, "");
  guest.set_word(kPage, kOutProd, 0x8000'0000);
  guest.send(console.port());
  EXPECT_EQ(output, "");
  guest.set_word(kPage, kInCons, 1);
  EXPECT_FALSE(console.receive('x'));
  guest.set_word(kPage, kInCons, 0);
  guest.set_word(kPage, kOutProd, 0);
  write("ok");
  guest.send(console.port());
  EXPECT_EQ(output, "ok");
  EXPECT_TRUE(console.receive('x'));
}

TEST_F(XenConsoleTest, AnothersPageThatIsMappedOverTheRingIsLeftAlone) {
  write("not a ring");
  const FakeGuest::Page before = *reinterpret_cast<FakeGuest::Page*>(guest.frame(kPage));
  guest.mapped_over = kPage;
  guest.send(console.port());
  EXPECT_FALSE(console.receive('x'));
  console.flush();
  EXPECT_EQ(output, "");
  EXPECT_EQ(before, *reinterpret_cast<FakeGuest::Page*>(guest.frame(kPage)));
  guest.mapped_over = ~Gfn{0};
  console.flush();
  EXPECT_EQ(output, "not a ring");
}

TEST_F(XenConsoleTest, APageThatIsGoneTakesNothing) {
  guest.give_up(kPage);
  guest.send(console.port());
  EXPECT_FALSE(console.receive('x'));
  console.flush();
  EXPECT_EQ(output, "");
}

}  // namespace
}  // namespace trapline::xen
