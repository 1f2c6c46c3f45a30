// Stage 2 translation: permissions, faults and the syndromes they give, walks of stage 1 through
// stage 2, AT of both stages, and what keeps entries of different ASIDs and VMIDs apart.
#include "../common/console.h"
#include "../common/lower.h"
#include "../common/tables.h"

enum { kTarget = 0x40500000, kIpa = 0x80000000u };

static struct tables stage2;

#define AT(operation, va)                                                      \
  ({                                                                           \
    __asm__ volatile("at " operation ", %0; isb" ::"r"((u64)(va)) : "memory"); \
    MRS(par_el1);                                                              \
  })

// Stage 2 tables of `bits` input bits whose walk starts where it must; RAM maps to itself.
static void use_stage2(unsigned granule, unsigned bits) {
  reset_world();
  pool_reset();
  stage2 = new_tables(granule, bits);
  // Concatenated first-level tables save a level (D8.2.2): this project starts at 1 or 2.
  const u64 sl0 = granule == k4K ? 2 - stage2.start : 3 - stage2.start;
  const u64 tg0 = granule == k4K ? 0 : granule == k64K ? 1 : 2;
  for (u64 at = 0; at < 0x2000000; at += BIT(granule)) {
    map(&stage2, 0x40000000 + at, 0x40000000 + at, 3,
        kAf | kShared | kS2Normal | kS2Read | kS2Write);
  }
  // Stage 1 maps 1 GiB of addresses from 0x80000000, for all and executable.
  stage1_l1[2] = kIpa | kBlock | kAf | kShared | kNormal | kRoAll;
  stage1_l1[3] = kIpa | kBlock | kAf | kShared | kNormal | kRwAll;
  MSR(vttbr_el2, stage2.root | 1ul << 48);
  MSR(vtcr_el2, BIT(31) | 2 << 16 | tg0 << 14 | 0x3500 | sl0 << 6 | (64 - bits));
  MSR(hcr_el2, MRS(hcr_el2) | 1);
  tlbi_all();
}

enum { kRx = kIpa, kRw = 0xc0000000u };  // The two addresses of kIpa.

static void access(const char* name, const void* code, u64 va, u64 pstate) {
  tlbi_all();
  cpu.x[0] = va;
  show(name, code, pstate);
}

static void fetch(const char* name, u64 va, u64 pstate) {
  tlbi_all();
  run_at(va, pstate);
  show_seen(name);
  print("\n");
}

static void try_all(u64 offset) {
  for (unsigned el = 0; el < 2; ++el) {
    const u64 pstate = el ? kEl1h : kEl0;
    print("  EL%d\n", (int)el);
    access("  ldr", CODE("ldr x1, [x0]"), kRw + offset, pstate);
    access("  strb", CODE("strb w7, [x0, #3]"), kRw + offset, pstate);
    access("  ldp", CODE("ldp x1, x2, [x0]"), kRw + offset, pstate);
    if (el) access("  read-only str", CODE("str x1, [x0]"), kRx + offset, pstate);
    fetch("  fetch", kRx + offset, pstate);
  }
}

static void permissions(void) {
  *(volatile u32*)kTarget = 0xd4000001u | 0x7fff << 5;  // SVC #0x7fff
  for (u64 s2ap = 0; s2ap < 4; ++s2ap) {
    const unsigned xns = is_max() ? 4 : 3;
    for (unsigned xn = 0; xn < xns; xn += is_max() ? 1 : 2) {
      print("S2AP %d XN %d\n", (int)s2ap, (int)xn);
      use_stage2(k4K, 32);
      map(&stage2, kIpa, kTarget, 3, kAf | kShared | kS2Normal | s2ap << 6 | kS2Xn(xn));
      try_all(0);
      print("  AT S12E1R %x S12E1W %x S12E0R %x S12E0W %x S1E1W %x\n", AT("s12e1r", kRw),
            AT("s12e1w", kRw), AT("s12e0r", kRw), AT("s12e0w", kRw), AT("s1e1w", kRw));
    }
  }
}

static const char* granule_name(unsigned granule) {
  return granule == k4K ? "4K" : granule == k16K ? "16K" : "64K";
}

