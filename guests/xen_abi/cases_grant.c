// grant_table_op, version 1 of the table.
#include "abi.h"

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
struct copy_end {
  u64 ref_or_gfn;
  u16 domain, offset;
};
struct copy {
  struct copy_end source, dest;
  u16 length, flags;
  i16 status;
};
enum {
  kHostMap = 2,
  kReadOnly_ = 4,
  kPermit = 1,
  kAcceptTransfer = 2,
  kTransitive = 3,
  kGrantReadOnly = 4
};

static u32 count_of_sweep;
static volatile u64* const table = (volatile u64*)kGrantTable;
#define kMapPlace (kExtended + 0x500000)

static i64 grant_op(u32 number, u64 pointer) {
  return CALL3(kGrantTableOp, number, pointer, count_of_sweep);
}

static void grant(u32 ref, u16 flags, u16 domain, u64 gfn) {
  table[ref] = flags | (u64)domain << 16 | gfn << 32;
  DSB();
}

static void print_status(i16 status) {
  print("; status ");
  print_signed(status);
}

static void grant_flags(u32 ref) {
  print(" flags 0x%x", table[ref] & 0xffff);
}

static void table_setup(void) {
  u64 frames[4] = {0, 0, 0, 0};
  struct {
    u16 domain;
    u32 count;
    i16 status;
    u64 list;
  } setup;
  static const struct {
    const char* name;
    u16 domain;
    u32 count;
    int hole;
  } tries[] = {{"1 frame", kDomIdSelf, 1, 0},
               {"0 frames", kDomIdSelf, 0, 0},
               {"2 frames", kDomIdSelf, 2, 0},
               {"65 frames", kDomIdSelf, 65, 0},
               {"4294967295 frames", kDomIdSelf, ~0u, 0},
               {"of domain 0", 0, 1, 0},
               {"of domain 0x7fff", 0x7fff, 1, 0},
               {"list in a stage-1-hole", kDomIdSelf, 1, 1}};
  for (unsigned i = 0; i < COUNT(tries); ++i) {
    setup.domain = tries[i].domain;
    setup.count = tries[i].count;
    setup.status = 0x55;
    setup.list = tries[i].hole ? kHole : (u64)frames;
    begin("grant_table_op setup_table %s", tries[i].name);
    result_part(CALL3(kGrantTableOp, 2, &setup, 1));
    print_status(*(volatile i16*)&setup.status);
    line_end();
  }
  CASE(CALL3(kGrantTableOp, 2, &setup, 2), "grant_table_op setup_table count 2");
  static const u16 domains[] = {kDomIdSelf, 0, 0x7fff};
  for (unsigned d = 0; d < COUNT(domains); ++d) {
    u32 size[4] = {domains[d], 0, 0, 0x5555};
    begin("grant_table_op query_size 0x%x", (u64)domains[d]);
    result_part(CALL3(kGrantTableOp, 6, size, 1));
    print_status(*(volatile i16*)&size[3]);
    if (d == 0)
      print(" frames %d of %d", (int)((volatile u32*)size)[1], (int)((volatile u32*)size)[2]);
    line_end();
    u32 version[2] = {domains[d], 0x55};
    const i64 got = CALL3(kGrantTableOp, 10, version, 1);
    begin("grant_table_op get_version 0x%x", (u64)domains[d]);
    result_part(got);
    print(" version %d\n", (int)((volatile u32*)version)[1]);
  }
  for (u32 wanted = 0; wanted < 4; ++wanted) {
    u32 version = wanted;
    begin("grant_table_op set_version %d", (int)wanted);
    result_part(CALL3(kGrantTableOp, 8, &version, 1));
    print(" version %d\n", (int)*(volatile u32*)&version);
  }
  for (u64 index = 0; index < 3; ++index) {
    u64 request[3] = {kDomIdSelf | 1ul << 32, index, GFN(kGrantTable) + index};
    CASE(CALL2(kMemoryOp, 7, request), "memory_op add_to_physmap grant table frame %d", (int)index);
  }
}

static void map_case(const char* name, u32 ref, u16 domain, u32 flags, u64 place, u32* handle) {
  struct map m = {place, flags, ref, domain, 0x55, 0xdead, 0xdead};
  begin("grant_table_op map_grant_ref %s", name);
  result_part(CALL3(kGrantTableOp, 0, &m, 1));
  const volatile struct map* v = &m;
  print_status(v->status);
  if (handle) *handle = v->status == 0 ? v->handle : ~0u;
  if (ref < 512) grant_flags(ref);
  line_end();
}

