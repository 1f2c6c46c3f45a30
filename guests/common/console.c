#include "console.h"

enum { kUart = 0x09000000, kUartFr = 0x18, kUartFrTxff = 1 << 5, kUartCr = 0x30 };

u64 smc_call(u64 function, u64 a, u64 b, u64 c);

void console_init(void) {
  write32(kUart + kUartCr, 0x301);
}

void put_char(char c) {
  while (read32(kUart + kUartFr) & kUartFrTxff) {
  }
  write32(kUart, (u8)c);
}

static void put_number(u64 value, unsigned base, unsigned digits) {
  char text[24];
  unsigned n = 0;
  do {
    text[n++] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value || n < digits);
  while (n) put_char(text[--n]);
}

static void print_list(const char* format, va_list list) {
  for (; *format; ++format) {
    if (*format != '%') {
      put_char(*format);
      continue;
    }
    unsigned digits = 0;
    while (*++format >= '0' && *format <= '9') digits = digits * 10 + (unsigned)(*format - '0');
    switch (*format) {
      case 's':
        for (const char* s = __builtin_va_arg(list, const char*); *s; ++s) put_char(*s);
        break;
      case 'd':
        put_number((u32) __builtin_va_arg(list, int), 10, digits);
        break;
      case 'x':
        put_number(__builtin_va_arg(list, u64), 16, digits);
        break;
      default:
        put_char(*format);
    }
  }
}

void print(const char* format, ...) {
  va_list list;
  __builtin_va_start(list, format);
  print_list(format, list);
  __builtin_va_end(list);
}

void power_off(void) {
  smc_call(0x84000008, 0, 0, 0);
  for (;;) __asm__ volatile("wfi");
}

/// GCC may call these for aggregates.
void* memset(void* to, int value, u64 bytes) {
  volatile u8* p = to;
  while (bytes--) *p++ = (u8)value;
  return to;
}

void* memcpy(void* to, const void* from, u64 bytes) {
  volatile u8* p = to;
  const u8* q = from;
  while (bytes--) *p++ = *q++;
  return to;
}
