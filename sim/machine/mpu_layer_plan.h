// What the hypervisor layer maps by the EL2 MPU of an MPU machine: for itself, and for each domain.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/arch/types.h"
#include "sim/machine/image_error.h"
#include "sim/machine/machine_config.h"

namespace trapline {

struct MpuLayerRegion {
  enum class Use : std::uint8_t { code, read_only, data, device, guest_memory, guest_device };

  std::string_view name;
  MemoryRange range;
  Use use;

  bool operator==(const MpuLayerRegion&) const = default;
};

/// The layer's own on fvp-baser, in the first slots whoever runs: what the earlier Arm port of Xen
/// (xen/arch/arm_mpu) has there in a domain.
std::span<const MpuLayerRegion> mpu_layer_regions();
/// Where the layer itself would lie on fvp-baser: no domain may have any of it.
inline constexpr MemoryRange kMpuLayerMemory{0x7f000000, 0x01000000};

/// Those of a domain, in the slots behind, in that port's order: the GIC and the UART that would be
/// emulated, which trap the guest; its memory, in as few ranges as that is made of; and the UART of
/// the board that is its own.
std::vector<MpuLayerRegion> mpu_domain_regions(const DomainMap& map);

/// Distributor and redistributors.
MemoryRange mpu_vgic_range();

/// What a CPU's EL2 MPU holds while the domain runs there.
struct MpuLayerPlan {
  std::vector<MpuLayerRegion> domain{};
  bool vmsa = false;  ///< The domain uses VMSAv8-64 at EL1.
  std::uint16_t vmid = 0;

  static unsigned fixed() { return static_cast<unsigned>(mpu_layer_regions().size()); }
  unsigned regions() const { return fixed() + static_cast<unsigned>(domain.size()); }
};

/// Cycles that each MPU register takes that a switch reads or writes; not calibrated.
inline constexpr std::uint64_t kCyclesPerMpuRegister = 4;
/// Registers that a region takes: PRSELR, PRBAR and PRLAR.
inline constexpr unsigned kRegistersPerMpuRegion = 3;
/// To disable one: PRSELR and PRLAR.
inline constexpr unsigned kRegistersPerDisabledRegion = 2;

/// A domain needs more regions than there are.
class MpuRegionsError : public ImageError {
 public:
  /// In what() of each, and of no other.
  static constexpr std::string_view kNeeds = " EL2 MPU regions are needed";

  using ImageError::ImageError;
};

}  // namespace trapline
