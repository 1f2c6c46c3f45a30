// A Xen domain that makes one mistake of bring-up, or none: "finding=NAME" on its command line.
// Each mistake stands beside the right way, which is what every other case does.
#include "../common/tables.h"
#include "../xen_abi/abi.h"

static const char* wanted = "none";
static const void* tree;
static volatile unsigned aborts;

static int same(const char* a, const char* b) {
  while (*a && *a == *b) ++a, ++b;
  return *a == *b;
}

static int is(const char* name) {
  return same(wanted, name);
}

volatile struct shared_info* shared;

/// From the vectors: an abort that a case is about is stepped over.
void synchronous(void) {
  const u64 esr = MRS(esr_el1);
  const unsigned ec = (unsigned)(esr >> 26);
  ++aborts;
  if (ec != 0x25 || aborts > 1) {
    print("exception ESR %x ELR %x\n", esr, MRS(elr_el1));
    power_off();
  }
  MSR(elr_el1, MRS(elr_el1) + 4);
}

static u64 cells(const u8* value, i64 bytes) {
  u64 all = 0;
  for (i64 n = 0; n < bytes; ++n) all = all << 8 | value[n];
  return all;
}

/// The initrd is read before its memory becomes something else.
static void use_initrd(void) {
  const u8* value;
  const i64 bytes = fdt_find_named(tree, "chosen", "linux,initrd-start", &value);
  if (bytes < 4) return;
  volatile u64* initrd = (volatile u64*)cells(value, bytes);
  const u64 first = is("initrd-overwritten") ? 0 : initrd[0];
  initrd[0] = first + 1;
  print("initrd taken over\n");
}

static void frames(void) {
  const u64 gfn = is("bad-frame-number")         ? kExtended
                  : is("bad-frame-number-range") ? GFN(BIT(44))
                                                 : GFN(kExtended);
  u64 request[3] = {kDomIdSelf | 1ul << 32, 0, gfn};  // Frame 0 of the grant table.
  print("add_to_physmap %s\n", CALL2(kMemoryOp, 7, request) == 0 ? "done" : "refused");
}

static void events(void) {
  u16 request[4] = {kDomIdSelf, kDomIdSelf, 0, 0};
  CALL2(kEventChannelOp, 6, request);
  u32 port = (u32)request[2] | (u32)request[3] << 16;
  if (is("bad-event-channel")) port += 100;
  print("send %s\n", CALL2(kEventChannelOp, 4, &port) == 0 ? "done" : "refused");
}

static void grants(void) {
  volatile u64* table = (volatile u64*)kExtended;
  u16 status[12] = {kDomIdSelf, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  u16 request[4] = {kDomIdSelf, kDomIdSelf, 0, 0};
  CALL2(kEventChannelOp, 6, request);  // An own channel tells a domain its number.
  status[2] = request[2];
  status[3] = request[3];
  CALL2(kEventChannelOp, 5, status);
  const u16 self = status[8];
  if (!is("bad-grant-reference")) table[8] = 1 | (u64)self << 16 | GFN(page_a) << 32;
  DSB();
  struct end {
    u64 ref_or_gfn;
    u16 domain, offset;
  };
  struct {
    struct end source, dest;
    u16 length, flags;
    i16 status;
  } copy = {{8, self, 0}, {GFN(page_b), kDomIdSelf, 0}, 16, 1, 0};  // From a reference to a page.
  CALL3(kGrantTableOp, 5, &copy, 1);
  print("copy %s\n", copy.status == 0 ? "done" : "refused");
}

static void addresses(void) {
  (void)*(volatile u32*)0x22000018;  // The UART's flags.
  if (!is("address-not-given")) return;
  aborts = 0;
  (void)*(volatile u32*)0x10000000;
  print("load %s\n", aborts ? "aborted" : "done");
}

static void page_tables(void) {
  // The third GiB is not used otherwise.
  volatile u64* root = (volatile u64*)(MRS(ttbr0_el1) & 0xfffffffffffeul);
  if (!is("page-tables-overwritten")) return;
  root[3] = 0x7fff000003ul;
  DSB();
  ISB();
  aborts = 0;
  (void)*(volatile u32*)0xc0000000;
  print("load %s\n", aborts ? "aborted" : "done");
}

/// Memory that the hypervisor sees by its cache, and this guest does not.
static void buffers(void) {
  u32 feature[2] = {0, 0};
  u64 at = (u64)feature;
  if (is("hypercall-buffer")) {
    volatile u64* root = (volatile u64*)(MRS(ttbr0_el1) & 0xfffffffffffeul);
    root[4] = 0x40000000ul | kAf | kShared | kAttr(2) | kBlock;
    DSB();
    ISB();
    at += 0xc0000000;
  }
  print("get_features %s\n", CALL2(kXenVersion, 6, at) == 0 ? "done" : "refused");
}

void guest_main(const void* device_tree) {
  tree = device_tree;
  static char name[64];
  fdt_option(tree, "finding=", name, sizeof name);
  if (name[0]) wanted = name;
  print("case %s\n", wanted);
  if (is("hypercall-mmu-off")) print("version %x\n", (u64)CALL2(kXenVersion, 0, 0));
  if (is("image-overwritten")) {
    // As a loader does that clears memory from the image's beginning on; the header is needed no
    // more.
    *(volatile u64*)(0x40080000ul + 16) = 0;
  }
  if (is("device-tree-overwritten")) ((volatile u32*)tree)[2] = 0;
  map_memory();
  MSR(mair_el1, 0x44ff04);  // 2: Normal Non-cacheable
  ISB();
  if (is("hypercall-cache-off")) {
    MSR(sctlr_el1, MRS(sctlr_el1) & ~4ul);
    ISB();
  }
  print("version %x\n", (u64)CALL2(kXenVersion, 0, 0));
  use_initrd();
  addresses();
  buffers();
  frames();
  events();
  // Their table is elsewhere, or nowhere, if its frame number was a bad one.
  if (!is("bad-frame-number") && !is("bad-frame-number-range")) grants();
  page_tables();
  print("end\n");
}
