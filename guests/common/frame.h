// Registers of an experiment, as start.S saves and restores them.
#pragma once

#define FRAME_ELR 248
#define FRAME_ESR 264
#define FRAME_HPFAR 280
#define FRAME_SP_EL0 296
#define FRAME_HOST 312

// The EL1 vectors report themselves by HVC #(EL1_VECTOR_CALL + index).
#define EL1_VECTOR_CALL 0x100

#ifndef __ASSEMBLER__
#include "types.h"

struct frame {
  u64 x[31];
  u64 elr, spsr;
  u64 esr, far;
  u64 hpfar, vector;
  u64 sp_el0, sp_el1;
  u64 host[13];
};
_Static_assert(__builtin_offsetof(struct frame, elr) == FRAME_ELR, "start.S");
_Static_assert(__builtin_offsetof(struct frame, esr) == FRAME_ESR, "start.S");
_Static_assert(__builtin_offsetof(struct frame, hpfar) == FRAME_HPFAR, "start.S");
_Static_assert(__builtin_offsetof(struct frame, sp_el0) == FRAME_SP_EL0, "start.S");
_Static_assert(__builtin_offsetof(struct frame, host) == FRAME_HOST, "start.S");

/// Enters frame->elr with frame->spsr and returns at the next exception that reaches EL2.
void run_lower(struct frame* frame);
#endif
