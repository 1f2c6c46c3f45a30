// A Xen domain that throws a seeded generator's choice of hypercalls, shared memory and ring
// contents at whoever serves it ("seed=N calls=N"), and, as "role=innocent", its neighbour, which
// does a fixed piece of work whose output must not depend on that.
#include "../xen_abi/abi.h"

volatile struct shared_info* shared;
static u64 state;

/// From the vectors: what was provoked is stepped over.
void synchronous(void) {
  MSR(elr_el1, MRS(elr_el1) + 4);
}

static u64 number_of(const char* text, u64 otherwise) {
  u64 value = 0;
  for (const char* c = text; *c >= '0' && *c <= '9'; ++c) value = value * 10 + (u64)(*c - '0');
  return text[0] ? value : otherwise;
}

/// xorshift64*
static u64 next(void) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545f4914f6cdd1dul;
}

static u64 below(u64 limit) {
  return (next() >> 16) % limit;
}

/// Numbers that mean something somewhere, and others.
static u64 value(void) {
  static const u64 known[] = {0,       1,       2,          3,          8,        15,
                              16,      31,      64,         511,        512,      1023,
                              1024,    4095,    4096,       kDomIdSelf, kDomIdIo, kDomIdXen,
                              0x7fff,  0x38000, 0x39000,    0x39001,    0x40080,  0x41000,
                              0x47fff, 0x48000, 0xffffffff, 0x80000000, ~0ul};
  switch (below(4)) {
    case 0:
      return next();
    case 1:
      return below(64);
    default:
      return known[below(COUNT(known))];
  }
}

static u64 pointer(void) {
  switch (below(8)) {
    case 0:
      return value();
    case 1:
      return kHole - below(64);
    case 2:
      return kReadOnlyAlias + below(4096);
    case 3:
      return (u64)page_a + below(4096);
    default:
      return kBuffer + (below(64) << 3);
  }
}

static void fill_buffers(void) {
  for (unsigned i = 0; i < 64; ++i) {
    u64 word = value();
    if (below(3) == 0) word = pointer();
    if (below(3) == 0) word = (u64)(u32)value() | value() << 32;
    ((volatile u64*)buffer_page)[i] = word;
    if (below(4) == 0) ((volatile u64*)page_a)[below(512)] = value();
  }
}

static void one_call(void) {
  static const u8 numbers[] = {7,  12, 12, 13, 17, 18, 20, 20, 20, 20, 21, 24, 27,
                               29, 32, 32, 32, 32, 33, 34, 35, 36, 39, 41, 42};
  u64 number = numbers[below(COUNT(numbers))];
  if (below(50) == 0) number = value();
  u64 command = below(4) ? below(30) : value();
  // It must not end itself, nor wait for good.
  if (number == kSchedOp && (command & 0xffffffff) - 1 < 3) command = 0;
  if (number == kSchedOp && (command & 0xffffffff) == 6)
    command = 4;  // Nor be ended by a watchdog.
  if (number == kSchedOpCompat) number = kSchedOp, command = 0;
  fill_buffers();
  if (number == kMulticall) {
    for (unsigned i = 0; i < 4; ++i)
      if (((volatile u64*)buffer_page)[i * 8] % 32 == kSchedOp)
        ((volatile u64*)buffer_page)[i * 8] = kXenVersion;
    hypercall(number, kBuffer, below(5), 0, 0, 0);
    return;
  }
  if (below(6) == 0) {
    hypercall(number, pointer(), command, value(), value(), value());
  } else {
    hypercall(number, command, pointer(), below(3) ? below(4) : value(), value(), value());
  }
}

static u64 param(u32 index) {
  u64 request[2] = {kDomIdSelf | (u64)index << 32, 0};
  return CALL2(kHvmOp, 1, request) == 0 ? ((volatile u64*)request)[1] : 0;
}

/// The pages that a domain shares from its start, and the ports to go with them.
static void rings(void) {
  static const struct { u32 page, port; } rings[] = {{1, 2}, {17, 18}};
  const unsigned which = (unsigned)below(2);
  const u64 page = param(rings[which].page) << 12;
  u32 port = (u32)param(rings[which].port);
  if (page < kExtended || page >= kExtended + 0x2000000) return;
  volatile u32* words = (volatile u32*)page;
  for (unsigned i = 0; i < 16; ++i) words[below(1024)] = (u32)value();
  if (below(2) == 0) {
    // A xenstore message with a plausible header, at the ring's producer.
    const u32 at = words[2048 / 4 + 1] & 1023;
    words[at / 4] = (u32)below(24);
    words[(at + 12) / 4 % 256] = (u32)(below(4) ? below(64) : value());
    words[2048 / 4 + 1] += (u32)below(1100);
  }
  CALL2(kEventChannelOp, 4, &port);
}

