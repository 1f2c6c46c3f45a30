// All CPUs at once. Parameter 2 chooses what they do; secondaries arrive at `storm`.
        .include "hostile.inc"
        .global _start
        descend
attack:
        mov     x20, #1
1:      ldr     w0, =0xc4000003
        mov     x1, x20
        ldr     x2, =storm
        mov     x3, x20
        smc     #0
        add     x20, x20, #1
        cmp     x20, #8
        b.lo    1b
        mov     x0, #0
storm:  ldr     x20, =kFree
        ldr     x21, =0x41100000
        mov     w22, #1
        ldr     w23, =0xd65f03c0
        ldr     x24, =0x41200000
        add     x24, x24, x0, lsl #12
        parameter x1, 2
        adr     x2, ways
        add     x2, x2, x1, lsl #6
        br      x2
        .ltorg
        .balign 64
ways:   // 0: WFE and SEV
        sev
        wfe
        b       . - 8
        .balign 64
        // 1: WFE only
        wfe
        b       . - 4
        .balign 64
        // 2: YIELD
        yield
        b       . - 4
        .balign 64
        // 3: a lock that is never given back, taken with exclusives and WFE
1:      sevl
2:      wfe
        ldaxr   w0, [x20]
        cbnz    w0, 2b
        stxr    w0, w22, [x20]
        b       2b
        .balign 64
        // 4: code that all rewrite and all run
1:      str     w23, [x21]
        ic      ialluis
        blr     x21
        b       1b
        .balign 64
        // 5: TLBIs for everyone
1:      tlbi    vmalle1is
        tlbi    vae1is, x0
        dsb     ish
        isb
        b       1b
        .balign 64
        // 6: each its own code, beside the others' data
1:      str     w23, [x24]
        blr     x24
        str     x22, [x24, #4088]
        b       1b
        .balign 64
        // 7: switched off and on again
1:      ldr     w0, =0xc4000003
        mrs     x1, mpidr_el1
        eor     x1, x1, #1
        and     x1, x1, #3
        ldr     x2, =storm
        mov     x3, x1
        smc     #0
        ldr     w0, =0x84000002
        smc     #0
        b       1b
        .balign 64
        // 8: WFI
        wfi
        b       . - 4
        .balign 64
        // 9: CPU_SUSPEND
1:      ldr     w0, =0xc4000001
        mov     x1, #0
        smc     #0
        b       1b
        .balign 64
        // 10: everyone off
        ldr     w0, =0x84000002
        smc     #0
        b       .
        .ltorg
