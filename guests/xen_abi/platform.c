// Memory map, device tree and interrupt controller of a Xen guest.
#include "../common/tables.h"
#include "abi.h"

__attribute__((aligned(4096))) u8 buffer_page[4096], page_a[4096], page_b[4096], page_c[4096];

void map_memory(void) {
  pool_reset();
  const struct tables tables = new_tables(k4K, 39);
  // Devices below; the part that Xen leaves for grants and shared pages is memory.
  for (u64 va = 0; va < 0x40000000; va += 0x200000) {
    const int memory = va >= kExtended && va < kExtended + 0x2000000;
    map(&tables, va, va, 2, kAf | kPxn | kUxn | (memory ? kNormal | kShared : kAttr(0)));
  }
  map(&tables, 0x40000000, 0x40000000, 1, kAf | kNormal | kShared | kUxn);
  map(&tables, kBuffer, (u64)buffer_page, 3, kAf | kNormal | kShared | kPxn | kUxn);
  map(&tables, kReadOnlyAlias, (u64)buffer_page, 3,
      kAf | kNormal | kShared | kPxn | kUxn | kReadOnly);
  map(&tables, kNoRam, kNoRamPa, 3, kAf | kNormal | kShared | kPxn | kUxn);
  // Attributes 0: Device-nGnRE, 1: Normal Write-Back. TTBR1 is off.
  enable_mmu(tables.root, tcr_of(&tables) | BIT(23) | 2ul << 32, 0xff04);
}

u32 be32(const u8* bytes) {
  return (u32)bytes[0] << 24 | (u32)bytes[1] << 16 | (u32)bytes[2] << 8 | bytes[3];
}

static int equal(const char* a, const char* b) {
  while (*a && *a == *b) ++a, ++b;
  return *a == *b;
}

/// Whether `list`, texts one after another, has `text`.
static int has_text(const u8* list, u32 bytes, const char* text) {
  for (u32 at = 0; at < bytes;) {
    if (equal((const char*)list + at, text)) return 1;
    while (at < bytes && list[at]) ++at;
    ++at;
  }
  return 0;
}

/// Walks the structure block of a flattened tree (Devicetree Specification 5.4). `compatible` or
/// `node` names the node that is wanted.
static i64 find(const u8* tree, const char* compatible, const char* node, const char* property,
                const u8** value) {
  const u8* at = tree + be32(tree + 8);
  const char* strings = (const char*)tree + be32(tree + 12);
  int matches = 0;
  i64 length = -1;
  for (;;) {
    const u32 token = be32(at);
    at += 4;
    if (token == 1) {  // FDT_BEGIN_NODE
      matches = node && equal((const char*)at, node);
      length = -1;
      while (*at) ++at;
      at = (const u8*)(((u64)at + 4) & ~3ul);
    } else if (token == 3) {  // FDT_PROP
      const u32 bytes = be32(at);
      const char* name = strings + be32(at + 4);
      at += 8;
      if (compatible && equal(name, "compatible")) matches |= has_text(at, bytes, compatible);
      if (equal(name, property)) {
        *value = at;
        length = bytes;
      }
      at += (bytes + 3) & ~3u;
    } else if (token == 9) {  // FDT_END
      return -1;
    } else if (token == 2) {  // FDT_END_NODE
      matches = 0;
    }
    if (matches && length >= 0) return length;
  }
}

i64 fdt_find(const void* tree, const char* compatible, const char* property, const u8** value) {
  return find(tree, compatible, 0, property, value);
}

i64 fdt_find_named(const void* tree, const char* node, const char* property, const u8** value) {
  return find(tree, 0, node, property, value);
}

void fdt_option(const void* tree, const char* key, char* value, unsigned size) {
  const u8* text = 0;
  const i64 bytes = fdt_find_named(tree, "chosen", "bootargs", &text);
  unsigned n = 0;
  for (i64 at = 0; at < bytes && n == 0; ++at) {
    i64 from = at;
    const char* k = key;
    while (*k && from < bytes && text[from] == (u8)*k) ++k, ++from;
    if (*k) continue;
    while (from < bytes && text[from] > ' ' && n + 1 < size) value[n++] = (char)text[from++];
  }
  value[n] = 0;
}

static unsigned version;
static u64 distributor, cpu_interface;  ///< The redistributor with a GICv3.
static u32 taken[16];
static volatile unsigned n_taken;

unsigned gic_version(void) {
  return version;
}

static u64 cells64(const u8* bytes) {
  return (u64)be32(bytes) << 32 | be32(bytes + 4);
}

void gic_init(const void* tree) {
  const u8* reg;
  version = fdt_find(tree, "arm,gic-v3", "reg", &reg) >= 32 ? 3 : 2;
  if (version == 2 && fdt_find(tree, "arm,gic-400", "reg", &reg) < 32 &&
      fdt_find(tree, "arm,cortex-a15-gic", "reg", &reg) < 32) {
    print("the device tree names no GIC\n");
    power_off();
  }
  distributor = cells64(reg);
  cpu_interface = cells64(reg + 16);
  if (version == 2) {
    write32(distributor, 1);
    write32(cpu_interface + 4, 0xff);
    write32(cpu_interface, 1);
    return;
  }
  write32(distributor, 0x12);  // ARE_NS, EnableGrp1
  write32(cpu_interface + 0x14, 0);
  while (read32(cpu_interface + 0x14) & 4) {
  }
  write32(cpu_interface + 0x10080, ~0u);
  MSR(S3_0_C12_C12_5, 7);  // ICC_SRE_EL1
  ISB();
  MSR(S3_0_C4_C6_0, 0xff);  // ICC_PMR_EL1
  MSR(S3_0_C12_C12_7, 1);   // ICC_IGRPEN1_EL1
  ISB();
}

void gic_enable(unsigned intid) {
  write32(version == 2 ? distributor + 0x100 : cpu_interface + 0x10100, 1u << intid);
}

void gic_send_self(unsigned sgi) {
  if (version == 2) {
    write32(distributor + 0xf00, 2u << 24 | sgi);
  } else {
    MSR(S3_0_C12_C11_5, (u64)sgi << 24 | 1);  // ICC_SGI1R_EL1
    ISB();
  }
}

/// From the vectors: acknowledges one interrupt and notes it.
void irq(void) {
  const u32 intid = version == 2 ? read32(cpu_interface + 0xc) : (u32)MRS(S3_0_C12_C12_0);
  if (n_taken < COUNT(taken)) taken[n_taken++] = intid & 0x3ff;
  if ((intid & 0x3ff) == 27) MSR(cntv_ctl_el0, 2);
  if ((intid & 0x3ff) == 30) MSR(cntp_ctl_el0, 2);
  // The upcall is a level: it stays until upcall_pending is cleared.
  if ((intid & 0x3ff) == 31 && shared) shared->vcpu[0].upcall_pending = 0;
  DSB();
  if (version == 2) {
    write32(cpu_interface + 0x10, intid);
  } else {
    MSR(S3_0_C12_C12_1, intid);
    ISB();
  }
}

void irqs_on(void) {
  __asm__ volatile("msr daifclr, #2" ::: "memory");
}

void irqs_off(void) {
  __asm__ volatile("msr daifset, #2" ::: "memory");
}

void print_taken(void) {
  print(" taken");
  for (unsigned i = 0; i < n_taken; ++i) print(" %d", (int)taken[i]);
  if (n_taken == 0) print(" nothing");
  n_taken = 0;
}
