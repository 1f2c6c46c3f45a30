#include "sim/report/mpu_coverage.h"

#include <algorithm>
#include <bit>

namespace trapline {
namespace {

constexpr std::uint64_t kGranule = MpuRegion::kGranule;
constexpr std::uint64_t kGranulesOfPage = 64;

}  // namespace

void MpuCoverage::on_event(const Event& event) {
  if (event.kind != EventKind::mmio) return;
  touch(event.cpu, event.el, event.a, event.d >> 1, recent_[event.cpu].data);
}

void MpuCoverage::on_instruction(const ExecutedInstruction& instruction) {
  Recent& recent = recent_[instruction.cpu];
  touch(instruction.cpu, instruction.el, instruction.pa, 4, recent.fetch);
  if (!instruction.memory) return;
  touch(instruction.cpu, instruction.el, instruction.memory->pa, instruction.memory->bytes,
        recent.data);
}

void MpuCoverage::touch(unsigned cpu, El el, std::uint64_t address, std::uint64_t bytes,
                        Last& last) {
  const MpuTrack* el2 = telemetry_.find_track(cpu, 2);
  const MpuTrack* el1 = el == El::el2 ? nullptr : telemetry_.find_track(cpu, 1);
  const std::uint64_t end = address + std::max<std::uint64_t>(bytes, 1) - 1;
  for (std::uint64_t granule = address / kGranule; granule <= end / kGranule; ++granule) {
    const Last now{granule, el1 ? el1->hash() : 0, el2 ? el2->hash() : 0, el};
    if (now == last) continue;
    last = now;
    if (el1) mark(cpu, 1, *el1, granule * kGranule);
    if (el2) mark(cpu, 2, *el2, granule * kGranule);
  }
}

void MpuCoverage::mark(unsigned cpu, unsigned el, const MpuTrack& track, std::uint64_t address) {
  const int slot = track.match(address);
  if (slot < 0) return;
  const std::uint32_t tenant = track.tenant_in(static_cast<unsigned>(slot));
  if (tenant == MpuTimeline::kNobody) return;  // It is being rewritten.
  Touched& touched = touched_[{cpu, el}];
  if (tenant >= touched.tenants.size()) touched.tenants.resize(tenant + 1);
  const std::uint64_t granule = address / kGranule;
  touched.tenants[tenant][granule / kGranulesOfPage] |= 1ull << granule % kGranulesOfPage;
}

MpuCoverage::Reached MpuCoverage::reached(unsigned cpu, unsigned el, const MpuTrack& track,
                                          std::uint32_t tenant) const {
  const MpuRegion& region = track.tenants()[tenant].at.region;
  Reached result;
  if (region.base() > region.limit()) return result;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> pages;
  const auto found = touched_.find({cpu, el});
  if (found != touched_.end() && tenant < found->second.tenants.size()) {
    const Granules& granules = found->second.tenants[tenant];
    pages.assign(granules.begin(), granules.end());
    std::sort(pages.begin(), pages.end());
  }
  std::uint64_t next = region.base();  // The first address behind what was looked at.
  for (const auto& [page, mask] : pages) {
    for (std::uint64_t left = mask; left != 0; left &= left - 1) {
      const auto bit = static_cast<unsigned>(std::countr_zero(left));
      const std::uint64_t at = (page * kGranulesOfPage + bit) * kGranule;
      if (at > next) result.gaps.push_back({next, at - 1});
      next = at + kGranule;
      result.touched += kGranule;
    }
  }
  if (next <= region.limit() && (next != 0 || result.touched == 0)) {
    result.gaps.push_back({next, region.limit()});
  }
  return result;
}

}  // namespace trapline
