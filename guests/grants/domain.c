// A domain that grants pages to another ("role=granter peer=N") or maps them ("role=mapper
// peer=N"). Each step of one is answered by the other in words of the first page, so that nothing
// but that page carries them. Runs under Xen with xsm=dummy and where the simulator is the
// hypervisor. Only there: "try=execution", "try=store" or "try=all" has the mapper do what a
// mapping does not allow, which Xen 4.17 lets it try for ever, and "until=gone" has the granter
// wait until a toolstack has removed the mapper, which unmaps one page of three. With
// "try=replaced" both put other pages in the place of some that are granted or mapped.
#include "../xen_abi/abi.h"

volatile struct shared_info* shared;

enum {
  kPermit = 1,
  kGrantReadOnly = 4,
  kReading = 8,
  kWriting = 16,
  kHostMap = 2,
  kMapReadOnly = 4
};
enum { kDataRef = 8, kReadOnlyRef = 9, kCodeRef = 10, kGivenRef = 11, kNewRef = 12 };
enum { kPermissionDenied = -8 };
static volatile u64* const table = (volatile u64*)kGrantTable;

/// Words of the first page.
enum { kMagic, kMapperStep, kGranterStep, kOfMapper, kOfGranter };

__attribute__((aligned(4096))) static u32 code_page[1024];
static u16 peer;
static int waits_for_end, tries_execution, tries_store, replaces;
static volatile unsigned aborts;
static volatile u64 resume;

/// From the vectors: a refused store is stepped over, a refused call returns.
void synchronous(void) {
  const u64 esr = MRS(esr_el1), ec = esr >> 26;
  if ((ec != 0x25 && ec != 0x21) || ++aborts > 1) {
    print("exception ESR %x ELR %x\n", esr, MRS(elr_el1));
    power_off();
  }
  MSR(elr_el1, ec == 0x21 ? resume : MRS(elr_el1) + 4);
}

/// The page as words that are loaded and stored whole.
static volatile u64* words(u8* page) {
  __asm__("" : "+r"(page));
  return (volatile u64*)__builtin_assume_aligned(page, 4096);
}

static void put_code(unsigned result) {
  code_page[0] = 0xd2800000 | result << 5;  // movz x0, #result
  code_page[1] = 0xd65f03c0;                // ret
  DSB();
}

static unsigned run_code(void) {
  __asm__ volatile("dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" ::"r"(code_page)
                   : "memory");
  return ((unsigned (*)(void))(u64)code_page)();
}

static void run_refused_code(void) {
  aborts = 0;
  __asm__ volatile("adr x9, 1f\n str x9, %0\n blr %1\n1:"
                   : "=m"(resume)
                   : "r"(code_page)
                   : "x0", "x9", "x30", "memory");
  print("a call %s\n", aborts ? "aborts" : "returns");
}

/// Whoever waits looks often and gives way seldom, which keeps traces short.
static void wait_a_little(void) {
  static unsigned looked;
  if (++looked % 256 == 0) CALL2(kSchedOp, 0, 0);
}

static void step(volatile u64* page, unsigned whose, u64 number) {
  DSB();
  page[whose] = number;
  DSB();
}

static void wait_for(volatile u64* page, unsigned whose, u64 number) {
  while (page[whose] != number) wait_a_little();
  DSB();
}

static void give(u32 ref, u16 flags, const void* page) {
  table[ref] = flags | (u64)peer << 16 | GFN(page) << 32;
  DSB();
}

static void granter(void) {
  volatile u64* const page = words(page_a);
  volatile u64* const constant = words(page_c);
  u64 request[3] = {kDomIdSelf | 1ul << 32, 0, GFN(kGrantTable)};
  print("grant table mapped %x\n", (u64)CALL2(kMemoryOp, 7, request));
  page[kMagic] = 0x600d;
  constant[0] = 0xc0de;
  put_code(1);
  print("own code gives %d\n", run_code());
  give(kReadOnlyRef, kPermit | kGrantReadOnly, page_c);
  give(kCodeRef, kPermit, code_page);
  give(kDataRef, kPermit, page_a);

  wait_for(page, kMapperStep, 1);
  print("the mapper wrote %x\n", page[kOfMapper]);
  page[kOfGranter] = 0xa4;
  step(page, kGranterStep, 1);

  wait_for(page, kMapperStep, 2);
  print("code that the mapper wrote gives %d\n", run_code());
  step(page, kGranterStep, 2);

  wait_for(page, kMapperStep, 3);
  print("written again, it gives %d\n", run_code());
  print("the constant is %x, its entry %x\n", constant[0], table[kReadOnlyRef] & 0xffff);
  table[kReadOnlyRef] &= ~(u64)(kPermit | kGrantReadOnly);  // While it is mapped.
  constant[0] = 0xbeef;
  step(page, kGranterStep, 3);

  wait_for(page, kMapperStep, 4);
  print("unmapped, its entry is %x\n", table[kReadOnlyRef] & 0xffff);
  print("entries in use %x %x\n", table[kDataRef] & 0xffff, table[kCodeRef] & 0xffff);
  step(page, kGranterStep, 4);
  if (!waits_for_end) return;
  while ((table[kDataRef] | table[kCodeRef]) & (kReading | kWriting)) wait_a_little();
  print("the mapper is gone, entries %x %x, ", table[kDataRef] & 0xffff, table[kCodeRef] & 0xffff);
  print("and what it wrote is %x\n", page[kOfMapper]);
}

