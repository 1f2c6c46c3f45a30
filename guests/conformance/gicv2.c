// The GICv2 as software at EL2 and EL1 sees it: distributor, CPU interface, priorities, preemption,
// virtual interface control and virtual CPU interface.
#include "../common/console.h"
#include "../common/lower.h"

enum { kGicd = 0x08000000, kGicc = 0x08010000, kGich = 0x08030000, kGicv = 0x08040000 };
enum {
  kCtlr = 0,
  kTyper = 4,
  kIidr = 8,
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
  kSgir = 0xf00,
  kCpendsgir = 0xf10,
  kSpendsgir = 0xf20
};
enum {
  kPmr = 4,
  kBpr = 8,
  kIar = 0xc,
  kEoir = 0x10,
  kRpr = 0x14,
  kHppir = 0x18,
  kAbpr = 0x1c,
  kAiar = 0x20,
  kAeoir = 0x24,
  kAhppir = 0x28,
  kApr0 = 0xd0,
  kNsapr0 = 0xe0,
  kGiccIidr = 0xfc,
  kDir = 0x1000
};
enum {
  kHcr = 0,
  kVtr = 4,
  kVmcr = 8,
  kMisr = 0x10,
  kEisr = 0x20,
  kElrsr = 0x30,
  kApr = 0xf0,
  kLr = 0x100
};

static u32 gicd(unsigned reg) {
  return read32(kGicd + reg);
}
static u32 gicc(unsigned reg) {
  return read32(kGicc + reg);
}
static u32 gich(unsigned reg) {
  return read32(kGich + reg);
}
static void set(unsigned reg, unsigned intid) {
  write32(kGicd + reg + intid / 32 * 4, 1u << intid % 32);
}
static u32 get(unsigned reg, unsigned intid) {
  return gicd(reg + intid / 32 * 4) >> intid % 32 & 1;
}
static void priority(unsigned intid, u8 value) {
  *(volatile u8*)(u64)(kGicd + kIpriorityr + intid) = value;
}

static void reset_gic(void) {
  reset_world();
  MSR(hcr_el2, MRS(hcr_el2) | BIT(3) | BIT(4));
  write32(kGich + kHcr, 0);
  write32(kGicd + kCtlr, 0);
  for (unsigned n = 0; n < 4; ++n) {
    write32(kGicd + kIcenabler + 4 * n, ~0u);
    write32(kGicd + kIcpendr + 4 * n, ~0u);
    write32(kGicd + kIcactiver + 4 * n, ~0u);
    write32(kGicd + kIgroupr + 4 * n, 0);
  }
  for (unsigned n = 0; n < 4; ++n) write32(kGicd + kCpendsgir + 4 * n, ~0u);
  for (unsigned n = 0; n < 128; ++n) priority(n, 0xa0);
  for (unsigned n = 32; n < 128; ++n) *(volatile u8*)(u64)(kGicd + kItargetsr + n) = 1;
  for (unsigned n = 0; n < 4; ++n) {
    write32(kGicc + kApr0 + 4 * n, 0);
    write32(kGicc + kNsapr0 + 4 * n, 0);
  }
  write32(kGicd + kCtlr, 3);
  write32(kGicc + kPmr, 0xff);
  write32(kGicc + kBpr, 0);
  write32(kGicc + kCtlr, 3);
}

static const char* signalled(void) {
  run(CODE("nop; nop; nop"), kEl2h & ~0x3c0ul);
  return seen.done ? "none" : seen.vector % 4 == 1 ? "irq" : seen.vector % 4 == 2 ? "fiq" : "?";
}

static void status(const char* name, unsigned intid) {
  print("%s: signal %s HPPIR %x RPR %x APR %x %x %x %x; INTID %d pending %d active %d\n", name,
        signalled(), (u64)gicc(kHppir), (u64)gicc(kRpr), (u64)gicc(kApr0), (u64)gicc(kApr0 + 4),
        (u64)gicc(kApr0 + 8), (u64)gicc(kApr0 + 12), (int)intid, (int)get(kIspendr, intid),
        (int)get(kIsactiver, intid));
}

