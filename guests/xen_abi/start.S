// The arm64 boot protocol's header, start-up, vectors and calls. Nothing is known of the boot loader
// but what that protocol says: X0 holds the device tree, MMU and caches are off, EL1 (or EL2 on a
// machine without a hypervisor, which this image is not for).
        .file   "start.S"
        .section .text.start, "ax"
        .global _start
_start:
        b       1f
        .word   0
        .quad   0x80000                 // text_offset
        .quad   __image_bytes
        .quad   0xa                     // little endian, 4 KiB pages, anywhere
        .quad   0, 0, 0
        .ascii  "ARM\x64"
        .word   0
1:      mov     x19, x0
        msr     daifset, #15
        adrp    x1, __bss_start
        add     x1, x1, :lo12:__bss_start
        adrp    x2, __bss_end
        add     x2, x2, :lo12:__bss_end
2:      stp     xzr, xzr, [x1], #16
        cmp     x1, x2
        b.lo    2b
        adrp    x1, __stacks + 0x4000
        mov     sp, x1
        adrp    x1, vectors
        add     x1, x1, :lo12:vectors
        msr     vbar_el1, x1
        isb
        mov     x0, x19
        bl      guest_main
        bl      power_off
3:      wfi
        b       3b

        // CPU_ON of the second vCPU arrives here: it leaves its mark in [X0] and goes again.
        .global second_start
second_start:
        mov     w1, #1
        str     w1, [x0]
        dsb     sy
        ldr     w0, =0x84000002         // PSCI CPU_OFF
        hvc     #0
4:      b       4b
        .ltorg

        // i64 hypercall(u64 number, u64 a, u64 b, u64 c, u64 d, u64 e)
        .text
        .global hypercall
hypercall:
        mov     x16, x0
        mov     x0, x1
        mov     x1, x2
        mov     x2, x3
        mov     x3, x4
        mov     x4, x5
        hvc     #0xea1
        ret

        // u64 smc_call(u64 function, u64 a, u64 b, u64 c): PSCI of a Xen guest goes by HVC.
        .global smc_call
smc_call:
        hvc     #0
        ret

        // void firmware_call(u64 registers[8], unsigned way): HVC #0, SMC #0 and the immediates that
        // nobody answers. X0-X3 are stored back.
        .global firmware_call
firmware_call:
        stp     x29, x30, [sp, #-32]!
        str     x0, [sp, #16]
        mov     w8, w1
        mov     x9, x0
        ldp     x0, x1, [x9]
        ldp     x2, x3, [x9, #16]
        ldp     x4, x5, [x9, #32]
        ldp     x6, x7, [x9, #48]
        mov     x16, #17                // xen_version, for those that only have the tag wrong
        cbz     w8, 1f
        cmp     w8, #1
        b.eq    2f
        cmp     w8, #2
        b.eq    3f
        cmp     w8, #3
        b.eq    4f
        cmp     w8, #4
        b.eq    5f
        smc     #0xea1
        b       6f
1:      hvc     #0
        b       6f
2:      smc     #0
        b       6f
3:      hvc     #1
        b       6f
4:      hvc     #0xea0
        b       6f
5:      hvc     #0xffff
6:      ldr     x9, [sp, #16]
        stp     x0, x1, [x9]
        stp     x2, x3, [x9, #16]
        ldp     x29, x30, [sp], #32
        ret

        // void enable_mmu(u64 ttbr0, u64 tcr, u64 mair)
        .global enable_mmu
enable_mmu:
        msr     mair_el1, x2
        msr     tcr_el1, x1
        msr     ttbr0_el1, x0
        dsb     sy
        tlbi    vmalle1
        ic      iallu
        dsb     sy
        isb
        mrs     x1, sctlr_el1
        mov     x2, #0x1005             // I, C, M
        orr     x1, x1, x2
        msr     sctlr_el1, x1
        isb
        ret

        .macro  save
        stp     x0, x1, [sp, #-192]!
        stp     x2, x3, [sp, #16]
        stp     x4, x5, [sp, #32]
        stp     x6, x7, [sp, #48]
        stp     x8, x9, [sp, #64]
        stp     x10, x11, [sp, #80]
        stp     x12, x13, [sp, #96]
        stp     x14, x15, [sp, #112]
        stp     x16, x17, [sp, #128]
        stp     x18, x29, [sp, #144]
        str     x30, [sp, #160]
        .endm
        .macro  restore_and_return
        ldr     x30, [sp, #160]
        ldp     x18, x29, [sp, #144]
        ldp     x16, x17, [sp, #128]
        ldp     x14, x15, [sp, #112]
        ldp     x12, x13, [sp, #96]
        ldp     x10, x11, [sp, #80]
        ldp     x8, x9, [sp, #64]
        ldp     x6, x7, [sp, #48]
        ldp     x4, x5, [sp, #32]
        ldp     x2, x3, [sp, #16]
        ldp     x0, x1, [sp], #192
        eret
        .endm

        .balign 0x800
vectors:
        .rept   4
        .balign 0x80
        b       .
        .endr
        .balign 0x80
        b       synchronous_entry
        .balign 0x80
        b       irq_entry
        .rept   10
        .balign 0x80
        b       .
        .endr
synchronous_entry:
        save
        bl      synchronous
        restore_and_return
irq_entry:
        save
        bl      irq
        restore_and_return
