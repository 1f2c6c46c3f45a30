// Start-up, vectors, and the switch to lower exception levels. Everything runs at EL2 with its MMU
// off; experiments run below (or at EL2) until their first exception, which ends them.
#include "frame.h"

        .file   "start.S"               // Or the symbol table names a temporary file.
        .section .text.start, "ax"
        .global _start
_start:
        mrs     x1, mpidr_el1
        and     x1, x1, #0xff
        cbnz    x1, 3f
        mov     x19, x0                 // What the loader passed: the device tree.
        ldr     x1, =__bss_start
        ldr     x2, =__bss_end
1:      cmp     x1, x2
        b.hs    2f
        stp     xzr, xzr, [x1], #16
        b       1b
2:      bl      enter_el2_c
        bl      console_init
        mov     x0, x19
        bl      guest_main
        bl      power_off
3:      wfi
        b       3b

        // PSCI CPU_ON starts here; X0 is the function to run.
        .global secondary_start
secondary_start:
        mov     x20, x0
        bl      enter_el2_c
        blr     x20
1:      wfi
        b       1b

        // The stack of this CPU, and a known state.
enter_el2_c:
        mrs     x1, mpidr_el1
        and     x1, x1, #0xff
        add     x1, x1, #1
        ldr     x2, =__stacks
        add     x2, x2, x1, lsl #14
        msr     spsel, #1
        mov     sp, x2
        msr     daifset, #15
        mrs     x1, currentel
        cmp     x1, #8
        b.ne    1f
        ldr     x1, =el2_vectors
        msr     vbar_el2, x1
        msr     tpidr_el2, xzr
        ldr     x1, =0x30c50830         // RES1 bits; MMU, caches and alignment checks off
        msr     sctlr_el2, x1
        isb
1:      ret

        // void run_lower(struct frame *): loads the registers, returns at the next exception.
        .section .text, "ax"
        .global run_lower
run_lower:
        stp     x19, x20, [x0, #FRAME_HOST + 0]
        stp     x21, x22, [x0, #FRAME_HOST + 16]
        stp     x23, x24, [x0, #FRAME_HOST + 32]
        stp     x25, x26, [x0, #FRAME_HOST + 48]
        stp     x27, x28, [x0, #FRAME_HOST + 64]
        stp     x29, x30, [x0, #FRAME_HOST + 80]
        mov     x1, sp
        str     x1, [x0, #FRAME_HOST + 96]
        ldp     x1, x2, [x0, #FRAME_ELR]
        msr     elr_el2, x1
        msr     spsr_el2, x2
        ldp     x1, x2, [x0, #FRAME_SP_EL0]
        msr     sp_el0, x1
        msr     sp_el1, x2
        msr     tpidr_el2, x0
        mov     sp, x0
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
        ldr     x30, [sp, #240]
        ldp     x0, x1, [sp]
        eret

el2_exception:
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
        str     x30, [sp, #240]
        mrs     x1, elr_el2
        mrs     x2, spsr_el2
        stp     x1, x2, [sp, #FRAME_ELR]
        mrs     x1, sp_el0
        mrs     x2, sp_el1
        stp     x1, x2, [sp, #FRAME_SP_EL0]
        mrs     x1, esr_el2
        mrs     x2, far_el2
        stp     x1, x2, [sp, #FRAME_ESR]
        mrs     x1, hpfar_el2
        stp     x1, x0, [sp, #FRAME_HPFAR]
        mov     x0, sp
        mrs     x1, tpidr_el2
        cbz     x1, unexpected_exception
        msr     tpidr_el2, xzr
        ldr     x1, [x0, #FRAME_HOST + 96]
        mov     sp, x1
        ldp     x19, x20, [x0, #FRAME_HOST + 0]
        ldp     x21, x22, [x0, #FRAME_HOST + 16]
        ldp     x23, x24, [x0, #FRAME_HOST + 32]
        ldp     x25, x26, [x0, #FRAME_HOST + 48]
        ldp     x27, x28, [x0, #FRAME_HOST + 64]
        ldp     x29, x30, [x0, #FRAME_HOST + 80]
        ret

        .macro  el2_vector index
        .balign 0x80
        stp     x0, x1, [sp]
        mov     x0, #\index
        b       el2_exception
        .endm

        .balign 0x800
        .global el2_vectors
el2_vectors:
        .irp    index, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        el2_vector \index
        .endr

        // EL1 only says which vector was taken; ESR_EL1 and the others are read at EL2.
        .macro  el1_vector index
        .balign 0x80
        hvc     #(EL1_VECTOR_CALL + \index)
        b       .
        .endm

        .balign 0x800
        .global el1_vectors
el1_vectors:
        .irp    index, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        el1_vector \index
        .endr

        // u64 smc_call(u64 function, u64 a, u64 b, u64 c)
        .global smc_call
smc_call:
        smc     #0
        ret
