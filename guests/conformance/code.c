// Code that changes, exclusive accesses, floating-point state.
#include "../common/console.h"
#include "../common/lower.h"
#include "../common/tables.h"

enum {
  kCode = 0x40500000,
  kMovX1 = 0xd2800001,
  kRet = 0xd65f03c0,
  kSvcDone = 0xd4000001 | 0x7fff << 5
};

// EL1 may write and execute the 2 MiB that hold kCode; EL0 has no access.
static void writable_code(void) {
  reset_world();
  stage1_l2[2] = 0x40400000ul | kBlock | kAf | kShared | kNormal;
  tlbi_all();
}

static void write_code(u64 at, u32 value) {
  write32(at, kMovX1 | value << 5);
  write32(at + 4, kSvcDone);
  DSB();
  __asm__ volatile("ic iallu; dsb sy; isb" ::: "memory");
}

static void changed(void) {
  print("code that changes\n");
  writable_code();
  for (u32 value = 1; value < 4; ++value) {
    write_code(kCode, value);
    run_at(kCode, kEl1h);
    print("  written at EL2, run %d: done %d x1 %x\n", (int)value, seen.done, cpu.x[1]);
  }
  // EL1 writes a function, makes it visible by address, calls it; several times.
  static const char* const names[] = {"ic ivau", "ic ivau, no dc", "ic iallu", "ic ialluis"};
  const void* const codes[] = {
      CODE("str w2, [x0]; dc cvau, x0; dsb ish; ic ivau, x0; dsb ish; isb; blr x0; nop"),
      CODE("str w2, [x0]; dsb ish; ic ivau, x0; dsb ish; isb; blr x0; nop"),
      CODE("str w2, [x0]; dc cvau, x0; dsb ish; ic iallu; dsb ish; isb; blr x0; nop"),
      CODE("str w2, [x0]; dc cvau, x0; dsb ish; ic ialluis; dsb ish; isb; blr x0; nop")};
  for (unsigned n = 0; n < COUNT(codes); ++n) {
    writable_code();
    write32(kCode + 4, kRet);
    for (u32 value = 10; value < 13; ++value) {
      cpu.x[0] = kCode;
      cpu.x[2] = kMovX1 | value << 5;
      run(codes[n], kEl1h);
      print("  %s: done %d x1 %x\n", names[n], seen.done, cpu.x[1]);
    }
  }
  // A loop that rewrites the instruction it is about to execute.
  writable_code();
  cpu.x[0] = kCode;
  cpu.x[1] = 0;
  cpu.x[4] = 0x91000421;  // add x1, x1, #1
  cpu.x[5] = kRet;
  run(CODE("str w5, [x0, #4]; mov x6, #20; mov x7, #0x400; 1: str w4, [x0]; dc cvau, x0; dsb ish; "
           "ic ivau, x0; dsb ish; isb; blr x0; add x4, x4, x7; subs x6, x6, #1; b.ne 1b"),
      kEl1h);
  print("  loop: done %d x1 %x\n", seen.done, cpu.x[1]);
  // Two virtual addresses of the same code: writing through one changes both.
  writable_code();
  stage1_l2[6] = 0x40400000ul | kBlock | kAf | kShared | kNormal;
  tlbi_all();
  write_code(kCode, 0x55);
  run_at(kCode + 0x800000, kEl1h);
  print("  alias: %x", cpu.x[1]);
  write_code(kCode, 0x66);
  run_at(kCode + 0x800000, kEl1h);
  print(" %x", cpu.x[1]);
  run_at(kCode, kEl1h);
  print(" %x\n", cpu.x[1]);
  // Data beside code in one page.
  writable_code();
  write_code(kCode + 0x100, 0x77);
  write32(kCode + 0x80, 0);
  for (unsigned n = 0; n < 3; ++n) {
    cpu.x[0] = kCode;
    run(CODE("ldr w2, [x0, #0x80]; add w2, w2, #1; str w2, [x0, #0x80]; add x3, x0, #0x100; br x3"),
        kEl1h);
  }
  print("  data beside code: x1 %x data %x\n", cpu.x[1], (u64)read32(kCode + 0x80));
}