static void registers(void) {
  print("registers\n");
  print("GICD_TYPER %x GICC_IIDR %x GICH_VTR %x GICV_IIDR %x PIDR2 %x\n", (u64)gicd(kTyper),
        (u64)gicc(kGiccIidr), (u64)gich(kVtr), (u64)read32(kGicv + kGiccIidr), (u64)gicd(0xfe8));
  static const struct {
    const char* name;
    u64 address;
  } words[] = {{"GICD_CTLR", kGicd + kCtlr},
               {"SGI IPRIORITYR", kGicd + kIpriorityr},
               {"SPI IPRIORITYR", kGicd + kIpriorityr + 40},
               {"SGI ITARGETSR", kGicd + kItargetsr},
               {"SPI ITARGETSR", kGicd + kItargetsr + 40},
               {"SGI ICFGR", kGicd + kIcfgr},
               {"PPI ICFGR", kGicd + kIcfgr + 4},
               {"SPI ICFGR", kGicd + kIcfgr + 8},
               {"SGI ISENABLER", kGicd + kIsenabler},
               {"SPI ISENABLER", kGicd + kIsenabler + 4},
               {"SPI IGROUPR", kGicd + kIgroupr + 4},
               {"GICC_PMR", kGicc + kPmr},
               {"GICC_BPR", kGicc + kBpr},
               {"GICC_ABPR", kGicc + kAbpr},
               {"GICC_CTLR", kGicc + kCtlr},
               {"GICH_HCR", kGich + kHcr},
               {"GICH_LR0", kGich + kLr},
               {"GICH_VMCR", kGich + kVmcr}};
  for (unsigned n = 0; n < COUNT(words); ++n) {
    reset_gic();
    const u32 before = read32(words[n].address);
    write32(words[n].address, ~0u);
    const u32 ones = read32(words[n].address);
    write32(words[n].address, 0);
    print("  %s: %x %x %x\n", words[n].name, (u64)before, (u64)ones, (u64)read32(words[n].address));
    write32(words[n].address, before);
  }
}

static void life_of_an_spi(void) {
  print("an SPI\n");
  reset_gic();
  status("disabled", 40);
  set(kIspendr, 40);
  status("pending, disabled", 40);
  set(kIsenabler, 40);
  status("pending, enabled", 40);
  print("  IAR %x\n", (u64)gicc(kIar));
  status("acknowledged", 40);
  print("  IAR again %x\n", (u64)gicc(kIar));
  set(kIspendr, 40);
  status("pending and active", 40);
  write32(kGicc + kEoir, 40);
  status("EOI", 40);
  print("  IAR %x\n", (u64)gicc(kIar));
  write32(kGicc + kEoir, 40);
  set(kIspendr, 40);
  write32(kGicc + kPmr, 0xa0);
  status("PMR equal", 40);
  write32(kGicc + kPmr, 0xa8);
  status("PMR lower", 40);
  write32(kGicc + kCtlr, 0);
  status("CPU interface off", 40);
  write32(kGicc + kCtlr, 3);
  write32(kGicd + kCtlr, 0);
  status("distributor off", 40);
  write32(kGicd + kCtlr, 3);
  *(volatile u8*)(u64)(kGicd + kItargetsr + 40) = 0;
  status("no target", 40);
  *(volatile u8*)(u64)(kGicd + kItargetsr + 40) = 1;
  set(kIcpendr, 40);
  status("pending cleared", 40);
  set(kIsactiver, 40);
  set(kIspendr, 40);
  status("made active by hand", 40);
  set(kIcactiver, 40);
  status("made inactive by hand", 40);
}

