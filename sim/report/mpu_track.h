// The history of one MPU (DDI 0600: EL1's or EL2's of one PE), told by mpu_region events alone.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "models/mpu/mpu_regions.h"
#include "sim/report/mpu_timeline.h"
#include "sim/report/mpu_usage.h"
#include "sim/trace/event.h"

namespace trapline {

/// A region and the slot it is in.
struct MpuSlot {
  unsigned slot = 0;
  MpuRegion region;
  bool operator==(const MpuSlot&) const = default;
};
struct MpuSlotHash {
  std::size_t operator()(const MpuSlot& at) const;
};

/// Regions that were enabled together.
struct MpuSet {
  std::uint64_t cycles = 0;  ///< In force, all times together.
  std::vector<MpuSlot> slots;
};

/// Which set of regions was in force for the longest time.
class MpuSetTracker {
 public:
  /// `slots()` was in force for `cycles`; `hash` tells it from others.
  template <typename Slots>
  void add(std::uint64_t hash, std::uint64_t cycles, Slots slots) {
    if (cycles == 0) return;
    if (hash != last_hash_ || totals_.empty()) {  // Most events change no region.
      const auto found = index_.find(hash);
      if (found == index_.end() && totals_.size() >= kMostSets) return;
      last_ = found != index_.end() ? found->second : static_cast<std::uint32_t>(totals_.size());
      last_hash_ = hash;
      if (found == index_.end()) {
        index_.emplace(hash, last_);
        totals_.push_back(0);
      }
    }
    const std::uint64_t total = totals_[last_] += cycles;
    if (hash != best_hash_ && total <= best_.cycles) return;
    if (hash != best_hash_) best_.slots = slots();
    best_hash_ = hash;
    best_.cycles = total;
  }
  const MpuSet& longest() const { return best_; }

 private:
  static constexpr std::size_t kMostSets = 1 << 20;

  std::unordered_map<std::uint64_t, std::uint32_t> index_;  // Into totals_, by hash.
  std::vector<std::uint64_t> totals_;                       // Cycles.
  std::uint64_t last_hash_ = 0;
  std::uint32_t last_ = 0;
  std::uint64_t best_hash_ = 0;
  MpuSet best_;
};

/// One range with its attributes in one slot, each time it was mapped there.
struct MpuTenant {
  MpuSlot at;
  std::uint64_t mapped = 0;  ///< Times.
  std::uint64_t cycles = 0;  ///< Enabled.
  std::uint64_t first = 0;   ///< Cycle of the first time,
  std::uint64_t last = 0;    ///< and at which it was enabled last.
  std::uint64_t shortest = ~0ull, longest = 0;
};

class MpuTrack {
 public:
  static constexpr unsigned kMostRegions = MpuLoad::kMostRegions;

  /// An mpu_region event of this MPU.
  void add(const Event& event);
  /// A PRBAR or PRLAR access that reached no region.
  void add_missing(const Event& event);
  /// Something else happens: a region that was being rewritten is what it is now.
  void settle();
  /// The run, or what was seen of it, ends.
  void finish(std::uint64_t cycles);

  const MpuLoad& load() const { return load_; }
  unsigned enabled() const { return load_.enabled(); }
  /// The regions enabled now, by slot.
  std::vector<MpuSlot> slots() const;
  /// Differs where slots() does.
  std::uint64_t hash() const { return hash_; }
  enum Match : int { kNone = -1, kSeveral = -2 };
  /// The slot whose enabled region holds the address, or a Match.
  int match(std::uint64_t address) const;

  /// The place in tenants() of what the slot holds; MpuTimeline::kNobody if it is disabled, or
  /// being rewritten.
  std::uint32_t tenant_in(unsigned slot) const {
    return slot < holders_.size() ? holders_[slot].tenant : kNobody;
  }

