// Several CPUs: PSCI, shared memory, exclusives, SGIs, code written by one and run by another, TLB
// maintenance that reaches all. Only CPU 0 prints, when the others are known to have finished.
#include "../common/console.h"
#include "../common/lower.h"
#include "../common/tables.h"

enum { kCpus = 4, kGicd = 0x08000000, kGicr = 0x080a0000, kStride = 0x20000, kCode = 0x40500000 };

u64 smc_call(u64 function, u64 a, u64 b, u64 c);
extern const char secondary_start[];

static volatile u64 arrived[kCpus], order[kCpus], result[kCpus];
static volatile u64 work;        // A function for the others to run once.
static volatile u64 generation;  // Counts the works given out.
static volatile u64 counter, lock;

static unsigned self(void) {
  return MRS(mpidr_el1) & 0xff;
}

static u64 add(volatile u64* where, u64 amount) {
  u64 old;
  u32 failed;
  __asm__ volatile("1: ldaxr %0, [%2]; add x9, %0, %3; stlxr %w1, x9, [%2]; cbnz %w1, 1b"
                   : "=&r"(old), "=&r"(failed)
                   : "r"(where), "r"(amount)
                   : "x9", "memory");
  return old;
}

static void mmu_on(void) {
  // Exclusives need Normal memory: the tables of EL1 serve EL2 as well, RAM read-write for EL2.
  static u64 l1[512] __attribute__((aligned(4096)));
  l1[0] = kBlock | kAf | kAttr(0) | kUxn;
  l1[1] = 0x40000000ul | kBlock | kAf | kShared | kNormal;
  MSR(mair_el2, 0x44ff00);
  MSR(ttbr0_el2, (u64)l1);
  MSR(tcr_el2, BIT(31) | BIT(23) | 2 << 16 | 0x3500 | 32);
  DSB();
  __asm__ volatile("tlbi alle2; ic iallu; dsb sy; isb" ::: "memory");
  MSR(sctlr_el2, 0x30c50830 | 0x1005);
  ISB();
}

static void secondary(void) {
  const unsigned me = self();
  mmu_on();
  arrived[me] = MRS(currentel) << 8 | (MRS(sctlr_el1) & 1) << 4 | (MRS(daif) >> 6);
  u64 seen_generation = 0;
  DSB();
  __asm__ volatile("sev");
  for (;;) {
    while (generation == seen_generation) __asm__ volatile("wfe" ::: "memory");
    ++seen_generation;
    ((void (*)(unsigned))work)(me);
    add(&order[0], 1);
    DSB();
    __asm__ volatile("sev");
  }
}

// Runs `function` on CPUs 1 to 3 and waits for all of them.
static void on_others(void (*function)(unsigned)) {
  order[0] = 0;
  work = (u64)function;
  DSB();
  ++generation;
  DSB();
  __asm__ volatile("sev");
  while (order[0] != kCpus - 1) __asm__ volatile("wfe" ::: "memory");
}

static void power(void) {
  print("PSCI\n");
  print("  version %x features CPU_ON %x unknown %x\n", smc_call(0x84000000, 0, 0, 0),
        smc_call(0x8400000a, 0xc4000003, 0, 0), smc_call(0x8400000a, 0x8400abcd, 0, 0));
  print("  AFFINITY_INFO 0 %x 1 %x 9 %x\n", smc_call(0xc4000004, 0, 0, 0),
        smc_call(0xc4000004, 1, 0, 0), smc_call(0xc4000004, 9, 0, 0));
  print("  CPU_ON 0 %x 9 %x\n", smc_call(0xc4000003, 0, (u64)secondary_start, 0),
        smc_call(0xc4000003, 9, (u64)secondary_start, 0));
  for (u64 n = 1; n < kCpus; ++n) {
    print("  CPU_ON %d %x", (int)n, smc_call(0xc4000003, n, (u64)secondary_start, (u64)secondary));
    while (!arrived[n]) __asm__ volatile("wfe" ::: "memory");
    print(" arrived %x again %x AFFINITY_INFO %x\n", arrived[n],
          smc_call(0xc4000003, n, (u64)secondary_start, (u64)secondary),
          smc_call(0xc4000004, n, 0, 0));
  }
}

