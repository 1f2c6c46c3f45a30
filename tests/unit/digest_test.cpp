#include "sim/trace/digest.h"

#include <gtest/gtest.h>

#include "sim/trace/hub.h"

namespace trapline {
namespace {

Event sample() {
  Event event;
  event.kind = EventKind::mmio;
  event.cpu = 1;
  event.el = El::el1;
  event.vmid = 2;
  event.instructions = 3;
  event.cycles = 4;
  event.a = 5;
  event.b = 6;
  event.c = 7;
  event.d = 8;
  event.text = "text";
  return event;
}

std::string of(const Event& event) {
  Digest digest;
  digest.add(event);
  return digest.text();
}

TEST(Digest, EveryFieldCounts) {
  const std::string base = of(sample());
  const auto changed = [&](auto change) {
    Event event = sample();
    change(event);
    return of(event) != base;
  };
  EXPECT_EQ(of(sample()), base);
  EXPECT_TRUE(changed([](Event& e) { e.kind = EventKind::psci; }));
  EXPECT_TRUE(changed([](Event& e) { e.cpu = 0; }));
  EXPECT_TRUE(changed([](Event& e) { e.el = El::el2; }));
  EXPECT_TRUE(changed([](Event& e) { e.vmid = 3; }));
  EXPECT_TRUE(changed([](Event& e) { e.instructions = 4; }));
  EXPECT_TRUE(changed([](Event& e) { e.cycles = 5; }));
  EXPECT_TRUE(changed([](Event& e) { e.a = 6; }));
  EXPECT_TRUE(changed([](Event& e) { e.b = 7; }));
  EXPECT_TRUE(changed([](Event& e) { e.c = 8; }));
  EXPECT_TRUE(changed([](Event& e) { e.d = 1ull << 63; }));
  EXPECT_TRUE(changed([](Event& e) { e.text = "Text"; }));
  EXPECT_TRUE(changed([](Event& e) { e.text = {}; }));
}

TEST(Digest, OrderCounts) {
  Event other = sample();
  other.a = 9;
  Digest one, two;
  one.add(sample());
  one.add(other);
  two.add(other);
  two.add(sample());
  EXPECT_NE(one.text(), two.text());
  EXPECT_EQ(one.events(), 2u);
}

TEST(Digest, TextIs32HexadecimalDigitsAndResetStartsAgain) {
  Digest digest;
  const std::string empty = digest.text();
  EXPECT_EQ(empty.size(), 32u);
  EXPECT_EQ(empty.find_first_not_of("0123456789abcdef"), std::string::npos);
  digest.add(sample());
  EXPECT_NE(digest.text(), empty);
  EXPECT_EQ(digest.text().substr(16), of(sample()).substr(16));
  digest.reset();
  EXPECT_EQ(digest.text(), empty);
  EXPECT_EQ(digest.events(), 0u);
}

/// The value is part of what users compare between hosts and versions: it must never drift.
TEST(Digest, IsTheSameOnEveryHost) {
  Digest digest;
  digest.add("abc", 3);
  EXPECT_EQ(digest.text(), "06b05ab6733a618578af5f94892f3950");  // XXH3-128 of "abc".
}

class Recorder final : public Sink {
 public:
  void on_event(const Event& event) override { seen.push_back(event); }
  std::vector<Event> seen;
};

class Stamp final : public StampSource {
 public:
  void stamp(Event& event) const override { event.instructions = 42; }
};

TEST(EventHub, StampsDigestsAndHandsOnInOrder) {
  EventHub hub, silent;
  Recorder first, second;
  Stamp stamp;
  for (EventHub* each : {&hub, &silent}) each->set_source(&stamp);
  hub.attach(first);
  hub.attach(second);
  hub.on_event(sample());
  silent.on_event(sample());
  ASSERT_EQ(first.seen.size(), 1u);
  ASSERT_EQ(second.seen.size(), 1u);
  EXPECT_EQ(first.seen[0].instructions, 42u);
  EXPECT_EQ(hub.digest().text(), silent.digest().text()) << "an observer changes nothing";
}

}  // namespace
}  // namespace trapline