static void faults(unsigned granule) {
  const u64 rights = kAf | kShared | kS2Normal | kS2Read | kS2Write;
  const u64 offset = 0x12344560;
  for (unsigned level = granule == k4K ? 1 : 2; level <= 3; ++level) {
    static const struct {
      const char* name;
      u64 set, clear;
    } cases[] = {{"valid", 0, 0},
                 {"invalid", 0, 1},
                 {"AF clear", 0, kAf},
                 {"address too large", BIT(44), 0},
                 {"no access", 0, kS2Read | kS2Write}};
    for (unsigned n = 0; n < COUNT(cases); ++n) {
      use_stage2(granule, granule == k4K ? 32 : 36);
      const unsigned shift = granule + (3 - level) * (granule - 3);
      const u64 pa = kTarget & ~(BIT(shift) - 1);
      u64* entry = map(&stage2, kIpa + offset, pa, level, rights | cases[n].set);
      *entry &= ~cases[n].clear;
      print("%s level %d %s\n", granule_name(granule), (int)level, cases[n].name);
      access("  ldr", CODE("ldr x1, [x0]"), kRw + offset, kEl1h);
      access("  strh", CODE("strh w3, [x0]"), kRw + offset, kEl0);
      if (n) fetch("  fetch", kRx + offset, kEl1h);
      print("  AT S12E1R %x S1E1R %x\n", AT("s12e1r", kRw + offset), AT("s1e1r", kRw + offset));
    }
  }
}

static void input_too_large(void) {
  print("input beyond VTCR.T0SZ\n");
  use_stage2(k4K, 32);
  MSR(tcr_el1, kTcrDefault1 | 0x3500 | (64 - 39));
  // With 39 bits the same level 1 table has 512 entries; entry 4 is 0x100000000.
  stage1_l1[4] = 0x100000000ul | kBlock | kAf | kShared | kNormal | kRwAll;
  access("  ldr", CODE("ldr x1, [x0]"), 0x100001238, kEl1h);
  print("  AT S12E1R %x\n", AT("s12e1r", 0x100001238));
  print("output of stage 1 beyond its size\n");
  stage1_l1[4] = BIT(44) | kBlock | kAf | kShared | kNormal | kRwAll;
  access("  ldr", CODE("ldr x1, [x0]"), 0x100001238, kEl1h);
  print("input with stage 1 off\n");
  use_stage2(k4K, 32);
  MSR(sctlr_el1, MRS(sctlr_el1) & ~1ul);
  MSR(vbar_el1, MRS(vbar_el1) & 0xffffffff);
  cpu.x[0] = kIpa + 0x40;
  tlbi_all();
  run_at((u64)CODE("ldr x1, [x0]"), kEl1h);
  show_seen("  ldr");
  cpu.x[0] = 0x123456789000;
  run_at((u64)CODE("ldr x1, [x0]"), kEl1h);
  show_seen("\n  ldr");
  print("\n");
}

