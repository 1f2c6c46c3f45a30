// Start-up at EL2, both vector tables, and the guest of hypervisor.c.
        .file   "hypervisor.S"
        .section .text.start, "ax"
        .global _start
_start:
        msr     daifset, #15
        ldr     x1, =__stacks + 0x4000
        mov     sp, x1
        bl      console_init
        bl      guest_main
1:      b       1b

        .global smc_call
smc_call:
        smc     #0
        ret

        .text
        .global guest_start
guest_start:                            // X0: the case
        mov     x20, x0
        cmp     x20, #2
        b.eq    1f
        ldr     x1, =0x08000000         // The distributor is set up before an interrupt may come.
        mov     w2, #0x2
        str     w2, [x1]
1:      msr     daifclr, #2             // The virtual interrupt is taken here.
        isb
        msr     daifset, #2
        mov     x0, #0
        hvc     #7
        nop                             // What EL2 must not skip.
        mov     x0, #1
        hvc     #7
        b       .

        .balign 0x800
        .global el1_table
el1_table:
        .rept   5
        .balign 0x80
        b       .
        .endr
        .balign 0x80
        stp     x0, x30, [sp, #-16]!
        bl      el1_interrupt
        mrs     x0, spsr_el1
        orr     x0, x0, #0x80           // Nothing can take the interrupt back but EL2: leave it masked.
        msr     spsr_el1, x0
        ldp     x0, x30, [sp], #16
        eret
        .rept   10
        .balign 0x80
        b       .
        .endr

        .macro  el2_vector index
        .balign 0x80
        stp     x0, x1, [sp, #-16]!
        stp     x29, x30, [sp, #-16]!
        add     x0, sp, #16
        mov     x1, #\index
        bl      el2_call
        ldp     x29, x30, [sp], #16
        ldp     x0, x1, [sp], #16
        eret
        .endm
        .balign 0x800
        .global el2_table
el2_table:
        .irp    index, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        el2_vector \index
        .endr
