#include "sim/trace/event_text.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "sim/trace/event_schema.h"
#include "sim/trace/hub.h"

namespace trapline {
namespace {

TEST(EventText, NamesWhereAnExceptionCameFromAndWentTo) {
  Event event{.kind = EventKind::exception_entry, .cpu = 2, .el = El::el1, .vmid = 3};
  event.instructions = 1000;
  event.cycles = 1500;
  event.a = 2 << 8 | 1;
  event.b = 0x5a000ea1;
  event.c = 0xffff800008000000;
  EXPECT_EQ(event_text(event),
            "cpu2 EL1 vmid 3 insn 1000 cycle 1500 exception-entry from=EL1 to=EL2 "
            "syndrome=0x5a000ea1:hvc elr=0xffff800008000000 far=0x0");
}

TEST(EventText, TakesSizeAndDirectionOfAnAccessApart) {
  Event event{.kind = EventKind::mmio};
  event.a = 0x9000000;
  event.b = 0x41;
  event.c = 4 << 1 | 1;
  EXPECT_EQ(event_text(event),
            "cpu0 EL0 vmid 0 insn 0 cycle 0 mmio write=1 size=4 address=0x9000000 value=0x41");
}

TEST(EventText, KeepsAGuestsTextOnOneLine) {
  Event event{.kind = EventKind::uart_line};
  event.text = "a\033[1m\"b\"\n";
  EXPECT_EQ(event_text(event),
            "cpu0 EL0 vmid 0 insn 0 cycle 0 uart-line uart=0 text=\"a\\x1b[1m\\x22b\\x22\\x0a\"");
}

TEST(EventText, NamesTheHypercallsOfXenAndTheirCommands) {
  Event event{.kind = EventKind::xen_call, .el = El::el1, .vmid = 1};
  event.a = 32;
  event.b = 4;
  event.c = 0xffff800011223344;
  std::string text =
      "cpu0 EL1 vmid 1 insn 0 cycle 0 xen-call number=0x20:event_channel_op "
      "x0=0x4:send x1=0xffff800011223344 x2=0x0";
  EXPECT_EQ(event_text(event), text);
  EXPECT_EQ(parse_event_text(text).event.b, 4u);

  // The rest of a call that was preempted has a count above the command.
  EXPECT_EQ(xen_command_name(12, 0x47), "add_to_physmap");
  // No command, no name, no hypercall.
  event.a = 36;
  EXPECT_NE(event_text(event).find("number=0x24:domctl x0=0x4 "), std::string::npos);
  event.a = 32;
  event.b = 99;
  EXPECT_NE(event_text(event).find("x0=0x63 "), std::string::npos);
  event.a = 99;
  EXPECT_NE(event_text(event).find("number=0x63 "), std::string::npos);
  EXPECT_EQ(parse_event_text(event_text(event)).event.a, 99u);

  text.replace(text.find("send"), 4, "close");
  EXPECT_THROW(parse_event_text(text), std::invalid_argument);
}

TEST(EventText, GivesEveryKindANameOfItsOwn) {
  std::set<std::string> names;
  for (unsigned kind = 1; kind <= event_schemas().size(); ++kind) {
    const std::string name(event_kind_name(static_cast<EventKind>(kind)));
    EXPECT_NE(name, "unknown") << kind;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
}

TEST(EventText, NamesTheClassOfASyndromeAndTheKindOfAnInterrupt) {
  EXPECT_EQ(syndrome_name(0x93c08007), "data-abort-lower");
  EXPECT_EQ(syndrome_name(0x80), "irq");
  EXPECT_EQ(syndrome_name(0x101), "virtual-fiq");
  EXPECT_EQ(syndrome_name(0x02000000), "unknown");
}

TEST(EventHub, WhoWatchesSeesStampedEventsInOrderAndLeavesTheDigestAlone) {
  class Stamp final : public StampSource {
    void stamp(Event& event) const override { event.instructions = 7; }
  } stamp;
  class Lines final : public Sink {
   public:
    void on_event(const Event& event) override { text += event_text(event) + '\n'; }
    std::string text;
  } lines;
  EventHub watched, alone;
  watched.attach(lines);
  for (EventHub* hub : {&watched, &alone}) {
    hub->set_source(&stamp);
    hub->on_event({.kind = EventKind::wake});
    hub->on_event({.kind = EventKind::wait});
  }
  EXPECT_EQ(lines.text,
            "cpu0 EL0 vmid 0 insn 7 cycle 0 wake wfe=0 time=0\ncpu0 EL0 vmid 0 insn 7 cycle 0 wait wfe=0\n");
  EXPECT_EQ(watched.digest().text(), alone.digest().text());
}

TEST(EventHub, ObservedEventsAreForThoseWhoAskAndNoPartOfTheDigest) {
  class Markers final : public Sink {
   public:
    void on_event(const Event& event) override { seen.push_back(event.a); }
    bool wants(EventKind kind) const override { return kind == EventKind::marker; }
    std::vector<std::uint64_t> seen;
  } markers;
  EventHub hub, alone;
  hub.attach(markers);
  EXPECT_TRUE(hub.wants(EventKind::marker));
  EXPECT_FALSE(hub.wants(EventKind::sysreg_write));
  EXPECT_FALSE(alone.wants(EventKind::marker));
  hub.observe({.kind = EventKind::marker, .a = 5});
  EXPECT_EQ(markers.seen, std::vector<std::uint64_t>{5});
  EXPECT_EQ(hub.digest().text(), alone.digest().text());
}

TEST(EventText, ARegisterIsOneWordThatIsReadBackWhateverItIs) {
  for (unsigned key = 0; key <= 0xffff; key += 7) {
    const Event event{.kind = EventKind::sysreg_write, .a = key, .b = 1};
    const StoredEvent back = parse_event_text(event_text(event));
    ASSERT_EQ(back.event.a, key) << event_text(event);
  }
}

}  // namespace
}  // namespace trapline
