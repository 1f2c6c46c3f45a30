#include "sim/symbols/symbols.h"

#include <array>
#include <cstdio>

namespace trapline {
namespace {

std::optional<CodePlace> place_in(const SymbolFile& file, VirtAddr address) {
  const Function* function = file.function_at(address);
  const LineRow* row = file.line_at(address);
  if (!function && !row) return std::nullopt;
  CodePlace place;
  if (function) {
    place.function = function->name;
    place.offset = address - function->address;
  }
  if (row) {
    place.source = file.sources()[row->file];
    place.line = row->line;
  }
  return place;
}

/// The address that a segment was linked for, by where it was loaded.
std::optional<VirtAddr> linked_address(const SymbolFile& file, PhysAddr address) {
  for (const LoadRange& range : file.ranges()) {
    if (range.physical != range.virtual_address && address - range.physical < range.bytes) {
      return address - range.physical + range.virtual_address;
    }
  }
  return std::nullopt;
}

}  // namespace

std::string CodePlace::text() const {
  std::string text(function);
  if (!function.empty()) {
    std::array<char, 24> number{};
    std::snprintf(number.data(), number.size(), "+0x%llx", static_cast<unsigned long long>(offset));
    text += number.data();
  }
  if (source.empty()) return text;
  std::string where(source.substr(source.rfind('/') + 1));
  where += ':' + std::to_string(line);
  return text.empty() ? where : text + " (" + where + ')';
}

void Symbols::add(const SymbolSpec& spec) {
  entries_.push_back({spec, SymbolFile::load(spec.path)});
}

bool Symbols::add_if_any(const SymbolSpec& spec) {
  try {
    add(spec);
  } catch (const SymbolError&) {
    return false;
  }
  return true;
}

std::optional<CodePlace> Symbols::lookup(VirtAddr address, El el, std::uint16_t vmid) const {
  for (const bool as_loaded : {false, true}) {
    for (const Entry& entry : entries_) {
      if ((entry.spec.el && *entry.spec.el != el) ||
          (entry.spec.vmid && *entry.spec.vmid != vmid)) {
        continue;
      }
      VirtAddr linked = address - entry.spec.offset;
      if (as_loaded) {
        const std::optional<VirtAddr> found = linked_address(entry.file, linked);
        if (!found) continue;
        linked = *found;
      }
      if (auto place = place_in(entry.file, linked)) return place;
    }
  }
  return std::nullopt;
}

std::string Symbols::text(VirtAddr address, El el, std::uint16_t vmid) const {
  const auto place = lookup(address, el, vmid);
  return place ? place->text() : std::string{};
}

}  // namespace trapline
