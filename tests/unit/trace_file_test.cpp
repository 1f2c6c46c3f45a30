#include "sim/trace/trace_file.h"

#include <gtest/gtest.h>

#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "sim/trace/event_schema.h"

namespace trapline {
namespace {

/// Events of every kind with every field in use, several CPUs, and texts that need quoting.
std::vector<StoredEvent> sample_events(unsigned count) {
  std::mt19937_64 random(7);
  std::vector<StoredEvent> events;
  std::uint64_t instructions = 0;
  const auto schemas = event_schemas();
  for (unsigned n = 0; n < count; ++n) {
    const EventSchema& schema = schemas[n % schemas.size()];
    StoredEvent stored;
    stored.event.kind = schema.kind;
    stored.event.cpu = static_cast<std::uint8_t>(random() % 4);
    stored.event.el = static_cast<El>(random() % 3);
    stored.event.vmid = static_cast<std::uint16_t>(random() % 3 ? 0 : random());
    stored.event.instructions = instructions += random() % 100'000;
    stored.event.cycles = instructions * 2;
    for (const EventField& field : schema.fields()) {
      std::uint64_t value = random() >> (random() % 64);
      if (field.form == FieldForm::sysreg) value = (value & 0x7fff) | 0x8000;  // op0 2 or 3.
      if (field.width < 64) value &= (std::uint64_t{1} << field.width) - 1;
      EXPECT_TRUE(field.set(stored.event, value));
    }
    if (schema.kind == EventKind::uart_line) stored.text = "a \"quoted\" \\ line\n\x01\xff";
    events.push_back(stored);
  }
  return events;
}

TraceHeader header() {
  return {.facts = {{"machine", "virt"}, {"image.kernel", "0123 a file with spaces"}},
          .events = EventSet::any()};
}

std::string written(TraceFormat format, const std::vector<StoredEvent>& events, bool whole = true) {
  std::string bytes;
  TraceWriter writer(format, header(), [&](std::string_view part) { bytes += part; });
  for (const StoredEvent& stored : events) writer.on_event(stored.view());
  if (whole) writer.finish("00ff");
  return bytes;
}

struct ReadBack {
  TraceHeader header;
  std::vector<StoredEvent> events;
  std::optional<TraceEnd> end;
};

ReadBack read(const std::string& bytes) {
  std::istringstream input(bytes);
  TraceReader reader(input, "t.trace");
  ReadBack back{reader.header(), {}, {}};
  for (StoredEvent event; reader.next(event);) back.events.push_back(event);
  back.end = reader.end();
  return back;
}

class BothForms : public testing::TestWithParam<TraceFormat> {};

TEST_P(BothForms, GiveBackHeaderEventsAndEnd) {
  const auto events = sample_events(5000);
  const ReadBack back = read(written(GetParam(), events));
  EXPECT_EQ(back.header.facts, header().facts);
  EXPECT_EQ(back.header.events, EventSet::any());
  ASSERT_EQ(back.events.size(), events.size());
  for (std::size_t n = 0; n < events.size(); ++n) {
    ASSERT_EQ(event_text(back.events[n].view()), event_text(events[n].view()));
    ASSERT_EQ(back.events[n].event.d, events[n].event.d);
  }
  ASSERT_TRUE(back.end);
  EXPECT_EQ(back.end->digest, "00ff");
  EXPECT_EQ(back.end->events, events.size());
}

TEST_P(BothForms, AreReadableUpToWhereverTheyWereCut) {
  const auto events = sample_events(60);
  const std::string whole = written(GetParam(), events);
  std::size_t most = 0;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    try {
      const ReadBack back = read(whole.substr(0, length));
      EXPECT_FALSE(back.end) << length;
      ASSERT_LE(back.events.size(), events.size());
      EXPECT_GE(back.events.size(), most);
      most = back.events.size();
      for (std::size_t n = 0; n < most; ++n) {
        ASSERT_EQ(event_text(back.events[n].view()), event_text(events[n].view()));
      }
    } catch (const TraceError& error) {
      EXPECT_EQ(most, 0u) << error.what();  // Only a file without its header is refused.
    }
  }
  EXPECT_EQ(most, events.size());
}

TEST_P(BothForms, LeaveOutKindsThatWereNotChosen) {
  TraceHeader chosen = header();
  chosen.events = EventSet::parse("uart-line");
  std::string bytes;
  TraceWriter writer(GetParam(), chosen, [&](std::string_view part) { bytes += part; });
  for (const StoredEvent& stored : sample_events(200)) writer.on_event(stored.view());
  writer.finish("1");
  for (const StoredEvent& stored : read(bytes).events) {
    EXPECT_TRUE(stored.event.kind == EventKind::uart_line ||
                stored.event.kind == EventKind::checkpoint ||
                stored.event.kind == EventKind::run_end);
  }
}

INSTANTIATE_TEST_SUITE_P(Trace, BothForms, testing::Values(TraceFormat::text, TraceFormat::binary),
                         [](const auto& form) {
                           return form.param == TraceFormat::text ? "Text" : "Binary";
                         });

TEST(TraceFile, ABinaryOneWithAnyBitChangedIsRefusedOrCut) {
  const auto events = sample_events(40);
  const std::string whole = written(TraceFormat::binary, events);
  for (std::size_t byte = 0; byte < whole.size(); ++byte) {
    std::string broken = whole;
    broken[byte] = static_cast<char>(broken[byte] ^ (1 << byte % 8));
    try {
      EXPECT_FALSE(read(broken).end) << "byte " << byte;
    } catch (const TraceError&) {
    }
  }
}

TEST(TraceFile, ACorruptBlockIsNamedByItsOffset) {
  std::string bytes = written(TraceFormat::binary, sample_events(40));
  bytes[bytes.size() / 2] ^= 1;
  try {
    read(bytes);
    FAIL() << "was accepted";
  } catch (const TraceError& error) {
    EXPECT_NE(std::string(error.what()).find("t.trace: offset "), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("corrupt"), std::string::npos);
  }
}

TEST(TraceFile, AWrongLineIsNamedByItsNumber) {
  std::string bytes = written(TraceFormat::text, sample_events(3));
  bytes.replace(bytes.find(" insn "), 6, " isnn ");
  try {
    read(bytes);
    FAIL() << "was accepted";
  } catch (const TraceError& error) {
    EXPECT_STREQ(error.what(), "t.trace: line 6: expected 'insn': 'isnn'");
  }
}

TEST(TraceFile, OtherVersionsAndOtherFilesAreRefused) {
  for (const std::string text :
       {"", "x", "trapline-trace 2\nevents all\n\n", "TLTRACE\x02", "\x7f" "ELF",
        "trapline-trace 1\nmachine virt\n\n", "trapline-trace 1\nevents nonsense\n\n"}) {
    EXPECT_THROW(read(text), TraceError) << text;
  }
}

TEST(TraceFile, AnEndWithAnotherCountIsRefused) {
  std::string bytes = written(TraceFormat::text, sample_events(3));
  const std::size_t line = bytes.find("cpu");
  bytes.erase(line, bytes.find('\n', line) + 1 - line);
  EXPECT_THROW(read(bytes), TraceError);
}

TEST(EventSetTest, ParsesCategoriesAndTakesAway) {
  const EventSet set = EventSet::parse("all,-mmio,-interrupts");
  EXPECT_TRUE(set.has(EventKind::uart_line));
  EXPECT_FALSE(set.has(EventKind::mmio));
  EXPECT_FALSE(set.has(EventKind::timer_fired));
  EXPECT_EQ(EventSet::parse(set.text()), set);
  EXPECT_TRUE(EventSet::parse("").has(EventKind::checkpoint));
  EXPECT_THROW(EventSet::parse("nonsense"), std::invalid_argument);
}

}  // namespace
}  // namespace trapline
