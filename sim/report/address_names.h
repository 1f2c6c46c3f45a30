// What lies where in memory, by name: sections of images, nodes and domains of a device tree, the
// machine's memory map, and a user's own list.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/mpu/mpu_regions.h"
#include "sim/machine/machine_config.h"

namespace trapline {

/// A named range of addresses, both ends inclusive.
struct NamedRange {
  /// What is more specific comes first and wins.
  enum class Source : std::uint8_t { list, image, device_tree, machine };

  std::uint64_t first = 0, last = 0;
  std::string name;   ///< "xen .text", "GICD", "domU1 RAM".
  std::string owner;  ///< Image or domain it is of; empty for what is the machine's.
  Source source = Source::list;
};

class AddressNames {
 public:
  void add(NamedRange range);
  /// Lines "FIRST LAST NAME", hexadecimal, inclusive; "#" begins a comment. A name "OWNER: NAME" has
  /// an owner. Throws std::runtime_error naming `path` and the line.
  void add_list(std::string_view text, const std::string& path);
  /// The sections of an ELF file that occupy memory, under `label` and `offset` above where they were
  /// linked to be loaded; nothing if it is no ELF file.
  /// Throws ImageError if it cannot be read.
  void add_image(const std::string& path, const std::string& label, std::uint64_t offset = 0);
  /// Devices by their nodes (GICD and GICR for a GICv3, else the node's name), domains' memory and
  /// modules, and what else /chosen sets aside. Throws ImageError naming `path` for no device tree.
  void add_device_tree(std::span<const std::uint8_t> blob, const std::string& path);
  /// Memory and devices of the board. Nothing for a board without a table.
  void add_machine(std::string_view machine);

  /// What the inclusive range is or holds, in at most a few words; never empty.
  std::string name_of(std::uint64_t first, std::uint64_t last) const;
  /// Addresses around the range between which no named one begins or ends, nor the pages it lies in: any
  /// range of this size that touches neither end has the same name, unless it is an address. Empty
  /// (first > last) if there are none.
  AddressRange uniform_around(std::uint64_t first, std::uint64_t last) const;
  /// Whose it is: the owner of the widest named range that the range holds or lies in; else empty.
  std::string owner_of(std::uint64_t first, std::uint64_t last) const;

  const std::vector<NamedRange>& ranges() const { return ranges_; }

 private:
  bool holds_all_of(const std::string& owner, std::uint64_t first, std::uint64_t last) const;
  std::string name_from(NamedRange::Source source, std::uint64_t first, std::uint64_t last) const;

  std::vector<NamedRange> ranges_;  // Sorted by source, then by address.
};

/// "hypervisor" for "/a/hypervisor.elf", "xen" for "xen-syms".
std::string image_label(const std::string& path);

}  // namespace trapline
