// The boot arguments in the flattened device tree, and options among them.
#include "hypervisor.h"

static u32 be32(u64 address) {
  return __builtin_bswap32(read32(address));
}

static int same(const char* a, const char* b) {
  while (*a && *a == *b) ++a, ++b;
  return *a == *b;
}

const char* boot_arguments(u64 dtb) {
  if (!dtb || be32(dtb) != 0xd00dfeed) return "";
  const u64 strings = dtb + be32(dtb + 12);
  // Structure block: BEGIN_NODE 1 and its name, END_NODE 2, PROP 3, NOP 4, END 9.
  for (u64 at = dtb + be32(dtb + 8);;) {
    const u32 token = be32(at);
    at += 4;
    if (token == 1) {
      while (*(volatile char*)at) ++at;
      at = (at + 4) & ~3ul;
    } else if (token == 3) {
      const u32 length = be32(at);
      if (same((const char*)strings + be32(at + 4), "bootargs")) return (const char*)at + 8;
      at = (at + 8 + length + 3) & ~3ul;
    } else if (token == 9) {
      return "";
    }
  }
}

const char* option(const char* arguments, const char* name) {
  for (const char* at = arguments; *at; ++at) {
    if (at != arguments && at[-1] != ' ') continue;
    const char *p = at, *q = name;
    while (*q && *p == *q) ++p, ++q;
    if (!*q && *p == '=') return p + 1;
  }
  return 0;
}

u64 number(const char** text) {
  u64 value = 0, base = 10;
  const char* p = *text;
  if (p[0] == '0' && p[1] == 'x') {
    base = 16;
    p += 2;
  }
  for (;; ++p) {
    const char c = *p;
    const u64 digit = c >= '0' && c <= '9'   ? (u64)(c - '0')
                      : c >= 'a' && c <= 'f' ? (u64)(c - 'a') + 10
                                             : 99;
    if (digit >= base) break;
    value = value * base + digit;
  }
  *text = *p == ',' ? p + 1 : p;
  return value;
}

int take_word(const char** text, const char* word) {
  const char* p = *text;
  while (*word && *p == *word) ++p, ++word;
  if (*word || (*p && *p != ',' && *p != ' ')) return 0;
  *text = *p == ',' ? p + 1 : p;
  return 1;
}