static void exclusives(void) {
  print("exclusives\n");
  reset_world();
  *(volatile u64*)kCode = 5;
  static const char* const names[] = {"ldxr, stxr",           "stxr alone",  "ldxr, clrex, stxr",
                                      "ldxr, stxr elsewhere", "two stxr",    "ldxr x, stxr w",
                                      "ldaxp, stlxp",         "ldxrb, stxrb"};
  const void* const codes[] = {
      CODE("ldxr x1, [x0]; add x1, x1, #1; stxr w2, x1, [x0]"),
      CODE("clrex; mov x1, #9; stxr w2, x1, [x0]"),
      CODE("ldxr x1, [x0]; clrex; stxr w2, x1, [x0]"),
      CODE("ldxr x1, [x0]; add x3, x0, #4096; stxr w2, x1, [x3]"),
      CODE("ldxr x1, [x0]; add x1, x1, #1; stxr w2, x1, [x0]; add x1, x1, #1; stxr w3, x1, [x0]"),
      CODE("ldxr w1, [x0]; add w1, w1, #1; stxr w2, w1, [x0]"),
      CODE("ldaxp x1, x3, [x0]; add x1, x1, #1; stlxp w2, x1, x3, [x0]"),
      CODE("ldxrb w1, [x0]; add w1, w1, #1; stxrb w2, w1, [x0]")};
  for (unsigned n = 0; n < COUNT(codes); ++n) {
    cpu.x[0] = kCode;
    cpu.x[2] = cpu.x[3] = 7;
    run(codes[n], kEl1h);
    print("  %s: done %d w2 %x w3 %x memory %x\n", names[n], seen.done, cpu.x[2],
          n == 4 ? cpu.x[3] : 0, *(volatile u64*)kCode);
  }
  // An exception return clears the monitor.
  cpu.x[0] = kCode;
  run(CODE("ldxr x1, [x0]; adr x3, 1f; msr elr_el1, x3; mov x3, #0x3c5; msr spsr_el1, x3; eret; "
           "1: stxr w2, x1, [x0]"),
      kEl1h);
  print("  across eret: w2 %x\n", cpu.x[2]);
  if (!is_max()) return;
  print("atomics\n");
  static const char* const ops[] = {"ldadd",  "ldclr",  "ldeor",  "ldset", "ldsmax",
                                    "ldsmin", "ldumax", "ldumin", "swp"};
  const void* const atomic[] = {
      CODE("ldadd x1, x2, [x0]"),  CODE("ldclr x1, x2, [x0]"),  CODE("ldeor x1, x2, [x0]"),
      CODE("ldset x1, x2, [x0]"),  CODE("ldsmax x1, x2, [x0]"), CODE("ldsmin x1, x2, [x0]"),
      CODE("ldumax x1, x2, [x0]"), CODE("ldumin x1, x2, [x0]"), CODE("swp x1, x2, [x0]")};
  const void* const narrow[] = {
      CODE("ldaddb w1, w2, [x0]"),  CODE("ldclrh w1, w2, [x0]"),  CODE("ldeorb w1, w2, [x0]"),
      CODE("ldseth w1, w2, [x0]"),  CODE("ldsmaxb w1, w2, [x0]"), CODE("ldsminb w1, w2, [x0]"),
      CODE("ldumaxh w1, w2, [x0]"), CODE("lduminb w1, w2, [x0]"), CODE("swph w1, w2, [x0]")};
  for (unsigned n = 0; n < COUNT(ops); ++n) {
    for (unsigned wide = 0; wide < 2; ++wide) {
      *(volatile u64*)kCode = 0x80f07f0180ff7f80;
      cpu.x[0] = kCode;
      cpu.x[1] = 0x7123456789abcd81;
      cpu.x[2] = 0;
      run(wide ? atomic[n] : narrow[n], kEl1h);
      print("  %s %s: old %x memory %x\n", ops[n], wide ? "64" : "narrow", cpu.x[2],
            *(volatile u64*)kCode);
    }
  }
  static const char* const compares[] = {"cas equal", "cas different", "casp equal", "casb"};
  const void* const cas[] = {
      CODE("cas x1, x2, [x0]"), CODE("cas x3, x2, [x0]"),
      CODE("mov x4, x1; mov x5, #9; mov x6, #1; mov x7, #2; casp x4, x5, x6, x7, [x0]; "
           "mov x1, x4; mov x2, x5"),
      CODE("casb w3, w2, [x0]")};
  for (unsigned n = 0; n < COUNT(cas); ++n) {
    *(volatile u64*)kCode = 0x1234;
    *(volatile u64*)(kCode + 8) = 9;
    cpu.x[0] = kCode;
    cpu.x[1] = 0x1234;
    cpu.x[2] = 0x5678;
    cpu.x[3] = 0x1111;
    run(cas[n], kEl1h);
    print("  %s: x1 %x x2 %x x3 %x memory %x %x\n", compares[n], cpu.x[1], cpu.x[2], cpu.x[3],
          *(volatile u64*)kCode, *(volatile u64*)(kCode + 8));
  }
}

