#include "models/gic/gic_common.h"

#include <spdlog/spdlog.h>

namespace trapline::gic {

std::uint32_t identification(std::uint32_t offset, std::uint8_t part, unsigned architecture) {
  // PIDR4-7, PIDR0-3, CIDR0-3: JEP106 code 0x3b with continuation 4 is Arm.
  const std::array<std::uint8_t, 12> bytes = {
      0x44, 0x00, 0x00, 0x00, part, 0xb4, static_cast<std::uint8_t>(architecture << 4 | 0xb),
      0x00, 0x0d, 0xf0, 0x05, 0xb1};
  const std::uint32_t index = (offset & 0x3f) / 4;  // 0xFFD0 is word 4 of its 64 bytes.
  return index >= 4 && index - 4 < bytes.size() ? bytes[index - 4] : 0;
}

std::uint8_t ActivePriorities::highest() const {
  for (unsigned n = 0; n < words_.size(); ++n) {
    if (words_[n] == 0) continue;
    const unsigned index = n * 32 + static_cast<unsigned>(std::countr_zero(words_[n]));
    return static_cast<std::uint8_t>(index << (8 - bits_));
  }
  return kIdlePriority;
}

void ActivePriorities::activate(std::uint8_t group_priority) {
  const unsigned index = group_priority >> (8 - bits_);
  words_[index / 32] |= 1u << (index % 32);
}

std::uint8_t ActivePriorities::drop() {
  const std::uint8_t priority = highest();
  for (std::uint32_t& word : words_) {
    if (word == 0) continue;
    word &= word - 1;
    break;
  }
  return priority;
}

void AccessLog::reserved(bool write, PhysAddr offset) {
  if (!seen_.emplace(offset, write).second) return;
  spdlog::warn("{}: {} reserved offset {:#x}: reads as zero, writes are ignored", device_,
               write ? "write to" : "read of", offset);
}

void AccessLog::ignored(std::string_view reason, bool write, PhysAddr offset) {
  if (!seen_.emplace(offset, write).second) return;
  spdlog::warn("{}: {} offset {:#x} ignored: {}", device_, write ? "write to" : "read of", offset,
               reason);
}

}  // namespace trapline::gic
