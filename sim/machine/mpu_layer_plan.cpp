#include "sim/machine/mpu_layer_plan.h"

#include <algorithm>
#include <array>

#include "sim/machine/fvp_baser.h"

namespace trapline {
namespace {

using Use = MpuLayerRegion::Use;
constexpr std::uint64_t kMiB = 1u << 20;

constexpr PhysAddr kBase = kMpuLayerMemory.base;
// What lies between is of the layer's start, and no longer mapped.
constexpr std::array<MpuLayerRegion, 5> kFixed{{
    {"code", {kBase, 2 * kMiB}, Use::code},
    {"read-only data", {kBase + 2 * kMiB, kMiB}, Use::read_only},
    {"data", {kBase + 3 * kMiB, kMiB / 2}, Use::data},
    {"bss", {kBase + 4 * kMiB, kMiB / 2}, Use::data},
    {"heap", {kBase + 5 * kMiB, 11 * kMiB}, Use::data},
}};

}  // namespace

std::span<const MpuLayerRegion> mpu_layer_regions() {
  return kFixed;
}

MemoryRange mpu_vgic_range() {
  const FvpRegion& gicd = fvp_region(FvpPart::gicd);
  const FvpRegion& gicr = fvp_region(FvpPart::gicr);
  return {gicd.base, gicr.base + gicr.size - gicd.base};
}

std::vector<MpuLayerRegion> mpu_domain_regions(const DomainMap& map) {
  std::vector<MpuLayerRegion> regions{{"vGIC", mpu_vgic_range(), Use::device}};
  for (const MemoryRange& range : map.memory()) {
    MpuLayerRegion& last = regions.back();
    if (last.use == Use::guest_memory && last.range.end() == range.base) {
      last.range.size += range.size;
    } else {
      regions.push_back({"memory", range, Use::guest_memory});
    }
  }
  if (!map.uart) return regions;
  const MemoryRange uart{*map.uart, map.uart_bytes};
  if (map.own_uart) {
    regions.push_back({"UART", uart, Use::guest_device});
  } else {
    regions.push_back({"vUART", uart, Use::device});
  }
  return regions;
}

}  // namespace trapline
