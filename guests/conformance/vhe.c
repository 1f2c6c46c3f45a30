// The Virtualization Host Extensions: HCR_EL2.E2H and TGE. EL1's register names at EL2, the EL12
// and EL02 names, the EL2&0 translation regime, exceptions of host applications.
#include "../common/console.h"
#include "../common/lower.h"
#include "../common/tables.h"

#define kE2h BIT(34)
#define kTge BIT(27)

static void set_hcr(u64 value) {
  MSR(hcr_el2, value);
  ISB();
}

// One register by its EL1 name, its EL12 name and its EL2 name.
#define REDIRECTED(name, el1, el12, el2, value1, value2)                                    \
  do {                                                                                      \
    MSR(el1, value1);                                                                       \
    const u64 saved = MRS(el2);                                                             \
    set_hcr(BIT(31) | kE2h);                                                                \
    const u64 through12 = MRS(el12);                                                        \
    const u64 same = MRS(el1) == MRS(el2);                                                  \
    MSR(el12, value2);                                                                      \
    const u64 untouched = MRS(el2) == MRS(el1);                                             \
    set_hcr(BIT(31));                                                                       \
    print("%s: EL12 reads %x, EL1 name is EL2's %d %d, EL12 wrote %x, EL2 kept %d\n", name, \
          through12, (int)same, (int)untouched, MRS(el1), (int)(MRS(el2) == saved));        \
  } while (0)

static void registers(void) {
  print("registers\n");
  reset_world();
  REDIRECTED("ELR", elr_el1, S3_5_C4_C0_1, elr_el2, 0x1234560, 0x65432);
  REDIRECTED("SPSR", spsr_el1, S3_5_C4_C0_0, spsr_el2, 0x3c5, 0x3c4);
  REDIRECTED("ESR", esr_el1, S3_5_C5_C2_0, esr_el2, 0x96000005, 0x12);
  REDIRECTED("FAR", far_el1, S3_5_C6_C0_0, far_el2, 0xffff123412341234, 0x77);
  REDIRECTED("AFSR0", afsr0_el1, S3_5_C5_C1_0, afsr0_el2, 0, 0);
  REDIRECTED("VBAR", vbar_el1, S3_5_C12_C0_0, vbar_el2, 0x40001800, 0x40002000);
  REDIRECTED("MAIR", mair_el1, S3_5_C10_C2_0, mair_el2, 0x44ff00, 0xff);
  REDIRECTED("TTBR0", ttbr0_el1, S3_5_C2_C0_0, ttbr0_el2, 0x5000040300000, 0x40301000);
  REDIRECTED("TTBR1", ttbr1_el1, S3_5_C2_C0_1, S3_4_C2_C0_1, 0x40302000, 0x6000040303000);
  REDIRECTED("TCR", tcr_el1, S3_5_C2_C0_2, tcr_el2, kTcrDefault0 | kTcrDefault1, kTcrDefault0);
  REDIRECTED("CPACR", cpacr_el1, S3_5_C1_C0_2, cptr_el2, 3 << 20, 1 << 20);
  REDIRECTED("CONTEXTIDR", contextidr_el1, S3_5_C13_C0_1, S3_4_C13_C0_1, 0x1234, 0x4321);
  REDIRECTED("CNTKCTL", cntkctl_el1, S3_5_C14_C1_0, cnthctl_el2, 0x3, 0x301);
  REDIRECTED("CNTP_CVAL", cntp_cval_el0, S3_5_C14_C2_2, cnthp_cval_el2, 0x123456789abcdef, 0x42);
  REDIRECTED("CNTV_CVAL", cntv_cval_el0, S3_5_C14_C3_2, S3_4_C14_C3_2, 0x7fffffffffffffff, 0x43);
  REDIRECTED("CNTP_CTL", cntp_ctl_el0, S3_5_C14_C2_1, cnthp_ctl_el2, 2, 0);
  reset_world();
  print("rights\n");
  MSR(hcr_el2, BIT(31));
  TRY("  mrs x1, S3_5_C1_C0_0", kEl2h);
  TRY("  mrs x1, S3_5_C14_C2_1", kEl2h);
  TRY("  mrs x1, S3_5_C1_C0_0", kEl1h);
  set_hcr(BIT(31) | kE2h);
  TRY("  mrs x1, S3_5_C1_C0_0", kEl1h);
  TRY("  mrs x1, S3_4_C1_C1_2", kEl1h);
  TRY("  mrs x1, S3_5_C1_C0_0", kEl2h);
  set_hcr(BIT(31));
}

static void host_on(void) {
  reset_world();
  const u64 sctlr = 0x30c00830 | 0x1005;  // nTWI and nTWE are clear.
  MSR(mair_el2, 0x44ff00);
  set_hcr(BIT(31) | kE2h | kTge);
  MSR(tcr_el2, kTcrDefault0 | kTcrDefault1);
  MSR(ttbr0_el2, (u64)stage1_l1);
  MSR(S3_4_C2_C0_1, (u64)stage1_l1);  // TTBR1_EL2
  MSR(cptr_el2, 3 << 20);
  ISB();
  __asm__ volatile("tlbi alle2; tlbi vmalle1; dsb sy; isb" ::: "memory");
  MSR(sctlr_el2, sctlr);
  ISB();
}

static void host_off(void) {
  MSR(sctlr_el2, 0x30c50830);
  ISB();
  set_hcr(BIT(31));
  MSR(tcr_el2, BIT(31) | BIT(23));
  MSR(cptr_el2, 0x33ff);
  tlbi_all();
}

