// multicall: several calls in one, each with its own result.
#include "abi.h"

struct entry {
  u64 op;
  i64 result;
  u64 args[6];
};

static void print_results(const char* name, const struct entry* list, unsigned count, i64 got) {
  begin("multicall %s", name);
  result_part(got);
  print(";");
  for (unsigned i = 0; i < count; ++i) {
    put_char(' ');
    print_signed(((const volatile struct entry*)list)[i].result);
  }
  line_end();
}

void multicall_cases(void) {
  static struct entry list[8];
  CASE(CALL2(kMulticall, list, 0), "multicall of none");
  CASE(CALL2(kMulticall, 0, 0), "multicall of none at null");
  CASE(CALL2(kMulticall, 0, 1), "multicall of one at null");
  CASE(CALL2(kMulticall, kHole, 1), "multicall of one in a stage-1-hole");
  CASE(CALL2(kMulticall, kNoRam, 1), "multicall of one in not-ram");
  CASE(CALL2(kMulticall, ~63ul, 2), "multicall of two at the top of the space");
  clear_buffer(0);
  CASE(CALL2(kMulticall, kReadOnlyAlias, 1), "multicall of one that is read-only");
  CASE(CALL2(kMulticall, kHole - 64, 2), "multicall of two, the second in a stage-1-hole");

  u32 feature[2] = {0, 0};
  list[0] = (struct entry){kXenVersion, -1, {0}};
  list[1] = (struct entry){kXenVersion, -1, {6, (u64)feature}};
  list[2] = (struct entry){63, -1, {0}};
  list[3] = (struct entry){kSchedOp, -1, {0}};
  list[4] = (struct entry){kXenVersion, -1, {99}};
  print_results("of five", list, 5, CALL2(kMulticall, list, 5));
  for (unsigned i = 0; i < 3; ++i) list[i] = (struct entry){~0ul >> (i * 16), 7, {~0ul, ~0ul}};
  print_results("of numbers out of range", list, 3, CALL2(kMulticall, list, 3));
  list[0] = (struct entry){kMulticall, -1, {(u64)&list[2], 1}};
  list[1] = (struct entry){kXenVersion, -1, {7}};
  list[2] = (struct entry){kXenVersion, -1, {7}};
  print_results("in a multicall", list, 3, CALL2(kMulticall, list, 2));
  for (unsigned i = 0; i < 8; ++i) list[i] = (struct entry){kEventChannelOp, -1, {5, kHole}};
  print_results("of eight with bad pointers", list, 8, CALL2(kMulticall, list, 8));
  list[0] = (struct entry){kXenVersion, -1, {7}};
  const i64 got = CALL2(kMulticall, (u64)list + 4, 1);
  CASE(got, "multicall unaligned");
  u64* words = (u64*)page_c;
  for (unsigned i = 0; i < 512; ++i) words[i] = 0;
  for (unsigned i = 0; i < 64; ++i) words[i * 8] = kXenVersion;
  begin("multicall of 64");
  result_part(CALL2(kMulticall, page_c, 64));
  unsigned right = 0;
  for (unsigned i = 0; i < 64; ++i)
    right += ((volatile u64*)words)[i * 8 + 1] == ((volatile u64*)words)[1];
  print("; %d alike\n", (int)right);
}
