// The generic timer: conditions, offsets, status, and the interrupts they raise. Nothing that is
// printed depends on how fast time passes.
#include "../common/console.h"
#include "../common/lower.h"

enum { kGicd = 0x08000000, kSgi = 0x080b0000 };

static u32 pending(void) {
  return read32(kSgi + 0x200) & 0x7c000000;
}

static void set_up(void) {
  reset_world();
  MSR(S3_4_C12_C9_5, 0xf);  // ICC_SRE_EL2
  ISB();
  write32(kGicd, 0x12);
  write32(0x080a0014, 0);
  write32(kSgi + 0x80, ~0u);
  write32(kSgi + 0x180, ~0u);
  MSR(cntvoff_el2, 0);
  MSR(cntp_ctl_el0, 0);
  MSR(cntv_ctl_el0, 0);
  MSR(cnthp_ctl_el2, 0);
  ISB();
}

#define TIMER(name, ctl, cval, tval)                                                             \
  do {                                                                                           \
    print("%s\n", name);                                                                         \
    set_up();                                                                                    \
    static const struct {                                                                        \
      const char* when;                                                                          \
      u64 value;                                                                                 \
    } cases[] = {{"past", 0}, {"far future", ~0ul >> 1}, {"all ones", ~0ul}};                    \
    for (unsigned n = 0; n < COUNT(cases); ++n) {                                                \
      for (u64 control = 0; control < 4; ++control) {                                            \
        MSR(cval, cases[n].value);                                                               \
        MSR(ctl, control);                                                                       \
        ISB();                                                                                   \
        print("  %s CTL %x: reads %x CVAL %x pending %x\n", cases[n].when, control, MRS(ctl),    \
              MRS(cval), (u64)pending());                                                        \
      }                                                                                          \
    }                                                                                            \
    MSR(ctl, ~0ul);                                                                              \
    print("  CTL of all ones %x", MRS(ctl));                                                     \
    MSR(ctl, 1);                                                                                 \
    MSR(tval, 0x7fffffff);                                                                       \
    ISB();                                                                                       \
    const u64 ahead = MRS(tval);                                                                 \
    print(" TVAL future %d CTL %x", (int)(ahead > 0x70000000 && ahead <= 0x7fffffff), MRS(ctl)); \
    MSR(tval, 0xf0000000);                                                                       \
    ISB();                                                                                       \
    print(" negative %d CTL %x", (int)((MRS(tval) >> 31) == 1), MRS(ctl));                       \
    MSR(tval, 0xffffffff);                                                                       \
    ISB();                                                                                       \
    print(" minus one CTL %x pending %x\n", MRS(ctl), (u64)pending());                           \
    MSR(ctl, 0);                                                                                 \
    ISB();                                                                                       \
    print("  off: CTL %x pending %x\n", MRS(ctl), (u64)pending());                               \
  } while (0)

static void counters(void) {
  set_up();
  print("counters\n");
  print("  CNTFRQ %x\n", MRS(cntfrq_el0));
  u64 last = MRS(cntpct_el0);
  unsigned backwards = 0;
  for (unsigned n = 0; n < 1000; ++n) {
    const u64 now = MRS(cntpct_el0);
    backwards += now < last;
    last = now;
  }
  print("  backwards %d\n", (int)backwards);
  MSR(cntvoff_el2, 1ul << 40);
  ISB();
  u64 before = MRS(cntpct_el0), middle = MRS(cntvct_el0), after = MRS(cntpct_el0);
  print("  CNTVCT is CNTPCT - CNTVOFF at EL2 %d\n",
        (int)(middle + (1ul << 40) >= before && middle + (1ul << 40) <= after));
  show("  EL1", CODE("isb; mrs x1, cntpct_el0; isb; mrs x2, cntvct_el0; isb; mrs x3, cntpct_el0"),
       kEl1h);
  middle = cpu.x[2] + (1ul << 40);
  print("  and at EL1 %d\n", (int)(middle >= cpu.x[1] && middle <= cpu.x[3]));
  before = MRS(cntpct_el0);
  MSR(cntv_cval_el0, 1ul << 41);
  MSR(cntv_ctl_el0, 1);
  ISB();
  print("  virtual timer with offset: future CTL %x", MRS(cntv_ctl_el0));
  MSR(cntvoff_el2, 0ul - (1ul << 42));
  ISB();
  print(" past CTL %x pending %x", MRS(cntv_ctl_el0), (u64)pending());
  MSR(cntvoff_el2, 0);
  ISB();
  print(" future CTL %x pending %x\n", MRS(cntv_ctl_el0), (u64)pending());
  MSR(cntv_ctl_el0, 0);
}

