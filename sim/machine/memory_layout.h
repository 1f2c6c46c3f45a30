// Which part of RAM holds what before the first instruction runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/arch/types.h"

namespace trapline {

/// A half-open range of physical addresses.
struct MemoryRange {
  PhysAddr base = 0;
  std::uint64_t size = 0;  ///< Bytes.

  PhysAddr end() const { return base + size; }
  bool contains(const MemoryRange& other) const {
    return other.base >= base && other.size <= size && other.base - base <= size - other.size;
  }
  bool overlaps(const MemoryRange& other) const { return base < other.end() && other.base < end(); }
  bool operator==(const MemoryRange&) const = default;
};

/// "0x40200000-0x40ffffff" (inclusive), the way Linux prints resources.
std::string to_string(const MemoryRange& range);
/// "64 MiB", "12 KiB" or "7 bytes", rounded up; for messages.
std::string size_text(std::uint64_t bytes);

/// What is put in memory: its part in the boot ("kernel", "dom0 initrd") and the file it came from
/// (empty for what Trapline makes itself).
struct LayoutItem {
  std::string role;
  std::string path;

  std::string text() const { return path.empty() ? role : role + " (" + path + ")"; }
};

/// The free and the taken parts of RAM. Nothing that is placed through it can overlap.
class MemoryLayout {
 public:
  struct Claim {
    LayoutItem item;
    MemoryRange range;
  };

  /// `ram` must be sorted by base and free of overlaps. In `other` ranges (ROM, flash) only claims
  /// are made, nothing is placed.
  explicit MemoryLayout(std::vector<MemoryRange> ram, std::vector<MemoryRange> other = {});

  /// Takes a fixed range. Throws ImageError, naming both parties, if it is not in RAM or is taken.
  /// An empty range takes nothing.
  void claim(const LayoutItem& item, const MemoryRange& range);

  /// Takes the first free range at or above `from`, or else the first one anywhere, whose base is
  /// `offset` above a multiple of `align` (a power of two). Throws ImageError saying how much RAM
  /// is missing.
  PhysAddr place(const LayoutItem& item, std::uint64_t size, std::uint64_t align, PhysAddr from,
                 std::uint64_t offset = 0);

  /// True if `range` lies in RAM and nothing has taken any of it.
  bool is_free(const MemoryRange& range) const;
  /// True if `range` lies in RAM or in one of the other ranges.
  bool is_memory(const MemoryRange& range) const;

  const std::vector<MemoryRange>& ram() const { return ram_; }
  /// Bytes in all banks.
  std::uint64_t ram_bytes() const;
  /// Bytes taken, each claim rounded up to `align`.
  std::uint64_t claimed_bytes(std::uint64_t align) const;
  /// Sorted by address.
  const std::vector<Claim>& claims() const { return claims_; }
  /// One line a claim, for logs.
  std::string describe() const;

 private:
  bool in_ram(const MemoryRange& range) const;
  const Claim* overlapping(const MemoryRange& range) const;
  bool find_gap(MemoryRange& range, std::uint64_t align, std::uint64_t offset, PhysAddr from) const;
  void insert(const LayoutItem& item, const MemoryRange& range);

  std::vector<MemoryRange> ram_;
  std::vector<MemoryRange> other_;
  std::vector<Claim> claims_;
};

}  // namespace trapline
