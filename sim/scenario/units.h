// Numbers as people write them: sizes, durations, counts, addresses.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sim/time/clock.h"

namespace trapline {

/// Bytes. "512M", "1G", "64KiB"; suffixes are powers of 1024. A bare number counts `bare_unit`
/// bytes. All parsers here throw std::invalid_argument saying what is wrong and what would be
/// right.
std::uint64_t parse_size(std::string_view text, std::uint64_t bare_unit = 1);

/// Virtual time in picoseconds. "1.5s", "200ms", "10us", "3ns", "2min"; a bare number is seconds.
Time parse_duration(std::string_view text);

/// A count: "1000", "250k", "4G", "1.5M"; suffixes are powers of 1000. "_" may separate digits.
std::uint64_t parse_count(std::string_view text);

/// Decimal, or hexadecimal with 0x.
std::uint64_t parse_address(std::string_view text);

/// A small decimal integer in [low, high]; `what` names it in the error.
unsigned parse_integer(std::string_view text, unsigned low, unsigned high, std::string_view what);

/// "3.104 s", "12.5 us": for status lines.
std::string format_duration(Time time);

/// Looks a variable of the environment up. Given by the caller: nothing here reads the process's.
using Environment = std::function<std::optional<std::string>(std::string_view)>;

/// Replaces "${NAME}" and "${NAME:-default}"; "$$" gives one "$". Throws std::invalid_argument for
/// an unset name without a default and for an unterminated "${".
std::string substitute(std::string_view text, const Environment& environment);

}  // namespace trapline
