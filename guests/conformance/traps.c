// Controls that trap system registers and instructions, and what those are without permission.
#include "../common/console.h"
#include "../common/lower.h"

static void hcr(const char* name, unsigned bit) {
  reset_world();
  MSR(hcr_el2, MRS(hcr_el2) | BIT(bit));
  ISB();
  print("%s\n", name);
}

static void virtual_memory_controls(void) {
  hcr("HCR.TVM", 26);
  TRY("msr sctlr_el1, x1", kEl1h);
  TRY("msr ttbr0_el1, x2", kEl1h);
  TRY("msr ttbr1_el1, x3", kEl1h);
  TRY("msr tcr_el1, x4", kEl1h);
  TRY("msr esr_el1, x5", kEl1h);
  TRY("msr far_el1, x6", kEl1h);
  TRY("msr afsr0_el1, x7", kEl1h);
  TRY("msr afsr1_el1, x8", kEl1h);
  TRY("msr mair_el1, x9", kEl1h);
  TRY("msr amair_el1, x10", kEl1h);
  TRY("msr contextidr_el1, xzr", kEl1h);
  TRY("mrs x1, sctlr_el1", kEl1h);
  TRY("msr tpidr_el1, x1", kEl1h);
  TRY("msr sctlr_el1, x1", kEl0);
  hcr("HCR.TRVM", 30);
  TRY("mrs x1, sctlr_el1", kEl1h);
  TRY("mrs x30, ttbr0_el1", kEl1h);
  TRY("mrs xzr, ttbr1_el1", kEl1h);
  TRY("mrs x1, tcr_el1", kEl1h);
  TRY("mrs x1, esr_el1", kEl1h);
  TRY("mrs x1, far_el1", kEl1h);
  TRY("mrs x1, afsr0_el1", kEl1h);
  TRY("mrs x1, afsr1_el1", kEl1h);
  TRY("mrs x1, mair_el1", kEl1h);
  TRY("mrs x1, amair_el1", kEl1h);
  TRY("mrs x1, contextidr_el1", kEl1h);
  TRY("msr contextidr_el1, xzr", kEl1h);
}

static void identification(void) {
  hcr("HCR.TID1", 16);
  TRY("mrs x1, revidr_el1", kEl1h);
  TRY("mrs x1, aidr_el1", kEl1h);
  TRY("mrs x1, midr_el1", kEl1h);
  hcr("HCR.TID2", 17);
  TRY("mrs x1, ctr_el0", kEl1h);
  TRY("mrs x1, ccsidr_el1", kEl1h);
  TRY("mrs x1, clidr_el1", kEl1h);
  TRY("mrs x1, csselr_el1", kEl1h);
  TRY("msr csselr_el1, xzr", kEl1h);
  TRY("mrs x1, ctr_el0", kEl0);
  MSR(sctlr_el1, MRS(sctlr_el1) | BIT(15));
  TRY("mrs x2, ctr_el0", kEl0);
  hcr("HCR.TID3", 18);
  TRY("mrs x1, id_aa64pfr0_el1", kEl1h);
  TRY("mrs x1, id_aa64pfr1_el1", kEl1h);
  TRY("mrs x1, id_aa64dfr0_el1", kEl1h);
  TRY("mrs x1, id_aa64isar0_el1", kEl1h);
  TRY("mrs x1, id_aa64mmfr1_el1", kEl1h);
  TRY("mrs x1, id_pfr0_el1", kEl1h);
  TRY("mrs x1, id_mmfr0_el1", kEl1h);
  TRY("mrs x1, id_isar5_el1", kEl1h);
  TRY("mrs x1, mvfr0_el1", kEl1h);
  TRY("mrs x1, S3_0_C0_C4_7", kEl1h);  // reserved ID space
  TRY("mrs x1, mpidr_el1", kEl1h);
  reset_world();
  print("no identification trap\n");
  MSR(vpidr_el2, 0x12345678);
  MSR(vmpidr_el2, 0x80000102);
  TRY("mrs x1, midr_el1; mrs x2, mpidr_el1", kEl1h);
  print("  %x %x\n", cpu.x[1], cpu.x[2]);
  TRY("mrs x1, ctr_el0", kEl0);
  MSR(vpidr_el2, MRS(midr_el1));
  MSR(vmpidr_el2, MRS(mpidr_el1));
}

