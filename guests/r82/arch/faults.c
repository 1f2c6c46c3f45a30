// Syndromes: EC, IL, DFSC and its level, WnR, FAR, HPFAR and, at stage 2, ISV, SAS, SSE, SRT, SF,
// AR.
#include "arch.h"

static const char* const esr = "ESR_ELx, DDI 0487 D24; FSC level 0, DDI 0600";
static const char* const hpfar = "HPFAR_EL2, DDI 0487 D24";

/// FSC of a fault: on a PMSA machine always level 0, else that of the last table.
static u64 code_of(enum outcome what) {
  const u64 level = kPmsa ? 0 : 3;
  return (what == kTranslation ? 4 : 12) | level;
}

static void check(unsigned el, unsigned vector, u64 ec, u64 iss, u64 far, const char* text) {
  const u64 want = ec << 26 | 1ul << 25 | iss;
  // QEMU sets ISV also for stage 1 faults from EL2.
  const u64 compared = kPmsa || ec != 0x25 || el != 2 ? ~0ul : ~0x1ffc000ul;
  const int ok =
      seen.el == el && seen.vector == vector && !((seen.esr ^ want) & compared) && seen.far == far;
  point(ok, esr, "%s: EL%d, ESR %8x, FAR exact", text, (int)el, want);
}

static void stage1_syndromes(void) {
  arch_reset();
  fill_arena();
  const u64 a = arena + 0x5f8;
  for (int denied = 0; denied < 2; ++denied) {
    const enum outcome what = denied ? kPermission : kTranslation;
    const char* const text = denied ? "permission fault" : "translation fault";
    if (denied) {
      area(kStage1, 0, arena, arena + kPage - 1, kRo | kXn);
      area(kEl2, 0, arena, arena + kPage - 1, kRo | kXn);
    }
    const u64 wnr = 1 << 6;
    print("# stage 1, %s\n", text);
    if (!denied) {
      attempt(kRead, 1, a);
      check(1, 4, 0x25, code_of(what), a, "read at EL1");
      attempt(kRead, 0, a + 1);
      check(1, 8, 0x24, code_of(what), a + 1, "unaligned read at EL0");
      attempt(kRead, 2, a);
      check(2, 4, 0x25, code_of(what), a, "read at EL2");
    }
    attempt(kWrite, 1, a + 3);
    check(1, 4, 0x25, code_of(what) | wnr, a + 3, "unaligned write at EL1");
    attempt(kWrite, 0, a);
    check(1, 8, 0x24, code_of(what) | wnr, a, "write at EL0");
    attempt(kWrite, 2, a);
    check(2, 4, 0x25, code_of(what) | wnr, a, "write at EL2");
    attempt(kFetch, 1, a);
    check(1, 4, 0x21, code_of(what), a, "fetch at EL1");
    attempt(kFetch, 0, a);
    check(1, 8, 0x20, code_of(what), a, "fetch at EL0");
    attempt(kFetch, 2, a);
    check(2, 4, 0x21, code_of(what), a, "fetch at EL2");
  }
}

/// The same for EL0 and EL1 under stage 2 only.
static void stage2_syndromes(void) {
  arch_reset();
  fill_arena();
  stage2(1);
  control(kStage1, 0, SCTLR_M);
  const u64 a = arena + kPage + 0x128;
  const u64 isv_ldr = 1ul << 24 | 3 << 22 | 1 << 16 | 1 << 15;  // ISV, SAS 3, SRT x1, SF.
  const u64 isv_str = 1ul << 24 | 3 << 22 | 1 << 16 | 1 << 15 | 1 << 6;
  print("# stage 2\n");
  for (unsigned el = 0; el < 2; ++el) {
    attempt(kRead, el, a);
    check(2, 8, 0x24, isv_ldr | code_of(kTranslation), a, "read");
    point_value(seen.hpfar, a >> 12 << 4, hpfar, "EL%d read: HPFAR has the page", (int)el);
    attempt(kWrite, el, a + 8);
    check(2, 8, 0x24, isv_str | code_of(kTranslation), a + 8, "write");
    point_value(seen.hpfar, a >> 12 << 4, hpfar, "EL%d write: HPFAR has the page", (int)el);
    attempt(kFetch, el, a);
    check(2, 8, 0x20, code_of(kTranslation), a, "fetch");
    point_value(seen.hpfar, a >> 12 << 4, hpfar, "EL%d fetch: HPFAR has the page", (int)el);
  }
  area(kEl2, 0, arena + kPage, arena + 2 * kPage - 1, kRo | kXn0);
  for (unsigned el = 0; el < 2; ++el) {
    attempt(kWrite, el, a);
    check(2, 8, 0x24, isv_str | code_of(kPermission), a, "denied write");
    attempt(kFetch, el, a);
    check(2, 8, 0x20, code_of(kPermission), a, "denied fetch");
  }
  // HCR_EL2.TGE sends EL0's stage 1 faults to EL2; with stage 1 off there, only stage 2 is left,
  // and it is off as well: nothing faults.
  stage2(0);
  MSR(hcr_el2, MRS(hcr_el2) | BIT(27));
  ISB();
  attempt(kRead, 0, a);
  const int svc = seen.el == 2 && seen.vector == 8 && FIELD(seen.esr, 31, 26) == 0x15;
  point(svc, "HCR_EL2.TGE turns stage 1 of EL1&0 off and routes to EL2", "EL0 read under TGE");
}

