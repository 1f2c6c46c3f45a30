// Stage 1 translation of the EL1&0 and EL2 regimes: what AT, loads, stores and fetches find for
// each shape of table. Tables under test are in TTBR0_EL1; code runs through TTBR1_EL1.
#include "../common/console.h"
#include "../common/lower.h"
#include "../common/tables.h"

enum { kTarget = 0x40500000 };  // A page of memory that is free for use.
#define DATA (kAf | kShared | kNormal | kRwAll)

static struct tables tables;

/// AT by `operation` of the macro; PAR_EL1.
#define AT(operation, va)                                                      \
  ({                                                                           \
    __asm__ volatile("at " operation ", %0; isb" ::"r"((u64)(va)) : "memory"); \
    MRS(par_el1);                                                              \
  })

/// AT S1E1RP (0) and S1E1WP (1).
#define AT_PAN(op2, va)                                                                 \
  ({                                                                                    \
    __asm__ volatile("sys #0, c7, c9, #" #op2 ", %0; isb" ::"r"((u64)(va)) : "memory"); \
    MRS(par_el1);                                                                       \
  })

static void use(unsigned granule, unsigned va_bits) {
  reset_world();
  pool_reset();
  tables = new_tables(granule, va_bits);
  MSR(ttbr0_el1, tables.root);
  MSR(tcr_el1, kTcrDefault1 | tcr_of(&tables));
  tlbi_all();
}

static void show_at(const char* name, u64 va) {
  tlbi_all();
  print("%s: R1 %x W1 %x R0 %x W0 %x\n", name, AT("s1e1r", va), AT("s1e1w", va), AT("s1e0r", va),
        AT("s1e0w", va));
}

static void access(const char* name, const void* code, u64 va, u64 pstate) {
  tlbi_all();
  cpu.x[0] = va;
  show(name, code, pstate);
}

static void show_access(u64 va) {
  access("  ldr EL1", CODE("ldr x1, [x0]"), va, kEl1h);
  access("  str EL1", CODE("str x1, [x0]"), va, kEl1h);
  access("  ldr EL0", CODE("ldr x1, [x0]"), va, kEl0);
  access("  str EL0", CODE("str x1, [x0]"), va, kEl0);
  access("  ldtr EL1", CODE("ldtr x1, [x0]"), va, kEl1h);
  access("  sttr EL1", CODE("sttr x1, [x0]"), va, kEl1h);
  for (u64 pstate = kEl0; pstate <= kEl1h; pstate += kEl1h - kEl0) {
    tlbi_all();
    run_at(va, pstate);
    show_seen(pstate == kEl0 ? "  fetch EL0" : "  fetch EL1");
    print("\n");
  }
}

static const char* granule_name(unsigned granule) {
  return granule == k4K ? "4K" : granule == k16K ? "16K" : "64K";
}

static unsigned level_shift(unsigned granule, unsigned level) {
  return granule + (3 - level) * (granule - 3);
}

static int is_block_level(unsigned granule, unsigned level) {
  return level == 3 || level == 2 || (level == 1 && granule == k4K);
}

// Every input size: blocks and pages at all levels, and the first address that is too large.
static void input_sizes(unsigned granule) {
  for (unsigned bits = 25; bits <= 48; ++bits) {
    use(granule, bits);
    print("%s granules, %d bits, from level %d\n", granule_name(granule), (int)bits,
          (int)tables.start);
    const u64 va = (BIT(bits) - 1) & ~0xfffful;
    for (unsigned level = tables.start; level <= 3; ++level) {
      use(granule, bits);
      const unsigned shift = level_shift(granule, level);
      if (!is_block_level(granule, level)) {
        tlbi_all();
        print("  level %d empty: %x\n", (int)level, AT("s1e1r", va));
        // A block where only tables are allowed.
        *descriptor(&tables, va, level, 0) = kTarget | kBlock | DATA;
        tlbi_all();
        if (bits == 48) print("  level %d reserved: %x\n", (int)level, AT("s1e1r", va));
        continue;
      }
      const u64 pa = BIT(shift) > 0x40000000 ? 0 : kTarget & ~(BIT(shift) - 1);
      u64* entry = map(&tables, va, pa, level, DATA);
      tlbi_all();
      print("  level %d: %x", (int)level, AT("s1e1r", va));
      *entry &= ~1ul;
      tlbi_all();
      print(" empty: %x\n", AT("s1e1r", va));
    }
    print("  beyond: %x %x %x\n", AT("s1e1r", BIT(bits)), AT("s1e1r", BIT(bits) | 0x1000),
          AT("s1e1r", 0x0080000000000000ul));
  }
}

static void faults(unsigned granule) {
  print("%s faults\n", granule_name(granule));
  const unsigned bits = 36;
  const u64 va = 0x712340000;
  for (unsigned level = granule == k4K ? 1 : 2; level <= 3; ++level) {
    static const struct {
      const char* name;
      u64 set, clear;
    } cases[] = {{"valid", 0, 0},
                 {"AF clear", 0, kAf},
                 {"AF clear, read-only", kReadOnly, kAf},
                 {"read-only", kReadOnly, 0},
                 {"EL1 only", 0, kUserAp},
                 {"EL1 only, read-only", kReadOnly, kUserAp},
                 {"UXN", kUxn, 0},
                 {"PXN", kPxn, 0},
                 {"UXN, read-only", kUxn | kReadOnly, 0},
                 {"PXN, EL1 only", kPxn, kUserAp},
                 {"UXN, EL1 only", kUxn, kUserAp},
                 {"address too large", BIT(46), 0},
                 {"invalid", 0, 1}};
    for (unsigned n = 0; n < COUNT(cases); ++n) {
      use(granule, bits);
      const u64 pa = kTarget & ~(BIT(level_shift(granule, level)) - 1);
      u64* entry = map(&tables, va, pa, level, DATA | cases[n].set);
      *entry &= ~cases[n].clear;
      print("level %d %s\n", (int)level, cases[n].name);
      show_at("  AT", va);
      if (level == 3 || n < 2) show_access(va);
    }
  }
  // Bit 1 clear at level 3 is reserved.
  use(granule, bits);
  *map(&tables, va, kTarget, 3, DATA) &= ~2ul;
  show_at("level 3 block", va);
  // A table and a root beyond the output address size.
  use(granule, bits);
  *descriptor(&tables, va, 2, 0) = BIT(46) | kTable;
  show_at("table too large", va);
  use(granule, bits);
  MSR(ttbr0_el1, tables.root | BIT(46));
  show_at("root too large", va);
  use(granule, bits);
  MSR(tcr_el1, (kTcrDefault1 | tcr_of(&tables)) & ~(7ul << 32));  // 32-bit outputs
  map(&tables, va, 0x100000000, 2, DATA);
  show_at("33-bit output of 32", va);
  use(granule, bits);
  *descriptor(&tables, va, 2, 0) = 0x90000000ul | kTable;  // nothing is there
  print("table without memory\n");
  access("  at s1e1r", CODE("at s1e1r, x0"), va, kEl2h);
  access("  ldr EL1", CODE("ldr x1, [x0]"), va, kEl1h);
  access("  str EL0", CODE("str x1, [x0]"), va, kEl0);
  run_at(va, kEl1h);
  show_seen("  fetch EL1");
  print("\n");
}

static void hierarchy(void) {
  print("hierarchical attributes\n");
  static const struct {
    const char* name;
    u64 attributes;
  } cases[] = {{"none", 0},
               {"APTable 1", kApTable(1)},
               {"APTable 2", kApTable(2)},
               {"APTable 3", kApTable(3)},
               {"UXNTable", kUxnTable},
               {"PXNTable", kPxnTable},
               {"both XNTable", kUxnTable | kPxnTable}};
  const u64 va = 0x712345000;
  for (unsigned n = 0; n < COUNT(cases); ++n) {
    for (unsigned level = 1; level <= 2; ++level) {
      for (unsigned disabled = 0; disabled <= (unsigned)is_max(); ++disabled) {
        use(k4K, 36);
        descriptor(&tables, va, 3, 0);
        map(&tables, va, kTarget, 3, DATA);
        *descriptor(&tables, va, level, 0) |= cases[n].attributes;
        if (disabled) MSR(tcr_el1, MRS(tcr_el1) | BIT(41));  // HPD0
        print("%s at level %d%s\n", cases[n].name, (int)level, disabled ? ", HPD0" : "");
        show_at("  AT", va);
        tlbi_all();
        run_at(va, kEl0);
        show_seen("  fetch EL0");
        tlbi_all();
        run_at(va, kEl1h);
        show_seen("\n  fetch EL1");
        print("\n");
      }
    }
  }
}

static void controls(void) {
  const u64 va = 0x712345000;
  static const struct {
    const char* name;
    u64 attributes;
  } pages[] = {{"RW all", kRwAll}, {"RW EL1", 0}, {"RO all", kRoAll}, {"RO EL1", kReadOnly}};
  for (unsigned n = 0; n < COUNT(pages); ++n) {
    print("WXN, %s\n", pages[n].name);
    use(k4K, 36);
    map(&tables, va, kTarget, 3, kAf | kShared | kNormal | pages[n].attributes);
    MSR(sctlr_el1, MRS(sctlr_el1) | BIT(19));
    show_access(va);
    if (!is_max()) continue;
    print("PAN, %s\n", pages[n].name);
    use(k4K, 36);
    map(&tables, va, kTarget, 3, kAf | kShared | kNormal | pages[n].attributes);
    access("  ldr", CODE("ldr x1, [x0]"), va, kEl1h | BIT(22));
    access("  str", CODE("str x1, [x0]"), va, kEl1h | BIT(22));
    access("  ldtr", CODE("ldtr x1, [x0]"), va, kEl1h | BIT(22));
    access("  sttr", CODE("sttr x1, [x0]"), va, kEl1h | BIT(22));
    access("  ldtr with UAO", CODE("ldtr x1, [x0]"), va, kEl1h | BIT(23));
    access("  sttr with UAO", CODE("sttr x1, [x0]"), va, kEl1h | BIT(23));
    access("  ldr EL0", CODE("ldr x1, [x0]"), va, kEl0 | BIT(22));
    tlbi_all();
    print("  AT S1E1RP %x S1E1WP %x\n", AT_PAN(0, va), AT_PAN(1, va));
    __asm__ volatile(".arch armv8.2-a\nmsr pan, #1");
    print("  and with PSTATE.PAN %x %x\n", AT_PAN(0, va), AT_PAN(1, va));
    __asm__ volatile("msr pan, #0");
  }
  print("TCR\n");
  use(k4K, 36);
  map(&tables, va, kTarget, 3, DATA);
  MSR(tcr_el1, MRS(tcr_el1) | BIT(7));
  show_at("EPD0", va);
  access("  ldr", CODE("ldr x1, [x0]"), va, kEl1h);
  use(k4K, 36);
  map(&tables, va, kTarget, 3, DATA);
  show_at("tag without TBI0", va | 0x55ul << 56);
  access("  ldr", CODE("ldr x1, [x0]"), va | 0x55ul << 56, kEl1h);
  MSR(tcr_el1, MRS(tcr_el1) | BIT(37));
  show_at("tag with TBI0", va | 0x55ul << 56);
  access("  ldr", CODE("ldr x1, [x0]"), va | 0x55ul << 56, kEl1h);
  access("  unmapped", CODE("ldr x1, [x0]"), (va + 0x5000) | 0x55ul << 56, kEl1h);
  tlbi_all();
  run_at((va + 0x5000) | 0x55ul << 56, kEl0);
  show_seen("  fetch unmapped");
  run(CODE("movk x0, #0x5500, lsl #48; br x0"), kEl1h);
  show_seen("\n  br to tagged");
  print("\n");
  use(k4K, 36);
  MSR(sctlr_el1, MRS(sctlr_el1) & ~1ul);
  show_at("MMU off", 0x40500000);
  show_at("MMU off, beyond memory", 0x4000000000);
  show_at("MMU off, beyond physical addresses", BIT(52));
  MSR(hcr_el2, MRS(hcr_el2) | BIT(12));
  show_at("HCR.DC", 0x40500000);
}

// PAR_EL1 shows the attributes of a translation.
static void attributes(void) {
  print("attributes\n");
  static const u8 types[] = {0x00, 0x04, 0x08, 0x0c, 0x44, 0xff, 0xbb, 0xee, 0x4f, 0xf4};
  const u64 va = 0x712345000;
  for (unsigned n = 0; n < COUNT(types); ++n) {
    use(k4K, 36);
    MSR(mair_el1, (u64)types[n] << 40);  // Index 5
    print("MAIR %2x:", (u64)types[n]);
    for (u64 share = 0; share < 4; ++share) {
      if (share == 1) continue;
      map(&tables, va, kTarget, 3, kAf | kRwAll | kAttr(5) | share << 8);
      tlbi_all();
      print(" SH %d %x", (int)share, AT("s1e1r", va + 0x123));
    }
    print("\n");
  }
}

static void contiguous(void) {
  print("contiguous\n");
  static const struct {
    unsigned granule, level, count;
  } cases[] = {{k4K, 3, 16},  {k4K, 2, 16},   {k64K, 3, 32},
               {k64K, 2, 32}, {k16K, 3, 128}, {k16K, 2, 32}};
  for (unsigned n = 0; n < COUNT(cases); ++n) {
    if (cases[n].granule == k16K && !is_max()) continue;
    use(cases[n].granule, 42);
    const u64 size = BIT(level_shift(cases[n].granule, cases[n].level));
    const u64 va = 0x2000000000;
    const u64 pa = cases[n].level == 3 ? 0x40800000 : 0x4000000000;
    for (u64 at = 0; at < cases[n].count; ++at) {
      map(&tables, va + at * size, pa + at * size, cases[n].level, DATA | kContiguous);
    }
    tlbi_all();
    print("%s level %d: %x %x %x\n", granule_name(cases[n].granule), (int)cases[n].level,
          AT("s1e1r", va), AT("s1e1r", va + size + 0x10),
          AT("s1e1r", va + cases[n].count * size - 1));
  }
}

// Hardware management of the access flag and dirty state (FEAT_HAFDBS).
static void hardware_flags(void) {
  const u64 va = 0x712345000;
  for (unsigned mode = 0; mode < 4; ++mode) {
    print("TCR.HA %d HD %d\n", (int)(mode & 1), (int)(mode >> 1));
    static const struct {
      const char* name;
      u64 bits;
    } pages[] = {{"AF clear", 0},
                 {"AF clear, read-only", kReadOnly},
                 {"AF set, read-only, DBM", kAf | kReadOnly | kDbm},
                 {"AF clear, read-only, DBM", kReadOnly | kDbm}};
    for (unsigned n = 0; n < COUNT(pages); ++n) {
      for (unsigned store = 0; store < 2; ++store) {
        use(k4K, 36);
        MSR(tcr_el1, MRS(tcr_el1) | (u64)(mode & 1) << 39 | (u64)(mode >> 1) << 40);
        u64* entry = map(&tables, va, kTarget, 3, kShared | kNormal | kUserAp | pages[n].bits);
        print("%s", pages[n].name);
        if (store) {
          access(" str", CODE("str x1, [x0]"), va, kEl1h);
        } else {
          access(" ldr", CODE("ldr x1, [x0]"), va, kEl1h);
        }
        print("  descriptor %x\n", *entry);
      }
    }
  }
}

static void el2_regime(void) {
  print("EL2 regime\n");
  reset_world();
  pool_reset();
  tables = new_tables(k4K, 36);
  // Everything that this code touches stays where it is.
  map(&tables, 0, 0, 1, kAf | kRwAll | kUxn | kAttr(0));
  map(&tables, 0x40000000, 0x40000000, 1, DATA);
  const u64 va = 0x712345000;
  map(&tables, va, kTarget, 3, DATA);
  map(&tables, va + 0x1000, kTarget, 3, DATA | kReadOnly);
  *map(&tables, va + 0x2000, kTarget, 3, DATA) &= ~kAf;
  map(&tables, va + 0x3000, kTarget, 3, DATA | kUxn);
  MSR(mair_el2, 0x44ff00);
  MSR(ttbr0_el2, tables.root);
  MSR(tcr_el2, BIT(31) | BIT(23) | 2 << 16 | 0x3500 | (64 - 36));
  tlbi_all();
  MSR(sctlr_el2, 0x30c50830 | 0x1005);
  ISB();
  for (u64 page = 0; page < 5; ++page) {
    const u64 at = va + page * 0x1000;
    print("page %d: R %x W %x\n", (int)page, AT("s1e2r", at), AT("s1e2w", at));
    cpu.x[0] = at;
    show("  ldr", CODE("ldr x1, [x0]"), kEl2h);
    cpu.x[0] = at;
    show("  str", CODE("str x1, [x0]"), kEl2h);
    if (page != 0) {
      run_at(at, kEl2h);
      show_seen("  fetch");
      print("\n");
    }
  }
  print("beyond: %x %x\n", AT("s1e2r", BIT(36)), AT("s1e2r", ~0xfffful));
  MSR(sctlr_el2, 0x30c50830);
  ISB();
}

void guest_main(void) {
  print("translation\n");
  static const unsigned granules[] = {k4K, k64K, k16K};
  const unsigned kinds = is_max() ? 3 : 2;
  for (unsigned n = 0; n < kinds; ++n) input_sizes(granules[n]);
  for (unsigned n = 0; n < kinds; ++n) faults(granules[n]);
  hierarchy();
  controls();
  attributes();
  contiguous();
  if (is_max()) hardware_flags();
  el2_regime();
  print("end\n");
}
