// The physical GIC, and the guests' interrupts by list registers.
#include "hypervisor.h"

enum { kPriority = 0x80 };
#define LR_PENDING (1ul << 62)
#define LR_ACTIVE (1ul << 63)
#define LR_HW (1ul << 61)
#define LR_GROUP1 (1ul << 60)

static void enable_interrupt(unsigned intid) {
  const u64 frame = intid < 32 ? kGicr + 0x10000 : kGicd;
  volatile u8* priority = (volatile u8*)(frame + 0x400 + intid);
  *priority = kPriority;
  if (intid >= 32) *(volatile u64*)(kGicd + 0x6000 + 8 * intid) = MRS(mpidr_el1) & 0xff00fffffful;
  write32(frame + 0x100 + intid / 32 * 4, 1u << intid % 32);
}

static void disable_interrupt(unsigned intid) {
  write32((intid < 32 ? kGicr + 0x10000 : kGicd) + 0x180 + intid / 32 * 4, 1u << intid % 32);
}

void interrupts_init(void) {
  write32(kGicd, 0x12);  // ARE, EnableGrp1
  for (u64 n = 1; n < 8; ++n) write32(kGicd + 0x80 + 4 * n, ~0u);
  write32(kGicr + 0x14, 0);  // GICR_WAKER.ProcessorSleep
  while (read32(kGicr + 0x14) & 4) {
  }
  write32(kGicr + 0x10080, ~0u);
  MSR(S3_4_C12_C9_5, 0xf);  // ICC_SRE_EL2
  ISB();
  MSR(S3_0_C4_C6_0, 0xff);  // ICC_PMR_EL1
  MSR(S3_0_C12_C12_4, 2);   // ICC_CTLR_EL1.EOImode: EOI drops the priority only.
  MSR(S3_0_C12_C12_7, 1);   // ICC_IGRPEN1_EL1
  MSR(S3_4_C12_C11_0, 1);   // ICH_HCR_EL2.En
  ISB();
  enable_interrupt(kTimerInterrupt);
  enable_interrupt(kHypervisorTimerInterrupt);
  for (unsigned n = 0; n < kGuests; ++n) {
    if (!guests[n].device) continue;
    enable_interrupt(guests[n].device_interrupt);
    guests[n].vgic.hardware = BIT(guests[n].device_interrupt);
  }
}

int interrupts_take(struct guest* running) {
  int slice_ended = 0;
  for (;;) {
    const unsigned intid = (unsigned)MRS(S3_0_C12_C12_0);  // ICC_IAR1_EL1
    if (intid >= 1020) return slice_ended;
    MSR(S3_0_C12_C12_1, intid);  // ICC_EOIR1_EL1
    ISB();
    int ours = 1;
    if (intid == kHypervisorTimerInterrupt) {
      slice_ended = 1;
      MSR(S3_4_C14_C5_1, 0);  // CNTHPS_CTL_EL2
    } else if (intid == kTimerInterrupt) {
      // Masked until the guest writes CNTV_CTL again; a list register carries it.
      MSR(cntv_ctl_el0, 3);
      if (running) running->vgic.pending |= BIT(kTimerInterrupt);
    } else {
      for (unsigned n = 0; n < kGuests; ++n) {
        if (guests[n].device && guests[n].device_interrupt == intid) {
          guests[n].vgic.pending |= BIT(intid);
          ours = 0;  // The guest's EOI deactivates it.
        }
      }
    }
    if (ours) MSR(S3_0_C12_C11_1, intid);  // ICC_DIR_EL1
    ISB();
  }
}

static u64 read_lr(unsigned n) {
  switch (n) {
    case 0:
      return MRS(S3_4_C12_C12_0);
    case 1:
      return MRS(S3_4_C12_C12_1);
    case 2:
      return MRS(S3_4_C12_C12_2);
    default:
      return MRS(S3_4_C12_C12_3);
  }
}

static void write_lr(unsigned n, u64 value) {
  switch (n) {
    case 0:
      MSR(S3_4_C12_C12_0, value);
      break;
    case 1:
      MSR(S3_4_C12_C12_1, value);
      break;
    case 2:
      MSR(S3_4_C12_C12_2, value);
      break;
    default:
      MSR(S3_4_C12_C12_3, value);
  }
}

static u64 deliverable(const struct vgic* v) {
  return (v->pending | v->line) & v->enabled;
}

int vgic_has_pending(const struct guest* guest) {
  return deliverable(&guest->vgic) != 0;
}

void vgic_set_line(struct guest* guest, unsigned intid, int level) {
  struct vgic* v = &guest->vgic;
  v->line = level ? v->line | BIT(intid) : v->line & ~BIT(intid);
}

void vgic_load(struct guest* guest) {
  struct vgic* v = &guest->vgic;
  u64 todo = deliverable(v) | v->active;
  for (unsigned n = 0; n < kListRegisters; ++n) {
    v->lr[n] = 0;
    if (todo) {
      const unsigned intid = (unsigned)__builtin_ctzl(todo);
      todo &= todo - 1;
      const int active = (v->active & BIT(intid)) != 0;
      u64 lr = (u64)intid | (u64)v->priority[intid] << 48 | LR_GROUP1;
      if (v->hardware & BIT(intid)) {
        // A hardware interrupt can not be pending and active at once.
        lr |= LR_HW | (u64)intid << 32 | (active ? LR_ACTIVE : LR_PENDING);
      } else {
        if (active) lr |= LR_ACTIVE;
        if (deliverable(v) & BIT(intid)) lr |= LR_PENDING;
      }
      v->lr[n] = lr;
    }
    write_lr(n, v->lr[n]);
  }
  MSR(S3_4_C12_C11_7, v->vmcr);  // ICH_VMCR_EL2
  MSR(S3_4_C12_C9_0, v->ap1r0);  // ICH_AP1R0_EL2
  ISB();
}

void vgic_save(struct guest* guest) {
  struct vgic* v = &guest->vgic;
  for (unsigned n = 0; n < kListRegisters; ++n) {
    if (!v->lr[n]) continue;
    const u64 lr = read_lr(n), mine = BIT(FIELD(v->lr[n], 31, 0));
    v->active = lr & LR_ACTIVE ? v->active | mine : v->active & ~mine;
    if (v->lr[n] & LR_PENDING && !(lr & LR_PENDING)) v->pending &= ~mine;
    write_lr(n, 0);
    v->lr[n] = 0;
  }
  v->vmcr = MRS(S3_4_C12_C11_7);
  v->ap1r0 = MRS(S3_4_C12_C9_0);
}

void vgic_release(struct guest* guest) {
  if (!guest->device) return;
  disable_interrupt(guest->device_interrupt);
  MSR(S3_0_C12_C11_1, guest->device_interrupt);  // In case the guest left it active.
  ISB();
}
