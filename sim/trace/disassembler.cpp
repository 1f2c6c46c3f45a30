#include "sim/trace/disassembler.h"

#include <capstone/capstone.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <stdexcept>

namespace trapline {

static_assert(sizeof(csh) == sizeof(std::size_t));

Disassembler::Disassembler() {
  if (cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &handle_) != CS_ERR_OK) {
    throw std::runtime_error("the disassembler does not start");
  }
}

Disassembler::~Disassembler() {
  cs_close(&handle_);
}

const std::string& Disassembler::text(VirtAddr pc, std::uint32_t word) {
  if (known_.size() >= kMostKnown) known_.clear();
  Known& known = known_[pc];
  if (known.text.empty() || known.word != word) known = {word, disassemble(pc, word)};
  return known.text;
}

std::string Disassembler::disassemble(VirtAddr pc, std::uint32_t word) const {
  const std::array<std::uint8_t, 4> bytes{
      static_cast<std::uint8_t>(word), static_cast<std::uint8_t>(word >> 8),
      static_cast<std::uint8_t>(word >> 16), static_cast<std::uint8_t>(word >> 24)};
  cs_insn* found = nullptr;
  std::string name = ".INST", operands;
  if (cs_disasm(handle_, bytes.data(), bytes.size(), pc, 1, &found) == 1) {
    name = found->mnemonic;
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    operands = found->op_str;
    cs_free(found, 1);
  } else {
    std::array<char, 16> number{};
    std::snprintf(number.data(), number.size(), "0x%08x", word);
    operands = number.data();
  }
  name.resize(std::max<std::size_t>(name.size(), 8), ' ');
  return name + ' ' + operands;
}

}  // namespace trapline
