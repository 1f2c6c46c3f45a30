// How long an instruction takes. See docs/timing.md for what the figures are and are not.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "sim/arch/instruction_class.h"

namespace trapline {

/// Cycles by instruction word: a pure function, so that the cost of a code page can be summed up
/// once.
class TimingModel {
 public:
  /// No instruction costs more than this.
  static constexpr unsigned kMaxCycles = 63;

  virtual ~TimingModel() = default;
  /// Whole cycles from 1 to kMaxCycles, for every word, allocated or not.
  virtual unsigned cycles(std::uint32_t word) const = 0;
  /// The name in options, statistics and trace headers.
  virtual std::string_view name() const = 0;
};

/// One cycle an instruction: virtual time counts instructions.
class UnitTiming final : public TimingModel {
 public:
  unsigned cycles(std::uint32_t) const override { return 1; }
  std::string_view name() const override { return "unit"; }
};

/// A figure for each class of instruction.
class TableTiming final : public TimingModel {
 public:
  using Table = std::array<std::uint8_t, kInstructionClasses>;

  /// The default table, a Cortex-A55-like in-order core.
  TableTiming();
  /// Throws std::invalid_argument, naming the class, for a figure outside 1 to kMaxCycles.
  TableTiming(std::string_view name, const Table& table);

  unsigned cycles(std::uint32_t word) const override {
    return table_[static_cast<unsigned>(classify(word))];
  }
  std::string_view name() const override { return name_; }
  unsigned cycles_of(InstructionClass instruction_class) const {
    return table_[static_cast<unsigned>(instruction_class)];
  }

 private:
  std::string name_;
  Table table_;
};

/// The model called "table" or "unit"; throws std::invalid_argument naming both for any other. The
/// reference stays valid for the life of the program.
const TimingModel& timing_model(std::string_view name);

}  // namespace trapline