static void caches_and_tlbs(void) {
  hcr("HCR.TSW", 22);
  TRY("dc isw, x1", kEl1h);
  TRY("dc csw, x1", kEl1h);
  TRY("dc cisw, x1", kEl1h);
  hcr("HCR.TPU", 24);
  TRY("ic iallu", kEl1h);
  TRY("ic ialluis", kEl1h);
  TRY("ic ivau, x1", kEl1h);
  TRY("dc cvau, x1", kEl1h);
  TRY("ic ivau, x1", kEl0);
  MSR(sctlr_el1, MRS(sctlr_el1) | BIT(26));
  TRY("ic ivau, x2", kEl0);
  TRY("dc cvau, x3", kEl0);
  hcr("HCR.TPC", 23);
  TRY("dc ivac, x1", kEl1h);
  TRY("dc cvac, x1", kEl1h);
  TRY("dc civac, x1", kEl1h);
  TRY("dc civac, x1", kEl0);
  MSR(sctlr_el1, MRS(sctlr_el1) | BIT(26));
  TRY("dc civac, x2", kEl0);
  hcr("HCR.TTLB", 25);
  TRY("tlbi vmalle1", kEl1h);
  TRY("tlbi vmalle1is", kEl1h);
  TRY("tlbi vae1, x1", kEl1h);
  TRY("tlbi vae1is, x1", kEl1h);
  TRY("tlbi aside1, x1", kEl1h);
  TRY("tlbi vaae1, x1", kEl1h);
  TRY("tlbi vale1, x1", kEl1h);
  TRY("tlbi vaale1is, x30", kEl1h);
  hcr("HCR.TDZ", 28);
  TRY("mov x0, #0x40500000; dc zva, x0", kEl1h);
  TRY("mov x0, #0x40500000; dc zva, x0", kEl0);
  TRY("mrs x1, dczid_el0; ubfx x1, x1, #4, #1", kEl1h);
  print("  DZP %x\n", cpu.x[1]);
  hcr("HCR.TACR", 21);
  TRY("mrs x1, actlr_el1", kEl1h);
  TRY("msr actlr_el1, x1", kEl1h);
}

static void implementation_defined(void) {
  hcr("HCR.TIDCP", 20);
  TRY("mrs x1, S3_0_C11_C0_0", kEl1h);
  TRY("mrs x1, S3_1_C15_C2_7", kEl1h);
  TRY("msr S3_7_C15_C7_7, x30", kEl1h);
  reset_world();
  print("no HCR.TIDCP\n");
  TRY("mrs x1, S3_7_C15_C7_7", kEl1h);
  if (!is_max()) return;
  hcr("HCR.TLOR", 35);
  TRY("mrs x1, lorid_el1", kEl1h);
  TRY("msr lorc_el1, x2", kEl1h);
  reset_world();
  print("HCR.API and APK clear\n");
  MSR(sctlr_el1, MRS(sctlr_el1) | BIT(31));  // EnIA
#define POINTER_AUTHENTICATION(pstate)  \
  TRY("mrs x1, apiakeylo_el1", pstate); \
  TRY("msr apgakeyhi_el1, x2", pstate); \
  TRY("pacia x1, x2", pstate);          \
  TRY("autia x1, x2", pstate);          \
  TRY("pacga x1, x2, x3", pstate);      \
  TRY("xpaci x1", pstate);              \
  TRY("paciasp; autiasp", pstate)
  POINTER_AUTHENTICATION(kEl1h);
  POINTER_AUTHENTICATION(kEl0);
  hcr("HCR.API set", 41);
  MSR(sctlr_el1, MRS(sctlr_el1) | BIT(31));
  POINTER_AUTHENTICATION(kEl1h);
}

static void waiting(void) {
  hcr("HCR.TWI", 13);
  TRY("wfi", kEl1h);
  TRY("wfi", kEl0);
  hcr("HCR.TWE", 14);
  TRY("sevl; wfe; wfe", kEl1h);
  reset_world();
  print("SCTLR.nTWI and nTWE clear\n");
  TRY("wfi", kEl0);
  TRY("sevl; wfe; wfe", kEl0);
}

#define FLOATING_POINT(pstate)            \
  TRY("fmov d0, #1.0", pstate);           \
  TRY("ldr q0, [x1]", pstate);            \
  TRY("add v0.4s, v1.4s, v2.4s", pstate); \
  TRY("mrs x3, fpcr", pstate);            \
  TRY("msr fpsr, xzr", pstate);           \
  TRY("fmov x0, d1", pstate);             \
  TRY("st1 {v0.16b}, [x1]", pstate)

