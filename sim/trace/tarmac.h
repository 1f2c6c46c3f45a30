// Instructions as Arm's Tarmac text: IT, R, MR, MW and E lines, as Fast Models write them and Arm's
// public trace utilities read them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sim/trace/event.h"
#include "sim/trace/instruction.h"

namespace trapline {

class Disassembler;

/// Writes one CPU's instructions; exceptions come from the events of the same run.
class TarmacWriter {
 public:
  using Output = std::function<void(std::string_view text)>;

  /// `secure`: addresses and levels are marked as Secure state's. Throws std::runtime_error where the
  /// disassembler does not start.
  TarmacWriter(unsigned cpu, bool secure, Output output);
  ~TarmacWriter();

  void on_event(const Event& event);
  void on_instruction(const ExecutedInstruction& instruction);

 private:
  void lead(std::uint64_t number);
  void write_exception(const ExecutedInstruction& first);
  void write_register(std::uint64_t number, std::string_view name, unsigned index,
                      std::uint64_t value);
  void write_registers(const ExecutedInstruction& instruction);
  void write_memory(const ExecutedInstruction& instruction);

  unsigned cpu_;
  bool secure_;
  Output output_;
  std::unique_ptr<Disassembler> disassembler_;
  std::string text_;  // Of the instruction being written.
  std::optional<std::uint64_t> exception_;  // Number of the first instruction behind one.
  // As last written; what was not written yet is unknown to whoever reads.
  bool known_ = false;
  std::array<std::uint64_t, 31> x_{};
  unsigned sp_level_ = 0;  // SP is that level's.
  std::uint64_t sp_ = 0;
  std::uint32_t pstate_ = 0;
};

}  // namespace trapline
