// Which of several pending interrupts a GICv2 gives first (IHI 0048B 3.3.2, 4.4.4): by priority, of
// equal ones by INTID, of one SGI's by its source. At EL2, physical and by list registers.
#include "../common/console.h"
#include "../common/lower.h"

enum { kGicd = 0x08000000, kGicc = 0x08010000, kGich = 0x08030000, kGicv = 0x08040000 };
enum { kIsenabler = 0x100, kIspendr = 0x200, kIpriorityr = 0x400, kItargetsr = 0x800 };
enum { kIar = 0xc, kEoir = 0x10, kRpr = 0x14, kHppir = 0x18, kSpendsgir = 0xf20 };

static void set_byte(unsigned reg, unsigned intid, u8 value) {
  *(volatile u8*)(u64)(kGicd + reg + intid) = value;
}

static void take_all(u64 interface) {
  for (unsigned n = 0; n < 12; ++n) {
    print(" %x", (u64)read32(interface + kHppir));
    const u32 taken = read32(interface + kIar);
    print(">%x/%x", (u64)taken, (u64)read32(interface + kRpr));
    if ((taken & 0x3ff) >= 1020) break;
    write32(interface + kEoir, taken);
  }
  print("\n");
}

static void make_pending(const u8* priorities, unsigned count) {
  for (unsigned n = 0; n < count; ++n) {
    const unsigned intid = 40 + 7 * (count - n);  // The last ones come first.
    set_byte(kIpriorityr, intid, priorities[n]);
    set_byte(kItargetsr, intid, 1);
    write32(kGicd + kIsenabler + intid / 32 * 4, 1u << intid % 32);
    write32(kGicd + kIspendr + intid / 32 * 4, 1u << intid % 32);
  }
}

void guest_main(void) {
  reset_world();
  write32(kGicd, 1);
  write32(kGicc, 1);
  write32(kGicc + 4, 0xf0);
  static const u8 equal[] = {0x80, 0x80, 0x80, 0x80, 0x80};
  static const u8 mixed[] = {0x80, 0x70, 0x90, 0x70, 0x88, 0x80, 0xe0, 0xe0};
  make_pending(equal, COUNT(equal));
  take_all(kGicc);
  make_pending(mixed, COUNT(mixed));
  take_all(kGicc);
  // SGIs 3 and 2, each of several sources, and an SPI of their priority.
  write32(kGicd + kIsenabler, 0xffff);
  for (unsigned n = 0; n < 16; ++n) set_byte(kIpriorityr, n, 0x80);
  make_pending(equal, 1);
  set_byte(kSpendsgir, 3, 1);
  set_byte(kSpendsgir, 2, 1);
  take_all(kGicc);
  // List registers: of equal priorities too.
  write32(kGich, 1);
  write32(kGich + 8, 0xf8000000 | 1);
  write32(kGicv + 4, 0xf0);
  write32(kGicv, 1);
  static const u32 lists[][4] = {{0x1a000030, 0x1a000021, 0x1a000022, 0x1a00002f},
                                 {0x18000030, 0x1a000021, 0x18000022, 0x1900002f}};
  for (unsigned n = 0; n < COUNT(lists); ++n) {
    for (unsigned lr = 0; lr < 4; ++lr) write32(kGich + 0x100 + 4 * lr, lists[n][lr]);
    take_all(kGicv);
  }
  power_off();
}
