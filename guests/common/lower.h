// Experiments below EL2: a known EL1 world, a snippet of code to run in it, what it met.
#pragma once

#include "frame.h"
#include "types.h"

/// PSTATE of an experiment, interrupts masked.
enum { kEl0 = 0x3c0, kEl1t = 0x3c4, kEl1h = 0x3c5, kEl2t = 0x3c8, kEl2h = 0x3c9 };

/// SVC with this immediate ends a snippet that met no exception.
#define DONE_IMMEDIATE 0x7fff

/// Code for an experiment. It lies in a page that EL0 and EL1 may read and execute.
#define SNIPPET(name, text)                                                                  \
  extern const char name[];                                                                  \
  __asm__(".pushsection .text.lower, \"ax\"\n.arch armv8.5-a\n.balign 16\n" #name ":\n" text \
          "\nsvc #0x7fff\n.popsection\n")

/// The address of such code, written in place. Statements are parted by "; ".
#define CODE(text)                                                                      \
  ({                                                                                    \
    const void* code_;                                                                  \
    __asm__(".pushsection .text.lower, \"ax\"\n.arch armv8.5-a\n.balign 16\n77:\n" text \
            "\nsvc #0x7fff\n.ltorg\n.popsection\nadrp %0, 77b\nadd %0, %0, :lo12:77b"   \
            : "=r"(code_));                                                             \
    code_;                                                                              \
  })
/// Runs that code and prints a line that begins with its text.
#define TRY(text, pstate) show(text, CODE(text), pstate)

/// The EL1&0 translation maps RAM twice: at its address, and here by TTBR1_EL1. Snippets run here,
/// so that TTBR0_EL1 is free.
#define HIGH 0xffffffff00000000ul

/// What ended an experiment.
struct seen {
  unsigned el;      ///< Exception level the exception was taken to.
  unsigned vector;  ///< Index into the vector table: offset / 0x80.
  u64 esr, far, hpfar, elr, spsr;
  int done;  ///< The snippet ran to its end.
};

extern struct frame cpu;  ///< Registers before and after the last experiment.
extern struct seen seen;  ///< What the last experiment met.

/// HCR_EL2, SCTLR_EL1, TCR_EL1 and the other controls as experiments expect them to be: EL1 in
/// AArch64, stage 1 on with the maps above, stage 2 off, nothing trapped. Clears `cpu`.
void reset_world(void);
/// Turns stage 2 on: 4 KiB granules, 32 bits, from level 1. RAM is mapped to itself, nothing else.
void enable_stage2(void);
/// The level 1 table of that stage 2; reset_world() restores it.
extern u64 stage2_l1[512];
/// The level 1 and 2 tables of both halves of stage 1; reset_world() restores what it made.
extern u64 stage1_l1[512], stage1_l2[512];
void tlbi_all(void);
/// Runs `code` (a SNIPPET, or any address of the image) at `pstate` until its first exception.
void run(const void* code, u64 pstate);
/// The same at exactly `address`; ELR is then shown relative to it.
void run_at(u64 address, u64 pstate);
/// Prints what the last experiment met, after its name and without a newline.
void show_seen(const char* name);
/// run(), show_seen() and a newline.
void show(const char* name, const void* code, u64 pstate);

int is_max(void);  ///< The CPU has the extensions that models before Armv8.1 lack.
