// Recordings of devices and their replay: what is recorded, and what is a difference.
#include "sim/replay/replay.h"

#include <gtest/gtest.h>

#include <sstream>

#include "sim/replay/device_facts.h"
#include "sim/replay/recorder.h"
#include "sim/time/timeline.h"

namespace trapline {
namespace {

/// A PL011 with a recorder around it, as a machine has it.
class RecordedUart : public ::testing::Test, public CharacterPort {
 protected:
  RecordedUart()
      : recorder(RecordedDevice::pl011, {{"machine", "none"}}, TraceFormat::text,
                 [this](std::string_view bytes) { recording += bytes; }) {
    recorder.connect(events, timeline);
    recorder.begin(device_facts(Pl011Setup{.uarts = 1, .clock_hz = 24'000'000}));
    uart = std::make_unique<Pl011>("uart0", irq, recorded(&recorder, 0, *this), recorder.clock(),
                                   &recorder, 0u, 24'000'000u);
    window = &recorded(&recorder, 0, *uart);
    recorder.output(0, kUartInterrupt, irq);
  }
  void transmit(std::uint8_t byte) override { sent += static_cast<char>(byte); }
  void write(PhysAddr offset, std::uint64_t value) {
    EXPECT_EQ(window->write({.offset = offset}, value), BusStatus::ok);
  }
  void receive(std::uint8_t byte) {
    recorder.note_input(0, kUartReceive, byte, uart->can_receive());
    uart->receive(byte);
  }
  /// A conversation: a byte out, one in, and what the receive timeout does.
  void converse() {
    write(0x30, 0x301);
    write(0x38, 0x40);
    write(0x00, 'h');
    write(0x00, '\n');
    receive('k');
    timeline.advance_to(timeline.now() + kPicosecondsPerSecond);
    std::uint64_t value = 0;
    window->read({.offset = 0x00}, value);
    EXPECT_EQ(value, std::uint64_t{'k'});
    recorder.finish("0");
  }
  ReplayResult replayed(RecordedDevice as = RecordedDevice::pl011) {
    std::istringstream input(recording);
    TraceReader reader(input, "recording");
    return replay(reader, as);
  }

  Timeline timeline;
  EventHub events;
  Line irq;
  std::string recording, sent;
  DeviceRecorder recorder;
  std::unique_ptr<Pl011> uart;
  Device* window = nullptr;
};

TEST_F(RecordedUart, ReplaysEqual) {
  converse();
  EXPECT_EQ(sent, "h\n");
  const ReplayResult result = replayed();
  EXPECT_EQ(result.mismatch.value_or(""), "");
  EXPECT_GT(result.checked, 10u);
}

TEST_F(RecordedUart, WritesCausesBeforeWhatTheyLeadTo) {
  converse();
  const auto at = [&](const char* text) { return recording.find(text); };
  EXPECT_LT(at("offset=0x0 size=4 value=0x68"),
            at("device-output time=0 unit=0 output=1 value=0x68"));
  EXPECT_LT(at("device-input"), at("device-alarm"));
  EXPECT_LT(at("device-wake"), at("output=0 value=0x1"));
  EXPECT_NE(at("uart-line uart=0 text=\"h\""), std::string::npos);
}

TEST_F(RecordedUart, AnotherValueIsNamedWithItsRegister) {
  converse();
  const auto at = recording.find("value=0x6b status=0");
  ASSERT_NE(at, std::string::npos);
  recording[at + 9] = 'a';
  const std::string mismatch = replayed().mismatch.value_or("none");
  EXPECT_NE(
      mismatch.find("the read of uart0 UARTDR (offset 0x0, 4 bytes): expected 0x6a, got 0x6b"),
      std::string::npos)
      << mismatch;
}

TEST_F(RecordedUart, ALineThatMovesAtAnotherTimeIsADifference) {
  converse();
  const auto wake = recording.find("cpu0 EL0 vmid 0 insn 0 cycle 0 device-wake");
  ASSERT_NE(wake, std::string::npos);
  recording.erase(wake, recording.find('\n', wake) + 1 - wake);
  const auto end = recording.find("events=", recording.find("\nend "));
  recording.replace(end, recording.size() - end - 1,
                    "events=" + std::to_string(std::stoul(recording.substr(end + 7)) - 1));
  const std::string mismatch = replayed().mismatch.value_or("none");
  EXPECT_NE(mismatch.find("expected UARTINTR of unit 0 = 0x1, the model does nothing"),
            std::string::npos)
      << mismatch;
}

TEST_F(RecordedUart, IsRefusedAsAnythingElse) {
  converse();
  EXPECT_THROW(replayed(RecordedDevice::gic), TraceError);
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"device.uarts 1", "device.uarts 0"},
           {"device.uarts 1", "device.uarts x"},
           {"device.clock-hz 24000000\n", ""},
           {"device pl011\n", ""},
           {"device-read time",
            "device-read time=1 unit=9 offset=0 size=4 value=0 status=0 secure=0\n"
            "cpu0 EL0 vmid 0 insn 0 cycle 0 device-read time"},
           {"size=4", "size=3"}}) {
    const std::string good = recording;
    recording.replace(recording.find(from), from.size(), to);
    EXPECT_THROW(replayed(), TraceError) << to;
    recording = good;
  }
}

}  // namespace
}  // namespace trapline
