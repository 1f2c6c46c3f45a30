// The first PL011 of the board (virt, or fvp-baser with BOARD_BASER), and just enough formatting.
#pragma once

#include "types.h"

void console_init(void);
void put_char(char c);
/// %s, %d, %x (64 bits, hexadecimal), %NNx (padded with zeros to NN digits), %%.
void print(const char* format, ...);
void print_list(const char* format, va_list list);
void power_off(void) __attribute__((noreturn));
/// Ends the run with `code` where the board can tell it: by semihosting on fvp-baser.
void power_off_with(int code) __attribute__((noreturn));
