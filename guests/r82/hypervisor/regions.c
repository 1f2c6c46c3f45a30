// EL2's regions: a fixed part for the hypervisor, and a part for the guest that runs.
#include "../arch/pmsa.h"
#include "hypervisor.h"

enum { kText, kData, kUart, kGic, kFixed };
enum { kNormal = 0, kDevice = 1 };
enum { kEl2Rw = 0, kAllRw = 1, kEl2Ro = 2 };

extern char __text_start[], __text_end[], __data_start[], __data_end[];

struct region_counts region_counts;
struct region_stretch region_stretch;
static unsigned slots, needed;

static struct region region(u64 first, u64 last, unsigned ap, unsigned xn, unsigned attr) {
  return (struct region){(first & kBaseMask) | 3 << 4 | ap << 2 | xn,
                         (last & kBaseMask) | attr << 1 | 1};
}

static void write_slot(unsigned n, struct region r, int enable) {
  MSR(PRSELR_EL2, n);
  ISB();
  COUNTED_MSR(PRLAR_EL2, r.lar & ~1ul);
  COUNTED_MSR(PRBAR_EL2, r.bar);
  if (enable) COUNTED_MSR(PRLAR_EL2, r.lar);
  region_counts.el2_writes += enable ? 3 : 2;
}

int regions_by_prenr(void) {
  return needed <= slots;
}

void regions_init(void) {
  slots = (unsigned)FIELD(MRS(MPUIR_EL2), 7, 0);
  MSR(mair_el2, 0x00ff);
  for (unsigned n = 0; n < slots; ++n) write_slot(n, (struct region){0, 0}, 0);
  write_slot(kText, region((u64)__text_start, (u64)__text_end - 1, kEl2Ro, 0, kNormal), 1);
  write_slot(kData, region((u64)__data_start, (u64)__data_end - 1, kEl2Rw, 3, kNormal), 1);
  write_slot(kUart, region(kUart0, kUart0 + 0xfff, kEl2Rw, 3, kDevice), 1);
  write_slot(kGic, region(kGicd, kGicrEnd, kEl2Rw, 3, kDevice), 1);
  needed = kFixed;
  for (unsigned n = 0; n < kGuests; ++n) {
    struct guest* g = &guests[n];
    g->regions[0] = region(g->ram, g->ram_last, kAllRw, 2, kNormal);
    g->region_count = 1;
    if (g->device)
      g->regions[g->region_count++] = region(g->device, g->device + (LAYOUT_DEVICE_BYTES - 1),
                                              kAllRw, 3, kDevice);
    g->first_slot = needed;
    needed += g->region_count;
  }
  if (slots < kFixed + kGuestRegions) {
    print("hypervisor: %d EL2 regions are not enough, %d are needed\n", (int)slots,
          kFixed + kGuestRegions);
    power_off_with(2);
  }
  // Guests' regions lie ready and disabled where there is room for all.
  for (unsigned n = 0; n < kGuests && regions_by_prenr(); ++n) {
    for (unsigned r = 0; r < guests[n].region_count; ++r) {
      write_slot(guests[n].first_slot + r, guests[n].regions[r], 0);
    }
  }
  MSR(sctlr_el2, 0x30c51835 | BIT(19));  // M, C, I and WXN; BR clear.
  ISB();
}

void regions_enter(const struct guest* guest) {
  if (regions_by_prenr()) {
    const u64 mine = (BIT(guest->region_count) - 1) << guest->first_slot;
    COUNTED_MSR(PRENR_EL2, (BIT(kFixed) - 1) | mine);
    ++region_counts.prenr_writes;
  } else {
    for (unsigned r = 0; r < kGuestRegions; ++r) {
      const int used = r < guest->region_count;
      write_slot(kFixed + r, used ? guest->regions[r] : (struct region){0, 0}, used);
    }
  }
  ISB();
}

const struct guest* owner_of(u64 address) {
  for (unsigned n = 0; n < kGuests; ++n) {
    if (guests[n].ram <= address && address <= guests[n].ram_last) return &guests[n];
  }
  return 0;
}