static void floating_point(void) {
  print("floating point\n");
  reset_world();
  static const struct {
    const char* name;
    u64 fpcr, a, b;
  } cases[] = {{"1/3", 0, 0x3ff0000000000000, 0x4008000000000000},
               {"1/3 up", 1 << 22, 0x3ff0000000000000, 0x4008000000000000},
               {"1/3 down", 2 << 22, 0x3ff0000000000000, 0x4008000000000000},
               {"1/3 to zero", 3 << 22, 0x3ff0000000000000, 0x4008000000000000},
               {"1/0", 0, 0x3ff0000000000000, 0},
               {"0/0", 0, 0, 0},
               {"NaN", 0, 0x7ff4000000000123, 0x3ff0000000000000},
               {"NaN, DN", 1 << 25, 0x7ff4000000000123, 0x3ff0000000000000},
               {"subnormal", 0, 0x0010000000000001, 0x4000000000000000},
               {"subnormal, FZ", 1 << 24, 0x0010000000000001, 0x4000000000000000},
               {"overflow", 0, 0x7fe0000000000000, 0x0010000000000000}};
  for (unsigned n = 0; n < COUNT(cases); ++n) {
    cpu.x[1] = cases[n].fpcr;
    cpu.x[2] = cases[n].a;
    cpu.x[3] = cases[n].b;
    run(CODE("msr fpcr, x1; msr fpsr, xzr; fmov d0, x2; fmov d1, x3; fdiv d2, d0, d1; "
             "fadd d3, d0, d1; fsqrt d4, d1; fmov x4, d2; fmov x5, d3; fmov x6, d4; "
             "fcmp d0, d1; mrs x7, nzcv; mrs x8, fpsr; fcvtzs x9, d2; mrs x10, fpcr"),
        kEl1h);
    print("  %s: div %x add %x sqrt %x NZCV %x FPSR %x to integer %x FPCR %x\n", cases[n].name,
          cpu.x[4], cpu.x[5], cpu.x[6], cpu.x[7], cpu.x[8], cpu.x[9], cpu.x[10]);
  }
  cpu.x[0] = kCode;
  run(CODE("movi v0.16b, #0x5a; msr fpcr, xzr"), kEl0);
  run(CODE("str q0, [x0]; umov x1, v0.d[1]"), kEl1h);
  print("  vector kept across levels: %x %x\n", *(volatile u64*)kCode, cpu.x[1]);
}

void guest_main(void) {
  print("code\n");
  changed();
  exclusives();
  floating_point();
  print("end\n");
}
