// Pages that regions split: exact to 64 bytes for data and for fetches, at each stage; every load
// and store does there what it does in a whole page.
#include "arch.h"
#include "pmsa.h"

#define SVC_DONE (0xd4000001 | DONE_IMMEDIATE << 5)
#define NOP 0xd503201f

static const char* const granule = "regions have 64-byte granules, DDI 0600 C1.3";

/// The regions 3 and up of `regime` as granules of two pages: read-write, read-only, none, and so
/// on.
static unsigned stripes(int regime) {
  unsigned granules = 0;
  const unsigned count = region_count(regime) < 32 ? region_count(regime) : 32;
  for (unsigned n = kFirstSlot; n < count; ++granules) {
    const u64 at = arena + 0xe00 + granules * 64;
    if (granules % 3 == 2) continue;
    set_region(regime, n++, at, at + 63, (granules % 3 == 0 ? kRw : kRo) | kXn, 0);
  }
  return granules;
}

static void striped_data(int regime, unsigned el) {
  arch_reset();
  if (regime == kEl2 && el < 2) {
    stage2(1);
    control(kStage1, 0, SCTLR_M);
  }
  const unsigned granules = stripes(regime);
  for (unsigned g = 0; g < granules; ++g) {
    const u64 at = arena + 0xe00 + g * 64;
    const enum outcome read = g % 3 == 2 ? kTranslation : kDone;
    const enum outcome write = g % 3 == 2 ? kTranslation : g % 3 == 1 ? kPermission : kDone;
    int ok = 1;
    for (u64 byte = 0; byte < 64; byte += 56) {
      ok = ok && attempt(kWrite, el, at + byte) == write &&
           (write == kDone || seen.far == at + byte);
      ok = ok && attempt(kRead, el, at + byte) == read && (read == kDone || seen.far == at + byte);
    }
    point(ok, granule, "EL%d%s: 64 bytes at +%3x %s", (int)el,
          regime == kEl2 && el < 2 ? " by stage 2" : "", 0xe00ul + g * 64,
          g % 3 == 0   ? "read-write"
          : g % 3 == 1 ? "read-only"
                       : "none");
  }
}

// ---- Every load and store --------------------------------------------------------------------

#define FORM(text) \
  { CODE(text), text }
struct form {
  const void* code;
  const char* text;
};

static unsigned form_count(void);
static struct form form_at(unsigned n);

/// Memory around the middle of a page: read-write up to +0x5ff and from +0x600 to +0x63f, nothing
/// from +0x640 to +0x67f, read-write above.
static void split_world(int split) {
  arch_reset();
  if (split) {
    area(kStage1, 0, arena, arena + 0x5ff, kRw);
    area(kStage1, 1, arena + 0x600, arena + 0x63f, kEl1Only | kXn);
    area(kStage1, 2, arena + 0x680, arena + 0x1fff, kRw | kXn);
  } else {
    area(kStage1, 0, arena, arena + 0x1fff, kRw);
  }
}

static void prepare(u64 address) {
  const u64 sctlr = protection_off();
  for (u64 at = arena + 0x500; at < arena + 0x800; ++at) {
    *(volatile u8*)at = (u8)(at * 37 + (at >> 6));
  }
  protection_on(sctlr);
  for (unsigned n = 0; n < 31; ++n) cpu.x[n] = 0x0123456789abcdeful * (n + 3);
  cpu.x[0] = address;
  cpu.x[9] = 0;
}

static u64 checksum(void) {
  const u64 sctlr = protection_off();
  u64 sum = 0;
  for (u64 at = arena + 0x500; at < arena + 0x800; at += 8) {
    sum = (sum << 7 | sum >> 57) ^ *(volatile u64*)at;
  }
  protection_on(sctlr);
  return sum;
}

