// Who may do what: AP and XN at stage 1 of EL1&0, at EL2 and at stage 2; WXN; both stages together.
#include "arch.h"

static const char* const ap_names[4] = {"AP=00", "AP=01", "AP=10", "AP=11"};

/// What each Exception level may do by AP: the rules written out, not derived.
static const char* const el1_rights[4] = {"rwx", "rw-", "r-x", "r-x"};
static const char* const el0_rights[4] = {"---", "rwx", "---", "r-x"};
static const char* const el2_rights[4] = {"rwx", "rwx", "r-x", "r-x"};
static const char* const lower_rights[4] = {"---", "rwx", "---", "r-x"};

/// The same with SCTLR_ELx.WXN: what may be written is not executed.
static const char* const el1_rights_wxn[4] = {"rw-", "rw-", "r-x", "r-x"};
static const char* const el0_rights_wxn[4] = {"---", "rw-", "---", "r-x"};
static const char* const el2_rights_wxn[4] = {"rw-", "rw-", "r-x", "r-x"};

static const char* rule_of(enum access access, unsigned el, unsigned ap, unsigned xn, int wxn) {
  if (access != kFetch) return "DDI 0600 G1.3 PRBAR.AP";
  if (xn) return "DDI 0600 G1.3 PRBAR.XN";
  if (wxn && !(ap & 2)) return "SCTLR_ELx.WXN";
  if (el == 1 && ap == 1) return "EL0-writable is never executable at EL1, DDI 0487 D8.4";
  return "DDI 0600 G1.3 PRBAR.AP";
}

/// One row: an area of `ap` and `xn` of `regime`, used from `el`, which `rights` describe.
static void row(int regime, unsigned el, unsigned ap, unsigned xn, int wxn, const char* rights,
                int forbids_execution, const char* where) {
  area(regime, 0, arena, arena + kPage - 1, ap | xn);
  for (enum access access = kRead; access <= kFetch; ++access) {
    // What can not be read may still be executable under VMSAv8-64.
    if (!kPmsa && access == kFetch && rights[kRead] == '-') continue;
    const int may = rights[access] != '-' && !(access == kFetch && forbids_execution);
    const enum outcome got = attempt(access, el, arena);
    const unsigned to_el = el == 2 || regime == kEl2 ? 2 : 1;
    const int ok = may ? got == kDone : got == kPermission && seen.el == to_el && seen.far == arena;
    point(ok, rule_of(access, el, ap, xn, wxn), "%s %s XN=%d%d%s: EL%d %s %s", where, ap_names[ap],
          xn & kXn1 ? 1 : 0, xn & kXn0 ? 1 : 0, wxn ? " WXN" : "", (int)el, access_names[access],
          may ? "succeeds" : "permission fault");
  }
}

static void stage1_rows(void) {
  arch_reset();
  fill_arena();
  for (int wxn = 0; wxn < 2; ++wxn) {
    control(kStage1, wxn ? SCTLR_WXN : 0, SCTLR_WXN);
    control(kEl2, wxn ? SCTLR_WXN : 0, SCTLR_WXN);
    for (unsigned ap = 0; ap < 4; ++ap) {
      for (unsigned xn = 0; xn < 4; ++xn) {
        if (!kPmsa && xn & 1) continue;  // XN[0] has no meaning there at stage 1.
        const unsigned bits = (xn & 1 ? kXn0 : 0) | (xn & 2 ? kXn1 : 0);
        row(kStage1, 1, ap, bits, wxn, wxn ? el1_rights_wxn[ap] : el1_rights[ap], (xn & 2) != 0,
            "EL1&0 stage 1");
        row(kStage1, 0, ap, bits, wxn, wxn ? el0_rights_wxn[ap] : el0_rights[ap], (xn & 2) != 0,
            "EL1&0 stage 1");
        area_off(kStage1, 0);
        row(kEl2, 2, ap, bits, wxn, wxn ? el2_rights_wxn[ap] : el2_rights[ap], (xn & 2) != 0,
            "EL2");
        area_off(kEl2, 0);
      }
    }
  }
}

static void stage2_rows(void) {
  arch_reset();
  fill_arena();
  stage2(1);
  // Stage 1 off: it permits everything.
  control(kStage1, 0, SCTLR_M);
  for (unsigned ap = 0; ap < 4; ++ap) {
    for (unsigned xn = 0; xn < 4; ++xn) {
      if (!kPmsa && xn & 2) continue;
      const unsigned bits = (xn & 1 ? kXn0 : 0) | (xn & 2 ? kXn1 : 0);
      row(kEl2, 1, ap, bits, 0, lower_rights[ap], xn & 1, "stage 2");
      row(kEl2, 0, ap, bits, 0, lower_rights[ap], xn & 1, "stage 2");
    }
  }
  // WXN of EL2 is no matter of stage 2.
  control(kEl2, SCTLR_WXN, 0);
  row(kEl2, 1, kRw, 0, 0, "rwx", 0, "stage 2 under SCTLR_EL2.WXN");
  control(kEl2, 0, SCTLR_WXN);
}

