// Data and instruction aborts: syndromes of every load and store form, addresses, write-back.
#include "../common/console.h"
#include "../common/lower.h"
#include "../common/tables.h"

// Intermediate physical addresses without memory; stage 1 maps them, stage 2 does not.
enum { kHole = 0x80001230u, kScratch = 0x40500000 };

// One form at one address. X0 must keep its value: no write-back happens on an abort.
static void form(const char* text, const void* code, u64 pstate, u64 address) {
  cpu.x[0] = address;
  cpu.x[1] = 0x1111;
  cpu.x[2] = 0x2222;
  cpu.x[4] = 8;
  show(text, code, pstate);
  if (cpu.x[0] != address && !seen.done) print("  x0 %x\n", cpu.x[0]);
}

#define FORM(text) form(text, CODE(text), pstate, address)

static void loads(u64 pstate, u64 address) {
  FORM("ldr x1, [x0]");
  FORM("ldr w1, [x0]");
  FORM("ldrh w1, [x0]");
  FORM("ldrb w1, [x0]");
  FORM("ldrsb w1, [x0]");
  FORM("ldrsb x1, [x0]");
  FORM("ldrsh w1, [x0]");
  FORM("ldrsh x30, [x0]");
  FORM("ldrsw x1, [x0]");
  FORM("ldr xzr, [x0]");
  FORM("ldr x1, [x0, #8]");
  FORM("ldr w1, [x0, x4]");
  FORM("ldr x1, [x0, w4, sxtw #3]");
  FORM("ldur x1, [x0, #-1]");
  FORM("ldr x1, [x0], #16");
  FORM("ldr x1, [x0, #16]!");
  FORM("ldrb w1, [x0, #1]!");
  FORM("ldp x1, x2, [x0]");
  FORM("ldp w1, w2, [x0, #8]!");
  FORM("ldpsw x1, x2, [x0]");
  FORM("ldnp x1, x2, [x0]");
  FORM("ldtr x1, [x0]");
  FORM("ldtrb w1, [x0]");
  FORM("ldar x1, [x0]");
  FORM("ldarb w1, [x0]");
  FORM("ldxr x1, [x0]");
  FORM("ldaxr w1, [x0]");
  FORM("ldxp x1, x2, [x0]");
  FORM("ldr q1, [x0]");
  FORM("ldr d1, [x0]");
  FORM("ldr s1, [x0], #4");
  FORM("ldp q1, q2, [x0]");
  FORM("ld1 {v0.16b}, [x0]");
  FORM("ld4 {v0.4s-v3.4s}, [x0]");
  FORM("ld1r {v0.8h}, [x0]");
}

static void stores(u64 pstate, u64 address) {
  FORM("str x1, [x0]");
  FORM("str w1, [x0]");
  FORM("strh w1, [x0]");
  FORM("strb w1, [x0]");
  FORM("str xzr, [x0]");
  FORM("strh wzr, [x0, #2]");
  FORM("str x1, [x0, #8]!");
  FORM("str w1, [x0], #-4");
  FORM("stur x1, [x0, #7]");
  FORM("stp x1, x2, [x0]");
  FORM("stp w1, w2, [x0], #8");
  FORM("sttr x1, [x0]");
  FORM("stlr x1, [x0]");
  FORM("stlrh w1, [x0]");
  FORM("str q1, [x0]");
  FORM("st1 {v0.2d, v1.2d}, [x0]");
  FORM("prfm pldl1keep, [x0]");
  FORM("dc cvac, x0");
  FORM("dc civac, x0");
  FORM("dc zva, x0");
  if (FIELD(pstate, 3, 2)) FORM("dc ivac, x0");
}

static void atomics(u64 pstate, u64 address) {
  FORM("ldadd x1, x2, [x0]");
  FORM("stadd w1, [x0]");
  FORM("ldaddalb w1, w2, [x0]");
  FORM("swp x1, x2, [x0]");
  FORM("cas x1, x2, [x0]");
  FORM("ldapr x1, [x0]");
}

static void stage2_forms(u64 pstate) {
  print("stage 2 translation fault, SPSR %x\n", pstate);
  reset_world();
  enable_stage2();
  MSR(sctlr_el1, MRS(sctlr_el1) | BIT(14) | BIT(26));  // DZE, UCI
  loads(pstate, kHole);
  stores(pstate, kHole);
  if (is_max()) atomics(pstate, kHole);
}

static void stage1_forms(u64 pstate) {
  print("stage 1 translation fault, SPSR %x\n", pstate);
  reset_world();
  MSR(sctlr_el1, MRS(sctlr_el1) | BIT(14) | BIT(26));
  const u64 address = 0xc0000008;
  FORM("ldr x1, [x0]");
  FORM("ldrsb x1, [x0]");
  FORM("ldr x1, [x0], #16");
  FORM("ldp x1, x2, [x0, #16]!");
  FORM("ldxr x1, [x0]");
  FORM("ld1 {v0.16b}, [x0]");
  FORM("str w1, [x0]");
  FORM("stp x1, x2, [x0, #-16]!");
  FORM("str q1, [x0]");
  FORM("dc cvac, x0");
  FORM("dc civac, x0");
  FORM("dc zva, x0");
  FORM("prfm pldl1keep, [x0]");
  if (FIELD(pstate, 3, 2)) FORM("dc ivac, x0");
  if (is_max()) atomics(pstate, address);
}

