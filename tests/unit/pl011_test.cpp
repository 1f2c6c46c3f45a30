#include "models/uart/pl011.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "sim/time/timeline.h"

namespace trapline {
namespace {

constexpr PhysAddr kDr = 0x00, kRsr = 0x04, kFr = 0x18, kIbrd = 0x24, kFbrd = 0x28, kLcr = 0x2c,
                   kCr = 0x30, kIfls = 0x34, kImsc = 0x38, kRis = 0x3c, kMis = 0x40, kIcr = 0x44;
constexpr std::uint64_t kRx = 1 << 4, kTx = 1 << 5, kRt = 1 << 6, kFe = 1 << 7, kPe = 1 << 8,
                        kBe = 1 << 9, kOe = 1 << 10;
constexpr std::uint64_t kRxfe = 1 << 4, kTxff = 1 << 5, kRxff = 1 << 6, kTxfe = 1 << 7,
                        kBusy = 1 << 3;

class Recorder final : public Sink, public CharacterPort {
 public:
  void on_event(const Event& event) override {
    EXPECT_EQ(event.kind, EventKind::uart_line);
    EXPECT_EQ(event.a, 2u);
    lines.emplace_back(event.text);
  }
  void transmit(std::uint8_t byte) override { sent.push_back(static_cast<char>(byte)); }
  std::vector<std::string> lines;
  std::string sent;
};

class Pl011Test : public ::testing::Test {
 protected:
  Pl011Test() { build({}); }
  void build(const Pl011Options& options) {
    uart = std::make_unique<Pl011>("uart", irq, wire, timeline, &wire, 2, 24'000'000, options);
  }
  std::uint64_t read(PhysAddr offset, std::uint8_t size = 4) {
    std::uint64_t value = ~0ull;
    EXPECT_EQ(uart->read({.offset = offset, .size = size}, value), BusStatus::ok);
    return value;
  }
  void write(PhysAddr offset, std::uint64_t value, std::uint8_t size = 4) {
    EXPECT_EQ(uart->write({.offset = offset, .size = size}, value), BusStatus::ok);
  }
  /// 115200 8N1 with FIFOs, as drivers do it: the divisor counts once UARTLCR_H is written.
  void enable(std::uint64_t control = 0x301, std::uint64_t line_control = 0x70) {
    write(kCr, 0);
    write(kIbrd, 13);
    write(kFbrd, 1);
    write(kLcr, line_control);
    write(kCr, control);
  }
  void send(const std::string& text) {
    for (const char c : text) write(kDr, static_cast<std::uint8_t>(c));
  }
  void run(Time duration) { timeline.advance_to(timeline.now() + duration); }

  static constexpr Time kBit = 833ull * kPicosecondsPerSecond / (4 * 24'000'000);

