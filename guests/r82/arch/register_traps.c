// Who may use the MPU's registers, and what takes the access away.
#include "arch.h"
#include "pmsa.h"

enum { kUndefined = 0, kTrapped = 0x18 };

/// ISS of a trapped MSR or MRS (EC 0x18).
#define ISS(op0, op1, crn, crm, op2, rt, read) \
  ((u64)(op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (rt) << 5 | (crm) << 1 | (read))

static void undefined(const void* code, unsigned el, const char* text, const char* rule) {
  run_code(code, el);
  const unsigned to = el == 2 ? 2 : 1;
  point(seen.el == to && seen.vector % 4 == 0 && FIELD(seen.esr, 31, 26) == kUndefined &&
            seen.elr == (u64)code,
        rule, "EL%d: %s is UNDEFINED", (int)el, text);
}

static void trapped(const void* code, u64 iss, const char* text, const char* rule) {
  run_code(code, 1);
  point(seen.el == 2 && seen.vector == 8 && seen.esr == (0x18ul << 26 | 1ul << 25 | iss) &&
            seen.elr == (u64)code,
        rule, "EL1: %s traps, ESR %8x", text, 0x18ul << 26 | 1ul << 25 | iss);
}

static void allowed(const void* code, const char* text, const char* rule) {
  run_code(code, 1);
  point(seen.done, rule, "EL1: %s is not trapped", text);
}

#define UNDEFINED(text, el, rule) undefined(CODE(text), el, text, rule)
#define TRAPPED(text, iss, rule) trapped(CODE(text), iss, text, rule)
#define ALLOWED(text, rule) allowed(CODE(text), text, rule)

static void by_level(void) {
  static const char* const rule = "access by Exception level, DDI 0600 G1.3";
  arch_reset();
  UNDEFINED("mrs x1, S3_0_C0_C0_4", 0, rule);
  UNDEFINED("mrs x1, S3_0_C6_C1_1", 0, rule);
  UNDEFINED("msr S3_0_C6_C2_1, x1", 0, rule);
  UNDEFINED("msr S3_0_C6_C8_0, x1", 0, rule);
  UNDEFINED("mrs x1, S3_0_C6_C8_1", 0, rule);
  UNDEFINED("mrs x1, S3_0_C6_C15_5", 0, rule);
  UNDEFINED("mrs x1, S3_4_C6_C8_0", 0, rule);
  UNDEFINED("mrs x1, S3_4_C0_C0_4", 1, rule);
  UNDEFINED("mrs x1, S3_4_C6_C1_1", 1, rule);
  UNDEFINED("msr S3_4_C6_C2_1, x1", 1, rule);
  UNDEFINED("msr S3_4_C6_C8_0, x1", 1, rule);
  UNDEFINED("mrs x1, S3_4_C6_C8_5", 1, rule);
  UNDEFINED("msr S3_0_C0_C0_4, x1", 1, "MPUIR_EL1 is read-only, DDI 0600 G1.3");
  UNDEFINED("msr S3_4_C0_C0_4, x1", 2, "MPUIR_EL2 is read-only, DDI 0600 G1.3");
  UNDEFINED("mrs x1, S3_4_C2_C0_0", 1, "VSCTLR_EL2 at EL1");
  UNDEFINED("smc #0", 1, "no EL3: SMC is UNDEFINED, DDI 0487 D1");
  UNDEFINED("smc #0", 2, "no EL3: SMC is UNDEFINED, DDI 0487 D1");
}

static void by_hcr(void) {
  static const char* const tvm = "HCR_EL2.TVM, DDI 0600 G1.3";
  static const char* const trvm = "HCR_EL2.TRVM, DDI 0600 G1.3";
  static const char* const tid1 = "HCR_EL2.TID1, DDI 0600 G1.3";
  arch_reset();
  MSR(hcr_el2, BIT(31) | BIT(26));
  ISB();
  TRAPPED("msr S3_0_C6_C1_1, x2", ISS(3, 0, 6, 1, 1, 2, 0), tvm);
  TRAPPED("msr S3_0_C6_C2_1, x3", ISS(3, 0, 6, 2, 1, 3, 0), tvm);
  TRAPPED("msr S3_0_C6_C8_0, x4", ISS(3, 0, 6, 8, 0, 4, 0), tvm);
  TRAPPED("msr S3_0_C6_C8_1, x5", ISS(3, 0, 6, 8, 1, 5, 0), tvm);
  TRAPPED("msr S3_0_C6_C12_4, x30", ISS(3, 0, 6, 12, 4, 30, 0), tvm);
  TRAPPED("msr S3_0_C6_C15_5, xzr", ISS(3, 0, 6, 15, 5, 31, 0), tvm);
  TRAPPED("msr sctlr_el1, x2", ISS(3, 0, 1, 0, 0, 2, 0), tvm);
  TRAPPED("msr mair_el1, x2", ISS(3, 0, 10, 2, 0, 2, 0), tvm);
  ALLOWED("mrs x2, S3_0_C6_C8_0", tvm);
  UNDEFINED("msr S3_0_C6_C8_0, x1", 0, "an access that EL0 can not make is UNDEFINED first");
  MSR(hcr_el2, BIT(31) | BIT(30));
  ISB();
  TRAPPED("mrs x2, S3_0_C6_C1_1", ISS(3, 0, 6, 1, 1, 2, 1), trvm);
  TRAPPED("mrs x3, S3_0_C6_C2_1", ISS(3, 0, 6, 2, 1, 3, 1), trvm);
  TRAPPED("mrs x4, S3_0_C6_C8_0", ISS(3, 0, 6, 8, 0, 4, 1), trvm);
  TRAPPED("mrs x5, S3_0_C6_C8_1", ISS(3, 0, 6, 8, 1, 5, 1), trvm);
  TRAPPED("mrs x30, S3_0_C6_C9_4", ISS(3, 0, 6, 9, 4, 30, 1), trvm);
  ALLOWED("mrs x2, S3_0_C0_C0_4", trvm);
  MSR(hcr_el2, BIT(31) | BIT(16));
  ISB();
  TRAPPED("mrs x2, S3_0_C0_C0_4", ISS(3, 0, 0, 0, 4, 2, 1), tid1);
  ALLOWED("mrs x2, S3_0_C6_C1_1", tid1);
  arch_reset();
}

void test_register_traps(void) {
  by_level();
  by_hcr();
}