static void forms_in_split_pages(void) {
  static const char* const same = "a split page changes no result, DDI 0600 C1.3";
  static const char* const denied = "no match: Translation fault, DDI 0600 table C1-4";
  static const u64 offsets[] = {0x5c0, 0x600, 0x620, 0x680};
  for (unsigned n = 0; n < form_count(); ++n) {
    const struct form form = form_at(n);
    unsigned wrong = 0;
    for (unsigned o = 0; o < COUNT(offsets); ++o) {
      split_world(0);
      prepare(arena + offsets[o]);
      run_code(form.code, 1);
      const struct frame whole = cpu;
      const int done = seen.done;
      const u64 sum = checksum();
      split_world(1);
      prepare(arena + offsets[o]);
      run_code(form.code, 1);
      int ok = done && seen.done && checksum() == sum;
      for (unsigned r = 0; r < 31; ++r) ok = ok && cpu.x[r] == whole.x[r];
      if (!ok) {
        ++wrong;
        print("# at +%x: done %d in a whole page, %d in a split one, memory %s\n", offsets[o], done,
              seen.done, checksum() == sum ? "alike" : "differs");
        for (unsigned r = 0; r < 31; ++r) {
          if (cpu.x[r] != whole.x[r]) {
            print("# x%d: %x, %x\n", (int)r, whole.x[r], cpu.x[r]);
          }
        }
      }
    }
    point(!wrong, same, "%s", form.text);
    split_world(1);
    prepare(arena + 0x640);
    run_code(form.code, 1);
    point(outcome() == kTranslation && seen.el == 1 && seen.far - (arena + 0x640) <= 0x10 &&
              cpu.x[0] == arena + 0x640,
          denied, "%s where nothing matches", form.text);
  }
}

