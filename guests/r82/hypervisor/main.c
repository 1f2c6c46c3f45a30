// Three guests in turn. The boot arguments may make one trespass:
//   trespass=GUEST,read|write|execute,ADDRESS,SECOND  seconds=N (how long the guests run)
#include "../arch/pmsa.h"
#include "hypervisor.h"

enum { kSliceTicks = kTicksPerSecond / 500 };
enum { kWfx = 0x01, kHvc = 0x16, kSysreg = 0x18, kFetchAbort = 0x20, kDataAbort = 0x24 };
#define PSCI_VERSION 0x84000000ul
#define SYSTEM_OFF 0x84000008ul

struct guest guests[kGuests] = {LAYOUT_TABLE};

static u64 start_ticks;

static u64 now(void) {
  ISB();
  return MRS(cntpct_el0);
}

static void set_slice(u64 at) {
  MSR(CNTHPS_CVAL_EL2, at);
  MSR(CNTHPS_CTL_EL2, 1);
}

/// Boot protocol: x0 = 0 (no device tree), x1 = how to trespass (1 read, 2 write, 3 execute), x2 =
/// where, x3 = at which second, x4 = seconds to run. The Xen ports leave these zero.
static void start_guests(const char* arguments) {
  const char* seconds = option(arguments, "seconds");
  const u64 run_for = seconds ? number(&seconds) : 12;
  for (unsigned n = 0; n < kGuests; ++n) {
    struct guest* g = &guests[n];
    g->frame.elr = g->entry;
    g->frame.spsr = 0x3c5;
    g->frame.x[4] = run_for;
    g->el1.sctlr = 0x30d00800;
    g->start = start_ticks;
    g->vgic.waker = 2;
  }
  const char* trespass = option(arguments, "trespass");
  for (unsigned n = 0; trespass && n < kGuests; ++n) {
    if (!take_word(&trespass, guests[n].name)) continue;
    u64* x = guests[n].frame.x;
    x[1] = take_word(&trespass, "read")      ? 1
           : take_word(&trespass, "write")   ? 2
           : take_word(&trespass, "execute") ? 3
                                             : 0;
    x[2] = number(&trespass);
    x[3] = number(&trespass);
    trespass = 0;
  }
}

static void finish(struct guest* guest, enum guest_state state) {
  uart_flush(guest);
  guest->state = state;
  vgic_release(guest);
}

static void kill_guest(struct guest* guest, const char* why) {
  const struct frame* f = &guest->frame;
  const u64 second = (now() - start_ticks) / kTicksPerSecond;
  finish(guest, kKilled);
  print("hypervisor: %s killed in second %d, %s: ESR %8x ELR %x FAR %x HPFAR %x\n", guest->name,
        (int)second, why, f->esr, f->elr, f->far, f->hpfar);
}

/// FAR is a VA. HPFAR has the IPA for a translation fault and for one of a table walk; for others
/// stage 1 is asked, which the guest has just passed.
u64 fault_address(const struct guest* guest) {
  const struct frame* f = &guest->frame;
  if (FIELD(f->esr, 5, 2) == 1 || FIELD(f->esr, 7, 7)) {
    return FIELD(f->hpfar, 43, 4) << 12 | (f->far & 0xfff);
  }
  const u64 saved = MRS(par_el1);
  __asm__ volatile("at s1e1r, %0; isb" ::"r"(f->far) : "memory");
  const u64 par = MRS(par_el1);
  MSR(par_el1, saved);
  return par & 1 ? f->far : (par & 0xfffffffff000ul) | (f->far & 0xfff);
}

static void memory_fault(struct guest* guest) {
  const u64 ec = FIELD(guest->frame.esr, 31, 26);
  if (ec == kDataAbort && emulate_access(guest)) return;
  const u64 address = fault_address(guest);
  const struct guest* owner = owner_of(address);
  kill_guest(guest, ec == kFetchAbort ? "fetch" : FIELD(guest->frame.esr, 6, 6) ? "write" : "read");
  print("hypervisor: %x belongs to %s\n", address, owner ? owner->name : "no guest");
}

static void call(struct guest* guest) {
  switch (guest->frame.x[0]) {
    case PSCI_VERSION:
      guest->frame.x[0] = 0x10001;
      break;
    case SYSTEM_OFF:
      finish(guest, kStopped);
      print("hypervisor: %s is off\n", guest->name);
      break;
    default:
      guest->frame.x[0] = ~0ul;
  }
}

/// When the guest's virtual timer will fire, as a physical count; ~0 if it will not.
static u64 timer_deadline(const struct guest* guest) {
  if ((guest->el1.cntv_ctl & 3) != 1) return ~0ul;
  return guest->el1.cntv_cval + guest->start;
}

static void handle_exit(struct guest* guest) {
  ++guest->exits;
  const unsigned vector = (unsigned)guest->frame.vector;
  if (vector != 8) {
    if (vector != 9) kill_guest(guest, "unexpected vector");
    return;  // The caller takes interrupts in any case.
  }
  switch (FIELD(guest->frame.esr, 31, 26)) {
    case kWfx:
      guest->frame.elr += 4;
      guest->state = kWaiting;
      break;
    case kHvc:
      call(guest);
      break;
    case kFetchAbort:
    case kDataAbort:
      memory_fault(guest);
      break;
    case kSysreg:
      kill_guest(guest, "system register");
      break;
    default:
      kill_guest(guest, "exception");
  }
}

static unsigned ones(u64 bits) {
  unsigned count = 0;
  for (; bits; bits &= bits - 1) ++count;
  return count;
}

