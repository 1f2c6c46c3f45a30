#include "sim/machine/memory_layout.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "sim/machine/image_error.h"

namespace trapline {
namespace {

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;

std::string ram_text(const std::vector<MemoryRange>& ram, const std::vector<MemoryRange>& other) {
  std::string text;
  for (const auto* ranges : {&ram, &other}) {
    for (const MemoryRange& bank : *ranges) text += (text.empty() ? "" : ", ") + to_string(bank);
  }
  return text;
}

std::uint64_t align_up(std::uint64_t value, std::uint64_t align) {
  return (value + align - 1) & ~(align - 1);
}

}  // namespace

std::string to_string(const MemoryRange& range) {
  char text[48];
  std::snprintf(text, sizeof text, "0x%llx-0x%llx", static_cast<unsigned long long>(range.base),
                static_cast<unsigned long long>(range.size == 0 ? range.base : range.end() - 1));
  return text;
}

std::string size_text(std::uint64_t bytes) {
  if (bytes >= kMiB) return std::to_string((bytes + kMiB - 1) / kMiB) + " MiB";
  if (bytes >= kKiB) return std::to_string((bytes + kKiB - 1) / kKiB) + " KiB";
  return std::to_string(bytes) + " bytes";
}

MemoryLayout::MemoryLayout(std::vector<MemoryRange> ram, std::vector<MemoryRange> other)
    : ram_(std::move(ram)), other_(std::move(other)) {}

void MemoryLayout::claim(const LayoutItem& item, const MemoryRange& range) {
  if (range.size == 0) return;
  if (!is_memory(range)) {
    throw ImageError(
        item.path,
        item.role + " at " + to_string(range) + " is outside RAM (" + ram_text(ram_, other_) + ")",
        "place it inside RAM or give the machine more with -m");
  }
  if (const Claim* other = overlapping(range)) {
    throw ImageError(item.path,
                     item.role + " at " + to_string(range) + " overlaps " + other->item.text() +
                         " at " + to_string(other->range),
                     "move one of the two");
  }
  insert(item, range);
}

PhysAddr MemoryLayout::place(const LayoutItem& item, std::uint64_t size, std::uint64_t align,
                             PhysAddr from, std::uint64_t offset) {
  MemoryRange range{0, size};
  if (!find_gap(range, align, offset, from) && !find_gap(range, align, offset, 0)) {
    const std::uint64_t need = align_up(size, align) + claimed_bytes(align);
    throw ImageError(item.path,
                     "RAM too small: no room for " + item.role + " (" + size_text(size) + ") in " +
                         size_text(ram_bytes()) + " of RAM",
                     "all that is to be loaded needs at least " + size_text(need) +
                         "; raise -m well above that");
  }
  insert(item, range);
  return range.base;
}

bool MemoryLayout::is_free(const MemoryRange& range) const {
  return in_ram(range) && overlapping(range) == nullptr;
}

bool MemoryLayout::is_memory(const MemoryRange& range) const {
  return in_ram(range) ||
         std::any_of(other_.begin(), other_.end(),
                     [&](const MemoryRange& bank) { return bank.contains(range); });
}

std::uint64_t MemoryLayout::ram_bytes() const {
  std::uint64_t bytes = 0;
  for (const MemoryRange& bank : ram_) bytes += bank.size;
  return bytes;
}

std::uint64_t MemoryLayout::claimed_bytes(std::uint64_t align) const {
  std::uint64_t bytes = 0;
  for (const Claim& claim : claims_) bytes += align_up(claim.range.size, align);
  return bytes;
}

std::string MemoryLayout::describe() const {
  std::string text;
  for (const Claim& claim : claims_) {
    text += to_string(claim.range) + " " + claim.item.text() + "\n";
  }
  return text;
}

bool MemoryLayout::in_ram(const MemoryRange& range) const {
  return std::any_of(ram_.begin(), ram_.end(),
                     [&](const MemoryRange& bank) { return bank.contains(range); });
}

const MemoryLayout::Claim* MemoryLayout::overlapping(const MemoryRange& range) const {
  for (const Claim& claim : claims_) {
    if (claim.range.overlaps(range)) return &claim;
  }
  return nullptr;
}

bool MemoryLayout::find_gap(MemoryRange& range, std::uint64_t align, std::uint64_t offset,
                            PhysAddr from) const {
  for (const MemoryRange& bank : ram_) {
    if (bank.end() <= from) continue;
    PhysAddr lowest = std::max(bank.base, from);
    while (true) {
      const PhysAddr below = lowest > offset ? lowest - offset : 0;
      range.base = align_up(below, align) + offset;
      if (range.base < lowest || !bank.contains(range)) break;
      const Claim* other = overlapping(range);
      if (other == nullptr) return true;
      lowest = other->range.end();
    }
  }
  return false;
}

void MemoryLayout::insert(const LayoutItem& item, const MemoryRange& range) {
  if (range.size == 0) return;
  const auto at = std::find_if(claims_.begin(), claims_.end(),
                               [&](const Claim& claim) { return claim.range.base > range.base; });
  claims_.insert(at, Claim{item, range});
}

}  // namespace trapline
