// Every form of access at addresses from parameter 2 to parameter 3 in steps of parameter 4, stepping
// over those that fault. x20 is the address.
        .include "hostile.inc"
        .global _start
        descend
attack:
        parameter x20, 2
        parameter x21, 3
        parameter x22, 4
        mov     x10, #-1
        mov     x11, #0x5555555555555555
1:      bl      access
        add     x20, x20, x22
        cmp     x20, x21
        b.lo    1b
        b       the_end
        .ltorg

// X16 and X17 are bases that write-back may change; every form finds them fresh.
.macro  try text:vararg
        mov     x16, x20
        \text
.endm
access:
        .irp    size, b, h
        try     ldr\size w0, [x20]
        try     str\size w10, [x20]
        try     ldrs\size w0, [x20]
        try     ldrs\size x0, [x16, #1]!
        try     str\size w11, [x16], #-2
        try     ldur\size w0, [x20, #1]
        try     ldtr\size w0, [x20]
        try     sttr\size w10, [x20]
        try     ldxr\size w0, [x20]
        try     stxr\size w1, w10, [x20]
        try     ldaxr\size w0, [x20]
        try     stlxr\size w1, w10, [x20]
        try     ldar\size w0, [x20]
        try     stlr\size w10, [x20]
        try     swpal\size w10, w0, [x20]
        try     ldadd\size w10, w0, [x20]
        try     ldclral\size w10, w0, [x20]
        try     ldsmax\size w10, w0, [x20]
        try     ldumin\size w10, w0, [x20]
        try     casal\size w0, w10, [x20]
        try     ldapr\size w0, [x20]
        .endr
        .irp    register, w, x
        try     ldr \register\()0, [x20]
        try     str \register\()10, [x20]
        try     ldr \register\()0, [x16, #4]!
        try     str \register\()11, [x16], #-4
        try     ldur \register\()0, [x20, #1]
        try     stur \register\()10, [x20, #3]
        try     ldr \register\()0, [x20, xzr]
        try     ldtr \register\()0, [x20]
        try     sttr \register\()10, [x20]
        try     ldp \register\()0, \register\()1, [x20]
        try     stp \register\()10, \register\()11, [x20]
        try     ldp \register\()0, \register\()1, [x16, #8]!
        try     stp \register\()10, \register\()11, [x16], #-8
        try     ldnp \register\()0, \register\()1, [x20]
        try     stnp \register\()10, \register\()11, [x20]
        try     ldxr \register\()0, [x20]
        try     stxr w1, \register\()10, [x20]
        try     ldxp \register\()0, \register\()2, [x20]
        try     stxp w1, \register\()10, \register\()11, [x20]
        try     ldaxp \register\()0, \register\()2, [x20]
        try     stlxp w1, \register\()10, \register\()11, [x20]
        try     ldar \register\()0, [x20]
        try     stlr \register\()10, [x20]
        try     ldapr \register\()0, [x20]
        try     swp \register\()10, \register\()0, [x20]
        try     ldadd \register\()10, \register\()0, [x20]
        try     ldset \register\()10, \register\()0, [x20]
        try     ldeor \register\()10, \register\()0, [x20]
        try     ldsmin \register\()10, \register\()0, [x20]
        try     ldumax \register\()10, \register\()0, [x20]
        try     cas \register\()0, \register\()10, [x20]
        try     casp \register\()0, \register\()1, \register\()10, \register\()11, [x20]
        .endr
        try     ldrsw x0, [x20]
        try     ldpsw x0, x1, [x20]
        .irp    register, b, h, s, d, q
        try     ldr \register\()0, [x20]
        try     str \register\()1, [x20]
        try     ldur \register\()0, [x20, #1]
        try     str \register\()1, [x16], #1
        .endr
        .irp    register, s, d, q
        try     ldp \register\()0, \register\()1, [x20]
        try     stp \register\()2, \register\()3, [x20]
        try     ldp \register\()0, \register\()1, [x16, #16]!
        .endr
        .irp    shape, 8b, 4h, 2s, 16b, 8h, 4s, 2d
        try     ld1 {v0.\shape}, [x20]
        try     st1 {v0.\shape - v3.\shape}, [x20]
        try     ld2 {v0.\shape, v1.\shape}, [x20]
        try     st3 {v0.\shape - v2.\shape}, [x20]
        try     ld4 {v0.\shape - v3.\shape}, [x16], x10
        try     st4 {v0.\shape - v3.\shape}, [x20]
        try     ld1r {v0.\shape}, [x20]
        try     ld4r {v0.\shape - v3.\shape}, [x20]
        .endr
        try     ld1 {v0.b}[3], [x20]
        try     st1 {v0.d}[1], [x20]
        try     ld4 {v0.h - v3.h}[5], [x20]
        try     st3 {v0.s - v2.s}[2], [x16], #12
        try     dc zva, x20
        try     dc civac, x20
        try     dc ivac, x20
        try     dc cvac, x20
        try     ic ivau, x20
        try     prfm pldl1keep, [x20]
        try     at s1e1r, x20
        try     at s1e0w, x20
        ret
