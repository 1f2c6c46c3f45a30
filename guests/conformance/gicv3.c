// The GICv3 as software at EL2 and EL1 sees it: distributor, redistributor, CPU interface,
// priorities, preemption, list registers and the maintenance interrupt.
#include "../common/console.h"
#include "../common/lower.h"

enum { kGicd = 0x08000000, kGicr = 0x080a0000, kSgi = kGicr + 0x10000 };
enum {
  kCtlr = 0,
  kTyper = 4,
  kIgroupr = 0x80,
  kIsenabler = 0x100,
  kIcenabler = 0x180,
  kIspendr = 0x200,
  kIcpendr = 0x280,
  kIsactiver = 0x300,
  kIcactiver = 0x380,
  kIpriorityr = 0x400,
  kItargetsr = 0x800,
  kIcfgr = 0xc00,
  kIgrpmodr = 0xd00,
  kSgir = 0xf00,
  kIrouter = 0x6000,
  kPidr2 = 0xffe8
};

#define ICC_PMR S3_0_C4_C6_0
#define ICC_IAR0 S3_0_C12_C8_0
#define ICC_EOIR0 S3_0_C12_C8_1
#define ICC_HPPIR0 S3_0_C12_C8_2
#define ICC_BPR0 S3_0_C12_C8_3
#define ICC_AP0R0 S3_0_C12_C8_4
#define ICC_AP1R0 S3_0_C12_C9_0
#define ICC_DIR S3_0_C12_C11_1
#define ICC_RPR S3_0_C12_C11_3
#define ICC_SGI1R S3_0_C12_C11_5
#define ICC_SGI0R S3_0_C12_C11_7
#define ICC_IAR1 S3_0_C12_C12_0
#define ICC_EOIR1 S3_0_C12_C12_1
#define ICC_HPPIR1 S3_0_C12_C12_2
#define ICC_BPR1 S3_0_C12_C12_3
#define ICC_CTLR S3_0_C12_C12_4
#define ICC_SRE1 S3_0_C12_C12_5
#define ICC_IGRPEN0 S3_0_C12_C12_6
#define ICC_IGRPEN1 S3_0_C12_C12_7
#define ICC_SRE2 S3_4_C12_C9_5
#define ICH_AP0R0 S3_4_C12_C8_0
#define ICH_AP1R0 S3_4_C12_C9_0
#define ICH_HCR S3_4_C12_C11_0
#define ICH_VTR S3_4_C12_C11_1
#define ICH_MISR S3_4_C12_C11_2
#define ICH_EISR S3_4_C12_C11_3
#define ICH_ELRSR S3_4_C12_C11_5
#define ICH_VMCR S3_4_C12_C11_7
#define ICH_LR0 S3_4_C12_C12_0
#define ICH_LR1 S3_4_C12_C12_1
#define ICH_LR2 S3_4_C12_C12_2
#define ICH_LR3 S3_4_C12_C12_3

static u64 bank(unsigned intid) {
  return intid < 32 ? kSgi : kGicd;
}
static void set(unsigned reg, unsigned intid) {
  write32(bank(intid) + reg + intid / 32 * 4, 1u << intid % 32);
}
static u32 get(unsigned reg, unsigned intid) {
  return read32(bank(intid) + reg + intid / 32 * 4) >> intid % 32 & 1;
}
static void priority(unsigned intid, u8 value) {
  *(volatile u8*)(bank(intid) + kIpriorityr + intid) = value;
}

static void reset_gic(void) {
  reset_world();
  MSR(hcr_el2, MRS(hcr_el2) | BIT(3) | BIT(4));  // Physical interrupts come to EL2.
  MSR(ICC_SRE2, 0xf);
  ISB();
  MSR(ICH_HCR, 0);
  write32(kGicd + kCtlr, 0);
  for (unsigned n = 0; n < 4; ++n) {
    const u64 at = n ? kGicd + 4 * n : kSgi;
    write32(at + kIcenabler, ~0u);
    write32(at + kIcpendr, ~0u);
    write32(at + kIcactiver, ~0u);
    write32(at + kIgroupr, ~0u);
  }
  for (unsigned n = 0; n < 128; ++n) priority(n, 0xa0);
  write32(kGicd + kCtlr, 0x13);  // ARE, both groups
  write32(kGicr + 0x14, 0);      // Awake
  MSR(ICC_AP0R0, 0);
  MSR(ICC_AP1R0, 0);
  MSR(ICC_CTLR, 0);
  MSR(ICC_BPR0, 0);
  MSR(ICC_BPR1, 0);
  MSR(ICC_PMR, 0xff);
  MSR(ICC_IGRPEN0, 1);
  MSR(ICC_IGRPEN1, 1);
  ISB();
}

