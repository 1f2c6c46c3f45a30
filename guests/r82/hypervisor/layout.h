// Where the guests lie. `trapline mpu plan` makes another one of these (-DLAYOUT_HEADER=...).
#pragma once

#define LAYOUT_GUESTS 3
/// The most that a guest has, for its memory and its device.
#define LAYOUT_GUEST_REGIONS 2
/// Registers of a guest's device.
#define LAYOUT_DEVICE_BYTES 0x1000
#define LAYOUT_TABLE                                                                              \
  {.name = "alpha", .entry = 0x10000000, .ram = 0x10000000, .ram_last = 0x10ffffff},              \
      {.name = "beta",                                                                            \
       .entry = 0x12000000,                                                                       \
       .ram = 0x12000000,                                                                         \
       .ram_last = 0x12ffffff,                                                                    \
       .device = 0x9c0a0000,                                                                      \
       .device_interrupt = 38},                                                                   \
  {.name = "gamma", .entry = 0x14000000, .ram = 0x14000000, .ram_last = 0x14ffffff, .vmsa = 1}