// Tables of stage 1 in memory that stage 2 does not give, or gives for reading only.
static void walks(void) {
  static const struct {
    const char* name;
    u64 set, clear;
  } cases[] = {{"table readable", 0, 0},
               {"table unmapped", 0, 1},
               {"table AF clear", 0, kAf},
               {"table not readable", 0, kS2Read | kS2Write},
               {"table read-only", 0, kS2Write}};
  for (unsigned n = 0; n < COUNT(cases); ++n) {
    for (unsigned level = 1; level <= 3; ++level) {
      use_stage2(k4K, 32);
      struct tables stage1 = new_tables(k4K, 36);
      const u64 va = 0x712345678;
      map(&stage1, va & ~0xffful, kTarget, 3, kAf | kShared | kNormal | kRwAll);
      const u64 where = (u64)descriptor(&stage1, va, level, 0) & ~0xffful;
      // Tables live beyond what use_stage2() mapped page by page only if the pool has grown so far.
      u64* entry = map(&stage2, where, where, 3, kAf | kShared | kS2Normal | kS2Read | kS2Write);
      *entry &= ~cases[n].clear;
      MSR(ttbr0_el1, stage1.root);
      MSR(tcr_el1, kTcrDefault1 | tcr_of(&stage1));
      print("%s, level %d\n", cases[n].name, (int)level);
      access("  ldr", CODE("ldr x1, [x0]"), va, kEl1h);
      access("  str", CODE("str x1, [x0]"), va, kEl0);
      fetch("  fetch", va & ~3ul, kEl0);
      print("  AT S1E1R %x S12E1R %x\n", AT("s1e1r", va), AT("s12e1r", va));
    }
  }
  // HCR.PTW: a table in Device memory is a permission fault.
  for (unsigned ptw = 0; ptw < 2; ++ptw) {
    use_stage2(k4K, 32);
    struct tables stage1 = new_tables(k4K, 36);
    const u64 va = 0x712345678;
    map(&stage1, va & ~0xffful, kTarget, 3, kAf | kShared | kNormal | kRwAll);
    const u64 where = (u64)descriptor(&stage1, va, 3, 0) & ~0xffful;
    map(&stage2, where, where, 3, kAf | kS2Read | kS2Write);  // Device-nGnRnE
    MSR(ttbr0_el1, stage1.root);
    MSR(tcr_el1, kTcrDefault1 | tcr_of(&stage1));
    if (ptw) MSR(hcr_el2, MRS(hcr_el2) | 4);
    print("table in Device memory, PTW %d\n", (int)ptw);
    access("  ldr", CODE("ldr x1, [x0]"), va, kEl1h);
  }
}

// Both stages at once: the fault of stage 1 wins, permissions are those that both give.
static void both_stages(void) {
  print("both stages fault\n");
  use_stage2(k4K, 32);
  stage1_l1[3] &= ~kAf;
  access("  stage 1 AF, stage 2 unmapped", CODE("ldr x1, [x0]"), kRw, kEl1h);
  use_stage2(k4K, 32);
  access("  stage 1 read-only, stage 2 unmapped", CODE("str x1, [x0]"), kRx, kEl1h);
  map(&stage2, kIpa, kTarget, 3, kAf | kShared | kS2Normal | kS2Read);
  access("  stage 2 read-only", CODE("str x1, [x0]"), kRw, kEl1h);
  access("  both read-only", CODE("str x1, [x0]"), kRx, kEl1h);
  print("attributes of both\n");
  static const u64 kinds[] = {0, 5, 10, 15};
  for (unsigned n = 0; n < COUNT(kinds); ++n) {
    use_stage2(k4K, 32);
    map(&stage2, kIpa, kTarget, 3, kAf | kShared | kS2Read | kS2Write | kinds[n] << 2);
    print("  stage 2 %x: %x", kinds[n], AT("s12e1r", kRw));
    stage1_l1[3] = (stage1_l1[3] & ~(7ul << 2)) | kAttr(2);
    tlbi_all();
    print(" non-cacheable %x", AT("s12e1r", kRw));
    stage1_l1[3] = (stage1_l1[3] & ~(7ul << 2)) | kAttr(0);
    tlbi_all();
    print(" device %x\n", AT("s12e1r", kRw));
  }
}

