// Where two runs part, to the instruction.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "sim/rerun/probe.h"
#include "sim/scenario/scenario.h"
#include "sim/trace/instruction.h"

namespace trapline {

/// A run that cannot be done again, or does not repeat itself. what() is one line.
class RerunError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct RerunSide {
  std::string name;  ///< For messages: the trace, or the scenario.
  Scenario scenario;
  ProbeTrace trace;  ///< That it must repeat.

  /// Alike in everything but images and input.
  bool same_machine(const RerunSide& other) const;
};

/// An instruction, or an event between two of them.
struct PartingStep {
  std::optional<ExecutedInstruction> instruction{};
  std::string event{};  ///< event_text(), if it is none.

  bool same(const PartingStep& other) const;
};

struct Parting {
  enum class Kind : std::uint8_t {
    nowhere,      ///< The runs are equal.
    instruction,  ///< `a` and `b` begin with what differs.
    events_only,  ///< No instruction differs for as long as was looked.
  };
  Kind kind = Kind::nowhere;
  ProbeReport common;               ///< The checkpoint from which on was looked; 0: the beginning.
  std::vector<PartingStep> before;  ///< Equal on both sides, oldest first.
  std::vector<PartingStep> a, b;    ///< From the first difference on. Empty: that run ended.
};

struct Partings {
  Parting first;
  /// Often what differs is only moved at first: memory is copied, and both runs go on alike. Then
  /// this is the first instruction that differs after the last checkpoint at which the registers
  /// and all events were equal, and so what led to the first event that differs.
  std::optional<Parting> nearest;
};

/// Runs both sides again, each in a process of its own, and stops where their events part.
/// `parting` is the number of checkpoints that their traces have in common, so that few places to
/// go back to are needed before; 0 if that is not known. Throws RerunError, and ImageError for
/// images that cannot be read.
Partings find_partings(const RerunSide& a, const RerunSide& b, std::uint64_t parting);

}  // namespace trapline
