#include "sim/cpu/mpu_view.h"

#include <algorithm>
#include <utility>

namespace trapline {
namespace {

constexpr unsigned kPageShift = 12;
constexpr std::uint64_t kPageMask = (1ull << kPageShift) - 1;

std::size_t hash(std::uint64_t page) {
  return static_cast<std::size_t>((page * 0x9E37'79B9'7F4A'7C15ull) >> 40);
}

/// Bits for the granules of `range` within the page.
std::uint64_t granules(std::uint64_t page, std::uint64_t first, std::uint64_t last) {
  const auto from = static_cast<unsigned>((first - page) / MpuRegion::kGranule);
  const auto to = static_cast<unsigned>((last - page) / MpuRegion::kGranule);
  return (~0ull >> (63 - (to - from))) << from;
}

}  // namespace

void FilledPages::add(std::uint64_t address) {
  if (count_ > kCapacity) return;
  const std::uint64_t page = address >> kPageShift;
  for (std::size_t at = hash(page) % kSlots;; at = (at + 1) % kSlots) {
    if (slots_[at] != 0 && pages_[slots_[at] - 1u] == page) return;
    if (slots_[at] != 0) continue;
    if (count_++ == kCapacity) return;
    pages_[count_ - 1] = page;
    slots_[at] = static_cast<std::uint8_t>(count_);
    return;
  }
}

void FilledPages::clear() {
  if (count_ != 0) slots_.fill(0);
  count_ = 0;
}

bool FilledPages::intersects(const AddressRange& range) const {
  if (count_ > kCapacity) return true;
  const std::uint64_t first = range.first >> kPageShift, last = range.last >> kPageShift;
  return std::any_of(pages_.begin(), pages_.begin() + static_cast<std::ptrdiff_t>(count_),
                     [&](std::uint64_t page) { return page >= first && page <= last; });
}

void MpuView::reset() {
  mpu_.reset();
  mpu_.clear_changes();
  note_change();
}

MpuPageAnswer MpuView::at(MpuRegime regime, const MpuRequest& request) const {
  MpuPageAnswer answer{lookup(regime, request, controls, mpu_.regions())};
  const auto* mapping = std::get_if<MpuMapping>(&answer.result);
  const std::uint64_t page = request.address & ~kPageMask;
  answer.split = !(mapping && mapping->covers(page, page | kPageMask)) &&
                 !uniform(regime, page, kPageShift, controls, mpu_.regions());
  return answer;
}

MpuPageAnswer MpuView::stage2_at(const MpuStage2Request& request) const {
  MpuPageAnswer answer{lookup_stage2(request, controls, mpu_.regions())};
  const auto* mapping = std::get_if<MpuMapping>(&answer.result);
  const std::uint64_t page = request.ipa & ~kPageMask;
  answer.split = !(mapping && mapping->covers(page, page | kPageMask)) &&
                 !uniform_stage2(page, kPageShift, controls, mpu_.regions());
  return answer;
}

template <typename Visit>
void MpuView::for_stretches(MpuRegime regime, bool stage1, std::uint64_t page, Visit visit) const {
  const bool stage2 = regime == MpuRegime::el1_0 && mpu_stage2_enabled(controls);
  const std::uint64_t end = page | kPageMask;
  for (std::uint64_t at = page, last = 0; at <= end; at = last + 1) {
    last = end;
    if (stage1) last = std::min(last, stage1_at(regime, at, controls, mpu_.regions()).range.last);
    if (stage2) {
      last = std::min(last, trapline::stage2_at(at, controls, mpu_.regions()).range.last);
    }
    visit(at, last);
  }
}

std::uint64_t MpuView::denied_granules(MpuRegime regime, std::uint64_t page,
                                       bool privileged) const {
  std::uint64_t denied = 0;
  for_stretches(regime, true, page, [&](std::uint64_t first, std::uint64_t last) {
    const MpuRequest request{.address = first, .kind = AccessKind::fetch, .privileged = privileged};
    if (std::holds_alternative<Fault>(lookup(regime, request, controls, mpu_.regions()))) {
      denied |= granules(page, first, last);
    }
  });
  return denied;
}

std::uint64_t MpuView::denied_granules_stage2(std::uint64_t page, bool privileged) const {
  std::uint64_t denied = 0;
  for_stretches(MpuRegime::el1_0, false, page, [&](std::uint64_t first, std::uint64_t last) {
    const MpuStage2Request request{
        .ipa = first, .kind = AccessKind::fetch, .privileged = privileged};
    if (std::holds_alternative<Fault>(lookup_stage2(request, controls, mpu_.regions()))) {
      denied |= granules(page, first, last);
    }
  });
  return denied;
}

bool MpuView::data_uniform(MpuRegime regime, std::uint64_t page, bool privileged, bool pan) const {
  const auto allowed = [&](std::uint64_t at, AccessKind kind) {
    const MpuRequest request{.address = at, .kind = kind, .privileged = privileged, .pan = pan};
    return std::holds_alternative<MpuMapping>(lookup(regime, request, controls, mpu_.regions()));
  };
  const bool write = allowed(page, AccessKind::write);
  bool same = true;
  for_stretches(regime, true, page, [&](std::uint64_t first, std::uint64_t) {
    same = same && allowed(first, AccessKind::read) && allowed(first, AccessKind::write) == write;
  });
  return same;
}

bool MpuView::data_uniform_stage2(std::uint64_t page, bool privileged) const {
  const auto allowed = [&](std::uint64_t at, AccessKind kind) {
    const MpuStage2Request request{.ipa = at, .kind = kind, .privileged = privileged};
    return std::holds_alternative<MpuMapping>(lookup_stage2(request, controls, mpu_.regions()));
  };
  const bool write = allowed(page, AccessKind::write);
  bool same = true;
  for_stretches(MpuRegime::el1_0, false, page, [&](std::uint64_t first, std::uint64_t) {
    same = same && allowed(first, AccessKind::read) && allowed(first, AccessKind::write) == write;
  });
  return same;
}

void MpuView::flushed() {
  for (FilledPages& pages : filled_) pages.clear();
}

bool MpuView::written(MpuRegime running) {
  const auto concern = [&](El el, const FilledPages& filled) {
    const auto changes = mpu_.changes(el);
    return std::any_of(changes.begin(), changes.end(),
                       [&](const AddressRange& range) { return filled.intersects(range); });
  };
  const bool changed = !mpu_.changes(El::el1).empty() || !mpu_.changes(El::el2).empty();
  bool flush = false;
  if (running == MpuRegime::el2) {
    flush = concern(El::el2, filled_[1]);
    if (changed) el1_0_stale_ = true;
  } else if (changed) {
    // EL1 reaches its own regions only.
    flush = concern(El::el1, filled_[0]);
    take_basis(basis_.tags, basis_);
  }
  mpu_.clear_changes();
  return flush;
}

void MpuView::take_basis(std::uint64_t tags, Basis& basis) const {
  constexpr std::uint64_t kSctlr = 1 | 1 << 17 | 1 << 19;         // M, BR, WXN
  constexpr std::uint64_t kHcr = 1 | 1 << 2 | 1 << 12 | 1 << 27;  // VM, PTW, DC, TGE
  const MpuRegions regions = mpu_.regions();
  const auto copy = [](const MpuRegionSet& from, std::vector<MpuRegion>& to) {
    to.resize(from.count());
    for (unsigned n = 0; n < from.count(); ++n) to[n] = from[n].enabled() ? from[n] : MpuRegion{};
  };
  copy(regions.el1, basis.el1);
  basis.sctlr = controls.sctlr_el1 & kSctlr;
  basis.hcr = controls.hcr_el2 & kHcr;
  basis.vstcr = controls.vstcr_el2;
  basis.tags = tags;
  if (mpu_stage2_enabled(controls)) {
    copy(regions.el2, basis.el2);
  } else {
    basis.el2.clear();
  }
}

bool MpuView::entering_el1_0(std::uint64_t tags) {
  if (!el1_0_stale_) return false;
  el1_0_stale_ = false;
  take_basis(tags, scratch_);
  const bool differs = !(scratch_ == basis_);
  std::swap(scratch_, basis_);
  return differs && !filled_[0].empty();
}

}  // namespace trapline