// Pages: 0 read-write, 1 unmapped, 2 read-only, 3 read-write at another physical page.
static u64 set_up_pages(void) {
  reset_world();
  pool_reset();
  const u64 l3 = pool_take(12);
  const u64 base = 0x40a00000;
  stage1_l2[5] = l3 | kTable;
  u64* page = (u64*)l3;
  const u64 attributes = kTable | kAf | kShared | kNormal | kUxn | kPxn | kUserAp;
  page[0] = kScratch | attributes;
  page[2] = (kScratch + 0x2000) | attributes | kReadOnly;
  page[3] = (kScratch + 0x5000) | attributes;
  page[4] = (kScratch + 0x4000) | attributes;
  tlbi_all();
  return base;
}

static void crossing(u64 pstate) {
  print("across pages, SPSR %x\n", pstate);
  u64 address = set_up_pages() + 0xffe;
  FORM("ldr x1, [x0]");
  FORM("ldr w1, [x0]");
  FORM("str x1, [x0]");
  FORM("ldr q1, [x0]");
  FORM("str q1, [x0]");
  address = set_up_pages() + 0x1ffe;  // from the hole into the read-only page
  FORM("ldr x1, [x0]");
  FORM("str x1, [x0]");
  address = set_up_pages() + 0xff8;
  FORM("ldp x1, x2, [x0]");
  FORM("stp x1, x2, [x0]");
  address = set_up_pages() + 0x2ffc;  // from the read-only page into a writable one
  FORM("str x1, [x0]");
  FORM("ldr x1, [x0]");
  address = set_up_pages() + 0x3ffc;
  for (u64 n = 0; n < 0x6000; n += 8) *(volatile u64*)(kScratch + n) = kScratch + n;
  FORM("ldr x1, [x0]");
  print("  %x\n", cpu.x[1]);
  FORM("str x2, [x0]");
  print("  %x %x\n", *(volatile u64*)(kScratch + 0x5ff8), *(volatile u64*)(kScratch + 0x4000));
  // A store that faults in its second page leaves the first one alone.
  address = set_up_pages() + 0xffc;
  FORM("str x2, [x0]");
  print("  %x\n", *(volatile u64*)(kScratch + 0xff8));
}

static void alignment(u64 pstate) {
  print("alignment, SPSR %x\n", pstate);
  u64 address = set_up_pages() + 0x101;
  FORM("ldr x1, [x0]");
  FORM("ldxr x1, [x0]");
  FORM("ldxp x1, x2, [x0]");
  FORM("ldar w1, [x0]");
  FORM("stlr x1, [x0]");
  if (is_max()) atomics(pstate, address);
  MSR(sctlr_el1, MRS(sctlr_el1) | 2);
  ISB();
  print("SCTLR.A\n");
  FORM("ldr x1, [x0]");
  FORM("ldrb w1, [x0]");
  FORM("strh w1, [x0]");
  FORM("ldp x1, x2, [x0]");
  FORM("stp w1, w2, [x0]");
  FORM("str q1, [x0]");
  FORM("ld1 {v0.16b}, [x0]");
  FORM("ld1 {v0.4s}, [x0]");
  address = 0x40a01101;  // both: not aligned and not mapped
  FORM("ldr x1, [x0]");
}

static void instruction_aborts(void) {
  static const u64 modes[] = {kEl0, kEl1h};
  static const struct {
    const char* name;
    u64 address;
  } targets[] = {{"unmapped at level 1", 0xc0000100}, {"unmapped, second word", 0xc0000ffc},
                 {"outside TTBR0", 0x100000000},      {"outside TTBR1", 0xfffffff000000000},
                 {"between", 0x0080000000000000},     {"execute never", 0x40300010}};
  for (unsigned m = 0; m < COUNT(modes); ++m) {
    print("fetch, SPSR %x\n", modes[m]);
    for (unsigned n = 0; n < COUNT(targets); ++n) {
      reset_world();
      run_at(targets[n].address, modes[m]);
      show_seen(targets[n].name);
      print("\n");
    }
    reset_world();
    stage1_l1[2] &= ~(kUxn | kPxn | kRwAll | kReadOnly);
    stage1_l1[2] |= kRoAll;
    enable_stage2();
    run_at(kHole & ~3ul, modes[m]);
    show_seen("unmapped at stage 2");
    print("\n");
    reset_world();
    stage1_l1[2] = (0x40000000ul | kBlock | kAf | kShared | kNormal | kRoAll);
    run_at(0x80000000ul + ((u64)CODE("nop") & 0x3fffffff), modes[m]);
    show_seen("executable alias");
    print("\n");
    reset_world();
    run(CODE("adr x1, 1f; mov x0, #0xc0000000; br x0; 1: nop"), modes[m]);
    show_seen("br to unmapped");
    print("\n");
    reset_world();
    run(CODE("mov x30, #0xc0000000; ret"), modes[m]);
    show_seen("ret to unmapped");
    print("\n");
  }
}

static void external(void) {
  print("no device there\n");
  const u64 pstate = kEl1h;
  reset_world();
  u64 address = kHole;
  FORM("ldr x1, [x0]");
  FORM("ldrb w1, [x0]");
  FORM("str w1, [x0]");
  stage2_l1[2] = 0x80000000ul | kBlock | kAf | kShared | kS2Normal | kS2Read | kS2Write;
  enable_stage2();
  FORM("ldr x1, [x0]");
  FORM("str w1, [x0]");
}

void guest_main(void) {
  print("aborts\n");
  stage2_forms(kEl1h);
  stage2_forms(kEl0);
  stage1_forms(kEl1h);
  stage1_forms(kEl0);
  crossing(kEl1h);
  crossing(kEl0);
  alignment(kEl1h);
  alignment(kEl0);
  instruction_aborts();
  external();
  print("end\n");
}