// What must be gone after a TLBI, and what a change of ASID or VMID must make visible.
static void maintenance(void) {
  print("maintenance\n");
  use_stage2(k4K, 32);
  struct tables first = new_tables(k4K, 36), second = new_tables(k4K, 36);
  const u64 va = 0x712345000;
  *(volatile u64*)(kTarget + 0x10) = 0xaaaa;
  *(volatile u64*)(kTarget + 0x1010) = 0xbbbb;
  *(volatile u64*)(kTarget + 0x2010) = 0xcccc;
  const u64 rights = kAf | kShared | kNormal | kRwAll;
  u64* one = map(&first, va, kTarget, 3, rights | kNotGlobal);
  map(&second, va, kTarget + 0x1000, 3, rights | kNotGlobal);
  MSR(ttbr0_el1, first.root | 1ul << 48);
  MSR(tcr_el1, kTcrDefault1 | tcr_of(&first));
  tlbi_all();
#define LOAD(name)                                                       \
  (cpu.x[0] = va + 0x10, cpu.x[1] = 0, run(CODE("ldr x1, [x0]"), kEl1h), \
   print("  %s: %s %x\n", name, seen.done ? "loaded" : "fault", cpu.x[1]))
#define FLUSH(text)                         \
  do {                                      \
    DSB();                                  \
    cpu.x[0] = va >> 12 | 1ul << 48;        \
    run(CODE(text "; dsb sy; isb"), kEl1h); \
  } while (0)
  LOAD("ASID 1");
  MSR(ttbr0_el1, second.root | 2ul << 48);
  ISB();
  LOAD("ASID 2");
  MSR(ttbr0_el1, first.root | 1ul << 48);
  ISB();
  LOAD("ASID 1 again");
  *one = (kTarget + 0x2000) | rights | kNotGlobal | 3;
  FLUSH("tlbi vae1, x0");
  LOAD("changed, TLBI VAE1");
  *one = kTarget | rights | kNotGlobal | 3;
  FLUSH("tlbi vale1, x0");
  LOAD("changed, TLBI VALE1");
  *one = (kTarget + 0x2000) | rights | kNotGlobal | 3;
  FLUSH("tlbi vaae1, x0");
  LOAD("changed, TLBI VAAE1");
  *one = kTarget | rights | kNotGlobal | 3;
  FLUSH("tlbi aside1, x0");
  LOAD("changed, TLBI ASIDE1");
  *one = (kTarget + 0x2000) | rights | kNotGlobal | 3;
  FLUSH("tlbi vmalle1is");
  LOAD("changed, TLBI VMALLE1IS");
  *one = kTarget | rights | 3;  // global now
  FLUSH("tlbi vmalle1");
  LOAD("global");
  *one = 0;
  FLUSH("tlbi vae1is, x0");
  LOAD("global unmapped, TLBI VAE1IS");
  *one = kTarget | rights | 3;
  FLUSH("tlbi vaale1is, x0");
  LOAD("mapped again");
  // Another VMID sees its own stage 2.
  struct tables other = stage2;
  other.root = pool_take(12);
  for (u64 at = 0; at < 0x2000000; at += 0x1000) {
    map(&other, 0x40000000 + at, 0x40000000 + at, 3,
        kAf | kShared | kS2Normal | kS2Read | kS2Write);
  }
  map(&other, kTarget, kTarget + 0x1000, 3, kAf | kShared | kS2Normal | kS2Read | kS2Write);
  MSR(vttbr_el2, other.root | 2ul << 48);
  ISB();
  LOAD("VMID 2");
  MSR(vttbr_el2, stage2.root | 1ul << 48);
  ISB();
  LOAD("VMID 1");
  map(&stage2, kTarget, kTarget + 0x2000, 3, kAf | kShared | kS2Normal | kS2Read | kS2Write);
  DSB();
  __asm__ volatile("tlbi ipas2e1is, %0; dsb sy; tlbi vmalle1is; dsb sy; isb" ::"r"(kTarget >> 12ul)
                   : "memory");
  LOAD("stage 2 changed, TLBI IPAS2E1IS and VMALLE1IS");
  map(&stage2, kTarget, kTarget, 3, kAf | kShared | kS2Normal | kS2Read | kS2Write);
  DSB();
  __asm__ volatile("tlbi vmalls12e1; dsb sy; isb" ::: "memory");
  LOAD("stage 2 changed, TLBI VMALLS12E1");
  *descriptor(&stage2, kTarget, 3, 0) = 0;
  DSB();
  __asm__ volatile("tlbi alle1is; dsb sy; isb" ::: "memory");
  LOAD("stage 2 unmapped, TLBI ALLE1IS");
  MSR(hcr_el2, MRS(hcr_el2) & ~1ul);
  tlbi_all();
  LOAD("stage 2 off");
}

void guest_main(void) {
  print("stage 2\n");
  permissions();
  faults(k4K);
  faults(k64K);
  if (is_max()) faults(k16K);
  input_too_large();
  walks();
  both_stages();
  maintenance();
  print("end\n");
}
