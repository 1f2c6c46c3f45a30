// A64 instructions as text.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "sim/arch/types.h"

namespace trapline {

/// Capstone's text of an instruction, kept for the next time.
class Disassembler {
 public:
  /// Throws std::runtime_error where the library does not start.
  Disassembler();
  ~Disassembler();
  Disassembler(const Disassembler&) = delete;
  Disassembler& operator=(const Disassembler&) = delete;

  /// "MRS      x0, currentel", or ".INST    0x00000000" for a word that is none. Valid until the
  /// next call.
  const std::string& text(VirtAddr pc, std::uint32_t word);

 private:
  static constexpr std::size_t kMostKnown = 1u << 18;

  struct Known {
    std::uint32_t word = 0;
    std::string text;
  };

  std::string disassemble(VirtAddr pc, std::uint32_t word) const;

  std::size_t handle_ = 0;  // Capstone's csh.
  std::unordered_map<VirtAddr, Known> known_;
};

}  // namespace trapline
