// VMSAv8-64 at EL1 under the EL2 MPU (VTCR_EL2.MSA).
#include "../../common/tables.h"
#include "arch.h"
#include "pmsa.h"

static const char* const rule =
    "VTCR_EL2.MSA = 1: VMSAv8-64 at EL1&0, stage 2 by the EL2 MPU, DDI 0600";
static const char* const walk = "a walk is subject to stage 2: S1PTW, HPFAR_EL2, DDI 0487 D8";

enum { kVa = 0x80000000 };
static struct tables tables;

/// The image and the UART at their addresses; kVa and up is the test's. EL2's regions: the image's
/// own, the tables in slot 0, the arena in slot 1.
static void vmsa_world(void) {
  extern char __text_start[], __text_end[], __data_start[], __data_end[];
  arch_reset();
  const u64 sctlr = protection_off();
  pool_reset();
  tables = new_tables(k4K, 32);
  for (u64 at = (u64)__text_start; at < (u64)__text_end; at += kPage) {
    map(&tables, at, at, 3, kAf | kShared | kNormal | kRoAll);
  }
  for (u64 at = (u64)__data_start; at < (u64)__data_end; at += kPage) {
    map(&tables, at, at, 3, kAf | kShared | kNormal | kRwAll | kUxn | kPxn);
  }
  map(&tables, kVa, arena + 0x3000, 3, kAf | kShared | kNormal | kRwAll | kUxn | kPxn);
  map(&tables, kVa + kPage, arena + 0x1000, 3, kAf | kShared | kNormal | kRoAll);
  protection_on(sctlr);
  MSR(vtcr_el2, BIT(31));
  MSR(VSCTLR_EL2, 1ul << 48);
  MSR(mair_el1, 0x44ff00);
  MSR(ttbr0_el1, tables.root);
  MSR(tcr_el1, tcr_of(&tables) | 2ul << 32 | BIT(23));
  tlbi_all();
  area(kEl2, 0, tables.root, tables.root + 0x3ffff, kRw | kXn);
  area(kEl2, 1, arena, arena + kArenaPages * kPage - 1, kRw);
  stage2(1);
}

static void met(u64 ec, u64 iss, u64 far, u64 ipa, const char* why, const char* text) {
  const u64 want = ec << 26 | 1ul << 25 | iss;
  point(seen.el == 2 && seen.esr == want && seen.far == far && seen.hpfar == ipa >> 12 << 4, why,
        "%s: ESR %8x, FAR %x, HPFAR %x", text, want, far, ipa >> 12 << 4);
}

static void translations(void) {
  const u64 ldr = 1ul << 24 | 3 << 22 | 1 << 16 | 1 << 15;
  vmsa_world();
  fill_arena();
  poke64(arena + 0x3008, 0x1122334455667788);
  cpu.x[0] = kVa + 8;
  run_code(CODE("ldr x1, [x0]; mvn x2, x1; str x2, [x0, #8]"), 1);
  point(seen.done && cpu.x[1] == 0x1122334455667788 && peek64(arena + 0x3010) == ~cpu.x[1], rule,
        "EL1 loads and stores through its tables");
  run_code(CODE("ldr x1, [x0]"), 0);
  point(seen.done && cpu.x[1] == 0x1122334455667788, rule, "EL0 loads through the tables");
  run_at(kVa + kPage, kEl1h);
  point(seen.done && seen.elr == kVa + kPage + 4, rule, "EL1 executes through its tables");
  run_at(kVa + kPage + 0x80, kEl0);
  point(seen.done && seen.elr == kVa + kPage + 0x84, rule, "EL0 executes through the tables");
  attempt(kRead, 1, kVa + 2 * kPage);
  point(seen.el == 1 && FIELD(seen.esr, 5, 0) == 7 && seen.far == kVa + 2 * kPage, rule,
        "no page descriptor: Translation fault, level 3, to EL1");
  attempt(kRead, 1, 0x40000000);
  point(seen.el == 1 && FIELD(seen.esr, 5, 0) == 5, rule,
        "no level 2 table: Translation fault, level 1, to EL1");
  attempt(kWrite, 0, kVa + kPage);
  point(seen.el == 1 && FIELD(seen.esr, 5, 0) == 15, rule, "a store to a read-only page, level 3");
  // EL1's regions do not matter: none covers kVa, and a read-only one covers the arena.
  set_region(kStage1, 3, arena, arena + 0xffff, kRo | kXn, 0);
  expect(kWrite, 1, kVa, kDone, 1, rule, "the EL1 regions do not matter");
  clear_region(kStage1, 3);

  area(kEl2, 1, arena, arena + 0x303f, kRw);
  attempt(kRead, 1, kVa + 0x38);
  point(seen.done, rule, "the last 8 bytes that the EL2 region holds");
  attempt(kRead, 1, kVa + 0x40);
  met(0x24, ldr | 4, kVa + 0x40, arena + 0x3040, rule, "64 bytes on, nothing matches at stage 2");
  area(kEl2, 1, arena, arena + 0x3fff, kRo | kXn);
  attempt(kWrite, 1, kVa);
  point(seen.el == 2 && FIELD(seen.esr, 5, 0) == 12 && seen.far == kVa, rule,
        "a store to what stage 2 holds read-only");
  attempt(kFetch, 1, kVa + kPage);
  point(seen.el == 2 && FIELD(seen.esr, 31, 26) == 0x20 && FIELD(seen.esr, 5, 0) == 12, rule,
        "a fetch from what stage 2 holds XN");
}