static const char* signalled(void) {
  // At EL2 with interrupts unmasked.
  run(CODE("nop; nop; nop"), kEl2h & ~0x3c0ul);
  return seen.done ? "none" : seen.vector % 4 == 1 ? "irq" : seen.vector % 4 == 2 ? "fiq" : "?";
}

static void status(const char* name, unsigned intid) {
  print("%s: signal %s HPPIR0 %x HPPIR1 %x RPR %x AP0R %x AP1R %x; INTID %d pending %d active %d\n",
        name, signalled(), MRS(ICC_HPPIR0), MRS(ICC_HPPIR1), MRS(ICC_RPR), MRS(ICC_AP0R0),
        MRS(ICC_AP1R0), (int)intid, (int)get(kIspendr, intid), (int)get(kIsactiver, intid));
}

static void identification(void) {
  print("identification, LPI support aside\n");
  print("GICD_CTLR %x GICD_TYPER %x GICD_PIDR2 %x\n", (u64)read32(kGicd + kCtlr),
        (u64)read32(kGicd + kTyper) & ~BIT(17), (u64)read32(kGicd + kPidr2));
  print("GICR_TYPER %x %x GICR_PIDR2 %x GICR_WAKER %x\n", (u64)read32(kGicr + 12),
        (u64)read32(kGicr + 8) & ~1ul, (u64)read32(kGicr + kPidr2), (u64)read32(kGicr + 0x14));
  print("ICC_CTLR %x ICC_SRE_EL1 %x ICC_SRE_EL2 %x ICH_VTR %x\n", MRS(ICC_CTLR), MRS(ICC_SRE1),
        MRS(ICC_SRE2), MRS(ICH_VTR));
}

static void registers(void) {
  print("registers keep\n");
  static const struct {
    const char* name;
    u64 address;
  } words[] = {{"SGI IPRIORITYR", kSgi + kIpriorityr},
               {"SPI IPRIORITYR", kGicd + kIpriorityr + 40},
               {"GICD IPRIORITYR0", kGicd + kIpriorityr},
               {"SGI ICFGR", kSgi + kIcfgr},
               {"PPI ICFGR", kSgi + kIcfgr + 4},
               {"SPI ICFGR", kGicd + kIcfgr + 8},
               {"SGI IGROUPR", kSgi + kIgroupr},
               {"SPI IGROUPR", kGicd + kIgroupr + 4},
               {"SPI IGRPMODR", kGicd + kIgrpmodr + 4},
               {"ITARGETSR", kGicd + kItargetsr + 40},
               {"SGI ISENABLER", kSgi + kIsenabler},
               {"GICD ISENABLER0", kGicd + kIsenabler},
               {"SPI ISENABLER", kGicd + kIsenabler + 4},
               {"IROUTER low", kGicd + kIrouter + 8 * 40},
               {"GICD_CTLR", kGicd + kCtlr},
               {"beyond the last SPI", kGicd + kIsenabler + 124}};
  for (unsigned n = 0; n < COUNT(words); ++n) {
    reset_gic();
    const u32 before = read32(words[n].address);
    write32(words[n].address, ~0u);
    const u32 ones = read32(words[n].address);
    write32(words[n].address, 0);
    print("  %s: %x %x %x\n", words[n].name, (u64)before, (u64)ones, (u64)read32(words[n].address));
    write32(words[n].address, before);
  }
  reset_gic();
  MSR(ICC_PMR, 0xff);
  const u64 all = MRS(ICC_PMR);
  MSR(ICC_PMR, 0x55);
  print("  ICC_PMR %x %x", all, MRS(ICC_PMR));
  for (unsigned n = 0; n < 8; n += 7) {
    MSR(ICC_BPR0, n);
    MSR(ICC_BPR1, n);
    print(" BPR0 %x BPR1 %x", MRS(ICC_BPR0), MRS(ICC_BPR1));
  }
  MSR(ICC_CTLR, 3);
  print(" CTLR %x", MRS(ICC_CTLR));
  MSR(ICC_BPR1, 0);
  MSR(ICC_BPR0, 3);
  print(" with CBPR BPR0 %x BPR1 %x\n", MRS(ICC_BPR0), MRS(ICC_BPR1));
}

