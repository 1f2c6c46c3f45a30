// Exceptions without an end. Parameter 2 chooses which.
        .include "hostile.inc"
        .global _start
        descend
attack:
        parameter x0, 2
        adr     x1, ways
        add     x1, x1, x0, lsl #5
        br      x1
        .ltorg
        .balign 32
ways:   // 0: SVC
        svc     #0
        b       . - 4
        .balign 32
        // 1: UDF
        udf     #0
        b       . - 4
        .balign 32
        // 2: HVC
        hvc     #0
        b       . - 4
        .balign 32
        // 3: SMC, an unknown function
        mov     x0, #-1
        smc     #0
        b       . - 4
        .balign 32
        // 4: BRK
        brk     #0
        b       . - 4
        .balign 32
        // 5: a load from a hole
        mov     x2, #0x1000
        ldr     x3, [x2]
        b       . - 4
        .balign 32
        // 6: a device access in a form without syndrome
        mov     x2, #kUart
        ldp     x3, x4, [x2]
        b       . - 4
        .balign 32
        // 7: an unknown system register
        mrs     x2, s3_0_c15_c15_7
        b       . - 4
        .balign 32
        // 8: a branch to an odd address, with a vector that goes there again
        adr     x2, ways + 257
        adr     x3, resume_el1
        str     x2, [x3]
        adr     x3, resume_el2
        str     x2, [x3]
        br      x2
        .balign 32
        // 9: an illegal return
        adr     x2, .
        msr     elr_el1, x2
        mov     x3, #0xd
        msr     spsr_el1, x3
        eret
        .balign 32
        // 10: single steps
        mov     x2, #1
        msr     mdscr_el1, x2
        msr     daifclr, #15
        msr     oslar_el1, xzr
        nop
        b       . - 4
        .balign 32
        // 11: instruction aborts whose vector returns to them
        mov     x2, #0x1000
        adr     x3, resume_el1
        str     x2, [x3]
        adr     x3, resume_el2
        str     x2, [x3]
        br      x2
        .balign 32
        // 12: SMC that the firmware answers
        mov     w0, #0x84000000
        smc     #0
        b       . - 8
        .balign 32
        // 13: semihosting
        mov     w0, #0x31
        hlt     #0xf000
        b       . - 8