static unsigned all_forms(unsigned wanted, struct form* form) {
  const struct form forms[] = {
      FORM("ldrb w1, [x0]"),
      FORM("ldrsb x1, [x0, #3]"),
      FORM("ldrsb w1, [x0]"),
      FORM("ldrh w1, [x0, #6]"),
      FORM("ldrsh x1, [x0]"),
      FORM("ldr w1, [x0, #4]"),
      FORM("ldrsw x1, [x0]"),
      FORM("ldr x1, [x0, x9, lsl #3]"),
      FORM("ldr x1, [x0, w9, uxtw]"),
      FORM("ldur x1, [x0, #9]"),
      FORM("ldr x1, [x0], #16"),
      FORM("ldr x1, [x0, #16]!"),
      FORM("ldrb w1, [x0], #-1"),
      FORM("ldp x1, x2, [x0]"),
      FORM("ldp w1, w2, [x0, #8]"),
      FORM("ldpsw x1, x2, [x0]"),
      FORM("ldnp x1, x2, [x0, #16]"),
      FORM("ldp x1, x2, [x0], #16"),
      FORM("ldp x1, x2, [x0, #16]!"),
      FORM("ldar x1, [x0]"),
      FORM("ldarb w1, [x0]"),
      FORM("ldapr x1, [x0]"),
      FORM("strb w1, [x0]"),
      FORM("strh w1, [x0, #2]"),
      FORM("str w1, [x0]"),
      FORM("str x1, [x0, #8]"),
      FORM("stur x1, [x0, #5]"),
      FORM("str x1, [x0], #-8"),
      FORM("str x1, [x0, #8]!"),
      FORM("str xzr, [x0, x9]"),
      FORM("stp x1, x2, [x0]"),
      FORM("stp w1, w2, [x0, #8]"),
      FORM("stp x1, x2, [x0], #16"),
      FORM("stp x1, x2, [x0, #16]!"),
      FORM("stnp x1, x2, [x0]"),
      FORM("stlr x1, [x0]"),
      FORM("stlrh w1, [x0]"),
      FORM("mov w8, #9; 1: ldxr x1, [x0]; add x1, x1, #1; stxr w2, x1, [x0]; cbz w2, 2f; subs w8, "
           "w8, #1; b.ne 1b; 2:"),
      FORM("mov w8, #9; 1: ldaxr w1, [x0]; add w1, w1, #1; stlxr w2, w1, [x0]; cbz w2, 2f; subs "
           "w8, w8, #1; b.ne 1b; 2:"),
      FORM("mov w8, #9; 1: ldxrb w1, [x0]; eor w1, w1, #1; stxrb w2, w1, [x0]; cbz w2, 2f; subs "
           "w8, w8, #1; b.ne 1b; 2:"),
      FORM("mov w8, #9; 1: ldxp x1, x3, [x0]; eor x1, x1, #1; stxp w2, x1, x3, [x0]; cbz w2, 2f; "
           "subs w8, w8, #1; b.ne 1b; 2:"),
      FORM("ldxr x1, [x0]; clrex; stxr w2, x1, [x0]"),
      FORM("cas x1, x2, [x0]"),
      FORM("ldr x1, [x0]; casal x1, x2, [x0]"),
      FORM("ldp x2, x3, [x0]; casp x2, x3, x4, x5, [x0]"),
      FORM("swp x1, x2, [x0]"),
      FORM("swpalb w1, w2, [x0]"),
      FORM("ldadd x1, x2, [x0]"),
      FORM("ldaddal w1, w2, [x0]"),
      FORM("ldclr x1, x2, [x0]"),
      FORM("ldset x1, x2, [x0]"),
      FORM("ldeor x1, x2, [x0]"),
      FORM("ldsmax x1, x2, [x0]"),
      FORM("ldumin w1, w2, [x0]"),
      FORM("stadd x1, [x0]"),
      FORM("stsetb w1, [x0]"),
      FORM("ldr q1, [x0]; umov x2, v1.d[0]; umov x3, v1.d[1]"),
      FORM("ldr d1, [x0, #8]; umov x2, v1.d[0]"),
      FORM("ldr s1, [x0], #4; umov w2, v1.s[0]"),
      FORM("ldr h1, [x0]; umov w2, v1.h[0]"),
      FORM("ldp q1, q2, [x0]; umov x2, v1.d[1]; umov x3, v2.d[1]"),
      FORM("dup v1.2d, x1; str q1, [x0]"),
      FORM("dup v1.2d, x1; dup v2.2d, x2; stp q1, q2, [x0], #32"),
      FORM("dup v1.2d, x1; str b1, [x0, #1]"),
      FORM("ld1 {v1.16b, v2.16b}, [x0]; umov x2, v1.d[1]; umov x3, v2.d[0]"),
      FORM("ld2 {v1.4s, v2.4s}, [x0]; umov x2, v1.d[1]; umov x3, v2.d[0]"),
      FORM("ld4 {v1.8b, v2.8b, v3.8b, v4.8b}, [x0]; umov x2, v1.d[0]; umov x3, v4.d[0]"),
      FORM("ld1r {v1.2d}, [x0]; umov x2, v1.d[1]"),
      FORM("movi v1.2d, #0; ld1 {v1.h}[3], [x0], #2; umov x2, v1.d[0]"),
      FORM("dup v1.2d, x1; dup v2.2d, x2; st1 {v1.16b, v2.16b}, [x0]"),
      FORM("dup v1.2d, x1; dup v2.2d, x2; st2 {v1.8h, v2.8h}, [x0], #32"),
      FORM("dup v1.2d, x1; st1 {v1.s}[1], [x0]"),
  };
  if (form && wanted < COUNT(forms)) *form = forms[wanted];
  return COUNT(forms);
}

static unsigned form_count(void) {
  return all_forms(0, 0);
}

static struct form form_at(unsigned n) {
  struct form form = {0};
  all_forms(n, &form);
  return form;
}

