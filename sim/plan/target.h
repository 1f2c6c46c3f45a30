// What each hypervisor that a plan can be made for must map, and when.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/plan/board.h"
#include "sim/plan/layout_conflict.h"
#include "sim/plan/plan_config.h"

namespace trapline::plan {

/// A target is a hypervisor as somebody built it: its rules are those of its sources.
enum class Target : std::uint8_t {
  xen_arm,       ///< The earlier Arm port of Xen (xen/arch/arm_mpu).
  xen_upstream,  ///< Upstream Xen's MPU port.
  r82,           ///< guests/r82/hypervisor.
  layer,         ///< The simulator itself: domains with no hypervisor image.
};

struct TargetFacts {
  Target target;
  std::string_view name;
  std::string_view summary;
  std::uint64_t granule;  ///< Regions are whole multiples of it at multiples of it.
};
std::span<const TargetFacts> targets();
constexpr bool is_xen(Target target) {
  return target == Target::xen_arm || target == Target::xen_upstream;
}
/// Throws ScenarioError, listing those there are.
const TargetFacts& target_named(std::string_view name);

/// What occupies slots of one context, in the order in which the target writes them.
struct SlotRow {
  std::string name;        ///< Of its one slot, if no group is behind it.
  std::string attributes;  ///< As the target programs them.
  std::optional<unsigned> group{};
};

/// A device of a domain.
struct DomainDevice {
  std::string path;  ///< Of its node; empty if it was given by its address.
  std::vector<MemoryRange> reg;
  std::vector<unsigned> pieces;
};

struct DomainParts {
  std::vector<unsigned> ram;  ///< Pieces.
  std::optional<unsigned> kernel{}, ramdisk{}, passthrough{};
  std::vector<DomainDevice> devices{};
  unsigned context = 0;  ///< The one in which it runs; 0 if the target has none.
};

/// The layout problem of a configuration, and what its parts mean.
struct Assembly {
  LayoutProblem problem;
  std::vector<Constraint> constraints;
  std::vector<std::vector<SlotRow>> slots;  ///< Of each context.
  // Pieces. The simulator's layer has no image.
  std::optional<unsigned> hypervisor{}, device_tree{}, heap{};
  std::vector<DomainParts> domains{};
  // Groups that become section properties.
  std::optional<unsigned> guest_section{}, device_section{}, boot_section{};
  MemoryRange console{};  ///< The registers of the hypervisor's UART.
};

/// Reads a file's facts; `role` opens the message of the error if that cannot be done.
using ImageReader = std::function<ImageFacts(const std::string& path, const std::string& role)>;

/// Throws ScenarioError for a configuration that contradicts itself, the board or the target's
/// rules.
Assembly assemble(const PlanConfig& config, const Board& board, const TargetFacts& target,
                  const ImageReader& images);

}  // namespace trapline::plan