static void life_of_an_spi(void) {
  print("an SPI\n");
  reset_gic();
  status("disabled", 40);
  set(kIspendr, 40);
  status("pending, disabled", 40);
  set(kIsenabler, 40);
  status("pending, enabled", 40);
  print("  IAR1 %x\n", MRS(ICC_IAR1));
  status("acknowledged", 40);
  print("  IAR1 again %x\n", MRS(ICC_IAR1));
  set(kIspendr, 40);
  status("pending and active", 40);
  MSR(ICC_EOIR1, 40);
  status("EOI", 40);
  print("  IAR1 %x\n", MRS(ICC_IAR1));
  MSR(ICC_EOIR1, 40);
  status("EOI", 40);
  set(kIspendr, 40);
  MSR(ICC_PMR, 0xa0);
  status("PMR equal", 40);
  MSR(ICC_PMR, 0xa8);
  status("PMR lower", 40);
  MSR(ICC_IGRPEN1, 0);
  status("group 1 off at the CPU", 40);
  print("  IAR1 %x IAR0 %x\n", MRS(ICC_IAR1), MRS(ICC_IAR0));
  MSR(ICC_IGRPEN1, 1);
  write32(kGicd + kCtlr, 0x11);
  status("group 1 off at the distributor", 40);
  write32(kGicd + kCtlr, 0x13);
  set(kIcpendr, 40);
  status("pending cleared", 40);
  set(kIsactiver, 40);
  set(kIspendr, 40);
  status("made active by hand", 40);
  set(kIcactiver, 40);
  status("made inactive by hand", 40);
  set(kIcenabler, 40);
  status("disabled while pending", 40);
}

static void groups(void) {
  print("groups\n");
  reset_gic();
  write32(kGicd + kIgroupr + 4, ~(1u << 8));  // INTID 40 in group 0
  set(kIsenabler, 40);
  set(kIsenabler, 41);
  set(kIspendr, 40);
  status("group 0 pending", 40);
  print("  IAR1 %x IAR0 %x\n", MRS(ICC_IAR1), MRS(ICC_IAR0));
  status("group 0 active", 40);
  set(kIspendr, 41);
  priority(41, 0x20);
  status("group 1 preempts", 41);
  print("  IAR1 %x\n", MRS(ICC_IAR1));
  MSR(ICC_EOIR1, 41);
  MSR(ICC_EOIR0, 40);
  status("both ended", 40);
  set(kIspendr, 40);
  set(kIspendr, 41);
  status("both pending, group 1 higher", 40);
  priority(40, 0x10);
  status("both pending, group 0 higher", 40);
}

static void preemption(void) {
  print("preemption\n");
  for (unsigned bpr = 0; bpr < 8; bpr += 1) {
    reset_gic();
    MSR(ICC_BPR1, bpr);
    print(" BPR1 %x\n", MRS(ICC_BPR1));
    static const u8 levels[] = {0xf0, 0xb0, 0xa8, 0xa0, 0x80, 0x40, 0x08};
    unsigned taken = 0;
    for (unsigned n = 0; n < COUNT(levels); ++n) {
      const unsigned intid = 40 + n;
      priority(intid, levels[n]);
      set(kIsenabler, intid);
      set(kIspendr, intid);
      const char* signal = signalled();
      print("  %2x: %s", (u64)levels[n], signal);
      if (signal[0] != 'n') {
        print(" IAR %x RPR %x AP1R %x", MRS(ICC_IAR1), MRS(ICC_RPR), MRS(ICC_AP1R0));
        ++taken;
      }
      print("\n");
    }
    print("  end:");
    for (unsigned n = COUNT(levels); n-- > 0;) {
      if (!get(kIsactiver, 40 + n)) continue;
      MSR(ICC_EOIR1, 40 + n);
      print(" %d RPR %x", (int)(40 + n), MRS(ICC_RPR));
    }
    print("\n");
  }
  print("ties\n");
  reset_gic();
  for (unsigned n = 44; n > 40; --n) {
    set(kIsenabler, n);
    set(kIspendr, n);
  }
  priority(43, 0x98);
  for (unsigned n = 0; n < 5; ++n) {
    const u64 intid = MRS(ICC_IAR1);
    print("  IAR1 %x", intid);
    MSR(ICC_EOIR1, intid);
  }
  print("\n");
}

