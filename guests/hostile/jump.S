// Jumps to parameter 0 with the vectors at parameter 1: into holes of the map, device registers, odd
// addresses, memory that holds no code.
        .include "hostile.inc"
        .global _start
_start:
        parameter x0, 0
        parameter x1, 1
        mrs     x2, currentel
        cmp     x2, #8
        b.eq    1f
        msr     vbar_el1, x1
        b       2f
1:      msr     vbar_el2, x1
2:      isb
        br      x0
        .ltorg
