// Semihosting operations 0 to 0x1ff with parameter blocks that make no sense.
        .include "hostile.inc"
        .global _start
        descend
attack:
        ldr     x22, =blocks
        mov     x20, #0
1:      cmp     x20, #0x18                      // SYS_EXIT, SYS_EXIT_EXTENDED end the run
        b.eq    3f
        cmp     x20, #0x20
        b.eq    3f
        mov     x21, #0
2:      ldr     x1, [x22, x21, lsl #3]
        mov     x0, x20
        hlt     #0xf000
        add     x21, x21, #1
        cmp     x21, #10
        b.lo    2b
3:      add     x20, x20, #1
        cmp     x20, #0x200
        b.lo    1b
        b       the_end
        .ltorg
        .balign 8
blocks: .quad   0, -1, 0x09000000, 0x43fffffc, 0x40200001, all_ones, huge, zeros, kFree, name
all_ones:
        .quad   -1, -1, -1, -1
huge:   .quad   1, 0x40200000, 0x7fffffffffffffff, 0x7fffffffffffffff
zeros:  .quad   0, 0, 0, 0
name:   .quad   0x40200000, 0, 0x100000000, 5
