// Asynchronous exceptions: virtual ones by HCR_EL2, routing of physical ones, masks, nesting. The
// timer of EL2 is the physical source; the GIC is told no more than is needed.
#include "../common/console.h"
#include "../common/lower.h"

enum { kGicd = 0x08000000, kSgi = 0x080b0000 };
#define ICC_PMR S3_0_C4_C6_0
#define ICC_IAR1 S3_0_C12_C12_0
#define ICC_EOIR1 S3_0_C12_C12_1
#define ICC_IGRPEN1 S3_0_C12_C12_7
#define ICC_SRE2 S3_4_C12_C9_5

static const u64 kAll = 0x3c0;

static void virtual_ones(void) {
  static const struct {
    const char* name;
    u64 hcr;
  } kinds[] = {{"VI", BIT(7)},
               {"VF", BIT(6)},
               {"VSE", BIT(8)},
               {"VI, VF", BIT(7) | BIT(6)},
               {"VI, VF, VSE", BIT(6) | BIT(7) | BIT(8)}};
  static const u64 routes[] = {0, BIT(3) | BIT(4) | BIT(5), BIT(4), BIT(3), BIT(5)};
  for (unsigned k = 0; k < COUNT(kinds); ++k) {
    for (unsigned r = 0; r < COUNT(routes); ++r) {
      print("%s, AMO IMO FMO %x\n", kinds[k].name, routes[r] >> 3);
      static const u64 states[] = {kEl1h & ~0x3c0ul, kEl0 & ~0x3c0ul, kEl1h,
                                   kEl1h & ~0x80ul,  kEl1h & ~0x40ul, kEl1h & ~0x100ul};
      for (unsigned s = 0; s < COUNT(states); ++s) {
        reset_world();
        MSR(hcr_el2, MRS(hcr_el2) | kinds[k].hcr | routes[r]);
        ISB();
        print("  SPSR %x", states[s]);
        show("", CODE("nop; nop; nop"), states[s]);
        if (k == 2 || k == 4) print("    VSE left %d\n", (int)(MRS(hcr_el2) >> 8 & 1));
      }
      reset_world();
      MSR(hcr_el2, MRS(hcr_el2) | kinds[k].hcr | routes[r]);
      ISB();
      show("  mrs isr_el1", CODE("mrs x1, isr_el1; msr daifclr, #7; nop; nop; nop"), kEl1h);
      print("    ISR_EL1 %x\n", cpu.x[1]);
    }
  }
  print("not at EL2, not with TGE\n");
  reset_world();
  MSR(hcr_el2, MRS(hcr_el2) | BIT(7) | BIT(4));
  ISB();
  show("  EL2", CODE("nop; nop; nop"), kEl2h & ~kAll);
  MSR(hcr_el2, MRS(hcr_el2) | BIT(27));
  ISB();
  run_at((u64)CODE("nop; nop; nop"), kEl0 & ~kAll);
  show_seen("  EL0, TGE");
  print("\n");
}

static void physical(void) {
  print("physical interrupt\n");
  reset_world();
  MSR(ICC_SRE2, 0xf);
  ISB();
  write32(kGicd, 0x12);
  write32(0x080a0014, 0);
  write32(kSgi + 0x80, ~0u);
  write32(kSgi + 0x100, 1u << 26);
  MSR(ICC_PMR, 0xff);
  MSR(ICC_IGRPEN1, 1);
  MSR(cnthp_cval_el2, 0);
  MSR(cnthp_ctl_el2, 1);
  ISB();
  static const struct {
    const char* name;
    u64 hcr;
  } routes[] = {{"IMO 0", 0}, {"IMO", BIT(4)}, {"TGE", BIT(27)}, {"IMO, VI", BIT(4) | BIT(7)}};
  static const u64 states[] = {kEl0,  kEl0 & ~0x3c0ul,  kEl1h,          kEl1h & ~0x3c0ul,
                               kEl2h, kEl2h & ~0x3c0ul, kEl2h & ~0x80ul};
  for (unsigned r = 0; r < COUNT(routes); ++r) {
    for (unsigned s = 0; s < COUNT(states); ++s) {
      const unsigned el = states[s] >> 2 & 3;
      if (routes[r].hcr == BIT(27) && el == 1) continue;
      reset_world();
      MSR(hcr_el2, MRS(hcr_el2) | routes[r].hcr);
      ISB();
      print("  %s SPSR %x", routes[r].name, states[s]);
      const u64 code = (u64)CODE("nop; nop; nop");
      run_at(routes[r].hcr == BIT(27) || el == 2 ? code : HIGH | code, states[s]);
      show_seen("");
      print("\n");
    }
  }
  print("unmasked by an instruction\n");
  reset_world();
  show("  EL1", CODE("nop; msr daifclr, #2; isb; nop; nop"), kEl1h);
  print("  ISR_EL1 at EL2 %x\n", MRS(isr_el1));
  show("  EL1 masks again", CODE("mrs x1, isr_el1; msr daifset, #2; nop"), kEl1h);
  print("  ISR_EL1 %x\n", cpu.x[1]);
  MSR(hcr_el2, MRS(hcr_el2) | BIT(4));
  ISB();
  MSR(cnthp_ctl_el2, 3);
  ISB();
  show("  gone", CODE("mrs x1, isr_el1; nop; nop"), kEl1h & ~kAll);
  print("  ISR_EL1 %x\n", cpu.x[1]);
  MSR(cnthp_ctl_el2, 0);
  ISB();
}

