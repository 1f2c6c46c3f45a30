// What a guest's device tree gives it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/arch/types.h"

namespace trapline {

struct GivenRange {
  PhysAddr base = 0;
  std::uint64_t bytes = 0;
  bool contains(PhysAddr address) const { return address - base < bytes; }
};

/// Addresses that a flattened device tree names, translated to the root (Devicetree Specification
/// 2.3.6, 2.3.8). A tree that is none gives nothing.
class GuestTree {
 public:
  GuestTree() = default;
  explicit GuestTree(std::span<const std::uint8_t> blob);

  bool valid() const { return valid_; }
  /// Some node's `reg` or `ranges` has it.
  bool gives(PhysAddr address) const { return in(given_, address); }
  /// An interrupt controller's.
  bool is_interrupt_controller(PhysAddr address) const { return in(controllers_, address); }
  const std::vector<GivenRange>& controllers() const { return controllers_; }
  /// /chosen's linux,initrd-start and -end; empty: none.
  GivenRange initrd() const { return initrd_; }
  /// Offsets of what a guest may erase once it has read it: seeds of random numbers.
  const std::vector<GivenRange>& erasable() const { return erasable_; }

 private:
  static bool in(const std::vector<GivenRange>& ranges, PhysAddr address);
  void add_node(const void* tree, int node);
  void add_chosen(const void* tree);

  bool valid_ = false;
  std::vector<GivenRange> given_, controllers_, erasable_;
  GivenRange initrd_;
};

}  // namespace trapline
