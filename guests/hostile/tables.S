// Translation tables from hell. Parameter 2: the table base; 3: TCR; 4: SCTLR; 5: a descriptor that
// fills the page at 0x41000000 beforehand; 6: VTTBR, 7: VTCR, for EL1.
        .include "hostile.inc"
        .global _start
        descend
attack:
        ldr     x0, =kFree
        parameter x1, 5
        add     x2, x0, #4096
1:      str     x1, [x0], #8
        cmp     x0, x2
        b.lo    1b
        parameter x1, 2
        parameter x2, 3
        parameter x3, 4
        parameter x4, 6
        parameter x5, 7
        mrs     x0, currentel
        cmp     x0, #8
        b.eq    2f
        msr     ttbr0_el1, x1
        msr     ttbr1_el1, x1
        msr     tcr_el1, x2
        isb
        msr     sctlr_el1, x3
        b       3f
2:      msr     ttbr0_el2, x1
        msr     tcr_el2, x2
        isb
        msr     sctlr_el2, x3
3:      isb
        mov     x0, #0x4141
        ldr     x1, [x0, #1]
        str     x1, [x0]
        at      s1e1r, x0
        at      s1e0w, x0
        at      s1e2w, x0
        at      s12e1r, x0
        mrs     x0, par_el1
        ldr     x0, [x0]
        b       the_end
        .ltorg
