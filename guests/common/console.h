// The PL011 of the virt board, and just enough formatting.
#pragma once

#include "types.h"

void console_init(void);
void put_char(char c);
/// %s, %d, %x (64 bits, hexadecimal), %NNx (padded with zeros to NN digits), %%.
void print(const char* format, ...);
void power_off(void) __attribute__((noreturn));
