#include "sim/scenario/units.h"

#include <spdlog/fmt/fmt.h>

#include <array>
#include <charconv>
#include <cmath>
#include <span>
#include <stdexcept>

namespace trapline {
namespace {

struct Unit {
  std::string_view suffix;
  std::uint64_t factor;
};

constexpr std::array kSizeUnits{
    Unit{"B", 1},
    Unit{"K", 1ull << 10},
    Unit{"KiB", 1ull << 10},
    Unit{"M", 1ull << 20},
    Unit{"MiB", 1ull << 20},
    Unit{"G", 1ull << 30},
    Unit{"GiB", 1ull << 30},
    Unit{"k", 1ull << 10},
    Unit{"T", 1ull << 40},
    Unit{"TiB", 1ull << 40},
};
constexpr std::array kTimeUnits{
    Unit{"ps", 1},
    Unit{"ns", 1'000},
    Unit{"us", 1'000'000},
    Unit{"ms", 1'000'000'000},
    Unit{"s", kPicosecondsPerSecond},
    Unit{"min", 60 * kPicosecondsPerSecond},
    Unit{"h", 3600 * kPicosecondsPerSecond},
};
constexpr std::array kCountUnits{
    Unit{"k", 1'000},
    Unit{"M", 1'000'000},
    Unit{"G", 1'000'000'000},
    Unit{"T", 1'000'000'000'000},
};

[[noreturn]] void bad(std::string_view text, std::string_view expected) {
  throw std::invalid_argument(fmt::format("'{}' is not {}", text, expected));
}

// Exact for whole numbers; a fraction is scaled digit by digit, so "0.1s" is 10^11 ps on any host.
std::uint64_t parse_scaled(std::string_view text, std::span<const Unit> units, std::uint64_t bare,
                           std::string_view expected) {
  std::size_t at = 0;
  std::uint64_t whole = 0;
  std::uint64_t numerator = 0;
  std::uint64_t denominator = 1;
  bool digits = false;
  bool fraction = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '_' && digits) continue;
    if (c == '.' && !fraction) {
      fraction = true;
      continue;
    }
    if (c < '0' || c > '9') break;
    digits = true;
    const auto digit = static_cast<unsigned>(c - '0');
    if (fraction) {
      if (denominator >= kPicosecondsPerSecond) continue;  // Below every unit's resolution.
      numerator = numerator * 10 + digit;
      denominator *= 10;
    } else if (__builtin_mul_overflow(whole, 10, &whole) ||
               __builtin_add_overflow(whole, digit, &whole)) {
      bad(text, fmt::format("{}: it is too large", expected));
    }
  }
  if (!digits) bad(text, expected);
  while (at < text.size() && text[at] == ' ') ++at;
  const std::string_view suffix = text.substr(at);
  std::uint64_t factor = bare;
  if (!suffix.empty()) {
    factor = 0;
    for (const Unit& unit : units) {
      if (unit.suffix == suffix) factor = unit.factor;
    }
    if (factor == 0) bad(text, expected);
  }
  const unsigned __int128 value = static_cast<unsigned __int128>(whole) * factor +
                                  static_cast<unsigned __int128>(numerator) * factor / denominator;
  if (value > ~std::uint64_t{0}) bad(text, fmt::format("{}: it is too large", expected));
  return static_cast<std::uint64_t>(value);
}

}  // namespace

std::uint64_t parse_size(std::string_view text, std::uint64_t bare_unit) {
  return parse_scaled(text, kSizeUnits, bare_unit, "a size such as 512M or 1G");
}

Time parse_duration(std::string_view text) {
  return parse_scaled(text, kTimeUnits, kPicosecondsPerSecond,
                      "a duration such as 10s, 200ms or 50us");
}

std::uint64_t parse_count(std::string_view text) {
  return parse_scaled(text, kCountUnits, 1, "a count such as 1000000, 250k or 4G");
}

std::uint64_t parse_address(std::string_view text) {
  const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  const std::string_view digits = hexadecimal ? text.substr(2) : text;
  std::uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, hexadecimal ? 16 : 10);
  if (error != std::errc{} || end != digits.data() + digits.size()) {
    bad(text, "an address such as 0x40080000");
  }
  return value;
}

unsigned parse_integer(std::string_view text, unsigned low, unsigned high, std::string_view what) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < low || value > high) {
    bad(text, low == high ? fmt::format("{}: it must be {}", what, low)
                          : fmt::format("{} from {} to {}", what, low, high));
  }
  return value;
}

std::string format_duration(Time time) {
  static constexpr std::array<std::pair<Time, std::string_view>, 4> kScales{
      {{kPicosecondsPerSecond, "s"}, {1'000'000'000, "ms"}, {1'000'000, "us"}, {1'000, "ns"}}};
  for (const auto& [scale, name] : kScales) {
    if (time >= scale) {
      const Time thousandths =
          static_cast<Time>(static_cast<unsigned __int128>(time) * 1000 / scale);
      return fmt::format("{}.{:03} {}", thousandths / 1000, thousandths % 1000, name);
    }
  }
  return fmt::format("{} ps", time);
}

std::string substitute(std::string_view text, const Environment& environment) {
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '$' || at + 1 == text.size()) {
      result += text[at];
      continue;
    }
    if (text[at + 1] == '$') {
      result += '$';
      ++at;
      continue;
    }
    if (text[at + 1] != '{') {
      result += '$';
      continue;
    }
    const std::size_t close = text.find('}', at);
    if (close == std::string_view::npos) {
      throw std::invalid_argument(fmt::format("'{}': '${{' without a closing '}}'", text));
    }
    std::string_view name = text.substr(at + 2, close - at - 2);
    std::optional<std::string_view> fallback;
    if (const std::size_t mark = name.find(":-"); mark != std::string_view::npos) {
      fallback = name.substr(mark + 2);
      name = name.substr(0, mark);
    }
    std::optional<std::string> value = environment(name);
    if (fallback && (!value || value->empty())) value = std::string(*fallback);
    if (!value) {
      throw std::invalid_argument(
          fmt::format("'{}': the environment has no {} and no default is given "
                      "(write ${{{}:-default}})",
                      text, name, name));
    }
    result += *value;
    at = close;
  }
  return result;
}

}  // namespace trapline
