// EL1's registers from one guest to the next.
#include "../arch/pmsa.h"
#include "hypervisor.h"

void el1_regions_save(struct guest* guest) {
  struct el1_state* s = &guest->el1;
  s->regions = FIELD(MRS(MPUIR_EL1), 7, 0);
  s->prselr = MRS(PRSELR_EL1);
  for (u64 n = 0; n < s->regions; ++n) {
    MSR(PRSELR_EL1, n);
    ISB();
    s->mpu[n].bar = COUNTED_MRS(PRBAR_EL1);
    s->mpu[n].lar = COUNTED_MRS(PRLAR_EL1);
  }
  region_counts.reads += 2 * s->regions;
}

void el1_regions_load(const struct guest* guest) {
  const struct el1_state* s = &guest->el1;
  const u64 count = FIELD(MRS(MPUIR_EL1), 7, 0);
  for (u64 n = 0; n < count; ++n) {
    MSR(PRSELR_EL1, n);
    ISB();
    COUNTED_MSR(PRBAR_EL1, n < s->regions ? s->mpu[n].bar : 0);
    COUNTED_MSR(PRLAR_EL1, n < s->regions ? s->mpu[n].lar : 0);
  }
  MSR(PRSELR_EL1, s->prselr);
  region_counts.el1_writes += 2 * count;
}

void context_save(struct guest* guest) {
  struct el1_state* s = &guest->el1;
  s->sctlr = MRS(sctlr_el1);
  s->cpacr = MRS(cpacr_el1);
  s->vbar = MRS(vbar_el1);
  s->mair = MRS(mair_el1);
  s->amair = MRS(amair_el1);
  s->esr = MRS(esr_el1);
  s->far = MRS(far_el1);
  s->elr = MRS(elr_el1);
  s->spsr = MRS(spsr_el1);
  s->par = MRS(par_el1);
  s->contextidr = MRS(contextidr_el1);
  s->cntkctl = MRS(cntkctl_el1);
  s->tpidr_el0 = MRS(tpidr_el0);
  s->tpidrro_el0 = MRS(tpidrro_el0);
  s->tpidr_el1 = MRS(tpidr_el1);
  if (guest->vmsa) {
    s->ttbr0 = MRS(ttbr0_el1);
    s->ttbr1 = MRS(ttbr1_el1);
    s->tcr = MRS(tcr_el1);
  }
  s->cntv_ctl = MRS(cntv_ctl_el0);
  s->cntv_cval = MRS(cntv_cval_el0);
  MSR(cntv_ctl_el0, 0);
}

void context_load(const struct guest* guest) {
  const struct el1_state* s = &guest->el1;
  const u64 number = (u64)(guest - guests);
  MSR(sctlr_el1, s->sctlr);
  MSR(cpacr_el1, s->cpacr);
  MSR(vbar_el1, s->vbar);
  MSR(mair_el1, s->mair);
  MSR(amair_el1, s->amair);
  MSR(esr_el1, s->esr);
  MSR(far_el1, s->far);
  MSR(elr_el1, s->elr);
  MSR(spsr_el1, s->spsr);
  MSR(par_el1, s->par);
  MSR(contextidr_el1, s->contextidr);
  MSR(cntkctl_el1, s->cntkctl);
  MSR(tpidr_el0, s->tpidr_el0);
  MSR(tpidrro_el0, s->tpidrro_el0);
  MSR(tpidr_el1, s->tpidr_el1);
  if (guest->vmsa) {
    MSR(ttbr0_el1, s->ttbr0);
    MSR(ttbr1_el1, s->ttbr1);
    MSR(tcr_el1, s->tcr);
  }
  MSR(VSCTLR_EL2, (number + 1) << 48);
  MSR(vtcr_el2, guest->vmsa ? BIT(31) : 0);
  MSR(vpidr_el2, MRS(midr_el1));
  MSR(vmpidr_el2, BIT(31));
  MSR(cntvoff_el2, guest->start);
  MSR(cntv_cval_el0, s->cntv_cval);
  MSR(cntv_ctl_el0, s->cntv_ctl);
  ISB();
}
