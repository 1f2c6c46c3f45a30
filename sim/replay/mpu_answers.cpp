#include "sim/replay/mpu_answers.h"

#include <set>

#include "sim/trace/digest.h"

namespace trapline {
namespace {

constexpr std::uint64_t kOn = 1, kBackground = 1u << 17, kStage2 = 1;
constexpr std::uint64_t kMair = 0x00'04'44'77'bb'cc'ff'0c;

/// The addresses next to which an answer may change.
std::set<std::uint64_t> edges(const MpuRegions& regions) {
  std::set<std::uint64_t> addresses{0};
  for (const MpuRegionSet* set : {&regions.el1, &regions.el2}) {
    for (unsigned n = 0; n < set->count(); ++n) {
      const MpuRegion& region = (*set)[n];
      if (!region.enabled()) continue;
      addresses.insert({region.base() - 1, region.base(), region.limit(), region.limit() + 1});
    }
  }
  return addresses;
}

void add(Digest& digest, const MpuResult& result) {
  std::uint64_t fields[4] = {};
  if (const Fault* fault = std::get_if<Fault>(&result)) {
    fields[0] = std::uint64_t{1} << 63 | fault->fsc() | std::uint64_t{fault->stage2} << 8;
  } else {
    const MpuMapping& mapping = std::get<MpuMapping>(result);
    fields[0] = static_cast<std::uint64_t>(mapping.stage1.match) | mapping.stage1.region << 8 |
                std::uint64_t{mapping.stage2.region} << 16;
    fields[1] = mapping.range.first;
    fields[2] = mapping.range.last;
    fields[3] = mapping.attributes.attr |
                static_cast<std::uint64_t>(mapping.attributes.shareability) << 8 |
                std::uint64_t{mapping.non_secure} << 16;
  }
  digest.add(fields, sizeof fields);
}

}  // namespace

std::uint64_t mpu_answers(const Mpu& mpu) {
  const MpuRegions regions = mpu.regions();
  Digest digest;
  const std::set<std::uint64_t> addresses = edges(regions);
  for (const bool background : {false, true}) {
    const std::uint64_t sctlr = kOn | (background ? kBackground : 0);
    MpuControls controls{.sctlr_el1 = sctlr,
                         .mair_el1 = kMair,
                         .sctlr_el2 = sctlr,
                         .mair_el2 = kMair,
                         .hcr_el2 = background ? 0 : kStage2,
                         .default_map = mpu.default_map()};
    for (const MpuRegime regime : {MpuRegime::el1_0, MpuRegime::el2}) {
      for (const std::uint64_t address : addresses) {
        for (const AccessKind kind : {AccessKind::read, AccessKind::write, AccessKind::fetch}) {
          for (const bool privileged : {true, false}) {
            if (regime == MpuRegime::el2 && !privileged) continue;
            const MpuRequest request{.address = address, .kind = kind, .privileged = privileged};
            add(digest, lookup(regime, request, controls, regions));
          }
        }
      }
    }
  }
  return digest.low64();
}

}  // namespace trapline
