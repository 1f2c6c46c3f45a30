// The MPUs of one CPU as its translation uses them: look-ups by 4 KiB page, and which changes of
// the regions concern what an engine's TLB holds.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "models/mpu/mpu.h"

namespace trapline {

/// The 4 KiB pages that were put into a TLB since it was last emptied; past kCapacity, all pages.
class FilledPages {
 public:
  static constexpr std::size_t kCapacity = 128;

  void add(std::uint64_t address);
  void clear();
  bool empty() const { return count_ == 0; }
  /// True if a page of the range may have been added.
  bool intersects(const AddressRange& range) const;

 private:
  static constexpr std::size_t kSlots = 512;

  std::array<std::uint64_t, kCapacity> pages_{};
  std::array<std::uint8_t, kSlots> slots_{};  // Position in pages_ + 1 by a hash; 0: none.
  std::size_t count_ = 0;
};

/// A look-up, and whether the 4 KiB page around the address holds another answer as well: such a
/// page must not be cached.
struct MpuPageAnswer {
  MpuResult result;
  bool split = false;
};

class MpuView {
 public:
  MpuView(const MpuConfig& config, unsigned cpu, Sink* sink) : mpu_(config, cpu, sink) {
    controls.default_map = mpu_.default_map();
  }

  Mpu& mpu() { return mpu_; }
  void reset();

  MpuPageAnswer at(MpuRegime regime, const MpuRequest& request) const;
  /// Stage 2 alone, for VMSAv8-64 at EL1.
  MpuPageAnswer stage2_at(const MpuStage2Request& request) const;
  /// The 64-byte granules of the 4 KiB page that may not be executed, one bit each.
  std::uint64_t denied_granules(MpuRegime regime, std::uint64_t page, bool privileged) const;
  std::uint64_t denied_granules_stage2(std::uint64_t ipa_page, bool privileged) const;

  /// True if loads, and likewise stores, of this privilege end alike on all of the 4 KiB page: where
  /// it is split, that is by what may be executed, by attributes, or for others. False where some load faults.
  bool data_uniform(MpuRegime regime, std::uint64_t page, bool privileged, bool pan) const;
  bool data_uniform_stage2(std::uint64_t ipa_page, bool privileged) const;

  /// A page went into the TLB. For VMSAv8-64 at EL1 its IPA counts.
  void filled(MpuRegime regime, std::uint64_t address) {
    filled_[regime == MpuRegime::el2].add(address);
  }
  /// The TLB was emptied.
  void flushed();
  /// Registers of the MPU were written while `running` is in force. True if the TLB now holds what
  /// they forbid, or the reverse.
  bool written(MpuRegime running);
  /// EL1&0 begins to run, or its controls changed while it does. `tags` is what else its
  /// translations depend on. True if the TLB holds entries of another time.
  bool entering_el1_0(std::uint64_t tags);
  /// Something other than a region changed that EL1&0 depends on.
  void note_change() { el1_0_stale_ = true; }

  MpuControls controls;

 private:
  /// Calls visit(first, last) for stretches of the page in which one answer holds.
  template <typename Visit>
  void for_stretches(MpuRegime regime, bool stage1, std::uint64_t page, Visit visit) const;

  /// What the EL1&0 entries in the TLB were made with.
  struct Basis {
    std::vector<MpuRegion> el1, el2;
    std::uint64_t sctlr = 0, hcr = 0, vstcr = 0, tags = 0;
    bool operator==(const Basis&) const = default;
  };
  void take_basis(std::uint64_t tags, Basis& basis) const;

  Mpu mpu_;
  std::array<FilledPages, 2> filled_;  // EL1&0, EL2.
  bool el1_0_stale_ = true;
  Basis basis_, scratch_;
};

}  // namespace trapline
