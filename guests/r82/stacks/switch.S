        .file   "switch.S"
        .macro  save
        sub     sp, sp, #96
        stp     x19, x20, [sp]
        stp     x21, x22, [sp, #16]
        stp     x23, x24, [sp, #32]
        stp     x25, x26, [sp, #48]
        stp     x27, x28, [sp, #64]
        stp     x29, x30, [sp, #80]
        mov     x9, sp
        str     x9, [x0]
        .endm
        .text
        // void switch_stack(u64* save, u64 to): goes on where `to` was saved.
        .global switch_stack
switch_stack:
        save
        mov     sp, x1
        ldp     x19, x20, [sp]
        ldp     x21, x22, [sp, #16]
        ldp     x23, x24, [sp, #32]
        ldp     x25, x26, [sp, #48]
        ldp     x27, x28, [sp, #64]
        ldp     x29, x30, [sp, #80]
        add     sp, sp, #96
        ret
        // void start_task(u64* save, u64 stack, void (*task)(void)): it never returns.
        .global start_task
start_task:
        save
        mov     sp, x1
        br      x2
