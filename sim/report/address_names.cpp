#include "sim/report/address_names.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <stdexcept>

#include "models/mpu/mpu_regions.h"
#include "sim/machine/fvp_baser.h"

namespace trapline {
namespace {

constexpr std::uint64_t kPageMask = 0xfff;  // Software maps whole pages of what it names.
constexpr std::size_t kMostJoined = 3;

/// How much two inclusive ranges are one: shared bytes by bytes of both, from 0 to 1.
double fit(std::uint64_t first, std::uint64_t last, std::uint64_t a, std::uint64_t b) {
  if (std::max(first, a) > std::min(last, b)) return 0;
  const auto size = [](std::uint64_t from, std::uint64_t to) {
    return static_cast<double>(to - from) + 1;
  };
  return size(std::max(first, a), std::min(last, b)) / size(std::min(first, a), std::max(last, b));
}

/// They share addresses, and `range` is not merely what the other lies in.
bool joins(const NamedRange& range, std::uint64_t first, std::uint64_t last) {
  if (std::max(first, range.first) > std::min(last, range.last)) return false;
  return range.first > first || range.last < last || (range.first == first && range.last == last);
}

std::optional<std::uint64_t> hexadecimal(std::string_view text) {
  if (text.starts_with("0x")) text.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view take_word(std::string_view& line) {
  const std::size_t begin = std::min(line.find_first_not_of(" \t"), line.size());
  const std::size_t end = std::min(line.find_first_of(" \t", begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t\r"), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(" \t\r") + 1);
}

std::string machine_name(const FvpRegion& region) {
  switch (region.part) {
    case FvpPart::dram:
    case FvpPart::high_dram:
      return "RAM";
    case FvpPart::gicd:
      return "GICD";
    case FvpPart::gicr:
      return "GICR";
    case FvpPart::uart0:
    case FvpPart::uart1:
    case FvpPart::uart2:
    case FvpPart::uart3:
      return fmt::format("UART {}",
                         static_cast<int>(region.part) - static_cast<int>(FvpPart::uart0));
    default:
      return std::string(region.name);
  }
}

}  // namespace

std::string image_label(const std::string& path) {
  std::string label = path.substr(path.rfind('/') + 1);
  if (const std::size_t dot = label.rfind('.'); dot != std::string::npos && dot != 0) {
    label.resize(dot);
  }
  constexpr std::string_view kWithSymbols = "-syms";  // What Xen's build calls its ELF file.
  if (label.size() > kWithSymbols.size() && label.ends_with(kWithSymbols)) {
    label.resize(label.size() - kWithSymbols.size());
  }
  return label;
}

void AddressNames::add(NamedRange range) {
  const auto before = [](const NamedRange& a, const NamedRange& b) {
    return std::pair(a.source, a.first) < std::pair(b.source, b.first);
  };
  ranges_.insert(std::upper_bound(ranges_.begin(), ranges_.end(), range, before),
                 std::move(range));
}

void AddressNames::add_list(std::string_view text, const std::string& path) {
  unsigned number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = trimmed(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    const auto first = hexadecimal(take_word(line)), last = hexadecimal(take_word(line));
    const std::string_view name = trimmed(line);
    if (!first || !last || *first > *last || name.empty()) {
      throw std::runtime_error(
          fmt::format("{}:{}: expected FIRST LAST NAME, addresses in hexadecimal", path, number));
    }
    const std::size_t colon = name.find(": ");
    NamedRange range{*first, *last, std::string(name), {}, NamedRange::Source::list};
    if (colon != std::string_view::npos) {
      range.owner = trimmed(name.substr(0, colon));
      range.name = range.owner + ' ' + std::string(trimmed(name.substr(colon + 1)));
    }
    add(std::move(range));
  }
}

void AddressNames::add_machine(std::string_view machine) {
  if (machine != "fvp-baser") return;
  for (const FvpRegion& region : fvp_map()) {
    add({region.base, region.base + region.size - 1, machine_name(region), {},
         NamedRange::Source::machine});
  }
}

/// The names of one source's ranges that the range shares addresses with, in order.
std::string AddressNames::name_from(NamedRange::Source source, std::uint64_t first,
                                    std::uint64_t last) const {
  std::string text, owner;
  std::size_t count = 0;
  for (const NamedRange& range : ranges_) {
    if (range.source != source || !joins(range, first, last)) continue;
    if (++count > kMostJoined) continue;
    std::string_view name = range.name;
    if (!owner.empty() && range.owner == owner && name.starts_with(owner + ' ')) {
      name.remove_prefix(owner.size() + 1);
    }
    if (count > 1) text += ", ";
    text += name;
    owner = range.owner;
  }
  if (count > kMostJoined) text += fmt::format(" and {} more", count - kMostJoined);
  return text;
}

std::string AddressNames::name_of(std::uint64_t first, std::uint64_t last) const {
  using Source = NamedRange::Source;
  constexpr double kMostlyTheSame = 0.49;  // Software takes whole pages, and a little more.
  // A range that is this one but for the rest of its last page, or ranges that together are.
  const NamedRange* same = nullptr;
  double best = kMostlyTheSame;
  const NamedRange* around = nullptr;  // The smallest that holds it.
  std::array<AddressRange, 4> joined;  // By source.
  joined.fill({~0ull, 0});
  for (const NamedRange& range : ranges_) {
    if (std::max(first, range.first) > std::min(last, range.last)) continue;
    const AddressRange pages{range.first & ~kPageMask, range.last | kPageMask};
    const double how_much = fit(first, last, pages.first, pages.last);
    if (how_much > best) {
      best = how_much;
      same = &range;
    }
    if (range.first <= first && last <= range.last &&
        (!around || range.last - range.first < around->last - around->first)) {
      around = &range;
    }
    if (!joins(range, first, last)) continue;
    AddressRange& all = joined[static_cast<std::size_t>(range.source)];
    all = {std::min(all.first, pages.first), std::max(all.last, pages.last)};
  }
  constexpr std::array kSources{Source::list, Source::image, Source::device_tree, Source::machine};
  for (const Source source : kSources) {
    const AddressRange& all = joined[static_cast<std::size_t>(source)];
    constexpr double kBetter = 1.02;  // One name is better than several that fit as well.
    if (all.first <= all.last && fit(first, last, all.first, all.last) > best * kBetter) {
      return name_from(source, first, last);
    }
  }
  if (same) return same->name;
  if (const std::string owner = owner_of(first, last); holds_all_of(owner, first, last)) {
    return owner + " RAM";
  }
  // It begins with something that has a name.
  for (const NamedRange& range : ranges_) {
    if (range.first == first && range.last < last) return range.name;
  }
  if (around) return around->name + " (part)";
  for (const Source source : kSources) {
    std::string name = name_from(source, first, last);
    if (!name.empty()) return name;
  }
  return fmt::format("{:#x}", first);
}

bool AddressNames::holds_all_of(const std::string& owner, std::uint64_t first,
                                std::uint64_t last) const {
  return !owner.empty() && std::all_of(ranges_.begin(), ranges_.end(), [&](const NamedRange& range) {
    return range.owner != owner || (first <= range.first && range.last <= last);
  });
}

AddressRange AddressNames::uniform_around(std::uint64_t first, std::uint64_t last) const {
  AddressRange around{0, ~0ull};
  bool held = false;
  for (const NamedRange& range : ranges_) {
    held |= range.first <= first && last <= range.last;
    for (const std::uint64_t edge : {range.first & ~kPageMask, range.first, range.last,
                                     range.last | kPageMask}) {
      if (edge < first) {
        around.first = std::max(around.first, edge);
      } else if (edge > last) {
        around.last = std::min(around.last, edge);
      } else {
        return {1, 0};
      }
    }
  }
  return held ? around : AddressRange{1, 0};
}

std::string AddressNames::owner_of(std::uint64_t first, std::uint64_t last) const {
  const NamedRange* found = nullptr;
  for (const NamedRange& range : ranges_) {
    if (range.owner.empty()) continue;
    const bool inside = first <= range.first && range.last <= last;
    const bool around = range.first <= first && last <= range.last;
    if (!inside && !around) continue;
    if (!found || range.last - range.first > found->last - found->first) found = &range;
  }
  return found ? found->owner : std::string();
}

}  // namespace trapline
