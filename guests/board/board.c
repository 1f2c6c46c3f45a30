// Walks the parts of the fvp-baser board as software meets them, and says in TAP what it found. Ends
// by semihosting with the number of failures, or by SYS_CFGCTRL where the loader put a 1 at kOptions.
#include <stdint.h>

enum { kUart = 0x9c090000u, kSysregs = 0x9c010000u, kSysctl = 0x9c020000u, kWatchdog = 0x9c0f0000u,
       kTimer01 = 0x9c110000u, kVirtio = 0x9c130000u, kRtc = 0x9c170000u, kCntControl = 0xaa430000u,
       kCntRead = 0xaa800000u, kCntCtl = 0xaa810000u, kFrame1 = 0xaa830000u, kCci = 0xac090000u,
       kGicd = 0xaf000000u, kGicr = 0xaf100000u, kFlash = 0x88000000u, kRom = 0x80000000u,
       kSram = 0x84000000u, kOptions = 0x7ff00000u };

#define R(type, address) (*(volatile type *)(uintptr_t)(address))
#define R32(address) R(uint32_t, address)
#define read_sys(name) ({ uint64_t v; __asm__ volatile("mrs %0, " name : "=r"(v)); v; })
#define write_sys(name, value) \
  __asm__ volatile("msr " name ", %0\nisb" : : "r"((uint64_t)(value)) : "memory")

uint64_t semihosting(uint64_t operation, const void *parameters);
uint32_t from_flash(void);

static unsigned tests, failures;
static volatile uint32_t arrived[8];
static volatile unsigned last_intid, interrupts;
static volatile unsigned stop_source;

static void put_char(unsigned uart, char c) { R32(kUart + uart * 0x10000 + 0x00) = (uint8_t)c; }

static void put(unsigned uart, const char *text) {
  while (*text) put_char(uart, *text++);
}

static void put_number(unsigned uart, uint64_t n, unsigned base) {
  char digits[24];
  int at = 0;
  do digits[at++] = "0123456789abcdef"[n % base]; while (n /= base);
  while (at) put_char(uart, digits[--at]);
}

static void check_equal(const char *what, uint64_t found, uint64_t expected) {
  ++tests;
  if (found != expected) ++failures;
  put(0, found == expected ? "ok " : "not ok ");
  put_number(0, tests, 10);
  put(0, " - ");
  put(0, what);
  if (found != expected) {
    put(0, ": 0x");
    put_number(0, found, 16);
    put(0, ", expected 0x");
    put_number(0, expected, 16);
  }
  put(0, "\n");
}

static void check(const char *what, int passed) { check_equal(what, passed != 0, 1); }

static __attribute__((noreturn)) void finish(void) {
  put(0, "1..");
  put_number(0, tests, 10);
  put(0, "\n");
  if (R32(kOptions) == 1) {
    R32(kSysregs + 0xa0) = 0;
    R32(kSysregs + 0xa4) = 0xc0800000u;
    put(0, "the board did not power off\n");
  }
  const uint64_t block[2] = {0x20026, failures};
  semihosting(0x18, block);
  for (;;) __asm__ volatile("wfi");
}

void fatal(void) {
  const uint64_t el2 = read_sys("currentel") == 8;
  check_equal("no exception: ESR", el2 ? read_sys("esr_el2") : read_sys("esr_el1"), 0);
  check_equal("no exception: ELR", el2 ? read_sys("elr_el2") : read_sys("elr_el1"), 0);
  finish();
}

void interrupt(void) {
  const unsigned intid = (unsigned)read_sys("S3_0_C12_C12_0");  // ICC_IAR1_EL1
  last_intid = intid;
  ++interrupts;
  switch (intid) {
    case 27: write_sys("cntv_ctl_el0", 0); break;
    case 29: case 30: write_sys("cntp_ctl_el0", 0); break;
    case 26: write_sys("S3_4_C14_C5_1", 0); break;  // CNTHPS_CTL_EL2
    case 34: R32(kTimer01 + 0x08) = 0; R32(kTimer01 + 0x0c) = 1; break;
    case 32: R32(kWatchdog + 0x0c) = 1; R32(kWatchdog + 0x08) = 0; break;
    case 36: R32(kRtc + 0x1c) = 1; break;
    case 58: R32(kFrame1 + 0x2c) = 0; break;
    case 38: R32(kUart + 0x10038) = 0; break;
    default: break;
  }
  write_sys("S3_0_C12_C12_1", intid);  // ICC_EOIR1_EL1
}

static void wait_for(unsigned count) {
  for (unsigned n = 0; n < 1000 && interrupts < count; ++n) __asm__ volatile("wfi");
}