static void floating_point(void) {
  static const struct {
    u64 fpen, cptr;
  } cases[] = {{0, 0}, {1, 0}, {2, 0}, {3, 0}, {3, BIT(10)}, {0, BIT(10)}, {1, BIT(10)}};
  for (unsigned n = 0; n < COUNT(cases); ++n) {
    static const u64 modes[] = {kEl0, kEl1h};
    for (unsigned m = 0; m < COUNT(modes); ++m) {
      reset_world();
      MSR(cpacr_el1, cases[n].fpen << 20);
      MSR(cptr_el2, 0x33ff | cases[n].cptr);
      ISB();
      cpu.x[1] = 0x40500000;
      print("FPEN %d TFP %d SPSR %x\n", (int)cases[n].fpen, cases[n].cptr != 0, modes[m]);
      FLOATING_POINT(modes[m]);
    }
  }
  reset_world();
  MSR(cptr_el2, 0x33ff | BIT(10));
  ISB();
  print("TFP at EL2\n");
  TRY("fmov d0, #1.0", kEl2h);
  TRY("mrs x1, fpcr", kEl2h);
  MSR(cptr_el2, 0x33ff | BIT(31));
  print("CPTR_EL2.TCPAC\n");
  TRY("mrs x1, cpacr_el1", kEl1h);
  TRY("msr cpacr_el1, x1", kEl1h);
  TRY("mrs x1, cpacr_el1", kEl2h);
}

#define COUNTERS(pstate)                \
  TRY("mrs x1, cntpct_el0", pstate);    \
  TRY("mrs x1, cntvct_el0", pstate);    \
  TRY("mrs x1, cntfrq_el0", pstate);    \
  TRY("mrs x1, cntp_ctl_el0", pstate);  \
  TRY("msr cntp_cval_el0, x1", pstate); \
  TRY("mrs x1, cntp_tval_el0", pstate); \
  TRY("mrs x1, cntv_ctl_el0", pstate);  \
  TRY("msr cntv_cval_el0, x1", pstate); \
  TRY("mrs x1, cntv_tval_el0", pstate)

static void timers(void) {
  static const struct {
    u64 cnthctl, cntkctl;
  } cases[] = {{3, 0x303}, {0, 0x303}, {1, 0x303}, {2, 0x303}, {3, 0},
               {3, 1},     {3, 2},     {3, 0x100}, {3, 0x200}, {0, 0}};
  for (unsigned n = 0; n < COUNT(cases); ++n) {
    reset_world();
    MSR(cnthctl_el2, cases[n].cnthctl);
    MSR(cntkctl_el1, cases[n].cntkctl);
    ISB();
    print("CNTHCTL %x CNTKCTL %x EL0\n", cases[n].cnthctl, cases[n].cntkctl);
    COUNTERS(kEl0);
    if (n > 3) continue;
    print("CNTHCTL %x EL1\n", cases[n].cnthctl);
    COUNTERS(kEl1h);
  }
  reset_world();
  TRY("mrs x1, cntkctl_el1", kEl0);
  TRY("mrs x1, cntvoff_el2", kEl1h);
  TRY("mrs x1, cnthctl_el2", kEl1h);
  TRY("msr cntfrq_el0, x1", kEl1h);
  TRY("mrs x1, cnthp_ctl_el2", kEl1h);
  TRY("mrs x1, cntps_ctl_el1", kEl1h);
  TRY("msr cntpct_el0, x1", kEl1h);
}

static void mdcr(const char* name, u64 bits) {
  reset_world();
  MSR(mdcr_el2, MRS(mdcr_el2) | bits);
  ISB();
  print("%s\n", name);
}

static void debug_and_pmu(void) {
  mdcr("MDCR.TDA", BIT(9));
  TRY("mrs x1, mdscr_el1", kEl1h);
  TRY("msr mdscr_el1, xzr", kEl1h);
  TRY("mrs x1, dbgbvr0_el1", kEl1h);
  TRY("msr dbgwcr0_el1, xzr", kEl1h);
  mdcr("MDCR.TDOSA", BIT(10));
  TRY("msr oslar_el1, xzr", kEl1h);
  TRY("mrs x1, oslsr_el1", kEl1h);
  TRY("msr osdlr_el1, xzr", kEl1h);
  mdcr("MDCR.TDRA", BIT(11));
  TRY("mrs x1, mdrar_el1", kEl1h);
  mdcr("MDCR.TDE", BIT(8) | BIT(9) | BIT(10) | BIT(11));
  TRY("brk #3", kEl1h);
  TRY("brk #3", kEl0);
  mdcr("MDCR.TPM", BIT(6));
  TRY("mrs x1, pmcr_el0", kEl1h);
  TRY("msr pmcntenset_el0, xzr", kEl1h);
  TRY("mrs x1, pmccntr_el0", kEl1h);
  TRY("mrs x1, pmuserenr_el0", kEl1h);
  TRY("msr pmintenclr_el1, xzr", kEl1h);
  TRY("mrs x1, pmccfiltr_el0", kEl1h);
  mdcr("MDCR.TPMCR", BIT(5));
  TRY("mrs x1, pmcr_el0", kEl1h);
  TRY("msr pmcntenset_el0, xzr", kEl1h);
  reset_world();
  print("PMUSERENR 0 at EL0\n");
  MSR(pmuserenr_el0, 0);
  TRY("mrs x1, pmcr_el0", kEl0);
  TRY("mrs x1, pmccntr_el0", kEl0);
  TRY("msr pmswinc_el0, xzr", kEl0);
  TRY("mrs x1, pmuserenr_el0", kEl0);
  TRY("mrs x1, pmintenset_el1", kEl0);
  print("PMUSERENR.CR\n");
  MSR(pmuserenr_el0, 4);
  TRY("mrs x1, pmccntr_el0", kEl0);
  TRY("mrs x1, pmcr_el0", kEl0);
  MSR(pmuserenr_el0, 0);
}

