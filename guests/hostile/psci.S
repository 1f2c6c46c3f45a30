// Firmware calls with silly arguments, from the seed in parameter 2, then power-off. Every CPU that
// wakes up does the same; SYSTEM_OFF and SYSTEM_RESET are left out while it lasts.
        .include "hostile.inc"
        .global _start
        descend
attack:
        parameter x19, 2
        ldr     x18, =6364136223846793005
        ldr     x17, =1442695040888963407
        ldr     x21, =20000
        adr     x22, values
1:      mul     x19, x19, x18
        add     x19, x19, x17
        ubfx    x0, x19, #40, #5                // Function number
        cmp     x0, #8
        b.eq    1b
        cmp     x0, #9
        b.eq    1b
        cmp     x0, #0x12
        b.eq    1b
        cmp     x0, #0xe                        // SYSTEM_SUSPEND waits, as CPU_SUSPEND does
        b.eq    1b
        cmp     x0, #1
        b.eq    1b
        cmp     x0, #0xc
        b.eq    1b
        cmp     x0, #2                          // CPU_OFF: at the end
        b.eq    1b
        movk    x0, #0x8400, lsl #16
        tbz     x19, #62, 3f
        movk    x0, #0xc400, lsl #16
3:      tbz     x19, #61, 4f
        movk    x0, #0x8000, lsl #16            // The Arm architecture's own
4:      ubfx    x1, x19, #50, #4
        ldr     x1, [x22, x1, lsl #3]
        ubfx    x2, x19, #54, #4
        ldr     x2, [x22, x2, lsl #3]
        ubfx    x3, x19, #46, #4
        ldr     x3, [x22, x3, lsl #3]
        tbnz    x19, #60, 5f
        smc     #0
        b       6f
5:      hvc     #0
6:      sub     x21, x21, #1
        cbnz    x21, 1b
        mrs     x1, mpidr_el1
        and     x1, x1, #0xff
        cbz     x1, 7f
        ldr     w0, =0x84000002
        smc     #0
        hvc     #0
7:      // Onto itself, and onto garbage.
        ldr     w0, =0xc4000003
        mrs     x1, mpidr_el1
        adr     x2, attack
        smc     #0
        ldr     w0, =0xc4000003
        mov     x1, #-1
        mov     x2, #3
        smc     #0
        b       the_end
        .ltorg
        .balign 8
values: .quad   0, 1, 2, 3, 4, 0x80000000, 0x80000001, -1, 0x7fffffffffffffff, 0x40200000
        .quad   0x40200001, 0x09000000, 0x84000002, 0xc4000003, 0x100, 0x8000000000000000
