#include "sim/trace/tarmac.h"

#include <algorithm>
#include <charconv>

#include "sim/trace/disassembler.h"

namespace trapline {
namespace {

// Most of the time of a run with Tarmac goes into numbers, so they are written by hand.
void append_decimal(std::string& text, std::uint64_t value) {
  std::array<char, 20> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  text.append(digits.data(), end);
}

/// At least `width` digits, of at most 16.
void append_hex(std::string& text, std::uint64_t value, unsigned width) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::array<char, 16> digits;
  unsigned count = 0;
  for (; value != 0 || count < width; value >>= 4) digits[15 - count++] = kDigits[value & 15];
  text.append(digits.data() + 16 - count, count);
}

/// Addresses below 4 GiB have eight digits.
void append_address(std::string& text, std::uint64_t address) {
  append_hex(text, address, address >> 32 ? 16 : 8);
}

/// DDI 0487 table D1-7, by offset from VBAR_ELx.
const char* vector_name(VirtAddr pc) {
  static constexpr const char* kNames[] = {
      "CURRENT_SP0_SYNC", "CURRENT_SP0_IRQ", "CURRENT_SP0_FIQ", "CURRENT_SP0_SERROR",
      "CURRENT_SPx_SYNC", "CURRENT_SPx_IRQ", "CURRENT_SPx_FIQ", "CURRENT_SPx_SERROR",
      "LOWER_64_SYNC",    "LOWER_64_IRQ",    "LOWER_64_FIQ",    "LOWER_64_SERROR",
      "LOWER_32_SYNC",    "LOWER_32_IRQ",    "LOWER_32_FIQ",    "LOWER_32_SERROR"};
  return kNames[(pc & 0x7ff) / 0x80];
}

}  // namespace

TarmacWriter::TarmacWriter(unsigned cpu, bool secure, Output output)
    : cpu_(cpu),
      secure_(secure),
      output_(std::move(output)),
      disassembler_(std::make_unique<Disassembler>()) {}

TarmacWriter::~TarmacWriter() = default;

void TarmacWriter::on_event(const Event& event) {
  if (event.cpu == cpu_ && event.kind == EventKind::exception_entry) {
    exception_ = event.instructions;
  }
}

void TarmacWriter::lead(std::uint64_t number) {
  append_decimal(text_, number);
  text_ += " clk cpu";
  append_decimal(text_, cpu_);
  text_ += ' ';
}

/// The first instruction after an exception tells the vector.
void TarmacWriter::write_exception(const ExecutedInstruction& first) {
  lead(first.number);
  text_ += "E ";
  append_address(text_, first.pc);
  text_ += ' ';
  append_hex(text_, first.pc & 0x7ff, 8);
  text_ += " CoreEvent_";
  text_ += vector_name(first.pc);
  text_ += '\n';
}

void TarmacWriter::on_instruction(const ExecutedInstruction& instruction) {
  text_.clear();
  if (exception_ == instruction.number) write_exception(instruction);
  lead(instruction.number);
  text_ += "IT (";
  append_decimal(text_, instruction.number);
  text_ += ") ";
  append_address(text_, instruction.pc);
  text_ += ':';
  append_hex(text_, instruction.pa, 12);
  text_ += secure_ ? " " : "_NS ";
  append_hex(text_, instruction.word, 8);
  text_ += " O EL";
  text_ += static_cast<char>('0' + static_cast<unsigned>(instruction.el));
  text_ += instruction.sp_el0 ? 't' : 'h';
  text_ += secure_ ? "_s : " : "_n : ";
  text_ += disassembler_->text(instruction.pc, instruction.word);
  text_ += '\n';
  if (instruction.memory) write_memory(instruction);
  write_registers(instruction);
  output_(text_);
}

void TarmacWriter::write_memory(const ExecutedInstruction& instruction) {
  const MemoryContents& memory = *instruction.memory;
  // One hexadecimal word a line, so at most eight bytes.
  for (unsigned at = 0; at < memory.bytes;) {
    unsigned bytes = std::min(8u, memory.bytes - at);
    while (bytes & (bytes - 1)) --bytes;
    std::uint64_t value = 0;
    for (unsigned n = 0; n < bytes; ++n) value |= std::uint64_t{memory.data[at + n]} << (8 * n);
    lead(instruction.number);
    text_ += memory.write ? "MW" : "MR";
    append_decimal(text_, bytes);
    text_ += ' ';
    append_address(text_, memory.va + at);
    text_ += ':';
    append_hex(text_, memory.pa + at, 12);
    text_ += secure_ ? " " : "_NS ";
    append_hex(text_, value, 2 * bytes);
    text_ += '\n';
    at += bytes;
  }
}

void TarmacWriter::write_register(std::uint64_t number, std::string_view name, unsigned index,
                                  std::uint64_t value) {
  lead(number);
  text_ += "R ";
  text_ += name;
  append_decimal(text_, index);
  text_ += ' ';
  append_hex(text_, value, 16);
  text_ += '\n';
}

void TarmacWriter::write_registers(const ExecutedInstruction& instruction) {
  for (unsigned n = 0; n < x_.size(); ++n) {
    if (x_[n] == instruction.x[n] && known_) continue;
    x_[n] = instruction.x[n];
    write_register(instruction.number, "X", n, x_[n]);
  }
  const unsigned sp_level = instruction.pstate & 1 ? instruction.pstate >> 2 & 3 : 0;
  // Also where the level changes: readers keep one SP, the one that was written last.
  if (sp_ != instruction.sp || sp_level_ != sp_level || !known_) {
    sp_ = instruction.sp;
    sp_level_ = sp_level;
    write_register(instruction.number, "SP_EL", sp_level, sp_);
  }
  if (pstate_ != instruction.pstate || !known_) {
    pstate_ = instruction.pstate;
    lead(instruction.number);
    text_ += "R cpsr ";
    append_hex(text_, pstate_, 8);
    text_ += '\n';
  }
  known_ = true;
}

}  // namespace trapline
