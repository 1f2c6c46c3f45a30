// The world of an Armv8-R64 machine: regions.
#include "pmsa.h"

#include "arch.h"

const u64 arena = 0x01000000;

extern char __text_start[], __text_end[], __data_start[], __data_end[];
extern const char el1_vectors[];

enum { kSlotText, kSlotData, kSlotUart };
enum { kNormalAttr = 0, kDeviceAttr = 1, kNonCacheableAttr = 2 };

static void common_regions(int regime) {
  set_region(regime, kSlotText, (u64)__text_start, (u64)__text_end - 1, kRo, kNormalAttr);
  set_region(regime, kSlotData, (u64)__data_start, (u64)__data_end - 1, kRw | kXn, kNormalAttr);
  set_region(regime, kSlotUart, 0x9c000000, 0x9cffffff, kRw | kXn, kDeviceAttr);
  for (unsigned n = kFirstSlot; n < region_count(regime); ++n) clear_region(regime, n);
}

void set_region(int regime, unsigned n, u64 first, u64 last, unsigned permissions, unsigned attr) {
  const u64 bar = (first & kBaseMask) | 3ul << 4 | (permissions & 3) << 2 | permissions >> 2;
  const u64 lar = (last & kBaseMask) | attr << 1 | 1;
  if (regime == kEl2) {
    MSR(PRSELR_EL2, n);
    ISB();
    MSR(PRLAR_EL2, 0);
    MSR(PRBAR_EL2, bar);
    MSR(PRLAR_EL2, lar);
  } else {
    MSR(PRSELR_EL1, n);
    ISB();
    MSR(PRLAR_EL1, 0);
    MSR(PRBAR_EL1, bar);
    MSR(PRLAR_EL1, lar);
  }
  DSB();
  ISB();
}

void clear_region(int regime, unsigned n) {
  if (regime == kEl2) {
    MSR(PRSELR_EL2, n);
    ISB();
    MSR(PRLAR_EL2, 0);
    MSR(PRBAR_EL2, 0);
  } else {
    MSR(PRSELR_EL1, n);
    ISB();
    MSR(PRLAR_EL1, 0);
    MSR(PRBAR_EL1, 0);
  }
  DSB();
  ISB();
}

unsigned region_count(int regime) {
  return (unsigned)FIELD(regime == kEl2 ? MRS(MPUIR_EL2) : MRS(MPUIR_EL1), 7, 0);
}

void area(int regime, unsigned slot, u64 first, u64 last, unsigned permissions) {
  set_region(regime, kFirstSlot + slot, first, last, permissions, kNormalAttr);
}

void area_off(int regime, unsigned slot) {
  clear_region(regime, kFirstSlot + slot);
}

void stage2(int on) {
  MSR(hcr_el2, (MRS(hcr_el2) & ~1ul) | (on ? 1 : 0));
  ISB();
}

void control(int regime, u64 set, u64 clear) {
  if (regime == kEl2) {
    MSR(sctlr_el2, (MRS(sctlr_el2) & ~clear) | set);
  } else {
    MSR(sctlr_el1, (MRS(sctlr_el1) & ~clear) | set);
  }
  ISB();
}

void arch_reset(void) {
  MSR(sctlr_el2, 0x30c50830);
  ISB();
  cpu = (struct frame){0};
  cpu.sp_el0 = cpu.sp_el1 = (u64)__data_end;
  MSR(hcr_el2, BIT(31));
  MSR(VSCTLR_EL2, 0);
  MSR(vtcr_el2, 0);
  MSR(VSTCR_EL2, 0);
  MSR(cptr_el2, 0x33ff & ~BIT(10));
  MSR(cnthctl_el2, 3);
  MSR(mdcr_el2, FIELD(MRS(pmcr_el0), 15, 11));
  MSR(hstr_el2, 0);
  MSR(cpacr_el1, 3 << 20);
  MSR(mair_el1, 0x4400ff);
  MSR(mair_el2, 0x4400ff);
  MSR(vbar_el1, (u64)el1_vectors);
  MSR(sctlr_el1, 0x30d00800);
  MSR(esr_el1, 0);
  MSR(far_el1, 0);
  MSR(far_el2, 0);
  MSR(hpfar_el2, 0);
  ISB();
  common_regions(kStage1);
  common_regions(kEl2);
  MSR(sctlr_el1, 0x30d01805);
  MSR(sctlr_el2, 0x30c51835);
  ISB();
}
