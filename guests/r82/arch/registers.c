// Every PMSAv8-64 register at EL1 and EL2: contents, aliases, banking, RES0 and WARL bits.
#include "arch.h"
#include "pmsa.h"

static const char* const prenr_rule = "PRENR_ELx: the enables of regions 0-31, DDI 0600 G1.3";
static const char* const prbar_rule = "PRBAR_ELx: BASE, SH, AP, XN; the rest RES0, DDI 0600 G1.3";
static const char* const prlar_rule =
    "PRLAR_ELx: LIMIT, NS, AttrIndx, EN; the rest RES0, DDI 0600 G1.3";
static const char* const prselr_rule = "PRSELR_ELx.REGION selects PRBAR and PRLAR, DDI 0600 G1.3";
static const char* const indexed_rule =
    "PRBAR<n>, PRLAR<n>: region PRSELR.REGION[7:4]:n, DDI 0600 G1.3";

#define PRBAR_WRITABLE 0x0000fffffffffffful
#define PRLAR_WRITABLE 0x0000ffffffffffdful

/// The registers of one MPU by functions, so that one test does for both.
struct mpu {
  const char* name;
  int regime;
  u64 (*mpuir)(void);
  u64 (*prenr)(void), (*prselr)(void), (*prbar)(void), (*prlar)(void);
  void (*set_prenr)(u64), (*set_prselr)(u64), (*set_prbar)(u64), (*set_prlar)(u64);
  u64 (*prbar_n)(unsigned), (*prlar_n)(unsigned);
  void (*set_prbar_n)(unsigned, u64), (*set_prlar_n)(unsigned, u64);
};

#define ACCESSORS(el, op1)                          \
  static u64 mpuir_##el(void) {                     \
    return MRS(MPUIR_EL##el);                       \
  }                                                 \
  static u64 prenr_##el(void) {                     \
    return MRS(PRENR_EL##el);                       \
  }                                                 \
  static u64 prselr_##el(void) {                    \
    return MRS(PRSELR_EL##el);                      \
  }                                                 \
  static u64 prbar_##el(void) {                     \
    return MRS(PRBAR_EL##el);                       \
  }                                                 \
  static u64 prlar_##el(void) {                     \
    return MRS(PRLAR_EL##el);                       \
  }                                                 \
  static void set_prenr_##el(u64 v) {               \
    MSR(PRENR_EL##el, v);                           \
    ISB();                                          \
  }                                                 \
  static void set_prselr_##el(u64 v) {              \
    MSR(PRSELR_EL##el, v);                          \
    ISB();                                          \
  }                                                 \
  static void set_prbar_##el(u64 v) {               \
    MSR(PRBAR_EL##el, v);                           \
    ISB();                                          \
  }                                                 \
  static void set_prlar_##el(u64 v) {               \
    MSR(PRLAR_EL##el, v);                           \
    ISB();                                          \
  }                                                 \
  static u64 prbar_n_##el(unsigned n) {             \
    u64 v = 0;                                      \
    switch (n) { INDEXED(READ, op1, 0, 4) }         \
    return v;                                       \
  }                                                 \
  static u64 prlar_n_##el(unsigned n) {             \
    u64 v = 0;                                      \
    switch (n) { INDEXED(READ, op1, 1, 5) }         \
    return v;                                       \
  }                                                 \
  static void set_prbar_n_##el(unsigned n, u64 v) { \
    switch (n) { INDEXED(WRITE, op1, 0, 4) }        \
    ISB();                                          \
  }                                                 \
  static void set_prlar_n_##el(unsigned n, u64 v) { \
    switch (n) { INDEXED(WRITE, op1, 1, 5) }        \
    ISB();                                          \
  }