__attribute__((aligned(4096))) static u8 given_page[4096], other_page[4096];
/// In a page that is taken for the ring of a console: what the domain wrote, and the back end took.
enum { kRingIndexes = 3080 / 8 };

static u64 reservation(u64 command, const void* page) {
  u64 frame = GFN(page);
  u64 request[4] = {(u64)&frame, 1, 0, kDomIdSelf};
  return (u64)CALL2(kMemoryOp, command, request);
}

static void granter_that_replaces(void) {
  volatile u64* const page = words(page_a);
  volatile u64* const constant = words(page_c);
  volatile u64* const given = words(given_page);
  u64 request[3] = {kDomIdSelf | 1ul << 32, 0, GFN(kGrantTable)};
  CALL2(kMemoryOp, 7, request);
  page[kMagic] = 0x600d;
  constant[0] = 0xc0de;
  constant[kRingIndexes] = 5ul << 32;
  given[0] = 0x01d;
  give(kReadOnlyRef, kPermit | kGrantReadOnly, page_c);
  give(kGivenRef, kPermit, given_page);
  give(kDataRef, kPermit, page_a);

  wait_for(page, kMapperStep, 1);
  print("the constant is %x, its indexes %x\n", constant[0], constant[kRingIndexes]);
  const u64 gave = reservation(1, given_page), took = reservation(6, given_page);
  print("given away %x, populated %x\n", gave, took);
  given[0] = 0x5ec;
  step(page, kGranterStep, 1);

  wait_for(page, kMapperStep, 2);
  print("the new page has %x\n", given[0]);
  give(kNewRef, kPermit, given_page);
  step(page, kGranterStep, 2);

  wait_for(page, kMapperStep, 3);
  u64 table_frame[3] = {kDomIdSelf | 1ul << 32, 1, GFN(given_page)};
  print("a frame of the grant table there %x\n", (u64)CALL2(kMemoryOp, 7, table_frame));
  step(page, kGranterStep, 3);

  wait_for(page, kMapperStep, 4);
  print("an entry in it is %x\n", given[8]);
  step(page, kGranterStep, 4);
}

struct map {
  u64 host_address;
  u32 flags, ref;
  u16 domain;
  i16 status;
  u32 handle;
  u64 bus_address;
};
struct unmap {
  u64 host_address, bus_address;
  u32 handle;
  i16 status;
};

static i16 map_of(u16 domain, u32 ref, u32 flags, u64 place, u32* handle) {
  struct map m = {place, flags, ref, domain, 0x55, 0, 0};
  const i64 result = CALL3(kGrantTableOp, 0, &m, 1);
  const volatile struct map* v = &m;
  if (handle) *handle = v->handle;
  return result ? (i16)result : v->status;
}

static i16 map_grant(u32 ref, u32 flags, volatile void* place, u32* handle) {
  return map_of(peer, ref, flags, (u64)place, handle);
}

static i16 unmap_grant(u32 handle, volatile void* place) {
  struct unmap u = {(u64)place, 0, handle, 0x55};
  const i64 result = CALL3(kGrantTableOp, 1, &u, 1);
  return result ? (i16)result : *(volatile i16*)&u.status;
}

static void say(const char* what, i64 value) {
  print("%s %s%x\n", what, value < 0 ? "-" : "", (u64)(value < 0 ? -value : value));
}

static void read_only(volatile u64* page) {
  volatile u64* const constant = words(page_c);
  u32 handle;
  say("writable map of a read-only grant", map_grant(kReadOnlyRef, kHostMap, page_c, 0));
  say("read-only map", map_grant(kReadOnlyRef, kHostMap | kMapReadOnly, page_c, &handle));
  say("constant", (i64)constant[0]);
  if (tries_store) {
    aborts = 0;
    constant[0] = 1;
    print("a store %s, and the constant is %x\n", aborts ? "aborts" : "is done", constant[0]);
  }
  say("a hypercall that writes there", CALL2(kXenVersion, 1, page_c));
  step(page, kMapperStep, 3);

  wait_for(page, kGranterStep, 3);
  say("revoked, the constant is", (i64)constant[0]);
  say("unmap", unmap_grant(handle, page_c));
  say("unmap again", unmap_grant(handle, page_c));
  say("map again", map_grant(kReadOnlyRef, kHostMap | kMapReadOnly, page_c, 0));
  step(page, kMapperStep, 4);
}

