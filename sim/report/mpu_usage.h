// How much of its MPUs a run used, from mpu_region events alone: of a run, or of a saved trace.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "sim/arch/types.h"
#include "sim/trace/event.h"

namespace trapline {

/// The regions of one MPU (DDI 0600: EL1's or EL2's of one PE) over a run.
class MpuLoad {
 public:
  static constexpr unsigned kMostRegions = 255;

  /// Region or enables written, at `cycles` of its CPU.
  void add(const Event& event);
  /// The run, or what was seen of it, ends.
  void finish(std::uint64_t cycles);

  unsigned enabled() const { return count_; }
  unsigned peak() const { return peak_; }
  /// The number of regions that were enabled for the longest time, in cycles.
  unsigned steady() const;
  /// Regions that were enabled at some time.
  unsigned used() const {
    unsigned count = 0;
    for (const std::uint64_t bits : used_) count += static_cast<unsigned>(std::popcount(bits));
    return count;
  }

  struct Writes {
    std::uint64_t prbar = 0, prlar = 0, prenr = 0;
    std::uint64_t indexed = 0;  ///< Of PRBAR and PRLAR, by PRBAR<n> and PRLAR<n>.
  };
  const Writes& writes() const { return writes_; }
  /// Cycles, by the number of regions that were enabled.
  const std::array<std::uint64_t, kMostRegions + 2>& held() const { return held_; }

 private:
  void pass_time(std::uint64_t cycles);

  std::array<std::uint64_t, (kMostRegions + 1) / 64> enabled_{}, used_{};  ///< A bit a region.
  unsigned count_ = 0;                                                     ///< Of enabled_.
  unsigned peak_ = 0;
  std::uint64_t since_ = 0;                             ///< Cycle of the last change.
  std::array<std::uint64_t, kMostRegions + 2> held_{};  ///< Cycles, by number of enabled regions.
  Writes writes_;
};

/// All MPUs of a machine.
class MpuUsage final : public Sink {
 public:
  void on_event(const Event& event) override;
  void finish();

  /// By CPU and Exception level; only MPUs that were written to.
  const std::map<std::pair<unsigned, El>, MpuLoad>& loads() const { return loads_; }

 private:
  std::map<std::pair<unsigned, El>, MpuLoad> loads_;
  std::map<unsigned, std::uint64_t> cycles_;  ///< Of the last event, by CPU.
};

/// A table for a person, a line an MPU; one line that says so where no MPU was written to.
std::string mpu_table(const MpuUsage& usage);

}  // namespace trapline
