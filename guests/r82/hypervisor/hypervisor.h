// A small hypervisor for Armv8-R64: three guests in one address space, kept apart by EL2's regions.
#pragma once

#include "../../common/console.h"
#include "../../common/frame.h"
#include "../../common/types.h"
#ifdef LAYOUT_HEADER
#include LAYOUT_HEADER
#else
#include "layout.h"
#endif

enum { kGuests = LAYOUT_GUESTS, kGuestRegions = LAYOUT_GUEST_REGIONS };
enum { kInterrupts = 64, kListRegisters = 4, kMaxEl1Regions = 255 };
enum { kTimerInterrupt = 27, kHypervisorTimerInterrupt = 26, kUart0Interrupt = 37 };
enum { kTicksPerSecond = 100000000 };
#define kGicd 0xaf000000ul
#define kGicr 0xaf100000ul
#define kGicrEnd 0xaf11fffful
#define kUart0 0x9c090000ul

/// One EL2 region as PRBAR and PRLAR hold it.
struct region {
  u64 bar, lar;
};

/// What a guest sees of the interrupt controller: INTIDs 0 to 63, one CPU.
struct vgic {
  u64 enabled, pending, active, line;
  u64 hardware;  ///< INTIDs whose physical interrupt the guest deactivates.
  u8 priority[kInterrupts];
  u32 ctlr, waker;
  u64 lr[kListRegisters];
  u64 vmcr, ap1r0;
};

/// The emulated PL011 at the first UART's address.
struct vuart {
  u32 imsc, ris, cr, lcr_h, ibrd, fbrd;
  char line[120];
  unsigned length;
};

/// EL1's registers while another guest runs.
struct el1_state {
  u64 sctlr, cpacr, vbar, mair, amair, esr, far, elr, spsr, par, contextidr, cntkctl;
  u64 tpidr_el0, tpidrro_el0, tpidr_el1;
  u64 ttbr0, ttbr1, tcr;  // VMSA
  u64 prselr, regions;    // PMSA; regions is MPUIR_EL1.
  struct region mpu[kMaxEl1Regions];
  u64 cntv_ctl, cntv_cval;
};

enum guest_state { kRunnable, kWaiting, kStopped, kKilled };

struct guest {
  const char* name;
  u64 entry, ram, ram_last;
  int vmsa;    ///< EL1 uses translation tables (VTCR_EL2.MSA).
  u64 device;  ///< A UART it has for itself, or 0.
  unsigned device_interrupt;
  // Kept by the hypervisor.
  struct frame frame;
  struct el1_state el1;
  struct vgic vgic;
  struct vuart uart;
  struct region regions[kGuestRegions];
  unsigned region_count, first_slot;
  enum guest_state state;
  u64 start, wake_at;  ///< In ticks of the physical counter.
  u32 switches, preemptions, exits;
  unsigned el2_peak, el1_peak;  ///< Regions enabled while it ran, at most; EL1's as seen at exits.
};

extern struct guest guests[kGuests];

/// What changing guests does with regions.
struct region_counts {
  u64 el2_writes, el1_writes;  ///< PRBAR and PRLAR
  u64 prenr_writes;
  u64 reads;
  u64 cycles, stretches;  ///< From the first access of a stretch of them to its last; stretches.
};
extern struct region_counts region_counts;

/// Processor cycles (PMCCNTR_EL0) behind the first and the last access of this stretch.
struct region_stretch {
  int begun;
  u64 first, last;
};
extern struct region_stretch region_stretch;

static inline void note_access(u64 cycles) {
  if (!region_stretch.begun) region_stretch.first = cycles;
  region_stretch.begun = 1;
  region_stretch.last = cycles;
}

/// An access to a region's register with the counter read right behind it, so that what lies
/// between two accesses is counted exactly.
#define COUNTED_MSR(reg, value)                                       \
  do {                                                                \
    u64 cycles_;                                                      \
    __asm__ volatile("msr " STRING(reg) ", %1\n\tmrs %0, pmccntr_el0" \
                     : "=&r"(cycles_)                                 \
                     : "r"((u64)(value))                              \
                     : "memory");                                     \
    note_access(cycles_);                                             \
  } while (0)
#define COUNTED_MRS(reg)                                              \
  ({                                                                  \
    u64 value_, cycles_;                                              \
    __asm__ volatile("mrs %0, " STRING(reg) "\n\tmrs %1, pmccntr_el0" \
                     : "=&r"(value_), "=r"(cycles_)                   \
                     :                                                \
                     : "memory");                                     \
    note_access(cycles_);                                             \
    value_;                                                           \
  })

// regions.c
void regions_init(void);
/// Makes the guest part of the regions this guest's.
void regions_enter(const struct guest* guest);
int regions_by_prenr(void);
const struct guest* owner_of(u64 address);

// context.c
/// EL1's regions, of a guest that has them.
void el1_regions_save(struct guest* guest);
void el1_regions_load(const struct guest* guest);
/// EL1's other registers.
void context_save(struct guest* guest);
void context_load(const struct guest* guest);

// interrupts.c
void interrupts_init(void);
/// Acknowledges everything that is pending and passes on what is a guest's. True if the slice
/// ended.
int interrupts_take(struct guest* running);
void vgic_load(struct guest* guest);
void vgic_save(struct guest* guest);
int vgic_has_pending(const struct guest* guest);
void vgic_set_line(struct guest* guest, unsigned intid, int level);
void vgic_release(struct guest* guest);

// devices.c
/// A load or store of a guest that stage 2 refused: done by an emulated device, or not (0).
int emulate_access(struct guest* guest);
void uart_flush(struct guest* guest);

// main.c
/// The intermediate physical address of the guest's last abort.
u64 fault_address(const struct guest* guest);

// options.c
/// The boot arguments of the device tree at `dtb`, or "".
const char* boot_arguments(u64 dtb);
/// "name=value" among them: the value's text, or null.
const char* option(const char* arguments, const char* name);
u64 number(const char** text);
/// True if `text` begins with `word` and a separator or its end; moves behind both.
int take_word(const char** text, const char* word);