static void end_of_interrupt_mode(void) {
  print("EOImode 1\n");
  reset_gic();
  MSR(ICC_CTLR, 2);
  set(kIsenabler, 40);
  set(kIspendr, 40);
  print("  IAR1 %x\n", MRS(ICC_IAR1));
  status("acknowledged", 40);
  MSR(ICC_EOIR1, 40);
  status("priority dropped", 40);
  set(kIspendr, 40);
  status("pending while active", 40);
  MSR(ICC_DIR, 40);
  status("deactivated", 40);
  print("  IAR1 %x\n", MRS(ICC_IAR1));
  MSR(ICC_DIR, 40);
  status("deactivated before the drop", 40);
  MSR(ICC_EOIR1, 40);
  status("dropped", 40);
}

static void private_interrupts(void) {
  print("SGIs and PPIs\n");
  reset_gic();
  write32(kSgi + kIsenabler, ~0u);
  MSR(ICC_SGI1R, 5ul << 24 | 1);
  ISB();
  status("SGI to itself", 5);
  print("  IAR1 %x\n", MRS(ICC_IAR1));
  MSR(ICC_EOIR1, 5);
  MSR(ICC_SGI1R, 6ul << 24 | BIT(40));  // all but itself
  ISB();
  status("SGI to the others", 6);
  MSR(ICC_SGI0R, 7ul << 24 | 1);
  ISB();
  status("group 0 SGI that is in group 1", 7);
  write32(kSgi + kIspendr, 1 << 9);
  status("SGI by GICR_ISPENDR0", 9);
  write32(kSgi + kIcpendr, 1 << 9);
  status("and cleared", 9);
  write32(kGicd + kSgir, 1 << 16 | 3);
  status("GICD_SGIR with ARE", 3);
  // The EL2 physical timer is INTID 26, level-sensitive.
  MSR(cnthp_cval_el2, 0);
  MSR(cnthp_ctl_el2, 1);
  ISB();
  status("timer", 26);
  print("  CTL %x IAR1 %x\n", MRS(cnthp_ctl_el2), MRS(ICC_IAR1));
  status("timer acknowledged", 26);
  MSR(ICC_EOIR1, 26);
  status("ended while asserted", 26);
  write32(kSgi + kIcpendr, 1 << 26);
  status("level not cleared by ICPENDR", 26);
  MSR(cnthp_ctl_el2, 3);
  ISB();
  status("masked at the timer", 26);
  MSR(cnthp_ctl_el2, 0);
  write32(kSgi + kIspendr, 1 << 26);
  status("pended by hand", 26);
  print("  IAR1 %x\n", MRS(ICC_IAR1));
  status("taken", 26);
  MSR(ICC_EOIR1, 26);
}

static void lists(const char* name) {
  ISB();
  print("  %s: LR %x %x %x %x MISR %x EISR %x ELRSR %x VMCR %x AP1R %x HCR %x maintenance %d\n",
        name, MRS(ICH_LR0), MRS(ICH_LR1), MRS(ICH_LR2), MRS(ICH_LR3), MRS(ICH_MISR), MRS(ICH_EISR),
        MRS(ICH_ELRSR), MRS(ICH_VMCR), MRS(ICH_AP1R0), MRS(ICH_HCR), (int)get(kIspendr, 25));
}

static void reset_virtual(void) {
  reset_gic();
  MSR(ICH_LR0, 0);
  MSR(ICH_LR1, 0);
  MSR(ICH_LR2, 0);
  MSR(ICH_LR3, 0);
  MSR(ICH_AP0R0, 0);
  MSR(ICH_AP1R0, 0);
  MSR(ICH_VMCR, 0xf8000002);  // PMR of five bits, group 1 enabled
  MSR(ICH_HCR, 1);
  ISB();
}

static void guest(const char* name, const void* code) {
  show(name, code, kEl1h);
  print("    x1 %x x2 %x x3 %x x4 %x\n", cpu.x[1], cpu.x[2], cpu.x[3], cpu.x[4]);
  cpu.x[1] = cpu.x[2] = cpu.x[3] = cpu.x[4] = 0;
}

#define UNMASK "msr daifclr, #3; nop; nop; nop"
#define ACK "mrs x1, S3_0_C12_C12_2; mrs x2, S3_0_C12_C12_0; mrs x3, S3_0_C12_C11_3"
#define END "mov x0, x2; msr S3_0_C12_C12_1, x0; mrs x3, S3_0_C12_C11_3"