static void expect_interrupt(const char *what, unsigned intid) {
  wait_for(1);
  check_equal(what, interrupts ? last_intid : 0, intid);
  interrupts = 0;
}

static void uarts(void) {
  for (unsigned n = 0; n < 4; ++n) {
    R32(kUart + n * 0x10000 + 0x30) = 0x301;
    if (n) {
      put(n, "hello from UART ");
      put_number(n, n, 10);
      put(n, "\r\n");
    }
  }
  check_equal("UART 3 is a PL011", R(uint8_t, kUart + 0x30fe0), 0x11);
}

static void memory(void) {
  R32(kSram) = 0x12345678;
  check_equal("SRAM", R32(kSram), 0x12345678);
  R32(0x94000000) = 1;
  check_equal("PSRAM", R32(0x94000000), 1);
  R32(0xae000000) = 2;
  check_equal("SRAM of the peripherals", R32(0xae000000), 2);
  R32(kRom) = 3;
  check_equal("ROM keeps what it has", R32(kRom), 0);
}

static void system_registers(void) {
  check_equal("SYS_ID", R32(kSysregs), 0x00201100);
  check_equal("SYS_ID by byte", R(uint8_t, kSysregs + 2), 0x20);
  R32(kSysregs + 8) = 0x155;
  check_equal("SYS_LED", R32(kSysregs + 8), 0x55);
  R32(kSysregs + 0x30) = 6;
  R32(kSysregs + 0x34) = 2;
  check_equal("SYS_FLAGS", R32(kSysregs + 0x30), 4);
  const uint32_t start = R32(kSysregs + 0x5c);
  while (R32(kSysregs + 0x5c) == start) {}
  check("SYS_24MHZ counts", 1);
  R32(kSysregs + 0xa4) = 0x80100001;
  check_equal("SYS_CFGCTRL reads an oscillator", R32(kSysregs + 0xa0), 23750000);
  check_equal("CCI part", (R32(kCci + 0xfe4) & 0xf) << 8 | R32(kCci + 0xfe0), 0x420);
  R32(kCci + 0x4000) = 3;
  check_equal("CCI snoops", R32(kCci + 0x4000), 0xc0000003);
  check_equal("virtio magic", R32(kVirtio), 0x74726976);
  check_equal("no virtio device", R32(kVirtio + 8), 0);
}

static void flash(void) {
  check_equal("code in flash", from_flash(), 0x600d);
  const uintptr_t block = kFlash + 0x100000;
  R32(kFlash) = 0x00980098;
  check_equal("CFI query", R32(kFlash + 0x40) | R32(kFlash + 0x44) << 8, 0x00510051 | 0x00520052 << 8);
  R32(kFlash) = 0x00900090;
  check_equal("flash maker", R32(kFlash), 0x00890089);
  R32(kFlash) = 0x00ff00ff;
  check_equal("code in flash after commands", from_flash(), 0x600d);
  check_equal("erased flash", R32(block), 0xffffffff);
  R32(block) = 0x00400040;
  R32(block) = 0x52800540;      // mov w0, #42
  check_equal("flash status", R32(block), 0x00800080);
  R32(block + 4) = 0x00400040;
  R32(block + 4) = 0xd65f03c0;  // ret
  R32(block) = 0x00ff00ff;
  check_equal("programmed flash", R32(block), 0x52800540);
  check_equal("programmed code", ((uint32_t(*)(void))block)(), 42);
  R32(block) = 0x00400040;
  R32(block) = 0x52800500;      // mov w0, #40: bits go to zero only
  R32(block) = 0x00ff00ff;
  check_equal("reprogrammed code", ((uint32_t(*)(void))block)(), 40);
  R32(block) = 0x00200020;
  R32(block) = 0x00d000d0;
  R32(block) = 0x00ff00ff;
  check_equal("erased again", R32(block), 0xffffffff);
}

static void counter(int expect_stopped) {
  if (expect_stopped) {
    check_equal("CNTFRQ as hardware has it", read_sys("cntfrq_el0"), 0);
    check_equal("counter is stopped", read_sys("cntpct_el0"), 0);
    R32(kCntControl) = 1;
    write_sys("cntfrq_el0", R32(kCntControl + 0x20));
  }
  check_equal("CNTFRQ", read_sys("cntfrq_el0"), 100000000);
  check_equal("CNTFID0", R32(kCntControl + 0x20), 100000000);
  check_equal("CNTCR", R32(kCntControl), 1);
  const uint64_t a = read_sys("cntpct_el0"), b = R(uint64_t, kCntRead), c = R(uint64_t, kCntControl + 8);
  check("one counter, three views", a != 0 && a <= b && b <= c && c - a < 1000);
}