/// Accesses over a boundary: both sides must permit them.
static void over_boundaries(void) {
  static const char* const rule = "every byte of an access is checked, DDI 0600 C1.3";
  split_world(1);
  prepare(arena + 0x5fc);
  run_code(CODE("ldr x1, [x0]"), 1);
  point(seen.done && cpu.x[1] == peek64(arena + 0x5fc), rule, "a load over two regions");
  run_code(CODE("mvn x2, x1; str x2, [x0]"), 1);
  point(seen.done && peek64(arena + 0x5fc) == ~cpu.x[1], rule, "a store over two regions");
  cpu.x[0] = arena + 0x63c;
  run_code(CODE("ldr x1, [x0]"), 1);
  point(outcome() == kTranslation && (seen.far == arena + 0x63c || seen.far == arena + 0x640), rule,
        "a load into the hole");
  run_code(CODE("str x1, [x0]"), 1);
  point(outcome() == kTranslation && FIELD(seen.esr, 6, 6), rule, "a store into the hole");
  cpu.x[0] = arena + 0x678;
  run_code(CODE("ldp x1, x2, [x0]"), 1);
  point(outcome() == kTranslation && seen.far == arena + 0x678, rule, "a pair out of the hole");
  cpu.x[0] = arena + 0x638;
  run_code(CODE("ldp x1, x2, [x0]"), 1);
  point(outcome() == kTranslation && (seen.far == arena + 0x638 || seen.far == arena + 0x640), rule,
        "a pair into the hole");
  // EL0 sees the middle region as denied.
  cpu.x[0] = arena + 0x5fc;
  run_code(CODE("ldr x1, [x0]"), 0);
  point(outcome() == kPermission && (seen.far == arena + 0x5fc || seen.far == arena + 0x600), rule,
        "EL0, a load into a region that denies it");
  cpu.x[0] = arena + 0x600;
  run_code(CODE("ldtr x1, [x0]"), 1);
  point(outcome() == kPermission, rule, "LDTR of a region that denies EL0, in a split page");
  cpu.x[0] = arena + 0x5f8;
  run_code(CODE("ldtr x1, [x0]"), 1);
  point(seen.done && cpu.x[1] == peek64(arena + 0x5f8), rule, "LDTR in a split page");
}

/// A stack that runs through a split page, and a loop that counts there.
static void hot_data(void) {
  static const char* const rule = "a split page changes no result, DDI 0600 C1.3";
  split_world(1);
  prepare(arena + 0x620);
  cpu.x[1] = 0;
  cpu.x[2] = 5000;
  poke64(arena + 0x620, 0);
  run_code(CODE("1: ldr x1, [x0]; add x1, x1, #3; str x1, [x0]; subs x2, x2, #1; b.ne 1b"), 1);
  point(seen.done && peek64(arena + 0x620) == 15000, rule, "a counter, 5000 times");
  prepare(0);
  cpu.sp_el1 = arena + 0x640;
  cpu.x[1] = 40;
  cpu.x[2] = 2000;
  run_code(
      CODE("1: mov x3, #12; 2: stp x1, x3, [sp, #-16]!; subs x3, x3, #1; b.ne 2b; mov x3, #12; "
           "3: ldp x4, x5, [sp], #16; add x1, x1, x5; subs x3, x3, #1; b.ne 3b; "
           "subs x2, x2, #1; b.ne 1b; mov x6, sp"),
      1);
  point(seen.done && cpu.x[1] == 40 + 2000 * 78 && cpu.x[6] == arena + 0x640, rule,
        "a stack through three regions, 2000 times");
}

/// Zeroing a block, prefetching and literals.
static void other_accesses(void) {
  static const char* const zva = "DC ZVA is a store of its block, DDI 0487 C5.3; DDI 0600 C1.3";
  const u64 block = 4ul << FIELD(MRS(dczid_el0), 3, 0);
  point_value(block, 64, "DCZID_EL0 of a Cortex-R82", "the block of DC ZVA");
  split_world(1);
  prepare(arena + 0x608);
  run_code(CODE("dc zva, x0"), 1);
  point(seen.done && peek64(arena + 0x600) == 0 && peek64(arena + 0x638) == 0 &&
            peek64(arena + 0x5f8) != 0 && peek64(arena + 0x640) != 0,
        zva, "DC ZVA zeroes its 64 bytes in a split page");
  prepare(arena + 0x648);
  run_code(CODE("dc zva, x0"), 1);
  point(outcome() == kTranslation && FIELD(seen.esr, 6, 6) && peek64(arena + 0x640) != 0, zva,
        "DC ZVA where nothing matches");
  area(kStage1, 1, arena + 0x600, arena + 0x63f, kRo);
  prepare(arena + 0x600);
  run_code(CODE("dc zva, x0"), 1);
  point(outcome() == kPermission && FIELD(seen.esr, 6, 6), zva, "DC ZVA of a read-only region");
  cpu.x[0] = arena + 0x640;
  run_code(CODE("prfm pldl1keep, [x0]; prfm pstl1keep, [x0]"), 1);
  point(seen.done, "a prefetch never faults, DDI 0487 C6.2", "PRFM where nothing matches");
  // ldr x1, .+0x38; svc: the literal is in the same granule, then one behind it.
  poke32(arena + 0x600, 0x58000000 | 0x38 / 4 << 5 | 1);
  poke32(arena + 0x604, SVC_DONE);
  run_at(arena + 0x600, kEl1h);
  point(seen.done && cpu.x[1] == peek64(arena + 0x638), granule, "a literal in the code's region");
  poke32(arena + 0x600, 0x58000000 | 0x40 / 4 << 5 | 1);
  run_at(arena + 0x600, kEl1h);
  point(outcome() == kTranslation && seen.far == arena + 0x640, granule,
        "a literal where nothing matches");
}

