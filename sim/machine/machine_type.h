// The kinds of machine that there are, as far as each can be described without CPUs or a bus.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "sim/machine/device_tree.h"
#include "sim/machine/machine_config.h"
#include "sim/machine/memory_layout.h"

namespace trapline {

/// "Trapline repeats every run alike".
inline constexpr std::array<std::uint32_t, 8> kFixedRngSeed = {
    0x54726170, 0x6c696e65, 0x20726570, 0x65617473, 0x20657665, 0x72792072, 0x756e2061, 0x6c696b65};

/// How a guest reaches the firmware.
enum class PsciConduit : std::uint8_t { hvc, smc };

/// Memory that files can be loaded into.
struct MachineMemory {
  std::vector<MemoryRange> ram;    ///< What the device tree describes; files are placed here.
  std::vector<MemoryRange> other;  ///< ROM, flash and the like: for files with an address.
};

/// Where files go that bring no address of their own.
struct LoadPlaces {
  PhysAddr initrd = 0;
  PhysAddr flat = 0;  ///< A kernel that is a flat binary, which says nothing of itself.
  /// Of the device tree of a Linux-protocol image; nothing: behind the initrd, or in its place.
  std::optional<PhysAddr> dtb;
  /// With Secondaries::together: where all CPUs but one wait while a Linux-protocol image starts.
  std::optional<PhysAddr> spin_table;
};

/// How CPUs other than the first come to run.
enum class Secondaries : std::uint8_t {
  psci,      ///< They are off until PSCI CPU_ON.
  together,  ///< They leave reset together with the first one, at the same address.
};

class MachineType {
 public:
  virtual ~MachineType() = default;

  virtual std::string_view name() const = 0;
  virtual std::string_view summary() const = 0;  ///< One line for a list.
  virtual std::string_view default_cpu() const = 0;
  virtual std::uint64_t default_ram_bytes() const = 0;
  virtual unsigned uarts() const = 0;
  virtual Secondaries secondaries() const = 0;
  virtual bool secure() const = 0;  ///< CPUs are in Secure state, as Armv8-R64 always is.

  /// Checks what this machine can and cannot have. Throws ImageError.
  virtual void check(const MachineConfig& config) const = 0;
  virtual MachineMemory memory(const MachineConfig& config) const = 0;
  /// The generated device tree, without command line or initrd.
  virtual DeviceTree tree(const MachineConfig& config) const = 0;
  /// How firmware is called on a machine with this tree; nothing where there is none.
  virtual std::optional<PsciConduit> psci(const MachineConfig& config,
                                          const DeviceTree& tree) const = 0;
  /// `ram` as the device tree describes it.
  virtual LoadPlaces places(const std::vector<MemoryRange>& ram) const = 0;
};

/// All of them, the default first.
std::span<const MachineType* const> machine_types();
/// Throws ImageError naming those that there are.
const MachineType& machine_type(std::string_view name);

// What a configuration says, or the machine's default where it says nothing.
std::uint64_t ram_bytes_of(const MachineConfig& config);
std::string cpu_of(const MachineConfig& config);

/// UARTs of the machine: where it has domains, the console of each.
unsigned uarts_of(const MachineConfig& config);
/// CPUs, or those of all domains.
unsigned cpus_of(const MachineConfig& config);

/// Regions of the MPUs of each CPU.
struct MpuSizes {
  unsigned el1;
  unsigned el2;
};
/// Nothing for CPUs that have no MPU. Throws ImageError if the configuration gives them some.
std::optional<MpuSizes> mpu_of(const MachineConfig& config);

}  // namespace trapline
