// Entry at EL1 with everything off, an arm64 Image header, and the vectors.
        .file   "start.S"               // Or the symbol table names a temporary file.
        .section .text.start, "ax"
        .global _start
_start: b       1f
        .word   0
        .quad   0                       // text_offset
        .quad   __data_end - _start     // image_size
        .quad   0xa                     // flags: little-endian, 4K, anywhere
        .quad   0, 0, 0
        .ascii  "ARM\x64"
        .word   0
1:      msr     daifset, #15
        msr     spsel, #1
        ldr     x5, =__data_end
        mov     sp, x5
        ldr     x5, =__bss_start
        ldr     x6, =__bss_end
2:      cmp     x5, x6
        b.hs    3f
        stp     xzr, xzr, [x5], #16
        b       2b
3:      ldr     x5, =vectors
        msr     vbar_el1, x5
        isb
        stp     x1, x2, [sp, #-32]!
        stp     x3, x4, [sp, #16]
        mov     x0, sp
        b       guest_start

        .macro  save
        sub     sp, sp, #272
        stp     x0, x1, [sp]
        stp     x2, x3, [sp, #16]
        stp     x4, x5, [sp, #32]
        stp     x6, x7, [sp, #48]
        stp     x8, x9, [sp, #64]
        stp     x10, x11, [sp, #80]
        stp     x12, x13, [sp, #96]
        stp     x14, x15, [sp, #112]
        stp     x16, x17, [sp, #128]
        stp     x18, x19, [sp, #144]
        stp     x20, x21, [sp, #160]
        stp     x22, x23, [sp, #176]
        stp     x24, x25, [sp, #192]
        stp     x26, x27, [sp, #208]
        stp     x28, x29, [sp, #224]
        mrs     x1, sp_el0
        stp     x30, x1, [sp, #240]
        mrs     x1, elr_el1
        mrs     x2, spsr_el1
        stp     x1, x2, [sp, #256]
        mov     x0, sp
        .endm

        .global restore
restore:
        ldp     x1, x2, [sp, #256]
        msr     elr_el1, x1
        msr     spsr_el1, x2
        ldp     x30, x1, [sp, #240]
        msr     sp_el0, x1
        ldp     x2, x3, [sp, #16]
        ldp     x4, x5, [sp, #32]
        ldp     x6, x7, [sp, #48]
        ldp     x8, x9, [sp, #64]
        ldp     x10, x11, [sp, #80]
        ldp     x12, x13, [sp, #96]
        ldp     x14, x15, [sp, #112]
        ldp     x16, x17, [sp, #128]
        ldp     x18, x19, [sp, #144]
        ldp     x20, x21, [sp, #160]
        ldp     x22, x23, [sp, #176]
        ldp     x24, x25, [sp, #192]
        ldp     x26, x27, [sp, #208]
        ldp     x28, x29, [sp, #224]
        ldp     x0, x1, [sp], #272
        eret

sync:   save
        bl      synchronous
        b       restore
irq:    save
        bl      interrupt
        b       restore
bad:    save
        bl      unexpected

        .balign 0x800
        .global vectors
vectors:
        .irp    target, bad, bad, bad, bad, sync, irq, bad, bad, sync, irq, bad, bad, bad, bad, bad, bad
        .balign 0x80
        b       \target
        .endr

        // u64 hvc(u64 function)
        .global hvc
hvc:    hvc     #0
        ret

        // u64 run_task(entry, stack, argument): calls entry(argument) at EL0, with interrupts, and
        // returns what it passed to task_done().
        .global run_task
run_task:
        stp     x29, x30, [sp, #-96]!
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        stp     x23, x24, [sp, #48]
        stp     x25, x26, [sp, #64]
        stp     x27, x28, [sp, #80]
        ldr     x3, =task_caller
        mov     x4, sp
        str     x4, [x3]
        msr     daifset, #2
        msr     sp_el0, x1
        msr     elr_el1, x0
        msr     spsr_el1, xzr
        mov     x0, x2
        eret

        // task_done(value): from the SVC handler, leaves the task for run_task()'s caller.
        .global task_done
task_done:
        ldr     x3, =task_caller
        ldr     x4, [x3]
        mov     sp, x4
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     x29, x30, [sp], #96
        msr     daifclr, #2
        ret

        .section .bss
        .balign 8
task_caller:
        .skip   8
