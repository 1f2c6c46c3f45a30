// The FIFO event channel ABI. It stays until a reset, so these cases come last.
#include "abi.h"

static i64 event_op(u32 number, const void* pointer) {
  return CALL2(kEventChannelOp, number, pointer);
}

static i64 init_control(u64 gfn, u32 offset, u32 vcpu) {
  u64 request[3] = {gfn, offset | (u64)vcpu << 32, 0};
  return event_op(11, request);
}

static i64 expand(u64 gfn) {
  return event_op(12, &gfn);
}

/// Word 0 of the control block: ready bits; 16 heads follow.
static volatile u32* const control = (volatile u32*)page_a;
static volatile u32* const words = (volatile u32*)page_b;
enum { kPending = 1u << 31, kMasked = 1u << 30, kLinked = 1u << 29 };

static void show_word(const char* name, i64 got, u32 port) {
  begin("%s", name);
  result_part(got);
  const u32 word = words[port];
  print(" word%s%s%s", word & kPending ? " pending" : "", word & kMasked ? " masked" : "",
        word & kLinked ? " linked" : "");
  if (word & 0x1ffff) {
    print(" to ");
    print_port(word & 0x1ffff);
  }
  print(" ready 0x%x heads", (u64)control[0]);
  for (unsigned queue = 0; queue < 16; ++queue) {
    if (control[2 + queue] == 0) continue;
    print(" %d:", (int)queue);
    print_port(control[2 + queue]);
  }
  line_end();
}

static u32 new_ipi(void) {
  u32 request[2] = {0, 0};
  event_op(7, request);
  return *(volatile u32*)&request[1];
}

void fifo_cases(void) {
  for (unsigned i = 0; i < sizeof page_a; ++i) page_a[i] = page_b[i] = 0;
  CASE(expand(GFN(page_b)), "fifo expand_array before init_control");
  CASE(init_control(GFN(page_a), 4, 0), "fifo init_control offset 4");
  CASE(init_control(GFN(page_a), 4096, 0), "fifo init_control offset 4096");
  CASE(init_control(GFN(page_a), 4096 - 64, 0), "fifo init_control offset 4032");
  CASE(init_control(GFN(page_a), 0xfffffff8, 0), "fifo init_control offset -8");
  CASE(init_control(GFN(kNoRamPa), 0, 0), "fifo init_control no RAM");
  CASE(init_control(~0ul, 0, 0), "fifo init_control frame -1");
  CASE(init_control(GFN(page_a), 0, 2), "fifo init_control vcpu 2");
  CASE(init_control(GFN(page_a), 0, ~0u), "fifo init_control vcpu -1");
  CASE(init_control(GFN(page_a), 0, 0), "fifo init_control vcpu 0");
  CASE(init_control(GFN(page_a), 0, 0), "fifo init_control vcpu 0 again");
  CASE(init_control(GFN(page_a), 2048, 1), "fifo init_control vcpu 1");
  CASE(expand(GFN(kNoRamPa)), "fifo expand_array no RAM");
  CASE(expand(~0ul), "fifo expand_array frame -1");
  CASE(expand(GFN(page_b)), "fifo expand_array");
  CASE(expand(GFN(page_c)), "fifo expand_array again");

  const u32 first = new_ipi(), second = new_ipi(), urgent = new_ipi();
  u32 set[2] = {urgent, 0};
  CASE(event_op(13, set), "fifo set_priority 0");
  set[1] = 16;
  CASE(event_op(13, set), "fifo set_priority 16");
  irqs_off();
  words[first] |= kMasked;
  show_word("fifo send masked", event_op(4, &first), first);
  words[first] &= ~kMasked;
  show_word("fifo unmask", event_op(9, &first), first);
  show_word("fifo send again", event_op(4, &first), first);
  show_word("fifo send another", event_op(4, &second), second);
  show_word("fifo the first is linked", 0, first);
  show_word("fifo send urgent", event_op(4, &urgent), urgent);
  begin("fifo upcall");
  irqs_on();
  ISB();
  irqs_off();
  print_taken();
  line_end();
  u32 closing = first;
  show_word("fifo close while linked", event_op(3, &closing), first);
  for (unsigned i = 0; i < 16; ++i) control[2 + i] = 0;
  control[0] = 0;
  // The queue's memory says what a hostile guest wants it to.
  words[second] = kPending | kLinked | 0x1ffff;
  CASE(event_op(4, &second), "fifo send when the tail links out of range");
  for (unsigned i = 0; i < 64; ++i) words[port_base + i] = ~0u;
  CASE(event_op(4, &urgent), "fifo send when all words are ones");
  for (unsigned i = 0; i < 64; ++i) words[port_base + i] = 0;
  CASE(event_op(4, &urgent), "fifo send when all words are zeros");
  u16 self = kDomIdSelf;
  CASE(event_op(10, &self), "event_channel_op reset of itself");
  const u32 after = new_ipi();
  begin("bind_ipi after the reset");
  print(" port %d\n", (int)after);
}