static void shared_memory(void) {
  volatile u64* page = (volatile u64*)(below(2) ? (u64)shared : kGrantTable);
  for (unsigned i = 0; i < 8; ++i) page[below(512)] = value();
  if (below(2) == 0) {
    volatile u64* table = (volatile u64*)kGrantTable;
    table[8 + below(8)] = below(32) | below(3) << 16 | (GFN(page_a) + below(3)) << 32;
  }
}

static void said_once(const char* what) {
  static unsigned maps;
  if (maps++ == 0) print("hostile: %s\n", what);
}

/// Into what some domain granted, which may stand elsewhere by now.
static void copy(void) {
  struct {
    u64 source;
    u16 source_domain, source_offset;
    u64 dest;
    u16 dest_domain, dest_offset;
    u32 pad;
    u16 length, flags;
    i16 status;
  } op = {GFN(buffer_page),  kDomIdSelf, 0, 8 + below(8), 1 + (u16)below(3), (u16)below(4088), 0,
          1 + (u16)below(8), 2,          0};
  CALL3(kGrantTableOp, 5, &op, 1);
}

/// Grants of its own and of others, at places that are in use as others' grants as well.
static void mapping(void) {
  static struct {
    u64 place;
    u32 handle;
  } known[8];
  const unsigned which = (unsigned)below(COUNT(known));
  if (below(4) == 0) copy();
  if (below(2) == 0) {
    // Something that can be mapped: the pages of this domain, to one of the two hostile ones.
    ((volatile u64*)kGrantTable)[8 + below(8)] =
        1 | below(4) / 3 * 4 | (2 + below(2)) << 16 | (GFN(page_a) + below(3)) << 32;
  }
  if (below(2) == 0) {
    struct {
      u64 host_address, bus_address;
      u32 handle;
      i16 status;
    } unmap = {known[which].place, 0, known[which].handle, 0};
    if (below(8) == 0) unmap.host_address = value();
    CALL3(kGrantTableOp, 1, &unmap, 1);
    return;
  }
  struct {
    u64 host_address;
    u32 flags, ref;
    u16 domain;
    i16 status;
    u32 handle;
    u64 bus_address;
  } map = {
      kExtended + 0x500000 + (below(8) << 12), 2, 8 + (u32)below(8), 1 + (u16)below(3), 1, 0, 0};
  if (below(64) == 0) map.host_address = (u64)page_a + (below(3) << 12);
  if (below(3) == 0) map.flags |= 4;
  if (below(16) == 0) map.flags = (u32)value();
  CALL3(kGrantTableOp, 0, &map, 1);
  known[which].place = map.host_address;
  known[which].handle = ((volatile typeof(map)*)&map)->handle;
  if (((volatile typeof(map)*)&map)->status == 0) said_once("a map is done");
  ((volatile u64*)(map.host_address & ~0xffful))[below(512)] = value();
}

static void attack(const void* tree) {
  char text[24];
  fdt_option(tree, "seed=", text, sizeof text);
  state = (number_of(text, 1) + 1) * 0x9e3779b97f4a7c15ul;
  fdt_option(tree, "calls=", text, sizeof text);
  const u64 calls = number_of(text, 2000);
  for (u64 n = 0; n < calls; ++n) {
    switch (below(8)) {
      case 0:
        rings();
        break;
      case 1:
        shared_memory();
        break;
      case 2:
        mapping();
        break;
      default:
        one_call();
    }
  }
  print("hostile: the end\n");
}

enum { kPermit = 1, kReadOnly = 4, kConstantRef = 8, kGivenRef = 10, kOwnRef = 12 };
__attribute__((aligned(4096))) static u8 constant_page[4096], given_page[4096];

static void grant(u32 ref, u64 flags, u16 to, const void* page) {
  ((volatile u64*)kGrantTable)[ref] = flags | (u64)to << 16 | GFN(page) << 32;
  DSB();
}

static void wait_ticks(u64 ticks) {
  MSR(cntv_tval_el0, ticks);
  MSR(cntv_ctl_el0, 1);
  while (!(MRS(cntv_ctl_el0) & 4)) CALL2(kSchedOp, 0, 0);
  MSR(cntv_ctl_el0, 0);
}

