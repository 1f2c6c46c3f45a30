// The architecture test: experiments below EL2 and at EL2, each a line of TAP that cites its rule.
#pragma once

#include "../../common/console.h"
#include "../../common/lower.h"
#include "../../common/types.h"

#ifdef BOARD_BASER
#define kPmsa 1
#else
#define kPmsa 0
#endif

// ---- TAP -----------------------------------------------------------------------------------

/// One point: "ok N - text [rule]". The text is printf-like, see print(). Below a point that fails
/// come the lines that `fail_*` say and what the last experiment met.
void point(int ok, const char* rule, const char* format, ...);
/// The same, for one value that must be `want`.
void point_value(u64 got, u64 want, const char* rule, const char* format, ...);
unsigned failures(void);
void plan(void);

// ---- The world an experiment runs in -------------------------------------------------------

/// What an area of memory permits, in the terms of PRBAR. On a machine with translation tables the
/// same is built from their permission bits.
enum {
  kEl1Only = 0,    ///< AP = 00: read-write, higher EL only.
  kRw = 1,         ///< AP = 01: read-write, all.
  kRoEl1Only = 2,  ///< AP = 10: read-only, higher EL only.
  kRo = 3,         ///< AP = 11: read-only, all.
  kXn0 = 4,        ///< XN[0]: stage 2 never executes.
  kXn1 = 8,        ///< XN[1]: stage 1 never executes.
  kXn = kXn0 | kXn1,
};

enum { kStage1 = 1, kEl2 = 2 };
enum { kPage = 4096, kSlots = 4 };
/// Memory that no area covers until a test covers it: 64 pages.
extern const u64 arena;
enum { kArenaPages = 64 };

/// EL1&0 and EL2 protect the image and the UART, nothing of the arena; stage 2 is off, nothing is
/// trapped, `cpu` is clear.
void arch_reset(void);
/// Lets `regime` see [first, last] with `permissions`. Slots count from 0 to kSlots - 1; a slot
/// that is used again loses what it had. For kEl2 the area answers for EL2 and, while stage 2 is
/// on, for EL1&0 too. Whole pages, except on a PMSA machine.
void area(int regime, unsigned slot, u64 first, u64 last, unsigned permissions);
void area_off(int regime, unsigned slot);
void stage2(int on);
/// Sets or clears bits of SCTLR_EL1 or SCTLR_EL2.
void control(int regime, u64 set, u64 clear);
#define SCTLR_M BIT(0)
#define SCTLR_BR BIT(17)
#define SCTLR_WXN BIT(19)

// ---- Accesses --------------------------------------------------------------------------------

enum access { kRead, kWrite, kFetch };
extern const char* const access_names[3];

/// What an access met.
enum outcome { kDone, kTranslation, kPermission, kAddressSize, kOther };
extern const char* const outcome_names[5];

/// PSTATE for an Exception level: kEl0, kEl1h, kEl2h.
u64 pstate_of(unsigned el);
/// Makes the access from `el` (a fetch branches there; the memory must hold `svc #0x7fff`) and
/// tells what it met. `seen` has the details.
enum outcome attempt(enum access access, unsigned el, u64 address);
/// Of the last experiment.
enum outcome outcome(void);
/// Fills pages of the arena with `svc #0x7fff`. The world must have been reset.
void fill_arena(void);
/// Runs `code` in place, at `el`.
void run_code(const void* code, unsigned el);
/// EL2's protection, for code that touches what no area covers; off() returns what on() wants.
u64 protection_off(void);
void protection_on(u64 sctlr);
/// Accesses from EL2 with its protection off.
void poke32(u64 address, u32 value);
void poke64(u64 address, u64 value);
u64 peek64(u64 address);

/// A point: `access` from `el` to `address` must end with `want`, taken to `to_el`.
void expect(enum access access, unsigned el, u64 address, enum outcome want, unsigned to_el,
            const char* rule, const char* what);

// ---- The tests -------------------------------------------------------------------------------

void test_permissions(void);
void test_faults(void);
void test_at(void);
void test_registers(void);
void test_register_traps(void);
void test_regions(void);
void test_background(void);
void test_split(void);
void test_vmsa(void);
