// memory_op.
#include "abi.h"

struct reservation {
  u64 extents, count;
  u32 order, flags;
  u16 domain;
};

static i64 memory_op(u32 number, u64 pointer) {
  return CALL2(kMemoryOp, number, pointer);
}

static i64 add_to_physmap(u16 domain, u16 size, u32 space, u64 index, u64 gfn) {
  u64 request[3] = {domain | (u64)size << 16 | (u64)space << 32, index, gfn};
  return CALL2(kMemoryOp, 7, request);
}

#define kSharedGfn GFN(kExtended + 0x100000)

void map_shared_info(void) {
  add_to_physmap(kDomIdSelf, 0, 0, 0, kSharedGfn);
  shared = (volatile struct shared_info*)(kExtended + 0x100000);
}

void map_grant_table(void) {
  for (u64 frame = 0; frame < 2; ++frame)
    add_to_physmap(kDomIdSelf, 0, 1, frame, GFN(kGrantTable) + frame);
}

static void reservations(void) {
  static const char* const names[] = {"increase_reservation", "decrease_reservation",
                                      "populate_physmap"};
  static const u32 numbers[] = {0, 1, 6};
  for (unsigned i = 0; i < 3; ++i) {
    u64 list[4] = {GFN(kNoRamPa), GFN(kNoRamPa) + 1, 0, 0};
    struct reservation r = {(u64)list, 1, 0, 0, 0};
    CASE(memory_op(numbers[i], (u64)&r), "memory_op %s of domain 0", names[i]);
    r.domain = 0x7fff;
    CASE(memory_op(numbers[i], (u64)&r), "memory_op %s of domain 0x7fff", names[i]);
    r.domain = kDomIdSelf;
    r.count = 0x4000000;
    CASE(memory_op(numbers[i], (u64)&r), "memory_op %s of 0x4000000", names[i]);
    r.count = ~0ul;
    CASE(memory_op(numbers[i], (u64)&r), "memory_op %s of 2^64-1", names[i]);
    r.count = 1;
    r.order = 30;
    CASE(memory_op(numbers[i], (u64)&r), "memory_op %s order 30", names[i]);
    r.order = ~0u;
    CASE(memory_op(numbers[i], (u64)&r), "memory_op %s order -1", names[i]);
    r.order = 0;
    r.extents = kHole;
    CASE(memory_op(numbers[i], (u64)&r), "memory_op %s list in a stage-1-hole", names[i]);
    r.extents = ~7ul;
    r.count = 4;
    CASE(memory_op(numbers[i], (u64)&r), "memory_op %s list at the top of the space", names[i]);
    // A continuation that begins behind the end.
    r.extents = (u64)list;
    r.count = 1;
    CASE(CALL2(kMemoryOp, numbers[i] | 1ul << 6, &r), "memory_op %s from extent 1 of 1", names[i]);
  }
  // Pages of the RAM's last half, given back and taken again.
  const u64 gfn = GFN(0x46000000);
  u64 list[4] = {gfn, gfn + 1, gfn + 2, GFN(kNoRamPa)};
  struct reservation r = {(u64)list, 1, 0, 0, kDomIdSelf};
  CASE(memory_op(1, (u64)&r), "memory_op decrease_reservation of one page");
  CASE(memory_op(1, (u64)&r), "memory_op decrease_reservation of the same page");
  CASE(memory_op(6, (u64)&r), "memory_op populate_physmap of that page");
  *(volatile u64*)(gfn << 12) = 0x1234;
  CASE(*(volatile u64*)(gfn << 12), "the populated page holds");
  r.count = 4;
  CASE(memory_op(1, (u64)&r),
       "memory_op decrease_reservation of three pages and one that is no RAM");
  r.count = 3;
  r.extents = (u64)list;
  CASE(memory_op(6, (u64)&r), "memory_op populate_physmap of three pages");
  u16 self[4] = {kDomIdSelf};
  CASE(memory_op(3, (u64)self), "memory_op current_reservation after that");
  r.count = 1;
  list[0] = gfn + 16;
  list[1] = 0;
  CASE(memory_op(6, (u64)&r), "memory_op populate_physmap over RAM");
  list[0] = 1ul << 40;
  CASE(memory_op(6, (u64)&r), "memory_op populate_physmap out of range");
  list[0] = ~0ul;
  CASE(memory_op(1, (u64)&r), "memory_op decrease_reservation of frame -1");
  list[0] = gfn + 1;
  r.order = 9;
  CASE(memory_op(1, (u64)&r), "memory_op decrease_reservation order 9 at an odd frame");
  CASE(memory_op(0, (u64)&r), "memory_op increase_reservation order 9");
  r.order = 0;
  r.flags = 1 << 16;
  list[0] = GFN(kNoRamPa);
  CASE(memory_op(6, (u64)&r), "memory_op populate_physmap on demand");
  r.flags = ~0u;
  CASE(memory_op(6, (u64)&r), "memory_op populate_physmap flags -1");
}

