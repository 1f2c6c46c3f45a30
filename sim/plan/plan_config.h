// What a plan is made for: the user's configuration, whichever file format it came in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/machine/memory_layout.h"
#include "sim/scenario/units.h"

namespace trapline::plan {

/// What an image file is, as far as its place in memory depends on it.
struct ImageFacts {
  std::uint64_t file_bytes = 0;      ///< Of memory, to hold it as it was loaded.
  std::uint64_t memory_bytes = 0;    ///< Of memory, for it to run.
  bool arm64_image = false;          ///< It runs from a multiple of 2 MiB.
  std::optional<PhysAddr> linked{};  ///< An ELF's lowest physical address; nothing for the others.
};

struct DomainConfig {
  std::string name;
  std::string kernel, ramdisk, passthrough;  ///< Paths; empty for none.
  std::string append;
  std::uint64_t memory = 0;              ///< Bytes.
  std::vector<MemoryRange> banks{};      ///< Its memory, if its addresses are given.
  std::optional<std::uint64_t> align{};  ///< Of its memory, if asked for.
  unsigned vcpus = 1;
  bool vpl011 = true;
  bool pmsa = false;                   ///< EL1 uses its MPU, not an MMU.
  bool relink = false;                 ///< Its ELF is going to be linked at the planned address.
  std::vector<std::string> devices{};  ///< Paths or names of nodes, or "BASE SIZE".
  std::string where;                   ///< "file:line:column" for messages.
};

struct PlanConfig {
  std::string path;
  std::string target = "xen-arm";
  std::string machine = "fvp-baser";
  std::string device_tree{};  ///< Path of the board's; empty: the machine's own.
  unsigned regions = 16;      ///< Of the EL2 MPU.
  std::string hypervisor{};   ///< Path of its image.
  std::string append{};       ///< Its command line.
  std::optional<PhysAddr> hypervisor_address{};
  bool relink = false;  ///< The hypervisor's ELF is going to be linked at the planned address.
  bool early_console = true;
  std::uint64_t heap = std::uint64_t{64} << 20;  ///< Bytes.
  std::optional<PhysAddr> heap_address{};
  std::optional<PhysAddr> device_tree_address{};  ///< Where the boot loader puts it.
  std::optional<PhysAddr> memory_start{},
      memory_end{};  ///< Of what may be used; the end exclusive.
  std::vector<MemoryRange> reserved{};
  std::vector<DomainConfig> domains{};
  std::vector<std::string> notes{};  ///< What of the file has no effect on a plan.
};

/// An ImageBuilder configuration, with MPU_* variables for what ImageBuilder has no words for
/// (docs/mpu-plan.md). Paths become relative to `path`'s folder. Throws ScenarioError.
PlanConfig read_imagebuilder(std::string_view text, const std::string& path);

/// The same as TOML (docs/mpu-plan.md). Throws ScenarioError.
PlanConfig read_plan_toml(std::string_view text, const std::string& path,
                          const Environment& environment);

/// Either, by the name of the file: TOML if it ends in ".toml".
PlanConfig read_plan_config(std::string_view text, const std::string& path,
                            const Environment& environment);

/// "BASE SIZE": two numbers, neither beyond 48 bits, the size not zero. Throws
/// std::invalid_argument.
MemoryRange parse_range(std::string_view text);
/// Any number of them.
std::vector<MemoryRange> parse_ranges(std::string_view text);

}  // namespace trapline::plan
