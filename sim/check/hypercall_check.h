// Mistakes in Xen hypercalls, as they are made, whoever answers them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>

#include "sim/check/guest_tree.h"
#include "sim/cpu/cpu.h"
#include "sim/trace/finding.h"

namespace trapline {

inline constexpr std::uint16_t kXenHypercall = 0xea1;

/// A hypercall on its way: what the registers were at the HVC.
struct SeenHypercall {
  std::uint64_t number = 0;          ///< X16
  std::array<std::uint64_t, 5> x{};  ///< X0 to X4
  VirtAddr pc = 0;                   ///< Of the HVC.
  std::uint16_t vmid = 0;
  bool open = false;  ///< Its result is still to come.
};

/// Reports through `report`, with the kind and the text. The guest's memory is only looked at.
class HypercallCheck {
 public:
  using Report = std::function<void(FindingKind, std::string)>;

  /// At the HVC.
  static void begun(const SeenHypercall& call, Cpu& cpu, const GuestTree& tree,
                    const Report& report);
  /// Behind it; `result` is X0.
  static void ended(const SeenHypercall& call, std::int64_t result, Cpu& cpu, const Report& report);
};

}  // namespace trapline