static void physmap(void) {
  static const u32 spaces[] = {0, 1, 2, 3, 4, 5, 6, ~0u};
  static const u64 indices[] = {0, 1, 5, 0x80000000, 0x10000, ~0ul};
  const u64 spare = GFN(kExtended + 0x200000);
  for (unsigned s = 0; s < COUNT(spaces); ++s)
    for (unsigned i = 0; i < COUNT(indices); ++i)
      CASE(add_to_physmap(kDomIdSelf, 1, spaces[s], indices[i], spare),
           "memory_op add_to_physmap space %d index 0x%x", (int)spaces[s], indices[i]);
  CASE(add_to_physmap(0, 1, 0, 0, spare), "memory_op add_to_physmap of domain 0");
  CASE(add_to_physmap(0x7fff, 1, 0, 0, spare), "memory_op add_to_physmap of domain 0x7fff");
  CASE(add_to_physmap((u16)own_domain, 1, 0, 0, spare),
       "memory_op add_to_physmap of its own number");
  CASE(add_to_physmap(kDomIdSelf, 1, 0, 0, 1ul << 40), "memory_op add_to_physmap frame 2^40");
  CASE(add_to_physmap(kDomIdSelf, 1, 0, 0, ~0ul), "memory_op add_to_physmap frame -1");
  CASE(CALL2(kMemoryOp, 7 | 1ul << 40, 0), "memory_op add_to_physmap from extent 2^34");
  CASE(CALL2(kMemoryOp, 7 | 1ul << 22, 0), "memory_op add_to_physmap from extent 2^16");
  u64 remove[2] = {kDomIdSelf, spare};
  CASE(CALL2(kMemoryOp, 15, remove), "memory_op remove_from_physmap of what was there");
  CASE(CALL2(kMemoryOp, 15, remove), "memory_op remove_from_physmap once more");
  remove[1] = ~0ul;
  CASE(CALL2(kMemoryOp, 15, remove), "memory_op remove_from_physmap frame -1");
  remove[0] = 0;
  CASE(CALL2(kMemoryOp, 15, remove), "memory_op remove_from_physmap of domain 0");
  remove[0] = 0x7fff;
  CASE(CALL2(kMemoryOp, 15, remove), "memory_op remove_from_physmap of domain 0x7fff");
  // What was taken away can be put elsewhere.
  remove[0] = kDomIdSelf;
  remove[1] = kSharedGfn;
  CASE(CALL2(kMemoryOp, 15, remove), "memory_op remove_from_physmap of the shared info");
  CASE(add_to_physmap(kDomIdSelf, 1, 0, 0, ~0ul),
       "memory_op add_to_physmap shared info at frame -1");
  CASE(add_to_physmap(kDomIdSelf, 1, 0, 0, 1ul << 40),
       "memory_op add_to_physmap shared info at frame 2^40");
  CASE(add_to_physmap(kDomIdSelf, 1, 0, 0, kSharedGfn),
       "memory_op add_to_physmap shared info again");
  remove[1] = GFN(kGrantTable) + 1;
  CASE(CALL2(kMemoryOp, 15, remove), "memory_op remove_from_physmap of frame 1 of the grant table");
  CASE(add_to_physmap(kDomIdSelf, 1, 1, 1, GFN(kGrantTable) + 1),
       "memory_op add_to_physmap frame 1 of the grant table again");
  // Over RAM: the frame that was there is the domain's no more.
  u16 self[4] = {kDomIdSelf};
  const i64 before = CALL2(kMemoryOp, 3, self);
  CASE(add_to_physmap(kDomIdSelf, 1, 1, 6, GFN(0x46100000)), "memory_op add_to_physmap over RAM");
  CASE(CALL2(kMemoryOp, 3, self) - before, "memory_op current_reservation, the change by that");
}

