// Exceptions that instructions raise: class, syndrome, return address, PSTATE on entry.
#include "../common/console.h"
#include "../common/lower.h"

SNIPPET(svc_5, "svc #5");
SNIPPET(hvc_0x77, "hvc #0x77");
SNIPPET(smc_unknown, "ldr w0, =0x8400ffff\nsmc #0\nb 1f\n.ltorg\n1:");
SNIPPET(smc_immediate, "smc #0x1234");
SNIPPET(brk_9, "brk #9");
SNIPPET(hlt_1, "hlt #1");
SNIPPET(udf, ".word 0");
SNIPPET(undefined_word, ".word 0xffffffff");
SNIPPET(branch_misaligned, "adr x0, 1f\nadd x0, x0, #2\n1: br x0");
SNIPPET(eret_misaligned,
        "adr x0, 1f\nadd x0, x0, #2\nmsr elr_el1, x0\nmov x0, #0x3c5\n"
        "msr spsr_el1, x0\n1: eret");
SNIPPET(eret_instruction, "eret");
SNIPPET(sp_misaligned_ldr, "mov x0, sp\nadd x0, x0, #4\nmov sp, x0\nldr x1, [sp]");
SNIPPET(sp_misaligned_stp, "mov x0, sp\nadd x0, x0, #8\nmov sp, x0\nstp x1, x2, [sp, #-16]!");
SNIPPET(flags_then_svc, "mov x0, #0\nsubs x0, x0, #1\nsvc #1");
SNIPPET(zero_then_svc, "mov x0, #0\nsubs x0, x0, #0\nsvc #1");
SNIPPET(read_entry_state, "mrs x0, currentel\nmrs x1, daif\nmrs x2, spsel\nmrs x3, nzcv");
SNIPPET(nop, "nop");

static void calls(void) {
  static const struct {
    const char* name;
    u64 pstate;
  } modes[] = {{"EL0", kEl0}, {"EL1t", kEl1t}, {"EL1h", kEl1h}, {"EL2t", kEl2t}, {"EL2h", kEl2h}};
  for (unsigned n = 0; n < COUNT(modes); ++n) {
    print("from %s\n", modes[n].name);
#define EACH(text, code) (reset_world(), show("  " text, code, modes[n].pstate))
    EACH("svc #5", svc_5);
    EACH("hvc #0x77", hvc_0x77);
    EACH("brk #9", brk_9);
    EACH("hlt #1", hlt_1);
    EACH("udf #0", udf);
    EACH("undefined word", undefined_word);
    EACH("eret", n ? nop : eret_instruction);
    EACH("branch to odd address", branch_misaligned);
    EACH("flags at entry", flags_then_svc);
    EACH("zero flags at entry", zero_then_svc);
#undef EACH
  }
}

static void smc(void) {
  reset_world();
  show("smc PSCI unknown at EL1", smc_unknown, kEl1h);
  print("  x0 %x\n", cpu.x[0]);
  reset_world();
  show("smc PSCI unknown at EL2", smc_unknown, kEl2h);
  print("  x0 %x\n", cpu.x[0]);
  reset_world();
  MSR(hcr_el2, MRS(hcr_el2) | BIT(19));
  show("smc at EL1, HCR.TSC", smc_immediate, kEl1h);
  reset_world();
  MSR(hcr_el2, MRS(hcr_el2) | BIT(19));
  show("smc at EL0, HCR.TSC", smc_immediate, kEl0);
  reset_world();
  MSR(hcr_el2, MRS(hcr_el2) | BIT(29));
  // At EL1 the vectors could not report themselves.
  show("hvc at EL2, HCR.HCD", hvc_0x77, kEl2h);
  reset_world();
  show("smc at EL0", smc_immediate, kEl0);
}

static void tge(void) {
  static const struct {
    const char* name;
    const void* code;
  } cases[] = {{"svc #5", svc_5},
               {"hvc #0x77", hvc_0x77},
               {"brk #9", brk_9},
               {"udf #0", udf},
               {"hlt #1", hlt_1},
               {"eret", eret_instruction},
               {"branch to odd address", branch_misaligned}};
  print("from EL0, HCR.TGE\n");
  for (unsigned n = 0; n < COUNT(cases); ++n) {
    reset_world();
    // TGE makes stage 1 of EL1&0 behave as if its MMU were off, so addresses are physical.
    MSR(hcr_el2, MRS(hcr_el2) | BIT(27));
    ISB();
    run_at((u64)cases[n].code, kEl0);
    print("  ");
    show_seen(cases[n].name);
    print("\n");
  }
  reset_world();
  MSR(hcr_el2, MRS(hcr_el2) | BIT(27));
  ISB();
  // Returning to EL1 is an illegal exception return then (D1.6.4): PSTATE.IL at EL2.
  run_at((u64)nop, kEl1h);
  show_seen("eret to EL1 with HCR.TGE");
  print("\n");
}

static void alignment(void) {
  static const u64 modes[] = {kEl0, kEl1h, kEl1t};
  for (unsigned n = 0; n < COUNT(modes); ++n) {
    for (unsigned check = 0; check < 2; ++check) {
      reset_world();
      const u64 bits = BIT(3) | BIT(4);
      MSR(sctlr_el1, (MRS(sctlr_el1) & ~bits) | (check ? bits : 0));
      print("SPSR %x SA %d ", modes[n], (int)check);
      show("ldr by sp+4", sp_misaligned_ldr, modes[n]);
      cpu.sp_el0 = cpu.sp_el1 = 0x40400000;
      print("SPSR %x SA %d ", modes[n], (int)check);
      show("stp by sp+8", sp_misaligned_stp, modes[n]);
    }
  }
  reset_world();
  show("eret to odd address", eret_misaligned, kEl1h);
}

static void illegal_returns(void) {
  static const struct {
    const char* name;
    u64 spsr;
  } cases[] = {
      {"reserved mode 1", 0x3c1}, {"reserved mode 7", 0x3c7},      {"EL3h", 0x3cd},
      {"IL set, EL1h", 0x1003c5}, {"EL1h with flags", 0xf00003c5}, {"EL0 with D clear", 0x1c0}};
  for (unsigned n = 0; n < COUNT(cases); ++n) {
    reset_world();
    // An illegal return stays at EL2, so the address must be good there.
    const int stays = n < 3;
    run_at(stays ? (u64)nop : HIGH | (u64)nop, cases[n].spsr);
    print("eret to ");
    show_seen(cases[n].name);
    print("\n");
  }
}

static void entry_state(void) {
  static const u64 modes[] = {kEl0, kEl1t, kEl1h, kEl1h & ~0x3c0ul, kEl2h};
  for (unsigned n = 0; n < COUNT(modes); ++n) {
    reset_world();
    run(read_entry_state, modes[n]);
    if (n) {
      print("SPSR %x: CurrentEL %x DAIF %x SPSel %x NZCV %x\n", modes[n], cpu.x[0], cpu.x[1],
            cpu.x[2], cpu.x[3]);
    } else {
      show_seen("mrs CurrentEL at EL0");
      print("\n");
    }
  }
}

void guest_main(void) {
  print("exceptions\n");
  calls();
  smc();
  tge();
  alignment();
  illegal_returns();
  entry_state();
  print("end\n");
}