static void walks(void) {
  vmsa_world();
  fill_arena();
  const u64 table = peek64((u64)descriptor(&tables, kVa, 2, 0)) & 0xfffffffff000ul;
  const u64 slot0 = tables.root;
  // All tables but the last one of kVa.
  area(kEl2, 0, slot0, table - 1, kRw | kXn);
  area(kEl2, 2, table + kPage, slot0 + 0x3ffff, kRw | kXn);
  tlbi_all();
  attempt(kRead, 1, kVa + 0x18);
  met(0x24, 1 << 7 | 4, kVa + 0x18, table, walk, "a table that no region holds, load");
  attempt(kFetch, 1, kVa + kPage);
  met(0x20, 1 << 7 | 4, kVa + kPage, table, walk, "a table that no region holds, fetch");
  attempt(kWrite, 0, kVa + 0x20);
  point(seen.el == 2 && FIELD(seen.esr, 7, 7) && FIELD(seen.esr, 5, 0) == 4 &&
            seen.hpfar == table >> 12 << 4,
        walk, "a table that no region holds, EL0 store");
  area(kEl2, 3, table, table + kPage - 1, kEl1Only | kXn);
  tlbi_all();
  attempt(kRead, 1, kVa);
  met(0x24, 1 << 7 | 12, kVa, table, walk, "a table that stage 2 denies");
  area(kEl2, 3, table, table + kPage - 1, kRo | kXn);
  tlbi_all();
  attempt(kRead, 1, kVa);
  point(seen.done, walk, "a table that stage 2 holds read-only is walked");
  MSR(hcr_el2, MRS(hcr_el2) | BIT(2));
  set_region(kEl2, kFirstSlot + 3, table, table + kPage - 1, kRo | kXn, 1);
  tlbi_all();
  attempt(kRead, 1, kVa);
  met(0x24, 1 << 7 | 12, kVa, table, "HCR_EL2.PTW: a walk through Device memory, DDI 0487 D8",
      "a table in Device memory");
  MSR(hcr_el2, MRS(hcr_el2) & ~BIT(2));
  ISB();
}