static u64 param(u32 index) {
  u64 request[2] = {kDomIdSelf | (u64)index << 32, 0};
  return CALL2(kHvmOp, 1, request) == 0 ? ((volatile u64*)request)[1] : 0;
}

static i16 copy_to_grant(u16 domain, u32 ref, const void* source) {
  struct {
    u64 source;
    u16 source_domain, source_offset;
    u64 dest;
    u16 dest_domain, dest_offset;
    u32 pad;
    u16 length, flags;
    i16 status;
  } copy = {GFN(source), kDomIdSelf, 0, ref, domain, 0, 0, 8, 2, 0x55};
  const i64 result = CALL3(kGrantTableOp, 5, &copy, 1);
  return result ? (i16)result : *(volatile i16*)&copy.status;
}

/// Maps a read-only page over pages of its own that it holds itself and the console's back end.
static void map_over_held_pages(void) {
  const u16 self = 3 - peer;
  u64 request[3] = {kDomIdSelf | 1ul << 32, 0, GFN(kGrantTable)};
  CALL2(kMemoryOp, 7, request);
  table[kGivenRef] = kPermit | (u64)self << 16 | GFN(given_page) << 32;
  DSB();
  say("map of its own", map_of(self, kGivenRef, kHostMap, (u64)page_a, 0));
  say("read-only map over it", map_grant(kReadOnlyRef, kHostMap | kMapReadOnly, given_page, 0));
  say("copy to what was there", copy_to_grant(self, kGivenRef, code_page));
  u32 port = (u32)param(18);
  say("and over a ring", map_of(peer, kReadOnlyRef, kHostMap | kMapReadOnly, param(17) << 12, 0));
  CALL2(kEventChannelOp, 4, &port);
}

static void wait_for_first_page(void) {
  i16 status;
  int said = 0;
  while ((status = map_grant(kDataRef, kHostMap, page_b, 0)) != 0) {
    if (status == kPermissionDenied && !said++) say("the first page is refused", status);
    wait_a_little();
  }
}

static void mapper_that_replaces(void) {
  volatile u64* const page = words(page_b);
  volatile u64* const given = words(other_page);
  wait_for_first_page();
  map_over_held_pages();
  u32 handle;
  say("map", map_grant(kGivenRef, kHostMap, other_page, &handle));
  step(page, kMapperStep, 1);

  wait_for(page, kGranterStep, 1);
  say("what was given away has", (i64)given[0]);
  given[0] = 0xb3;
  say("map again", map_grant(kGivenRef, kHostMap, page_c, 0));
  say("unmap", unmap_grant(handle, other_page));
  step(page, kMapperStep, 2);

  wait_for(page, kGranterStep, 2);
  say("map of the new page", map_grant(kNewRef, kHostMap, other_page, 0));
  say("it has", (i64)given[0]);
  step(page, kMapperStep, 3);

  wait_for(page, kGranterStep, 3);
  given[8] = kPermit;
  step(page, kMapperStep, 4);
  wait_for(page, kGranterStep, 4);
}

static void mapper(void) {
  volatile u64* const page = words(page_b);
  wait_for_first_page();
  say("the granter's page has", (i64)page[kMagic]);
  page[kOfMapper] = 0xb3;
  step(page, kMapperStep, 1);

  wait_for(page, kGranterStep, 1);
  say("the granter wrote", (i64)page[kOfGranter]);
  put_code(7);
  print("own code gives %d\n", run_code());
  u32 handle;
  say("map over it", map_grant(kCodeRef, kHostMap, code_page, &handle));
  print("the granter's code begins with %x\n", (u64) * (volatile u32*)code_page);
  put_code(2);
  if (tries_execution) run_refused_code();
  step(page, kMapperStep, 2);

  wait_for(page, kGranterStep, 2);
  put_code(4);
  read_only(page);
  wait_for(page, kGranterStep, 4);
  // The granter ends meanwhile, unless it waits for the end of this domain.
  for (unsigned n = 0; n < 20000; ++n) wait_a_little();
  say("at the end the granter's page has", (i64)page[kMagic]);
}

void guest_main(const void* tree) {
  char word[16];
  fdt_option(tree, "peer=", word, sizeof word);
  peer = (u16)(word[0] - '0');
  fdt_option(tree, "role=", word, sizeof word);
  const char role = word[0];
  fdt_option(tree, "until=", word, sizeof word);
  waits_for_end = word[0] != 0;
  fdt_option(tree, "try=", word, sizeof word);
  tries_execution = word[0] == 'a' || word[0] == 'e';
  tries_store = word[0] == 'a' || word[0] == 's';
  replaces = word[0] == 'r';
  map_memory();
  if (role == 'g') {
    replaces ? granter_that_replaces() : granter();
  } else {
    replaces ? mapper_that_replaces() : mapper();
  }
  print("end\n");
  power_off();
}
