// Console, interrupts and the life of a guest.
#include "guest.h"

#define GICD 0xaf000000ul
#define GICR 0xaf100000ul

u64 uart_base = 0x9c090000;
unsigned uart_interrupt = 37;
volatile u64 ticks;
static u64 interval, next_tick;

// ---- Console: a ring that the UART's interrupt empties -----------------------------------------

enum {
  kRing = 1024,
  kUartFr = 0x18,
  kUartImsc = 0x38,
  kUartIcr = 0x44,
  kTx = 1 << 5,
  kRx = 1 << 4,
  kRt = 1 << 6
};
static volatile char ring[kRing];
static volatile u32 ring_in, ring_out;
static volatile u32 uart_interrupts, received;
static volatile char last_received;

static int transmit_one(void) {
  if (ring_in == ring_out || (read32(uart_base + kUartFr) & 0x20)) return 0;
  write32(uart_base, (u8)ring[ring_out % kRing]);
  ++ring_out;
  return 1;
}

static void uart_interrupt_taken(void) {
  ++uart_interrupts;
  write32(uart_base + kUartIcr, kTx | kRx | kRt);
  while (!(read32(uart_base + kUartFr) & 0x10)) {
    last_received = (char)read32(uart_base);
    ++received;
  }
  for (int n = 0; n < 8 && transmit_one(); ++n) {
  }
  if (ring_in == ring_out) write32(uart_base + kUartImsc, kRx | kRt);
}

static void put_char(char c) {
  while (ring_in - ring_out == kRing) __asm__ volatile("wfi");
  ring[ring_in % kRing] = c;
  ++ring_in;
}

static void start_transmitting(void) {
  __asm__ volatile("msr daifset, #2" ::: "memory");
  write32(uart_base + kUartImsc, kTx | kRx | kRt);
  transmit_one();
  __asm__ volatile("msr daifclr, #2" ::: "memory");
}

static void put_number(u64 value, unsigned base, unsigned digits) {
  char text[24];
  unsigned n = 0;
  do {
    text[n++] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value || n < digits);
  while (n) put_char(text[--n]);
}

/// %s, %d, %x, %NNx. The text is sent by the UART's interrupt once it is complete.
void print(const char* format, ...) {
  va_list list;
  __builtin_va_start(list, format);
  for (; *format; ++format) {
    if (*format != '%') {
      put_char(*format);
      continue;
    }
    unsigned digits = 0;
    while (*++format >= '0' && *format <= '9') digits = digits * 10 + (unsigned)(*format - '0');
    if (*format == 's') {
      for (const char* s = __builtin_va_arg(list, const char*); *s; ++s) put_char(*s);
    } else {
      put_number(__builtin_va_arg(list, u64), *format == 'd' ? 10 : 16, digits);
    }
  }
  __builtin_va_end(list);
  start_transmitting();
}

static void drain(void) {
  while (ring_in != ring_out) __asm__ volatile("wfi");
}

// ---- Interrupts and exceptions -----------------------------------------------------------------

static void gic_enable(unsigned intid) {
  const u64 frame = intid < 32 ? GICR + 0x10000 : GICD;
  *(volatile u8*)(frame + 0x400 + intid) = 0xa0;
  write32(frame + 0x100 + intid / 32 * 4, 1u << intid % 32);
}

static void interrupts_init(void) {
  write32(GICD, 0x12);
  write32(GICR + 0x14, 0);
  while (read32(GICR + 0x14) & 4) {
  }
  write32(GICR + 0x10080, ~0u);
  write32(GICD + 0x84, ~0u);
  MSR(S3_0_C12_C12_5, 7);  // ICC_SRE_EL1
  ISB();
  MSR(S3_0_C4_C6_0, 0xff);
  MSR(S3_0_C12_C12_7, 1);
  ISB();
  gic_enable(kTimerInterrupt);
  gic_enable(uart_interrupt);
  *(volatile u64*)(GICD + 0x6000 + 8 * uart_interrupt) = 0;
  write32(uart_base + kUartImsc, kRx | kRt);
  interval = MRS(cntfrq_el0) / kTicksPerSecond;
  next_tick = MRS(cntvct_el0) + interval;
  MSR(cntv_cval_el0, next_tick);
  MSR(cntv_ctl_el0, 1);
  __asm__ volatile("msr daifclr, #2" ::: "memory");
}

