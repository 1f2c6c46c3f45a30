// From a MachineConfig to the bytes in RAM and the registers of the first CPU.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/machine/boot_blob.h"
#include "sim/machine/image_error.h"
#include "sim/machine/machine_config.h"
#include "sim/machine/machine_type.h"

namespace trapline {

/// Everything that is done to a machine before its first instruction. A pure function of the
/// configuration and of the files it names.
struct BootPlan {
  std::vector<BootBlob> blobs;       ///< Written to RAM in this order; they never overlap.
  PhysAddr entry = 0;                ///< Where CPU 0 starts.
  std::optional<PhysAddr> secondary_entry;  ///< Where the others start; nothing: they are off.
  std::array<std::uint64_t, 4> x{};  ///< x0 to x3 at entry: the device tree's address, then zeros.
  unsigned entry_el = 2;             ///< 1 or 2.
  std::optional<PsciConduit> psci;  ///< How firmware is called, if there is any.
  PhysAddr dtb_address = 0;
  std::vector<std::uint8_t> dtb;  ///< The same bytes as in its blob.
  std::string layout;             ///< One line for each range taken, for logs.
};

/// The exception level at which the first CPU starts: the configuration's, or 2.
unsigned boot_el(const MachineConfig& config);

/// Checks the numbers in the configuration that no file is needed for. Throws ImageError.
void check_machine_config(const MachineConfig& config);

/// Throws ImageError, one line naming file and cause, if the files cannot be booted as asked.
BootPlan plan_boot(const MachineConfig& config);

/// The device tree that plan_boot would hand over; also without anything to boot.
std::vector<std::uint8_t> machine_dtb(const MachineConfig& config);

}  // namespace trapline
