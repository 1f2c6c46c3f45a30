// The grant table of one domain, version 1, and what it maps of others'.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "sim/trap/xen/abi.h"
#include "sim/trap/xen/domain.h"

namespace trapline::xen {

class GrantTable {
 public:
  static constexpr std::uint32_t kEntriesPerFrame = kPageBytes / sizeof(GrantEntryV1);
  static constexpr std::uint32_t kNoHandle = ~std::uint32_t{0};

  /// What a domain mapped of another's grants.
  struct Mapping {
    std::uint32_t flags = 0;  ///< GNTMAP_*; 0: the handle is free.
    DomId domain = 0;
    GrantRef ref = 0;
    std::uint16_t vcpu = 0;  ///< Whose list of free handles it goes back to.
  };

  explicit GrantTable(Domain& domain);

  unsigned frames() const { return static_cast<unsigned>(frames_.size()); }
  unsigned max_frames() const { return max_frames_; }
  std::uint32_t entries() const { return frames() * kEntriesPerFrame; }
  /// Makes the table at least so many frames long; false if that is more than it may have.
  bool grow(unsigned frames);
  SharedPage& frame(unsigned index) { return *frames_[index]; }

  /// Takes the access that entry `ref` grants `by`, as GNTTABOP_map_grant_ref (`for_map`) or
  /// GNTTABOP_copy do.
  GrantStatus acquire(GrantRef ref, DomId by, bool readonly, bool for_map);
  /// Gives back what acquire() took.
  void release(GrantRef ref, bool readonly);
  /// The frame that an acquired entry grants.
  Gfn granted(GrantRef ref) const { return active_[ref].gfn; }
  /// The page that stood there when it was acquired.
  const std::shared_ptr<PinnedPage>& page(GrantRef ref) const { return active_[ref].page; }
  /// GNTTABOP_swap_grant_ref.
  GrantStatus swap(GrantRef a, GrantRef b);
  /// Any domain has something of this frame mapped.
  bool maps(DomId by, Gfn gfn) const;

  // The mappings that this domain has of others.
  std::uint32_t take_handle(unsigned vcpu);
  void put_handle(std::uint32_t handle);
  Mapping* mapping(std::uint32_t handle) {
    return handle < mappings_.size() ? &mappings_[handle] : nullptr;
  }
  /// The domain goes away.
  void release_mappings();
  /// Another domain goes away, and its memory with it.
  void forget_mappings_of(DomId domain);

 private:
  struct Active {
    std::uint8_t readers = 0;
    std::uint8_t writers = 0;
    DomId by = 0;
    Gfn gfn = 0;
    std::shared_ptr<PinnedPage> page{};  ///< While it is pinned.
    bool pinned() const { return readers != 0 || writers != 0; }
  };

  GrantEntryV1 entry(GrantRef ref);
  void set_entry(GrantRef ref, const GrantEntryV1& entry);
  GrantStatus set_status(GrantRef ref, DomId by, bool readonly, bool for_map);
  void reduce_status(GrantRef ref, bool readonly);

  Domain& domain_;
  unsigned max_frames_;
  unsigned max_maptrack_frames_;
  std::vector<std::unique_ptr<SharedPage>> frames_;
  std::vector<Active> active_;
  std::vector<Mapping> mappings_;
  std::vector<std::deque<std::uint32_t>> free_handles_;  // Of each vCPU.
};

}  // namespace trapline::xen
