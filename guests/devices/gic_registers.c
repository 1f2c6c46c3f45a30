// Every register of a GIC's distributor, and of a GICv3's redistributor, written and read back:
// what is recorded of it shows each bit that the model keeps. All interrupts stay off.
#include "../common/console.h"
#include "../common/lower.h"

enum {
  kGicd = 0x08000000,
  kGicr = 0x080a0000,
  kSgi = 0x080b0000,
  kPidr2 = 0xfe8,
  kPidr2V3 = 0xffe8
};
enum { kIgroupr = 0x80, kIsenabler = 0x100, kIsactiver = 0x300, kClears = 0x80 };

static u32 sum, pattern = 0x9ce23a57;

static void look(u64 address) {
  sum = sum * 31 + read32(address);
}

/// `count` words from `address` on: something else in each, and what is left of it.
static void fill(u64 address, unsigned count) {
  for (unsigned n = 0; n < count; ++n) {
    pattern = pattern * 1664525 + 1013904223;
    write32(address + 4 * n, pattern);
  }
  for (unsigned n = 0; n < count; ++n) look(address + 4 * n);
}

/// Registers of one bit an interrupt; those that clear stand behind those that set.
static void bits(u64 base, unsigned first, unsigned count) {
  fill(base + kIgroupr + 4 * first, count);
  for (unsigned reg = kIsenabler; reg <= kIsactiver; reg += 0x100) {
    fill(base + reg + 4 * first, count);
    for (unsigned n = first; n < first + count; ++n) write32(base + reg + 4 * n, ~0u);
    fill(base + reg + kClears + 4 * first, count);
    for (unsigned n = first; n < first + count; ++n) look(base + reg + 4 * n);
  }
}

static void bytes(u64 base, unsigned first, unsigned count) {
  fill(base + 0x400 + 4 * first, count);
  for (unsigned n = 4 * first; n < 4 * (first + count); n += 5) {
    *(volatile u8*)(base + 0x400 + n) = (u8)(n * 0x35);
    sum = sum * 31 + *(volatile u8*)(base + 0x400 + n);
  }
  fill(base + 0xc00 + first / 2 * 2, count / 4);
}

static void version2(void) {
  bits(kGicd, 0, 9);
  bytes(kGicd, 0, 72);
  fill(kGicd + 0x800, 72);
  fill(kGicd + 0xf20, 4);
  fill(kGicd + 0xf10, 4);
  for (unsigned n = 0; n < 4; ++n) look(kGicd + 0xf20 + 4 * n);
}

static void version3(void) {
  write32(kGicd, 0x10);  // ARE
  look(kGicd);
  write32(kGicr + 0x14, 0);
  look(kGicr + 0x14);
  write32(kGicr + 0x14, 2);
  look(kGicr + 0x14);
  write32(kGicr + 0x14, 0);
  bits(kGicd, 1, 8);
  bytes(kGicd, 8, 64);
  fill(kGicd + 0xd00, 9);
  for (unsigned n = 32; n < 288; n += 3) {
    *(volatile u64*)(u64)(kGicd + 0x6000 + 8 * n) = 0x80000000ul * (n & 1) + n % 3;
    look(kGicd + 0x6000 + 8 * n);
  }
  bits(kSgi, 0, 1);
  bytes(kSgi, 0, 8);
  fill(kSgi + 0xd00, 1);
  for (unsigned n = 0; n < 2; ++n) {
    MSR(S3_0_C12_C12_5, n ? 0 : 7);  // ICC_SRE_EL1
    ISB();
    sum = sum * 31 + (u32)MRS(S3_0_C12_C12_5);
  }
}

void guest_main(void) {
  reset_world();
  write32(kGicd, 0);
  look(kGicd + 4);
  look(kGicd + 8);
  const int is_v2 = (read32(kGicd + kPidr2) >> 4 & 15) == 2;
  if (is_v2) {
    version2();
  } else {
    look(kGicd + kPidr2V3);
    version3();
  }
  print("gic registers: %x\n", (u64)sum);
  power_off();
}