static void preemption(void) {
  print("preemption\n");
  for (unsigned bpr = 0; bpr < 8; ++bpr) {
    reset_gic();
    write32(kGicc + kBpr, bpr);
    print(" BPR %x\n", (u64)gicc(kBpr));
    static const u8 levels[] = {0xf0, 0xb0, 0xa8, 0xa0, 0x80, 0x40, 0x08};
    for (unsigned n = 0; n < COUNT(levels); ++n) {
      const unsigned intid = 40 + n;
      priority(intid, levels[n]);
      set(kIsenabler, intid);
      set(kIspendr, intid);
      const char* signal = signalled();
      print("  %2x: %s", (u64)levels[n], signal);
      if (signal[0] != 'n') {
        print(" IAR %x RPR %x APR %x %x %x %x", (u64)gicc(kIar), (u64)gicc(kRpr), (u64)gicc(kApr0),
              (u64)gicc(kApr0 + 4), (u64)gicc(kApr0 + 8), (u64)gicc(kApr0 + 12));
      }
      print("\n");
    }
    print("  end:");
    for (unsigned n = COUNT(levels); n-- > 0;) {
      if (!get(kIsactiver, 40 + n)) continue;
      write32(kGicc + kEoir, 40 + n);
      print(" %d RPR %x", (int)(40 + n), (u64)gicc(kRpr));
    }
    print("\n");
  }
}

static void end_of_interrupt_mode(void) {
  print("EOImode 1\n");
  reset_gic();
  write32(kGicc + kCtlr, 3 | 1 << 9);
  set(kIsenabler, 40);
  set(kIspendr, 40);
  print("  CTLR %x IAR %x\n", (u64)gicc(kCtlr), (u64)gicc(kIar));
  status("acknowledged", 40);
  write32(kGicc + kEoir, 40);
  status("priority dropped", 40);
  set(kIspendr, 40);
  status("pending while active", 40);
  write32(kGicc + kDir, 40);
  status("deactivated", 40);
}

static void private_interrupts(void) {
  print("SGIs and PPIs\n");
  reset_gic();
  write32(kGicd + kIsenabler, ~0u);
  write32(kGicd + kSgir, 2u << 24 | 5);
  status("SGI to itself", 5);
  print("  IAR %x\n", (u64)gicc(kIar));
  write32(kGicc + kEoir, 5);
  write32(kGicd + kSgir, 1u << 24 | 6);
  status("SGI to the others", 6);
  write32(kGicd + kSgir, 1u << 16 | 7);
  status("SGI to CPU 0", 7);
  print("  SPENDSGIR %x IAR %x SPENDSGIR %x\n", (u64)gicd(kSpendsgir + 4), (u64)gicc(kIar),
        (u64)gicd(kSpendsgir + 4));
  write32(kGicc + kEoir, 7);
  write32(kGicd + kSpendsgir + 8, 1 << 8);
  status("SGI 9 by SPENDSGIR", 9);
  write32(kGicd + kCpendsgir + 8, 1 << 8);
  status("and cleared", 9);
  write32(kGicd + kCpendsgir + 8, ~0u);
  MSR(cnthp_cval_el2, 0);
  MSR(cnthp_ctl_el2, 1);
  ISB();
  status("timer", 26);
  print("  IAR %x\n", (u64)gicc(kIar));
  status("timer acknowledged", 26);
  write32(kGicc + kEoir, 26);
  status("ended while asserted", 26);
  write32(kGicd + kIcpendr, 1 << 26);
  status("level not cleared by ICPENDR", 26);
  MSR(cnthp_ctl_el2, 3);
  ISB();
  status("masked at the timer", 26);
  MSR(cnthp_ctl_el2, 0);
}

