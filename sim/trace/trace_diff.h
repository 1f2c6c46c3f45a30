// Where one trace leaves another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "sim/trace/trace_file.h"

namespace trapline {

/// What two traces have in common, and the first place where they have not.
struct TraceDifference {
  std::uint64_t common = 0;                ///< Events compared and found equal.
  std::vector<StoredEvent> before;         ///< The last of them, oldest first.
  std::optional<StoredEvent> checkpoint;   ///< The last checkpoint among them.
  std::uint64_t checkpoints = 0;           ///< How many of them are checkpoints.
  /// From the first difference on. Both empty: no event differs. One empty: that trace ends there.
  std::vector<StoredEvent> a, b;
  EventSet events;                         ///< What was compared.
  /// Events of any recorded kind that each trace holds up to the first difference, it included.
  std::uint64_t recorded_a = 0, recorded_b = 0;

  bool differ() const { return !a.empty() || !b.empty(); }
};

/// Compares the events that both traces recorded and `events` names, in order. `context` is how
/// many are kept before and after. Throws TraceError.
TraceDifference compare_traces(TraceReader& a, TraceReader& b, const EventSet& events,
                               std::size_t context);

/// Alike in every field and in the text.
bool same_event(const StoredEvent& a, const StoredEvent& b);

/// The fields in which two events differ: "elr", "insn", "text"... Just "kind" for two kinds.
std::vector<std::string> different_fields(const Event& a, const Event& b);

}  // namespace trapline