void interrupt(struct registers* registers);
void interrupt(struct registers* registers) {
  (void)registers;
  for (;;) {
    const unsigned intid = (unsigned)MRS(S3_0_C12_C12_0) & 0xffffff;
    if (intid >= 1020) return;
    if (intid == kTimerInterrupt) {
      ++ticks;
      next_tick += interval;
      MSR(cntv_cval_el0, next_tick);
      MSR(cntv_ctl_el0, 1);
    } else if (intid == uart_interrupt) {
      uart_interrupt_taken();
    }
    MSR(S3_0_C12_C12_1, intid);
    ISB();
  }
}

static void die(const char* what, const struct registers* registers) {
  print("%s: %s: ESR %8x ELR %x FAR %x\n", guest_name, what, MRS(esr_el1), registers->elr,
        MRS(far_el1));
  __asm__ volatile("msr daifset, #2" ::: "memory");
  while (ring_in != ring_out) transmit_one();
  hvc(0x84000008);
}

void synchronous(struct registers* registers);
void synchronous(struct registers* registers) {
  const u64 esr = MRS(esr_el1), ec = FIELD(esr, 31, 26);
  if (ec == 0x15) {
    service(registers, FIELD(esr, 15, 0));
  } else if ((ec & ~5ul) != 0x20 || !abort_taken(registers, esr, MRS(far_el1))) {
    die("unexpected exception", registers);
  }
}

void unexpected(struct registers* registers);
void unexpected(struct registers* registers) {
  die("unexpected vector", registers);
}

// ---- Life --------------------------------------------------------------------------------------

u32 checksum(u64 first, u64 bytes) {
  u32 hash = 0x811c9dc5;
  for (u64 at = first; at < first + bytes; ++at) hash = (hash ^ *(volatile u8*)at) * 0x01000193;
  return hash;
}

static void trespass(const struct parameters* p) {
  static const char* const verbs[] = {"", "reads", "writes", "executes"};
  print("%s: %s %x, which is not its own\n", guest_name, verbs[p->trespass], p->address);
  drain();
  permit(p->address);
  switch (p->trespass) {
    case 1:
      (void)*(volatile u64*)p->address;
      break;
    case 2:
      *(volatile u64*)p->address = 0xdead;
      break;
    default:
      ((void (*)(void))p->address)();
  }
  print("%s: nothing stopped that\n", guest_name);
}

enum { kLongWork = 0x1000, kLongTurns = 256 };
static u32 long_sum;
extern const char _start[];

void guest_start(const struct parameters* parameters) __attribute__((noreturn));
void guest_start(const struct parameters* parameters) {
  const struct parameters p = *parameters;
  const u64 seconds = p.seconds ? p.seconds : 12;
  protection_init();
  interrupts_init();
  print("%s: started\n", guest_name);
  u64 done = 0;
  for (u64 second = 0; second < seconds;) {
    for (; done < ticks; ++done) {
      work(done);
      // Once a second more than a hypervisor's time slice.
      for (int n = 0; n < kLongTurns && done % kTicksPerSecond == 50; ++n) {
        long_sum = long_sum * 31 + checksum((u64)_start, kLongWork);
      }
    }
    if (done / kTicksPerSecond > second) {
      ++second;
      print("%s: second %d, %d ticks", guest_name, second, done);
      report();
      print(", %s\n", uart_interrupts ? "console by interrupt" : "console without interrupts");
      if (p.trespass && second == p.second) trespass(&p);
    }
    __asm__ volatile("wfi");
  }
  print("%s: done, long sum %8x", guest_name, (u64)long_sum);
  if (received)
    print(", %d characters received, the last 0x%2x", (u64)received, (u64)last_received);
  print("\n");
  drain();
  hvc(0x84000008);
  for (;;) __asm__ volatile("wfi");
}

void* memset(void* to, int value, u64 bytes) {
  volatile u8* p = to;
  while (bytes--) *p++ = (u8)value;
  return to;
}

void* memcpy(void* to, const void* from, u64 bytes) {
  volatile u8* p = to;
  const u8* q = from;
  while (bytes--) *p++ = *q++;
  return to;
}
