#include "models/uart/pl011.h"

#include <algorithm>
#include <array>
#include <utility>

namespace trapline {
namespace {

// UARTFR.
constexpr unsigned kFrCts = 1u << 0, kFrDsr = 1u << 1, kFrDcd = 1u << 2, kFrBusy = 1u << 3,
                   kFrRxfe = 1u << 4, kFrTxff = 1u << 5, kFrRxff = 1u << 6, kFrTxfe = 1u << 7,
                   kFrRi = 1u << 8;
// UARTLCR_H: bit numbers.
constexpr unsigned kLcrBrk = 0, kLcrPen = 1, kLcrStp2 = 3, kLcrFen = 4;
// UARTCR: bit numbers.
constexpr unsigned kCrUarten = 0, kCrLbe = 7, kCrTxe = 8, kCrRxe = 9, kCrDtr = 10, kCrRts = 11,
                   kCrOut1 = 12, kCrOut2 = 13;
// UARTRIS, UARTMIS, UARTIMSC and UARTICR.
constexpr unsigned kIntRi = 1u << 0, kIntCts = 1u << 1, kIntDcd = 1u << 2, kIntDsr = 1u << 3,
                   kIntRx = 1u << 4, kIntTx = 1u << 5, kIntRt = 1u << 6, kIntFe = 1u << 7,
                   kIntPe = 1u << 8, kIntBe = 1u << 9, kIntOe = 1u << 10;
constexpr unsigned kIntAll = 0x7ff;
constexpr unsigned kRsrOe = 1u << 3;

// Where software never programs a rate, the one that firmware would have left.
constexpr std::uint64_t kDefaultBaud = 115'200;
constexpr unsigned kTimeoutBits = 32;
constexpr std::size_t kLongestLine = 4096;

// Part 0x011, designer 0x41 (Arm), revision 1: what virtual boards show; FIFOs are 16 deep up to
// revision 2 (Linux and others choose the depth by it).
constexpr std::array<std::uint8_t, 8> kIdentification = {0x11, 0x10, 0x14, 0x00,
                                                         0x0d, 0xf0, 0x05, 0xb1};

// UARTIFLS: 1/8, 1/4, 1/2, 3/4 and 7/8 of 16; the other values are reserved.
std::size_t fifo_level(std::uint64_t select) {
  constexpr std::array<std::size_t, 8> kLevels = {2, 4, 8, 12, 14, 14, 14, 14};
  return kLevels[select & 7];
}

}  // namespace

Pl011::Pl011(std::string name, Line& irq, CharacterPort& port, Clock& clock, Sink* sink,
             unsigned index, std::uint64_t clock_hz, const Pl011Options& options)
    : irq_(irq),
      port_(port),
      clock_(clock),
      sink_(sink),
      index_(index),
      clock_hz_(clock_hz),
      options_(options),
      bank_(std::move(name)),
      timeout_(clock, [this] { receive_timeout(); }),
      shift_done_(clock, [this] { shifted_out(); }) {
  declare_registers();
  reset();
}

// DDI 0183G table 3-1.
void Pl011::declare_registers() {
  bank_.add(0x000, "UARTDR")
      .command()
      .on_read([this] { return read_data(); })
      .on_write(
          [this](const RegisterWrite& w) { write_data(static_cast<std::uint8_t>(w.written)); });
  bank_.add(0x004, "UARTRSR/UARTECR")
      .command()
      .on_read([this] { return rsr_; })
      .on_write([this](const RegisterWrite&) { rsr_ = 0; });
  bank_.add(0x018, "UARTFR").resets_to(kFrRxfe | kFrTxfe).on_read([this] { return flags(); });
  bank_.add(0x020, "UARTILPR").writable(0xff);
  ibrd_ = &bank_.add(0x024, "UARTIBRD").writable(0xffff);
  fbrd_ = &bank_.add(0x028, "UARTFBRD").writable(0x3f);
  lcr_ = &bank_.add(0x02c, "UARTLCR_H").writable(0xff).on_write([this](const RegisterWrite& w) {
    write_line_control(w);
  });
  cr_ = &bank_.add(0x030, "UARTCR")
             .resets_to(0x300)
             .writable(0xff87)
             .unimplemented("SIREN", 1, 1)
             .unimplemented("SIRLP", 2, 2)
             .unimplemented("RTSEn", 14, 14)
             .unimplemented("CTSEn", 15, 15)
             .on_write([this](const RegisterWrite&) {
               modem_changed();
               load_shifter();
             });
  ifls_ = &bank_.add(0x034, "UARTIFLS")
               .resets_to(0x12)
               .writable(0x3f)
               .on_write([this](const RegisterWrite& w) {
                 const std::size_t before = fifo_level(bits(w.previous, 5, 3));
                 const std::size_t level = receive_fifo_.size();
                 if (!fifo_enabled()) return;
                 if (level < receive_trigger()) raw_ &= ~kIntRx;
                 if (level >= receive_trigger() && level < before) raw_ |= kIntRx;
                 update();
               });
  imsc_ = &bank_.add(0x038, "UARTIMSC").writable(kIntAll).on_write([this](const RegisterWrite&) {
    update();
  });
  bank_.add(0x03c, "UARTRIS").on_read([this] { return raw_; });
  bank_.add(0x040, "UARTMIS").on_read([this] { return raw_ & imsc_->value(); });
  bank_.add(0x044, "UARTICR").write_only().on_write([this](const RegisterWrite& w) {
    raw_ &= ~static_cast<std::uint32_t>(w.written);
    if (w.written & kIntRt) restart_timeout();
    update();
  });
  bank_.add(0x048, "UARTDMACR")
      .writable(0x7)
      .unimplemented("RXDMAE", 0, 0)
      .unimplemented("TXDMAE", 1, 1);
  bank_.add(0x080, "UARTTCR").unimplemented();
  bank_.add(0x084, "UARTITIP").unimplemented();
  bank_.add(0x088, "UARTITOP").unimplemented();
  bank_.add(0x08c, "UARTTDR").unimplemented();
  bank_.add_identification(0xfe0, kIdentification);
}

void Pl011::reset() {
  bank_.reset();
  if (options_.enabled_at_reset) {
    cr_->set(0x300 | 1u << kCrUarten);
    lcr_->set(0x60 | 1u << kLcrFen);
  }
  raw_ = rsr_ = 0;
  divisor_ = 0;
  receive_fifo_.clear();
  transmit_fifo_.clear();
  overrun_ = shifting_ = false;
  modem_seen_ = modem_flags();
  timeout_.cancel();
  shift_done_.cancel();
  update();
}

BusStatus Pl011::read(const Access& access, std::uint64_t& value) {
  return bank_.read(access, value);
}

BusStatus Pl011::write(const Access& access, std::uint64_t value) {
  return bank_.write(access, value);
}

bool Pl011::fifo_enabled() const {
  return lcr_->test(kLcrFen);
}
bool Pl011::loopback() const {
  return cr_->test(kCrLbe);
}
bool Pl011::receiver_on() const {
  return cr_->test(kCrUarten) && cr_->test(kCrRxe);
}
bool Pl011::transmitter_on() const {
  return cr_->test(kCrUarten) && cr_->test(kCrTxe);
}

std::size_t Pl011::receive_trigger() const {
  return fifo_enabled() ? fifo_level(bits(ifls_->value(), 5, 3)) : 1;
}

std::size_t Pl011::transmit_trigger() const {
  return fifo_enabled() ? fifo_level(bits(ifls_->value(), 2, 0)) : 0;
}

// DDI 0183G 3.3.6: rate = UARTCLK / (16 * divisor).
Time Pl011::bit_time() const {
  if (divisor_ < 64) return kPicosecondsPerSecond / kDefaultBaud;
  return divisor_ * kPicosecondsPerSecond / (4 * clock_hz_);
}

Time Pl011::frame_time() const {
  const std::uint64_t control = lcr_->value();
  const unsigned data = 5 + static_cast<unsigned>(bits(control, 6, 5));
  return bit_time() * (1 + data + bit(control, kLcrPen) + (bit(control, kLcrStp2) ? 2 : 1));
}

std::uint64_t Pl011::flags() const {
  unsigned value = modem_flags();
  if (shifting_ || !transmit_fifo_.empty()) value |= kFrBusy;
  if (receive_fifo_.empty()) value |= kFrRxfe;
  if (receive_fifo_.size() >= depth()) value |= kFrRxff;
  if (transmit_fifo_.empty()) value |= kFrTxfe;
  if (transmit_fifo_.size() >= depth()) value |= kFrTxff;
  return value;
}

// A write latches the divisor; a change of FEN empties the FIFOs (DDI 0183G 3.3.7).
void Pl011::write_line_control(const RegisterWrite& write) {
  divisor_ = ibrd_->value() << 6 | fbrd_->value();
  const std::uint64_t changed = write.previous ^ lcr_->value();
  if (bit(changed, kLcrFen)) {
    receive_fifo_.clear();
    transmit_fifo_.clear();
    overrun_ = false;
    raw_ &= ~(kIntRx | kIntRt);
    timeout_.cancel();
  }
  if (loopback() && bit(changed, kLcrBrk) && lcr_->test(kLcrBrk) && receiver_on()) {
    push(kBreakError);
  }
  update();
}

std::uint64_t Pl011::read_data() {
  if (receive_fifo_.empty()) return 0;
  std::uint16_t entry = receive_fifo_.front();
  receive_fifo_.pop_front();
  if (std::exchange(overrun_, false)) entry |= kOverrunError;
  // The error flags belong to the character just read; OE stays until UARTECR is written.
  rsr_ = (rsr_ & kRsrOe) | (entry >> 8);
  if (receive_fifo_.size() < receive_trigger()) raw_ &= ~kIntRx;
  if (receive_fifo_.empty()) raw_ &= ~kIntRt;
  restart_timeout();
  update();
  return entry;
}

bool Pl011::can_receive() const {
  return receiver_on() && !loopback() && receive_fifo_.size() < depth();
}

bool Pl011::receive(std::uint8_t byte) {
  if (!can_receive()) return false;
  push(byte);
  return true;
}

void Pl011::receive_frame(std::uint8_t byte, std::uint16_t errors) {
  if (!receiver_on() || loopback()) return;
  push(static_cast<std::uint16_t>(byte | (errors & (kFramingError | kParityError))));
}

void Pl011::receive_break() {
  if (receiver_on() && !loopback()) push(kBreakError);
}

void Pl011::push(std::uint16_t entry) {
  if (receive_fifo_.size() >= depth()) {
    overrun_ = true;
    rsr_ |= kRsrOe;
    raw_ |= kIntOe;
  } else {
    receive_fifo_.push_back(entry);
    if (entry & kFramingError) raw_ |= kIntFe;
    if (entry & kParityError) raw_ |= kIntPe;
    if (entry & kBreakError) raw_ |= kIntBe;
    if (receive_fifo_.size() >= receive_trigger()) raw_ |= kIntRx;
  }
  restart_timeout();
  update();
}

// DDI 0183G 2.8.1: data waits in the FIFO and nothing arrives for 32 bit periods.
void Pl011::restart_timeout() {
  if (receive_fifo_.empty()) {
    timeout_.cancel();
  } else {
    timeout_.at(clock_.now() + kTimeoutBits * bit_time());
  }
}

void Pl011::receive_timeout() {
  raw_ |= kIntRt;
  update();
}

// The transmit interrupt marks a passage through the trigger level, not the level itself
// (DDI 0183G 2.8.2). An immediate transmitter makes that passage within each write.
void Pl011::write_data(std::uint8_t byte) {
  if (options_.transmit == Pl011Options::Transmit::immediate) {
    if (!transmitter_on()) {
      bank_.say_once("UARTDR is written while the transmitter is off; sent all the same");
      if (sink_ && sink_->wants(EventKind::misuse)) {
        sink_->observe({.kind = EventKind::misuse, .a = 0, .b = index_});
      }
    }
    deliver(byte);
    raw_ |= kIntTx;
  } else if (transmit_fifo_.size() >= depth()) {
    bank_.say_once("UARTDR is written while the transmit FIFO is full; the byte is lost");
  } else {
    transmit_fifo_.push_back(byte);
    if (transmit_fifo_.size() > transmit_trigger()) raw_ &= ~kIntTx;
    load_shifter();
  }
  update();
}

void Pl011::load_shifter() {
  if (shifting_ || transmit_fifo_.empty() || !transmitter_on()) return;
  shifter_ = transmit_fifo_.front();
  transmit_fifo_.pop_front();
  shifting_ = true;
  shift_done_.at(clock_.now() + frame_time());
  if (transmit_fifo_.size() == transmit_trigger()) {
    raw_ |= kIntTx;
    update();
  }
}

void Pl011::shifted_out() {
  shifting_ = false;
  deliver(shifter_);
  load_shifter();
}

void Pl011::deliver(std::uint8_t byte) {
  if (loopback()) {
    if (receiver_on()) push(byte);
    return;
  }
  port_.transmit(byte);
  if (!sink_) return;
  if (byte == '\n') {
    end_line();
  } else if (byte != '\r') {
    line_.push_back(static_cast<char>(byte));
    if (line_.size() >= kLongestLine) end_line();
  }
}

void Pl011::flush() {
  if (!line_.empty()) end_line();
}

void Pl011::end_line() {
  Event event;
  event.kind = EventKind::uart_line;
  event.a = index_;
  event.text = line_;
  sink_->on_event(event);
  line_.clear();
}

void Pl011::set_modem_inputs(const ModemInputs& inputs) {
  modem_inputs_ = inputs;
  modem_changed();
}

Pl011::ModemOutputs Pl011::modem_outputs() const {
  return ModemOutputs{cr_->test(kCrRts), cr_->test(kCrDtr), cr_->test(kCrOut1), cr_->test(kCrOut2)};
}

// In loopback RTS, DTR, Out1 and Out2 feed CTS, DSR, DCD and RI (DDI 0183G 3.3.8, LBE).
unsigned Pl011::modem_flags() const {
  ModemInputs inputs = modem_inputs_;
  if (loopback()) {
    const ModemOutputs out = modem_outputs();
    inputs = ModemInputs{out.rts, out.dtr, out.out1, out.out2};
  }
  return (inputs.cts ? kFrCts : 0) | (inputs.dsr ? kFrDsr : 0) | (inputs.dcd ? kFrDcd : 0) |
         (inputs.ri ? kFrRi : 0);
}

void Pl011::modem_changed() {
  const unsigned changed = std::exchange(modem_seen_, modem_flags()) ^ modem_flags();
  if (changed & kFrCts) raw_ |= kIntCts;
  if (changed & kFrDsr) raw_ |= kIntDsr;
  if (changed & kFrDcd) raw_ |= kIntDcd;
  if (changed & kFrRi) raw_ |= kIntRi;
  update();
}

void Pl011::update() {
  irq_.set((raw_ & imsc_->value()) != 0);
}

}  // namespace trapline
