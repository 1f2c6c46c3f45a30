#include "sim/machine/frame_sharing.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace trapline {
namespace {

[[noreturn]] void refused(const char* what) {
  throw std::runtime_error(std::string("the host cannot share memory between domains: ") + what +
                           ": " + std::strerror(errno));
}

}  // namespace

FrameSharing::~FrameSharing() {
  if (file_ >= 0) close(file_);
}

FrameSharing::Machine* FrameSharing::machine_of(const std::uint8_t* frame) {
  for (Machine& machine : machines_) {
    for (const auto& ram : machine.bus->rams()) {
      const std::uint8_t* const first = ram->host(ram->base());
      if (frame < first || frame >= first + ram->size()) continue;
      found_ = {machine.cpus, ram->base() + static_cast<std::uint64_t>(frame - first)};
      return &machine;
    }
  }
  return nullptr;
}

/// Valid until the next call.
const PageAliases::Place* FrameSharing::place_of(std::uint8_t* frame) {
  return machine_of(frame) ? &found_ : nullptr;
}

/// The page of the file that stands at the frame, which becomes one if it is none yet.
std::shared_ptr<FrameSharing::Page> FrameSharing::shared_page(std::uint8_t* frame) {
  const auto found = shown_.find(frame);
  if (found != shown_.end()) return found->second;
  if (file_ < 0) file_ = memfd_create("shared-frames", MFD_CLOEXEC);
  if (file_ < 0) refused("memfd_create");
  auto page = std::make_shared<Page>();
  page->home = frame;
  page->number = free_.empty() ? next_++ : free_.back();
  if (!free_.empty()) free_.pop_back();
  const auto offset = static_cast<off_t>(page->number * kFrameBytes);
  if (pwrite(file_, frame, kFrameBytes, offset) != static_cast<ssize_t>(kFrameBytes)) {
    refused("pwrite");
  }
  show(frame, page, PageAccess::all);
  return page;
}

void FrameSharing::show(std::uint8_t* frame, const std::shared_ptr<Page>& page, PageAccess access) {
  const auto offset = static_cast<off_t>(page->number * kFrameBytes);
  if (mmap(frame, kFrameBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file_, offset) ==
      MAP_FAILED) {
    refused("mmap");
  }
  const PageAliases::Place place = *place_of(frame);
  page->aliases.places.push_back(place);
  shown_[frame] = page;
  place.cpus->alias_page(place.page, &page->aliases, access);
}

/// The frame is no place of its page any more; something else must be put there.
void FrameSharing::hide(std::uint8_t* frame) {
  const auto found = shown_.find(frame);
  if (found == shown_.end()) return;
  const PageAliases::Place place = *place_of(frame);
  place.cpus->alias_page(place.page, nullptr, PageAccess::all);
  std::erase(found->second->aliases.places, place);
  shown_.erase(found);
}

void FrameSharing::make_private(std::uint8_t* frame, const std::uint8_t* bytes) {
  if (mmap(frame, kFrameBytes, PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED) {
    refused("mmap");
  }
  madvise(frame, kFrameBytes, MADV_HUGEPAGE);  // As Ram does, so that the areas join again.
  std::memcpy(frame, bytes, kFrameBytes);
}

/// A page that is seen at its home only, which nobody mapped, is the home's own again. One without
/// a home goes with the last who sees it.
void FrameSharing::settle(std::shared_ptr<Page> page) {
  if (!page->home) {
    if (page->aliases.places.empty()) free_.push_back(page->number);
    return;
  }
  const auto home = shown_.find(page->home);
  if (home == shown_.end() || home->second != page || displaced_.count(page->home) != 0) return;
  if (page->aliases.places.size() != 1) return;
  const std::vector<std::uint8_t> bytes(page->home, page->home + kFrameBytes);
  hide(page->home);
  make_private(page->home, bytes.data());
  free_.push_back(page->number);
}

bool FrameSharing::map(std::uint8_t* at, std::uint8_t* page, bool writable) {
  Machine* const machine = machine_of(at);
  if (!machine || !place_of(page)) return false;
  const bool again = displaced_.count(at) != 0;
  if (!again && machine->mappings >= kMostMappings / machines_.size()) return false;
  const std::shared_ptr<Page> shared = shared_page(page);
  const auto before = shown_.find(at);
  const std::shared_ptr<Page> had = before == shown_.end() ? nullptr : before->second;
  if (!again) {
    Displaced& kept = displaced_[at];
    kept.page = had;
    if (!had) kept.bytes.assign(at, at + kFrameBytes);
    ++machine->mappings;
  }
  hide(at);
  show(at, shared, writable ? PageAccess::no_execute : PageAccess::read_only);
  if (had && had != shared) settle(had);
  return true;
}

void FrameSharing::unmap(std::uint8_t* at) {
  const auto found = displaced_.find(at);
  if (found == displaced_.end()) return;
  const Displaced was = std::move(found->second);
  displaced_.erase(found);
  --machine_of(at)->mappings;
  const std::shared_ptr<Page> page = shown_.at(at);
  hide(at);
  if (was.page) {
    show(at, was.page, PageAccess::all);
    settle(was.page);
  } else {
    make_private(at, was.bytes.data());
  }
  if (page != was.page) settle(page);
}

void FrameSharing::renew(std::uint8_t* frame) {
  const auto found = shown_.find(frame);
  if (found == shown_.end() || displaced_.count(frame) != 0) return;
  const std::shared_ptr<Page> page = found->second;
  const std::vector<std::uint8_t> bytes(frame, frame + kFrameBytes);
  hide(frame);
  make_private(frame, bytes.data());
  page->home = nullptr;
  settle(page);
}

}  // namespace trapline
