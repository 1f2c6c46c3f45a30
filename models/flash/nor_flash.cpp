#include "models/flash/nor_flash.h"

#include <array>
#include <bit>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace trapline {
namespace {

// Status register.
constexpr std::uint8_t kReady = 0x80, kEraseError = 0x20, kProgramError = 0x10, kBlockLocked = 0x02;

constexpr std::uint64_t kBusBytes = 4;
constexpr std::uint64_t kMaxBufferWords = 16;  // Of each chip: 32 bytes.
constexpr std::uint16_t kManufacturer = 0x89;  // Intel.
constexpr std::uint64_t kQueryStart = 0x10;

/// Identification by size of one chip: 28F320J3 to 28F256J3.
std::uint16_t device_code(unsigned log2_bytes) {
  return static_cast<std::uint16_t>(log2_bytes == 25 ? 0x1d : 0x16 + (log2_bytes - 22));
}

/// The CFI table of one chip from offset 0x10 on (JESD68; 28F256J3 datasheet, appendix C).
std::uint16_t query_word(std::uint64_t offset, std::uint64_t chip_bytes, std::uint64_t blocks) {
  const auto size = static_cast<std::uint8_t>(std::countr_zero(chip_bytes));
  const std::uint64_t units = chip_bytes / blocks / 256;
  const std::array<std::uint8_t, 0x30> table = {
      'Q',
      'R',
      'Y',
      0x01,
      0x00,
      0x31,
      0x00,  // Intel command set, extended table at 0x31.
      0x00,
      0x00,
      0x00,
      0x00,  // No alternative.
      0x27,
      0x36,
      0x00,
      0x00,  // 2.7 to 3.6 V, no separate Vpp.
      0x07,
      0x07,
      0x0a,
      0x00,  // Typical times: word, buffer, block erase, chip erase,
      0x04,
      0x04,
      0x04,
      0x00,  // and how often those at most.
      size,
      0x02,
      0x00,
      0x05,
      0x00,  // Size, x8/x16, buffer of 32 bytes.
      0x01,  // One region of equal blocks:
      static_cast<std::uint8_t>(blocks - 1),
      static_cast<std::uint8_t>((blocks - 1) >> 8),
      static_cast<std::uint8_t>(units),
      static_cast<std::uint8_t>(units >> 8),
      'P',
      'R',
      'I',
      '1',
      '1',  // 0x31
      0x0e,
      0x00,
      0x00,
      0x00,  // Suspend erase and program, legacy lock and unlock.
      0x01,
      0x01,
      0x00,  // Program in erase suspend; lock bit in block status.
      0x33,
      0x00,
      0x00};  // 3.3 V; no protection register.
  return offset < table.size() ? table[offset] : 0;
}

}  // namespace

NorFlash::NorFlash(std::string name, std::span<std::uint8_t> array, Hooks hooks,
                   RegisterBank::Log log)
    : array_(array),
      hooks_(std::move(hooks)),
      messages_(std::move(name), std::move(log)),
      status_(kReady),
      locked_(array.size() / kBlockBytes) {
  if (!std::has_single_bit(array.size()) || array.size() < 4 * kBlockBytes) {
    throw std::invalid_argument("NOR flash: the size must be a power of two, at least 1 MiB");
  }
}

void NorFlash::reset() {
  status_ = kReady;
  expect_ = Expect::command;
  buffer_.clear();
  set_mode(Mode::array);
}

void NorFlash::set_mode(Mode mode) {
  const bool was_array = mode_ == Mode::array;
  mode_ = mode;
  if (was_array != (mode == Mode::array)) hooks_.mode(mode == Mode::array);
}

/// What one chip shows at word `index` in the present mode.
std::uint16_t NorFlash::word(std::uint64_t index) const {
  const std::uint64_t chip_bytes = array_.size() / 2;
  switch (mode_) {
    case Mode::identifier: {
      const std::uint64_t in_block = index % (kBlockBytes / kBusBytes);
      if (in_block == 0) return kManufacturer;
      if (in_block == 1) return device_code(static_cast<unsigned>(std::countr_zero(chip_bytes)));
      return in_block == 2 ? locked_[block_of(index * kBusBytes)] : 0;
    }
    case Mode::query:
      return index < kQueryStart
                 ? 0
                 : query_word(index - kQueryStart, chip_bytes, array_.size() / kBlockBytes);
    default:
      return status_;
  }
}

BusStatus NorFlash::read(const Access& access, std::uint64_t& value) {
  value = 0;
  if (!inside(access)) return BusStatus::error;
  if (mode_ == Mode::array) {
    std::memcpy(&value, &array_[access.offset], access.size);
    return BusStatus::ok;
  }
  for (unsigned byte = 0; byte < access.size; ++byte) {
    const std::uint64_t at = access.offset + byte;
    const unsigned part = word(at / kBusBytes) >> (8 * (at % 2)) & 0xff;
    value |= std::uint64_t{part} << (8 * byte);
  }
  return BusStatus::ok;
}

