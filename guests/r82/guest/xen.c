// A PMSA guest that is shown Xen (enhanced=on): it asks xenstore for its name and says it on the PV
// console. The rings lie in its own memory, for which it has a region at EL1.
#include "guest.h"
#include "pmsa_guest.h"

const char guest_name[] = "xen";

extern char __text_start[], __text_end[], __data_start[], __data_end[];

enum { kHvmOp = 34, kGetParam = 1, kEventChannelOp = 32, kSend = 4 };
enum { kStorePfn = 1, kStorePort = 2, kConsolePfn = 17, kConsolePort = 18 };  // params.h
enum { kText, kData, kUart, kGicRegion, kRings, kDomIdSelf = 0x7ff0, kXsRead = 2 };

// io/xs_wire.h, io/console.h
struct store_ring {
  char request[1024], reply[1024];
  volatile u32 request_cons, request_prod, reply_cons, reply_prod;
};
struct console_ring {
  char in[1024], out[2048];
  volatile u32 in_cons, in_prod, out_cons, out_prod;
};
struct message {
  u32 type, request, transaction, length;
};

static u64 hypercall(u64 number, u64 operation, void* argument) {
  register u64 x16 __asm__("x16") = number;
  register u64 x0 __asm__("x0") = operation;
  register u64 x1 __asm__("x1") = (u64)argument;
  __asm__ volatile("hvc #0xea1" : "+r"(x0), "+r"(x1) : "r"(x16) : "memory");
  return x0;
}

static u64 parameter(u32 index) {
  struct {
    u16 domid;
    u32 index;
    u64 value;
  } argument = {kDomIdSelf, index, 0};
  const u64 result = hypercall(kHvmOp, kGetParam, &argument);
  if (result) print("xen: parameter %d: %x\n", (u64)index, result);
  return argument.value;
}

static void notify(u32 port) {
  hypercall(kEventChannelOp, kSend, &port);
}

static void region(unsigned n, u64 bar, u64 lar) {
  MSR(PRSELR_EL1, n);
  ISB();
  MSR(PRBAR_EL1, bar);
  MSR(PRLAR_EL1, lar);
}

void protection_init(void) {
  const u64 ram = (u64)__text_start;
  MSR(mair_el1, 0x00ff);
  for (unsigned n = 0; n < FIELD(MRS(MPUIR_EL1), 7, 0); ++n) region(n, 0, 0);
  region(kText, BAR(ram, kEl1Ro, 0), LAR((u64)__text_end - 1, kNormal));
  region(kData, BAR((u64)__data_start, kEl1Rw, 3), LAR((u64)__data_end - 1, kNormal));
  region(kUart, BAR(uart_base, kEl1Rw, 3), LAR(uart_base + 0xfff, kDevice));
  region(kGicRegion, BAR(0xaf000000ul, kEl1Rw, 3), LAR(0xaf11fffful, kDevice));
  mpu_on();
}

static void put(char* ring, u32 size, volatile u32* prod, const void* bytes, u32 length) {
  for (u32 n = 0; n < length; ++n) ring[(*prod + n) % size] = ((const char*)bytes)[n];
  DSB();
  *prod += length;
}

static void take(struct store_ring* ring, void* to, u32 length) {
  while (ring->reply_prod - ring->reply_cons < length) __asm__ volatile("wfi");
  for (u32 n = 0; n < length; ++n) ((char*)to)[n] = ring->reply[(ring->reply_cons + n) % 1024];
  DSB();
  ring->reply_cons += length;
}

void work(u64 tick) {
  if (tick != 0) return;
  const u64 console_page = parameter(kConsolePfn) << 12, store_page = parameter(kStorePfn) << 12;
  region(kRings, BAR(console_page, kEl1Rw, 3), LAR(store_page + 0xfff, kNormal));
  ISB();
  struct console_ring* console = (struct console_ring*)console_page;
  struct store_ring* store = (struct store_ring*)store_page;
  struct message message = {kXsRead, 1, 0, 5};
  put(store->request, 1024, &store->request_prod, &message, sizeof message);
  put(store->request, 1024, &store->request_prod, "name", 5);
  notify((u32)parameter(kStorePort));
  take(store, &message, sizeof message);
  static char text[64] = "xenstore calls me ";
  const u32 before = 18, room = sizeof text - before - 1;
  const u32 length = message.length < room ? message.length : room;
  take(store, text + before, length);
  text[before + length] = '\n';
  put(console->out, 2048, &console->out_prod, text, before + length + 1);
  notify((u32)parameter(kConsolePort));
}

int abort_taken(struct registers* registers, u64 esr, u64 far) {
  (void)registers;
  (void)esr;
  (void)far;
  return 0;
}

void service(struct registers* registers, u64 number) {
  (void)registers;
  (void)number;
}

void permit(u64 address) {
  (void)address;
}

void report(void) {}
