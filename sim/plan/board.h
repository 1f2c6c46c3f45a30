// What a plan must know of a board, from its device tree.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/machine/memory_layout.h"

namespace trapline::plan {

struct BoardDevice {
  std::string path;                                      ///< Of its node.
  std::vector<MemoryRange> reg;                          ///< As the CPU sees it.
  std::vector<std::uint8_t> compatible{}, interrupts{};  ///< Properties, as they are.
};

struct Board {
  std::vector<MemoryRange> memory;  ///< Sorted, apart.
  std::vector<BoardDevice> devices;
  std::vector<std::string> aliases;  ///< "name=path".
  MemoryRange gicd;
  std::vector<MemoryRange> gicr;
  std::string console;  ///< Path of the node that /chosen's stdout-path names.
  unsigned cpus = 0;
  std::vector<PhysAddr> release_addresses;  ///< Of CPUs that wait in a spin-table.
  bool psci = false;

  /// By path, alias or node name. Null if there is none; throws ScenarioError if several nodes have
  /// the name.
  const BoardDevice* find(std::string_view name) const;
};

/// Throws ScenarioError, naming `path`, for a blob that is no device tree, and for one without
/// memory, GICv3 or console.
Board read_board(std::span<const std::uint8_t> blob, const std::string& path);

}  // namespace trapline::plan
