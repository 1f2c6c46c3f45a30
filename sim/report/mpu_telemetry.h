// Everything about the MPUs of a run that its events tell: of a run, or of a saved trace.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "sim/report/mpu_guests.h"
#include "sim/report/mpu_layer_watch.h"
#include "sim/report/mpu_track.h"
#include "sim/trace/event_schema.h"

namespace trapline {

class MpuTelemetry final : public Sink {
 public:
  /// What must be recorded for all of it; mpu_region alone gives the regions without the guests.
  static EventSet events();

  /// `layer`: of a run in which the hypervisor layer, no image, is at EL2.
  explicit MpuTelemetry(std::optional<MpuLayerFacts> layer = {});

  void on_event(const Event& event) override;
  bool wants(EventKind kind) const override { return events().has(kind); }
  /// Call once, at the end.
  void finish();

  /// By CPU and Exception level; only MPUs that were written to.
  using Tracks = std::map<std::pair<unsigned, unsigned>, MpuTrack>;
  const Tracks& tracks() const { return tracks_; }
  /// Guests and the switches between them.
  const MpuGuestWatch::Seen& seen() const { return seen_; }
  const std::map<MpuFaultKey, MpuFaults>& faults() const { return faults_; }
  /// The MPU that translates now at this Exception level, if it was ever written to.
  const MpuTrack* find_track(unsigned cpu, unsigned el) const {
    const auto found = cpus_.find(cpu);
    if (found == cpus_.end()) return nullptr;
    if (el == 2) return found->second.el2;
    return found->second.vmsa ? nullptr : found->second.el1;
  }
  /// Cycles of a CPU at its last event.
  std::uint64_t cycles(unsigned cpu) const { return cpus_.contains(cpu) ? cpus_.at(cpu).cycles : 0; }
  std::uint64_t instructions(unsigned cpu) const {
    return cpus_.contains(cpu) ? cpus_.at(cpu).instructions : 0;
  }

 private:
  struct PerCpu {
    std::uint64_t cycles = 0, instructions = 0;
    MpuTrack* el1 = nullptr;  // In tracks_.
    MpuTrack* el2 = nullptr;
    bool vmsa = false;  ///< VTCR_EL2.MSA: EL1 does not use its MPU.
    MpuGuestWatch watch;
  };

  MpuTrack& track(PerCpu& cpu, const Event& event);
  void watch(PerCpu& cpu, const Event& event);
  void add_fault(PerCpu& cpu, const Event& event);

  Tracks tracks_;
  std::map<unsigned, PerCpu> cpus_;
  PerCpu* last_ = nullptr;  // That of the last event, as most often it is the next one's too.
  unsigned last_cpu_ = ~0u;
  MpuGuestWatch::Seen seen_;
  std::optional<MpuLayerWatch> layer_;
  std::map<MpuFaultKey, MpuFaults> faults_;
};

}  // namespace trapline
