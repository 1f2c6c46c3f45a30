// Unallocated half-precision SIMD words: the only ones that Unicorn's translator has been seen to abort
// on. In a row, behind branches, behind WFI, as vectors, and left behind by code that changes.
        .include "hostile.inc"
        .global _start
        descend
attack:
        .inst   0x0ecb2efa
        nop
        .inst   0x6e5d0fee, 0x5e793a82, 0x4e582e51, 0x0e402c00, 0x2ee09800 | 24 << 16
        b       1f
        nop
1:      .inst   0x7ef8c800 | 1 << 16
        cbz     xzr, 2f
        .inst   0x0ecb2efa
2:      .inst   0x0ecb2efa
        mov     x5, #3
3:      .inst   0x0ecb2efa
        adr     x1, 4f
        ldr     w0, =0xd503201f                 // The word becomes a NOP ...
        str     w0, [x1]
        dc      cvau, x1
        ic      ivau, x1
        isb
4:      .inst   0x0ecb2efa
        adr     x1, 5f
        ldr     w0, =0x0ecb2efa                 // ... and a NOP the word
        str     w0, [x1]
        dc      cvau, x1
        ic      ivau, x1
        isb
5:      nop
        sub     x5, x5, #1
        cbnz    x5, 3b
        b       the_end
        .ltorg
