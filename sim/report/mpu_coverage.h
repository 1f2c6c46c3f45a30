// Which 64-byte granules of their MPU's regions software accessed while they were mapped.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "models/mpu/mpu_regions.h"
#include "sim/report/mpu_telemetry.h"
#include "sim/trace/event.h"
#include "sim/trace/instruction.h"

namespace trapline {

/// Sees every instruction with what it loads and stores, so the run becomes slow. Accesses to
/// devices it knows by their mmio events. What walks of translation tables, cache maintenance and
/// prefetches reach is not counted.
class MpuCoverage final : public Sink, public InstructionSink {
 public:
  /// `telemetry` knows what is mapped; it must see each event before this does.
  explicit MpuCoverage(const MpuTelemetry& telemetry) : telemetry_(telemetry) {}

  bool wants(EventKind kind) const override { return kind == EventKind::mmio; }
  void on_event(const Event& event) override;
  InstructionWindow window() const override { return {}; }
  bool wants_contents() const override { return false; }
  void on_instruction(const ExecutedInstruction& instruction) override;

  /// What was accessed of one range in one slot, all the times together that it was mapped.
  struct Reached {
    std::uint64_t touched = 0;       ///< Bytes, by whole granules.
    std::vector<AddressRange> gaps;  ///< What was not, in ascending order.
  };
  /// `tenant` is one of `track`.tenants() of this CPU and Exception level.
  Reached reached(unsigned cpu, unsigned el, const MpuTrack& track, std::uint32_t tenant) const;

 private:
  /// Bits of a page's granules, by the page's number.
  using Granules = std::unordered_map<std::uint64_t, std::uint64_t>;
  struct Touched {
    std::vector<Granules> tenants;  ///< By their order in the track.
  };
  /// The granule that was seen last with the regions of then: most accesses are to it again.
  struct Last {
    std::uint64_t granule = ~0ull;
    std::uint64_t el1_set = 0, el2_set = 0;
    El el = El::el0;
    bool operator==(const Last&) const = default;
  };

  void touch(unsigned cpu, El el, std::uint64_t address, std::uint64_t bytes, Last& last);
  void mark(unsigned cpu, unsigned el, const MpuTrack& track, std::uint64_t address);

  const MpuTelemetry& telemetry_;
  std::map<std::pair<unsigned, unsigned>, Touched> touched_;  // By CPU and EL, as the tracks.
  struct Recent {
    Last fetch, data;
  };
  std::map<unsigned, Recent> recent_;  // By CPU.
};

}  // namespace trapline
