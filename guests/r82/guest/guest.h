// What the guests of the Armv8-R64 hypervisors share. The same image runs under guests/r82's own
// hypervisor and, as an arm64 Image, under others: PSCI by HVC, the SBSA subset of a PL011
// with its interrupt, a GICv3 and the virtual timer at the board's addresses.
#pragma once

#include "../../common/types.h"

/// What the hypervisor passed in x1 to x4; zeros but under guests/r82/hypervisor.
struct parameters {
  u64 trespass;  ///< 0 nothing, 1 read, 2 write, 3 execute
  u64 address, second, seconds;
};

enum { kTicksPerSecond = 100, kTimerInterrupt = 27 };

// Each guest:
extern const char guest_name[];
/// Memory protection or translation of EL1 and what else the guest needs.
void protection_init(void);
/// Work of one tick, in the main program. Interrupts are on.
void work(u64 tick);
/// Makes `address` accessible as far as EL1 can.
void permit(u64 address);
/// Appended to the line of each second, by print().
void report(void);
/// An abort at EL1 or from EL0. The saved registers may be changed. Returns 0 if it was not wanted.
struct registers {
  u64 x[31], sp_el0, elr, spsr;
};
int abort_taken(struct registers* registers, u64 esr, u64 far);
/// SVC from EL0.
void service(struct registers* registers, u64 number);

// guest.c
void print(const char* format, ...);
extern u64 uart_base;
extern unsigned uart_interrupt;
extern volatile u64 ticks;
/// FNV-1a over memory.
u32 checksum(u64 first, u64 bytes);
u64 hvc(u64 function);
