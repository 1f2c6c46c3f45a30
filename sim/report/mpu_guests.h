// What guests have of the MPUs while they run, and what it costs to change from one to another:
// from exceptions and mpu_region events.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "sim/report/mpu_track.h"

namespace trapline {

/// Regions of one MPU that were enabled while a guest ran.
class MpuGuestLoad {
 public:
  void add(const MpuTrack& track, std::uint64_t cycles);

  unsigned peak() const { return static_cast<unsigned>(peak_.size()); }
  /// The number that was enabled for the longest time.
  unsigned steady() const;
  const std::vector<MpuSlot>& peak_set() const { return peak_; }
  const MpuSet& longest_set() const { return sets_.longest(); }

 private:
  std::vector<MpuSlot> peak_;
  std::array<std::uint64_t, MpuTrack::kMostRegions + 2> held_{};
  MpuSetTracker sets_;
};

/// One guest: the time between exception returns from EL2 to a lower level, and the exceptions to
/// EL2 that end them. It is known by its VMID and, as hypervisors may give all guests one, by where
/// the largest of the EL2 regions lies that a lower level may access.
struct MpuGuest {
  unsigned vmid = 0;
  std::uint64_t home = 0;  ///< Address.
  std::uint64_t entries = 0;
  std::uint64_t first = 0;   ///< Cycle of the first entry.
  std::uint64_t cycles = 0;  ///< In the guest.
  MpuGuestLoad el1{}, el2{};
  unsigned el1_at_exits = 0;  ///< EL1's regions enabled at an exception to EL2, at most.
};

/// A sum of like things.
struct MpuCost {
  std::uint64_t sum = 0, least = ~0ull, most = 0;

  void add(std::uint64_t cost) {
    sum += cost;
    if (cost < least) least = cost;
    if (cost > most) most = cost;
  }
};

/// What EL2 did between two times a guest ran.
struct MpuSwitch {
  std::uint64_t from_cycle = 0, to_cycle = 0;
  std::uint64_t region_cycles = 0;  ///< In runs of accesses to MPU registers.
  std::uint64_t el1_writes = 0, el2_writes = 0;  ///< PRBAR and PRLAR.
  std::uint64_t prenr_writes = 0;
  std::uint64_t reads = 0;  ///< PRBAR and PRLAR, to save them.

  std::uint64_t writes() const { return el1_writes + el2_writes + prenr_writes; }
  std::uint64_t bytes() const { return 8 * (writes() + reads); }
  /// Of the hypervisor. A CPU that waits counts none.
  std::uint64_t cycles() const { return to_cycle - from_cycle; }
};

/// All switches from one guest to another (or, with the same, that touched its regions).
struct MpuSwitches {
  static constexpr int kBoot = -1;  ///< In place of a guest: before any ran.

  std::uint64_t times = 0;
  MpuCost cycles, region_cycles, bytes, writes;
  MpuSwitch total;   ///< Sums of the counts; its cycles mean nothing.
  MpuSwitch worst;   ///< The one with most region_cycles.

  void add(const MpuSwitch& one);
};

/// Exceptions that an MPU raised.
struct MpuFaultKey {
  unsigned cpu = 0, el = 0;  ///< The MPU's.
  unsigned vmid = 0;
  int slot = -1;       ///< That matched, or one of MpuTrack::Match.
  std::uint64_t page = 0;  ///< Where none or several did: what was accessed.
  unsigned status = 0;  ///< Fault status code: 0x04 translation, 0x0c permission, by level.
  char access = 'r';    ///< r, w, x.
  auto operator<=>(const MpuFaultKey&) const = default;
};
struct MpuFaults {
  std::uint64_t times = 0;
  std::uint64_t first_cycle = 0, first_address = 0;
};

/// Follows the guests of one CPU.
class MpuGuestWatch {
 public:
  /// A run of accesses to MPU registers ends where the next comes more than this many instructions
  /// later.
  static constexpr std::uint64_t kRunGap = 64;

  /// What all CPUs have seen.
  struct Seen {
    std::vector<MpuGuest> guests;
    std::map<std::pair<int, int>, MpuSwitches> switches;  ///< By index of the guests.
    MpuGuestLoad host;  ///< EL2's regions between guests, once there was one.
  };

  void on_event(const Event& event, const MpuTrack* el1, const MpuTrack* el2, Seen& seen);
  void finish(std::uint64_t cycles, const MpuTrack* el1, const MpuTrack* el2, Seen& seen);

 private:
  void stay(std::uint64_t cycles, const MpuTrack* el1, const MpuTrack* el2, Seen& seen);
  void access(const Event& event);
  int guest_of(const Event& event, const MpuTrack* el2, Seen& seen);
  void enter(const Event& event, const MpuTrack* el2, Seen& seen);

  bool resident_ = false;
  int guest_ = MpuSwitches::kBoot;
  std::uint64_t since_ = 0;  // Cycle up to which the stay in the guest or at EL2 is accounted.
  std::uint64_t last_set_ = 0;  // EL2's regions and VMID for which guest_ was found.
  MpuSwitch window_;
  bool in_run_ = false;
  std::uint64_t run_instruction_ = 0, run_cycle_ = 0;  // Of the last access.
};

}  // namespace trapline
