// Runs the same page of system-register reads under ever new addresses: a table that maps all of the
// address space to one page, and a branch with a new upper part each time.
        .include "hostile.inc"
        .global _start
        descend
attack:
        // Three levels of tables, all of whose entries lead to the next, the last to `page`.
        ldr     x0, =kFree
        add     x1, x0, #0x3000
        adr     x2, page
        mov     x3, #0x703
        orr     x2, x2, x3
        mov     x4, #0x1000
1:      and     x5, x0, #~0xfff
        add     x5, x5, x4
        orr     x5, x5, #3
        str     x5, [x0], #8
        cmp     x0, x1
        b.lo    1b
        add     x1, x1, x4
1:      str     x2, [x0], #8
        cmp     x0, x1
        b.lo    1b
        ldr     x20, =0x7fff0000
        ldr     x0, =kFree
        msr     ttbr0_el2, x0
        msr     ttbr0_el1, x0
        ldr     x0, =0x80803510                 // T0SZ 16, TTBR1 walks disabled
        msr     tcr_el1, x0
        ldr     x0, =0x80853510
        msr     tcr_el2, x0
        mov     x0, #0xff
        msr     mair_el1, x0
        msr     mair_el2, x0
        mov     x21, #0x1000
        ldr     x22, =0x30d01801 & ~0x80000
        adr     x20, page
        mrs     x0, currentel
        cmp     x0, #8
        b       page
        .ltorg
        .balign 4096
page:   b.ne    1f
        msr     sctlr_el2, x22
        b       2f
1:      msr     sctlr_el1, x22
2:      isb
        .rept   600
        mrs     x2, cntvct_el0
        .endr
        add     x20, x20, x21
        br      x20
        .balign 4096