static void gic(unsigned cpu) {
  const uintptr_t rd = kGicr + cpu * 0x20000, sgi = rd + 0x10000;
  if (cpu == 0) {
    check_equal("GICD_CTLR: one Security state, ARE 0", R32(kGicd), 0x40);
    R(uint8_t, kGicd + 0x400) = 0xff;
    check_equal("GICD_IPRIORITYR0 by byte with ARE 0", R(uint8_t, kGicd + 0x400), 0xf8);
    R32(kGicd) = 0x10;
    R32(kGicd) = 0x13;
    check_equal("GICD_CTLR with ARE", R32(kGicd), 0x53);
    check_equal("GICR_TYPER.Last and affinity", R(uint64_t, kGicr + 8) >> 32, 0);
  }
  R32(rd + 0x24) = 2;  // GICR_PWRR: power on.
  R32(rd + 0x14) &= ~2u;
  while (R32(rd + 0x14) & 4) {}
  R32(sgi + 0x80) = 0xffffffff;
  for (unsigned n = 0; n < 32; n += 4) R32(sgi + 0x400 + n) = 0x80808080;
  write_sys("S3_0_C12_C12_5", 7);    // ICC_SRE_EL1
  write_sys("S3_0_C4_C6_0", 0xff);   // ICC_PMR_EL1
  write_sys("S3_0_C12_C12_7", 1);    // ICC_IGRPEN1_EL1
}

static void enable_spi(unsigned intid) {
  R32(kGicd + 0x80 + intid / 32 * 4) |= 1u << intid % 32;
  R(uint8_t, kGicd + 0x400 + intid) = 0x80;
  R(uint64_t, kGicd + 0x6000 + 8 * intid) = 0;
  R32(kGicd + 0x100 + intid / 32 * 4) = 1u << intid % 32;
}

static void only_ppi(unsigned intid) {
  R32(kGicr + 0x10180) = 0xffff0000;
  R32(kGicr + 0x10100) = 1u << intid;
}

static void timers(int el2) {
  __asm__ volatile("msr daifclr, #2");
  only_ppi(27);
  write_sys("cntv_tval_el0", 1000);
  write_sys("cntv_ctl_el0", 1);
  expect_interrupt("EL1 virtual timer", 27);
  for (unsigned intid = 29; intid <= 30; ++intid) {
    only_ppi(intid);
    write_sys("cntp_tval_el0", 1000);
    write_sys("cntp_ctl_el0", 1);
    expect_interrupt("EL1 physical timer", intid);
  }
  if (el2) {
    only_ppi(26);
    write_sys("S3_4_C14_C5_0", 1000);  // CNTHPS_TVAL_EL2
    write_sys("S3_4_C14_C5_1", 1);
    expect_interrupt("EL2 physical timer", 26);
  }
  only_ppi(16);

  enable_spi(34);
  check_equal("SP810 in doze", R32(kSysctl), 9);
  R32(kSysctl) |= 1u << 15;  // TIMEREN0SEL: 1 MHz.
  const uint64_t start = read_sys("cntpct_el0");
  R32(kTimer01 + 0x00) = 500;
  R32(kTimer01 + 0x08) = 0xe2;
  expect_interrupt("SP804", 34);
  const uint64_t ticks = read_sys("cntpct_el0") - start;
  check("SP804 at 1 MHz", ticks >= 50000 && ticks < 50500);

  enable_spi(58);
  R32(kCntCtl + 0x44) = 0x3f;
  R32(kFrame1 + 0x28) = 1000;
  R32(kFrame1 + 0x2c) = 1;
  expect_interrupt("timer frame 1", 58);

  enable_spi(32);
  R32(kWatchdog + 0x00) = 100;
  R32(kWatchdog + 0x08) = 1;
  expect_interrupt("watchdog", 32);

  enable_spi(36);
  R32(kRtc + 0x04) = R32(kRtc) + 1;
  R32(kRtc + 0x10) = 1;
  expect_interrupt("clock", 36);

  enable_spi(38);
  put(1, "interrupt\n");
  R32(kUart + 0x10038) = 0x20;     // UARTIMSC.TXIM: raised by the character before.
  expect_interrupt("UART 1", 38);
  __asm__ volatile("msr daifset, #2");
}

void guest_main(uint64_t cpu) {
  arrived[cpu] = 1;
  if (cpu != 0) return;
  const int el2 = read_sys("currentel") == 8;
  uarts();
  const uint32_t others = R32(kOptions + 8);
  for (uint32_t n = 1; n <= others; ++n) {
    for (unsigned spin = 0; spin < 100000 && !arrived[n]; ++spin) {}
    check("another CPU has left reset", arrived[n] == 1);
  }
  memory();
  system_registers();
  flash();
  counter(R32(kOptions + 4) == 1);
  gic(0);
  timers(el2);
  finish();
}
