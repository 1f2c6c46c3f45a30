// NOR flash with the Intel command set (StrataFlash J3; JEDEC CFI, JESD68), two x16 chips side by
// side on a 32-bit bus.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/bus/device.h"
#include "sim/bus/register_bank.h"

namespace trapline {

/// Commands and what is read while they are under way. The bytes themselves are memory that the
/// machine owns and reads directly while the flash is in read-array mode; writes always come here.
/// Every operation completes at once. Both chips are given the same commands, as all software for
/// such a pair does; a command is the low byte of what is written.
class NorFlash final : public Device {
 public:
  static constexpr std::uint64_t kBlockBytes = 256 * 1024;  ///< Of the pair.

  struct Hooks {
    /// True: reads are memory from now on. False: they come to read().
    std::function<void(bool array)> mode;
    /// Bytes of the array have changed.
    std::function<void(std::uint64_t offset, std::uint64_t bytes)> changed;
  };

  /// `array` is the contents, a power of two of at least 4 blocks; it must outlive the device.
  /// Throws std::invalid_argument. Without a log, messages go to spdlog as warnings.
  NorFlash(std::string name, std::span<std::uint8_t> array, Hooks hooks,
           RegisterBank::Log log = {});

  std::string_view name() const override { return messages_.owner(); }
  /// Read-array mode; the contents and the block lock bits stay, as they do without power.
  void reset() override;
  BusStatus read(const Access& access, std::uint64_t& value) override;
  BusStatus write(const Access& access, std::uint64_t value) override;

 private:
  enum class Mode : std::uint8_t { array, status, identifier, query };
  /// What the next write is.
  enum class Expect : std::uint8_t {
    command,
    program_data,
    erase_confirm,
    lock_confirm,
    buffer_count,
    buffer_data,
    buffer_confirm,
    protection_data,
  };
  struct Piece {
    std::uint64_t offset;
    std::uint8_t size;
    std::uint64_t value;
  };

  void set_mode(Mode mode);
  void command(std::uint8_t code, std::uint64_t offset);
  void lock_command(std::uint8_t code, std::uint64_t offset);
  void buffer_data(const Access& access, std::uint64_t value);
  void write_buffer();
  bool check_unlocked(std::uint64_t offset, std::uint16_t error);
  void program(const Piece& piece);
  void erase(std::uint64_t offset);
  void sequence_error();
  std::uint16_t word(std::uint64_t index) const;
  bool inside(const Access& access) const {
    return access.offset < array_.size() && access.size <= array_.size() - access.offset;
  }
  std::uint64_t block_of(std::uint64_t offset) const { return offset / kBlockBytes; }

  std::span<std::uint8_t> array_;
  Hooks hooks_;
  RegisterBank messages_;
  Mode mode_ = Mode::array;
  Expect expect_ = Expect::command;
  std::uint8_t status_;
  std::vector<bool> locked_;        // By block.
  std::uint64_t buffer_block_ = 0;  // Of a buffered program.
  std::uint64_t buffer_left_ = 0;   // Bytes.
  std::vector<Piece> buffer_;
};

}  // namespace trapline
