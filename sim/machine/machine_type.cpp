#include "sim/machine/machine_type.h"

#include <algorithm>
#include <array>

#include "sim/machine/fvp_baser.h"
#include "sim/machine/image_error.h"
#include "sim/machine/virt_board.h"
#include "sim/machine/xen_domain.h"

namespace trapline {
namespace {

constexpr unsigned kMpuRegions = 16;      // Where the configuration does not say.
constexpr unsigned kMaxMpuRegions = 255;  // MPUIR_ELx.REGION.

}  // namespace

std::span<const MachineType* const> machine_types() {
  static const std::array<const MachineType*, 2> types{&virt_machine(), &fvp_baser_machine()};
  return types;
}

const MachineType& machine_type(std::string_view name) {
  if (name == kXenDomain) return xen_domain_machine();
  std::string known;
  for (const MachineType* type : machine_types()) {
    if (type->name() == name) return *type;
    known += (known.empty() ? "" : ", ") + std::string(type->name());
  }
  throw ImageError("", "unknown machine \"" + std::string(name) + "\"", "there are: " + known);
}

std::uint64_t ram_bytes_of(const MachineConfig& config) {
  return config.ram_bytes.value_or(machine_type(config.machine).default_ram_bytes());
}

std::string cpu_of(const MachineConfig& config) {
  if (!config.cpu.empty()) return config.cpu;
  return std::string(machine_type(config.machine).default_cpu());
}

unsigned uarts_of(const MachineConfig& config) {
  return config.domains.empty() ? machine_type(config.machine).uarts()
                                : static_cast<unsigned>(config.domains.size());
}

unsigned cpus_of(const MachineConfig& config) {
  if (config.domains.empty()) return config.cpus;
  unsigned cpus = 0;
  for (const DomainSpec& domain : config.domains) cpus += std::max(domain.vcpus, 1u);
  return cpus;
}

std::optional<MpuSizes> mpu_of(const MachineConfig& config) {
  if (cpu_of(config) != "cortex-r82") {
    if (!config.mpu_el1_regions && !config.mpu_el2_regions && config.vmsa_at_el1) {
      return std::nullopt;
    }
    throw ImageError("", cpu_of(config) + " has no MPU", "leave out --mpu-regions and --vmsa");
  }
  const MpuSizes sizes{config.mpu_el1_regions.value_or(kMpuRegions),
                       config.mpu_el2_regions.value_or(kMpuRegions)};
  if (sizes.el1 > kMaxMpuRegions || sizes.el2 > kMaxMpuRegions) {
    throw ImageError("", "an MPU has at most 255 regions", "correct --mpu-regions");
  }
  return sizes;
}

}  // namespace trapline
