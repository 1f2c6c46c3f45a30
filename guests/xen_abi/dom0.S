// Dom0 of the tests under real Xen: waits until every other domain has shut down, then powers the
// machine off. Position independent, as Xen chooses where dom0's RAM is.
        .file   "dom0.S"
        .section .text.start, "ax"
        .global _start
_start:
        b       1f
        .word   0
        .quad   0x80000, __image_bytes, 0xa
        .quad   0, 0, 0
        .ascii  "ARM\x64"
        .word   0
1:      adrp    x20, request
        mov     w21, #1                 // The domain under watch.
2:      mov     x1, x20
        add     x2, x1, #0x400
3:      stp     xzr, xzr, [x1], #16
        cmp     x1, x2
        b.lo    3b
        mov     w1, #5                  // XEN_DOMCTL_getdomaininfo
        mov     w2, #0x15               // XEN_DOMCTL_INTERFACE_VERSION of Xen 4.17
        stp     w1, w2, [x20]
        strh    w21, [x20, #8]
        mov     x0, x20
        mov     x16, #36                // domctl
        hvc     #0xea1
        cbnz    x0, 5f                  // No such domain: the one before was the last.
        ldrh    w1, [x20, #16]          // getdomaininfo.domain
        cmp     w1, w21
        b.ne    5f
        ldr     w1, [x20, #20]          // .flags
        tbnz    w1, #2, 4f              // XEN_DOMINF_shutdown
        mov     x0, #0                  // SCHEDOP_yield
        mov     x16, #29
        hvc     #0xea1
        b       2b
4:      add     w21, w21, #1
        b       2b
5:      ldr     w0, =0x84000008         // PSCI SYSTEM_OFF
        hvc     #0
        b       5b
        .ltorg
        .balign 0x1000                  // Not in a page of code: that would be translated anew each time.
request:
        .space  0x400
