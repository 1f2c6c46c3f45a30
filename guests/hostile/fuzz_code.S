// Random words, executed. A page is filled from the seed in parameter 2 and entered at its start; what
// faults is stepped over, what leaves the page comes back to the next word. Whatever the words do to
// registers and memory, this code included, is part of the test. Parameter 3: bits of SCTLR to set.
        .include "hostile.inc"
        .global _start
        .set    confined, 1
        descend
attack:
        parameter x0, 0
        parameter x1, 3
        cbz     x0, 2f
        tbnz    x0, #1, 1f
        mrs     x2, sctlr_el1
        orr     x2, x2, x1
        msr     sctlr_el1, x2
        b       2f
1:      mrs     x2, sctlr_el2
        orr     x2, x2, x1
        msr     sctlr_el2, x2
2:      isb
        ldr     x0, =refill
        ldr     x1, =resume_el1
        str     x0, [x1]
        ldr     x1, =resume_el2
        str     x0, [x1]
        parameter x19, 2
        ldr     x0, =kFree
        str     x19, [x0]
refill:
        ldr     x20, =kFree
        ldr     x19, [x20]
        ldr     x18, =6364136223846793005
        ldr     x17, =1442695040888963407
        add     x21, x20, #0x10000
        mov     x2, #255
1:      mul     x19, x19, x18
        add     x19, x19, x17
        lsr     x0, x19, #32
        // Every other word gets the upper bits of a load or store, a SIMD or a system instruction.
        tbz     x19, #20, 2f
        ubfx    x1, x19, #21, #3
        adr     x3, prefixes
        ldr     w3, [x3, x1, lsl #2]
        and     x0, x0, #0x00ffffff
        orr     x0, x0, x3
2:      str     w0, [x21], #4
        dc      cvau, x21
        ic      ivau, x21
        sub     x2, x2, #1
        cbnz    x2, 1b
        ldr     w0, leave
        str     w0, [x21]
        str     x19, [x20]
        dsb     ish
        isb
        add     x21, x20, #0x10000
        add     x0, x20, #0x20000
        mov     x1, x0
        ldr     x2, =0x09000000
        ldr     x3, =0x08000000
        mov     x4, #-1
        mov     sp, x0
        ldr     x30, =refill
        br      x21
leave:  .inst   0xd61f0000 | 30 << 5    // br x30, if that still holds the address
        .balign 4
prefixes:
        .word   0xf8000000, 0xb9000000, 0xa8000000, 0xd5000000, 0x4c000000, 0xc8000000, 0x1e000000
        .word   0xd4000000
        .ltorg
