// PrimeCell UART PL011 (DDI 0183G).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "models/uart/character_port.h"
#include "sim/bus/device.h"
#include "sim/bus/line.h"
#include "sim/bus/register_bank.h"
#include "sim/time/clock.h"
#include "sim/trace/event.h"

namespace trapline {

struct Pl011Options {
  /// When a written byte reaches the port: at once, or when its last stop bit would have left a
  /// transmitter at the programmed baud rate, with a transmit FIFO that really fills.
  enum class Transmit : std::uint8_t { immediate, at_baud_rate };
  Transmit transmit = Transmit::immediate;
  /// Reset leaves the UART as firmware does: enabled, 8 bits, FIFOs on. For software that only
  /// knows the SBSA subset and so never programs UARTCR.
  bool enabled_at_reset = false;
};

/// The complete register file with 16-deep FIFOs and the combined interrupt UARTINTR. Emits one
/// uart_line event for each line of output.
class Pl011 final : public Device {
 public:
  /// Modem status inputs or modem control outputs; true is asserted (the pins are active low).
  struct ModemInputs {
    bool cts = false, dsr = false, dcd = false, ri = false;
  };
  struct ModemOutputs {
    bool rts = false, dtr = false, out1 = false, out2 = false;
  };
  /// Error flags of a received character, as in UARTDR.
  static constexpr std::uint16_t kFramingError = 1u << 8;
  static constexpr std::uint16_t kParityError = 1u << 9;
  static constexpr std::uint16_t kBreakError = 1u << 10;
  static constexpr std::uint16_t kOverrunError = 1u << 11;

  /// `index` numbers the UART in uart_line events. `clock_hz` is UARTCLK. `sink` may be null;
  /// everything else must outlive the device.
  Pl011(std::string name, Line& irq, CharacterPort& port, Clock& clock, Sink* sink, unsigned index,
        std::uint64_t clock_hz = 24'000'000, const Pl011Options& options = {});

  std::string_view name() const override { return bank_.owner(); }
  void reset() override;
  BusStatus read(const Access& access, std::uint64_t& value) override;
  BusStatus write(const Access& access, std::uint64_t value) override;
  std::string register_name(PhysAddr offset) const override { return bank_.name_at(offset); }

  /// A byte arrives. False, with no effect, if there is no room or the receiver is off (UARTEN or
  /// RXE clear, or loopback): the caller keeps the byte and tries again.
  bool receive(std::uint8_t byte);
  bool can_receive() const;
  /// A character arrives whether or not there is room, as on a real wire: a full FIFO overruns.
  /// `errors` are kFramingError and kParityError. Lost if the receiver is off.
  void receive_frame(std::uint8_t byte, std::uint16_t errors = 0);
  /// The line is held low for more than a character: one zero with the break flag.
  void receive_break();

  /// Modem status interrupts follow changes. All inputs are deasserted at first.
  void set_modem_inputs(const ModemInputs& inputs);
  ModemOutputs modem_outputs() const;

  /// Emits the last line if it has no newline yet.
  void flush();

 private:
  void declare_registers();
  std::uint64_t read_data();
  void write_data(std::uint8_t byte);
  std::uint64_t flags() const;
  void write_line_control(const RegisterWrite& write);

  bool fifo_enabled() const;
  bool loopback() const;
  bool receiver_on() const;
  bool transmitter_on() const;
  std::size_t depth() const { return fifo_enabled() ? 16 : 1; }
  std::size_t receive_trigger() const;
  std::size_t transmit_trigger() const;
  Time bit_time() const;
  Time frame_time() const;

  void push(std::uint16_t entry);
  void receive_timeout();
  void restart_timeout();
  void load_shifter();
  void shifted_out();
  void deliver(std::uint8_t byte);
  void end_line();
  unsigned modem_flags() const;
  void modem_changed();
  void update();

  Line& irq_;
  CharacterPort& port_;
  Clock& clock_;
  Sink* sink_;
  unsigned index_;
  std::uint64_t clock_hz_;
  Pl011Options options_;

  RegisterBank bank_;
  Register* ibrd_;
  Register* fbrd_;
  Register* lcr_;
  Register* cr_;
  Register* ifls_;
  Register* imsc_;

  std::uint32_t raw_ = 0;      // UARTRIS.
  std::uint32_t rsr_ = 0;      // UARTRSR.
  std::uint64_t divisor_ = 0;  // In 1/64, as latched by the last write to UARTLCR_H.
  std::deque<std::uint16_t> receive_fifo_;
  bool overrun_ = false;  // Shown in the next read of UARTDR.
  std::deque<std::uint8_t> transmit_fifo_;
  bool shifting_ = false;
  std::uint8_t shifter_ = 0;
  ModemInputs modem_inputs_;
  unsigned modem_seen_ = 0;  // Modem bits of UARTFR at the last look.
  std::string line_;
  Wakeup timeout_;
  Wakeup shift_done_;
};

}  // namespace trapline