static void note_identity(unsigned me) {
  result[me] = MRS(mpidr_el1);
}

static void count(unsigned me) {
  (void)me;
  for (unsigned n = 0; n < 2000; ++n) add(&counter, 1);
}

static void count_locked(unsigned me) {
  (void)me;
  for (unsigned n = 0; n < 500; ++n) {
    while (add(&lock, 1) != 0) add(&lock, (u64)-1);
    const u64 value = counter;
    counter = value + 1;
    DSB();
    add(&lock, (u64)-1);
  }
}

static void sharing(void) {
  print("shared memory\n");
  on_others(note_identity);
  for (unsigned n = 1; n < kCpus; ++n) print("  MPIDR %x\n", result[n]);
  counter = 0;
  on_others(count);
  print("  three CPUs counted %d\n", (int)counter);
  counter = 0;
  on_others(count_locked);
  print("  with a lock %d\n", (int)counter);
}

static void redistributor_on(unsigned me) {
  const u64 sgi = kGicr + me * kStride + 0x10000;
  write32(kGicr + me * kStride + 0x14, 0);
  write32(sgi + 0x80, ~0u);
  write32(sgi + 0x100, 0xffff);
  for (unsigned n = 0; n < 8; ++n) write32(sgi + 0x400 + 4 * n, 0xa0a0a0a0);
  MSR(S3_4_C12_C9_5, 0xf);
  ISB();
  MSR(S3_0_C4_C6_0, 0xff);
  MSR(S3_0_C12_C12_7, 1);
  ISB();
}

static void take_sgi(unsigned me) {
  u64 intid;
  while ((intid = MRS(S3_0_C12_C12_0)) == 1023) {
  }
  result[me] = intid;
  MSR(S3_0_C12_C12_1, intid);
}

static void sgi_to(u64 value) {
  for (unsigned n = 0; n < kCpus; ++n) result[n] = 0;
  DSB();
  MSR(S3_0_C12_C11_5, value);
  ISB();
}

static void peek_sgi(unsigned me) {
  result[me] = MRS(S3_0_C12_C12_2);
}

static void interrupts(void) {
  print("SGIs\n");
  write32(kGicd, 0x12);
  redistributor_on(0);
  on_others(redistributor_on);
  sgi_to(3ul << 24 | BIT(40));
  on_others(take_sgi);
  print("  to all others: %x %x %x, self %x\n", result[1], result[2], result[3],
        MRS(S3_0_C12_C12_2));
  sgi_to(4ul << 24 | 0xe);
  on_others(take_sgi);
  print("  to a list: %x %x %x\n", result[1], result[2], result[3]);
  sgi_to(5ul << 24 | 4);
  on_others(peek_sgi);
  print("  to CPU 2: %x %x %x\n", result[1], result[2], result[3]);
  for (unsigned n = 1; n < kCpus; ++n) {
    print("  GICR_ISPENDR0 of %d: %x GICR_TYPER %x %x\n", (int)n,
          (u64)read32(kGicr + n * kStride + 0x10200), (u64)read32(kGicr + n * kStride + 8) & ~1ul,
          (u64)read32(kGicr + n * kStride + 12));
  }
  // An SPI goes where GICD_IROUTER says.
  write32(kGicd + 0x84, ~0u);
  write32(kGicd + 0x104, 1 << 8);
  for (unsigned n = 0; n < kCpus; ++n) {
    write32(kGicd + 0x6000 + 8 * 40, n);
    write32(kGicd + 0x204, 1 << 8);
    peek_sgi(0);
    on_others(peek_sgi);
    print("  SPI routed to %d: %x %x %x %x\n", (int)n, result[0], result[1], result[2], result[3]);
    write32(kGicd + 0x284, 1 << 8);
  }
}

