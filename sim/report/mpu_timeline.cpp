#include "sim/report/mpu_timeline.h"

#include <algorithm>

namespace trapline {

void MpuTimeline::merge(Cell& into, const Cell& from) {
  into.cycles += from.cycles;
  if (into.tenant == from.tenant) {
    into.longest += from.longest;
  } else if (from.longest > into.longest) {
    into.longest = from.longest;
    into.tenant = from.tenant;
  }
}

void MpuTimeline::widen() {
  width_ *= 2;
  for (auto& slot : slots_) {
    if (slot.empty()) continue;
    for (unsigned n = 0; n < kColumns; ++n) {
      if (n < kColumns / 2) {
        slot[n] = slot[2 * n];
        merge(slot[n], slot[2 * n + 1]);
      } else {
        slot[n] = {};
      }
    }
  }
  for (unsigned n = 0; n < kColumns; ++n) {
    if (n < kColumns / 2) {
      const Count a = counts_[2 * n], b = counts_[2 * n + 1];
      counts_[n] = {std::min(a.least, b.least), std::max(a.most, b.most)};
    } else {
      counts_[n] = {};
    }
  }
}

void MpuTimeline::reach(std::uint64_t cycle) {
  while (cycle >= width_ * kColumns) widen();
}

void MpuTimeline::held(unsigned slot, std::uint32_t tenant, std::uint64_t from, std::uint64_t to) {
  reach(to);
  if (slot >= slots_.size()) slots_.resize(slot + 1);
  if (slots_[slot].empty()) slots_[slot].resize(kColumns);
  while (from < to) {
    const std::uint64_t column = from / width_;
    const std::uint64_t until = std::min(to, (column + 1) * width_);
    merge(slots_[slot][column], {until - from, until - from, tenant});
    from = until;
  }
}

void MpuTimeline::counted(unsigned regions, std::uint64_t from, std::uint64_t to) {
  reach(to);
  const auto count = static_cast<std::uint16_t>(regions);
  const std::uint64_t last = (to > from ? to - 1 : from) / width_;
  for (std::uint64_t column = from / width_; column <= last; ++column) {
    Count& seen = counts_[column];
    seen = {std::min(seen.least, count), std::max(seen.most, count)};
  }
}

const std::vector<MpuTimeline::Cell>& MpuTimeline::cells(unsigned slot) const {
  static const std::vector<Cell> kNone;
  return slot < slots_.size() ? slots_[slot] : kNone;
}

}  // namespace trapline
