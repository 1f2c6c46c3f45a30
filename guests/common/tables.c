#include "tables.h"

extern char __free_memory[];
static u64 pool;

void pool_reset(void) {
  pool = ((u64)__free_memory + 0x3fffff) & ~0x1ffffful;
}

u64 pool_take(unsigned bits) {
  const u64 size = BIT(bits);
  const u64 start = (pool + size - 1) & ~(size - 1);
  pool = start + size;
  for (u64 at = start; at < pool; at += 8) *(volatile u64*)at = 0;
  return start;
}

static unsigned shift_of(unsigned granule, unsigned level) {
  return granule + (3 - level) * (granule - 3);
}

struct tables new_tables(unsigned granule, unsigned va_bits) {
  unsigned level = 3;
  while (level && shift_of(granule, level) + granule - 3 < va_bits) --level;
  const unsigned bits = va_bits - shift_of(granule, level) + 3;
  // Architected minimum of 64 bytes only matters for 52-bit addresses; round up for tidiness.
  return (struct tables){granule, va_bits, level, pool_take(bits < 6 ? 6 : bits)};
}

u64* descriptor(const struct tables* tables, u64 va, unsigned level, u64 table_attributes) {
  u64 table = tables->root;
  va &= BIT(tables->va_bits) - 1;
  for (unsigned at = tables->start;; ++at) {
    const unsigned shift = shift_of(tables->granule, at);
    const u64 mask = at == tables->start ? ~0ul : BIT(tables->granule - 3) - 1;
    u64* entry = (u64*)table + ((va >> shift) & mask);
    if (at == level) return entry;
    if (!(*entry & 1)) *entry = pool_take(tables->granule) | kTable | table_attributes;
    table = *entry & 0xfffffffff000ul;
  }
}

u64* map(const struct tables* tables, u64 va, u64 pa, unsigned level, u64 attributes) {
  u64* entry = descriptor(tables, va, level, 0);
  *entry = pa | attributes | (level == 3 ? 3 : 1);
  return entry;
}

u64 tcr_of(const struct tables* tables) {
  const u64 tg0 = tables->granule == k4K ? 0 : tables->granule == k64K ? 1 : 2;
  return (64 - tables->va_bits) | 0x3500 | tg0 << 14;
}