static void groups(void) {
  print("groups\n");
  reset_gic();
  set(kIgroupr, 41);
  set(kIsenabler, 40);
  set(kIsenabler, 41);
  set(kIspendr, 41);
  status("group 1 pending", 41);
  print("  IAR %x\n", (u64)gicc(kIar));
  set(kIspendr, 40);
  status("both pending", 40);
  write32(kGicc + kCtlr, 3 | 1 << 3);
  status("FIQEn", 40);
  priority(41, 0x20);
  status("FIQEn, group 1 higher", 41);
  write32(kGicc + kCtlr, 3 | 1 << 2);
  print("  AckCtl IAR %x\n", (u64)gicc(kIar));
  status("AckCtl", 41);
  write32(kGicc + kEoir, 41);
  write32(kGicc + kCtlr, 2);
  status("group 0 off", 40);
  print("aliases for group 1\n");
  reset_gic();
  set(kIgroupr, 41);
  set(kIsenabler, 41);
  set(kIspendr, 41);
  print("  AHPPIR %x\n", (u64)gicc(kAhppir));
  print("  AIAR %x\n", (u64)gicc(kAiar));
  write32(kGicc + kAeoir, 41);
  print("  active %d\n", (int)get(kIsactiver, 41));
}

static void lists(const char* name) {
  print("  %s: LR %x %x %x %x MISR %x EISR %x ELRSR %x VMCR %x APR %x HCR %x maintenance %d\n",
        name, (u64)gich(kLr), (u64)gich(kLr + 4), (u64)gich(kLr + 8), (u64)gich(kLr + 12),
        (u64)gich(kMisr), (u64)gich(kEisr), (u64)gich(kElrsr), (u64)gich(kVmcr), (u64)gich(kApr),
        (u64)gich(kHcr), (int)get(kIspendr, 25));
}

static void reset_virtual(void) {
  reset_gic();
  for (unsigned n = 0; n < 4; ++n) write32(kGich + kLr + 4 * n, 0);
  write32(kGich + kApr, 0);
  write32(kGich + kVmcr, 31u << 27 | 1);
  write32(kGich + kHcr, 1);
}

#define LR(state, hw, group, intid, source, prio)                                  \
  ((u32)(hw) << 31 | (u32)(group) << 30 | (u32)(state) << 28 | (prio) >> 3 << 23 | \
   (source) << 10 | (intid))
#define UNMASK "msr daifclr, #3; nop; nop; nop"
// X0 is GICV.
#define ACK "ldr w1, [x0, #0x18]; ldr w2, [x0, #0xc]; ldr w3, [x0, #0x14]"
#define END "str w2, [x0, #0x10]; ldr w3, [x0, #0x14]"

static void guest(const char* name, const void* code) {
  cpu.x[0] = kGicv;
  show(name, code, kEl1h);
  print("    x1 %x x2 %x x3 %x x4 %x\n", cpu.x[1], cpu.x[2], cpu.x[3], cpu.x[4]);
  cpu.x[1] = cpu.x[2] = cpu.x[3] = cpu.x[4] = 0;
}

static void write_list(unsigned n, u32 value) {
  write32(kGich + kLr + 4 * n, value);
}

