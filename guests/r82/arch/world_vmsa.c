// The world of an A-profile machine: the same areas by translation tables, mapped flat.
#include "../../common/tables.h"
#include "arch.h"

const u64 arena = 0x42000000;

extern char __text_start[], __text_end[], __data_start[], __data_end[];
extern const char el1_vectors[];

static struct tables el1_tables, el2_tables, stage2_tables;
static struct { u64 first, last; } areas[3][kSlots];

static u64 stage1_bits(unsigned permissions) {
  return kAf | kShared | kNormal | (permissions & kRw ? kUserAp : 0) |
         (permissions & kRoEl1Only ? kReadOnly : 0) | (permissions & kXn1 ? kUxn | kPxn : 0);
}

static u64 el2_bits(unsigned permissions) {
  return kAf | kShared | kNormal | kUserAp | (permissions & kRoEl1Only ? kReadOnly : 0) |
         (permissions & kXn1 ? kUxn : 0);
}

static u64 stage2_bits(unsigned permissions) {
  u64 bits = kAf | kShared | kS2Normal | (permissions & kXn0 ? kS2Xn(2) : 0);
  if (permissions & kRw) bits |= kS2Read | (permissions & kRoEl1Only ? 0 : kS2Write);
  return bits;
}

static void map_pages(int regime, u64 first, u64 last, unsigned permissions, int device) {
  for (u64 at = first; at < last; at += kPage) {
    const u64 clear = device ? ~(7ul << 2) : ~0ul;
    if (regime == kStage1) {
      map(&el1_tables, at, at, 3, stage1_bits(permissions) & clear);
    } else {
      map(&el2_tables, at, at, 3, el2_bits(permissions) & clear);
      map(&stage2_tables, at, at, 3, stage2_bits(permissions) & (device ? ~(15ul << 2) : ~0ul));
    }
  }
}

static void unmap(int regime, unsigned slot) {
  for (u64 at = areas[regime][slot].first; at < areas[regime][slot].last; at += kPage) {
    if (regime == kStage1) {
      *descriptor(&el1_tables, at, 3, 0) = 0;
    } else {
      *descriptor(&el2_tables, at, 3, 0) = 0;
      *descriptor(&stage2_tables, at, 3, 0) = 0;
    }
  }
  areas[regime][slot].first = areas[regime][slot].last = 0;
}

void area(int regime, unsigned slot, u64 first, u64 last, unsigned permissions) {
  const u64 sctlr = protection_off();
  unmap(regime, slot);
  map_pages(regime, first, last, permissions, 0);
  areas[regime][slot].first = first;
  areas[regime][slot].last = last;
  tlbi_all();
  protection_on(sctlr);
}

void area_off(int regime, unsigned slot) {
  const u64 sctlr = protection_off();
  unmap(regime, slot);
  tlbi_all();
  protection_on(sctlr);
}

void stage2(int on) {
  MSR(hcr_el2, (MRS(hcr_el2) & ~1ul) | (on ? 1 : 0));
  tlbi_all();
}

void control(int regime, u64 set, u64 clear) {
  if (regime == kEl2) {
    MSR(sctlr_el2, (MRS(sctlr_el2) & ~clear) | set);
  } else {
    MSR(sctlr_el1, (MRS(sctlr_el1) & ~clear) | set);
  }
  tlbi_all();
}

void arch_reset(void) {
  MSR(sctlr_el2, 0x30c50830);
  ISB();
  reset_world();
  pool_reset();
  for (unsigned n = 0; n < sizeof(areas); ++n) ((volatile u8*)areas)[n] = 0;
  el1_tables = new_tables(k4K, 32);
  el2_tables = new_tables(k4K, 32);
  stage2_tables = new_tables(k4K, 32);
  for (int regime = kStage1; regime <= kEl2; ++regime) {
    map_pages(regime, (u64)__text_start, (u64)__text_end, kRo, 0);
    map_pages(regime, (u64)__data_start, (u64)__data_end, kRw | kXn, 0);
    map_pages(regime, 0x09000000, 0x09001000, kRw | kXn, 1);
  }
  // So that faults in the arena have level 3, and walks pass stage 2.
  for (int regime = kStage1; regime <= kEl2; ++regime) {
    area(regime, 0, arena, arena + kArenaPages * kPage - 1, kRw);
    area_off(regime, 0);
  }
  for (u64 at = el1_tables.root; at < el1_tables.root + 0x40000; at += kPage) {
    map(&stage2_tables, at, at, 3, stage2_bits(kRw | kXn));
  }
  cpu.sp_el0 = cpu.sp_el1 = (u64)__data_end;
  MSR(ttbr0_el1, el1_tables.root);
  MSR(tcr_el1, tcr_of(&el1_tables) | 2ul << 32 | BIT(23));  // EPD1
  MSR(mair_el1, 0x44ff00);
  MSR(mair_el2, 0x44ff00);
  MSR(vbar_el1, (u64)el1_vectors);
  MSR(ttbr0_el2, el2_tables.root);
  MSR(tcr_el2, tcr_of(&el2_tables) | 2ul << 16 | BIT(31) | BIT(23));
  MSR(vttbr_el2, stage2_tables.root | 1ul << 48);
  MSR(vtcr_el2, BIT(31) | 2 << 16 | 0x3500 | 1 << 6 | 32);
  tlbi_all();
  MSR(sctlr_el1, 0x30d01805);
  MSR(sctlr_el2, 0x30c51835);
  ISB();
}
