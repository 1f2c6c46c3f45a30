// What stands at each frame of a domain's physical address space (Xen's P2M).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "sim/trap/xen/ports.h"

namespace trapline::xen {

/// Frames [first, first + count).
struct FrameRange {
  Gfn first = 0;
  std::uint64_t count = 0;
};

/// A page that the layer shares with a domain: its own memory until the domain maps it, the
/// domain's frame from then on.
class SharedPage {
 public:
  SharedPage() : own_(std::make_unique<std::uint8_t[]>(kPageBytes)) {}

  std::optional<Gfn> at() const { return at_; }

 private:
  friend class Physmap;
  std::unique_ptr<std::uint8_t[]> own_;
  std::optional<Gfn> at_;
};

/// The page that stood at a frame when it was granted. Whatever the domain puts there later is
/// another one.
class PinnedPage {
 public:
  explicit PinnedPage(Gfn gfn) : gfn_(gfn) {}

  bool gone() const { return kept_ != nullptr; }  ///< The domain has it no more.

 private:
  friend class Physmap;
  Gfn gfn_;
  std::unique_ptr<std::uint8_t[]> kept_;  ///< What it held when it went.
};

/// The frames of one domain. RAM is where it was built with some and did not give it back; other
/// pages stand where the domain put them.
class Physmap {
 public:
  enum class Kind : std::uint8_t {
    none,  ///< Nothing is mapped.
    ram,
    shared,       ///< A SharedPage.
    grant_write,  ///< A page of a domain that granted it.
    grant_read,
  };

  /// A gfn as INVALID_GFN.
  static constexpr Gfn kInvalid = ~Gfn{0};

  Physmap(DomainMemory& memory, const std::vector<FrameRange>& ram, std::uint64_t max_frames);

  Kind kind(Gfn gfn) const;
  /// The bytes of a page that is the domain's own, RAM or shared; nullptr for any other.
  std::uint8_t* own_page(Gfn gfn);
  /// The machine's memory at `gfn`, whatever is there now: which frame it is, not for its bytes.
  const std::uint8_t* address(Gfn gfn) { return memory_.frame(gfn); }
  void written(Gfn gfn, std::size_t offset, std::size_t bytes) {
    memory_.written(gfn, offset, bytes);
  }

  /// Holds on to the page that own_page() says is there; nullptr: there is none.
  std::shared_ptr<PinnedPage> pin(Gfn gfn);
  /// A page that is gone keeps its bytes, which nobody else sees.
  std::uint8_t* bytes(PinnedPage& page);
  void written(PinnedPage& page, std::size_t offset, std::size_t bytes);

  std::uint64_t frames() const { return frames_; }          ///< XENMEM_current_reservation.
  std::uint64_t max_frames() const { return max_frames_; }  ///< XENMEM_maximum_reservation.
  Gfn last_gfn() const { return last_gfn_; }                ///< XENMEM_maximum_gpfn.

  /// Pages of RAM in place of what is there, holding whatever they hold. False, with nothing done:
  /// the domain may not have so many more, or the machine has no memory at one of the addresses.
  bool populate(Gfn first, std::uint64_t count);
  /// The pages that a direct-mapped domain was built with are there again. False: it was not.
  bool restore(Gfn first, std::uint64_t count);
  /// Pages that are nowhere in the domain's address space. False: it may not have so many.
  bool take_unmapped(std::uint64_t count);
  /// Takes away what is at `gfn`, and with RAM the page itself if `release`.
  void remove(Gfn gfn, bool release);

  std::uint8_t* bytes(SharedPage& page);
  void written(SharedPage& page, std::size_t offset, std::size_t bytes);
  /// False: the machine has no memory at this address. The page must not be mapped elsewhere.
  bool map(SharedPage& page, Gfn gfn);

  /// Maps a page of frame() of `owner`. False: the machine cannot.
  bool map_grant(Gfn gfn, std::uint8_t* page, bool writable, DomId owner);
  /// The page that map_grant() put there; nullptr for any other frame.
  const std::uint8_t* granted(Gfn gfn) const;
  /// Takes away all that map_grant() put anywhere; of one owner alone if one is named.
  void remove_grants(std::optional<DomId> owner = std::nullopt);

 private:
  struct Entry {
    Kind kind = Kind::none;
    SharedPage* shared = nullptr;
    std::uint8_t* granted = nullptr;
    DomId owner = 0;  ///< Of what is granted.
  };

  bool built_with(Gfn gfn) const;
  void set(Gfn gfn, const Entry& entry);
  void clear(Gfn gfn);
  void take_from_pins(Gfn gfn);

  DomainMemory& memory_;
  std::vector<FrameRange> ram_;
  std::uint64_t frames_ = 0;
  std::uint64_t max_frames_;
  Gfn last_gfn_ = 0;
  std::map<Gfn, Entry> changed_;  // Frames that are not as the domain was built.
  std::map<Gfn, std::weak_ptr<PinnedPage>> pins_;  // Of the pages that are there now.
};

}  // namespace trapline::xen