// An exception in an exception: what ELR, SPSR and ESR of EL1 hold before and after.
static void nested(void) {
  print("nested\n");
  reset_world();
  run(CODE("adr x1, 1f; ldr x2, =0x1234; msr elr_el1, x1; msr spsr_el1, x2; brk #1; 1:"), kEl1h);
  show_seen("  brk at EL1");
  print("\n  EL2's own: ELR is the vector, ESR %x SPSR %x\n", cpu.esr, cpu.spsr);
  reset_world();
  show("  eret to EL0 and svc",
       CODE("adr x0, 1f; msr elr_el1, x0; mov x0, #0x3c0; msr spsr_el1, x0; eret; 1: svc #7"),
       kEl1h);
  show("  eret to EL1t",
       CODE("adr x0, 1f; msr elr_el1, x0; mov x0, #0x3c4; msr spsr_el1, x0; "
            "eret; 1: mrs x1, spsel; mrs x2, currentel; svc #8"),
       kEl1h);
  print("  SPSel %x CurrentEL %x\n", cpu.x[1], cpu.x[2]);
  show("  eret to EL2 from EL1",
       CODE("adr x0, 1f; msr elr_el1, x0; mov x0, #0x3c9; msr spsr_el1, x0; eret; 1: svc #9"),
       kEl1h);
  show("  eret to EL1 with flags",
       CODE("adr x0, 1f; msr elr_el1, x0; mov x0, #0x5; movk x0, #0xa000, lsl #16; "
            "msr spsr_el1, x0; eret; 1: mrs x1, nzcv; mrs x2, daif; svc #10"),
       kEl1h);
  print("  NZCV %x DAIF %x\n", cpu.x[1], cpu.x[2]);
  // Stack pointers are banked.
  reset_world();
  cpu.sp_el0 = 0x1110;
  cpu.sp_el1 = 0x2220;
  show("  sp at EL1h",
       CODE("mov x1, sp; mrs x2, sp_el0; msr spsel, #0; mov x3, sp; msr spsel, #1; "
            "add sp, sp, #16"),
       kEl1h);
  print("  sp %x sp_el0 %x with SPSel 0 %x; after: SP_EL0 %x SP_EL1 %x\n", cpu.x[1], cpu.x[2],
        cpu.x[3], cpu.sp_el0, cpu.sp_el1);
  // PAN at entry (Armv8.1): set unless SCTLR_EL1.SPAN.
  if (!is_max()) return;
  for (unsigned span = 0; span < 2; ++span) {
    reset_world();
    MSR(sctlr_el1, (MRS(sctlr_el1) & ~BIT(23)) | (u64)span << 23);
    show("  svc", CODE("svc #1"), kEl0);
    print("  SPAN %d: PSTATE at the EL1 vector %x\n", (int)span, cpu.spsr);
    show("  svc with UAO and PAN", CODE("svc #1"), kEl1h | BIT(22) | BIT(23));
    print("  PSTATE at the EL1 vector %x\n", cpu.spsr);
  }
}

void guest_main(void) {
  print("interrupts\n");
  virtual_ones();
  physical();
  nested();
  print("end\n");
}
