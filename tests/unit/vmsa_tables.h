// Translation tables in a sparse memory, built the way an operating system builds them.
#pragma once

#include <cstdint>
#include <map>
#include <set>

#include "sim/cpu/vmsa.h"

namespace trapline {

/// Memory that keeps only what was written; everything else reads as zero.
class TableMemory : public PhysicalMemory {
 public:
  bool read64(PhysAddr pa, std::uint64_t& value) override {
    ++reads;
    if (aborts.contains(pa)) return false;
    value = at(pa);
    return true;
  }
  Swap compare_and_swap64(PhysAddr pa, std::uint64_t expected, std::uint64_t desired) override {
    if (read_only.contains(pa)) return Swap::error;
    if (const auto change = races.find(pa); change != races.end()) {
      words[pa] = change->second;
      races.erase(change);
    }
    if (at(pa) != expected) return Swap::changed;
    words[pa] = desired;
    return Swap::done;
  }
  std::uint64_t at(PhysAddr pa) const {
    const auto word = words.find(pa);
    return word == words.end() ? 0 : word->second;
  }

  std::map<PhysAddr, std::uint64_t> words;
  std::map<PhysAddr, std::uint64_t> races;  ///< Another observer's write, just before a swap.
  std::set<PhysAddr> aborts;
  std::set<PhysAddr> read_only;
  unsigned reads = 0;
};

/// One tree of tables. Addresses of tables are handed out from `next` in 64 KiB steps.
class TableTree {
 public:
  TableTree(TableMemory& memory, PhysAddr root, unsigned granule_bits, unsigned start_level)
      : memory_(memory),
        granule_bits_(granule_bits),
        start_level_(start_level),
        root_(root),
        next_(root + 0x100000) {}

  PhysAddr root() const { return root_; }
  unsigned shift(unsigned level) const { return granule_bits_ + (3 - level) * (granule_bits_ - 3); }

  /// Where the descriptor for `ia` at `level` is; missing tables are added with `table_attributes`.
  /// The start table takes every higher bit of `ia` as index (pass it without the upper half's
  /// ones).
  PhysAddr descriptor(std::uint64_t ia, unsigned level, std::uint64_t table_attributes = 0) {
    PhysAddr table = root_;
    for (unsigned l = start_level_;; ++l) {
      std::uint64_t index = ia >> shift(l);
      if (l != start_level_) index &= (1ull << (granule_bits_ - 3)) - 1;
      const PhysAddr entry = table + index * 8;
      if (l == level) return entry;
      if (memory_.at(entry) == 0) {
        memory_.words[entry] = next_ | 3 | table_attributes;
        next_ += 0x10000;
      }
      table = memory_.at(entry) & 0x0000'FFFF'FFFF'F000;
    }
  }
  /// Maps `ia` by a block or page at `level`. `attributes` are the descriptor's other bits.
  PhysAddr map(std::uint64_t ia, unsigned level, PhysAddr output, std::uint64_t attributes,
               std::uint64_t table_attributes = 0) {
    const PhysAddr entry = descriptor(ia, level, table_attributes);
    memory_.words[entry] = output | attributes | (level == 3 ? 3 : 1);
    return entry;
  }

 private:
  TableMemory& memory_;
  unsigned granule_bits_;
  unsigned start_level_;
  PhysAddr root_;
  PhysAddr next_;
};

// Descriptor bits (DDI 0487 D8.3).
inline constexpr std::uint64_t kAf = 1ull << 10;
inline constexpr std::uint64_t kNg = 1ull << 11;
inline constexpr std::uint64_t kApEl0 = 1ull << 6;
inline constexpr std::uint64_t kApRo = 1ull << 7;
inline constexpr std::uint64_t kDbm = 1ull << 51;
inline constexpr std::uint64_t kCont = 1ull << 52;
inline constexpr std::uint64_t kPxnBit = 1ull << 53;
inline constexpr std::uint64_t kUxnBit = 1ull << 54;
inline constexpr std::uint64_t kShInner = 3ull << 8;
inline constexpr std::uint64_t attr_index(unsigned n) {
  return std::uint64_t{n} << 2;
}
// Stage 2.
inline constexpr std::uint64_t kS2Read = 1ull << 6;
inline constexpr std::uint64_t kS2Write = 1ull << 7;
inline constexpr std::uint64_t kS2Normal = 0xFull << 2;
inline constexpr std::uint64_t kS2Rw = kAf | kS2Read | kS2Write | kS2Normal;

inline constexpr std::uint64_t kSctlrM = 1, kSctlrC = 1 << 2, kSctlrWxn = 1 << 19,
                               kSctlrEe = 1 << 25, kSctlrEpan = 1ull << 57;
inline constexpr std::uint64_t kHcrVm = 1, kHcrPtw = 1 << 2, kHcrDc = 1 << 12, kHcrTge = 1 << 27,
                               kHcrFwb = 1ull << 46;

/// TCR_EL1 fields for both halves: 4 KiB granules, 48-bit output.
constexpr std::uint64_t tcr_el1(unsigned t0sz, unsigned t1sz, unsigned ips = 5) {
  return t0sz | std::uint64_t{t1sz} << 16 | 2ull << 30 | std::uint64_t{ips} << 32;
}
constexpr std::uint64_t vtcr(unsigned t0sz, unsigned sl0, unsigned tg0 = 0, unsigned ps = 2) {
  return t0sz | sl0 << 6 | tg0 << 14 | ps << 16 | 1u << 31;
}

inline const Mapping* mapping(const TranslationResult& result) {
  return std::get_if<Mapping>(&result);
}
inline const Fault* fault(const TranslationResult& result) {
  return std::get_if<Fault>(&result);
}

}  // namespace trapline
