#include "sim/trap/xen/grant_table.h"

#include <cstring>
#include <utility>

#include "sim/trap/xen/hypervisor.h"

namespace trapline::xen {
namespace {

// Counts of mappings are kept in 8 bits, and the top one stops them.
constexpr std::uint8_t kMostPins = 0x80;
constexpr std::uint32_t kMappingsPerPage = 256;  // MAPTRACK_PER_PAGE.

}  // namespace

GrantTable::GrantTable(Domain& domain)
    : domain_(domain),
      max_frames_(domain.hypervisor().config().max_grant_frames),
      max_maptrack_frames_(domain.hypervisor().config().max_maptrack_frames),
      free_handles_(domain.vcpus()) {
  grow(1);
}

bool GrantTable::grow(unsigned frames) {
  if (frames > max_frames_) return false;
  while (frames_.size() < frames) frames_.push_back(std::make_unique<SharedPage>());
  active_.resize(entries());
  return true;
}

GrantEntryV1 GrantTable::entry(GrantRef ref) {
  GrantEntryV1 value;
  const std::uint8_t* page = domain_.physmap().bytes(frame(ref / kEntriesPerFrame));
  std::memcpy(&value, page + ref % kEntriesPerFrame * sizeof value, sizeof value);
  return value;
}

void GrantTable::set_entry(GrantRef ref, const GrantEntryV1& value) {
  SharedPage& page = frame(ref / kEntriesPerFrame);
  const std::size_t offset = ref % kEntriesPerFrame * sizeof value;
  std::memcpy(domain_.physmap().bytes(page) + offset, &value, sizeof value);
  domain_.physmap().written(page, offset, sizeof value);
}

GrantStatus GrantTable::set_status(GrantRef ref, DomId by, bool readonly, bool for_map) {
  GrantEntryV1 value = entry(ref);
  const std::uint16_t mask = kGtfTypeMask | (for_map ? kGtfSubPage : 0);
  if (!active_[ref].pinned() && ((value.flags & mask) != kGtfPermitAccess || value.domid != by)) {
    return GrantStatus::general_error;
  }
  if (!readonly && (value.flags & kGtfReadonly)) return GrantStatus::general_error;
  value.flags |= readonly ? kGtfReading : kGtfReading | kGtfWriting;
  set_entry(ref, value);
  return GrantStatus::okay;
}

void GrantTable::reduce_status(GrantRef ref, bool readonly) {
  const Active& active = active_[ref];
  std::uint16_t clear = active.pinned() ? 0 : kGtfReading;
  if (!readonly && active.writers == 0) clear |= kGtfWriting;
  if (clear == 0) return;
  GrantEntryV1 value = entry(ref);
  value.flags = static_cast<std::uint16_t>(value.flags & ~clear);
  set_entry(ref, value);
}

GrantStatus GrantTable::acquire(GrantRef ref, DomId by, bool readonly, bool for_map) {
  if (ref >= entries()) return GrantStatus::bad_gntref;
  Active& active = active_[ref];
  std::uint8_t& count = readonly ? active.readers : active.writers;
  // The top bit of any count (0x80808080) stops all of them.
  const bool full = active.readers >= kMostPins || active.writers >= kMostPins;
  if (active.pinned() && (active.by != by || full)) return GrantStatus::general_error;
  if (!active.pinned() || (!readonly && active.writers == 0)) {
    const GrantStatus status = set_status(ref, by, readonly, for_map);
    if (status != GrantStatus::okay) return status;
    const Gfn gfn = entry(ref).frame;
    if (!active.pinned()) {
      active.page = domain_.physmap().pin(gfn);
      if (!active.page) {
        reduce_status(ref, readonly);
        return GrantStatus::bad_page;
      }
      active.by = by;
      active.gfn = gfn;
    } else if (!for_map && active.gfn != gfn) {
      reduce_status(ref, readonly);
      return GrantStatus::general_error;
    }
  }
  ++count;
  return GrantStatus::okay;
}

void GrantTable::release(GrantRef ref, bool readonly) {
  std::uint8_t& count = readonly ? active_[ref].readers : active_[ref].writers;
  if (count != 0) --count;
  if (!active_[ref].pinned()) active_[ref].page.reset();
  reduce_status(ref, readonly);
}

GrantStatus GrantTable::swap(GrantRef a, GrantRef b) {
  if (a >= entries() || b >= entries()) return GrantStatus::bad_gntref;
  if (a == b) return GrantStatus::okay;
  if (active_[a].pinned() || active_[b].pinned()) return GrantStatus::eagain;
  const GrantEntryV1 of_a = entry(a);
  set_entry(a, entry(b));
  set_entry(b, of_a);
  return GrantStatus::okay;
}

bool GrantTable::maps(DomId by, Gfn gfn) const {
  for (const Active& active : active_) {
    if (active.pinned() && active.by == by && active.gfn == gfn) return true;
  }
  return false;
}

// A vCPU takes handles from the front of its list and gives them back at its end; the last one of
// the list stays. New ones come a page at a time and go to the front. Guests see the numbers.
std::uint32_t GrantTable::take_handle(unsigned vcpu) {
  std::deque<std::uint32_t>& mine = free_handles_[vcpu];
  const auto take_from = [](std::deque<std::uint32_t>& list) {
    const std::uint32_t handle = list.front();
    list.pop_front();
    return handle;
  };
  if (mine.size() >= 2) return take_from(mine);
  const auto first = static_cast<std::uint32_t>(mappings_.size());
  if (first / kMappingsPerPage < max_maptrack_frames_) {
    mappings_.resize(first + kMappingsPerPage);
    for (std::uint32_t handle = first + kMappingsPerPage; handle-- > first;) {
      mappings_[handle].vcpu = static_cast<std::uint16_t>(vcpu);
      if (handle != first) mine.push_front(handle);
    }
    return first;
  }
  for (std::deque<std::uint32_t>& list : free_handles_) {
    if (list.size() < 2) continue;
    const std::uint32_t handle = take_from(list);
    mappings_[handle].vcpu = static_cast<std::uint16_t>(vcpu);
    return handle;
  }
  return kNoHandle;
}

void GrantTable::put_handle(std::uint32_t handle) {
  mappings_[handle].flags = 0;
  free_handles_[mappings_[handle].vcpu].push_back(handle);
}

void GrantTable::release_mappings() {
  for (Mapping& mapping : mappings_) {
    if (mapping.flags == 0) continue;
    if (Domain* granter = domain_.hypervisor().find_or_ended(mapping.domain)) {
      granter->grant_table().release(mapping.ref, mapping.flags & kGntmapReadonly);
    }
    mapping.flags = 0;
  }
  // Not at the places that the handles say: a handle can go while its page stays mapped, and
  // something else can stand where it was.
  domain_.physmap().remove_grants();
}

void GrantTable::forget_mappings_of(DomId domain) {
  for (std::uint32_t handle = 0; handle < mappings_.size(); ++handle) {
    Mapping& mapping = mappings_[handle];
    if (mapping.flags == 0 || mapping.domain != domain) continue;
    put_handle(handle);
  }
  domain_.physmap().remove_grants(domain);
}

}  // namespace trapline::xen
