// The architectural TLB of one CPU.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "sim/cpu/vmsa.h"

namespace trapline {

/// Which translations a lookup may use. Two tags are the same context only if every field is.
struct TlbTag {
  static constexpr std::uint32_t kGlobal = 0x10000;

  Regime regime = Regime::el1_0;
  bool stage1_on = false;
  bool stage2_on = false;
  std::uint16_t vmid = 0;
  std::uint32_t asid = kGlobal;  ///< kGlobal for entries that match every ASID.

  std::uint64_t packed() const {
    return std::uint64_t{asid} | std::uint64_t{vmid} << 20 |
           std::uint64_t{static_cast<std::uint8_t>(regime)} << 36 | std::uint64_t{stage1_on} << 38 |
           std::uint64_t{stage2_on} << 39;
  }
};

/// Holds every translation made since it was last invalidated, tagged by ASID and VMID, and evicts
/// nothing: what a guest sees then depends on its own TLBIs only, never on how large or how clever
/// the executing engine's TLB is. The engine's TLB is a cache of this one.
class SoftTlb {
 public:
  using Context = std::uint16_t;  ///< 1 to kContexts - 1.
  static constexpr unsigned kContexts = 1024;
  static constexpr std::size_t kMaximumEntries = 1u << 20;

  struct Entry {
    std::uint64_t key = 0;  ///< Virtual page << 10 | context.
    PhysAddr pa_page = 0;   ///< 4 KiB page.
    std::uint32_t generation = 0;
    Permissions permissions;
    bool pan_protected = false;
    bool needs_dirty_update = false;
  };

  SoftTlb();

  /// The context for a tag, made if new. When contexts or entries run out everything is dropped;
  /// `flushed` then becomes true and the engine's TLB must be emptied too.
  Context context(const TlbTag& tag, bool& flushed);

  const Entry* find(Context context, VirtAddr va) const {
    return find_key((va >> 12) << 10 | context, context);
  }
  /// Adds the 4 KiB page of `va`. The caller has checked with full() first.
  void insert(Context context, VirtAddr va, const Mapping& mapping);
  bool full() const { return used_ >= kMaximumEntries / 2; }

  void invalidate_all();
  /// Entries of one regime. For el1_0 with any VMID.
  void invalidate_regime(Regime regime);
  /// Entries of a regime and VMID; with `asid` only those and no global ones.
  void invalidate_vmid(Regime regime, std::uint16_t vmid);
  void invalidate_asid(Regime regime, std::uint16_t vmid, std::uint16_t asid);
  /// One page in contexts of (regime, vmid) with this ASID or global; any ASID if `asid` is kGlobal.
  /// True if more than the one 4 KiB page was dropped (the entry came from a larger block).
  bool invalidate_va(Regime regime, std::uint16_t vmid, std::uint32_t asid, VirtAddr va);

 private:
  struct ContextState {
    TlbTag tag;
    std::uint32_t generation = 1;
    std::uint64_t block_shifts = 0;  ///< Bit n: entries from leaves of 2^n bytes were added.
  };

  const Entry* find_key(std::uint64_t key, Context context) const {
    std::size_t at = hash(key) & mask_;
    while (true) {
      const Entry& entry = table_[at];
      if (entry.key == 0) return nullptr;
      if (entry.key == key && entry.generation == contexts_[context].generation) return &entry;
      at = (at + 1) & mask_;
    }
  }
  static std::size_t hash(std::uint64_t key) {
    return static_cast<std::size_t>((key * 0x9E3779B97F4A7C15ull) >> 32);
  }
  static std::uint64_t block_key(Context context, unsigned shift, VirtAddr va) {
    return (va >> shift) << 16 | shift << 10 | context;
  }
  bool in_block(const ContextState& state, Context context, VirtAddr va) const;
  void grow();
  void drop_context(Context context) { ++contexts_[context].generation; }
  template <typename Predicate>
  void drop_where(Predicate predicate);

  std::vector<Entry> table_;
  std::size_t mask_;
  std::size_t used_ = 0;  ///< Slots with a key, stale ones included.
  std::vector<ContextState> contexts_;
  std::unordered_map<std::uint64_t, Context> ids_;  ///< Looked up only; its order is never used.
  std::unordered_set<std::uint64_t> blocks_;        ///< block_key() of every larger leaf seen.
};

}  // namespace trapline