/// A device register block seen through 64 bytes.
static void split_device(void) {
  arch_reset();
  set_region(kStage1, 2, 0x9c090000, 0x9c09003f, kRw | kXn, 1);
  cpu.x[0] = 0x9c090018;
  run_code(CODE("ldr w1, [x0]"), 1);
  point(seen.done && (cpu.x[1] & 0x80), granule, "the UART's flags in a region of 64 bytes");
  cpu.x[0] = 0x9c090040;
  run_code(CODE("ldr w1, [x0]"), 1);
  point(outcome() == kTranslation && seen.far == 0x9c090040, granule,
        "the UART behind that region");
}

// ---- Fetch -----------------------------------------------------------------------------------

/// Fills [at, at + bytes) with NOPs and an SVC as the last instruction.
static void nops(u64 at, u64 bytes) {
  for (u64 offset = 0; offset < bytes; offset += 4) {
    poke32(at + offset, offset + 4 == bytes ? SVC_DONE : NOP);
  }
}

static void fetches(int regime, unsigned el) {
  const unsigned to = el == 2 || regime == kEl2 ? 2 : 1;
  const char* const how = regime == kEl2 && el < 2 ? " by stage 2" : "";
  const u64 a = arena;
  arch_reset();
  if (regime == kEl2 && el < 2) {
    stage2(1);
    control(kStage1, 0, SCTLR_M);
  }
  area(regime, 0, a + 0x7c0, a + 0x7ff, kRo);
  area(regime, 1, a + 0x800, a + 0x83f, kRo | kXn);
  area(regime, 2, a + 0x880, a + 0x8ff, kRo);
  area(regime, 3, a + 0x900, a + 0x13ff, kRo);
  nops(a + 0x780, 0x200);
  run_at(a + 0x7c0, pstate_of(el));
  point(outcome() == kPermission && seen.el == to && seen.elr == a + 0x800 && seen.far == a + 0x800,
        granule, "EL%d%s: running into a region that is XN", (int)el, how);
  run_at(a + 0x83c, pstate_of(el));
  point(outcome() == kPermission && seen.elr == a + 0x83c, granule,
        "EL%d%s: a branch into a region that is XN", (int)el, how);
  run_at(a + 0x840, pstate_of(el));
  point(outcome() == kTranslation && seen.elr == a + 0x840, granule, "EL%d%s: a branch to nothing",
        (int)el, how);
  run_at(a + 0x87c, pstate_of(el));
  point(outcome() == kTranslation && seen.elr == a + 0x87c, granule,
        "EL%d%s: a branch to the last word of nothing", (int)el, how);
  run_at(a + 0x7bc, pstate_of(el));
  point(outcome() == kTranslation && seen.elr == a + 0x7bc, granule,
        "EL%d%s: a branch to the word below a region", (int)el, how);
  run_at(a + 0x884, pstate_of(el));
  point(seen.done && seen.elr == a + 0x980, granule, "EL%d%s: running over two regions", (int)el,
        how);
  nops(a + 0xf00, 0x200);
  run_at(a + 0xf00, pstate_of(el));
  point(seen.done && seen.elr == a + 0x1100, granule, "EL%d%s: running over two split pages",
        (int)el, how);
  nops(a + 0x1380, 0x100);
  run_at(a + 0x1380, pstate_of(el));
  point(outcome() == kTranslation && seen.elr == a + 0x1400, granule,
        "EL%d%s: running out of the last region", (int)el, how);
}

