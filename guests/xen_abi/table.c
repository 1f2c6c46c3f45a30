// The lines of the table, and calls tried with every kind of argument.
#include "abi.h"

unsigned cases;
u32 port_base, own_domain;

static const char* error_name(i64 value) {
  static const struct {
    int number;
    const char* name;
  } names[] = {{1, "EPERM"},      {2, "ENOENT"},    {3, "ESRCH"},       {4, "EINTR"},
               {5, "EIO"},        {6, "ENXIO"},     {7, "E2BIG"},       {8, "ENOEXEC"},
               {9, "EBADF"},      {10, "ECHILD"},   {11, "EAGAIN"},     {12, "ENOMEM"},
               {13, "EACCES"},    {14, "EFAULT"},   {16, "EBUSY"},      {17, "EEXIST"},
               {18, "EXDEV"},     {19, "ENODEV"},   {22, "EINVAL"},     {28, "ENOSPC"},
               {33, "EDOM"},      {34, "ERANGE"},   {38, "ENOSYS"},     {61, "ENODATA"},
               {75, "EOVERFLOW"}, {85, "ERESTART"}, {95, "EOPNOTSUPP"}, {105, "ENOBUFS"}};
  for (unsigned i = 0; i < COUNT(names); ++i)
    if (names[i].number == -value) return names[i].name;
  return 0;
}

void print_signed(i64 value) {
  if (value < 0 && value > -0x10000)
    print("-%d", (int)-value);
  else if (value >= 0 && value < 10000)
    print("%d", (int)value);
  else
    print("0x%x", value);
}

void begin(const char* format, ...) {
  va_list list;
  __builtin_va_start(list, format);
  print_list(format, list);
  __builtin_va_end(list);
  ++cases;
}

void result_part(i64 value) {
  const char* name = error_name(value);
  print(" -> ");
  if (name)
    print("%s", name);
  else
    print_signed(value);
}

void result(i64 value) {
  result_part(value);
  line_end();
}

void line_end(void) {
  print("\n");
}

/// Ports are told from the first that was free, as the ports of console and xenstore come before.
void print_port(u32 port) {
  if (port >= port_base && port - port_base < 10000)
    print("port+%d", (int)(port - port_base));
  else
    print_signed(port);
}

void clear_buffer(u8 with) {
  for (unsigned i = 0; i < sizeof buffer_page; ++i) buffer_page[i] = with;
}

/// The 32-bit words of the buffer that are no longer what clear_buffer(with) left.
static void print_changes(u8 with, unsigned port_at) {
  const u32 clean = with * 0x01010101u;
  unsigned shown = 0;
  for (unsigned at = 0; at < sizeof buffer_page; at += 4) {
    const u32 word = *(volatile u32*)(buffer_page + at);
    if (word == clean) continue;
    if (++shown > 6) {
      print(" ...");
      return;
    }
    print(" +%d=", (int)at);
    if (port_at == at + 1)
      print_port(word);
    else
      print("0x%x", (u64)word);
  }
}

struct kind {
  const char* name;
  u64 pointer;
  u8 fill;
  u8 only;  ///< Bit of sub.kinds
};

void sweep(const char* call, const struct sub* subs, unsigned count,
           i64 (*invoke)(u32 number, u64 pointer), void (*after)(void)) {
  static const struct kind kinds[] = {
      {"null", 0, 0, kNowhere},
      {"stage-1-hole", kHole, 0, kNowhere},
      {"not-ram", kNoRam, 0, kNowhere},
      {"device", 0x22000000, 0, kNowhere},
      {"top-of-space", ~7ul, 0, kNowhere},
      {"end-of-page", kHole - 4, 0, kEnd},
      {"read-only", kReadOnlyAlias, 0, kUnwritable},
      {"zeros", kBuffer, 0, kZero},
      {"unaligned-zeros", kBuffer + 1, 0, kZero},
      {"ones", kBuffer, 0xff, kOnes},
  };
  for (unsigned i = 0; i < count; ++i) {
    for (unsigned k = 0; k < COUNT(kinds); ++k) {
      if (!(subs[i].kinds & kinds[k].only)) continue;
      clear_buffer(kinds[k].fill);
      if (subs[i].name)
        begin("%s %s %s", call, subs[i].name, kinds[k].name);
      else
        begin("%s %d %s", call, (int)subs[i].number, kinds[k].name);
      result_part(invoke(subs[i].number, kinds[k].pointer));
      print_changes(kinds[k].fill, kinds[k].pointer & 1 ? 0 : subs[i].port_at);
      line_end();
      if (after) after();
    }
  }
}
