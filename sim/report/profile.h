// Where a run's cycles went, by functions and by the calls that led to them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sim/symbols/symbols.h"
#include "sim/trace/instruction.h"

namespace trapline {

class Profile final : public SampleSink {
 public:
  /// `period` in cycles, not 0.
  explicit Profile(std::uint64_t period) : period_(period) {}

  std::uint64_t period() const override { return period_; }
  void on_sample(const StackSample& sample) override;

  /// One line a stack, outermost first, and its cycles: "cpu0;EL2;start_xen;vgic_load 30000". What
  /// flamegraph.pl and speedscope read.
  std::string folded(const Symbols& symbols) const;
  /// A line a function and level: cycles in itself, with what it called, and its share.
  std::string table(const Symbols& symbols) const;

 private:
  struct Place {
    unsigned cpu = 0;
    El el = El::el0;
    std::uint16_t vmid = 0;
    std::vector<VirtAddr> frames;

    friend auto operator<=>(const Place&, const Place&) = default;
  };

  std::uint64_t period_;
  std::map<Place, std::uint64_t> samples_;
};

}  // namespace trapline
