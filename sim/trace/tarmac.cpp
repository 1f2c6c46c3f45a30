#include "sim/trace/tarmac.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "sim/trace/disassembler.h"

namespace trapline {
namespace {

template <typename... Values>
void append(std::string& text, const char* format, Values... values) {
  std::array<char, 160> line;
  const int size = std::snprintf(line.data(), line.size(), format, values...);
  text.append(line.data(), std::min(static_cast<std::size_t>(size), line.size() - 1));
}

/// Addresses below 4 GiB have eight digits.
void append_address(std::string& text, std::uint64_t address) {
  append(text, address >> 32 ? "%016" PRIx64 : "%08" PRIx64, address);
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
  if (event.cpu == cpu_ && event.kind == EventKind::exception_entry) exception_ = true;
}

void TarmacWriter::lead(std::uint64_t number) {
  append(text_, "%" PRIu64 " clk cpu%u ", number, cpu_);
}

/// The first instruction after an exception tells the vector.
void TarmacWriter::write_exception(const ExecutedInstruction& first) {
  exception_ = false;
  lead(first.number);
  text_ += "E ";
  append_address(text_, first.pc);
  append(text_, " %08x CoreEvent_%s\n", static_cast<unsigned>(first.pc & 0x7ff),
         vector_name(first.pc));
}

void TarmacWriter::on_instruction(const ExecutedInstruction& instruction) {
  text_.clear();
  if (exception_) write_exception(instruction);
  lead(instruction.number);
  append(text_, "IT (%" PRIu64 ") ", instruction.number);
  append_address(text_, instruction.pc);
  append(text_, ":%012" PRIx64 "%s %08x O EL%u%c_%c : ", instruction.pa, secure_ ? "" : "_NS",
         instruction.word, static_cast<unsigned>(instruction.el), instruction.sp_el0 ? 't' : 'h',
         secure_ ? 's' : 'n');
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
    append(text_, "M%c%u ", memory.write ? 'W' : 'R', bytes);
    append_address(text_, memory.va + at);
    append(text_, ":%012" PRIx64 "%s %0*" PRIx64 "\n", memory.pa + at, secure_ ? "" : "_NS",
           static_cast<int>(2 * bytes), value);
    at += bytes;
  }
}

void TarmacWriter::write_registers(const ExecutedInstruction& instruction) {
  for (unsigned n = 0; n < x_.size(); ++n) {
    if (x_[n] == instruction.x[n]) continue;
    x_[n] = instruction.x[n];
    lead(instruction.number);
    append(text_, "R X%u %016" PRIx64 "\n", n, x_[n]);
  }
  const bool sp_el0 = (instruction.pstate & 1) == 0;
  const unsigned level = instruction.pstate >> 2 & 3;
  if (sp_ != instruction.sp) {
    sp_ = instruction.sp;
    lead(instruction.number);
    append(text_, "R SP_EL%u %016" PRIx64 "\n", sp_el0 ? 0 : level, sp_);
  }
  if (pstate_ != instruction.pstate) {
    pstate_ = instruction.pstate;
    lead(instruction.number);
    append(text_, "R cpsr %08x\n", pstate_);
  }
}

}  // namespace trapline
