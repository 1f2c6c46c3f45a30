// A PMSA guest with a UART of its own. It names its regions by PRBAR<n> and PRLAR<n>, has a guard
// of 64 bytes in a buffer, and runs into it once a second.
#include "guest.h"
#include "pmsa_guest.h"

const char guest_name[] = "beta";

extern char __text_start[], __text_end[], __data_start[], __data_end[];

static u64 buffer, result, guard_hits, execution_refused;
enum { kGuard = 0x7c0 };

void protection_init(void) {
  const u64 ram = (u64)__text_start;
  buffer = ram + 0x300000;
  uart_base = 0x9c0a0000;
  uart_interrupt = 38;
  MSR(mair_el1, 0x00ff);
  MSR(PRENR_EL1, 0);
  MSR(PRSELR_EL1, 0);
  ISB();
  MSR(PRBAR_EL1, BAR(ram, kEl1Ro, 0));
  MSR(PRLAR_EL1, LAR((u64)__text_end - 1, kNormal));
  MSR(S3_0_C6_C8_4, BAR((u64)__data_start, kEl1Rw, 3));  // PRBAR1
  MSR(S3_0_C6_C8_5, LAR((u64)__data_end - 1, kNormal));
  MSR(S3_0_C6_C9_0, BAR(uart_base, kEl1Rw, 3));  // PRBAR2
  MSR(S3_0_C6_C9_1, LAR(uart_base + 0xfff, kDevice));
  MSR(S3_0_C6_C9_4, BAR(0xaf000000ul, kEl1Rw, 3));  // PRBAR3
  MSR(S3_0_C6_C9_5, LAR(0xaf11fffful, kDevice));
  MSR(S3_0_C6_C10_0, BAR(buffer, kEl1Rw, 3));  // PRBAR4
  MSR(S3_0_C6_C10_1, LAR(buffer + kGuard - 1, kNormal));
  MSR(S3_0_C6_C10_4, BAR(buffer + kGuard, kEl1Ro, 3));  // PRBAR5
  MSR(S3_0_C6_C10_5, LAR(buffer + kGuard + 63, kNormal));
  MSR(S3_0_C6_C11_0, BAR(buffer + kGuard + 64, kEl1Rw, 3));  // PRBAR6
  MSR(S3_0_C6_C11_1, LAR(buffer + 0x1fff, kNormal));
  mpu_on();
  write32(uart_base + 0x30, 0x301);  // UARTCR and UARTLCR_H: no firmware has enabled this UART.
  write32(uart_base + 0x2c, 0x70);
}

void work(u64 tick) {
  // Eight words around the guard, and a checksum over it.
  for (u64 n = 1; n <= 8; ++n) {
    *(volatile u64*)(buffer + kGuard - 8 * n) += tick + n;
    *(volatile u64*)(buffer + kGuard + 56 + 8 * n) ^= tick * n;
  }
  result = checksum(buffer + kGuard - 64, 192);
  if (tick % kTicksPerSecond == 20) *(volatile u64*)(buffer + kGuard + 0x38) = tick;
  if (tick % kTicksPerSecond == 30) ((void (*)(void))buffer)();
}

int abort_taken(struct registers* registers, u64 esr, u64 far) {
  if (FIELD(esr, 5, 0) != 12) return 0;  // A permission fault, level 0.
  if (FIELD(esr, 31, 26) == 0x25 && far == buffer + kGuard + 0x38 && FIELD(esr, 6, 6)) {
    ++guard_hits;
    registers->elr += 4;
    return 1;
  }
  if (FIELD(esr, 31, 26) == 0x21 && far == buffer) {
    ++execution_refused;
    registers->elr = registers->x[30];
    return 1;
  }
  return 0;
}

void service(struct registers* registers, u64 number) {
  (void)registers;
  (void)number;
}

void permit(u64 address) {
  (void)address;
  MSR(sctlr_el1, MRS(sctlr_el1) | BIT(17));  // The background region.
  ISB();
}

void report(void) {
  print(", buffer %8x, guard hit %d, execution refused %d", result, guard_hits, execution_refused);
}
