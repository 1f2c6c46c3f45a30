// Which addresses a region holds: granule, inclusive limits, overlaps, changes while it is enabled.
#include "arch.h"
#include "pmsa.h"

static const char* const limits = "BASE <= address <= LIMIT:111111, DDI 0600 C1.3";
static const char* const overlap = "more than one match: Translation fault, DDI 0600 table C1-4";

/// Reads around the edges of region [first, last] from `el`.
static void edges(int regime, unsigned el, u64 first, u64 last) {
  static const char* const levels[3] = {"EL0", "EL1", "EL2"};
  const unsigned to = el == 2 || regime == kEl2 ? 2 : 1;
  area(regime, 0, first, last, kRw | kXn);
  struct {
    u64 address;
    enum outcome want;
  } const cases[] = {
      {first, kDone}, {last - 7, kDone}, {first - 8, kTranslation}, {last + 1, kTranslation}};
  for (unsigned n = 0; n < COUNT(cases); ++n) {
    const enum outcome got = attempt(kRead, el, cases[n].address);
    point(got == cases[n].want && (got == kDone || (seen.el == to && seen.far == cases[n].address)),
          limits, "%s region [%x, %x], %s: %x %s", regime == kEl2 ? "EL2" : "EL1", first, last,
          levels[el], cases[n].address, outcome_names[cases[n].want]);
  }
  area_off(regime, 0);
}

static void limits_of_regions(void) {
  const u64 a = arena;
  struct {
    u64 first, last;
  } const ranges[] = {{a, a + 63},
                      {a + 64, a + 127},
                      {a + 0x3c0, a + 0x43f},
                      {a + 0xfc0, a + 0x103f},
                      {a + 0x1000, a + 0x1fff},
                      {a + 0x40, a + 0x12fbf},
                      {a + 0x400, a + 0x7ff}};
  arch_reset();
  for (unsigned n = 0; n < COUNT(ranges); ++n) {
    edges(kStage1, 1, ranges[n].first, ranges[n].last);
    edges(kStage1, 0, ranges[n].first, ranges[n].last);
    edges(kEl2, 2, ranges[n].first, ranges[n].last);
  }
  stage2(1);
  control(kStage1, 0, SCTLR_M);
  for (unsigned n = 0; n < COUNT(ranges); ++n) {
    edges(kEl2, 1, ranges[n].first, ranges[n].last);
    edges(kEl2, 0, ranges[n].first, ranges[n].last);
  }
}

static void odd_regions(int regime, unsigned el) {
  const unsigned to = el == 2 || regime == kEl2 ? 2 : 1;
  const u64 a = arena;
  arch_reset();
  if (regime == kEl2 && el < 2) {
    stage2(1);
    control(kStage1, 0, SCTLR_M);
  }
  area(regime, 0, a + 0x1000, a + 0xfff, kRw | kXn);
  expect(kRead, el, a + 0x1000, kTranslation, to, limits, "BASE above LIMIT holds nothing");
  area(regime, 0, a + 0x2000, a + 0xfff, kRw | kXn);
  expect(kRead, el, a + 0x1800, kTranslation, to, limits, "BASE above LIMIT is not turned round");
  area(regime, 0, a, a + 0x1fff, kRw | kXn);
  area(regime, 1, a + 0x1fc0, a + 0x2fff, kRw | kXn);
  expect(kRead, el, a + 0x1fb8, kDone, to, overlap, "below the overlap");
  expect(kRead, el, a + 0x1fc0, kTranslation, to, overlap, "first of the overlap");
  expect(kWrite, el, a + 0x1ff8, kTranslation, to, overlap, "last of the overlap");
  expect(kRead, el, a + 0x2000, kDone, to, overlap, "above the overlap");
  area(regime, 1, a, a + 0x1fff, kRw | kXn);
  expect(kRead, el, a, kTranslation, to, overlap, "two equal regions");
  area_off(regime, 1);
  expect(kRead, el, a, kDone, to, overlap, "one of two equal regions disabled");
  // The same by PRENR.
  area(regime, 1, a, a + 0x1fff, kRo | kXn);
  static const char* const prenr = "PRENR enables and disables, DDI 0600 G1.3";
  const u64 both = BIT(kFirstSlot + 2) - 1;
#define SET_PRENR(v)      \
  do {                    \
    if (regime == kEl2) { \
      MSR(PRENR_EL2, v);  \
    } else {              \
      MSR(PRENR_EL1, v);  \
    }                     \
    ISB();                \
  } while (0)
  SET_PRENR(both & ~BIT(kFirstSlot));
  expect(kWrite, el, a, kPermission, to, prenr, "the read-only one of two by PRENR");
  expect(kRead, el, a, kDone, to, prenr, "the read-only one of two by PRENR");
  SET_PRENR(both & ~BIT(kFirstSlot + 1));
  expect(kWrite, el, a, kDone, to, prenr, "the other one of two by PRENR");
  SET_PRENR(both);
  expect(kRead, el, a, kTranslation, to, prenr, "both by PRENR");
  SET_PRENR(BIT(kFirstSlot) - 1);
  expect(kRead, el, a, kTranslation, to, prenr, "none by PRENR");
  SET_PRENR(both & ~BIT(kFirstSlot));
  // Rewritten while it is enabled.
  static const char* const live = "a region may change while it is enabled, DDI 0600 C1.3";
  if (regime == kEl2) {
    MSR(PRSELR_EL2, kFirstSlot + 1);
    MSR(PRLAR_EL2, ((a + 0x3f) & kBaseMask) | 1);
  } else {
    MSR(PRSELR_EL1, kFirstSlot + 1);
    MSR(PRLAR_EL1, ((a + 0x3f) & kBaseMask) | 1);
  }
  ISB();
  expect(kRead, el, a + 0x38, kDone, to, live, "a smaller LIMIT keeps what is below");
  expect(kRead, el, a + 0x40, kTranslation, to, live, "a smaller LIMIT drops what is above");
  if (regime == kEl2) {
    MSR(PRBAR_EL2, a | 3 << 4 | kRw << 2 | 3);
  } else {
    MSR(PRBAR_EL1, a | 3 << 4 | kRw << 2 | 3);
  }
  ISB();
  expect(kWrite, el, a, kDone, to, live, "AP changed");
}

/// Regions above 31 and the last one work alike.
static void high_regions(int regime, unsigned el) {
  arch_reset();
  const unsigned count = region_count(regime);
  const unsigned numbers[] = {15, 16, 31, 32, 33, 127, 128, 254};
  for (unsigned n = 0; n < COUNT(numbers); ++n) {
    if (numbers[n] >= count) break;
    set_region(regime, numbers[n], arena, arena + 0x3f, kRw | kXn, 0);
    const int inside = attempt(kRead, el, arena) == kDone;
    const int outside = attempt(kRead, el, arena + 0x40) == kTranslation;
    point(inside && outside, "every region is alike, DDI 0600 C1.3", "EL%d: region %d of %d",
          (int)el, (int)numbers[n], (int)count);
    clear_region(regime, numbers[n]);
  }
}

void test_regions(void) {
  limits_of_regions();
  odd_regions(kStage1, 1);
  odd_regions(kStage1, 0);
  odd_regions(kEl2, 2);
  odd_regions(kEl2, 1);
  odd_regions(kEl2, 0);
  high_regions(kStage1, 1);
  high_regions(kEl2, 2);
}
