// For fvp-baser with `--counter hardware`: software that begins as after reset. The word at 0x100000
// says what it forgets: 1 to start the system counter, 2 to enable the UART.
        .file   "board.S"
        .section .text.start, "ax"
        .global _start
_start:
        ldr     x1, =0x100000
        ldr     x20, [x1]
        cmp     x20, #1
        b.eq    1f
        ldr     x1, =0xaa430000         // CNTCR.EN
        mov     w2, #1
        str     w2, [x1]
1:      isb
        mrs     x3, cntpct_el0
        cmp     x20, #2
        b.eq    2f
        ldr     x1, =0x9c090000
        ldr     w2, =0x301              // UARTCR: RXE, TXE, UARTEN
        str     w2, [x1, #0x30]
2:      ldr     x1, =0x9c090000
        mov     w2, #'k'
        str     w2, [x1]
        mov     w2, #'\n'
        str     w2, [x1]
        adr     x1, stop
        mov     w0, #0x18               // SYS_EXIT
        hlt     #0xf000
3:      b       3b
        .balign 8
stop:   .quad   0x20026, 0              // ADP_Stopped_ApplicationExit