static void fill(u8* page, u64 with) {
  for (unsigned i = 0; i < 512; ++i) ((volatile u64*)page)[i] = with + i;
}

static u64 sum_of(const u8* page) {
  u64 sum = 0;
  for (unsigned i = 0; i < 512; ++i) sum = sum * 31 + ((const volatile u64*)page)[i];
  return sum;
}

/// Has a page that the other two may write, and puts another in its place, which they may not.
static u64 give_and_take(unsigned round) {
  u64 frame = GFN(given_page);
  u64 request[4] = {(u64)&frame, 1, 0, kDomIdSelf};
  for (u16 n = 0; n < 2; ++n) grant(kGivenRef + n, kPermit, 2 + n, given_page);
  wait_ticks(20000);
  for (u16 n = 0; n < 2; ++n) grant(kGivenRef + n, 0, 0, given_page);
  const i64 gave = CALL2(kMemoryOp, 1, request), took = CALL2(kMemoryOp, 6, request);
  fill(given_page, round);
  wait_ticks(20000);
  return gave == 1 && took == 1 ? sum_of(given_page) : 0;
}

static i16 map(u16 domain, u32 ref) {
  struct {
    u64 host_address;
    u32 flags, ref;
    u16 domain;
    i16 status;
    u32 handle;
    u64 bus_address;
  } op = {kExtended + 0x500000, 2, ref, domain, 1, 0, 0};
  CALL3(kGrantTableOp, 0, &op, 1);
  return ((volatile typeof(op)*)&op)->status;
}

/// Maps something of its own once there are no others, or they take too long.
static void map_afterwards(void) {
  enum { kBadDomain = -2 };
  for (unsigned n = 0; n < 50 && (map(2, 0) != kBadDomain || map(3, 0) != kBadDomain); ++n) {
    wait_ticks(20000);
  }
  fill(page_a, 77);
  grant(kOwnRef, kPermit, 1, page_a);
  const i16 status = map(1, kOwnRef);
  print("innocent: a map of its own %d %x\n", (int)status, sum_of((u8*)kExtended + 0x500000));
}

/// Calls whose answers are known, memory of its own, timers and events.
static void work(void) {
  fill(constant_page, 0xc0de);
  for (u16 n = 0; n < 2; ++n) grant(kConstantRef + n, kPermit | kReadOnly, 2 + n, constant_page);
  u32 ipi[2] = {0, 0};
  print("innocent: bind_ipi %d\n", (int)CALL2(kEventChannelOp, 7, ipi));
  u64 sum = 0;
  for (unsigned round = 0; round < 20; ++round) {
    u32 feature[2] = {0, 0};
    const i64 got = CALL2(kXenVersion, 6, feature);
    u16 self[4] = {kDomIdSelf};
    for (unsigned i = 0; i < 512; ++i) ((volatile u64*)page_b)[i] = round * 1000 + i;
    shared->pending[ipi[1] / 64] = 0;
    shared->vcpu[0].upcall_pending = 0;
    const i64 sent = CALL2(kEventChannelOp, 4, &ipi[1]);
    const u64 pending = shared->pending[ipi[1] / 64] >> (ipi[1] % 64) & 1;
    const u64 given = give_and_take(round);
    for (unsigned i = 0; i < 512; ++i) sum = sum * 31 + ((volatile u64*)page_b)[i];
    print(
        "innocent: round %d features %x send %d pending %d pages %x sum %x constant %x given %x\n",
        (int)round, got == 0 ? (u64)feature[1] : 0, (int)sent, (int)pending,
        (u64)CALL2(kMemoryOp, 3, self), sum, sum_of(constant_page), given);
  }
  map_afterwards();
  print("innocent: the end\n");
}

void guest_main(const void* tree) {
  char role[16];
  fdt_option(tree, "role=", role, sizeof role);
  map_memory();
  u64 request[3] = {kDomIdSelf, 0, GFN(kExtended + 0x100000)};
  CALL2(kMemoryOp, 7, request);
  shared = (volatile struct shared_info*)(kExtended + 0x100000);
  u64 table[3] = {kDomIdSelf | 1ul << 32, 0, GFN(kGrantTable)};
  CALL2(kMemoryOp, 7, table);
  if (role[0] == 'i')
    work();
  else
    attack(tree);
}