static void unmap_case(const char* name, u32 handle, u64 place, u32 ref) {
  struct unmap u = {place, 0, handle, 0x55};
  begin("grant_table_op unmap_grant_ref %s", name);
  result_part(CALL3(kGrantTableOp, 1, &u, 1));
  print_status(*(volatile i16*)&u.status);
  grant_flags(ref);
  line_end();
}

static void mapping(void) {
  u32 handle, second;
  *(volatile u64*)page_a = 0x600d;
  map_case("of a ref that is not granted", 8, (u16)own_domain, kHostMap, kMapPlace, 0);
  grant(8, kPermit, (u16)own_domain, GFN(page_a));
  map_case("DOMID_SELF", 8, kDomIdSelf, kHostMap, kMapPlace, 0);
  map_case("domain 0", 500, 0, kHostMap, kMapPlace, 0);
  map_case("domain 0x7fff", 500, 0x7fff, kHostMap, kMapPlace, 0);
  map_case("flags 0", 8, (u16)own_domain, 0, kMapPlace, 0);
  map_case("device_map only", 8, (u16)own_domain, 1, kMapPlace, 0);
  map_case("application_map", 8, (u16)own_domain, 8, kMapPlace, 0);
  map_case("contains_pte", 8, (u16)own_domain, kHostMap | 16, kMapPlace, 0);
  map_case("ref 511", 511, (u16)own_domain, kHostMap, kMapPlace, 0);
  map_case("ref out of range", 100000, (u16)own_domain, kHostMap, kMapPlace, 0);
  map_case("ref -1", ~0u, (u16)own_domain, kHostMap, kMapPlace, 0);
  map_case("own", 8, (u16)own_domain, kHostMap, kMapPlace, &handle);
  begin("what was mapped reads");
  result(*(volatile u64*)kMapPlace);
  *(volatile u64*)(kMapPlace + 8) = 0xcafe;
  CASE(*(volatile u64*)(page_a + 8), "what is written there is in the page");
  map_case("own a second time", 8, (u16)own_domain, kHostMap, kMapPlace + 0x1000, &second);
  unmap_case("wrong handle", 77, kMapPlace, 8);
  unmap_case("handle -1", ~0u, kMapPlace, 8);
  unmap_case("wrong place", handle, kMapPlace + 0x8000, 8);
  unmap_case("the second", second, kMapPlace + 0x1000, 8);
  unmap_case("the first", handle, kMapPlace, 8);
  unmap_case("the first again", handle, kMapPlace, 8);
  grant(8, kPermit | kGrantReadOnly, (u16)own_domain, GFN(page_a));
  map_case("writable of a read-only grant", 8, (u16)own_domain, kHostMap, kMapPlace, &handle);
  map_case("read-only of a read-only grant", 8, (u16)own_domain, kHostMap | kReadOnly_, kMapPlace,
           &handle);
  unmap_case("read-only", handle, kMapPlace, 8);
  grant(8, kPermit, 0, GFN(page_a));
  map_case("of a grant for domain 0", 8, (u16)own_domain, kHostMap, kMapPlace, 0);
  grant(8, kAcceptTransfer, (u16)own_domain, GFN(page_a));
  map_case("of a grant for a transfer", 8, (u16)own_domain, kHostMap, kMapPlace, 0);
  grant(8, kTransitive, (u16)own_domain, GFN(page_a));
  map_case("of a transitive grant", 8, (u16)own_domain, kHostMap, kMapPlace, 0);
  grant(8, kPermit, (u16)own_domain, GFN(kNoRamPa));
  map_case("of a frame that is no RAM", 8, (u16)own_domain, kHostMap, kMapPlace, 0);
  grant(8, kPermit, (u16)own_domain, 0xffffffff);
  map_case("of frame 0xffffffff", 8, (u16)own_domain, kHostMap, kMapPlace, 0);
  grant(8, kPermit | 0x100, (u16)own_domain, GFN(page_a));
  map_case("of a sub-page grant", 8, (u16)own_domain, kHostMap, kMapPlace, 0);
  grant(8, kPermit, (u16)own_domain, GFN(page_a));
  map_case("at an odd place", 8, (u16)own_domain, kHostMap, kMapPlace + 8, &handle);
  unmap_case("at an odd place", handle, kMapPlace + 8, 8);
  map_case("at a place out of range", 8, (u16)own_domain, kHostMap, 1ul << 52, &handle);
  unmap_case("at a place out of range", handle, 1ul << 52, 8);
  struct map two[2] = {{kMapPlace, kHostMap, 8, (u16)own_domain, 0x55, 0, 0},
                       {kMapPlace + 0x1000, kHostMap, 9, (u16)own_domain, 0x55, 0, 0}};
  begin("grant_table_op map_grant_ref of two, the second not granted");
  result_part(CALL3(kGrantTableOp, 0, two, 2));
  print_status(((volatile struct map*)two)[0].status);
  print_status(((volatile struct map*)two)[1].status);
  line_end();
  unmap_case("the first of two", ((volatile struct map*)two)[0].handle, kMapPlace, 8);
  CASE(CALL3(kGrantTableOp, 0, two, 0), "grant_table_op map_grant_ref count 0");
  CASE(CALL3(kGrantTableOp, 0, two, ~0u), "grant_table_op map_grant_ref count 4294967295");
  CASE(CALL3(kGrantTableOp, 0, kHole - sizeof two[0], 2),
       "grant_table_op map_grant_ref the second in a stage-1-hole");
}