#define LR(state, hw, intid, pintid, prio)                                                    \
  ((u64)(state) << 62 | (u64)(hw) << 61 | BIT(60) | (u64)(prio) << 48 | (u64)(pintid) << 32 | \
   (intid))

static void virtual_interrupts(void) {
  print("list registers\n");
  reset_virtual();
  MSR(ICH_VMCR, 0xff000002);
  print("  VMCR %x\n", MRS(ICH_VMCR));
  reset_virtual();
  lists("empty");
  guest("nothing", CODE(UNMASK));
  guest("acknowledge nothing", CODE(ACK));
  MSR(ICH_LR0, LR(1, 0, 50, 0, 0xa0));
  lists("pending");
  guest("signalled", CODE(UNMASK));
  guest("acknowledge", CODE(ACK));
  lists("active");
  guest("not signalled", CODE(UNMASK));
  cpu.x[2] = 50;
  guest("end", CODE(END));
  lists("ended");
  MSR(ICH_LR0, LR(1, 0, 50, 0, 0xa0));
  MSR(ICH_LR1, LR(1, 0, 51, 0, 0x40));
  MSR(ICH_LR2, LR(2, 0, 52, 0, 0x20));
  MSR(ICH_LR3, LR(3, 0, 53, 0, 0x10));
  lists("four");
  guest("highest pending", CODE(ACK));
  lists("highest pending taken");
  guest("preempt", CODE(UNMASK));
  guest("next", CODE(ACK));
  cpu.x[2] = 51;
  guest("end 51", CODE(END));
  lists("51 ended");
  cpu.x[2] = 52;
  guest("end 52, not the running one", CODE(END));
  lists("52 ended");
  cpu.x[2] = 60;
  guest("end what is not listed", CODE(END));
  lists("EOIcount");
  print("hardware interrupts\n");
  reset_virtual();
  set(kIsenabler, 40);
  set(kIspendr, 40);
  MSR(ICC_CTLR, 2);
  print("  IAR1 %x\n", MRS(ICC_IAR1));
  MSR(ICC_EOIR1, 40);
  MSR(ICH_LR0, LR(1, 1, 60, 40, 0xa0));
  status("held by the guest", 40);
  guest("acknowledge", CODE(ACK));
  cpu.x[2] = 60;
  guest("end", CODE(END));
  lists("ended");
  status("deactivated with it", 40);
}

static void maintenance(void) {
  print("maintenance\n");
  reset_virtual();
  static const struct {
    const char* name;
    u64 hcr;
  } cases[] = {{"UIE", 3},         {"LRENPIE", 5},     {"NPIE", 9},        {"VGrp0EIE", 0x11},
               {"VGrp0DIE", 0x21}, {"VGrp1EIE", 0x41}, {"VGrp1DIE", 0x81}, {"disabled", 0xfe}};
  for (unsigned n = 0; n < COUNT(cases); ++n) {
    reset_virtual();
    print(" %s\n", cases[n].name);
    MSR(ICH_HCR, cases[n].hcr);
    lists("no entries");
    MSR(ICH_LR0, LR(1, 0, 50, 0, 0xa0));
    lists("one");
    MSR(ICH_LR1, LR(2, 0, 51, 0, 0xa0));
    lists("two");
    MSR(ICH_HCR, cases[n].hcr | 1ul << 27);
    lists("EOIcount 1");
  }
  print(" EOI bit of a list register\n");
  reset_virtual();
  set(kIsenabler, 25);
  MSR(ICH_LR0, LR(1, 0, 50, BIT(9), 0xa0));
  guest("acknowledge", CODE(ACK));
  lists("active");
  cpu.x[2] = 50;
  guest("end", CODE(END));
  lists("ended");
  status("maintenance interrupt", 25);
  MSR(ICH_LR0, 0);
  lists("cleared");
}

