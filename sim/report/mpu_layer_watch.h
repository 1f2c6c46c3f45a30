// Guests of the hypervisor layer and the switches between them. There is no software at EL2 whose
// exceptions and returns could be followed: vcpu_switch events say who comes, and the mpu_region
// events right behind each are what that took.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/machine/memory_layout.h"
#include "sim/report/address_names.h"
#include "sim/report/mpu_guests.h"

namespace trapline {

/// What the facts of a run (run_facts.h) say of its domains.
struct MpuLayerFacts {
  struct Guest {
    std::string name;
    bool vmsa = false;
    std::vector<MemoryRange> memory{};
  };
  std::vector<Guest> guests{};      ///< Of VMID 1, 2, ...
  std::uint64_t switch_cycles = 0;  ///< Of a switch, besides its regions.
  unsigned el1_regions = 0;
};

/// Nothing if the run had no domains of the layer.
std::optional<MpuLayerFacts> mpu_layer_facts(
    const std::vector<std::pair<std::string, std::string>>& facts);
/// The layer's own regions, and each domain's memory.
void add_layer_names(AddressNames& names, const MpuLayerFacts& facts);

class MpuLayerWatch {
 public:
  explicit MpuLayerWatch(MpuLayerFacts facts) : facts_(std::move(facts)) {}

  /// An event of a vCPU, before its tracks learn of it. A PMSA guest has an `el1`.
  void on_event(const Event& event, const MpuTrack* el1, const MpuTrack* el2);
  void on_switch(const Event& event);
  /// The end of what was seen: of a vCPU, then of all.
  void finish(unsigned cpu, std::uint64_t cycles, const MpuTrack* el1, const MpuTrack* el2);
  void finish(MpuGuestWatch::Seen& seen);

 private:
  struct Stay {
    unsigned vmid = 0;
    std::uint64_t since = 0;  // Cycle up to which it is accounted.
    bool runs = false;
  };
  struct Switch {
    unsigned from = 0, to = 0;  // VMIDs; 0: nobody.
    MpuSwitch cost;
  };

  bool pmsa(unsigned vmid) const;
  void stay(Stay& stay, std::uint64_t cycles, const MpuTrack* el1, const MpuTrack* el2);
  void count_write(const Event& event);
  void close_switch();

  MpuLayerFacts facts_;
  std::map<unsigned, Stay> stays_;       // By vCPU.
  std::map<unsigned, MpuGuest> guests_;  // By VMID.
  std::map<std::pair<unsigned, unsigned>, MpuSwitches> switches_;
  std::optional<Switch> switch_;  // Whose region writes may still come.
};

}  // namespace trapline
