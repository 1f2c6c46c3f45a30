#include "sim/check/guest_tree.h"

#include <libfdt.h>

#include <algorithm>
#include <cstring>

namespace trapline {
namespace {

constexpr int kMostDepth = 16;

/// `cells` big-endian words; the low 64 bits of them.
std::uint64_t number(const std::uint8_t* at, int cells) {
  std::uint64_t value = 0;
  for (int n = 0; n < cells * 4; ++n) value = value << 8 | at[n];
  return value;
}

/// An address of `node`'s bus as the root sees it, by the `ranges` on the way. Nothing where a bus
/// on the way has none, or does not have the address.
bool to_root(const void* tree, int bus, std::uint64_t& address) {
  for (int depth = 0; depth < kMostDepth; ++depth) {
    const int parent = fdt_parent_offset(tree, bus);
    if (parent < 0) return true;  // `bus` is the root.
    int bytes = 0;
    const auto* ranges = static_cast<const std::uint8_t*>(fdt_getprop(tree, bus, "ranges", &bytes));
    if (!ranges) return false;
    if (bytes != 0) {
      const int here = fdt_address_cells(tree, bus), up = fdt_address_cells(tree, parent),
                size = fdt_size_cells(tree, bus);
      if (here < 1 || up < 1 || size < 1) return false;
      const int row = (here + up + size) * 4;
      bool found = false;
      for (int at = 0; at + row <= bytes && !found; at += row) {
        const std::uint64_t base = number(ranges + at, here);
        if (address - base >= number(ranges + at + (here + up) * 4, size)) continue;
        address = address - base + number(ranges + at + here * 4, up);
        found = true;
      }
      if (!found) return false;
    }
    bus = parent;
  }
  return false;
}

}  // namespace

bool GuestTree::in(const std::vector<GivenRange>& ranges, PhysAddr address) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const GivenRange& range) { return range.contains(address); });
}

GuestTree::GuestTree(std::span<const std::uint8_t> blob) {
  if (fdt_check_full(blob.data(), blob.size()) != 0) return;
  valid_ = true;
  const void* tree = blob.data();
  for (int node = 0; node >= 0; node = fdt_next_node(tree, node, nullptr)) add_node(tree, node);
  add_chosen(tree);
}

void GuestTree::add_node(const void* tree, int node) {
  const int parent = fdt_parent_offset(tree, node);
  if (parent < 0) return;
  const bool controller = fdt_getprop(tree, node, "interrupt-controller", nullptr) != nullptr;
  const auto add = [&](const char* property, int bus, int skip) {
    const int cells = fdt_address_cells(tree, bus), size_cells = fdt_size_cells(tree, bus);
    if (cells < 1 || size_cells < 1) return;
    int bytes = 0;
    const auto* list = static_cast<const std::uint8_t*>(fdt_getprop(tree, node, property, &bytes));
    if (!list) return;
    const int row = (cells + skip + size_cells) * 4;
    for (int at = 0; at + row <= bytes; at += row) {
      GivenRange range{number(list + at + skip * 4, cells),
                       number(list + at + (skip + cells) * 4, size_cells)};
      if (range.bytes == 0 || !to_root(tree, bus, range.base)) continue;
      given_.push_back(range);
      if (controller) controllers_.push_back(range);
    }
  };
  add("reg", parent, 0);
  // What a bridge passes on, a PCI host's windows among it.
  int bytes = 0;
  const auto* ranges = static_cast<const std::uint8_t*>(fdt_getprop(tree, node, "ranges", &bytes));
  const int child = fdt_address_cells(tree, node), up = fdt_address_cells(tree, parent),
            size = fdt_size_cells(tree, node);
  if (!ranges || child < 1 || up < 1 || size < 1) return;
  const int row = (child + up + size) * 4;
  for (int at = 0; at + row <= bytes; at += row) {
    GivenRange range{number(ranges + at + child * 4, up),
                     number(ranges + at + (child + up) * 4, size)};
    if (range.bytes != 0 && to_root(tree, parent, range.base)) given_.push_back(range);
  }
}

void GuestTree::add_chosen(const void* tree) {
  const int chosen = fdt_path_offset(tree, "/chosen");
  if (chosen < 0) return;
  const auto value = [&](const char* name, std::uint64_t& out) {
    int bytes = 0;
    const auto* at = static_cast<const std::uint8_t*>(fdt_getprop(tree, chosen, name, &bytes));
    if (!at || (bytes != 4 && bytes != 8)) return false;
    out = number(at, bytes / 4);
    return true;
  };
  std::uint64_t first = 0, end = 0;
  if (value("linux,initrd-start", first) && value("linux,initrd-end", end) && first < end) {
    initrd_ = {first, end - first};
  }
  for (const char* name : {"kaslr-seed", "rng-seed"}) {
    int bytes = 0;
    const auto* at = static_cast<const std::uint8_t*>(fdt_getprop(tree, chosen, name, &bytes));
    // The property's token, length and name lie before its value.
    if (at) {
      const auto offset = static_cast<std::uint64_t>(at - static_cast<const std::uint8_t*>(tree));
      erasable_.push_back({offset - 12, static_cast<std::uint64_t>(bytes) + 12 + 4});
    }
  }
}

}  // namespace trapline
