#include "arch.h"

static unsigned points, failed;

static void line(int ok, const char* rule, const char* format, va_list list) {
  ++points;
  if (!ok) ++failed;
  print("%s %d - ", ok ? "ok" : "not ok", (int)points);
  print_list(format, list);
  print(" [%s]\n", rule);
}

void point(int ok, const char* rule, const char* format, ...) {
  va_list list;
  __builtin_va_start(list, format);
  line(ok, rule, format, list);
  __builtin_va_end(list);
  if (ok) return;
  show_seen("# met");
  print("\n");
}

void point_value(u64 got, u64 want, const char* rule, const char* format, ...) {
  va_list list;
  __builtin_va_start(list, format);
  line(got == want, rule, format, list);
  __builtin_va_end(list);
  if (got != want) print("# got %x, want %x\n", got, want);
}

unsigned failures(void) {
  return failed;
}

void plan(void) {
  print("1..%d\n", (int)points);
}
