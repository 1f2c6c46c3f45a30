// Flattened device trees: made, checked and edited through libfdt.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/machine/memory_layout.h"

namespace trapline {

/// One device tree in memory, edited by node path ("/chosen", "/cpus/cpu@0"). It grows as needed.
class DeviceTree {
 public:
  /// A tree with a root node and nothing else.
  DeviceTree();

  /// Takes over a user's file. Throws ImageError naming `path` if it is not a device tree, is
  /// truncated, or fails libfdt's full structure check.
  static DeviceTree parse(std::span<const std::uint8_t> bytes, const std::string& path);

  bool has_node(const std::string& path) const;
  /// Makes the node, and its parents where they are missing, if it is not there. A new node becomes
  /// its parent's **first** child (as everywhere in libfdt), so add siblings in reverse.
  void add_node(const std::string& path);
  /// Removes a node with everything below it, or does nothing.
  void remove_node(const std::string& path);

  // Each sets one property of an existing node, replacing what it was.
  void set_empty(const std::string& path, const char* property);
  void set_cells(const std::string& path, const char* property,
                 std::span<const std::uint32_t> cells);
  void set_cells(const std::string& path, const char* property,
                 std::initializer_list<std::uint32_t> cells);
  /// A 64-bit number as two cells each, the high half first.
  void set_u64s(const std::string& path, const char* property,
                std::initializer_list<std::uint64_t> values);
  void set_string(const std::string& path, const char* property, const std::string& value);
  void set_strings(const std::string& path, const char* property,
                   std::initializer_list<std::string_view> values);
  void set_bytes(const std::string& path, const char* property,
                 std::span<const std::uint8_t> bytes);
  void remove_property(const std::string& path, const char* property);
  /// Adds to the memory reservation block: memory that a kernel must leave alone.
  void reserve(const MemoryRange& range);

  std::optional<std::string> string(const std::string& path, const char* property) const;
  std::optional<std::uint32_t> u32(const std::string& path, const char* property) const;

  /// What the tree's memory nodes cover, sorted; empty if there is none. Throws ImageError if a
  /// memory node's `reg` does not fit the root's cell counts.
  std::vector<MemoryRange> memory() const;

  /// The flattened tree, with `slack` spare bytes for software that edits it in place.
  std::vector<std::uint8_t> bytes(std::size_t slack = 0) const;

 private:
  int node_offset(const std::string& path) const;
  void set_raw(const std::string& path, const char* property, const void* data, std::size_t size);
  void grow();
  template <typename Edit>
  int edit(const char* what, const std::string& path, Edit&& action);

  std::vector<std::uint8_t> blob_;
  std::string file_;
};

/// Writes what a Linux-protocol kernel reads from /chosen: command line and initrd.
void write_chosen(DeviceTree& tree, const std::string& bootargs,
                  const std::optional<MemoryRange>& initrd);

/// The rules that a user's device tree must meet before a machine with these banks of RAM can be
/// booted by it: at least one memory node, and every range of it inside RAM. Returns the memory it
/// describes. Throws ImageError naming `path`.
std::vector<MemoryRange> check_dtb_memory(const DeviceTree& tree,
                                          const std::vector<MemoryRange>& ram,
                                          const std::string& path);

}  // namespace trapline