/// Code and its data in one page, and code that comes and goes.
static void code_and_data(void) {
  static const char* const rule = "a split page changes no result, DDI 0600 C1.3";
  const u64 a = arena;
  arch_reset();
  area(kStage1, 0, a + 0x100, a + 0x13f, kRo);
  area(kStage1, 1, a + 0x140, a + 0x17f, kRw | kXn);
  // 1: ldr x1, [x0]; add x1, x1, #1; str x1, [x0]; subs x2, x2, #1; b.ne 1b; svc
  static const u32 loop[] = {0xf9400001, 0x91000421, 0xf9000001, 0xf1000442, 0x54ffff81, SVC_DONE};
  for (unsigned n = 0; n < COUNT(loop); ++n) poke32(a + 0x100 + n * 4, loop[n]);
  poke64(a + 0x178, 0);
  cpu.x[0] = a + 0x178;
  cpu.x[2] = 3000;
  run_at(a + 0x100, kEl1h);
  point(seen.done && peek64(a + 0x178) == 3000, rule, "a loop and its counter in one page");
  static const char* const prenr = "PRENR takes a region away and gives it back, DDI 0600 G1.3";
  unsigned good = 0;
  for (unsigned n = 0; n < 50; ++n) {
    MSR(PRENR_EL1, BIT(kFirstSlot) - 1);
    ISB();
    cpu.x[2] = 1;
    run_at(a + 0x100, kEl1h);
    good += outcome() == kTranslation && seen.elr == a + 0x100;
    MSR(PRENR_EL1, BIT(kFirstSlot + 2) - 1);
    ISB();
    cpu.x[2] = 2;
    run_at(a + 0x100, kEl1h);
    good += seen.done;
  }
  point(good == 100 && peek64(a + 0x178) == 3100, prenr, "the loop, 50 times disabled and enabled");
  // Code that rewrites the instruction behind it; read-write for EL1 alone, so executable.
  static const char* const coherent = "code that changes, DDI 0487 B2.4";
  area(kStage1, 0, a + 0x100, a + 0x13f, kEl1Only);
  // str w1, [x0]; dc cvau, x0; dsb sy; ic ivau, x0; dsb sy; isb; movz x3, #1; svc
  static const u32 patch[] = {0xb9000001, 0xd50b7b20, 0xd5033f9f, 0xd50b7520,
                              0xd5033f9f, 0xd5033fdf, 0xd2800023, SVC_DONE};
  good = 0;
  for (unsigned n = 0; n < COUNT(patch); ++n) poke32(a + 0x100 + n * 4, patch[n]);
  for (u64 n = 0; n < 20; ++n) {
    cpu.x[0] = a + 0x118;
    cpu.x[1] = 0xd2800003 | (n + 7) << 5;  // movz x3, #n + 7
    run_at(a + 0x100, kEl1h);
    good += seen.done && cpu.x[3] == n + 7;
  }
  point(good == 20, coherent, "code in a split page that rewrites itself, 20 times");
}

void test_split(void) {
  striped_data(kStage1, 1);
  striped_data(kStage1, 0);
  striped_data(kEl2, 2);
  striped_data(kEl2, 1);
  striped_data(kEl2, 0);
  forms_in_split_pages();
  over_boundaries();
  other_accesses();
  hot_data();
  split_device();
  fetches(kStage1, 1);
  fetches(kStage1, 0);
  fetches(kEl2, 2);
  fetches(kEl2, 1);
  fetches(kEl2, 0);
  code_and_data();
  arch_reset();
}