static void copy_case(const char* name, struct copy c) {
  c.status = 0x55;
  begin("grant_table_op copy %s", name);
  result_part(CALL3(kGrantTableOp, 5, &c, 1));
  print_status(*(volatile i16*)&c.status);
  line_end();
}

static void copying(void) {
  const u16 me = (u16)own_domain;
  for (unsigned i = 0; i < 4096; ++i) page_a[i] = (u8)i, page_b[i] = 0;
  grant(8, kPermit, me, GFN(page_a));
  grant(9, kPermit | kGrantReadOnly, me, GFN(page_a));
  const struct copy_end page = {GFN(page_b), kDomIdSelf, 0}, ref = {8, me, 0},
                        read_only = {9, me, 0};
  copy_case("grant to page", (struct copy){ref, page, 4096, 1, 0});
  CASE(page_b[4095], "copied the last byte");
  copy_case("page to grant", (struct copy){page, ref, 16, 2, 0});
  copy_case("grant to grant", (struct copy){ref, read_only, 16, 3, 0});
  copy_case("read-only grant to page", (struct copy){read_only, page, 16, 1, 0});
  copy_case("page to page", (struct copy){page, {GFN(page_c), kDomIdSelf, 0}, 16, 0, 0});
  copy_case("no bytes", (struct copy){ref, page, 0, 1, 0});
  copy_case("4097 bytes", (struct copy){ref, page, 4097, 1, 0});
  copy_case("65535 bytes", (struct copy){ref, page, 65535, 1, 0});
  copy_case("source across the end", (struct copy){{8, me, 4090}, page, 16, 1, 0});
  copy_case("source up to the end", (struct copy){{8, me, 4080}, page, 16, 1, 0});
  copy_case("dest across the end", (struct copy){ref, {GFN(page_b), kDomIdSelf, 4090}, 16, 1, 0});
  copy_case("source offset 4096", (struct copy){{8, me, 4096}, page, 0, 1, 0});
  copy_case("source ref not granted", (struct copy){{20, me, 0}, page, 16, 1, 0});
  copy_case("source ref out of range", (struct copy){{1000000, me, 0}, page, 16, 1, 0});
  copy_case("source ref 2^32", (struct copy){{1ul << 32, me, 0}, page, 16, 1, 0});
  copy_case("source domain 0x7fff", (struct copy){{8, 0x7fff, 0}, page, 16, 1, 0});
  copy_case("source ref of DOMID_SELF", (struct copy){{8, kDomIdSelf, 0}, page, 16, 1, 0});
  copy_case("source page of domain 0", (struct copy){{GFN(page_a), 0, 0}, page, 16, 0, 0});
  copy_case("source page of its own number", (struct copy){{GFN(page_a), me, 0}, page, 16, 0, 0});
  copy_case("source page no RAM", (struct copy){{GFN(kNoRamPa), kDomIdSelf, 0}, page, 16, 0, 0});
  copy_case("source page -1", (struct copy){{~0ul, kDomIdSelf, 0}, page, 16, 0, 0});
  copy_case("dest page no RAM", (struct copy){ref, {GFN(kNoRamPa), kDomIdSelf, 0}, 16, 1, 0});
  copy_case("flags -1", (struct copy){ref, ref, 16, 0xffff, 0});
  struct copy three[3] = {
      {ref, page, 16, 1, 0x55}, {{20, me, 0}, page, 16, 1, 0x55}, {ref, page, 16, 1, 0x55}};
  begin("grant_table_op copy of three, the second not granted");
  result_part(CALL3(kGrantTableOp, 5, three, 3));
  for (unsigned i = 0; i < 3; ++i) print_status(((volatile struct copy*)three)[i].status);
  line_end();
  CASE(CALL3(kGrantTableOp, 5, three, ~0u), "grant_table_op copy count 4294967295");
  CASE(CALL3(kGrantTableOp, 5, three, 0), "grant_table_op copy count 0");
}