BusStatus NorFlash::write(const Access& access, std::uint64_t value) {
  if (!inside(access)) return BusStatus::error;
  const auto code = static_cast<std::uint8_t>(value);
  if (access.size >= kBusBytes && expect_ != Expect::program_data &&
      expect_ != Expect::buffer_data && (value >> 16 & 0xff) != code) {
    messages_.say_once("the two chips are given different commands; both take the lower");
  }
  switch (std::exchange(expect_, Expect::command)) {
    case Expect::command:
      command(code, access.offset);
      break;
    case Expect::program_data:
      if (check_unlocked(access.offset, kProgramError)) {
        program({access.offset, access.size, value});
      }
      break;
    case Expect::erase_confirm:
      if (code != 0xd0) {
        sequence_error();
      } else if (check_unlocked(access.offset, kEraseError)) {
        erase(access.offset);
      }
      break;
    case Expect::lock_confirm:
      lock_command(code, access.offset);
      break;
    case Expect::buffer_count:
      if (code >= kMaxBufferWords) return sequence_error(), BusStatus::ok;
      buffer_left_ = (code + 1u) * kBusBytes;
      expect_ = Expect::buffer_data;
      break;
    case Expect::buffer_data:
      buffer_data(access, value);
      break;
    case Expect::buffer_confirm:
      if (code == 0xd0) {
        write_buffer();
      } else {
        sequence_error();
      }
      break;
    case Expect::protection_data:
      break;
  }
  return BusStatus::ok;
}

void NorFlash::command(std::uint8_t code, std::uint64_t offset) {
  switch (code) {
    case 0xff:
      return set_mode(Mode::array);
    case 0x90:
      return set_mode(Mode::identifier);
    case 0x98:
      return set_mode(Mode::query);
    case 0x50:
      status_ = kReady;
      return;
    case 0xf0:  // Read array in the other command set, which software tries as well.
      return;
    case 0x10:
    case 0x40:
      expect_ = Expect::program_data;
      break;
    case 0x20:
      expect_ = Expect::erase_confirm;
      break;
    case 0x60:
      expect_ = Expect::lock_confirm;
      break;
    case 0xe8:
      buffer_.clear();
      buffer_block_ = block_of(offset);
      expect_ = Expect::buffer_count;
      break;
    case 0xc0:
      messages_.say_once("the protection register is not implemented");
      expect_ = Expect::protection_data;
      break;
    case 0x70:
    case 0xb0:  // Suspend, resume: nothing is ever under way.
    case 0xd0:
      break;
    default:
      messages_.say_once("command " + std::to_string(code) + " is not known");
      return;
  }
  set_mode(Mode::status);
}

/// Lock bits are set one by one and cleared all at once, and survive power-off.
void NorFlash::lock_command(std::uint8_t code, std::uint64_t offset) {
  if (code == 0x01) {
    locked_[block_of(offset)] = true;
  } else if (code == 0xd0) {
    locked_.assign(locked_.size(), false);
  } else if (code == 0x03 || code == 0x04) {
    messages_.say_once("the read configuration register is not implemented");
  } else {
    sequence_error();
  }
}

void NorFlash::buffer_data(const Access& access, std::uint64_t value) {
  if (block_of(access.offset) != buffer_block_ || access.size > buffer_left_) {
    return sequence_error();
  }
  buffer_.push_back({access.offset, access.size, value});
  buffer_left_ -= access.size;
  expect_ = buffer_left_ == 0 ? Expect::buffer_confirm : Expect::buffer_data;
}

void NorFlash::write_buffer() {
  if (!check_unlocked(buffer_block_ * kBlockBytes, kProgramError)) return;
  for (const Piece& piece : buffer_) program(piece);
}

bool NorFlash::check_unlocked(std::uint64_t offset, std::uint16_t error) {
  if (!locked_[block_of(offset)]) return true;
  status_ |= static_cast<std::uint8_t>(error | kBlockLocked);
  return false;
}

/// Programming only turns ones into zeros.
void NorFlash::program(const Piece& piece) {
  for (unsigned byte = 0; byte < piece.size; ++byte) {
    array_[piece.offset + byte] &= static_cast<std::uint8_t>(piece.value >> (8 * byte));
  }
  hooks_.changed(piece.offset, piece.size);
}

void NorFlash::erase(std::uint64_t offset) {
  const std::uint64_t base = block_of(offset) * kBlockBytes;
  std::memset(&array_[base], 0xff, kBlockBytes);
  hooks_.changed(base, kBlockBytes);
}

void NorFlash::sequence_error() {
  status_ |= kEraseError | kProgramError;
}

}  // namespace trapline
