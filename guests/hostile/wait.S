// Waits for what never comes. Parameter 0 chooses how.
        .include "hostile.inc"
        .global _start
_start:
        msr     daifset, #15
        parameter x0, 0
        adr     x1, ways
        add     x1, x1, x0, lsl #5
        br      x1
        .ltorg
        .balign 32
ways:   // 0: WFI, all masked
        wfi
        b       . - 4
        .balign 32
        // 1: WFE
        wfe
        b       . - 4
        .balign 32
        // 2: WFE that always finds the event register set
        sevl
        wfe
        b       . - 8
        .balign 32
        // 3: YIELD
        yield
        b       . - 4
        .balign 32
        // 4: nothing at all
        b       .
        .balign 32
        // 5: WFI with a timer that has fired, masked
        mov     x2, #1
        msr     cntp_cval_el0, xzr
        msr     cntp_ctl_el0, x2
        wfi
        b       . - 4
        .balign 32
        // 6: WFI with a timer at the end of time
        mov     x2, #-1
        msr     cntp_cval_el0, x2
        mov     x2, #1
        msr     cntp_ctl_el0, x2
        wfi
        b       . - 4
        .balign 32
        // 7: a timer that fires again at once, forever
        mov     x2, #1
        msr     cntp_ctl_el0, x2
1:      msr     cntp_tval_el0, x2
        wfi
        b       1b
        .balign 32
        // 8: WFE with the event stream
        mov     x2, #4
        msr     cntkctl_el1, x2
        msr     cnthctl_el2, x2
1:      wfe
        b       1b
        .balign 32
        // 9: reading the counter
        mrs     x2, cntpct_el0
        b       . - 4
        .balign 32
        // 10: the PL011 in a tight loop
        mov     x2, #kUart
        ldr     w3, [x2, #0x18]
        b       . - 4
