// Single accesses from each Exception level, and what they meet.
#include "arch.h"

const char* const access_names[3] = {"read", "write", "fetch"};
const char* const outcome_names[5] = {"succeeds", "translation fault", "permission fault",
                                      "address size fault", "something else"};

static const u64 kSvcDone = 0xd4000001 | DONE_IMMEDIATE << 5;

u64 pstate_of(unsigned el) {
  return el == 0 ? kEl0 : el == 1 ? kEl1h : kEl2h;
}

enum outcome outcome(void) {
  if (seen.done) return kDone;
  const u64 ec = FIELD(seen.esr, 31, 26);
  if (seen.vector % 4 != 0 || (ec & ~5ul) != 0x20) return kOther;
  const u64 status = FIELD(seen.esr, 5, 0);
  // A PMSA fault always has level 0 (DDI 0600).
  if (kPmsa && status & 3 && !FIELD(MRS(vtcr_el2), 31, 31)) return kOther;
  switch (status >> 2) {
    case 0:
      return kAddressSize;
    case 1:
      return kTranslation;
    case 3:
      return kPermission;
    default:
      return kOther;
  }
}

void run_code(const void* code, unsigned el) {
  run_at((u64)code, pstate_of(el));
}

enum outcome attempt(enum access access, unsigned el, u64 address) {
  cpu.x[0] = address;
  cpu.x[1] = kSvcDone | kSvcDone << 32;  // What fill_arena() put there.
  switch (access) {
    case kRead:
      run_code(CODE("ldr x1, [x0]"), el);
      break;
    case kWrite:
      run_code(CODE("str x1, [x0]"), el);
      break;
    case kFetch:
      run_code(CODE("br x0"), el);
      // Whatever lies there, a done snippet has left the image.
      if (seen.done && seen.elr != (el == 2 || seen.el ? address + 4 : 0)) return kOther;
      break;
  }
  return outcome();
}

void expect(enum access access, unsigned el, u64 address, enum outcome want, unsigned to_el,
            const char* rule, const char* what) {
  const enum outcome got = attempt(access, el, address);
  int ok = got == want;
  if (ok && want != kDone) {
    ok = seen.el == to_el && seen.far == address;
    if (access == kFetch) ok = ok && seen.elr == address;
  }
  point(ok, rule, "%s: EL%d %s %s", what, (int)el, access_names[access], outcome_names[want]);
  if (got != want) print("# it was: %s\n", outcome_names[got]);
}

u64 protection_off(void) {
  const u64 sctlr = MRS(sctlr_el2);
  MSR(sctlr_el2, sctlr & ~1ul);
  ISB();
  return sctlr;
}

void protection_on(u64 sctlr) {
  DSB();
  MSR(sctlr_el2, sctlr);
  ISB();
}

void poke32(u64 address, u32 value) {
  const u64 sctlr = protection_off();
  write32(address, value);
  __asm__ volatile("dsb sy; ic iallu; dsb sy; isb" ::: "memory");
  protection_on(sctlr);
}

void poke64(u64 address, u64 value) {
  const u64 sctlr = protection_off();
  *(volatile u64*)address = value;
  protection_on(sctlr);
}

u64 peek64(u64 address) {
  const u64 sctlr = protection_off();
  const u64 value = *(volatile u64*)address;
  protection_on(sctlr);
  return value;
}

void fill_arena(void) {
  const u64 sctlr = protection_off();
  for (u64 at = arena; at < arena + kArenaPages * kPage; at += 4) write32(at, (u32)kSvcDone);
  __asm__ volatile("dsb sy; ic iallu; dsb sy; isb" ::: "memory");
  protection_on(sctlr);
}
