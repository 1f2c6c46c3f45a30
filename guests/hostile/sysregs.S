// Every encoding of MRS, MSR, SYS and SYSL. What is written is parameter 3, or if parameter 2 is 0 what
// was read. Registers whose change would end the test at once are written with what they hold.
        .include "hostile.inc"
        .global _start
        descend
        .equ    kRead, 0xd5200000
        .equ    kWrite, 0xd5000000

.macro  both encoding
        mov     x1, x20
        cmp     x19, #0
        .inst   kRead | (\encoding) << 5 | 2            // x2
        csel    x1, x2, x1, eq
        .inst   kWrite | (\encoding) << 5 | 1
        .inst   kWrite | (\encoding) << 5 | 2
.endm

// SCTLR, HCR, SPSel, VBAR; system instructions and debug registers are never spared.
.macro  spared encoding
        .set    keep, 0
        .set    crn, ((\encoding) >> 7) & 15
        .set    crm, ((\encoding) >> 3) & 15
        .if     ((\encoding) >> 14) == 3
        .if     crn == 1 && crm <= 1
        .set    keep, 1
        .endif
        .if     crn == 4 && crm == 2
        .set    keep, 1
        .endif
        .if     crn == 12 && crm == 0
        .set    keep, 1
        .endif
        .endif
.endm

attack:
        parameter x19, 2
        parameter x20, 3
        b       1f
        .ltorg
1:      .set    at, 0
        .rept   65536
        spared  at
        .if     keep
        .inst   kRead | at << 5 | 2
        .inst   kWrite | at << 5 | 2
        .else
        both    at
        .endif
        .set    at, at + 1
        .endr
        b       the_end
        .ltorg