/// Stage 1 answers first; what both permit is permitted.
static void both_stages(void) {
  static const char* const rule = "both stages must permit it; stage 1 faults first, DDI 0487 D8";
  arch_reset();
  fill_arena();
  stage2(1);
  const u64 a = arena;
  area(kStage1, 0, a, a + kPage - 1, kRo);
  area(kEl2, 0, a, a + kPage - 1, kRw);
  expect(kRead, 0, a, kDone, 0, rule, "stage 1 RO, stage 2 RW");
  expect(kWrite, 0, a, kPermission, 1, rule, "stage 1 RO, stage 2 RW");
  area(kStage1, 0, a, a + kPage - 1, kRw);
  area(kEl2, 0, a, a + kPage - 1, kRo);
  expect(kRead, 0, a, kDone, 0, rule, "stage 1 RW, stage 2 RO");
  expect(kWrite, 0, a, kPermission, 2, rule, "stage 1 RW, stage 2 RO");
  area(kStage1, 0, a, a + kPage - 1, kRo);
  area(kEl2, 0, a, a + kPage - 1, kRo | kXn0);
  expect(kFetch, 1, a, kPermission, 2, rule, "stage 1 X, stage 2 XN");
  area(kStage1, 0, a, a + kPage - 1, kRo | kXn1);
  expect(kFetch, 1, a, kPermission, 1, rule, "both XN");
  area_off(kEl2, 0);
  expect(kRead, 1, a, kTranslation, 2, rule, "stage 1 RO, nothing at stage 2");
  expect(kWrite, 1, a, kPermission, 1, rule, "stage 1 RO, nothing at stage 2");
  area_off(kStage1, 0);
  expect(kRead, 1, a, kTranslation, 1, rule, "nothing at either stage");
  area(kEl2, 0, a, a + kPage - 1, kRw);
  expect(kRead, 1, a, kTranslation, 1, rule, "nothing at stage 1");
  expect(kRead, 2, a, kDone, 0, "EL2's own accesses have one stage", "the area of stage 2");
  control(kStage1, 0, SCTLR_M);
  expect(kRead, 0, a, kDone, 0, "SCTLR_EL1.M = 0: stage 1 permits all", "stage 1 off");
  expect(kWrite, 0, a + kPage, kTranslation, 2, "SCTLR_EL1.M = 0: stage 2 still checks",
         "stage 1 off");
}

/// PSTATE.PAN and unprivileged loads and stores.
static void unprivileged(void) {
  static const char* const ldtr = "LDTR and STTR act as EL0 accesses, DDI 0487 C3.2.5";
  arch_reset();
  area(kStage1, 0, arena, arena + kPage - 1, kEl1Only | kXn);
  area(kStage1, 1, arena + kPage, arena + 2 * kPage - 1, kRw | kXn);
  cpu.x[0] = arena;
  run_code(CODE("ldtr x1, [x0]"), 1);
  point(outcome() == kPermission && seen.el == 1, ldtr, "LDTR of AP=00 faults");
  run_code(CODE("sttr xzr, [x0]"), 1);
  point(outcome() == kPermission && FIELD(seen.esr, 6, 6), ldtr, "STTR to AP=00 faults");
  cpu.x[0] = arena + kPage;
  run_code(CODE("ldtr x1, [x0]"), 1);
  point(outcome() == kDone, ldtr, "LDTR of AP=01 succeeds");
  if (!FIELD(MRS(id_aa64mmfr1_el1), 23, 20)) return;
  static const char* const pan = "PSTATE.PAN, DDI 0487 D8.4";
  run_code(CODE("msr pan, #1; ldr x1, [x0]"), 1);
  point(outcome() == kPermission && seen.el == 1, pan, "PAN: EL1 read of AP=01 faults");
  run_code(CODE("msr pan, #1; str x1, [x0]"), 1);
  point(outcome() == kPermission && seen.el == 1, pan, "PAN: EL1 write of AP=01 faults");
  run_code(CODE("msr pan, #1; ldtr x1, [x0]"), 1);
  point(outcome() == kDone, pan, "PAN: LDTR of AP=01 succeeds");
  cpu.x[0] = arena;
  run_code(CODE("msr pan, #1; ldr x1, [x0]"), 1);
  point(outcome() == kDone, pan, "PAN: EL1 read of AP=00 succeeds");
}

void test_permissions(void) {
  stage1_rows();
  stage2_rows();
  both_stages();
  unprivileged();
}
