// EL2 gives EL1 a stage 2 of parameter 2 (VTTBR), 3 (VTCR), with the page at 0x41000000 full of
// parameter 5, and lets it run; every fault that comes back is answered by running it again.
        .include "hostile.inc"
        .global _start
_start:
        ldr     x0, =kFree
        parameter x1, 5
        add     x2, x0, #4096
1:      str     x1, [x0], #8
        cmp     x0, x2
        b.lo    1b
        ldr     x0, =vectors
        msr     vbar_el2, x0
        parameter x0, 2
        msr     vttbr_el2, x0
        parameter x0, 3
        msr     vtcr_el2, x0
        ldr     x0, =0x80000001
        msr     hcr_el2, x0
        adr     x0, lower
        msr     elr_el2, x0
        mov     x0, #0x3c5
        msr     spsr_el2, x0
        isb
        eret
lower:  ldr     x0, [x1]
        add     x1, x1, #8
        b       lower
        .ltorg
        .balign 2048
vectors:
        .rept   16
        .balign 128
        mrs     x0, hpfar_el2
        mrs     x0, elr_el2
        add     x0, x0, #4
        msr     elr_el2, x0
        eret
        .endr