struct batch {
  u16 domain, space, size, extra;
  u64 indices, frames, errors;
};

static void batches(void) {
  u64 indices[2] = {7, 0}, frames[2] = {GFN(kExtended + 0x300000), GFN(kExtended + 0x301000)};
  i32 errors[2] = {77, 77};
  static const struct {
    const char* name;
    u16 domain, space, size, extra;
  } tries[] = {{"grant table", kDomIdSelf, 1, 2, 0},
               {"shared info", kDomIdSelf, 0, 2, 0},
               {"gmfn", kDomIdSelf, 2, 2, 0},
               {"gmfn_range", kDomIdSelf, 3, 2, 0},
               {"foreign of domain 0", kDomIdSelf, 4, 2, 0},
               {"foreign of domain 0x7fff", kDomIdSelf, 4, 2, 0x7fff},
               {"foreign of itself", kDomIdSelf, 4, 2, kDomIdSelf},
               {"foreign of DOMID_IO", kDomIdSelf, 4, 2, kDomIdIo},
               {"foreign of DOMID_XEN", kDomIdSelf, 4, 2, kDomIdXen},
               {"device memory", kDomIdSelf, 5, 2, 0},
               {"space 6", kDomIdSelf, 6, 2, 0},
               {"of none", kDomIdSelf, 1, 0, 0},
               {"extra set", kDomIdSelf, 1, 1, 1},
               {"of domain 0", 0, 1, 1, 0},
               {"of domain 0x7fff", 0x7fff, 1, 1, 0}};
  for (unsigned i = 0; i < COUNT(tries); ++i) {
    struct batch b = {tries[i].domain, tries[i].space, tries[i].size, tries[i].extra,
                      (u64)indices,    (u64)frames,    (u64)errors};
    errors[0] = errors[1] = 77;
    begin("memory_op add_to_physmap_batch %s", tries[i].name);
    result_part(CALL2(kMemoryOp, 23, &b));
    print("; ");
    print_signed(*(volatile i32*)&errors[0]);
    print(" ");
    print_signed(*(volatile i32*)&errors[1]);
    line_end();
  }
  struct batch b = {kDomIdSelf, 1, 1, 0, kHole, (u64)frames, (u64)errors};
  CASE(CALL2(kMemoryOp, 23, &b), "memory_op add_to_physmap_batch indices in a stage-1-hole");
  b = (struct batch){kDomIdSelf, 1, 1, 0, (u64)indices, kHole, (u64)errors};
  CASE(CALL2(kMemoryOp, 23, &b), "memory_op add_to_physmap_batch frames in a stage-1-hole");
  b = (struct batch){kDomIdSelf, 1, 1, 0, (u64)indices, (u64)frames, kHole};
  CASE(CALL2(kMemoryOp, 23, &b), "memory_op add_to_physmap_batch errors in a stage-1-hole");
}

struct resource {
  u16 domain, type;
  u32 id, count, pad;
  u64 frame, list;
};

