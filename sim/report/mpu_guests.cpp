#include "sim/report/mpu_guests.h"

#include <algorithm>

#include "models/mpu/mpu.h"

namespace trapline {

void MpuGuestLoad::add(const MpuTrack& track, std::uint64_t cycles) {
  const unsigned enabled = track.enabled();
  held_[enabled] += cycles;
  if (enabled > peak_.size()) peak_ = track.slots();
  sets_.add(track.hash(), cycles, [&track] { return track.slots(); });
}

unsigned MpuGuestLoad::steady() const {
  return static_cast<unsigned>(std::max_element(held_.begin(), held_.end()) - held_.begin());
}

void MpuSwitches::add(const MpuSwitch& one) {
  ++times;
  cycles.add(one.cycles());
  region_cycles.add(one.region_cycles);
  bytes.add(one.bytes());
  writes.add(one.writes());
  total.el1_writes += one.el1_writes;
  total.el2_writes += one.el2_writes;
  total.prenr_writes += one.prenr_writes;
  total.reads += one.reads;
  if (times == 1 || one.region_cycles > worst.region_cycles) worst = one;
}

void MpuGuestWatch::stay(std::uint64_t cycles, const MpuTrack* el1, const MpuTrack* el2,
                         Seen& seen) {
  if (guest_ == MpuSwitches::kBoot) return;
  const std::uint64_t passed = cycles - std::min(cycles, since_);
  since_ = cycles;
  if (!resident_) {
    if (el2) seen.host.add(*el2, passed);
    return;
  }
  MpuGuest& guest = seen.guests[static_cast<std::size_t>(guest_)];
  guest.cycles += passed;
  if (el1) guest.el1.add(*el1, passed);
  if (el2) guest.el2.add(*el2, passed);
}

/// The guest that is entered with these regions.
int MpuGuestWatch::guest_of(const Event& event, const MpuTrack* el2, Seen& seen) {
  const std::uint64_t set = (el2 ? el2->hash() : 0) + event.vmid;
  if (guest_ != MpuSwitches::kBoot && set == last_set_) return guest_;
  last_set_ = set;
  std::uint64_t home = 0, bytes = 0;
  for (const MpuSlot& at : el2 ? el2->slots() : std::vector<MpuSlot>{}) {
    const std::uint64_t size = at.region.limit() - at.region.base();
    if (!at.region.lower_el() || size < bytes) continue;
    home = at.region.base();
    bytes = size;
  }
  for (std::size_t n = 0; n < seen.guests.size(); ++n) {
    if (seen.guests[n].vmid == event.vmid && seen.guests[n].home == home) return static_cast<int>(n);
  }
  seen.guests.push_back({.vmid = event.vmid, .home = home, .first = event.cycles});
  return static_cast<int>(seen.guests.size() - 1);
}

void MpuGuestWatch::access(const Event& event) {
  if (in_run_ && event.instructions - run_instruction_ <= kRunGap) {
    window_.region_cycles += event.cycles - run_cycle_;
  }
  in_run_ = true;
  run_instruction_ = event.instructions;
  run_cycle_ = event.cycles;
}

void MpuGuestWatch::enter(const Event& event, const MpuTrack* el2, Seen& seen) {
  const int next = guest_of(event, el2, seen);
  window_.to_cycle = event.cycles;
  if (next != guest_ || window_.writes() != 0) seen.switches[{guest_, next}].add(window_);
  resident_ = true;
  guest_ = next;
  since_ = event.cycles;
  in_run_ = false;
  ++seen.guests[static_cast<std::size_t>(next)].entries;
}

void MpuGuestWatch::on_event(const Event& event, const MpuTrack* el1, const MpuTrack* el2,
                             Seen& seen) {
  // Before the tracks learn of the event.
  stay(event.cycles, el1, el2, seen);
  switch (event.kind) {
    case EventKind::exception_entry:
      if (resident_ && (event.a >> 8 & 0xff) == 2) {
        resident_ = false;
        if (el1) {
          MpuGuest& guest = seen.guests[static_cast<std::size_t>(guest_)];
          guest.el1_at_exits = std::max(guest.el1_at_exits, el1->enabled());
        }
        window_ = {};
        window_.from_cycle = event.cycles;
      }
      break;
    case EventKind::exception_return:
      if (!resident_ && (event.a >> 8 & 0xff) < 2) enter(event, el2, seen);
      break;
    case EventKind::mpu_read:
      if (resident_) break;
      ++window_.reads;
      access(event);
      break;
    case EventKind::mpu_region: {
      if (resident_) break;
      const auto what = static_cast<MpuRegionWrite>(event.d >> 8 & 0xff);
      ++(what == MpuRegionWrite::prenr ? window_.prenr_writes
         : (event.d & 0xff) == 2       ? window_.el2_writes
                                       : window_.el1_writes);
      access(event);
      break;
    }
    default:
      break;
  }
}

void MpuGuestWatch::finish(std::uint64_t cycles, const MpuTrack* el1, const MpuTrack* el2,
                           Seen& seen) {
  stay(cycles, el1, el2, seen);
}

}  // namespace trapline
