#include "sim/rerun/copy_schedule.h"

#include <algorithm>

namespace trapline {
namespace {

/// Where the first copy after the beginning is; each of the next ones is twice as far away.
constexpr std::uint64_t kFirst = 16;
/// How far before the parting there are copies: what differs comes in a little before it shows.
constexpr std::uint64_t kBefore[] = {64, 16, 4, 0};
constexpr std::uint64_t kLast = std::uint64_t{1} << 40;

}  // namespace

CopySchedule::CopySchedule(std::uint64_t parting, bool watches) {
  places_.push_back(0);
  const std::uint64_t first = watches ? kFirst : std::max(kFirst, parting / 2);
  for (std::uint64_t at = first; at < kLast; at *= 2) places_.push_back(at);
  for (const std::uint64_t before : kBefore) {
    if (before < parting) places_.push_back(parting - before);
  }
  std::sort(places_.begin(), places_.end());
  places_.erase(std::unique(places_.begin(), places_.end()), places_.end());
}

bool CopySchedule::has(std::uint64_t checkpoint) const {
  return std::binary_search(places_.begin(), places_.end(), checkpoint);
}

std::uint64_t CopySchedule::copy_of(std::uint64_t checkpoint) const {
  const auto after = std::upper_bound(places_.begin(), places_.end(), checkpoint);
  return static_cast<std::uint64_t>(after - places_.begin()) - 1;
}

}  // namespace trapline