  Timeline timeline;
  Line irq{"UARTINTR"};
  Recorder wire;
  std::unique_ptr<Pl011> uart;
};

TEST_F(Pl011Test, ResetValues) {
  EXPECT_EQ(read(kFr), kTxfe | kRxfe);
  EXPECT_EQ(read(kCr), 0x300u);
  EXPECT_EQ(read(kIfls), 0x12u);
  for (const PhysAddr offset : {kRsr, kIbrd, kFbrd, kLcr, kImsc, kRis, kMis}) {
    EXPECT_EQ(read(offset), 0u) << offset;
  }
  const std::uint64_t id[] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
  for (unsigned i = 0; i < 8; ++i) EXPECT_EQ(read(0xfe0 + 4 * i), id[i]);
  EXPECT_FALSE(irq.level());
}

TEST_F(Pl011Test, TransmitsAtOnceWithAnyAccessWidth) {
  enable();
  write(kDr, 'a', 1);
  write(kDr, 'b', 2);
  write(kDr, 'c', 4);
  EXPECT_EQ(wire.sent, "abc");
  EXPECT_EQ(read(kFr, 2), kTxfe | kRxfe);
}

TEST_F(Pl011Test, EarlyConsoleWorksBeforeTheUartIsEnabled) {
  send("x");
  EXPECT_EQ(wire.sent, "x");
}

TEST_F(Pl011Test, OutputBecomesLineEvents) {
  enable();
  send("Xen 4.17\r\n\r\nboot");
  EXPECT_EQ(wire.lines, (std::vector<std::string>{"Xen 4.17", ""}));
  uart->flush();
  uart->flush();
  EXPECT_EQ(wire.lines, (std::vector<std::string>{"Xen 4.17", "", "boot"}));
  EXPECT_EQ(wire.sent, "Xen 4.17\r\n\r\nboot");
}

TEST_F(Pl011Test, TransmitInterruptFollowsAWriteNotAnEmptyFifo) {
  enable();
  write(kImsc, kTx);
  EXPECT_FALSE(irq.level());  // Empty from the start: no transition.
  send("a");
  EXPECT_TRUE(irq.level());
  EXPECT_EQ(read(kMis), kTx);
  write(kIcr, kTx);
  EXPECT_FALSE(irq.level());
  write(kImsc, 0);
  send("b");
  EXPECT_FALSE(irq.level());
  EXPECT_EQ(read(kRis), kTx);
  EXPECT_EQ(read(kMis), 0u);
  write(kImsc, kTx);
  EXPECT_TRUE(irq.level());
}

TEST_F(Pl011Test, ReceiverMustBeOn) {
  EXPECT_FALSE(uart->receive('a'));
  enable(0x101);  // No RXE.
  EXPECT_FALSE(uart->can_receive());
  enable(0x300);  // No UARTEN.
  EXPECT_FALSE(uart->receive('a'));
  enable();
  EXPECT_TRUE(uart->receive('a'));
  EXPECT_EQ(read(kFr) & kRxfe, 0u);
  EXPECT_EQ(read(kDr), 'a');
  EXPECT_EQ(read(kFr) & kRxfe, kRxfe);
}

TEST_F(Pl011Test, ReceiveInterruptAtEachTriggerLevel) {
  const unsigned levels[] = {2, 4, 8, 12, 14};
  for (unsigned select = 0; select < 5; ++select) {
    enable();
    write(kIfls, select << 3);
    write(kImsc, kRx);
    for (unsigned n = 1; n <= levels[select]; ++n) {
      EXPECT_FALSE(irq.level()) << select;
      EXPECT_TRUE(uart->receive(static_cast<std::uint8_t>(n)));
    }
    EXPECT_TRUE(irq.level()) << select;
    EXPECT_EQ(read(kDr), 1u);  // One fewer is below the level.
    EXPECT_FALSE(irq.level()) << select;
    write(kLcr, 0x60);  // Empties the FIFO.
  }
}

TEST_F(Pl011Test, ReceiveFifoHoldsSixteen) {
  enable();
  for (unsigned n = 0; n < 16; ++n) EXPECT_TRUE(uart->receive(static_cast<std::uint8_t>(n)));
  EXPECT_EQ(read(kFr) & kRxff, kRxff);
  EXPECT_FALSE(uart->receive(99));
  EXPECT_EQ(read(kRis) & kOe, 0u);  // Refused, not overrun.
  for (unsigned n = 0; n < 16; ++n) EXPECT_EQ(read(kDr), n);
}

TEST_F(Pl011Test, CharacterModeHoldsOne) {
  enable(0x301, 0x60);
  write(kImsc, kRx);
  EXPECT_TRUE(uart->receive('a'));
  EXPECT_TRUE(irq.level());
  EXPECT_EQ(read(kFr) & kRxff, kRxff);
  EXPECT_FALSE(uart->receive('b'));
  EXPECT_EQ(read(kDr), 'a');
  EXPECT_FALSE(irq.level());
}

TEST_F(Pl011Test, ReceiveTimeoutAfter32BitPeriods) {
  enable();
  write(kImsc, kRt);
  uart->receive('a');
  run(32 * kBit - 1);
  EXPECT_FALSE(irq.level());
  uart->receive('b');  // Starts again.
  run(32 * kBit - 1);
  EXPECT_FALSE(irq.level());
  run(1);
  EXPECT_TRUE(irq.level());
  EXPECT_EQ(read(kDr), 'a');
  EXPECT_TRUE(irq.level());  // Cleared by emptying the FIFO...
  EXPECT_EQ(read(kDr), 'b');
  EXPECT_FALSE(irq.level());
  run(100 * kBit);
  EXPECT_FALSE(irq.level());
  uart->receive('c');
  run(32 * kBit);
  EXPECT_TRUE(irq.level());
  write(kIcr, kRt);  // ...or by UARTICR; what waits is announced again.
  EXPECT_FALSE(irq.level());
  run(32 * kBit);
  EXPECT_TRUE(irq.level());
}

TEST_F(Pl011Test, TimeoutAssumes115200WhereNoRateIsProgrammed) {
  write(kLcr, 0x70);
  write(kCr, 0x301);
  uart->receive('a');
  const Time due = 32 * (kPicosecondsPerSecond / 115'200);
  run(due - 1);
  EXPECT_EQ(read(kRis), 0u);
  run(1);
  EXPECT_EQ(read(kRis), kRt);
}

TEST_F(Pl011Test, DivisorIsLatchedByLineControl) {
  enable();
  write(kIbrd, 1);
  uart->receive('a');
  run(32 * kBit - 1);
  EXPECT_EQ(read(kRis), 0u);
  run(1);
  EXPECT_EQ(read(kRis), kRt);
}

TEST_F(Pl011Test, OverrunIsReportedOnceInDataAndStaysInStatus) {
  enable();
  write(kImsc, kOe);
  for (unsigned n = 0; n < 17; ++n) uart->receive_frame(static_cast<std::uint8_t>(n));
  EXPECT_TRUE(irq.level());
  EXPECT_EQ(read(kDr), 0x800u);
  EXPECT_EQ(read(kDr), 1u);
  EXPECT_EQ(read(kRsr), 8u);
  write(kRsr, 0xff);
  EXPECT_EQ(read(kRsr), 0u);
  for (unsigned n = 2; n < 16; ++n) EXPECT_EQ(read(kDr), n);  // The 17th is lost.
  EXPECT_EQ(read(kFr) & kRxfe, kRxfe);
  EXPECT_TRUE(irq.level());
  write(kIcr, kOe);
  EXPECT_FALSE(irq.level());
}

TEST_F(Pl011Test, ErrorsTravelWithTheirCharacter) {
  enable();
  uart->receive('a');
  uart->receive_frame('b', Pl011::kParityError);
  uart->receive_frame('c', Pl011::kFramingError);
  uart->receive_break();
  EXPECT_EQ(read(kRis), kPe | kFe | kBe);
  EXPECT_EQ(read(kDr), 'a');
  EXPECT_EQ(read(kRsr), 0u);
  EXPECT_EQ(read(kDr), 'b' | 0x200u);
  EXPECT_EQ(read(kRsr), 2u);
  EXPECT_EQ(read(kDr), 'c' | 0x100u);
  EXPECT_EQ(read(kDr), 0x400u);
  EXPECT_EQ(read(kRsr), 4u);
}

TEST_F(Pl011Test, LoopbackReturnsDataBreakAndModemLines) {
  enable(0x381);
  send("z");
  EXPECT_EQ(wire.sent, "");
  EXPECT_EQ(read(kDr), 'z');
  EXPECT_FALSE(uart->receive('a'));  // The input is disconnected.
  write(kLcr, 0x71);                 // BRK
  EXPECT_EQ(read(kDr), 0x400u);
  write(kImsc, 0xf);
  EXPECT_FALSE(irq.level());
  write(kCr, 0x381 | 1 << 11);  // RTS to CTS
  EXPECT_EQ(read(kFr) & 0x107, 0x001u);
  EXPECT_EQ(read(kRis) & 0xf, 0x2u);
  write(kCr, 0x381 | 0xf << 10);
  EXPECT_EQ(read(kFr) & 0x107, 0x107u);
  EXPECT_EQ(read(kRis) & 0xf, 0xfu);
  EXPECT_TRUE(irq.level());
  for (unsigned n = 0; n < 17; ++n) send("y");
  EXPECT_EQ(read(kRis) & kOe, kOe);
}

TEST_F(Pl011Test, ModemInputsInterruptOnChange) {
  enable(0x301 | 1 << 10);
  EXPECT_TRUE(uart->modem_outputs().dtr);
  EXPECT_FALSE(uart->modem_outputs().rts);
  write(kImsc, 0xf);
  uart->set_modem_inputs({.dsr = true, .ri = true});
  EXPECT_EQ(read(kFr) & 0x107, 0x102u);
  EXPECT_EQ(read(kMis), 0x9u);
  write(kIcr, 0xf);
  uart->set_modem_inputs({.dsr = true, .ri = true});
  EXPECT_FALSE(irq.level());
  uart->set_modem_inputs({.ri = true});
  EXPECT_EQ(read(kMis), 0x8u);
}

TEST_F(Pl011Test, PacedTransmitterFillsItsFifoAndInterruptsAtTheTrigger) {
  build({.transmit = Pl011Options::Transmit::at_baud_rate});
  enable();
  write(kIfls, 0);  // Two or fewer left.
  write(kImsc, kTx);
  send("0123456789abcdefg");  // One in the shifter, sixteen waiting.
  EXPECT_EQ(read(kFr), kTxff | kBusy | kRxfe);
  EXPECT_EQ(wire.sent, "");
  run(10 * kBit);
  EXPECT_EQ(wire.sent, "0");
  EXPECT_EQ(read(kFr), kBusy | kRxfe);
  run(130 * kBit - 1);
  EXPECT_FALSE(irq.level());
  run(1);
  EXPECT_TRUE(irq.level());
  EXPECT_EQ(wire.sent, "0123456789abcd");
  send("h");  // Three waiting: above the trigger.
  EXPECT_FALSE(irq.level());
  run(1000 * kBit);
  EXPECT_EQ(wire.sent, "0123456789abcdefgh");
  EXPECT_EQ(read(kFr), kTxfe | kRxfe);
  EXPECT_TRUE(irq.level());
}

TEST_F(Pl011Test, PacedTransmitterWaitsUntilItIsEnabled) {
  build({.transmit = Pl011Options::Transmit::at_baud_rate});
  enable(0x300);
  send("ab");
  run(1000 * kBit);
  EXPECT_EQ(wire.sent, "");
  write(kCr, 0x301);
  run(20 * kBit);
  EXPECT_EQ(wire.sent, "ab");
}

TEST_F(Pl011Test, FirmwareCanLeaveItEnabled) {
  build({.enabled_at_reset = true});
  EXPECT_TRUE(uart->receive('a'));
  EXPECT_EQ(read(kCr), 0x301u);
  EXPECT_TRUE(uart->can_receive());  // FIFOs are on.
}

TEST_F(Pl011Test, ResetForgetsEverything) {
  enable();
  write(kImsc, kTx | kRt);
  send("a");
  uart->receive('b');
  EXPECT_TRUE(irq.level());
  uart->reset();
  EXPECT_FALSE(irq.level());
  EXPECT_EQ(read(kFr), kTxfe | kRxfe);
  EXPECT_EQ(read(kRis), 0u);
  EXPECT_EQ(timeline.next_due(), kNever);
}

TEST_F(Pl011Test, LoweringTheTriggerAnnouncesWhatWaits) {
  enable();
  write(kImsc, kRx);
  write(kIfls, 4 << 3);
  for (int n = 0; n < 5; ++n) uart->receive('a');
  EXPECT_FALSE(irq.level());
  write(kIfls, 1 << 3);
  EXPECT_TRUE(irq.level());
  write(kIfls, 4 << 3);
  EXPECT_FALSE(irq.level());
}

}  // namespace
}  // namespace trapline
