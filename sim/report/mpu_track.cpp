#include "sim/report/mpu_track.h"

#include <algorithm>
#include <bit>

#include "models/mpu/mpu.h"

namespace trapline {
namespace {

std::uint64_t mix(std::uint64_t value) {  // splitmix64's finalizer.
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
  value = (value ^ value >> 27) * 0x94d049bb133111ebull;
  return value ^ value >> 31;
}

std::uint64_t hash_of(const MpuSlot& at) {
  return mix(mix(mix(at.slot + 1) + at.region.prbar) + at.region.prlar);
}

bool share_addresses(const MpuRegion& a, const MpuRegion& b) {
  return std::max(a.base(), b.base()) <= std::min(a.limit(), b.limit());
}

}  // namespace

std::size_t MpuSlotHash::operator()(const MpuSlot& at) const {
  return hash_of(at);
}

/// What was enabled until now is about to change, or the run ends.
void MpuTrack::set_changes(std::uint64_t cycles) {
  if (cycles <= set_since_) return;
  sets_.add(hash_, cycles - set_since_, [this] {
    std::vector<MpuSlot> now;
    for (unsigned n = 0; n < holders_.size(); ++n) {
      if (holders_[n].tenant != kNobody) now.push_back(tenants_[holders_[n].tenant].at);
    }
    return now;
  });
  set_since_ = cycles;
}

void MpuTrack::count_until(std::uint64_t cycles) {
  timeline_.counted(count_, count_since_, cycles);
  count_since_ = cycles;
}

std::vector<MpuSlot> MpuTrack::slots() const {
  std::vector<MpuSlot> now;
  for (unsigned n = 0; n < regions_.size(); ++n) {
    if (regions_[n].enabled()) now.push_back({n, regions_[n]});
  }
  return now;
}

int MpuTrack::match(std::uint64_t address) const {
  int found = kNone;
  for (unsigned n = 0; n < regions_.size(); ++n) {
    const MpuRegion& region = regions_[n];
    if (!region.enabled() || address < region.base() || region.limit() < address) continue;
    if (found != kNone) return kSeveral;
    found = static_cast<int>(n);
  }
  return found;
}

void MpuTrack::add(const Event& event) {
  const auto what = static_cast<MpuRegionWrite>(event.d >> 8 & 0xff);
  if (unsettled_ && (what == MpuRegionWrite::prenr || event.a != unsettled_slot_ ||
                     (what == MpuRegionWrite::prlar) == unsettled_prlar_)) {
    settle();
  }
  since_ = std::max(since_, event.cycles);
  load_.add(event);
  ++(event.el == El::el2 ? changes_.from_el2 : changes_.from_el1);
  if (what == MpuRegionWrite::prenr) {
    write_enables(event);
  } else {
    write_region(event, what == MpuRegionWrite::prlar);
  }
  if (enabled() > peak_count_) {
    peak_count_ = enabled();
    peak_cycle_ = event.cycles;
    peak_instruction_ = event.instructions;
    peak_ = slots();
  }
  if (enabled() == count_) return;
  count_until(since_);
  count_ = enabled();
  timeline_.counted(count_, since_, since_);
}

void MpuTrack::add_missing(const Event& event) {
  Missing& missing = missing_[static_cast<unsigned>(event.a)];
  if (missing.reads + missing.writes == 0) missing.first = event.cycles;
  ++(event.d >> 17 & 1 ? missing.writes : missing.reads);
}

void MpuTrack::write_region(const Event& event, bool prlar) {
  const auto slot = static_cast<unsigned>(event.a);
  if (slot > kMostRegions) return;
  if (slot >= regions_.size()) {
    regions_.resize(slot + 1);
    holders_.resize(slot + 1);
  }
  const MpuRegion before = regions_[slot], after{event.b, event.c};
  if (before == after) {
    ++changes_.unchanged;
    return settle();  // If its other register was written before, this is the pair.
  }
  regions_[slot] = after;
  if (before.enabled() && after.enabled()) {
    ++changes_.rewritten_enabled;
    if (unsettled_) {  // The other register of the pair.
      unsettled_ = false;
      return open(slot, event.cycles);
    }
    close(slot, event.cycles);
    unsettled_ = true;
    unsettled_slot_ = slot;
    unsettled_prlar_ = prlar;
    unsettled_since_ = event.cycles;
  } else if (after.enabled()) {
    ++(prlar ? changes_.enabled_by_prlar : changes_.enabled_by_prenr);
    open(slot, event.cycles);
  } else if (before.enabled()) {
    ++changes_.disabled_by_prlar;
    if (!unsettled_) close(slot, event.cycles);
    unsettled_ = false;
  }
}

void MpuTrack::write_enables(const Event& event) {
  if (event.b == event.c) ++changes_.unchanged;
  const std::uint64_t ended = event.b & ~event.c, begun = event.c & ~event.b;
  for (std::uint64_t left = ended; left != 0; left &= left - 1) {
    const auto slot = static_cast<unsigned>(std::countr_zero(left));
    if (slot < holders_.size()) {
      close(slot, event.cycles);
      regions_[slot].prlar &= ~1ull;
    }
  }
  if (begun >> regions_.size() != 0) {
    regions_.resize(64 - static_cast<unsigned>(std::countl_zero(begun)));
    holders_.resize(regions_.size());
  }
  for (std::uint64_t left = begun; left != 0; left &= left - 1) {
    const auto slot = static_cast<unsigned>(std::countr_zero(left));
    regions_[slot].prlar |= 1;
    open(slot, event.cycles);
  }
  changes_.disabled_by_prenr += static_cast<unsigned>(std::popcount(ended));
  changes_.enabled_by_prenr += static_cast<unsigned>(std::popcount(begun));
}

void MpuTrack::settle() {
  if (!unsettled_) return;
  unsettled_ = false;
  open(unsettled_slot_, unsettled_since_);
}

std::uint32_t MpuTrack::tenant_of(unsigned slot, std::uint64_t cycles) {
  const MpuSlot at{slot, regions_[slot]};
  const auto [found, fresh] =
      tenant_index_.try_emplace(at, static_cast<std::uint32_t>(tenants_.size()));
  if (fresh) tenants_.push_back({.at = at, .first = cycles});
  return found->second;
}

void MpuTrack::open(unsigned slot, std::uint64_t cycles) {
  set_changes(since_);
  const std::uint32_t tenant = tenant_of(slot, cycles);
  ++tenants_[tenant].mapped;
  holders_[slot] = {tenant, cycles};
  hash_ ^= hash_of(tenants_[tenant].at);
  look_for_overlaps(slot, cycles);
}

void MpuTrack::close(unsigned slot, std::uint64_t cycles) {
  Holder& holder = holders_[slot];
  if (holder.tenant == kNobody) return;
  set_changes(since_);
  MpuTenant& tenant = tenants_[holder.tenant];
  const std::uint64_t lasted = cycles - holder.since;
  tenant.cycles += lasted;
  tenant.last = cycles;
  tenant.shortest = std::min(tenant.shortest, lasted);
  tenant.longest = std::max(tenant.longest, lasted);
  timeline_.held(slot, holder.tenant, holder.since, cycles);
  hash_ ^= hash_of(tenant.at);
  ++lifetimes_[lasted == 0 ? 0 : static_cast<unsigned>(std::bit_width(lasted)) - 1];
  ++ended_;
  holder = {};
}

void MpuTrack::look_for_overlaps(unsigned slot, std::uint64_t cycles) {
  const MpuRegion& region = regions_[slot];
  for (unsigned n = 0; n < holders_.size(); ++n) {
    if (n == slot || holders_[n].tenant == kNobody || !share_addresses(region, regions_[n]))
      continue;
    const std::uint32_t a = holders_[slot].tenant, b = holders_[n].tenant;
    Overlap& overlap = overlaps_[{std::min(a, b), std::max(a, b)}];
    if (overlap.times++ == 0) overlap.first = cycles;
  }
}

void MpuTrack::finish(std::uint64_t cycles) {
  settle();
  since_ = std::max(since_, cycles);
  set_changes(since_);
  count_until(since_);
  load_.finish(cycles);
  const std::array<std::uint64_t, 64> lifetimes = lifetimes_;
  const std::uint64_t ended = ended_;
  for (unsigned n = 0; n < holders_.size(); ++n) close(n, since_);
  lifetimes_ = lifetimes;  // What is enabled at the end has no lifetime yet.
  ended_ = ended;
}

}  // namespace trapline
