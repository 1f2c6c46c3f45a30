// Code that writes code. Parameter 2 chooses how.
        .include "hostile.inc"
        .global _start
        descend
attack:
        parameter x0, 2
        ldr     x20, =kFree
        ldr     w21, =0xd65f03c0                // ret
        ldr     w22, =0xd503201f                // nop
        adr     x1, ways
        add     x1, x1, x0, lsl #6
        br      x1
        .ltorg
        .balign 64
ways:   // 0: writes the next instruction, again and again
1:      adr     x1, 2f
        str     w22, [x1]
        ic      ivau, x1
2:      nop
        b       1b
        .balign 64
        // 1: two pages that write each other and call each other
        str     w21, [x20]
        ldr     x23, =0x41001000
1:      str     w21, [x23]
        blr     x20
        str     w21, [x20]
        blr     x23
        b       1b
        .balign 64
        // 2: data beside the code, no maintenance
1:      adr     x1, 2f
        add     x2, x2, #1
        str     x2, [x1]
        b       1b
        .balign 8
2:      .quad   0
        .balign 64
        // 3: an instruction that rewrites itself as itself
        ldr     w3, [x1]
        adr     x1, .
        ldr     w3, [x1, #4]
        str     w3, [x1, #4]
        b       . - 4
        .balign 64
        // 4: an ever longer slide of NOPs
1:      str     w22, [x20], #4
        str     w21, [x20]
        ldr     x1, =kFree
        blr     x1
        b       1b
        .balign 64
        // 5: unaligned stores and pairs across the end of a page of code
        ldr     x23, =0x41001000
        str     w21, [x23, #-4]!
        str     w21, [x23, #4]
1:      blr     x23
        stur    x22, [x23, #-3]
        stp     w21, w21, [x23]
        add     x24, x23, #4
        blr     x24
        b       1b
        .balign 64
        // 6: DC ZVA over code, then running the zeros
1:      str     w21, [x20]
        blr     x20
        dc      zva, x20
        adr     x30, 2f
        br      x20
2:      b       1b
        .balign 64
        // 7: exclusives and atomics on code
1:      ldxr    w1, [x20]
        stxr    w2, w21, [x20]
        blr     x20
        swp     w22, w3, [x20]
        add     x20, x20, #4
        b       1b
        .ltorg
