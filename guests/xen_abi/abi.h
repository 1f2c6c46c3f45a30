// Hypercalls of Xen on Arm: numbers and layouts as xen/include/public says (Xen 4.17).
#pragma once

#include "../common/console.h"
#include "../common/types.h"

enum {
  kSchedOpCompat = 6,
  kPlatformOp = 7,
  kMemoryOp = 12,
  kMulticall = 13,
  kEventChannelOpCompat = 16,
  kXenVersion = 17,
  kConsoleIo = 18,
  kPhysdevOpCompat = 19,
  kGrantTableOp = 20,
  kVmAssist = 21,
  kVcpuOp = 24,
  kXsmOp = 27,
  kSchedOp = 29,
  kEventChannelOp = 32,
  kPhysdevOp = 33,
  kHvmOp = 34,
  kSysctl = 35,
  kDomctl = 36,
  kArgoOp = 39,
  kDmOp = 41,
  kHypfsOp = 42
};
enum { kDomIdSelf = 0x7ff0, kDomIdIo = 0x7ff1, kDomIdXen = 0x7ff2, kDomIdInvalid = 0x7ff4 };

i64 hypercall(u64 number, u64 a, u64 b, u64 c, u64 d, u64 e);
#define CALL1(n, a) hypercall(n, (u64)(a), 0, 0, 0, 0)
#define CALL2(n, a, b) hypercall(n, (u64)(a), (u64)(b), 0, 0, 0)
#define CALL3(n, a, b, c) hypercall(n, (u64)(a), (u64)(b), (u64)(c), 0, 0)
void firmware_call(u64* registers, unsigned way);
void enable_mmu(u64 ttbr0, u64 tcr, u64 mair);

// Places of the guest's address space. All RAM is mapped to itself, Normal Write-Back.
#define kExtended 0x38000000ul  ///< Not RAM at the start; mapped so that frames can be put there.
#define kWindow 0x80000000ul
#define kBuffer (kWindow + 0x0000)  ///< The argument page, read and write; the next page is a hole.
#define kHole (kWindow + 0x1000)    ///< No translation at stage 1.
#define kReadOnlyAlias (kWindow + 0x2000)  ///< The argument page once more.
#define kNoRam (kWindow + 0x3000)          ///< Translated to an address that is no RAM.
#define kNoRamPa 0x7f000000ul
extern u8 buffer_page[4096], page_a[4096], page_b[4096], page_c[4096];
#define GFN(address) ((u64)(address) >> 12)
void map_memory(void);

// The device tree that X0 pointed to.
/// The value of `property` in the first node whose `compatible` has `compatible`; its length, or
/// -1.
i64 fdt_find(const void* tree, const char* compatible, const char* property, const u8** value);
/// The same of the node called `node`.
i64 fdt_find_named(const void* tree, const char* node, const char* property, const u8** value);
u32 be32(const u8* bytes);
/// The word behind `key` ("name=") on the command line; empty if it is not there.
void fdt_option(const void* tree, const char* key, char* value, unsigned size);

// Interrupts.
void gic_init(const void* tree);
unsigned gic_version(void);
void gic_enable(unsigned intid);
void gic_send_self(unsigned sgi);
void irqs_on(void);
void irqs_off(void);
/// Prints what was taken since the last call, in order: " [31 27]".
void print_taken(void);

// Lines of the table.
extern unsigned cases;
extern u32 port_base;  ///< First port that a call of ours is given.
extern u32 own_domain;
void begin(const char* format, ...);
/// " -> " and an error's name or a number; ends the line.
void result(i64 value);
/// The same without the end of the line, for fields that follow.
void result_part(i64 value);
void print_port(u32 port);
void line_end(void);
void print_signed(i64 value);
void clear_buffer(u8 with);
/// Calls `name` with `value` and prints one line.
#define CASE(value, ...) (begin(__VA_ARGS__), result(value))

/// Which arguments a sub-operation is tried with.
enum { kNowhere = 1, kEnd = 16, kBad = 17, kZero = 2, kOnes = 4, kUnwritable = 8, kAll = 31 };
struct sub {
  const char* name;  ///< Null: its number.
  u32 number;
  u8 kinds;
  u8 port_at;  ///< Offset + 1 of a port in the argument.
};
/// Tries each of `subs` with bad pointers and with buffers that are all zeros and all ones; prints
/// the words of the buffer that the call changed.
void sweep(const char* call, const struct sub* subs, unsigned count,
           i64 (*invoke)(u32 number, u64 pointer), void (*after)(void));

void version_cases(void);
void memory_cases(void);
void event_cases(void);
void close_ports(void);
void fifo_cases(void);
void grant_cases(void);
void scheduling_cases(void);
void misc_cases(void);
void multicall_cases(void);
void firmware_cases(void);
void interrupt_cases(void);

// Shared info and vcpu info (xen.h, arch-arm.h), 64-bit.
struct vcpu_info {
  u8 upcall_pending, pad[7];
  u64 pending_sel;
  u64 time[4];
};
struct shared_info {
  struct vcpu_info vcpu[1];
  u64 pending[64];
  u64 mask[64];
  u32 wc_version, wc_sec, wc_nsec, wc_sec_hi;
};
extern volatile struct shared_info* shared;
/// Asks for the shared info at its place; not a case of its own.
void map_shared_info(void);
#define kGrantTable (kExtended + 0x400000)
/// The same for frames 0 and 1 of the grant table.
void map_grant_table(void);
