#include "lower.h"

#include "console.h"
#include "tables.h"

struct frame cpu;
struct seen seen;
static u64 base;

extern const char el1_vectors[];

u64 stage1_l1[512] __attribute__((aligned(4096)));
u64 stage1_l2[512] __attribute__((aligned(4096)));
u64 stage2_l1[512] __attribute__((aligned(4096)));

enum { kHcrRw = 31 };

int is_max(void) {
  return FIELD(MRS(id_aa64mmfr1_el1), 11, 8) != 0;
}

static void build_default_map(void) {
  const u64 data = kBlock | kAf | kShared | kRwAll | kUxn | kPxn;
  for (u64 n = 0; n < 512; ++n) {
    // 0x40000000 text: read-only and executable for all. The next 2 MiB blocks: data.
    const u64 pa = 0x40000000ul + (n << 21);
    stage1_l2[n] = pa | (n ? data | kNormal : kBlock | kAf | kShared | kNormal | kRoAll);
    stage1_l1[n] = stage2_l1[n] = 0;
  }
  stage1_l1[0] = data;  // Devices
  stage1_l1[1] = (u64)stage1_l2 | kTable;
  stage1_l1[2] = 0x80000000ul | data | kNormal;  // No memory there
  stage2_l1[1] = 0x40000000ul | kBlock | kAf | kShared | kS2Normal | kS2Read | kS2Write;
}

void tlbi_all(void) {
  DSB();
  __asm__ volatile("tlbi alle1; tlbi alle2; ic iallu; dsb sy; isb" ::: "memory");
}

void enable_stage2(void) {
  MSR(vttbr_el2, (u64)stage2_l1 | 1ul << 48);
  MSR(vtcr_el2, BIT(31) | 2 << 16 | 0x3500 | 1 << 6 | 32);
  MSR(hcr_el2, MRS(hcr_el2) | 1);
  tlbi_all();
}

void reset_world(void) {
  build_default_map();
  cpu = (struct frame){0};
  cpu.sp_el0 = cpu.sp_el1 = 0x40400000;
  MSR(hcr_el2, BIT(kHcrRw));
  MSR(vttbr_el2, 0);
  MSR(vtcr_el2, BIT(31));
  MSR(cptr_el2, 0x33ff);
  MSR(cnthctl_el2, 3);
  MSR(cntkctl_el1, 0);
  MSR(mdcr_el2, FIELD(MRS(pmcr_el0), 15, 11));
  MSR(hstr_el2, 0);
  MSR(mdscr_el1, 0);
  MSR(cpacr_el1, 3 << 20);
  MSR(mair_el1, 0x44ff00);
  MSR(ttbr0_el1, (u64)stage1_l1);
  MSR(ttbr1_el1, (u64)stage1_l1);
  MSR(tcr_el1, kTcrDefault0 | kTcrDefault1);
  MSR(vbar_el1, HIGH | (u64)el1_vectors);
  MSR(sctlr_el1, kSctlrEl1);
  MSR(elr_el1, 0);
  MSR(spsr_el1, 0);
  MSR(esr_el1, 0);
  MSR(far_el1, 0);
  MSR(far_el2, 0);
  MSR(hpfar_el2, 0);
  tlbi_all();
}

void run_at(u64 address, u64 pstate) {
  base = address;
  cpu.elr = address;
  cpu.spsr = pstate;
  run_lower(&cpu);
  const u64 ec = FIELD(cpu.esr, 31, 26), call = FIELD(cpu.esr, 15, 0) - EL1_VECTOR_CALL;
  if (cpu.vector == 8 && ec == 0x16 && call < 16) {
    // With HCR_EL2.E2H the names of EL1 mean EL2's registers here.
    const int host = (MRS(hcr_el2) >> 34 & 1) != 0;
    seen = (struct seen){1,
                         (unsigned)call,
                         host ? MRS(S3_5_C5_C2_0) : MRS(esr_el1),
                         host ? MRS(S3_5_C6_C0_0) : MRS(far_el1),
                         0,
                         host ? MRS(S3_5_C4_C0_1) : MRS(elr_el1),
                         host ? MRS(S3_5_C4_C0_0) : MRS(spsr_el1),
                         0};
  } else {
    seen =
        (struct seen){2, (unsigned)cpu.vector, cpu.esr, cpu.far, cpu.hpfar, cpu.elr, cpu.spsr, 0};
  }
  seen.done = FIELD(seen.esr, 31, 26) == 0x15 && FIELD(seen.esr, 15, 0) == DONE_IMMEDIATE &&
              seen.vector % 4 == 0;
}

void run(const void* code, u64 pstate) {
  const unsigned el = FIELD(pstate, 3, 2);
  run_at(el < 2 ? HIGH | (u64)code : (u64)code, pstate);
}

/// Addresses of the code that ran are shown relative to it: they must not depend on the compiler.
static void show_address(const char* name, u64 address) {
  if (address - base < 0x1000) {
    print(" %s+%d", name, (int)(address - base));
  } else {
    print(" %s %x", name, address);
  }
}

void show_seen(const char* name) {
  static const char* const sources[] = {"sp0", "spx", "lower", "lower32"};
  static const char* const kinds[] = {"sync", "irq", "fiq", "serror"};
  print("%s:", name);
  if (seen.done) {
    print(" done");
    return;
  }
  print(" EL%d %s %s", (int)seen.el, kinds[seen.vector % 4], sources[seen.vector / 4]);
  const u64 ec = FIELD(seen.esr, 31, 26);
  if (seen.vector % 4 == 0 || seen.vector % 4 == 3) {
    print(" EC %2x IL %d ISS %7x", ec, (int)FIELD(seen.esr, 25, 25), FIELD(seen.esr, 24, 0));
  }
  show_address("ELR", seen.elr);
  print(" SPSR %x", seen.spsr);
  if (seen.vector % 4) return;
  const int is_abort = (ec & ~5ul) == 0x20;
  if ((is_abort && !FIELD(seen.esr, 10, 10)) || ec == 0x22) {
    show_address("FAR", seen.far);
  }
  // HPFAR_EL2 is defined for stage 2 translation, access flag and address size faults, and for
  // faults of a stage 1 walk (DDI 0487 D13.2.61).
  const int from_lower = ec == 0x20 || ec == 0x24;
  const u64 status = FIELD(seen.esr, 5, 2);
  if (seen.el == 2 && from_lower && (MRS(hcr_el2) & 1) && (status < 3 || FIELD(seen.esr, 7, 7))) {
    print(" HPFAR %x", seen.hpfar);
  }
}

void show(const char* name, const void* code, u64 pstate) {
  run(code, pstate);
  show_seen(name);
  print("\n");
}

void unexpected_exception(const struct frame* frame);
void unexpected_exception(const struct frame* frame) {
  print("\nunexpected exception: vector %d ESR %x ELR %x FAR %x\n", (int)frame->vector, frame->esr,
        frame->elr, frame->far);
  power_off();
}
