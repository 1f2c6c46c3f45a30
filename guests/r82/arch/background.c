// The background region, the MPU off, and HCR_EL2.DC.
#include "arch.h"
#include "pmsa.h"

static const char* const br = "SCTLR_ELx.BR: privileged accesses, DDI 0600 C1.4";
static const char* const off = "SCTLR_ELx.M = 0: the default map, at every EL, DDI 0600 C1.4";

static void background_el1(void) {
  arch_reset();
  fill_arena();
  expect(kRead, 1, arena, kTranslation, 1, br, "EL1, BR = 0, no region");
  control(kStage1, SCTLR_BR, 0);
  expect(kRead, 1, arena, kDone, 1, br, "EL1, BR = 1, no region");
  expect(kWrite, 1, arena, kDone, 1, br, "EL1, BR = 1, no region");
  expect(kFetch, 1, arena, kDone, 1, br, "EL1, BR = 1, no region");
  expect(kRead, 0, arena, kTranslation, 1, br, "EL0, BR = 1, no region");
  expect(kFetch, 0, arena, kTranslation, 1, br, "EL0, BR = 1, no region");
  area(kStage1, 0, arena + 0x40, arena + 0x7f, kRo | kXn);
  expect(kWrite, 1, arena + 0x40, kPermission, 1,
         "a region wins over the background, DDI 0600 C1.4", "EL1, BR = 1, RO region");
  expect(kRead, 0, arena + 0x40, kDone, 1, "a region wins over the background, DDI 0600 C1.4",
         "EL0, BR = 1, RO region");
  expect(kWrite, 1, arena + 0x38, kDone, 1, br, "EL1, BR = 1, below the region");
  expect(kWrite, 1, arena + 0x80, kDone, 1, br, "EL1, BR = 1, above the region");
  area(kStage1, 1, arena + 0x40, arena + 0x7f, kRo | kXn);
  expect(kRead, 1, arena + 0x40, kTranslation, 1,
         "BR does not heal an overlap, DDI 0600 table C1-4", "EL1, BR = 1, overlap");
  cpu.x[0] = arena;
  run_code(CODE("ldtr x1, [x0]"), 1);
  point(outcome() == kTranslation, br, "LDTR on the background region is an EL0 access");
}

static void background_el2(void) {
  arch_reset();
  fill_arena();
  expect(kRead, 2, arena, kTranslation, 2, br, "EL2, BR = 0, no region");
  control(kEl2, SCTLR_BR, 0);
  expect(kRead, 2, arena, kDone, 2, br, "EL2, BR = 1, no region");
  expect(kWrite, 2, arena, kDone, 2, br, "EL2, BR = 1, no region");
  expect(kFetch, 2, arena, kDone, 2, br, "EL2, BR = 1, no region");
  area(kEl2, 0, arena, arena + 0x3f, kRo | kXn);
  expect(kWrite, 2, arena, kPermission, 2, "a region wins over the background, DDI 0600 C1.4",
         "EL2, BR = 1, RO region");
  area(kEl2, 1, arena, arena + 0x3f, kRw);
  expect(kRead, 2, arena, kTranslation, 2, "BR does not heal an overlap, DDI 0600 table C1-4",
         "EL2, BR = 1, overlap");
  stage2(1);
  control(kStage1, 0, SCTLR_M);
  expect(kRead, 1, arena + 0x1000, kTranslation, 2, "stage 2 has no background region",
         "stage 2, SCTLR_EL2.BR = 1");
  control(kStage1, SCTLR_M | SCTLR_BR, 0);
  expect(kRead, 1, arena + 0x1000, kTranslation, 2, "stage 2 has no background region",
         "stage 1 background over stage 2, SCTLR_EL2.BR = 1");
}

static void mpu_off(void) {
  arch_reset();
  fill_arena();
  control(kStage1, 0, SCTLR_M);
  for (unsigned el = 0; el < 2; ++el) {
    expect(kRead, el, arena, kDone, 1, off, "EL1&0 MPU off");
    expect(kWrite, el, arena + 8, kDone, 1, off, "EL1&0 MPU off");
    expect(kFetch, el, arena, kDone, 1, off, "EL1&0 MPU off");
  }
  area(kStage1, 0, arena, arena + 0xfff, kRoEl1Only | kXn);
  expect(kWrite, 0, arena, kDone, 1, off, "EL1&0 MPU off, regions do not matter");
  control(kStage1, SCTLR_WXN, 0);
  expect(kFetch, 0, arena, kDone, 1, "WXN has no effect while the MPU is off",
         "EL1&0 MPU off, WXN");
  control(kEl2, 0, SCTLR_M);
  expect(kRead, 2, arena, kDone, 2, off, "EL2 MPU off");
  expect(kWrite, 2, arena + 8, kDone, 2, off, "EL2 MPU off");
  expect(kFetch, 2, arena, kDone, 2, off, "EL2 MPU off");
  expect(kFetch, 2, 0x9c010000, kPermission, 2, "Device memory of the default map is XN",
         "EL2 MPU off, a device");
  control(kEl2, SCTLR_M, 0);
  // HCR_EL2.DC turns stage 1 off and stage 2 on.
  area(kEl2, 0, arena, arena + 0xfff, kRo | kXn0);
  MSR(hcr_el2, BIT(31) | BIT(12));
  control(kStage1, SCTLR_M, 0);
  static const char* const dc = "HCR_EL2.DC: stage 1 off, stage 2 on, DDI 0487 D8";
  expect(kRead, 0, arena, kDone, 2, dc, "DC");
  expect(kWrite, 1, arena, kPermission, 2, dc, "DC");
  expect(kRead, 1, arena + 0x1000, kTranslation, 2, dc, "DC");
  MSR(hcr_el2, BIT(31));
  ISB();
}

/// Above the physical addresses: Address size fault where something matches.
static void address_size(void) {
  static const char* const rule = "PARange: Address size fault, DDI 0487 D8";
  static const unsigned char bits[] = {32, 36, 40, 42, 44, 48};
  const unsigned pa = bits[FIELD(MRS(id_aa64mmfr0_el1), 3, 0)];
  arch_reset();
  if (pa >= 48) return;
  const u64 beyond = BIT(pa) + 0x1000;
  expect(kRead, 1, beyond, kTranslation, 1, rule, "beyond, no region");
  area(kStage1, 0, beyond, beyond + 0xfff, kRw);
  expect(kRead, 1, beyond, kAddressSize, 1, rule, "beyond, a region");
  control(kStage1, 0, SCTLR_M);
  expect(kRead, 1, beyond, kAddressSize, 1, rule, "beyond, MPU off");
  area(kEl2, 0, beyond, beyond + 0xfff, kRw);
  expect(kRead, 2, beyond, kAddressSize, 2, rule, "beyond, a region");
}

void test_background(void) {
  background_el1();
  background_el2();
  mpu_off();
  address_size();
}
