// Limits on what a run may count: "exceptions.hvc <= 1200".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace trapline {

struct CounterLimit {
  enum class Relation : std::uint8_t { less, at_most, equal, at_least, more };

  std::string name;  ///< A path of keys in the statistics (docs/cli.md), joined by dots.
  Relation relation = Relation::at_most;
  std::uint64_t value = 0;
  std::string text;  ///< As it was written.

  bool met_by(std::uint64_t count) const;
};

/// Parses NAME RELATION COUNT with one of < <= == >= >. Throws std::invalid_argument.
CounterLimit parse_counter_limit(std::string_view text);

}  // namespace trapline
