// Random reads and writes of random sizes to the device registers, for ever. Parameter 2 is the seed.
        .include "hostile.inc"
        .global _start
        descend
// x19 = next random number; x18 multiplies.
.macro  random
        mul     x19, x19, x18
        add     x19, x19, x17
.endm
attack:
        parameter x19, 2
        ldr     x18, =6364136223846793005
        ldr     x17, =1442695040888963407
        adr     x21, regions
1:      random
        ubfx    x0, x19, #40, #4
        ldr     x20, [x21, x0, lsl #3]          // A region
        random
        ubfx    x0, x19, #36, #12               // An offset, mostly within the first registers
        tbz     x19, #60, 2f
        ubfx    x0, x19, #36, #16
2:      tbz     x19, #61, 3f
        and     x0, x0, #~7
3:      add     x20, x20, x0
        random
        lsr     x1, x19, #13
        tbz     x19, #62, 4f
        lsr     x1, x19, #56                    // A small value
4:      ubfx    x0, x19, #50, #3
        adr     x2, accesses
        add     x2, x2, x0, lsl #3
        br      x2
        .balign 8
accesses:
        ldr     w3, [x20]
        b       1b
        ldr     x3, [x20]
        b       1b
        ldrb    w3, [x20]
        b       1b
        str     w1, [x20]
        b       1b
        str     w1, [x20]
        b       1b
        str     x1, [x20]
        b       1b
        strh    w1, [x20]
        b       1b
        strb    w1, [x20]
        b       1b
        .ltorg
        .balign 8
regions:
        .quad   0x08000000, 0x08000000, 0x08000000, 0x08000000, 0x08010000, 0x08030000, 0x08040000
        .quad   0x080a0000, 0x080b0000, 0x080a0000, 0x09000000, 0x09000000, 0x09010000, 0x09040000
        .quad   0x0a000000, 0x080c0000
