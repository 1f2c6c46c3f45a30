// The PL011's FIFOs and interrupts at every trigger level, by its loopback: what is recorded of it
// shows each level from both sides (DDI 0183G 3.3.9, 3.3.8).
#include "../common/console.h"
#include "../common/types.h"

enum { kUart = 0x09000000 };
enum { kDr = 0, kRsr = 4, kFr = 0x18, kIbrd = 0x24, kFbrd = 0x28, kLcr = 0x2c, kCr = 0x30 };
enum { kIfls = 0x34, kImsc = 0x38, kRis = 0x3c, kMis = 0x40, kIcr = 0x44 };
enum { kFen = 1 << 4, kBreak = 1 << 0, kWlen8 = 3 << 5, kLoopback = 0x381, kOn = 0x301 };

static u32 sum;

static void set(unsigned reg, u32 value) {
  write32(kUart + reg, value);
}

static void look(void) {
  sum = sum * 31 + read32(kUart + kRis);
  sum = sum * 31 + read32(kUart + kMis);
  sum = sum * 31 + read32(kUart + kFr);
}

/// `count` characters in and out again, with a look behind each.
static void pass(unsigned count) {
  for (unsigned n = 0; n < count; ++n) {
    set(kDr, 'a' + n);
    look();
  }
  for (unsigned n = 0; n < count; ++n) {
    sum = sum * 31 + read32(kUart + kDr);
    sum = sum * 31 + read32(kUart + kRsr);
    look();
  }
  set(kRsr, 0);
  set(kIcr, 0x7ff);
  look();
}

void guest_main(void) {
  set(kImsc, 0);
  set(kIcr, 0x7ff);
  for (unsigned level = 0; level < 5; ++level) {
    set(kCr, kLoopback);
    set(kIfls, level << 3 | (4 - level));
    set(kLcr, kWlen8 | kFen);
    set(kImsc, level % 2 ? 0x50 : 0x7f0);
    pass(16);
    pass(17);  // One too many.
    // A level that is lowered below what is there, and raised above it.
    for (unsigned n = 0; n < 9; ++n) set(kDr, '0' + n);
    for (unsigned other = 0; other < 5; ++other) {
      set(kIfls, other << 3);
      look();
    }
    set(kLcr, kWlen8);  // No FIFOs: they are emptied.
    look();
    pass(2);
    set(kLcr, kWlen8 | kBreak);
    look();
    sum = sum * 31 + read32(kUart + kDr);
    sum = sum * 31 + read32(kUart + kRsr);
    set(kImsc, 0);
    set(kIcr, 0x7ff);
  }
  // Nothing arrives for 32 bit periods, at three rates.
  for (unsigned rate = 0; rate < 3; ++rate) {
    set(kIbrd, 1 + rate);
    set(kFbrd, 7 * rate);
    set(kLcr, kWlen8 | kFen);
    set(kImsc, 0x40);
    set(kDr, 'z');
    while ((read32(kUart + kRis) & 0x40) == 0) {
    }
    look();
    sum = sum * 31 + read32(kUart + kDr);
    look();
  }
  set(kImsc, 0);
  set(kCr, kOn);
  print("uart levels: %x\n", (u64)sum);
  power_off();
}