#define READ(n, op1, crm, op2)             \
  case n:                                  \
    v = MRS(S3_##op1##_C6_C##crm##_##op2); \
    break;
#define WRITE(n, op1, crm, op2)           \
  case n:                                 \
    MSR(S3_##op1##_C6_C##crm##_##op2, v); \
    break;
// CRm = 8 | n >> 1, op2 = (n & 1) << 2, plus 1 for PRLAR.
#define INDEXED(verb, op1, even, odd)                                                           \
  verb(1, op1, 8, odd) verb(2, op1, 9, even) verb(3, op1, 9, odd) verb(4, op1, 10, even)        \
      verb(5, op1, 10, odd) verb(6, op1, 11, even) verb(7, op1, 11, odd) verb(8, op1, 12, even) \
          verb(9, op1, 12, odd) verb(10, op1, 13, even) verb(11, op1, 13, odd)                  \
              verb(12, op1, 14, even) verb(13, op1, 14, odd) verb(14, op1, 15, even)            \
                  verb(15, op1, 15, odd)
ACCESSORS(1, 0)
ACCESSORS(2, 4)

#define MPU(el, regime)                                                                            \
  {                                                                                                \
    "EL" #el, regime, mpuir_##el, prenr_##el, prselr_##el, prbar_##el, prlar_##el, set_prenr_##el, \
        set_prselr_##el, set_prbar_##el, set_prlar_##el, prbar_n_##el, prlar_n_##el,               \
        set_prbar_n_##el, set_prlar_n_##el                                                         \
  }
static const struct mpu mpus[2] = {MPU(1, kStage1), MPU(2, kEl2)};

/// Contents that name their region. They are never enabled.
static u64 bar_of(unsigned n) {
  return 0x40000000ul + n * 0x10000ul + (n & 0xful) * 0x40;
}
static u64 lar_of(unsigned n) {
  return bar_of(n) + 0x4000 + ((n & 7) << 1);
}

static void id_registers(void) {
  static const char* const rule = "ID_AA64MMFR0_EL1.MSA, MSA_frac, DDI 0600 G1.3";
  const u64 mmfr0 = MRS(id_aa64mmfr0_el1);
  point_value(FIELD(mmfr0, 51, 48), 15, rule, "MSA is 0b1111");
  const u64 frac = FIELD(mmfr0, 55, 52);
  point(frac == 1 || frac == 2, rule, "MSA_frac is PMSA only, or VMSA at EL1 too");
  const u64 pfr0 = MRS(id_aa64pfr0_el1);
  point_value(FIELD(pfr0, 15, 12), 0, "Armv8-R AArch64 has no EL3, DDI 0600", "PFR0.EL3");
  point_value(FIELD(pfr0, 11, 8), 1, "EL2 in AArch64 only", "PFR0.EL2");
  point_value(FIELD(pfr0, 7, 4), 1, "EL1 in AArch64 only", "PFR0.EL1");
  point_value(FIELD(pfr0, 3, 0), 1, "EL0 in AArch64 only", "PFR0.EL0");
  point_value(FIELD(pfr0, 27, 24), 1, "GICv3 system registers", "PFR0.GIC");
  point_value(FIELD(MRS(id_aa64isar0_el1), 23, 20), 2, "LSE is required, DDI 0600", "ISAR0.Atomic");
  point_value(FIELD(MRS(midr_el1), 15, 4), 0xd15, "Cortex-R82", "MIDR_EL1.PartNum");
  arch_reset();
  MSR(vpidr_el2, 0x410fd151);
  MSR(vmpidr_el2, 0x80000042);
  ISB();
  run_code(CODE("mrs x1, midr_el1; mrs x2, mpidr_el1; mrs x3, S3_0_C0_C0_4"), 1);
  point_value(cpu.x[1], 0x410fd151, "VPIDR_EL2, DDI 0487 D24", "MIDR_EL1 read at EL1");
  point_value(cpu.x[2], 0x80000042, "VMPIDR_EL2, DDI 0487 D24", "MPIDR_EL1 read at EL1");
  point_value(cpu.x[3], MRS(MPUIR_EL1), "MPUIR_EL1, DDI 0600 G1.3", "MPUIR_EL1 read at EL1");
  MSR(vpidr_el2, MRS(midr_el1));
  MSR(vmpidr_el2, MRS(mpidr_el1));
}

static void contents(const struct mpu* m) {
  const unsigned last = region_count(m->regime) - 1;
  const char* const el = m->name;
  point_value(m->mpuir() >> 8, 0, "MPUIR_ELx: bits above REGION are RES0, DDI 0600 G1.3",
              "%s: MPUIR", el);
  m->set_prselr(last);
  m->set_prlar(0);
  m->set_prbar(~0ul);
  point_value(m->prbar(), PRBAR_WRITABLE, prbar_rule, "%s: PRBAR written with ones", el);
  m->set_prbar(0);
  point_value(m->prbar(), 0, prbar_rule, "%s: PRBAR written with zeros", el);
  m->set_prlar(~1ul);
  point_value(m->prlar(), PRLAR_WRITABLE & ~1ul, prlar_rule, "%s: PRLAR, ones but EN", el);
  m->set_prbar(0x40);  // Base above limit: enabling the region matches nothing.
  m->set_prlar(1);
  point_value(m->prlar(), 1, prlar_rule, "%s: PRLAR.EN alone", el);
  m->set_prlar(0);
  m->set_prbar(0);
  m->set_prselr(~0ul);
  point_value(m->prselr(), 0xff, prselr_rule, "%s: PRSELR keeps bits 7:0", el);
}

static void selection(const struct mpu* m) {
  const unsigned count = region_count(m->regime);
  int direct = 1, by_index = 1, from_index = 1;
  for (unsigned n = kFirstSlot; n < count; ++n) {
    m->set_prselr(n);
    m->set_prbar(bar_of(n));
    m->set_prlar(lar_of(n));
  }
  for (unsigned n = kFirstSlot; n < count; ++n) {
    m->set_prselr(n);
    direct = direct && m->prbar() == bar_of(n) && m->prlar() == lar_of(n);
    if (n % 16 == 0) continue;
    for (unsigned low = 0; low < 16; low += 5) {
      m->set_prselr((n & ~15u) | low);
      by_index = by_index && m->prbar_n(n % 16) == bar_of(n) && m->prlar_n(n % 16) == lar_of(n);
    }
    m->set_prbar_n(n % 16, ~bar_of(n) & kBaseMask);
    m->set_prlar_n(n % 16, 0x80);
    m->set_prselr(n);
    from_index = from_index && m->prbar() == (~bar_of(n) & kBaseMask) && m->prlar() == 0x80;
  }
  point(direct, prselr_rule, "%s: each region keeps what it was given, %d to %d", m->name,
        kFirstSlot, (int)count - 1);
  point(by_index, indexed_rule, "%s: PRBAR<n> and PRLAR<n> read the bank of PRSELR", m->name);
  point(from_index, indexed_rule, "%s: PRBAR<n> and PRLAR<n> write the bank of PRSELR", m->name);
  if (count < 255) {
    static const char* const absent = "a region that does not exist: UNKNOWN, zero here";
    m->set_prselr(count);
    m->set_prbar(PRBAR_WRITABLE);
    m->set_prlar(PRLAR_WRITABLE & ~1ul);
    point(m->prbar() == 0 && m->prlar() == 0, absent, "%s: region %d keeps nothing", m->name,
          (int)count);
  }
  for (unsigned n = kFirstSlot; n < count; ++n) clear_region(m->regime, n);
}

static void enables(const struct mpu* m) {
  const unsigned count = region_count(m->regime);
  const u64 all = count >= 32 ? 0xffffffff : BIT(count) - 1;
  const u64 low = BIT(kFirstSlot) - 1;  // The image's own regions.
  for (unsigned n = kFirstSlot; n < count; ++n) {
    // Base above limit, so that enabling it is harmless.
    m->set_prselr(n);
    m->set_prbar(0x1000);
    m->set_prlar(0);
  }
  point_value(m->prenr(), low, prenr_rule, "%s: PRENR shows the enabled regions", m->name);
  int to_prenr = 1, from_prenr = 1;
  for (unsigned n = kFirstSlot; n < count; ++n) {
    m->set_prselr(n);
    m->set_prlar(1);
    to_prenr = to_prenr && m->prenr() == (low | (n < 32 ? BIT(n) : 0));
    m->set_prlar(0);
    if (n >= 32) continue;
    m->set_prenr(low | BIT(n));
    from_prenr = from_prenr && m->prlar() == 1;
    m->set_prenr(low);
    from_prenr = from_prenr && m->prlar() == 0;
  }
  point(to_prenr, prenr_rule, "%s: PRLAR.EN shows in PRENR below region 32", m->name);
  point(from_prenr, prenr_rule, "%s: PRENR writes PRLAR.EN", m->name);
  m->set_prenr(~0ul);
  point_value(m->prenr(), all, prenr_rule, "%s: PRENR of absent regions is RES0", m->name);
  if (count > 32) {
    m->set_prselr(32);
    point_value(m->prlar(), 0, prenr_rule, "%s: PRENR does not reach region 32", m->name);
    m->set_prlar(1);
    m->set_prenr(low);
    point_value(m->prlar(), 1, prenr_rule, "%s: PRENR does not disable region 32", m->name);
  }
  m->set_prenr(low);
  for (unsigned n = kFirstSlot; n < count; ++n) clear_region(m->regime, n);
}

/// EL1's registers from EL1 are the same as from EL2.
static void from_el1(void) {
  static const char* const rule = "the EL1 MPU's registers at EL1, DDI 0600 G1.3";
  arch_reset();
  cpu.x[0] = 5;
  cpu.x[1] = 0x40001008;
  cpu.x[2] = 0x40002004;
  run_code(CODE("msr S3_0_C6_C2_1, x0; isb; msr S3_0_C6_C8_0, x1; msr S3_0_C6_C8_1, x2; isb; "
                "mrs x3, S3_0_C6_C8_0; mrs x4, S3_0_C6_C10_5; mrs x5, S3_0_C6_C1_1; "
                "mrs x6, S3_0_C6_C2_1"),
           1);
  point(seen.done && cpu.x[3] == 0x40001008 && cpu.x[4] == 0x40002004 && cpu.x[5] == 7 &&
            cpu.x[6] == 5,
        rule, "EL1 writes and reads its regions");
  point_value(MRS(PRBAR_EL1), 0x40001008, rule, "EL2 sees what EL1 wrote");
  MSR(PRSELR_EL2, 7);
  MSR(PRSELR_EL1, 5);
  point(MRS(PRSELR_EL2) == 7 && MRS(PRSELR_EL1) == 5, rule, "the PRSELRs are apart");
  clear_region(kStage1, 5);
}

/// A write to a selected region without an ISB after PRSELR: allowed to be seen, and seen here.
static void others(void) {
  MSR(VSCTLR_EL2, 0x1234ul << 48);
  point_value(MRS(VSCTLR_EL2) >> 48, 0x1234, "VSCTLR_EL2.VMID, DDI 0600 G1.3", "VMID is kept");
  MSR(VSCTLR_EL2, 0);
  MSR(VSTCR_EL2, BIT(20));
  point_value(MRS(VSTCR_EL2) & BIT(20), BIT(20), "VSTCR_EL2.SC, DDI 0600", "SC is kept");
  MSR(VSTCR_EL2, 0);
  MSR(vtcr_el2, BIT(31));
  point_value(MRS(vtcr_el2) & BIT(31), FIELD(MRS(id_aa64mmfr0_el1), 55, 52) == 2 ? BIT(31) : 0,
              "VTCR_EL2.MSA, RES0 without MSA_frac 2, DDI 0600", "MSA is kept");
  MSR(vtcr_el2, 0);
}

void test_registers(void) {
  id_registers();
  for (unsigned n = 0; n < COUNT(mpus); ++n) {
    arch_reset();
    contents(&mpus[n]);
    selection(&mpus[n]);
    enables(&mpus[n]);
  }
  from_el1();
  others();
  arch_reset();
}
