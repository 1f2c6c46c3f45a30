#include "sim/trap/xen/physmap.h"

#include <algorithm>
#include <cstring>

namespace trapline::xen {

Physmap::Physmap(DomainMemory& memory, const std::vector<FrameRange>& ram, std::uint64_t max_frames)
    : memory_(memory), ram_(ram), max_frames_(max_frames) {
  for (const FrameRange& range : ram_) {
    frames_ += range.count;
    if (range.count != 0) last_gfn_ = std::max(last_gfn_, range.first + range.count - 1);
  }
  max_frames_ = std::max(max_frames_, frames_);
}

bool Physmap::built_with(Gfn gfn) const {
  return std::any_of(ram_.begin(), ram_.end(), [gfn](const FrameRange& range) {
    return gfn >= range.first && gfn - range.first < range.count;
  });
}

Physmap::Kind Physmap::kind(Gfn gfn) const {
  const auto changed = changed_.find(gfn);
  if (changed != changed_.end()) return changed->second.kind;
  return built_with(gfn) ? Kind::ram : Kind::none;
}

void Physmap::set(Gfn gfn, const Entry& entry) {
  last_gfn_ = std::max(last_gfn_, entry.kind == Kind::none ? 0 : gfn);
  const Kind built = built_with(gfn) ? Kind::ram : Kind::none;
  if (entry.kind == built) {
    changed_.erase(gfn);
  } else {
    changed_[gfn] = entry;
  }
}

std::uint8_t* Physmap::own_page(Gfn gfn) {
  const Kind what = kind(gfn);
  return what == Kind::ram || what == Kind::shared ? memory_.frame(gfn) : nullptr;
}

void Physmap::clear(Gfn gfn) {
  take_from_pins(gfn);
  const auto found = changed_.find(gfn);
  if (found != changed_.end()) {
    if (SharedPage* page = found->second.shared) {
      if (const std::uint8_t* from = memory_.frame(gfn)) {
        std::memcpy(page->own_.get(), from, kPageBytes);
      }
      page->at_.reset();
    }
    const bool granted = found->second.granted != nullptr;
    found->second = Entry{};
    if (granted) memory_.unmap(gfn);
  }
  memory_.renew(gfn);
}

/// The page at `gfn` leaves the domain.
void Physmap::take_from_pins(Gfn gfn) {
  const auto found = pins_.find(gfn);
  if (found == pins_.end()) return;
  const std::shared_ptr<PinnedPage> page = found->second.lock();
  pins_.erase(found);
  const std::uint8_t* from = page ? memory_.frame(gfn) : nullptr;
  if (!page) return;
  page->kept_ = std::make_unique<std::uint8_t[]>(kPageBytes);
  if (from) std::memcpy(page->kept_.get(), from, kPageBytes);
}

std::shared_ptr<PinnedPage> Physmap::pin(Gfn gfn) {
  if (!own_page(gfn)) return nullptr;
  std::weak_ptr<PinnedPage>& known = pins_[gfn];
  std::shared_ptr<PinnedPage> page = known.lock();
  if (!page) known = page = std::make_shared<PinnedPage>(gfn);
  return page;
}

std::uint8_t* Physmap::bytes(PinnedPage& page) {
  return page.gone() ? page.kept_.get() : memory_.frame(page.gfn_);
}

void Physmap::written(PinnedPage& page, std::size_t offset, std::size_t bytes) {
  if (!page.gone()) memory_.written(page.gfn_, offset, bytes);
}

bool Physmap::take_unmapped(std::uint64_t count) {
  if (count > max_frames_ - frames_) return false;
  frames_ += count;
  return true;
}

bool Physmap::populate(Gfn first, std::uint64_t count) {
  for (Gfn gfn = first; gfn - first < count; ++gfn) {
    if (!memory_.frame(gfn)) return false;
  }
  if (!take_unmapped(count)) return false;
  for (Gfn gfn = first; gfn - first < count; ++gfn) {
    clear(gfn);
    set(gfn, Entry{.kind = Kind::ram});
  }
  return true;
}

bool Physmap::restore(Gfn first, std::uint64_t count) {
  for (Gfn gfn = first; gfn - first < count; ++gfn) {
    if (!built_with(gfn)) return false;
  }
  for (Gfn gfn = first; gfn - first < count; ++gfn) {
    clear(gfn);
    set(gfn, Entry{.kind = Kind::ram});
  }
  return true;
}

void Physmap::remove(Gfn gfn, bool release) {
  const bool ram = kind(gfn) == Kind::ram;
  clear(gfn);
  set(gfn, Entry{});
  if (ram && release) --frames_;
}

std::uint8_t* Physmap::bytes(SharedPage& page) {
  std::uint8_t* mapped = page.at_ ? memory_.frame(*page.at_) : nullptr;
  return mapped ? mapped : page.own_.get();
}

void Physmap::written(SharedPage& page, std::size_t offset, std::size_t bytes) {
  if (page.at_) memory_.written(*page.at_, offset, bytes);
}

bool Physmap::map(SharedPage& page, Gfn gfn) {
  if (!memory_.frame(gfn)) return false;
  clear(gfn);
  std::memcpy(memory_.frame(gfn), page.own_.get(), kPageBytes);
  memory_.written(gfn, 0, kPageBytes);
  page.at_ = gfn;
  set(gfn, Entry{.kind = Kind::shared, .shared = &page});
  return true;
}

bool Physmap::map_grant(Gfn gfn, std::uint8_t* page, bool writable, DomId owner) {
  const auto found = changed_.find(gfn);
  SharedPage* shared = found == changed_.end() ? nullptr : found->second.shared;
  if (shared) std::memcpy(shared->own_.get(), bytes(*shared), kPageBytes);
  const auto pinned = pins_.find(gfn);
  const std::shared_ptr<PinnedPage> leaves =
      pinned == pins_.end() ? nullptr : pinned->second.lock();
  std::unique_ptr<std::uint8_t[]> kept;
  if (leaves) {
    kept = std::make_unique<std::uint8_t[]>(kPageBytes);
    std::memcpy(kept.get(), memory_.frame(gfn), kPageBytes);
  }
  if (!memory_.map(gfn, page, writable)) return false;
  if (leaves) {
    leaves->kept_ = std::move(kept);
    pins_.erase(pinned);
  }
  if (shared) shared->at_.reset();
  set(gfn, Entry{.kind = writable ? Kind::grant_write : Kind::grant_read,
                 .granted = page,
                 .owner = owner});
  return true;
}

void Physmap::remove_grants(std::optional<DomId> owner) {
  std::vector<Gfn> places;
  for (const auto& [gfn, entry] : changed_) {
    if (entry.granted && (!owner || entry.owner == *owner)) places.push_back(gfn);
  }
  for (const Gfn gfn : places) remove(gfn, false);
}

const std::uint8_t* Physmap::granted(Gfn gfn) const {
  const auto found = changed_.find(gfn);
  return found == changed_.end() ? nullptr : found->second.granted;
}

}  // namespace trapline::xen