/// What a load or store of each form reports at stage 2.
struct form {
  const void* code;
  const char* text;
  int isv;
  unsigned sas, sse, srt, sf, ar, wnr;
  int offset;
};
#define FORM(text, ...) \
  { CODE(text), text, __VA_ARGS__ }

static void stage2_forms(void) {
  static const char* const rule = "ISS of a data abort at stage 2, DDI 0487 D24";
  const struct form forms[] = {
      FORM("ldrb w2, [x0]", 1, 0, 0, 2, 0, 0, 0, 0),
      FORM("ldrsb w3, [x0]", 1, 0, 1, 3, 0, 0, 0, 0),
      FORM("ldrsb x3, [x0]", 1, 0, 1, 3, 1, 0, 0, 0),
      FORM("ldrh w4, [x0, #2]", 1, 1, 0, 4, 0, 0, 0, 2),
      FORM("ldrsh x5, [x0]", 1, 1, 1, 5, 1, 0, 0, 0),
      FORM("ldr w6, [x0, #4]", 1, 2, 0, 6, 0, 0, 0, 4),
      FORM("ldrsw x7, [x0]", 1, 2, 1, 7, 1, 0, 0, 0),
      FORM("ldr x30, [x0, x9]", 1, 3, 0, 30, 1, 0, 0, 0),
      FORM("ldur x8, [x0, #1]", 1, 3, 0, 8, 1, 0, 0, 1),
      FORM("strb wzr, [x0]", 1, 0, 0, 31, 0, 0, 1, 0),
      FORM("strh w9, [x0]", 1, 1, 0, 9, 0, 0, 1, 0),
      FORM("str w10, [x0, #12]", 1, 2, 0, 10, 0, 0, 1, 12),
      FORM("str x11, [x0]", 1, 3, 0, 11, 1, 0, 1, 0),
      FORM("ldar x12, [x0]", 1, 3, 0, 12, 1, 1, 0, 0),
      FORM("stlr w13, [x0]", 1, 2, 0, 13, 0, 1, 1, 0),
      FORM("ldr x1, [x0], #8", 0, 0, 0, 0, 0, 0, 0, 0),
      FORM("str x1, [x0, #8]!", 0, 0, 0, 0, 0, 0, 1, 8),
      FORM("ldp x1, x2, [x0]", 0, 0, 0, 0, 0, 0, 0, 0),
      FORM("stp x1, x2, [x0]", 0, 0, 0, 0, 0, 0, 1, 0),
      FORM("ldxr x1, [x0]", 0, 0, 0, 0, 0, 0, 0, 0),
      FORM("ldr q1, [x0]", 0, 0, 0, 0, 0, 0, 0, 0),
      FORM("st1 {v0.16b, v1.16b}, [x0]", 0, 0, 0, 0, 0, 0, 1, 0),
  };
  arch_reset();
  stage2(1);
  control(kStage1, 0, SCTLR_M);
  for (unsigned n = 0; n < COUNT(forms); ++n) {
    const struct form* f = &forms[n];
    cpu.x[0] = arena + 0x40;
    cpu.x[9] = 0;
    run_code(f->code, 1);
    u64 want = 0x24ul << 26 | 1ul << 25 | code_of(kTranslation) | (u64)f->wnr << 6;
    if (f->isv) {
      want |= 1ul << 24 | (u64)f->sas << 22 | (u64)f->sse << 21 | (u64)f->srt << 16 |
              (u64)f->sf << 15 | (u64)f->ar << 14;
    }
    point(seen.el == 2 && seen.esr == want && seen.far == arena + 0x40 + f->offset &&
              cpu.x[0] == arena + 0x40,
          rule, "%s: ESR %8x, base register unchanged", f->text, want);
  }
}

void test_faults(void) {
  stage1_syndromes();
  stage2_syndromes();
  stage2_forms();
}
