// Interrupts that nobody clears: a timer line held high, SGIs to oneself, with vectors that return at
// once. Parameter 2: 0 acknowledges nothing, 1 acknowledges and never ends, 2 acknowledges and ends.
        .include "hostile.inc"
        .global _start
_start:
        ldr     x0, =vectors
        msr     vbar_el2, x0
        mov     x0, #0x38                       // HCR_EL2.AMO, IMO, FMO
        msr     hcr_el2, x0
        ldr     x0, =0x080a0014                 // GICR_WAKER
        str     wzr, [x0]
        ldr     x0, =0x08000000
        mov     w1, #0x37
        str     w1, [x0]
        ldr     x0, =0x080b0100
        mov     w1, #-1
        str     w1, [x0]
        str     w1, [x0, #-0x80]
        mov     x0, #0xf
        msr     icc_sre_el2, x0
        isb
        mov     x0, #0xff
        msr     icc_pmr_el1, x0
        mov     x0, #1
        msr     icc_igrpen1_el1, x0
        msr     cnthp_cval_el2, xzr
        msr     cnthp_ctl_el2, x0
        msr     cntp_cval_el0, xzr
        msr     cntp_ctl_el0, x0
        parameter x20, 2
        msr     daifclr, #15
1:      msr     icc_sgi1r_el1, x0
        b       1b
        .ltorg
        .balign 2048
vectors:
        .rept   16
        .balign 128
        cbz     x20, 1f
        mrs     x1, icc_iar1_el1
        cmp     x20, #1
        b.eq    1f
        msr     icc_eoir1_el1, x1
1:      eret
        .endr
