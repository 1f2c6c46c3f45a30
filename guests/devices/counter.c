// The system counter read at every phase of its tick, and timers that are due a few ticks ahead:
// what is recorded of them shows how counts and times are rounded.
#include "../common/console.h"
#include "../common/lower.h"

static u64 sum;

static void wait_some(unsigned instructions) {
  for (volatile unsigned n = 0; n < instructions; ++n) {
  }
}

/// The condition of a timer that is due `ticks` from now, until it is met.
#define AHEAD(ctl, cval, tval, count, ticks)   \
  do {                                         \
    MSR(cval, MRS(count) + (ticks));           \
    MSR(ctl, 1);                               \
    ISB();                                     \
    while (!(MRS(ctl) & 4)) sum += MRS(tval);  \
    sum = sum * 31 + MRS(count);               \
    MSR(tval, (ticks));                        \
    ISB();                                     \
    while (!(MRS(ctl) & 4)) sum += MRS(count); \
    MSR(ctl, 0);                               \
  } while (0)

void guest_main(void) {
  reset_world();
  MSR(cntvoff_el2, 0x123);
  for (unsigned n = 0; n < 40; ++n) {
    wait_some(n % 5);
    sum = sum * 31 + MRS(cntpct_el0);
    sum = sum * 31 + MRS(cntvct_el0);
  }
  for (u64 ticks = 1; ticks < 12; ++ticks) {
    wait_some(ticks);
    AHEAD(cntp_ctl_el0, cntp_cval_el0, cntp_tval_el0, cntpct_el0, ticks);
    AHEAD(cntv_ctl_el0, cntv_cval_el0, cntv_tval_el0, cntvct_el0, ticks);
    AHEAD(cnthp_ctl_el2, cnthp_cval_el2, cnthp_tval_el2, cntpct_el0, ticks);
  }
  print("counter: %x\n", sum);
  power_off();
}