static void virtual_controls(void) {
  print("virtual CPU interface\n");
  reset_virtual();
  guest("PMR 0x80, CTLR", CODE("mov x1, #0x80; msr S3_0_C4_C6_0, x1; mrs x1, S3_0_C4_C6_0; "
                               "mrs x2, S3_0_C12_C12_4; mrs x3, S3_0_C12_C12_7; "
                               "mrs x4, S3_0_C12_C12_3"));
  lists("PMR");
  MSR(ICH_LR0, LR(1, 0, 50, 0, 0xa0));
  guest("masked by PMR", CODE(UNMASK));
  guest("BPR1 3, EOImode 1, group 0 on",
        CODE("mov x1, #3; msr S3_0_C12_C12_3, x1; mov x1, #2; msr S3_0_C12_C12_4, x1; mov x1, #1; "
             "msr S3_0_C12_C12_6, x1; mov x1, #0xf0; msr S3_0_C4_C6_0, x1; "
             "mrs x1, S3_0_C12_C12_3; mrs x2, S3_0_C12_C12_4; mrs x3, S3_0_C12_C12_6; "
             "mrs x4, S3_0_C12_C8_3"));
  lists("controls");
  guest("acknowledge", CODE(ACK));
  cpu.x[2] = 50;
  guest("drop", CODE(END));
  lists("dropped");
  guest("deactivate", CODE("mov x0, #50; msr S3_0_C12_C11_1, x0"));
  lists("deactivated");
  reset_virtual();
  MSR(ICH_VMCR, 0xf8000003);
  MSR(ICH_LR0, LR(1, 0, 50, 0, 0xa0) & ~BIT(60));
  guest("group 0 is a virtual FIQ", CODE(UNMASK));
  guest("acknowledge by IAR1 and IAR0", CODE("mrs x1, S3_0_C12_C12_0; mrs x2, S3_0_C12_C8_0; "
                                             "mrs x3, S3_0_C12_C11_3; msr S3_0_C12_C8_1, x2"));
  lists("ended");
  static const struct {
    const char* name;
    u64 hcr;
  } traps[] = {
      {"TC", 1 | BIT(10)}, {"TALL0", 1 | BIT(11)}, {"TALL1", 1 | BIT(12)}, {"TDIR", 1 | BIT(14)}};
  for (unsigned n = 0; n < COUNT(traps); ++n) {
    reset_virtual();
    MSR(ICH_HCR, traps[n].hcr);
    ISB();
    print("ICH_HCR.%s %x\n", traps[n].name, MRS(ICH_HCR));
    TRY("  mrs x1, S3_0_C4_C6_0", kEl1h);
    TRY("  mrs x1, S3_0_C12_C12_4", kEl1h);
    TRY("  mrs x1, S3_0_C12_C12_0", kEl1h);
    TRY("  mrs x1, S3_0_C12_C8_0", kEl1h);
    TRY("  msr S3_0_C12_C12_7, xzr", kEl1h);
    TRY("  msr S3_0_C12_C8_3, xzr", kEl1h);
    TRY("  mrs x1, S3_0_C12_C11_3", kEl1h);
    TRY("  mov x0, #60; msr S3_0_C12_C11_1, x0", kEl1h);
    TRY("  msr S3_0_C12_C11_5, xzr", kEl1h);
  }
  reset_gic();
  print("SGIs of EL1\n");
  TRY("  msr S3_0_C12_C11_5, xzr", kEl1h);  // HCR.IMO and FMO are set
  MSR(hcr_el2, MRS(hcr_el2) & ~(BIT(3) | BIT(4)));
  TRY("  msr S3_0_C12_C11_5, xzr", kEl1h);
  print("EL1 without HCR.IMO, FMO\n");
  guest("  the physical interface", CODE("mrs x1, S3_0_C4_C6_0; mrs x2, S3_0_C12_C12_4; "
                                         "mrs x3, S3_0_C12_C12_0; mrs x4, S3_0_C12_C12_7"));
  print("other rights\n");
  TRY("  mrs x1, S3_0_C12_C12_0", kEl0);
  TRY("  mrs x1, S3_4_C12_C11_0", kEl1h);
  TRY("  mrs x1, S3_4_C12_C9_5", kEl1h);
  TRY("  msr S3_0_C12_C12_0, x1", kEl1h);
  TRY("  mrs x1, S3_0_C12_C12_1", kEl1h);
  TRY("  mrs x1, S3_6_C12_C12_4", kEl2h);
}

void guest_main(void) {
  print("GICv3\n");
  reset_gic();
  identification();
  registers();
  life_of_an_spi();
  groups();
  preemption();
  end_of_interrupt_mode();
  private_interrupts();
  virtual_interrupts();
  maintenance();
  virtual_controls();
  print("end\n");
}