static void resources(void) {
  u64 list[2] = {GFN(kExtended + 0x310000), GFN(kExtended + 0x311000)};
  static const struct {
    const char* name;
    struct resource request;
  } tries[] = {{"size of the grant table", {kDomIdSelf, 1, 0, 0, 0, 0, 0}},
               {"grant table", {kDomIdSelf, 1, 0, 1, 0, 0, 1}},
               {"grant status", {kDomIdSelf, 1, 1, 1, 0, 0, 1}},
               {"grant id 2", {kDomIdSelf, 1, 2, 1, 0, 0, 1}},
               {"ioreq server", {kDomIdSelf, 0, 0, 1, 0, 0, 1}},
               {"vmtrace", {kDomIdSelf, 2, 0, 1, 0, 0, 1}},
               {"type 3", {kDomIdSelf, 3, 0, 1, 0, 0, 1}},
               {"pad", {kDomIdSelf, 1, 0, 1, 1, 0, 1}},
               {"of domain 0", {0, 1, 0, 1, 0, 0, 1}},
               {"of domain 0x7fff", {0x7fff, 1, 0, 1, 0, 0, 1}}};
  for (unsigned i = 0; i < COUNT(tries); ++i) {
    struct resource request = tries[i].request;
    if (request.list) request.list = (u64)list;
    begin("memory_op acquire_resource %s", tries[i].name);
    result_part(CALL2(kMemoryOp, 28, &request));
    print(" count %d\n", (int)*(volatile u32*)&request.count);
  }
}

void memory_cases(void) {
  static const struct sub subs[] = {{"increase_reservation", 0, kAll, 0},
                                    {"decrease_reservation", 1, kAll, 0},
                                    {"current_reservation", 3, kAll, 0},
                                    {"maximum_reservation", 4, kAll, 0},
                                    {"machphys_mfn_list", 5, kAll, 0},
                                    {"populate_physmap", 6, kAll, 0},
                                    {"add_to_physmap", 7, kAll, 0},
                                    {"8", 8, kAll, 0},
                                    {"memory_map", 9, kAll, 0},
                                    {"machine_memory_map", 10, kAll, 0},
                                    {"exchange", 11, kAll, 0},
                                    {"machphys_mapping", 12, kAll, 0},
                                    {"set_memory_map", 13, kAll, 0},
                                    {"maximum_gpfn", 14, kAll, 0},
                                    {"remove_from_physmap", 15, kAll, 0},
                                    {"set_pod_target", 16, kAll, 0},
                                    {"get_pod_target", 17, kAll, 0},
                                    {"get_sharing_freed_pages", 18, kAll, 0},
                                    {"get_sharing_shared_pages", 19, kAll, 0},
                                    {"paging_op", 20, kAll, 0},
                                    {"access_op", 21, kAll, 0},
                                    {"sharing_op", 22, kAll, 0},
                                    {"add_to_physmap_batch", 23, kAll, 0},
                                    {"claim_pages", 24, kAll, 0},
                                    {"machphys_compat_mfn_list", 25, kAll, 0},
                                    {"get_vnumainfo", 26, kAll, 0},
                                    {"reserved_device_memory_map", 27, kAll, 0},
                                    {"acquire_resource", 28, kAll, 0},
                                    {"29", 29, kAll, 0},
                                    {"63", 63, kAll, 0}};
  sweep("memory_op", subs, COUNT(subs), memory_op, 0);
  begin("memory_op maximum_ram_page");
  result_part(memory_op(2, 0) > 0);
  print(" (not 0)\n");
  CASE(CALL2(kMemoryOp, 2 | 1 << 6, 0), "memory_op maximum_ram_page from extent 1");
  CASE(CALL2(kMemoryOp, 1ul << 63, 0), "memory_op 2^63");
  static const u16 domains[] = {kDomIdSelf, 0, kDomIdIo, kDomIdXen, kDomIdInvalid, 0x7fff};
  for (unsigned d = 0; d < COUNT(domains); ++d) {
    u16 request[4] = {domains[d]};
    CASE(memory_op(3, (u64)request), "memory_op current_reservation 0x%x", (u64)domains[d]);
    CASE(memory_op(4, (u64)request), "memory_op maximum_reservation 0x%x", (u64)domains[d]);
    CASE(memory_op(14, (u64)request), "memory_op maximum_gpfn 0x%x", (u64)domains[d]);
  }
  reservations();
  physmap();
  batches();
  resources();
}