static void others(void) {
  struct {
    u64 mfn;
    u16 domain;
    u32 ref;
    i16 status;
  } transfer;
  static const u16 domains[] = {0, 0x7fff, kDomIdSelf};
  for (unsigned i = 0; i < COUNT(domains) + 2; ++i) {
    transfer.mfn = i == 4 ? ~0ul : GFN(page_c);
    transfer.domain = i < COUNT(domains) ? domains[i] : (u16)own_domain;
    transfer.ref = 8;
    transfer.status = 0x55;
    begin("grant_table_op transfer to 0x%x%s", i < 3 ? (u64)transfer.domain : 1ul,
          i == 4 ? " frame -1" : "");
    result_part(CALL3(kGrantTableOp, 4, &transfer, 1));
    print_status(*(volatile i16*)&transfer.status);
    line_end();
  }
  struct {
    u32 a, b;
    i16 status;
  } swap = {8, 9, 0x55};
  begin("grant_table_op swap_grant_ref 8 and 9");
  result_part(CALL3(kGrantTableOp, 11, &swap, 1));
  print_status(*(volatile i16*)&swap.status);
  grant_flags(8);
  grant_flags(9);
  line_end();
  swap.b = 1000000;
  begin("grant_table_op swap_grant_ref out of range");
  result_part(CALL3(kGrantTableOp, 11, &swap, 1));
  print_status(*(volatile i16*)&swap.status);
  line_end();
  swap.b = 8;
  begin("grant_table_op swap_grant_ref with itself");
  result_part(CALL3(kGrantTableOp, 11, &swap, 1));
  print_status(*(volatile i16*)&swap.status);
  line_end();
  static const struct {
    const char* name;
    u64 address;
    u16 offset, length;
    u32 op;
  } flushes[] = {{"clean", 1, 0, 64, 1},
                 {"invalidate", 1, 0, 64, 2},
                 {"both", 1, 0, 64, 3},
                 {"neither", 1, 0, 64, 0},
                 {"op 4", 1, 0, 64, 4},
                 {"of no bytes", 1, 0, 0, 1},
                 {"across the end", 1, 4090, 64, 1},
                 {"offset 4096", 1, 4096, 0, 1},
                 {"of a ref", 8, 0, 64, 1u << 31 | 1},
                 {"of no RAM", 1ul << 39, 0, 64, 1},
                 {"of -1", ~0ul, 0, 64, 1}};
  for (unsigned i = 0; i < COUNT(flushes); ++i) {
    struct {
      u64 address;
      u16 offset, length;
      u32 op;
    } flush = {flushes[i].address == 1 ? (u64)page_a : flushes[i].address, flushes[i].offset,
               flushes[i].length, flushes[i].op};
    CASE(CALL3(kGrantTableOp, 12, &flush, 1), "grant_table_op cache_flush %s", flushes[i].name);
  }
}

void grant_cases(void) {
  table_setup();
  static const struct sub subs[] = {
      {"map_grant_ref", 0, kAll, 0}, {"unmap_grant_ref", 1, kAll, 0},
      {"setup_table", 2, kAll, 0},   {"dump_table", 3, kAll, 0},
      {"transfer", 4, kAll, 0},      {"copy", 5, kAll, 0},
      {"query_size", 6, kAll, 0},    {"unmap_and_replace", 7, kAll, 0},
      {"set_version", 8, kAll, 0},   {"get_status_frames", 9, kAll, 0},
      {"get_version", 10, kAll, 0},  {"swap_grant_ref", 11, kAll, 0},
      {"cache_flush", 12, kAll, 0},  {"13", 13, kAll, 0},
      {"-1", ~0u, kAll, 0}};
  for (count_of_sweep = 0; count_of_sweep < 2; ++count_of_sweep)
    sweep(count_of_sweep ? "grant_table_op count 1" : "grant_table_op count 0", subs, COUNT(subs),
          grant_op, 0);
  mapping();
  copying();
  others();
}
