// AT and PAR_EL1.
#include "arch.h"

static const char* const rule = "AT and PAR_EL1, DDI 0487 C5.4 and D24";

#define AT(op, address)                                                      \
  ({                                                                         \
    __asm__ volatile("at " op ", %0; isb" ::"r"((u64)(address)) : "memory"); \
    MRS(par_el1);                                                            \
  })

/// `want` is kDone, or the fault that PAR_EL1.FST must hold.
static void check(u64 par, u64 address, enum outcome want, int stage, const char* text) {
  if (want == kDone) {
    const u64 got = par & 0x0000fffffffff001ul;
    point_value(got, address & ~0xffful, rule, "%s: F clear, PA", text);
    return;
  }
  const u64 fst = (want == kTranslation ? 4 : 12) | (kPmsa ? 0 : 3);
  point_value(par & 0xb7f, 1 | fst << 1 | (stage == 2 ? BIT(9) : 0) | BIT(11), rule,
              "%s: F, FST %s, S %d", text, outcome_names[want], stage == 2);
}

void test_at(void) {
  arch_reset();
  const u64 a = arena + 0x1240, b = arena + 2 * kPage, c = arena + 3 * kPage;
  area(kStage1, 0, arena + kPage, arena + 2 * kPage - 1, kRw);
  area(kStage1, 1, b, b + kPage - 1, kRoEl1Only);
  area(kEl2, 0, arena + kPage, arena + 2 * kPage - 1, kRo);
  area(kEl2, 1, c, c + kPage - 1, kEl1Only);
  check(AT("s1e1r", a), a, kDone, 1, "S1E1R of RW");
  check(AT("s1e0w", a), a, kDone, 1, "S1E0W of RW");
  check(AT("s1e1w", b), b, kPermission, 1, "S1E1W of RO");
  check(AT("s1e0r", b), b, kPermission, 1, "S1E0R of AP=10");
  check(AT("s1e1r", b), b, kDone, 1, "S1E1R of AP=10");
  check(AT("s1e1r", c), c, kTranslation, 1, "S1E1R of nothing");
  check(AT("s1e2r", a), a, kDone, 1, "S1E2R of RO");
  check(AT("s1e2w", a), a, kPermission, 1, "S1E2W of RO");
  check(AT("s1e2w", c), c, kDone, 1, "S1E2W of RW");
  check(AT("s1e2r", b), b, kTranslation, 1, "S1E2R of nothing");
  stage2(1);
  check(AT("s12e1r", a), a, kDone, 2, "S12E1R of RW under RO");
  check(AT("s12e1w", a), a, kPermission, 2, "S12E1W of RW under RO");
  check(AT("s12e0w", a), a, kPermission, 2, "S12E0W of RW under RO");
  check(AT("s12e0r", b), b, kPermission, 1, "S12E0R: stage 1 comes first");
  check(AT("s12e1r", b), b, kTranslation, 2, "S12E1R of nothing at stage 2");
  check(AT("s1e1r", b), b, kDone, 1, "S1E1R does not look at stage 2");
  control(kStage1, 0, SCTLR_M);
  check(AT("s12e1r", c), c, kPermission, 2, "S12E1R, stage 1 off, AP=00 at stage 2");

  // Attributes: index 0 or 1 is Write-Back in this world, Inner Shareable.
  arch_reset();
  area(kStage1, 0, b, b + kPage - 1, kRw);
  const u64 par = AT("s1e1r", b);
  point_value(par >> 56, 0xff, "PAR_EL1.ATTR is MAIR's byte", "PAR of Write-Back memory");
  point_value(FIELD(par, 8, 7), 3, "PAR_EL1.SH", "PAR of Inner Shareable memory");
  // From EL1.
  cpu.x[0] = b + 8;
  run_code(CODE("at s1e1r, x0; isb; mrs x1, par_el1"), 1);
  point_value(cpu.x[1] & 0x0000fffffffff001ul, b, rule, "AT S1E1R from EL1");
  cpu.x[0] = c;
  run_code(CODE("at s1e1w, x0; isb; mrs x1, par_el1"), 1);
  point_value(cpu.x[1] & 0x7f, 1 | (kPmsa ? 4 : 7) << 1, rule, "AT S1E1W of nothing from EL1");
  run_code(CODE("at s12e1r, x0"), 1);
  point(seen.el == 1 && FIELD(seen.esr, 31, 26) == 0, rule, "AT S12E1R at EL1 is UNDEFINED");
}