static void controls(void) {
  print("controls keep\n");
  set_up();
  MSR(cntkctl_el1, ~0ul);
  print("  CNTKCTL %x", MRS(cntkctl_el1) & 0x3ff);
  MSR(cntkctl_el1, 0);
  print(" %x", MRS(cntkctl_el1));
  MSR(cnthctl_el2, 0xff);
  print(" CNTHCTL %x", MRS(cnthctl_el2) & 0xff);
  MSR(cnthctl_el2, 3);
  print(" %x", MRS(cnthctl_el2) & 0xff);
  MSR(cntvoff_el2, 0x123456789abcdef0);
  print(" CNTVOFF %x\n", MRS(cntvoff_el2));
  MSR(cntvoff_el2, 0);
}

// A timer that wakes the CPU from WFI, and interrupts code that waits.
static void waking(void) {
  print("waking\n");
  set_up();
  write32(kSgi + 0x100, 1u << 26 | 1u << 27 | 1u << 30);
  MSR(S3_0_C4_C6_0, 0xff);
  MSR(S3_0_C12_C12_7, 1);
  MSR(cnthp_tval_el2, 20000);
  MSR(cnthp_ctl_el2, 1);
  ISB();
  show("  wfi at EL2, masked", CODE("wfi"), kEl2h);
  print("  CTL %x pending %x\n", MRS(cnthp_ctl_el2), (u64)pending());
  MSR(cnthp_ctl_el2, 0);
  MSR(hcr_el2, MRS(hcr_el2) | BIT(4));
  MSR(cntv_tval_el0, 20000);
  MSR(cntv_ctl_el0, 1);
  ISB();
  show("  loop at EL1 until the interrupt of EL2", CODE("b ."), kEl1h);
  print("  IAR1 %x", MRS(S3_0_C12_C12_0));
  MSR(cntv_ctl_el0, 0);
  MSR(S3_0_C12_C12_1, 27);
  print(" pending %x\n", (u64)pending());
  MSR(hcr_el2, MRS(hcr_el2) & ~BIT(4));
  show("  loop at EL1 until its own",
       CODE("mov x0, #20000; msr cntp_tval_el0, x0; mov x0, #1; msr cntp_ctl_el0, x0; isb; "
            "msr daifclr, #2; b ."),
       kEl1h);
  print("  CTL %x IAR1 %x\n", MRS(cntp_ctl_el0), MRS(S3_0_C12_C12_0));
  MSR(cntp_ctl_el0, 0);
  MSR(S3_0_C12_C12_1, 30);
  show("  wfi at EL1 until its own",
       CODE("mov x0, #20000; msr cntv_tval_el0, x0; mov x0, #1; msr cntv_ctl_el0, x0; isb; "
            "wfi; mrs x1, isr_el1; mrs x2, cntv_ctl_el0; msr cntv_ctl_el0, xzr"),
       kEl1h);
  print("  ISR_EL1 %x CTL %x\n", cpu.x[1], cpu.x[2]);
  show("  wfi at EL0 until EL1's",
       CODE("mrs x3, sctlr_el1; orr x3, x3, #0x10000; msr sctlr_el1, x3; adr x0, 1f; msr elr_el1, "
            "x0; "
            "mov x0, #0x340; msr spsr_el1, x0; mov x0, #20000; msr cntv_tval_el0, x0; mov x0, #1; "
            "msr cntv_ctl_el0, x0; isb; eret; 1: wfi; b ."),
       kEl1h);
  print("  CTL %x\n", MRS(cntv_ctl_el0));
  MSR(cntv_ctl_el0, 0);
}

void guest_main(void) {
  print("timer\n");
  counters();
  TIMER("EL1 physical", cntp_ctl_el0, cntp_cval_el0, cntp_tval_el0);
  TIMER("EL1 virtual", cntv_ctl_el0, cntv_cval_el0, cntv_tval_el0);
  TIMER("EL2 physical", cnthp_ctl_el2, cnthp_cval_el2, cnthp_tval_el2);
  if (is_max()) {
    TIMER("EL2 virtual", S3_4_C14_C3_1, S3_4_C14_C3_2, S3_4_C14_C3_0);
  }
  controls();
  waking();
  print("end\n");
}
