#include "console.h"

#ifdef BOARD_BASER
#define kUart 0x9c090000ul
#elif defined(XEN_GUEST)
#define kUart 0x22000000ul
#else
#define kUart 0x09000000ul
#endif
enum { kUartFr = 0x18, kUartFrTxff = 1 << 5, kUartCr = 0x30 };

#ifdef XEN_GUEST
/// The emulated UART of a Xen guest is an SBSA Generic UART, which has no UARTCR and is always on.
void console_init(void) {}
#else
void console_init(void) {
  write32(kUart + kUartCr, 0x301);
}
#endif

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

void print_list(const char* format, va_list list) {
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

#ifdef BOARD_BASER
// No PSCI there: semihosting SYS_EXIT with ADP_Stopped_ApplicationExit.
void power_off_with(int code) {
  const u64 block[2] = {0x20026, (u64)code};
  register u64 operation __asm__("x0") = 0x18;
  register const u64* parameter __asm__("x1") = block;
  for (;;) {
    __asm__ volatile("hlt #0xf000" : "+r"(operation) : "r"(parameter), "m"(block) : "memory");
  }
}
#else
u64 smc_call(u64 function, u64 a, u64 b, u64 c);

void power_off_with(int code) {
  (void)code;
  smc_call(0x84000008, 0, 0, 0);
  for (;;) __asm__ volatile("wfi");
}
#endif

void power_off(void) {
  power_off_with(0);
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
