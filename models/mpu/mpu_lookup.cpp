#include "models/mpu/mpu_lookup.h"

#include <algorithm>
#include <array>
#include <optional>

namespace trapline {
namespace {

// SCTLR_ELx.
constexpr unsigned kM = 0, kC = 2, kBr = 17, kWxn = 19;
// HCR_EL2.
constexpr unsigned kPtw = 2, kDc = 12, kTge = 27;
// VSTCR_EL2.
constexpr unsigned kSc = 20;

constexpr std::uint8_t kNonCacheable = 0x44;
constexpr std::uint8_t kWriteBack = 0xff;

// SH 0b01 is reserved; it reads as Non-shareable, as in the VMSAv8-64 walker.
Shareability shareability_of(unsigned sh) {
  return sh == 1 ? Shareability::non : static_cast<Shareability>(sh);
}

// Device and Non-cacheable memory is always Outer Shareable (DDI 0487 B2.7.2).
MemoryAttributes effective(MemoryAttributes attributes) {
  if (attributes.is_device() || attributes.attr == kNonCacheable) {
    attributes.shareability = Shareability::outer;
  }
  return attributes;
}

MemoryAttributes attributes_of(const MpuRegion& region, std::uint64_t mair) {
  const unsigned lsb = region.attr_index() * 8;
  return {static_cast<std::uint8_t>(mair >> lsb), shareability_of(region.shareability())};
}

// With SCTLR.C = 0, data accesses to Normal memory are Non-cacheable.
MemoryAttributes stage1_attributes(MemoryAttributes attributes, std::uint64_t sctlr) {
  if (!bit(sctlr, kC) && !attributes.is_device()) attributes.attr = kNonCacheable;
  return effective(attributes);
}

// AP[0] admits EL0, AP[1] forbids writes, XN[1] execution. What EL0 may write EL1 never executes,
// and neither executes what it may write under WXN, nor what it may not read.
Permissions el1_0_permissions(const MpuRegion& region, std::uint64_t sctlr) {
  const bool wxn = bit(sctlr, kWxn);
  const bool execute = !bit(region.xn(), 1);
  Permissions p;
  p.el1_r = true;
  p.el1_w = !region.read_only();
  p.el0_r = region.lower_el();
  p.el0_w = p.el0_r && p.el1_w;
  p.el1_x = execute && !p.el0_w && !(wxn && p.el1_w);
  p.el0_x = execute && p.el0_r && !(wxn && p.el0_w);
  return p;
}

// At EL2 itself AP[0] does not matter.
Permissions el2_permissions(const MpuRegion& region, std::uint64_t sctlr) {
  Permissions p;
  p.el1_r = true;
  p.el1_w = !region.read_only();
  p.el1_x = !bit(region.xn(), 1) && !(bit(sctlr, kWxn) && p.el1_w);
  return p;
}

// Stage 2 of EL1&0: AP[0] admits EL1 and EL0 alike. One region serves EL2 and its guests, so each
// has its own execute-never bit: XN[1] is stage 1 of EL2, XN[0] is stage 2.
Permissions stage2_permissions(const MpuRegion& region) {
  if (!region.lower_el()) return {};
  Permissions p;
  p.el0_r = p.el1_r = true;
  p.el0_w = p.el1_w = !region.read_only();
  p.el0_x = p.el1_x = !bit(region.xn(), 0);
  return p;
}

/// One MPU with the registers of the regime it serves.
struct Bank {
  const MpuRegionSet& regions;
  std::uint64_t sctlr;
  std::uint64_t mair;
};

std::uint64_t last_address(const MpuControls& controls) {
  return (1ull << controls.pa_bits) - 1;
}

// The piece of the default map around `address`, cut at the end of the physical address space.
MpuAnswer default_answer(std::uint64_t address, MpuMatch match, const MpuControls& controls) {
  const std::uint64_t end = last_address(controls);
  MpuAnswer answer;
  if (address > end) {
    answer.range = {end + 1, ~0ull};
    answer.match = MpuMatch::out_of_range;
    return answer;
  }
  const MpuDefaultRange* piece = controls.default_map.data();
  answer.range.first = 0;
  while (piece->last < address) answer.range.first = piece++->last + 1;
  answer.range.last = std::min(piece->last, end);
  answer.match = match;
  answer.attributes = piece->attributes;
  answer.permissions = kAllPermissions;
  answer.permissions.el0_x = answer.permissions.el1_x = piece->executable;
  if (match == MpuMatch::background) {
    answer.permissions.el0_r = answer.permissions.el0_w = answer.permissions.el0_x = false;
  }
  return answer;
}

AddressRange intersect(const AddressRange& a, const AddressRange& b) {
  return {std::max(a.first, b.first), std::min(a.last, b.last)};
}

// The answer of the segment around `address` where exactly one region, none or several match.
// Permissions are left to the caller.
MpuAnswer region_answer(const Bank& bank, const MpuSegment& segment, std::uint64_t address,
                        const MpuControls& controls) {
  MpuAnswer answer;
  answer.range = segment.range;
  if (segment.region >= MpuSegment::kNone) {
    answer.match = segment.region == MpuSegment::kOverlap ? MpuMatch::overlap : MpuMatch::none;
    return answer;
  }
  const std::uint64_t end = last_address(controls);
  if (address > end) {
    answer.range = intersect(segment.range, {end + 1, ~0ull});
    answer.match = MpuMatch::out_of_range;
    return answer;
  }
  const MpuRegion& region = bank.regions[segment.region];
  answer.range = intersect(segment.range, {0, end});
  answer.match = MpuMatch::region;
  answer.region = static_cast<std::uint8_t>(segment.region);
  answer.attributes = attributes_of(region, bank.mair);
  answer.non_secure = region.non_secure();
  return answer;
}

std::optional<Fault> check(const MpuAnswer& answer, AccessKind kind, bool privileged) {
  switch (answer.match) {
    case MpuMatch::none:
    case MpuMatch::overlap:
      return Fault{FaultKind::translation};
    case MpuMatch::out_of_range:
      return Fault{FaultKind::address_size};
    case MpuMatch::background:
      if (!privileged) return Fault{FaultKind::translation};
      break;
    case MpuMatch::region:
    case MpuMatch::off:
      break;
  }
  if (answer.permissions.allows(kind, privileged)) return std::nullopt;
  return Fault{FaultKind::permission};
}

Fault at_stage2(Fault fault, PhysAddr ipa, bool table_walk) {
  fault.stage2 = true;
  fault.ipa = ipa;
  fault.s1ptw = table_walk;
  return fault;
}

enum class Cacheability : std::uint8_t { non_cacheable, write_through, write_back };

Cacheability cacheability_of(unsigned nibble) {
  if (nibble == 4) return Cacheability::non_cacheable;
  return bit(nibble, 2) ? Cacheability::write_back : Cacheability::write_through;
}

// The less cacheable of both; the allocation and transient hints stay stage 1's.
unsigned combine_nibble(unsigned stage1, unsigned stage2) {
  switch (std::min(cacheability_of(stage1), cacheability_of(stage2))) {
    case Cacheability::non_cacheable:
      return 4;
    case Cacheability::write_through:
      return stage1 & ~4u;
    case Cacheability::write_back:
      break;
  }
  return stage1;
}

// DDI 0487 D8.6.5: Device wins, of two Device types the stronger; of two shareabilities the wider.
MemoryAttributes combine(MemoryAttributes stage1, MemoryAttributes stage2) {
  MemoryAttributes result;
  if (stage1.is_device() && stage2.is_device()) {
    result.attr = std::min<std::uint8_t>(stage1.attr & 0xc, stage2.attr & 0xc);
  } else if (stage1.is_device() || stage2.is_device()) {
    result.attr = stage1.is_device() ? stage1.attr : stage2.attr;
  } else {
    result.attr =
        static_cast<std::uint8_t>(combine_nibble(stage1.attr >> 4, stage2.attr >> 4) << 4 |
                                  combine_nibble(stage1.attr & 0xf, stage2.attr & 0xf));
  }
  const auto either = [&](Shareability sh) {
    return stage1.shareability == sh || stage2.shareability == sh;
  };
  result.shareability = either(Shareability::outer)   ? Shareability::outer
                        : either(Shareability::inner) ? Shareability::inner
                                                      : Shareability::non;
  return effective(result);
}

// Stage 1 answered; `mapping.stage1` is set. Adds stage 2 or says why not.
std::optional<Fault> add_stage2(const MpuStage2Request& request, const MpuControls& controls,
                                const MpuRegions& regions, MpuMapping& mapping) {
  const MpuAnswer answer = stage2_at(request.ipa, controls, regions);
  if (const auto fault = check(answer, request.kind, request.privileged)) {
    return at_stage2(*fault, request.ipa, request.table_walk);
  }
  const bool checked = bit(controls.vstcr_el2, kSc);
  if (checked && answer.non_secure != request.non_secure) {
    return at_stage2(Fault{FaultKind::permission}, request.ipa, request.table_walk);
  }
  if (request.table_walk && bit(controls.hcr_el2, kPtw) && answer.attributes.is_device()) {
    Fault fault = at_stage2(Fault{FaultKind::permission}, request.ipa, true);
    fault.device_walk = true;
    return fault;
  }
  mapping.stage2 = answer;
  mapping.stage2_used = true;
  mapping.range = intersect(mapping.range, answer.range);
  mapping.non_secure = request.non_secure || answer.non_secure;
  mapping.attributes = combine(request.stage1, answer.attributes);
  return std::nullopt;
}

// Compares the answers of every segment that touches the page with the first one's.
template <typename AnswerAt>
bool same_over(std::uint64_t first, std::uint64_t last, const AnswerAt& answer_at) {
  const MpuAnswer answer = answer_at(first);
  for (std::uint64_t end = answer.range.last; end < last;) {
    const MpuAnswer next = answer_at(end + 1);
    if (!next.same_as(answer)) return false;
    end = next.range.last;
  }
  return true;
}

}  // namespace

MpuDefaultMap pmsav8_default_map() {
  constexpr std::uint8_t kNgnre = 0x04, kNgnrne = 0x00;
  return {{0x7fff'ffff, {kWriteBack, Shareability::non}, true},
          {0xbfff'ffff, {kNgnre, Shareability::outer}, false},
          {0xffff'ffff, {kNgnrne, Shareability::outer}, false},
          {~0ull, {kWriteBack, Shareability::non}, true}};
}

bool MpuAnswer::same_as(const MpuAnswer& other) const {
  const auto faults = [](const MpuAnswer& answer) {
    return answer.match == MpuMatch::none || answer.match == MpuMatch::overlap;
  };
  if (faults(*this) || faults(other)) return faults(*this) && faults(other);
  // EL0 faults differently on the background region than on a region that denies it.
  const bool alike = match == other.match ||
                     (match != MpuMatch::out_of_range && other.match != MpuMatch::out_of_range &&
                      (match == MpuMatch::background) == (other.match == MpuMatch::background));
  return alike && permissions == other.permissions && attributes == other.attributes &&
         non_secure == other.non_secure;
}

namespace {

// Stage 1 with the MPU off, or made so by HCR_EL2.TGE, or by DC, which also makes all memory
// Write-Back.
MpuAnswer off_answer(std::uint64_t address, bool dc, std::uint64_t sctlr,
                     const MpuControls& controls) {
  MpuAnswer answer = default_answer(address, MpuMatch::off, controls);
  if (!dc) {
    answer.attributes = stage1_attributes(answer.attributes, sctlr);
  } else if (answer.match == MpuMatch::off) {
    answer.range = {0, last_address(controls)};
    answer.permissions = kAllPermissions;
    answer.attributes = {kWriteBack, Shareability::non};
  }
  return answer;
}

}  // namespace

MpuAnswer stage1_at(MpuRegime regime, std::uint64_t address, const MpuControls& controls,
                    const MpuRegions& regions) {
  const bool el2 = regime == MpuRegime::el2;
  const Bank bank = el2 ? Bank{regions.el2, controls.sctlr_el2, controls.mair_el2}
                        : Bank{regions.el1, controls.sctlr_el1, controls.mair_el1};
  const bool dc = !el2 && bit(controls.hcr_el2, kDc);
  const bool tge = !el2 && bit(controls.hcr_el2, kTge);
  if (!bit(bank.sctlr, kM) || dc || tge) return off_answer(address, dc, bank.sctlr, controls);

  const MpuSegment segment = bank.regions.find(address);
  MpuAnswer answer;
  if (segment.region == MpuSegment::kNone && bit(bank.sctlr, kBr)) {
    answer = default_answer(address, MpuMatch::background, controls);
    answer.range = intersect(answer.range, segment.range);
  } else {
    answer = region_answer(bank, segment, address, controls);
    if (answer.match != MpuMatch::region) return answer;
    const MpuRegion& region = bank.regions[segment.region];
    answer.permissions =
        el2 ? el2_permissions(region, bank.sctlr) : el1_0_permissions(region, bank.sctlr);
  }
  answer.attributes = stage1_attributes(answer.attributes, bank.sctlr);
  return answer;
}

MpuAnswer stage2_at(std::uint64_t ipa, const MpuControls& controls, const MpuRegions& regions) {
  const Bank bank{regions.el2, controls.sctlr_el2, controls.mair_el2};
  const MpuSegment segment = bank.regions.find(ipa);
  MpuAnswer answer = region_answer(bank, segment, ipa, controls);
  if (answer.match != MpuMatch::region) return answer;
  answer.permissions = stage2_permissions(bank.regions[segment.region]);
  answer.attributes = effective(answer.attributes);
  return answer;
}

MpuResult lookup(MpuRegime regime, const MpuRequest& request, const MpuControls& controls,
                 const MpuRegions& regions) {
  MpuMapping mapping;
  mapping.stage1 = stage1_at(regime, request.address, controls, regions);
  if (const auto fault = check(mapping.stage1, request.kind, request.privileged)) return *fault;
  if (request.pan && request.privileged && request.kind != AccessKind::fetch &&
      mapping.pan_protected()) {
    return Fault{FaultKind::permission};
  }
  mapping.range = mapping.stage1.range;
  mapping.stage2.permissions = kAllPermissions;
  mapping.non_secure = mapping.stage1.non_secure;
  mapping.attributes = mapping.stage1.attributes;
  if (regime == MpuRegime::el2 || request.stage1_only || !mpu_stage2_enabled(controls)) {
    return mapping;
  }
  MpuStage2Request stage2;
  stage2.ipa = request.address;
  stage2.kind = request.kind;
  stage2.privileged = request.privileged;
  stage2.non_secure = mapping.stage1.non_secure;
  stage2.stage1 = mapping.stage1.attributes;
  if (const auto fault = add_stage2(stage2, controls, regions, mapping)) return *fault;
  return mapping;
}

MpuResult lookup_stage2(const MpuStage2Request& request, const MpuControls& controls,
                        const MpuRegions& regions) {
  MpuMapping mapping;
  mapping.stage1.match = MpuMatch::off;
  mapping.stage1.permissions = kAllPermissions;
  mapping.stage1.attributes = request.stage1;
  mapping.stage1.non_secure = request.non_secure;
  if (const auto fault = add_stage2(request, controls, regions, mapping)) return *fault;
  return mapping;
}

bool uniform_stage2(std::uint64_t ipa, unsigned shift, const MpuControls& controls,
                    const MpuRegions& regions) {
  const std::uint64_t low = (1ull << shift) - 1;
  return same_over(ipa & ~low, ipa | low,
                   [&](std::uint64_t address) { return stage2_at(address, controls, regions); });
}

bool uniform(MpuRegime regime, std::uint64_t address, unsigned shift, const MpuControls& controls,
             const MpuRegions& regions) {
  const std::uint64_t low = (1ull << shift) - 1;
  const auto stage1 = [&](std::uint64_t at) { return stage1_at(regime, at, controls, regions); };
  if (!same_over(address & ~low, address | low, stage1)) return false;
  if (regime == MpuRegime::el2 || !mpu_stage2_enabled(controls)) return true;
  // Where stage 1 refuses every access, stage 2 is never asked.
  const MpuMatch match = stage1(address).match;
  if (match == MpuMatch::none || match == MpuMatch::overlap || match == MpuMatch::out_of_range) {
    return true;
  }
  return uniform_stage2(address, shift, controls, regions);
}

std::uint64_t par_el1(const MpuResult& result, VirtAddr address) {
  constexpr std::uint64_t kRes1 = 1ull << 11;
  if (const Fault* fault = std::get_if<Fault>(&result)) {
    return kRes1 | 1 | std::uint64_t{fault->fsc()} << 1 | std::uint64_t{fault->s1ptw} << 8 |
           std::uint64_t{fault->stage2} << 9;
  }
  const MpuMapping& mapping = std::get<MpuMapping>(result);
  return kRes1 | (address & 0x0000'ffff'ffff'f000) | std::uint64_t{mapping.attributes.attr} << 56 |
         static_cast<std::uint64_t>(mapping.attributes.shareability) << 7 |
         std::uint64_t{mapping.non_secure} << 9;
}

}  // namespace trapline
