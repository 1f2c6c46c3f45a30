// Random values in random interrupt-controller and timer registers, with interrupts on, for ever.
// Parameter 2 is the seed, or-ed into each written value is parameter 3.
        .include "hostile.inc"
        .global _start
        descend
.macro  random
        mul     x19, x19, x18
        add     x19, x19, x17
.endm
.macro  each name
        random
        lsr     x1, x19, #9
        tbz     x19, #62, 2f
        lsr     x1, x19, #58
2:      tbz     x19, #61, 3f
        mrs     x2, \name
3:      tbz     x19, #60, 4f
        msr     \name, x1
4:
.endm
attack:
        parameter x19, 2
        ldr     x18, =6364136223846793005
        ldr     x17, =1442695040888963407
1:      .irp    name, icc_pmr_el1, icc_bpr1_el1, icc_bpr0_el1, icc_igrpen0_el1, icc_igrpen1_el1, \
                icc_ctlr_el1, icc_sre_el1, icc_sre_el2, icc_eoir1_el1, icc_eoir0_el1, icc_dir_el1, \
                icc_sgi1r_el1, icc_sgi0r_el1, icc_asgi1r_el1, icc_ap0r0_el1, icc_ap1r0_el1, \
                icc_iar1_el1, icc_iar0_el1, icc_hppir1_el1, icc_rpr_el1, \
                ich_hcr_el2, ich_vmcr_el2, ich_ap0r0_el2, ich_ap1r0_el2, ich_lr0_el2, \
                ich_lr1_el2, ich_lr2_el2, ich_lr3_el2, ich_lr15_el2, ich_misr_el2, ich_eisr_el2, \
                ich_elrsr_el2, ich_vtr_el2, \
                cntp_ctl_el0, cntp_cval_el0, cntp_tval_el0, cntv_ctl_el0, cntv_cval_el0, \
                cntv_tval_el0, cnthp_ctl_el2, cnthp_cval_el2, cnthp_tval_el2, cnthctl_el2, \
                cntkctl_el1, cntvoff_el2, cntvct_el0, cntpct_el0, cntfrq_el0, \
                pmcr_el0, pmcntenset_el0, pmcntenclr_el0, pmovsclr_el0, pmselr_el0, pmccntr_el0, \
                pmxevtyper_el0, pmxevcntr_el0, pmuserenr_el0, pmintenset_el1, pmccfiltr_el0, \
                pmswinc_el0, mdcr_el2, hstr_el2, contextidr_el1, ttbr0_el1, ttbr1_el1, tcr_el1, \
                mair_el1, vtcr_el2, vttbr_el2, tpidr_el0, csselr_el1, par_el1, mdscr_el1
        each    \name
        .endr
        ldr     w2, [x16]
        msr     daifclr, #3
        msr     daifset, #3
        b       1b
        .ltorg
