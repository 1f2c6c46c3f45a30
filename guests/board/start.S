// All CPUs start here. Vectors for whichever of EL1 and EL2 the guest runs at.
        .section .text.start, "ax"
        .global _start
_start:
        mrs     x20, mpidr_el1
        and     x20, x20, #0xff
        add     x1, x20, #1
        ldr     x2, =__stacks
        add     x2, x2, x1, lsl #13
        mov     sp, x2
        ldr     x1, =vectors
        mrs     x2, currentel
        cmp     x2, #8
        b.ne    1f
        msr     vbar_el2, x1
        mov     x1, #(7 << 3)           // HCR_EL2: IMO, FMO, AMO
        orr     x1, x1, #(1 << 31)
        msr     hcr_el2, x1
        b       2f
1:      msr     vbar_el1, x1
2:      isb
        mov     x0, x20
        bl      guest_main
3:      wfi
        b       3b

        .balign 2048
vectors:
        .rept   4
        .balign 128
        b       .
        .endr
        .balign 128                     // Current EL, SP_ELx, synchronous: fails the test under way.
        b       fatal
        .balign 128
        stp     x29, x30, [sp, #-176]!
        stp     x0, x1, [sp, #16]
        stp     x2, x3, [sp, #32]
        stp     x4, x5, [sp, #48]
        stp     x6, x7, [sp, #64]
        stp     x8, x9, [sp, #80]
        stp     x10, x11, [sp, #96]
        stp     x12, x13, [sp, #112]
        stp     x14, x15, [sp, #128]
        stp     x16, x17, [sp, #144]
        str     x18, [sp, #160]
        bl      interrupt
        ldp     x0, x1, [sp, #16]
        ldp     x2, x3, [sp, #32]
        ldp     x4, x5, [sp, #48]
        ldp     x6, x7, [sp, #64]
        ldp     x8, x9, [sp, #80]
        ldp     x10, x11, [sp, #96]
        ldp     x12, x13, [sp, #112]
        ldp     x14, x15, [sp, #128]
        ldp     x16, x17, [sp, #144]
        ldr     x18, [sp, #160]
        ldp     x29, x30, [sp], #176
        eret
        .rept   10
        .balign 128
        b       .
        .endr

        // uint64_t semihosting(uint64_t operation, const void *parameters)
        .text
        .global semihosting
semihosting:
        hlt     #0xf000
        ret

        // Runs from NOR flash: returns 0x600d.
        .section .flash, "ax"
        .global from_flash
from_flash:
        mov     w0, #0x600d
        ret
