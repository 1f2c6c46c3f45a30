// A VMSA guest: translation tables at EL1 while the hypervisor has only regions. One virtual page
// changes between two frames at every tick.
#include "../../common/tables.h"
#include "guest.h"

const char guest_name[] = "gamma";

extern char __text_start[], __text_end[], __data_start[], __data_end[];

enum { kWindow = 0x80000000, kPage = 4096 };
static struct tables tables;
static u64 frames[2], sums[2], flips, unmapped;

void protection_init(void) {
  const u64 common = kAf | kShared | kNormal;
  pool_reset();
  tables = new_tables(k4K, 32);
  frames[0] = pool_take(12);
  frames[1] = pool_take(12);
  for (u64 at = (u64)__text_start; at < (u64)__text_end; at += kPage) {
    map(&tables, at, at, 3, common | kReadOnly);
  }
  for (u64 at = (u64)__data_start; at < (u64)__data_end; at += kPage) {
    map(&tables, at, at, 3, common | kUxn | kPxn);
  }
  map(&tables, uart_base, uart_base, 3, kAf | kUxn | kPxn);
  for (u64 at = 0xaf000000; at < 0xaf200000; at += BIT(21)) {
    map(&tables, at, at, 2, kAf | kUxn | kPxn);
  }
  // The tables themselves, at their address, to change them later.
  for (u64 at = tables.root; at < tables.root + 0x20000; at += kPage) {
    map(&tables, at, at, 3, common | kUxn | kPxn);
  }
  map(&tables, kWindow, frames[0], 3, common | kUxn | kPxn);
  MSR(mair_el1, 0x44ff00);
  MSR(ttbr0_el1, tables.root);
  MSR(tcr_el1, tcr_of(&tables) | 2ul << 32 | BIT(23));
  DSB();
  ISB();
  __asm__ volatile("tlbi vmalle1; dsb sy; isb" ::: "memory");
  MSR(sctlr_el1, 0x30d01805);
  ISB();
}

static void set_window(u64 frame) {
  *descriptor(&tables, kWindow, 3, 0) =
      frame ? frame | 3 | kAf | kShared | kNormal | kUxn | kPxn : 0;
  DSB();
  __asm__ volatile("tlbi vae1, %0; dsb sy; isb" ::"r"((u64)kWindow >> 12) : "memory");
}

void work(u64 tick) {
  const unsigned n = tick & 1;
  set_window(frames[n]);
  ++flips;
  for (u64 w = 0; w < 64; ++w) ((volatile u64*)kWindow)[w] += w + n + 1;
  sums[n] = checksum(kWindow, 0x200);
  if (checksum(frames[n], 0x200) != sums[n]) print("gamma: the window shows another frame\n");
  if (tick % kTicksPerSecond == 40) {
    set_window(0);
    *(volatile u64*)kWindow = tick;
  }
}

int abort_taken(struct registers* registers, u64 esr, u64 far) {
  if (FIELD(esr, 31, 26) != 0x25 || FIELD(esr, 5, 0) != 7 || far != kWindow) return 0;
  ++unmapped;
  registers->elr += 4;
  return 1;
}

void service(struct registers* registers, u64 number) {
  (void)registers;
  (void)number;
}

void permit(u64 address) {
  map(&tables, address & ~0xffful, address & ~0xffful, 3, kAf | kShared | kNormal);
  DSB();
  ISB();
}

void report(void) {
  print(", frames %8x %8x, %d flips, %d faults", sums[0], sums[1], flips, unmapped);
}