static void from_el0(void) {
  reset_world();
  print("EL0, nothing allowed\n");
#define USER                                     \
  TRY("mov x0, #0x40500000; dc zva, x0", kEl0);  \
  TRY("mov x0, #0x40500000; dc cvau, x0", kEl0); \
  TRY("mov x0, #0x40500000; dc cvac, x0", kEl0); \
  TRY("mov x0, #0x40500000; ic ivau, x0", kEl0); \
  TRY("mrs x1, dczid_el0", kEl0);                \
  TRY("mrs x1, ctr_el0", kEl0);                  \
  TRY("mrs x1, daif", kEl0);                     \
  TRY("msr daif, x1", kEl0);                     \
  TRY("msr daifset, #2", kEl0);                  \
  TRY("msr daifclr, #2", kEl0);                  \
  TRY("mrs x1, nzcv", kEl0);                     \
  TRY("msr spsel, #1", kEl0);                    \
  TRY("mrs x1, sctlr_el1", kEl0);                \
  TRY("msr tpidrro_el0, x1", kEl0);              \
  TRY("msr tpidr_el0, x1", kEl0);                \
  TRY("mrs x1, tpidr_el1", kEl0);                \
  TRY("tlbi vmalle1", kEl0);                     \
  TRY("at s1e1r, x0", kEl0);                     \
  TRY("dc isw, x0", kEl0);                       \
  TRY("dc ivac, x0", kEl0);                      \
  TRY("ic iallu", kEl0)
  USER;
  MSR(sctlr_el1, MRS(sctlr_el1) | BIT(14) | BIT(15) | BIT(26) | BIT(9));
  print("EL0, UCI, UCT, DZE, UMA\n");
  USER;
#undef USER
}

static void no_such_access(void) {
  reset_world();
  print("EL1, beyond its rights\n");
  TRY("mrs x1, sctlr_el2", kEl1h);
  TRY("mrs x1, hcr_el2", kEl1h);
  TRY("msr vbar_el2, x1", kEl1h);
  TRY("mrs x1, sp_el1", kEl1h);
  TRY("mrs x1, sp_el0", kEl1t);
  TRY("mrs x1, sp_el0", kEl1h);
  TRY("msr midr_el1, x1", kEl1h);
  TRY("msr currentel, x1", kEl1h);
  TRY("tlbi alle1", kEl1h);
  TRY("tlbi vae2, x1", kEl1h);
  TRY("at s1e2r, x1", kEl1h);
  TRY("at s12e1r, x1", kEl1h);
  TRY("mrs x1, S3_3_C7_C3_1", kEl1h);
  TRY("mrs x1, sctlr_el3", kEl2h);
  TRY("mrs x1, scr_el3", kEl2h);
  TRY("msr midr_el1, x1", kEl2h);
  TRY("tlbi alle3", kEl2h);
  TRY("mrs x1, sp_el2", kEl2h);
  TRY("mrs x1, S3_0_C2_C7_7", kEl2h);
  if (is_max()) return;
  print("EL2, registers of later architectures\n");
  TRY("mrs x1, sctlr_el12", kEl2h);
  TRY("mrs x1, cntp_ctl_el02", kEl2h);
  TRY("mrs x1, pan", kEl1h);
  TRY("msr pan, #1", kEl1h);
  TRY("mrs x1, uao", kEl1h);
  TRY("mrs x1, lorid_el1", kEl1h);
  TRY("mrs x1, contextidr_el2", kEl2h);
  TRY("mrs x1, ttbr1_el2", kEl2h);
  TRY("mrs x1, apiakeylo_el1", kEl1h);
  TRY("ldadd x1, x2, [x0]", kEl1h);
  TRY("at s1e1rp, x0", kEl1h);
}

void guest_main(void) {
  print("traps\n");
  virtual_memory_controls();
  identification();
  caches_and_tlbs();
  implementation_defined();
  waiting();
  floating_point();
  timers();
  debug_and_pmu();
  from_el0();
  no_such_access();
  print("end\n");
}