static void contexts(void) {
  static const char* const vmid = "translations belong to a VMID (VSCTLR_EL2.VMID), DDI 0600";
  vmsa_world();
  poke64(arena + 0x3000, 0x33);
  poke64(arena + 0x4000, 0x44);
  const u64 sctlr = protection_off();
  struct tables second = new_tables(k4K, 32);
  extern char __text_start[], __text_end[], __data_start[], __data_end[];
  for (u64 at = (u64)__text_start; at < (u64)__text_end; at += kPage) {
    map(&second, at, at, 3, kAf | kShared | kNormal | kRoAll);
  }
  map(&second, kVa, arena + 0x4000, 3, kAf | kShared | kNormal | kRwAll | kUxn | kPxn);
  protection_on(sctlr);
  unsigned good = 0;
  for (unsigned n = 0; n < 20; ++n) {
    MSR(VSCTLR_EL2, (u64)(1 + n % 2) << 48);
    MSR(ttbr0_el1, n % 2 ? second.root : tables.root);
    ISB();
    good += attempt(kRead, 1, kVa) == kDone && cpu.x[1] == (n % 2 ? 0x44u : 0x33u);
  }
  point(good == 20, vmid, "two guests at one address, 20 switches without TLBI");
  MSR(VSCTLR_EL2, 1ul << 48);
  MSR(ttbr0_el1, tables.root);
  ISB();
  poke64((u64)descriptor(&tables, kVa, 3, 0), peek64((u64)descriptor(&tables, kVa, 3, 0)) + 0x1000);
  cpu.x[2] = kVa >> 12;
  cpu.x[0] = kVa;
  run_code(CODE("dsb sy; tlbi vae1, x2; dsb sy; isb; ldr x1, [x0]"), 1);
  point(seen.done && cpu.x[1] == 0x44, "TLBI VAE1 at EL1", "a descriptor changed, then TLBI");
  // Regions of EL2 come and go by PRENR, without any TLBI.
  static const char* const prenr = "PRENR_EL2 acts on a VMSA guest, DDI 0600 G1.3";
  const u64 on = MRS(PRENR_EL2);
  good = 0;
  for (unsigned n = 0; n < 20; ++n) {
    MSR(PRENR_EL2, on & ~BIT(kFirstSlot + 1));
    ISB();
    good += attempt(kRead, 1, kVa) == kTranslation && seen.el == 2;
    MSR(PRENR_EL2, on);
    ISB();
    good += attempt(kRead, 1, kVa) == kDone;
  }
  point(good == 40, prenr, "the guest's memory, 20 times disabled and enabled");
}

static void registers_and_at(void) {
  vmsa_world();
  static const char* const undefined = "the EL1 MPU's registers under VTCR_EL2.MSA = 1";
  run_code(CODE("mrs x1, S3_0_C6_C8_0"), 1);
  point(seen.el == 1 && FIELD(seen.esr, 31, 26) == 0, undefined, "PRBAR_EL1 at EL1 is UNDEFINED");
  run_code(CODE("msr S3_0_C6_C1_1, xzr"), 1);
  point(seen.el == 1 && FIELD(seen.esr, 31, 26) == 0, undefined, "PRENR_EL1 at EL1 is UNDEFINED");
  static const char* const at = "AT and PAR_EL1, DDI 0487 C5.4";
  u64 par;
  __asm__ volatile("at s1e1r, %1; isb; mrs %0, par_el1" : "=r"(par) : "r"((u64)kVa + 0x123));
  point_value(par & 0x0000fffffffff001ul, arena + 0x3000, at, "S1E1R gives the IPA");
  __asm__ volatile("at s12e1w, %1; isb; mrs %0, par_el1" : "=r"(par) : "r"((u64)kVa));
  point_value(par & 0x0000fffffffff001ul, arena + 0x3000, at, "S12E1W gives the PA");
  area_off(kEl2, 1);
  __asm__ volatile("at s12e1r, %1; isb; mrs %0, par_el1" : "=r"(par) : "r"((u64)kVa));
  point_value(par & 0xb7f, 1 | 4 << 1 | BIT(9) | BIT(11), at,
              "S12E1R: a fault of stage 2, level 0");
  __asm__ volatile("at s1e1r, %1; isb; mrs %0, par_el1" : "=r"(par) : "r"((u64)kVa + 2 * kPage));
  point_value(par & 0xb7f, 1 | 7 << 1 | BIT(11), at, "S1E1R: a fault of stage 1, level 3");
}

void test_vmsa(void) {
  if (FIELD(MRS(id_aa64mmfr0_el1), 55, 52) != 2) {
    print("# MSA_frac: no VMSA at EL1\n");
    return;
  }
  translations();
  walks();
  contexts();
  registers_and_at();
  arch_reset();
}
