// What GICv2 and GICv3 have in common: INTID ranges, register layouts, active priorities.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "sim/bus/device.h"

namespace trapline::gic {

inline constexpr std::uint32_t kSgis = 16;            ///< INTIDs 0-15 are SGIs.
inline constexpr std::uint32_t kPrivateIntids = 32;   ///< INTIDs 16-31 are PPIs, then SPIs.
inline constexpr std::uint32_t kFirstSpecial = 1020;  ///< INTIDs 1020-1023 are special.
inline constexpr std::uint32_t kSpurious = 1023;      ///< No pending interrupt to acknowledge.
inline constexpr std::uint32_t kFirstLpi = 8192;
inline constexpr std::uint8_t kIdlePriority = 0xff;  ///< RPR with no active interrupt.

constexpr bool is_special(std::uint32_t intid) {
  return intid >= kFirstSpecial && intid <= kSpurious;
}

/// The implemented bits of an 8-bit priority field, of which the low ones are RAZ/WI.
constexpr std::uint8_t priority_field_mask(unsigned bits) {
  return static_cast<std::uint8_t>(0xff << (8 - bits));
}

/// The group-priority bits of a priority for a binary point of 0-7 in ICC_BPR0_EL1's scale:
/// 0 splits below bit 1, 7 leaves no group priority at all (IHI 0069 4.8.2).
constexpr std::uint8_t group_priority_mask(unsigned binary_point) {
  return static_cast<std::uint8_t>(0xffu << (binary_point + 1));
}

/// Spreads 16 flags over the odd bits of a word, where GICD_ICFGR keeps "edge-triggered".
constexpr std::uint32_t to_odd_bits(std::uint32_t flags) {
  std::uint32_t word = flags & 0xffff;
  word = (word | word << 8) & 0x00ff00ff;
  word = (word | word << 4) & 0x0f0f0f0f;
  word = (word | word << 2) & 0x33333333;
  word = (word | word << 1) & 0x55555555;
  return word << 1;
}

/// The inverse of to_odd_bits(). Even bits are ignored.
constexpr std::uint32_t from_odd_bits(std::uint32_t word) {
  word = (word >> 1) & 0x55555555;
  word = (word | word >> 1) & 0x33333333;
  word = (word | word >> 2) & 0x0f0f0f0f;
  word = (word | word >> 4) & 0x00ff00ff;
  return (word | word >> 8) & 0xffff;
}

/// Calls `visit(n)` for every set bit n, lowest first.
template <typename Visit>
constexpr void for_each_bit(std::uint64_t word, Visit visit) {
  for (; word != 0; word &= word - 1) visit(static_cast<unsigned>(std::countr_zero(word)));
}

/// The identification registers at 0xFFD0-0xFFFC of a GIC frame (IHI 0069 12.1.12): an Arm part
/// whose PIDR0 is `part`, of GIC architecture version `architecture`. `offset` is from the frame.
std::uint32_t identification(std::uint32_t offset, std::uint8_t part, unsigned architecture);

/// Reads an access of any size and alignment out of 32-bit registers; `read_word(offset)` gives the
/// register at a multiple of 4.
template <typename ReadWord>
std::uint64_t read_words(const Access& access, ReadWord read_word) {
  const PhysAddr first = access.offset & ~PhysAddr{3};
  const PhysAddr end = access.offset + access.size;
  std::uint64_t value = 0;
  for (PhysAddr word = first; word < end; word += 4) {
    const std::uint64_t part = read_word(word);
    value |= word < access.offset ? part >> (8 * (access.offset - word))
                                  : part << (8 * (word - access.offset));
  }
  return access.size >= 8 ? value : value & ((1ull << (8 * access.size)) - 1);
}

/// One bit per possible group priority: which priorities are active (AP0R, AP1R).
class ActivePriorities {
 public:
  /// `bits` preemption bits, 4 to 7.
  explicit ActivePriorities(unsigned bits = 5) : bits_(bits) {}

  void clear() { words_ = {}; }
  /// The highest active priority, or kIdlePriority.
  std::uint8_t highest() const;
  void activate(std::uint8_t group_priority);
  /// Ends the highest active priority and returns it; kIdlePriority if there was none.
  std::uint8_t drop();

  std::uint32_t word(unsigned n) const { return words_[n]; }
  void set_word(unsigned n, std::uint32_t value) { words_[n] = value; }

 private:
  unsigned bits_;
  std::array<std::uint32_t, 4> words_{};
};

/// Names each unknown or misused register once in the log. Off the hot path.
class AccessLog {
 public:
  explicit AccessLog(std::string_view device) : device_(device) {}

  /// An offset where nothing is implemented: RAZ/WI.
  void reserved(bool write, PhysAddr offset);
  /// A register that is known but that ignores this access for the reason given.
  void ignored(std::string_view reason, bool write, PhysAddr offset);

 private:
  std::string device_;
  std::set<std::pair<PhysAddr, bool>> seen_;
};

}  // namespace trapline::gic