  /// When the peak was reached first, and the regions of that moment.
  std::uint64_t peak_cycle() const { return peak_cycle_; }
  std::uint64_t peak_instruction() const { return peak_instruction_; }
  const std::vector<MpuSlot>& peak() const { return peak_; }
  const MpuSet& longest_set() const { return sets_.longest(); }
  /// Everything that ever was mapped, in the order of its first time.
  const std::vector<MpuTenant>& tenants() const { return tenants_; }
  const MpuTimeline& timeline() const { return timeline_; }

  /// How regions were enabled and disabled, and how writes were wasted.
  struct Changes {
    std::uint64_t enabled_by_prlar = 0, enabled_by_prenr = 0;
    std::uint64_t disabled_by_prlar = 0, disabled_by_prenr = 0;
    std::uint64_t rewritten_enabled =
        0;                        ///< Changed while enabled, so that it passed through others.
    std::uint64_t unchanged = 0;  ///< Writes that left the register as it was.
    std::uint64_t from_el1 = 0, from_el2 = 0;  ///< Writes, by who made them.
  };
  const Changes& changes() const { return changes_; }

  /// Lifetimes of mappings that ended: how many lasted from 2^n to 2^(n+1) - 1 cycles.
  const std::array<std::uint64_t, 64>& lifetimes() const { return lifetimes_; }
  std::uint64_t ended() const { return ended_; }

  struct Overlap {
    std::uint64_t times = 0;
    std::uint64_t first = 0;  ///< Cycle.
  };
  /// By the two tenants, in the order of tenants(). They were enabled at once and share addresses.
  const std::map<std::pair<std::uint32_t, std::uint32_t>, Overlap>& overlaps() const {
    return overlaps_;
  }

  struct Missing {
    std::uint64_t reads = 0, writes = 0;
    std::uint64_t first = 0;  ///< Cycle.
  };
  /// Accesses to regions that the part does not have, by region.
  const std::map<unsigned, Missing>& missing() const { return missing_; }

 private:
  static constexpr std::uint32_t kNobody = MpuTimeline::kNobody;
  struct Holder {
    std::uint32_t tenant = kNobody;
    std::uint64_t since = 0;
  };

  void count_until(std::uint64_t cycles);
  void set_changes(std::uint64_t cycles);
  void write_region(const Event& event, bool prlar);
  void write_enables(const Event& event);
  void open(unsigned slot, std::uint64_t cycles);
  void close(unsigned slot, std::uint64_t cycles);
  std::uint32_t tenant_of(unsigned slot, std::uint64_t cycles);
  void look_for_overlaps(unsigned slot, std::uint64_t cycles);

  MpuLoad load_;
  std::vector<MpuRegion> regions_;  // By slot, as far as any was written.
  std::vector<Holder> holders_;
  std::vector<MpuTenant> tenants_;
  std::unordered_map<MpuSlot, std::uint32_t, MpuSlotHash> tenant_index_;
  std::uint64_t hash_ = 0;
  std::uint64_t since_ = 0;        // Cycle of the last event.
  std::uint64_t set_since_ = 0;    // Up to which the set of regions is accounted for,
  std::uint64_t count_since_ = 0;  // and the number of them,
  unsigned count_ = 0;             // which is this one.
  unsigned peak_count_ = 0;
  std::uint64_t peak_cycle_ = 0, peak_instruction_ = 0;
  std::vector<MpuSlot> peak_;
  MpuSetTracker sets_;
  MpuTimeline timeline_;
  Changes changes_;
  std::array<std::uint64_t, 64> lifetimes_{};
  std::uint64_t ended_ = 0;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Overlap> overlaps_;
  std::map<unsigned, Missing> missing_;
  // A region that was enabled when one of its registers was written, whose other may follow.
  bool unsettled_ = false;
  unsigned unsettled_slot_ = 0;
  bool unsettled_prlar_ = false;       // It was PRLAR.
  std::uint64_t unsettled_since_ = 0;  // Cycle of that write.
};

}  // namespace trapline