static void call_code(unsigned me) {
  ISB();
  result[me] = ((u64(*)(void))kCode)();
}

static void code(void) {
  print("code written by CPU 0\n");
  for (u32 value = 0x10; value < 0x14; ++value) {
    write32(kCode, 0xd2800000 | value << 5);  // mov x0, #value
    write32(kCode + 4, 0xd65f03c0);
    __asm__ volatile("dc cvau, %0; dsb ish; ic ivau, %0; dsb ish; isb" ::"r"(kCode) : "memory");
    on_others(call_code);
    print("  %x %x %x\n", result[1], result[2], result[3]);
  }
}

static u64 shared_l3[512] __attribute__((aligned(4096)));
static u64 shared_l2[512] __attribute__((aligned(4096)));
static u64 shared_l1[512] __attribute__((aligned(4096)));

static void own_tables(unsigned me) {
  (void)me;
  MSR(ttbr0_el2, (u64)shared_l1);
  DSB();
  __asm__ volatile("tlbi alle2; dsb sy; isb" ::: "memory");
}

static void load(unsigned me) {
  result[me] = *(volatile u64*)0x80001010ul;
}

static void broadcast(void) {
  print("TLB maintenance\n");
  const u64 page = kTable | kAf | kShared | kNormal;
  shared_l1[0] = kBlock | kAf | kAttr(0) | kUxn;
  shared_l1[1] = 0x40000000ul | kBlock | kAf | kShared | kNormal;
  shared_l1[2] = (u64)shared_l2 | kTable;
  shared_l2[0] = (u64)shared_l3 | kTable;
  *(volatile u64*)0x40500010 = 0xaaaa;
  *(volatile u64*)0x40501010 = 0xbbbb;
  shared_l3[1] = 0x40500000 | page;
  own_tables(0);
  on_others(own_tables);
  on_others(load);
  print("  first %x %x %x\n", result[1], result[2], result[3]);
  for (unsigned n = 0; n < 4; ++n) {
    shared_l3[1] = 0;
    DSB();
    __asm__ volatile("tlbi vae2is, %0; dsb ish; isb" ::"r"(0x80001ul) : "memory");
    shared_l3[1] = (n & 1 ? 0x40500000 : 0x40501000) | page;
    DSB();
    on_others(load);
    print("  TLBI VAE2IS %x %x %x\n", result[1], result[2], result[3]);
  }
  shared_l3[1] = 0;
  DSB();
  __asm__ volatile("tlbi alle2is; dsb ish; isb" ::: "memory");
  shared_l3[1] = 0x40501000 | page;
  DSB();
  on_others(load);
  print("  TLBI ALLE2IS %x %x %x\n", result[1], result[2], result[3]);
}

static void leave(unsigned me) {
  result[me] = 1;
  add(&order[0], 1);
  DSB();
  __asm__ volatile("sev");
  smc_call(0x84000002, 0, 0, 0);
  result[me] = 2;
}

static void again(void) {
  print("CPU_OFF\n");
  on_others(leave);
  for (u64 n = 1; n < kCpus; ++n) {
    while (smc_call(0xc4000004, n, 0, 0) != 1) {
    }
    print("  CPU %d is off, came back %d\n", (int)n, result[n] == 2);
  }
  arrived[2] = 0;
  generation = 0;
  DSB();
  print("  CPU_ON 2 %x", smc_call(0xc4000003, 2, (u64)secondary_start, (u64)secondary));
  while (!arrived[2]) __asm__ volatile("wfe" ::: "memory");
  print(" arrived %x\n", arrived[2]);
}

void guest_main(void) {
  print("SMP\n");
  mmu_on();
  power();
  sharing();
  interrupts();
  code();
  broadcast();
  again();
  print("end\n");
}
