// Building VMSAv8-64 translation tables (DDI 0487 D8).
#pragma once

#include "types.h"

#define kTable 3ul
#define kBlock 1ul
#define kAttr(n) ((u64)(n) << 2)
#define kNormal kAttr(1)
#define kUserAp BIT(6)    // AP[1]
#define kReadOnly BIT(7)  // AP[2]
#define kRwAll kUserAp
#define kRoAll (kUserAp | kReadOnly)
#define kShared (3ul << 8)
#define kAf BIT(10)
#define kNotGlobal BIT(11)
#define kDbm BIT(51)
#define kContiguous BIT(52)
#define kPxn BIT(53)
#define kUxn BIT(54)
#define kPxnTable BIT(59)
#define kUxnTable BIT(60)
#define kApTable(n) ((u64)(n) << 61)
// Stage 2
#define kS2Normal (15ul << 2)
#define kS2Read BIT(6)
#define kS2Write BIT(7)
#define kS2Xn(n) ((u64)(n) << 53)

/// TCR_EL1 for 4 KiB granules and 32-bit ranges below and above; 40-bit physical addresses.
#define kTcrDefault0 (32ul | 0x3500ul)
#define kTcrDefault1 ((32ul << 16) | (0x3500ul << 16) | (2ul << 30) | (2ul << 32))
#define kSctlrEl1 (0x30d00800ul | 0x1005ul)

/// Granules by the log2 of their size.
enum { k4K = 12, k16K = 14, k64K = 16 };

/// One set of tables of either stage, taken from a pool.
struct tables {
  unsigned granule;  ///< log2
  unsigned va_bits;  ///< Of input addresses.
  unsigned start;    ///< First level.
  u64 root;
};

void pool_reset(void);
/// Zeroed memory of `1 << bits` bytes, aligned to its size. It lasts until pool_reset().
u64 pool_take(unsigned bits);
/// Tables for stage 1 of `va_bits`, with the start level that follows from it (D8.2.1).
struct tables new_tables(unsigned granule, unsigned va_bits);
/// The descriptor that translates `va` at `level`. Missing tables are made; their descriptors get
/// `table_attributes` as well.
u64* descriptor(const struct tables* tables, u64 va, unsigned level, u64 table_attributes);
/// Sets that descriptor to a block or page (by `level`) of `pa` with `attributes`.
u64* map(const struct tables* tables, u64 va, u64 pa, unsigned level, u64 attributes);
/// TCR_EL1's lower half for `tables` (TG0, T0SZ, cacheable, inner shareable).
u64 tcr_of(const struct tables* tables);
