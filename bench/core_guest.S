// The load of bench/core and bench/hypercalls: one of four loops, chosen by WORK, at EL1 with the MMU
// on. It checks its result, so that a core that computes nothing is not a fast one, and switches the
// machine off.
#define INTEGER 1
#define MEMORY 2
#define CALLS 3
#define HYPERCALLS 4

  .text
  .globl _start
_start:
  b start
  .balign 8
  .quad finished - _start     // For a runner without firmware: where to stop.

start:
  // Two megabytes of code that cannot be written, two of data that cannot be executed (DDI 0487
  // D8.3, 4 KiB granule, level 2 blocks). Pages that are both are slow on some engines.
  adrp x9, table
  adrp x10, table + 4096
  orr x11, x10, #3
  str x11, [x9, #8]               // Level 1, second gigabyte
  ldr x11, =0x0000000040200781    // Read-only, inner shareable, AF, attribute 0
  str x11, [x10, #8]
  ldr x11, =0x0060000040400701    // Read/write, execute-never
  str x11, [x10, #16]
  mov x10, #0xff                  // Attribute 0 is write-back.
  msr mair_el1, x10
  ldr x10, =0x0000000200803519    // 39 bits, write-back walks, no TTBR1, 40-bit PA
  msr tcr_el1, x10
  msr ttbr0_el1, x9
  isb
  mrs x10, sctlr_el1
  orr x10, x10, #1
  orr x10, x10, #(1 << 2)
  orr x10, x10, #(1 << 12)
  msr sctlr_el1, x10
  isb
  adrp x10, stack_top
  mov sp, x10
  bl work
  ldr x1, =RESULT
  cmp x0, x1
  b.ne failed
finished:
  ldr x0, =0x84000008             // PSCI SYSTEM_OFF
  hvc #0
failed:
  b failed

#if WORK == INTEGER
// Adds, shifts, a multiplication, logic and branches that go both ways.
work:
  ldr x1, =ROUNDS
  mov x0, #1
  mov x2, #2
  mov x3, #3
  ldr x5, =0x5851f42d4c957f2d
1:
  mul x4, x0, x5
  add x0, x4, #9
  eor x2, x2, x0, lsr #29
  ror x6, x2, #13
  sub x3, x3, x6
  tbz x3, #4, 2f
  add x2, x2, x3, lsl #3
  orr x7, x2, #0xff00
2:
  and x7, x7, x3
  cmp x7, x2
  csel x8, x2, x3, lo
  add x3, x3, x8, lsr #5
  subs x1, x1, #1
  b.ne 1b
  eor x0, x2, x3
  ret
#endif

#if WORK == MEMORY
// Copies half a megabyte, adding it up, then visits words of a quarter of it out of order.
work:
  mov x0, #1
  mov x1, #ROUNDS
  mov x5, #1103
1:
  adrp x2, buffer
  add x3, x2, #0x80, lsl #12
  mov x4, #0x80000
2:
  ldp x6, x7, [x2], #16
  ldp x8, x9, [x2], #16
  add x0, x0, x6
  eor x8, x8, x5
  add x7, x7, x0
  stp x6, x7, [x3], #16
  stp x8, x9, [x3], #16
  str x0, [x2, #-8]
  subs x4, x4, #32
  b.ne 2b
  adrp x2, buffer
  mov x4, #0x8000
3:
  madd x5, x5, x5, x4
  ubfx x6, x5, #7, #14
  ldr x7, [x2, x6, lsl #3]
  add x0, x0, x7
  eor x5, x5, x7, lsr #3
  strb w0, [x2, x6]
  subs x4, x4, #1
  b.ne 3b
  subs x1, x1, #1
  b.ne 1b
  ret
#endif

#if WORK == CALLS
// Fibonacci numbers, as slowly as possible: calls, returns, stack.
work:
  mov x0, #ROUNDS
fibonacci:
  cmp x0, #2
  b.lo 1f
  stp x29, x30, [sp, #-32]!
  str x19, [sp, #16]
  sub x19, x0, #2
  sub x0, x0, #1
  bl fibonacci
  mov x29, x0
  mov x0, x19
  bl fibonacci
  add x0, x0, x29
  ldr x19, [sp, #16]
  ldp x29, x30, [sp], #32
1:
  ret
#endif

#if WORK == HYPERCALLS
// As many calls of Xen's xen_version(XENVER_version), whose last result is that of all.
work:
  ldr x19, =ROUNDS
1:
  mov x0, #0
  mov x1, #0
  mov x16, #17
  hvc #0xea1
  subs x19, x19, #1
  b.ne 1b
  ret
#endif

  .ltorg
  .bss
  .balign 4096
table:
  .skip 2 * 4096
  .skip 65536
stack_top:
  .balign 4096
buffer:
  .skip 0x100000
