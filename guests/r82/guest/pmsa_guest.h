// EL1's MPU as the PMSA guests use it.
#pragma once

#include "../arch/pmsa.h"

enum { kNormal = 0, kDevice = 1 };
enum { kEl1Rw = 0, kAllRw = 1, kEl1Ro = 2, kAllRo = 3 };
#define BAR(first, ap, xn) (((first)&kBaseMask) | 3ul << 4 | (u64)(ap) << 2 | (xn))
#define LAR(last, attr) (((last)&kBaseMask) | (u64)(attr) << 1 | 1)

/// MPU on, caches on, no background region.
static inline void mpu_on(void) {
  DSB();
  MSR(sctlr_el1, 0x30d01805);
  ISB();
}
