// PMSAv8-64 said again, slowly and apart from models/mpu: one access, every region looked at in
// turn. It shares only the public types of sim/arch with the model, and none of its code.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/arch/memory_access.h"

namespace trapline::mpu_oracle {

using Word = std::uint64_t;

/// PRBAR and PRLAR as the registers hold them.
struct RawRegion {
  Word prbar = 0;
  Word prlar = 0;
};
using Regions = std::vector<RawRegion>;

struct MapPiece {
  Word first, last;
  unsigned attr, sh;
  bool execute;
};

struct State {
  Regions el1, el2;
  Word sctlr_el1 = 0, mair_el1 = 0, sctlr_el2 = 0, mair_el2 = 0, hcr = 0, vstcr = 0;
  unsigned pa_bits = 40;
  std::vector<MapPiece> map;
};

struct Access {
  bool at_el2 = false;
  Word address = 0;
  AccessKind kind = AccessKind::read;
  bool privileged = true;
  bool pan = false;
  bool stage1_only = false;
};

/// What software could see of an access.
struct Outcome {
  bool ok = false;
  FaultKind fault = FaultKind::translation;
  bool stage2 = false;
  unsigned attr = 0, sh = 0;
  bool ns = false;
  bool operator==(const Outcome&) const = default;
};

/// What one stage says: a fault, or attributes.
struct Stage {
  std::optional<FaultKind> fault;
  unsigned attr = 0, sh = 0;
  bool ns = false;
};

inline bool matches(const RawRegion& region, Word address) {
  if (region.prlar % 2 == 0) return false;
  const Word base = region.prbar % (Word{1} << 48) / 64;
  const Word limit = region.prlar % (Word{1} << 48) / 64;
  return address / 64 >= base && address / 64 <= limit;
}

inline Stage fault(FaultKind kind) {
  Stage stage;
  stage.fault = kind;
  return stage;
}

/// Device and Normal Non-cacheable memory is Outer Shareable whatever SH says; SH 0b01 is reserved.
inline void settle(Stage& stage) {
  if (stage.sh == 1) stage.sh = 0;
  if (stage.attr < 0x10 || stage.attr == 0x44) stage.sh = 2;
}

inline Stage by_default_map(const State& state, const Access& access, Word sctlr) {
  if (access.address >> state.pa_bits) return fault(FaultKind::address_size);
  for (const MapPiece& piece : state.map) {
    if (access.address < piece.first || access.address > piece.last) continue;
    if (access.kind == AccessKind::fetch && !piece.execute) return fault(FaultKind::permission);
    Stage stage;
    stage.attr = piece.attr;
    stage.sh = piece.sh;
    if (stage.attr >= 0x10 && !(sctlr & 4)) stage.attr = 0x44;
    settle(stage);
    return stage;
  }
  return fault(FaultKind::address_size);
}

/// Stage 1: DDI 0600 table C1-4 (no match and several matches are Translation faults), C1.4.
inline Stage stage1(const State& state, const Access& access) {
  const Word sctlr = access.at_el2 ? state.sctlr_el2 : state.sctlr_el1;
  const Word mair = access.at_el2 ? state.mair_el2 : state.mair_el1;
  if (!access.at_el2 && (state.hcr & 0x1000)) {  // DC
    if (access.address >> state.pa_bits) return fault(FaultKind::address_size);
    Stage stage;
    stage.attr = 0xff;
    return stage;
  }
  const bool tge = !access.at_el2 && (state.hcr & 0x800'0000);
  if (!(sctlr & 1) || tge) return by_default_map(state, access, sctlr);

  const RawRegion* hit = nullptr;
  unsigned hits = 0;
  for (const RawRegion& region : access.at_el2 ? state.el2 : state.el1) {
    if (!matches(region, access.address)) continue;
    hit = &region;
    ++hits;
  }
  if (hits > 1) return fault(FaultKind::translation);
  if (hits == 0) {
    if (!(sctlr & 0x2'0000)) return fault(FaultKind::translation);  // BR
    // Beyond the physical addresses the fault is found before the privilege is looked at.
    if (access.address >> state.pa_bits) return fault(FaultKind::address_size);
    if (!access.privileged) return fault(FaultKind::translation);
    return by_default_map(state, access, sctlr);
  }
  if (access.address >> state.pa_bits) return fault(FaultKind::address_size);

  const unsigned ap = hit->prbar / 4 % 4;
  const bool xn = hit->prbar / 2 % 2;
  const bool wxn = sctlr & 0x8'0000;
  bool allowed = false;
  const bool anyone_writes = ap == 0 || ap == 1;
  const bool el0_reads = ap == 1 || ap == 3;
  if (access.at_el2) {
    if (access.kind == AccessKind::read) allowed = true;
    if (access.kind == AccessKind::write) allowed = anyone_writes;
    if (access.kind == AccessKind::fetch) allowed = !xn && !(wxn && anyone_writes);
  } else if (access.privileged) {
    if (access.kind == AccessKind::read) allowed = true;
    if (access.kind == AccessKind::write) allowed = anyone_writes;
    if (access.kind == AccessKind::fetch) allowed = !xn && ap != 1 && !(wxn && anyone_writes);
    if (access.pan && access.kind != AccessKind::fetch && el0_reads) allowed = false;
  } else {
    if (access.kind == AccessKind::read) allowed = el0_reads;
    if (access.kind == AccessKind::write) allowed = ap == 1;
    if (access.kind == AccessKind::fetch) allowed = !xn && el0_reads && !(wxn && ap == 1);
  }
  if (!allowed) return fault(FaultKind::permission);
  Stage stage;
  stage.attr = mair >> (hit->prlar / 2 % 8 * 8) & 0xff;
  stage.sh = hit->prbar / 16 % 4;
  stage.ns = hit->prlar / 16 % 2;
  if (stage.attr >= 0x10 && !(sctlr & 4)) stage.attr = 0x44;
  settle(stage);
  return stage;
}

/// Stage 2: the EL2 regions only, whatever SCTLR_EL2 says.
inline Stage stage2(const State& state, const Access& access) {
  const RawRegion* hit = nullptr;
  for (const RawRegion& region : state.el2) {
    if (!matches(region, access.address)) continue;
    if (hit) return fault(FaultKind::translation);
    hit = &region;
  }
  if (!hit) return fault(FaultKind::translation);
  if (access.address >> state.pa_bits) return fault(FaultKind::address_size);
  const unsigned ap = hit->prbar / 4 % 4;
  bool allowed = ap == 1 || (ap == 3 && access.kind != AccessKind::write);
  const bool xn = hit->prbar % 2;  // XN[0] for stage 2, XN[1] for EL2 itself.
  if (access.kind == AccessKind::fetch && xn) allowed = false;
  if (!allowed) return fault(FaultKind::permission);
  Stage stage;
  stage.attr = state.mair_el2 >> (hit->prlar / 2 % 8 * 8) & 0xff;
  stage.sh = hit->prbar / 16 % 4;
  stage.ns = hit->prlar / 16 % 2;
  settle(stage);
  return stage;
}

/// 0 Non-cacheable, 1 Write-Through, 2 Write-Back, of one nibble of a Normal MAIR attribute.
inline unsigned cache_rank(unsigned nibble) {
  if (nibble == 4) return 0;
  return nibble & 4 ? 2 : 1;
}

inline void combine(const Stage& one, const Stage& two, Outcome& outcome) {
  const bool one_device = one.attr < 0x10, two_device = two.attr < 0x10;
  if (one_device && two_device) {
    const unsigned a = one.attr & 0xc, b = two.attr & 0xc;
    outcome.attr = a < b ? a : b;
  } else if (one_device) {
    outcome.attr = one.attr;
  } else if (two_device) {
    outcome.attr = two.attr;
  } else {
    outcome.attr = 0;
    for (unsigned shift : {0u, 4u}) {
      const unsigned a = one.attr >> shift & 15, b = two.attr >> shift & 15;
      unsigned nibble = a;
      if (cache_rank(a) == 0 || cache_rank(b) == 0) {
        nibble = 4;
      } else if (cache_rank(a) == 1 || cache_rank(b) == 1) {
        nibble = a & 0xb;
      }
      outcome.attr |= nibble << shift;
    }
  }
  outcome.sh = one.sh == 2 || two.sh == 2 ? 2 : one.sh == 3 || two.sh == 3 ? 3 : 0;
  if (outcome.attr < 0x10 || outcome.attr == 0x44) outcome.sh = 2;
}

inline Outcome resolve(const State& state, const Access& access) {
  Outcome outcome;
  const Stage one = stage1(state, access);
  if (one.fault) {
    outcome.fault = *one.fault;
    return outcome;
  }
  outcome.ok = true;
  outcome.attr = one.attr;
  outcome.sh = one.sh;
  outcome.ns = one.ns;
  const bool has_stage2 = state.hcr & 0x1001;  // DC or VM
  if (access.at_el2 || access.stage1_only || !has_stage2) return outcome;
  const Stage two = stage2(state, access);
  const bool ns_differs = (state.vstcr & 0x10'0000) && two.ns != one.ns;  // SC
  if (two.fault || ns_differs) {
    outcome = Outcome{};
    outcome.fault = two.fault ? *two.fault : FaultKind::permission;
    outcome.stage2 = true;
    return outcome;
  }
  combine(one, two, outcome);
  outcome.ns = one.ns || two.ns;
  return outcome;
}

}  // namespace trapline::mpu_oracle
