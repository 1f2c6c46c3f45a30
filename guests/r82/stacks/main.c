// Two tasks of a small RTOS, each with a stack that is a region of its own. The stacks lie side by
// side, 1984 bytes each (STACKS_SPLIT: regions split the pages they lie in), or each in a page. The
// work is what firmware does: sorting, formatting, check sums, lists, filters. It checks itself.
#include "../../common/console.h"
#include "../arch/pmsa.h"

extern char __text_start[], __text_end[], __data_start[], __data_end[], __free_memory[];
void switch_stack(u64* save, u64 to);
void start_task(u64* save, u64 stack, void (*task)(void));

enum { kTasks = 2, kStackBytes = 0x7c0, kRounds = 400, kNumbers = 512, kTaps = 16 };

static struct {
  u64 sp, stack, end;
  u32 random, result;
  int done;
  int numbers[kNumbers];
  char text[256];
} tasks[kTasks];
static u64 scheduler_sp;
static unsigned current;

static void protect(unsigned n, u64 first, u64 end, u64 permissions, u64 attr) {
  MSR(PRSELR_EL2, n);
  ISB();
  MSR(PRLAR_EL2, 0);
  MSR(PRBAR_EL2, first | permissions);
  MSR(PRLAR_EL2, (end - 64) | attr << 1 | 1);
}

static u32 next_random(void) {
  return tasks[current].random = tasks[current].random * 1664525 + 1013904223;
}

static void sort(int* first, int* last) {
  if (last - first < 8) {
    for (int* at = first + 1; at < last; ++at) {
      int value = *at, *to = at;
      for (; to > first && to[-1] > value; --to) *to = to[-1];
      *to = value;
    }
    return;
  }
  const int pivot = first[(last - first) / 2];
  int *low = first, *high = last - 1;
  while (low <= high) {
    while (*low < pivot) ++low;
    while (*high > pivot) --high;
    if (low <= high) {
      const int value = *low;
      *low++ = *high;
      *high-- = value;
    }
  }
  sort(first, high + 1);
  sort(low, last);
}

static char* number(char* to, u32 value, u32 base) {
  char digits[12];
  int n = 0;
  do digits[n++] = "0123456789abcdef"[value % base];
  while ((value /= base) != 0);
  while (n) *to++ = digits[--n];
  return to;
}

static __attribute__((noinline)) char* line(char* to, const char* name, u32 value) {
  while (*name) *to++ = *name++;
  *to++ = '=';
  to = number(to, value, 10);
  *to++ = ' ';
  to = number(to, value, 16);
  *to++ = '\n';
  return to;
}

static __attribute__((noinline)) u32 check_sum(const void* data, u64 bytes) {
  u32 sum = ~0u;
  for (const u8* at = data; bytes--; ++at) {
    sum ^= *at;
    for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ (0xedb88320 & -(sum & 1));
  }
  return ~sum;
}

static __attribute__((noinline)) u32 filter(const int* in) {
  int taps[kTaps], window[kTaps] = {0};
  i64 sum = 0;
  for (int n = 0; n < kTaps; ++n) taps[n] = n * (kTaps - n);
  for (int at = 0; at < kNumbers; ++at) {
    for (int n = kTaps - 1; n > 0; --n) window[n] = window[n - 1];
    window[0] = in[at] & 0xffff;
    for (int n = 0; n < kTaps; ++n) sum += (i64)window[n] * taps[n];
  }
  return (u32)(sum ^ sum >> 32);
}

static void yield(void) {
  switch_stack(&tasks[current].sp, scheduler_sp);
}

static void task(void) {
  const unsigned self = current;
  for (int round = 0; round < kRounds; ++round) {
    int* numbers = tasks[self].numbers;
    for (int n = 0; n < kNumbers; ++n) numbers[n] = (int)(next_random() >> 4);
    sort(numbers, numbers + kNumbers);
    for (int n = 1; n < kNumbers; ++n) {
      if (numbers[n - 1] > numbers[n]) tasks[self].result = 1;
    }
    u32 sum = filter(numbers);
    for (int n = 0; n < 16; ++n) {
      char* end = line(tasks[self].text, "register", (u32)numbers[n * 8]);
      sum += check_sum(tasks[self].text, (u64)(end - tasks[self].text));
      yield();
    }
    tasks[self].result = tasks[self].result * 31 + sum;
  }
  tasks[self].done = 1;
  for (;;) yield();
}

void guest_main(void) {
  protect(0, (u64)__text_start, (u64)__text_end, 2 << 2, 0);
  protect(1, (u64)__data_start, (u64)__data_end, 3, 0);
  protect(2, 0x9c090000, 0x9c091000, 3, 1);
  MSR(mair_el2, 0x00ff);
  u64 at = (u64)__free_memory;
  for (unsigned n = 0; n < kTasks; ++n) {
    tasks[n].stack = at;
    tasks[n].end = at + kStackBytes;
#ifdef STACKS_SPLIT
    at += kStackBytes;
#else
    tasks[n].end = at + 0x1000;
    at += 0x1000;
#endif
    tasks[n].random = n + 1;
    protect(3, tasks[n].stack, tasks[n].end, 3, 0);
  }
  MSR(sctlr_el2, 0x30c51835);
  ISB();
  for (int left = kTasks; left;) {
    left = 0;
    for (current = 0; current < kTasks; ++current) {
      protect(3, tasks[current].stack, tasks[current].end, 3, 0);
      ISB();
      if (tasks[current].sp) {
        switch_stack(&scheduler_sp, tasks[current].sp);
      } else {
        start_task(&scheduler_sp, tasks[current].end, task);
      }
      left += !tasks[current].done;
    }
  }
  for (unsigned n = 0; n < kTasks; ++n) print("task %d: %x\n", (int)n, (u64)tasks[n].result);
}