static void virtual_interrupts(void) {
  print("list registers\n");
  reset_virtual();
  lists("empty");
  guest("nothing", CODE(UNMASK));
  guest("acknowledge nothing", CODE(ACK));
  write_list(0, LR(1, 0, 0, 50, 0, 0xa0));
  lists("pending");
  guest("signalled", CODE(UNMASK));
  guest("acknowledge", CODE(ACK));
  lists("active");
  guest("not signalled", CODE(UNMASK));
  cpu.x[2] = 50;
  guest("end", CODE(END));
  lists("ended");
  write_list(0, LR(1, 0, 0, 50, 0, 0xa0));
  write_list(1, LR(1, 0, 0, 3, 2, 0x40));  // SGI 3 from CPU 2
  write_list(2, LR(2, 0, 0, 52, 0, 0x20));
  write_list(3, LR(3, 0, 0, 53, 0, 0x10));
  lists("four");
  guest("highest pending", CODE(ACK));
  lists("taken");
  guest("preempt", CODE(UNMASK));
  cpu.x[2] = 2 << 10 | 3;
  guest("end the SGI", CODE(END));
  lists("SGI ended");
  cpu.x[2] = 60;
  guest("end what is not listed", CODE(END));
  lists("EOIcount");
  print("hardware interrupts\n");
  reset_virtual();
  set(kIsenabler, 40);
  set(kIspendr, 40);
  write32(kGicc + kCtlr, 3 | 1 << 9);
  print("  IAR %x\n", (u64)gicc(kIar));
  write32(kGicc + kEoir, 40);
  write_list(0, LR(1, 1, 0, 60, 40, 0xa0));
  status("held by the guest", 40);
  guest("acknowledge", CODE(ACK));
  cpu.x[2] = 60;
  guest("end", CODE(END));
  lists("ended");
  status("deactivated with it", 40);
  print("group 1 and controls\n");
  reset_virtual();
  write32(kGich + kVmcr, 31u << 27 | 3 | 1 << 3);  // both groups, FIQEn
  write_list(0, LR(1, 0, 0, 50, 0, 0xa0));
  guest("group 0 is a virtual FIQ", CODE(UNMASK));
  guest("acknowledge", CODE(ACK));
  cpu.x[2] = 50;
  guest("end", CODE(END));
  write_list(0, LR(1, 0, 1, 51, 0, 0xa0));
  guest("group 1 is a virtual IRQ", CODE(UNMASK));
  guest("IAR and AIAR", CODE("ldr w1, [x0, #0xc]; ldr w2, [x0, #0x20]; ldr w3, [x0, #0x14]; "
                             "str w2, [x0, #0x24]; ldr w4, [x0, #0x14]"));
  lists("ended");
  guest("CTLR, PMR, BPR, ABPR",
        CODE("mov w1, #0x80; str w1, [x0, #4]; ldr w1, [x0]; ldr w2, [x0, #4]; "
             "ldr w3, [x0, #8]; ldr w4, [x0, #0x1c]"));
  lists("PMR");
  write_list(0, LR(1, 0, 1, 51, 0, 0xa0));
  guest("masked by PMR", CODE(UNMASK));
}

static void maintenance(void) {
  print("maintenance\n");
  static const struct {
    const char* name;
    u32 hcr;
  } cases[] = {{"UIE", 3},         {"LRENPIE", 5},     {"NPIE", 9},        {"VGrp0EIE", 0x11},
               {"VGrp0DIE", 0x21}, {"VGrp1EIE", 0x41}, {"VGrp1DIE", 0x81}, {"disabled", 0xfe}};
  for (unsigned n = 0; n < COUNT(cases); ++n) {
    reset_virtual();
    print(" %s\n", cases[n].name);
    write32(kGich + kHcr, cases[n].hcr);
    lists("no entries");
    write_list(0, LR(1, 0, 0, 50, 0, 0xa0));
    lists("one");
    write_list(1, LR(2, 0, 0, 51, 0, 0xa0));
    lists("two");
    write32(kGich + kHcr, cases[n].hcr | 1u << 27);
    lists("EOIcount 1");
  }
  print(" EOI bit of a list register\n");
  reset_virtual();
  write_list(0, LR(1, 0, 0, 50, BIT(9), 0xa0));
  guest("acknowledge", CODE(ACK));
  cpu.x[2] = 50;
  guest("end", CODE(END));
  lists("ended");
  set(kIsenabler, 25);
  status("maintenance interrupt", 25);
  write_list(0, 0);
  lists("cleared");
}

void guest_main(void) {
  print("GICv2\n");
  reset_gic();
  registers();
  life_of_an_spi();
  preemption();
  end_of_interrupt_mode();
  private_interrupts();
  groups();
  virtual_interrupts();
  maintenance();
  print("end\n");
}
