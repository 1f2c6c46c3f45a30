// The regions of one PMSAv8-64 MPU and the index that finds an address in them (DDI 0600 C1.3).
#pragma once

#include <cstdint>
#include <vector>

#include "sim/arch/types.h"

namespace trapline {

/// One protection region as PRBAR and PRLAR hold it.
struct MpuRegion {
  static constexpr std::uint64_t kAddressMask = 0x0000'ffff'ffff'ffc0;  ///< BASE and LIMIT.
  static constexpr std::uint64_t kGranule = 64;                         ///< Bytes.

  std::uint64_t prbar = 0;
  std::uint64_t prlar = 0;

  constexpr std::uint64_t base() const { return prbar & kAddressMask; }
  /// The last address of the region: LIMIT is inclusive, its low six bits are ones.
  constexpr std::uint64_t limit() const { return (prlar & kAddressMask) | (kGranule - 1); }
  constexpr unsigned xn() const { return static_cast<unsigned>(bits(prbar, 1, 0)); }
  constexpr bool lower_el() const { return bit(prbar, 2); }   ///< AP[0]: lower EL may access.
  constexpr bool read_only() const { return bit(prbar, 3); }  ///< AP[1].
  constexpr unsigned shareability() const { return static_cast<unsigned>(bits(prbar, 5, 4)); }
  constexpr bool enabled() const { return bit(prlar, 0); }
  constexpr unsigned attr_index() const { return static_cast<unsigned>(bits(prlar, 3, 1)); }
  constexpr bool non_secure() const { return bit(prlar, 4); }
  constexpr bool operator==(const MpuRegion&) const = default;
};

/// An inclusive range of addresses.
struct AddressRange {
  std::uint64_t first = 0;
  std::uint64_t last = ~0ull;
  constexpr bool operator==(const AddressRange&) const = default;
};

/// A stretch of addresses in which the same enabled region, none, or more than one matches.
struct MpuSegment {
  static constexpr std::uint16_t kNone = 0xfffe;
  static constexpr std::uint16_t kOverlap = 0xffff;

  AddressRange range;
  std::uint16_t region = kNone;  ///< Region number, kNone or kOverlap.
};

/// Regions 0 to count - 1. find() costs a binary search; the index behind it is brought up to date
/// by the first find() after a change. A change of enable bits alone costs one linear pass.
class MpuRegionSet {
 public:
  static constexpr unsigned kMaxRegions = 255;  ///< MPUIR.REGION has 8 bits.

  /// Throws std::invalid_argument if `count` is above kMaxRegions.
  explicit MpuRegionSet(unsigned count);

  unsigned count() const { return static_cast<unsigned>(regions_.size()); }
  /// Requires n < count().
  const MpuRegion& operator[](unsigned n) const { return regions_[n]; }
  /// Replaces region n < count().
  void set(unsigned n, const MpuRegion& region);
  /// The enable bits of regions 0 to 31, as PRENR shows them.
  std::uint32_t enables() const;
  /// Bits of regions that do not exist are ignored.
  void set_enables(std::uint32_t enables);

  /// The segment that holds `address`. Allocates nothing.
  MpuSegment find(std::uint64_t address) const;

 private:
  struct Edge {
    std::uint64_t at;  // First address inside (opening) or first address after (closing).
    std::uint8_t region;
    bool opens;
  };
  enum class Stale : std::uint8_t { nothing, segments, edges };

  void update() const;
  void sort_edges() const;
  void sweep_edges() const;

  std::vector<MpuRegion> regions_;
  // The index: edges in address order whether or not their regions are enabled, and the segments
  // that the enabled ones cut. Both keep their capacity.
  mutable std::vector<Edge> edges_;
  mutable std::vector<std::uint64_t> segment_first_;
  mutable std::vector<std::uint16_t> segment_region_;
  mutable Stale stale_ = Stale::edges;
};

}  // namespace trapline
