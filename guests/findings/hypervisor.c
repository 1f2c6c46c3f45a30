// A hypervisor of ten lines at EL2 and its guest at EL1, which has no device tree of its own: the
// mistakes that a hypervisor makes for its guest. The case is the word at kOptions.
#include "../common/console.h"
#include "../common/types.h"

enum { kNone, kSkip, kEarly };
#define kOptions 0x48000000ul
#define kGicd 0x08000000ul

extern char el2_table[], el1_table[], guest_start[];
u64 which;
volatile u64 interrupts, calls;

/// From EL2's vectors. X0 of the guest's HVC: 0 asks for nothing, 1 for the end.
void el2_call(u64* x, u64 vector) {
  if (vector == 8 && MRS(esr_el2) >> 26 == 0x16) {
    ++calls;
    if (x[0] == 1) {
      print("calls %d interrupts %d\n", (int)calls, (int)interrupts);
      power_off();
    }
    if (which == kSkip) MSR(elr_el2, MRS(elr_el2) + 4);
    return;
  }
  print("EL2 vector %d ESR %x ELR %x\n", (int)vector, MRS(esr_el2), MRS(elr_el2));
  power_off();
}

/// From EL1's vectors: the interrupt is taken back.
void el1_interrupt(void) {
  ++interrupts;
}

void guest_main(const void* tree) {
  (void)tree;
  which = *(volatile u64*)kOptions;
  print("case %d\n", (int)which);
  MSR(vbar_el2, el2_table);
  MSR(vbar_el1, el1_table);
  MSR(sctlr_el1, 0x30d00800);
  // Interrupts of EL1 are virtual; one is pending from the start.
  MSR(hcr_el2, BIT(31) | BIT(4) | BIT(7));
  MSR(sp_el1, kOptions + 0x10000);
  MSR(spsr_el2, 0x3c5);
  MSR(elr_el2, guest_start);
  __asm__ volatile("mov x0, %0; eret" ::"r"(which) : "x0", "memory");
  __builtin_unreachable();
}
