// Calls itself for ever with a frame of 32 bytes, then saves its registers onto the same stack when
// the stack has left RAM.
        .include "hostile.inc"
        .global _start
_start:
        ldr     x0, =0x40004000
        mov     sp, x0
        ldr     x0, =vectors
        mrs     x1, currentel
        cmp     x1, #8
        b.eq    1f
        msr     vbar_el1, x0
        b       recurse
1:      msr     vbar_el2, x0
recurse:
        stp     x29, x30, [sp, #-32]!
        mov     x29, sp
        bl      recurse
        ldp     x29, x30, [sp], #32
        ret
        .ltorg
        .balign 2048
vectors:
        .rept   16
        .balign 128
        stp     x0, x1, [sp, #-16]!
        eret
        .endr
