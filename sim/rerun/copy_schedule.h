// Where a run that is done again leaves copies of itself.
#pragma once

#include <cstdint>
#include <vector>

namespace trapline {

/// Checkpoints at which a run leaves a copy to go back to. Each costs page faults for all that the
/// run writes to afterwards, so there are few: further and further apart, as going back a part of
/// the way is cheap compared with having come there, and close together where the recorded events
/// say that the runs will part.
class CopySchedule {
 public:
  /// `parting`: the last checkpoint that two traces have in common; 0 if that is not known.
  /// `watches`: memory differs, whose first use may be long before that, most likely early.
  explicit CopySchedule(std::uint64_t parting = 0, bool watches = true);

  bool has(std::uint64_t checkpoint) const;
  /// The last copy at a checkpoint or before it, counted from 0 at the beginning.
  std::uint64_t copy_of(std::uint64_t checkpoint) const;

 private:
  std::vector<std::uint64_t> places_;  // In order, the first of them 0.
};

}  // namespace trapline