static u64 at_s1e1r(u64 va) {
  __asm__ volatile("at s1e1r, %0; isb" ::"r"(va) : "memory");
  return MRS(par_el1);
}

static u64 at_s1e0w(u64 va) {
  __asm__ volatile("at s1e0w, %0; isb" ::"r"(va) : "memory");
  return MRS(par_el1);
}

static void host_applications(void) {
  print("host applications\n");
  host_on();
  // Experiments at EL0 and at EL2 of the host; RAM is at both halves.
#define HOST(text) (run_at((u64)CODE(text), kEl0), show_seen("  EL0 " text), print("\n"))
#define HOST2(text) (run_at(HIGH | (u64)CODE(text), kEl2h), show_seen("  EL2 " text), print("\n"))
  HOST("svc #5");
  HOST("brk #3");
  HOST(".word 0");
  HOST("hvc #1");
  HOST("smc #0");
  HOST("mrs x1, sctlr_el1");
  HOST("mrs x1, ctr_el0");
  HOST("mov x0, #0x40500000; dc zva, x0");
  HOST("mov x0, #0x40500000; dc cvau, x0");
  HOST("msr daifset, #2");
  HOST("wfi");
  HOST("mov x0, #0xc0000000; ldr x1, [x0]");
  HOST("mov x0, #0xc0000000; str w1, [x0, #8]");
  HOST("mov x0, #0x40000000; str x1, [x0]");
  HOST("mov x0, #0xc0000000; br x0");
  HOST("mov x0, #0x40500000; br x0");
  HOST("mov x0, #0x40500000; ldr x1, [x0]");
  HOST("fmov d0, #1.0");
  HOST("mrs x1, cntvct_el0");
  HOST("mrs x1, cntpct_el0");
  HOST("mrs x1, cntp_ctl_el0");
  HOST("mrs x1, cntv_cval_el0");
  MSR(cnthctl_el2, 0x303);
  ISB();
  print(" counters allowed\n");
  HOST("mrs x1, cntvct_el0");
  HOST("mrs x1, cntpct_el0");
  HOST("mrs x1, cntp_ctl_el0");
  HOST("mrs x1, cntv_cval_el0");
  MSR(cptr_el2, 1 << 20);
  ISB();
  print(" FPEN 1\n");
  HOST("fmov d0, #1.0");
  HOST2("fmov d0, #1.0");
  MSR(cptr_el2, 0);
  ISB();
  print(" FPEN 0\n");
  HOST("fmov d0, #1.0");
  HOST2("fmov d0, #1.0");
  MSR(cptr_el2, 3 << 20);
  ISB();
  print(" the host itself\n");
  HOST2("mov x0, #0xc0000000; ldr x1, [x0]");
  HOST2("mov x0, #0xc0000000; ldtr x1, [x0]");
  HOST2("mov x0, #0x40000000; sttr x1, [x0]");
  HOST2("mov x0, #0x40500000; ldtr x1, [x0]");
  HOST2("mrs x1, sctlr_el12; mrs x2, sctlr_el1");
  print("  AT S1E1R %x %x S1E0W %x %x\n", at_s1e1r(0x40500000), at_s1e1r(0xc0000000),
        at_s1e0w(0x40500000), at_s1e0w(0x40000000));
  host_off();
}

// ASIDs of the host's translations.
static void host_asids(void) {
  print("ASIDs of the host\n");
  host_on();
  pool_reset();
  const u64 one = pool_take(12), two = pool_take(12);
  for (unsigned n = 0; n < 512; ++n) {
    ((u64*)one)[n] = ((u64*)two)[n] = stage1_l1[n];
  }
  const u64 l2 = pool_take(12), other = pool_take(12);
  for (u64 n = 0; n < 512; ++n) {
    const u64 attributes = kBlock | kAf | kShared | kNormal | kRwAll | kUxn | kPxn | kNotGlobal;
    ((u64*)l2)[n] = (0x40400000 + 0 * n) | attributes;
    ((u64*)other)[n] = 0x40600000 | attributes;
  }
  ((u64*)one)[3] = l2 | kTable;
  ((u64*)two)[3] = other | kTable;
  *(volatile u64*)0x40500010 = 0xaaaa;
  *(volatile u64*)0x40700010 = 0xbbbb;
#define LOAD(name)                                                               \
  (cpu.x[0] = 0xc0100010, cpu.x[1] = 0, run_at((u64)CODE("ldr x1, [x0]"), kEl0), \
   print("  %s: done %d %x\n", name, seen.done, cpu.x[1]))
  MSR(ttbr0_el2, one | 1ul << 48);
  ISB();
  LOAD("ASID 1");
  MSR(ttbr0_el2, two | 2ul << 48);
  ISB();
  LOAD("ASID 2");
  MSR(ttbr0_el2, one | 1ul << 48);
  ISB();
  LOAD("ASID 1");
  ((u64*)l2)[0] = 0;
  DSB();
  __asm__ volatile("tlbi aside1, %0; dsb sy; isb" ::"r"(1ul << 48) : "memory");
  LOAD("unmapped, TLBI ASIDE1 from the host");
  ((u64*)l2)[0] = ((u64*)l2)[1];
  DSB();
  LOAD("mapped again");
  ((u64*)l2)[0] = 0;
  DSB();
  __asm__ volatile("tlbi vae1is, %0; dsb sy; isb" ::"r"(1ul << 48 | 0xc0100) : "memory");
  LOAD("unmapped, TLBI VAE1IS from the host");
  host_off();
}

void guest_main(void) {
  print("VHE\n");
  if (!is_max()) {
    print("not here\n");
    return;
  }
  registers();
  host_applications();
  host_asids();
  print("end\n");
}
