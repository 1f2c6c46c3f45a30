// A PMSA guest with two EL0 tasks. Each has a region of its own, and PRENR_EL1 gives the one that
// runs its region. Once a second a task reaches for the other's memory and is refused.
#include "guest.h"
#include "pmsa_guest.h"

const char guest_name[] = "alpha";

extern char __text_start[], __text_end[], __data_start[], __data_end[];
u64 run_task(u64 (*entry)(u64), u64 stack, u64 argument);
void task_done(u64 value) __attribute__((noreturn));

enum { kText, kData, kUart, kGicRegion, kTask0, kTask1, kRegions };
enum { kTaskBytes = 0x2000 };
static u64 task_ram[2];
static u64 results[2], refused;

static void region(unsigned n, u64 bar, u64 lar) {
  MSR(PRSELR_EL1, n);
  ISB();
  MSR(PRBAR_EL1, bar);
  MSR(PRLAR_EL1, lar);
}

void protection_init(void) {
  const u64 ram = (u64)__text_start;
  // 1 MiB and 64 bytes apart in two address bits, so that each finds the other.
  task_ram[0] = ram + 0x400000;
  task_ram[1] = ram + 0x500040;
  MSR(mair_el1, 0x00ff);
  for (unsigned n = 0; n < FIELD(MRS(MPUIR_EL1), 7, 0); ++n) region(n, 0, 0);
  region(kText, BAR(ram, kAllRo, 0), LAR((u64)__text_end - 1, kNormal));
  region(kData, BAR((u64)__data_start, kEl1Rw, 3), LAR((u64)__data_end - 1, kNormal));
  region(kUart, BAR(uart_base, kEl1Rw, 3), LAR(uart_base + 0xfff, kDevice));
  region(kGicRegion, BAR(0xaf000000ul, kEl1Rw, 3), LAR(0xaf11fffful, kDevice));
  for (unsigned n = 0; n < 2; ++n) {
    region(kTask0 + n, BAR(task_ram[n], kAllRw, 3),
           LAR(task_ram[n] + kTaskBytes - 1, kNormal) & ~1ul);
  }
  mpu_on();
}

/// At EL0: `argument` is its memory, and in bit 0 whether to try the other's.
static u64 task(u64 argument) {
  const u64 mine = argument & ~63ul;
  for (u64 n = 0; n < 64; ++n) ((volatile u64*)mine)[n] += n * (mine >> 12) + 1;
  if (argument & 1) *(volatile u64*)(mine ^ 0x100040ul) = 0;
  register u64 value __asm__("x0") = checksum(mine, 0x200);
  __asm__ volatile("svc #1" ::"r"(value) : "memory");
  __builtin_unreachable();
}

void work(u64 tick) {
  const unsigned n = tick & 1;
  const u64 others = BIT(kTask0) - 1;
  MSR(PRENR_EL1, others | BIT(kTask0 + n));
  ISB();
  const int try_other = tick % kTicksPerSecond == 10 + n;
  results[n] = run_task(task, task_ram[n] + kTaskBytes, task_ram[n] | (try_other ? 1 : 0));
  MSR(PRENR_EL1, others);
  ISB();
}

void service(struct registers* registers, u64 number) {
  (void)number;
  task_done(registers->x[0]);
}

int abort_taken(struct registers* registers, u64 esr, u64 far) {
  const int from_el0 = FIELD(esr, 31, 26) == 0x24, translation = FIELD(esr, 5, 0) == 4;
  const int other = far == task_ram[0] || far == task_ram[1];
  if (!from_el0 || !translation || !other || !FIELD(esr, 6, 6)) return 0;
  ++refused;
  registers->elr += 4;
  return 1;
}

void permit(u64 address) {
  (void)address;
  MSR(sctlr_el1, MRS(sctlr_el1) | BIT(17));  // The background region.
  ISB();
}

void report(void) {
  print(", tasks %8x %8x, %d accesses refused", results[0], results[1], refused);
}
