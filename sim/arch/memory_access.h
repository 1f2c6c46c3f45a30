// What a memory access asks and is told, whichever translation system (VMSAv8-64 or PMSAv8-64)
// answers: access kinds, permissions, attributes and faults.
#pragma once

#include <cstdint>

#include "sim/arch/types.h"

namespace trapline {

enum class AccessKind : std::uint8_t { read, write, fetch };

/// What may be done at EL0, and at the regime's privileged level (el1 means EL2 in EL2's regimes).
struct Permissions {
  bool el0_r : 1 = false;
  bool el0_w : 1 = false;
  bool el0_x : 1 = false;
  bool el1_r : 1 = false;
  bool el1_w : 1 = false;
  bool el1_x : 1 = false;

  constexpr bool allows(AccessKind kind, bool privileged) const {
    switch (kind) {
      case AccessKind::read:
        return privileged ? el1_r : el0_r;
      case AccessKind::write:
        return privileged ? el1_w : el0_w;
      case AccessKind::fetch:
        return privileged ? el1_x : el0_x;
    }
    return false;
  }
  constexpr bool operator==(const Permissions&) const = default;
};

inline constexpr Permissions kAllPermissions{true, true, true, true, true, true};

constexpr Permissions operator&(Permissions a, Permissions b) {
  return {a.el0_r && b.el0_r, a.el0_w && b.el0_w, a.el0_x && b.el0_x,
          a.el1_r && b.el1_r, a.el1_w && b.el1_w, a.el1_x && b.el1_x};
}

/// Shareability as descriptors, MPU regions and PAR_EL1.SH encode it.
enum class Shareability : std::uint8_t { non = 0, outer = 2, inner = 3 };

/// Memory type in MAIR_ELx.Attr encoding (0x00-0x0C Device, 0x44 Normal Non-cacheable, 0xFF ...).
struct MemoryAttributes {
  std::uint8_t attr = 0;
  Shareability shareability = Shareability::outer;

  constexpr bool is_device() const { return (attr & 0xF0) == 0; }
  constexpr bool operator==(const MemoryAttributes&) const = default;
};

enum class FaultKind : std::uint8_t {
  address_size,
  translation,
  access_flag,
  permission,
  external_on_walk,
  alignment,
  tlb_conflict,
};

struct Fault {
  FaultKind kind = FaultKind::translation;
  std::uint8_t level = 0;    ///< Of the look-up that faulted; not used by alignment, tlb_conflict.
  bool stage2 = false;       ///< Taken to EL2; `ipa` is valid.
  bool s1ptw = false;        ///< Stage 2 fault on a stage-1 descriptor access.
  bool on_update = false;    ///< With s1ptw: on a hardware write of the descriptor, not a read.
  bool device_walk = false;  ///< With s1ptw: HCR_EL2.PTW refused Device memory.
  PhysAddr ipa = 0;          ///< Faulting IPA with stage2, for HPFAR_EL2 (bits [11:0] included).

  /// The DFSC/IFSC code of ESR_ELx and FST of PAR_EL1 (DDI 0487, ESR_EL1 "ISS for a Data Abort").
  std::uint8_t fsc() const;
  bool operator==(const Fault&) const = default;
};

}  // namespace trapline
