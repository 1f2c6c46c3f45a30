// Device registers declared one by one, so that a constructor reads like the manual's register map.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/arch/types.h"
#include "sim/bus/device.h"

namespace trapline {

/// What a write callback is told.
struct RegisterWrite {
  std::uint64_t written;   ///< As written. Bytes that the access did not cover: see Register.
  std::uint64_t lanes;     ///< The bits of `written` that the access covered.
  std::uint64_t previous;  ///< The stored value before the write.
  std::uint8_t cpu;        ///< Index of the requesting CPU.
};

/// One register of 4 or 8 bytes. Declared by chained calls, all of which return the register:
///
///   bank.add(0x024, "UARTIBRD").writable(0xffff).on_write([this](const RegisterWrite&) {...});
///
/// A write first stores `written` under the writable mask and then calls the callback. An access
/// narrower than the register covers some of its bytes; the others of `written` are the stored
/// value, or zero for a command register (one where a written 1 acts, as in an interrupt clear).
class Register {
 public:
  Register(PhysAddr offset, std::string name, unsigned bytes)
      : offset_(offset), name_(std::move(name)), bytes_(bytes) {}

  Register& resets_to(std::uint64_t value);
  /// Bits that a write stores. None by default, so that a register is read-only unless it says so.
  Register& writable(std::uint64_t mask);
  /// Reading is an error of the guest: zero, and said once.
  Register& write_only();
  /// Writing has an effect though no bit is stored (data ports, clear registers).
  Register& command();
  /// The value read. Called once an access, whichever bytes it covers.
  Register& on_read(std::function<std::uint64_t()> callback);
  Register& on_write(std::function<void(const RegisterWrite&)> callback);
  /// A field that exists in the hardware and has no effect here. A write that moves it away from
  /// its reset value is said once by name. The bits are stored if they are writable.
  Register& unimplemented(std::string field, unsigned msb, unsigned lsb);
  /// The whole register exists in the hardware and has no effect here: any access is said once.
  Register& unimplemented();

  PhysAddr offset() const { return offset_; }
  const std::string& name() const { return name_; }
  unsigned bytes() const { return bytes_; }
  std::uint64_t reset_value() const { return reset_; }

  /// The stored value, as the device itself sees and changes it.
  std::uint64_t value() const { return value_; }
  void set(std::uint64_t value) { value_ = value; }
  bool test(unsigned n) const { return bit(value_, n); }

 private:
  friend class RegisterBank;
  struct Field {
    std::string name;
    std::uint64_t mask;
  };

  bool accepts_writes() const { return writable_ != 0 || command_ || on_write_; }

  PhysAddr offset_;
  std::string name_;
  unsigned bytes_;
  std::uint64_t reset_ = 0;
  std::uint64_t value_ = 0;
  std::uint64_t writable_ = 0;
  bool readable_ = true;
  bool command_ = false;
  bool implemented_ = true;
  std::vector<Field> unimplemented_fields_;
  std::function<std::uint64_t()> on_read_;
  std::function<void(const RegisterWrite&)> on_write_;
};

/// The registers of one window. An access of any size and offset reaches every register that it
/// touches, in ascending order. Guest errors and gaps in the model are said once each, by name.
class RegisterBank {
 public:
  using Log = std::function<void(const std::string& message)>;

  /// `owner` starts every message, for example "pl011@9000000". Without a log, messages go to
  /// spdlog as warnings.
  explicit RegisterBank(std::string owner, Log log = {});

  /// Declares a register. `bytes` is 4 or 8, `offset` a multiple of 4. The reference stays valid.
  /// Throws std::invalid_argument naming both registers if the offset is taken.
  Register& add(PhysAddr offset, std::string name, unsigned bytes = 4);
  /// Eight read-only identification registers, one byte each, from `offset` on: PrimeCell
  /// PeriphID0-3 and PCellID0-3 as PrimeCells have them at 0xFE0.
  void add_identification(PhysAddr offset, std::span<const std::uint8_t, 8> bytes);

  BusStatus read(const Access& access, std::uint64_t& value);
  BusStatus write(const Access& access, std::uint64_t value);
  /// Gives every register its reset value, without callbacks. Messages said stay said.
  void reset();

  /// The name of the register that holds the byte at `offset`; empty where there is none.
  std::string name_at(PhysAddr offset) const;
  const std::string& owner() const { return owner_; }
  /// One line a register, ascending: "0x024 UARTIBRD rw 0x0".
  std::string describe() const;
  /// Says `message` after the owner's name, once for each different message.
  void say_once(const std::string& message);

 private:
  Register* find(PhysAddr offset);
  std::uint64_t read_register(Register& reg);
  void write_register(Register& reg, std::uint64_t lanes, std::uint64_t value, std::uint8_t cpu);
  void say_unassigned(const char* verb, const Access& access);

  std::string owner_;
  Log log_;
  std::vector<std::unique_ptr<Register>> registers_;  // Sorted by offset.
  std::vector<Register*> by_word_;                    // Index: offset / 4.
  std::set<std::string> said_;
};

}  // namespace trapline
