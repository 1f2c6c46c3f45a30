#include "models/mpu/mpu_regions.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace trapline {
namespace {

// Where the edges of a region go whose limit is below its base: it never matches.
constexpr std::uint64_t kNowhere = ~0ull;

constexpr unsigned kPrenrBits = 32;

}  // namespace

MpuRegionSet::MpuRegionSet(unsigned count) : regions_(count <= kMaxRegions ? count : 0) {
  if (count > kMaxRegions) {
    throw std::invalid_argument("an MPU has at most " + std::to_string(kMaxRegions) +
                                " regions, not " + std::to_string(count));
  }
  for (unsigned n = 0; n < count; ++n) {
    edges_.push_back({0, static_cast<std::uint8_t>(n), true});
    edges_.push_back({0, static_cast<std::uint8_t>(n), false});
  }
  segment_first_.reserve(edges_.size() + 1);
  segment_region_.reserve(edges_.size() + 1);
}

void MpuRegionSet::set(unsigned n, const MpuRegion& region) {
  MpuRegion& current = regions_[n];
  if (current.base() != region.base() || current.limit() != region.limit()) {
    stale_ = Stale::edges;
  } else if (current.enabled() != region.enabled() && stale_ == Stale::nothing) {
    stale_ = Stale::segments;
  }
  current = region;
}

std::uint32_t MpuRegionSet::enables() const {
  std::uint32_t enables = 0;
  for (unsigned n = 0; n < std::min(count(), kPrenrBits); ++n) {
    enables |= std::uint32_t{regions_[n].enabled()} << n;
  }
  return enables;
}

void MpuRegionSet::set_enables(std::uint32_t enables) {
  for (unsigned n = 0; n < std::min(count(), kPrenrBits); ++n) {
    regions_[n].prlar = (regions_[n].prlar & ~1ull) | (enables >> n & 1);
  }
  if (stale_ == Stale::nothing) stale_ = Stale::segments;
}

// Insertion sort: the order of the last time is almost right, so this is nearly linear.
void MpuRegionSet::sort_edges() const {
  for (std::size_t i = 0; i < edges_.size(); ++i) {
    Edge edge = edges_[i];
    const MpuRegion& region = regions_[edge.region];
    const bool empty = region.base() > region.limit();
    edge.at = empty ? kNowhere : edge.opens ? region.base() : region.limit() + 1;
    std::size_t to = i;
    for (; to > 0 && edges_[to - 1].at > edge.at; --to) edges_[to] = edges_[to - 1];
    edges_[to] = edge;
  }
}

// Walks the edges upwards with the number of enabled regions that are open and the sum of their
// numbers, which is the region's own where exactly one is open.
void MpuRegionSet::sweep_edges() const {
  segment_first_.assign(1, 0);
  segment_region_.assign(1, MpuSegment::kNone);
  unsigned open = 0, sum = 0;
  for (std::size_t i = 0; i < edges_.size() && edges_[i].at != kNowhere;) {
    const std::uint64_t at = edges_[i].at;
    for (; i < edges_.size() && edges_[i].at == at; ++i) {
      const Edge& edge = edges_[i];
      if (!regions_[edge.region].enabled()) continue;
      open += edge.opens ? 1u : ~0u;
      sum += edge.opens ? edge.region : 0u - edge.region;
    }
    const auto region = open == 0   ? MpuSegment::kNone
                        : open == 1 ? static_cast<std::uint16_t>(sum)
                                    : MpuSegment::kOverlap;
    if (region == segment_region_.back()) continue;
    if (at == 0) {
      segment_region_.back() = region;
      continue;
    }
    segment_first_.push_back(at);
    segment_region_.push_back(region);
  }
}

void MpuRegionSet::update() const {
  if (stale_ == Stale::edges) sort_edges();
  sweep_edges();
  stale_ = Stale::nothing;
}

MpuSegment MpuRegionSet::find(std::uint64_t address) const {
  if (stale_ != Stale::nothing) update();
  const auto next = std::upper_bound(segment_first_.begin(), segment_first_.end(), address);
  const auto index = static_cast<std::size_t>(next - segment_first_.begin()) - 1;
  return MpuSegment{{segment_first_[index], next == segment_first_.end() ? ~0ull : *next - 1},
                    segment_region_[index]};
}

}  // namespace trapline
