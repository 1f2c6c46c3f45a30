#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef short i16;
typedef int i32;
typedef long i64;
typedef __builtin_va_list va_list;

#define BIT(n) (1ul << (n))
#define FIELD(value, high, low) (((value) >> (low)) & ((2ul << ((high) - (low))) - 1))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define STRING_(x) #x
#define STRING(x) STRING_(x)
#define MRS(name)                                                       \
  ({                                                                    \
    u64 value_;                                                         \
    __asm__ volatile("mrs %0, " STRING(name) : "=r"(value_)::"memory"); \
    value_;                                                             \
  })
#define MSR(name, value) \
  __asm__ volatile("msr " STRING(name) ", %x0" ::"rZ"((u64)(value)) : "memory")
#define ISB() __asm__ volatile("isb" ::: "memory")
#define DSB() __asm__ volatile("dsb sy" ::: "memory")

static inline u32 read32(u64 address) {
  return *(volatile u32*)address;
}
static inline void write32(u64 address, u32 value) {
  *(volatile u32*)address = value;
}
