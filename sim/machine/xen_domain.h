// A Xen domain as a machine of its own: what a guest finds where Xen has put it.
#pragma once

#include <string>
#include <vector>

#include "sim/arch/types.h"
#include "sim/machine/device_tree.h"
#include "sim/machine/machine_config.h"
#include "sim/machine/machine_type.h"

namespace trapline {

/// Where Xen puts things in every guest (public/arch-arm.h, GUEST_*).
namespace xen_guest {
inline constexpr PhysAddr kGicdBase = 0x03001000;
inline constexpr std::uint64_t kGicdBytes = 0x1000;  ///< Of GICv2.
inline constexpr PhysAddr kGiccBase = 0x03002000;
inline constexpr std::uint64_t kGiccBytes = 0x2000;
inline constexpr std::uint64_t kGicv3DistributorBytes = 0x10000;
inline constexpr PhysAddr kGicrBase = 0x03020000;
inline constexpr std::uint64_t kGicrBytes = 0x01000000;
inline constexpr PhysAddr kUartBase = 0x22000000;
inline constexpr std::uint64_t kUartBytes = 0x1000;
inline constexpr PhysAddr kGrantTableBase = 0x38000000;
inline constexpr std::uint64_t kGrantTableBytes = 0x01000000;
inline constexpr PhysAddr kMagicBase = 0x39000000;
inline constexpr unsigned kMagicPages = 4;  ///< Console, xenstore, memory access, vUART.
inline constexpr PhysAddr kRam0Base = 0x40000000;
inline constexpr std::uint64_t kRam0Bytes = 0xc0000000;
inline constexpr PhysAddr kRam1Base = 0x200000000;

// Interrupts, as INTIDs.
inline constexpr unsigned kTimerVirtual = 27;
inline constexpr unsigned kTimerSecure = 29;
inline constexpr unsigned kTimerPhysical = 30;
inline constexpr unsigned kEventChannel = 31;
inline constexpr unsigned kUart = 32;
inline constexpr unsigned kSpis = 32;

/// Bytes of RAM of a domain that asks for none.
inline constexpr std::uint64_t kDefaultRam = 256ull << 20;
}  // namespace xen_guest

/// What a domain of an MPU machine gives of its memory for rings and grant table, if it has any.
inline constexpr std::uint64_t kMpuPvBytes = 1ull << 20;

/// The type that `MachineConfig::machine` names for one domain. It is not one that a user can ask
/// for.
inline constexpr std::string_view kXenDomain = "xen-domain";
const MachineType& xen_domain_machine();

/// One domain of a machine that has domains, as the configuration of a machine of its own.
MachineConfig domain_config(const MachineConfig& machine, const DomainSpec& domain);

/// Checks the domains of a machine against one another and against the machine. Throws ImageError,
/// MpuRegionsError (mpu_layer_plan.h) if nothing else is wrong than that the part has too few
/// regions.
void check_domains(const MachineConfig& machine);

}  // namespace trapline