static void count_cycles(void) {
  region_counts.cycles += region_stretch.last - region_stretch.first;
  ++region_counts.stretches;
}

static void cycles_init(void) {
  MSR(pmccfiltr_el0, BIT(27));  // NSH: EL2's too.
  MSR(pmcntenset_el0, BIT(31));
  MSR(pmcr_el0, BIT(6) | BIT(0));  // LC, E
  ISB();
}

/// When a guest is entered: what regions have cost since the first one was.
static struct region_counts region_totals, region_start;

static void note_entry(struct guest* guest) {
  if (!region_start.stretches) region_start = region_counts;
  region_totals = region_counts;
  const unsigned enabled = ones(MRS(PRENR_EL2));
  if (enabled > guest->el2_peak) guest->el2_peak = enabled;
}

static void note_exit(struct guest* guest) {
  if (guest->vmsa) return;
  const unsigned enabled = ones(MRS(PRENR_EL1));
  if (enabled > guest->el1_peak) guest->el1_peak = enabled;
}

static void print_regions(void) {
  const struct region_counts *a = &region_start, *b = &region_totals;
  for (unsigned n = 0; n < kGuests; ++n) {
    print("hypervisor: %s had %d EL2 regions and %d EL1 regions at most\n", guests[n].name,
          (int)guests[n].el2_peak, (int)guests[n].el1_peak);
  }
  print("hypervisor: regions of all switches: %d EL2 writes, %d EL1 writes, %d PRENR writes, %d reads\n",
        (int)(b->el2_writes - a->el2_writes), (int)(b->el1_writes - a->el1_writes),
        (int)(b->prenr_writes - a->prenr_writes), (int)(b->reads - a->reads));
  print("hypervisor: they took %d cycles in %d stretches\n", (int)(b->cycles - a->cycles),
        (int)(b->stretches - a->stretches));
}

/// Runs one guest until its slice is over, it waits or it is gone.
static void run_slice(struct guest* guest) {
  const u64 end = now() + kSliceTicks;
  ++guest->switches;
  region_stretch.begun = 0;
  regions_enter(guest);
  if (!guest->vmsa) el1_regions_load(guest);
  count_cycles();
  context_load(guest);
  set_slice(end);
  int ended = 0;
  while (guest->state == kRunnable && !ended) {
    vgic_load(guest);
    note_entry(guest);
    run_lower(&guest->frame);
    note_exit(guest);
    vgic_save(guest);
    handle_exit(guest);
    ended = interrupts_take(guest);
    if (guest->state == kWaiting && vgic_has_pending(guest)) guest->state = kRunnable;
  }
  if (guest->state == kRunnable) ++guest->preemptions;
  if (!guest->vmsa) {
    region_stretch.begun = 0;
    el1_regions_save(guest);
    count_cycles();
  }
  context_save(guest);
  guest->wake_at = timer_deadline(guest);
  MSR(CNTHPS_CTL_EL2, 0);
}

static int wake(void) {
  int alive = 0;
  for (unsigned n = 0; n < kGuests; ++n) {
    struct guest* g = &guests[n];
    if (g->state == kWaiting && (vgic_has_pending(g) || now() >= g->wake_at)) g->state = kRunnable;
    alive |= g->state == kRunnable || g->state == kWaiting;
  }
  return alive;
}

static void idle(void) {
  u64 earliest = ~0ul;
  for (unsigned n = 0; n < kGuests; ++n) {
    if (guests[n].state == kWaiting && guests[n].wake_at < earliest) earliest = guests[n].wake_at;
  }
  set_slice(earliest);
  __asm__ volatile("wfi" ::: "memory");
  interrupts_take(0);
  MSR(CNTHPS_CTL_EL2, 0);
}

void guest_main(u64 dtb);
void guest_main(u64 dtb) {
  const char* arguments = boot_arguments(dtb);
  start_ticks = now();
  start_guests(arguments);
  MSR(hcr_el2, BIT(31) | BIT(13) | BIT(5) | BIT(4) | BIT(3) | BIT(0));  // RW TWI AMO IMO FMO VM
  MSR(cptr_el2, 0x33ff | BIT(10));
  MSR(cnthctl_el2, 0);
  cycles_init();
  regions_init();
  interrupts_init();
  print("hypervisor: %d EL2 regions, %d EL1 regions, guests change by %s\n",
        (int)FIELD(MRS(MPUIR_EL2), 7, 0), (int)FIELD(MRS(MPUIR_EL1), 7, 0),
        regions_by_prenr() ? "PRENR" : "rewriting");
  unsigned next = 0;
  while (wake()) {
    unsigned n = 0;
    while (n < kGuests && guests[(next + n) % kGuests].state != kRunnable) ++n;
    if (n == kGuests) {
      idle();
      continue;
    }
    next = (next + n) % kGuests;
    run_slice(&guests[next]);
    next = (next + 1) % kGuests;
  }
  int killed = 0;
  for (unsigned n = 0; n < kGuests; ++n) {
    killed += guests[n].state == kKilled;
    print("hypervisor: %s %s: %d turns, %d cut short by the timer, %d exits\n", guests[n].name,
          guests[n].state == kKilled ? "was killed" : "stopped", (int)guests[n].switches,
          (int)guests[n].preemptions, (int)guests[n].exits);
  }
  print_regions();
  power_off_with(killed);
}

void unexpected_exception(const struct frame* f);
void unexpected_exception(const struct frame* f) {
  print("hypervisor: exception at EL2, vector %d ESR %x ELR %x FAR %x\n", (int)f->vector, f->esr,
        f->elr, f->far);
  power_off_with(3);
}
