// What guests see in place of the first UART and the GIC. The regions that hold them are EL2's
// alone, so every access is a permission fault of stage 2 with a syndrome.
#include "hypervisor.h"

static void put_line(struct guest* guest) {
  for (unsigned n = 0; n < guest->uart.length; ++n) put_char(guest->uart.line[n]);
  put_char('\n');
  guest->uart.length = 0;
}

void uart_flush(struct guest* guest) {
  if (guest->uart.length) put_line(guest);
}

enum { kTxInterrupt = 1 << 5 };

static u64 uart_read(struct guest* guest, u64 offset) {
  const struct vuart* u = &guest->uart;
  switch (offset) {
    case 0x18:
      return 0x90;  // TXFE, RXFE
    case 0x24:
      return u->ibrd;
    case 0x28:
      return u->fbrd;
    case 0x2c:
      return u->lcr_h;
    case 0x30:
      return u->cr;
    case 0x38:
      return u->imsc;
    case 0x3c:
      return u->ris;
    case 0x40:
      return u->ris & u->imsc;
    default: {
      static const u8 id[] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
      return offset >= 0xfe0 ? id[(offset - 0xfe0) / 4] : 0;
    }
  }
}

static void uart_write(struct guest* guest, u64 offset, u64 value) {
  struct vuart* u = &guest->uart;
  switch (offset) {
    case 0x00:
      if ((char)value == '\n' || u->length == sizeof(u->line)) put_line(guest);
      if ((char)value != '\n' && (char)value != '\r') u->line[u->length++] = (char)value;
      u->ris |= kTxInterrupt;
      break;
    case 0x24:
      u->ibrd = (u32)value;
      break;
    case 0x28:
      u->fbrd = (u32)value;
      break;
    case 0x2c:
      u->lcr_h = (u32)value;
      break;
    case 0x30:
      u->cr = (u32)value;
      break;
    case 0x38:
      u->imsc = (u32)value;
      break;
    case 0x44:
      u->ris &= ~(u32)value;
      break;
    default:
      break;
  }
  vgic_set_line(guest, kUart0Interrupt, (u->ris & u->imsc) != 0);
}

/// Registers that a distributor and a redistributor's SGI frame have in common, by their first bit.
static u64 gic_common_read(const struct vgic* v, u64 offset, unsigned first) {
  const u32 enabled = (u32)(v->enabled >> first);
  switch (offset & ~0x7ful) {
    case 0x080:
      return ~0u;  // IGROUPR: all in group 1.
    case 0x100:
    case 0x180:
      return enabled;
    case 0x200:
    case 0x280:
      return (u32)((v->pending | v->line) >> first);
    case 0x300:
    case 0x380:
      return (u32)(v->active >> first);
    default:
      return 0;
  }
}

static void gic_common_write(struct vgic* v, u64 offset, u64 value, unsigned first) {
  const u64 bits = (value & 0xffffffff) << first;
  switch (offset & ~0x7ful) {
    case 0x100:
      v->enabled |= bits;
      break;
    case 0x180:
      v->enabled &= ~bits;
      break;
    case 0x280:
      v->pending &= ~bits;
      break;
    default:
      break;
  }
}

static u64 priorities_read(const struct vgic* v, u64 intid, unsigned bytes) {
  u64 value = 0;
  for (unsigned n = 0; n < bytes && intid + n < kInterrupts; ++n) {
    value |= (u64)v->priority[intid + n] << 8 * n;
  }
  return value;
}

static void priorities_write(struct vgic* v, u64 intid, u64 value, unsigned bytes) {
  for (unsigned n = 0; n < bytes && intid + n < kInterrupts; ++n) {
    v->priority[intid + n] = (u8)(value >> 8 * n) & 0xf8;
  }
}

static u64 gicd_read(struct guest* guest, u64 offset, unsigned bytes) {
  const struct vgic* v = &guest->vgic;
  if (offset >= 0x400 && offset < 0x800) return priorities_read(v, offset - 0x400, bytes);
  if (offset >= 0x80 && offset < 0x400) {
    // Only the word of INTIDs 32 to 63; the private ones are the redistributor's.
    return (offset & 0x7f) == 4 ? gic_common_read(v, offset, 32) : 0;
  }
  switch (offset) {
    case 0x0000:
      return v->ctlr | 0x50;  // DS, ARE
    case 0x0004:
      return 1 | 9 << 19;  // INTIDs 0 to 63, 10 bits of INTID.
    case 0x0008:
      return 0x43b;
    case 0xffe8:
      return 0x30;  // PIDR2: GICv3
    default:
      return 0;
  }
}

static void gicd_write(struct guest* guest, u64 offset, u64 value, unsigned bytes) {
  struct vgic* v = &guest->vgic;
  if (offset >= 0x400 && offset < 0x800) {
    priorities_write(v, offset - 0x400, value, bytes);
  } else if (offset >= 0x80 && offset < 0x400) {
    if ((offset & 0x7f) == 4) gic_common_write(v, offset, value, 32);
  } else if (offset == 0) {
    v->ctlr = (u32)value & 3;
  }
}

static u64 gicr_read(struct guest* guest, u64 offset, unsigned bytes) {
  const struct vgic* v = &guest->vgic;
  switch (offset) {
    case 0x00004:
      return 0x43b;
    case 0x00008:
      return 1 << 4;  // TYPER: the last one
    case 0x00014:
      return v->waker | (v->waker & 2) << 1;
    case 0x0ffe8:
      return 0x30;
    default:
      break;
  }
  if (offset >= 0x10400 && offset < 0x10420) return priorities_read(v, offset - 0x10400, bytes);
  return offset >= 0x10080 && offset < 0x10400 ? gic_common_read(v, offset - 0x10000, 0) : 0;
}

static void gicr_write(struct guest* guest, u64 offset, u64 value, unsigned bytes) {
  struct vgic* v = &guest->vgic;
  if (offset == 0x14) {
    v->waker = (u32)value & 2;
  } else if (offset >= 0x10400 && offset < 0x10420) {
    priorities_write(v, offset - 0x10400, value, bytes);
  } else if (offset >= 0x10080 && offset < 0x10400) {
    gic_common_write(v, offset - 0x10000, value, 0);
  }
}

int emulate_access(struct guest* guest) {
  struct frame* f = &guest->frame;
  if (!FIELD(f->esr, 24, 24)) return 0;  // ISV
  const unsigned bytes = 1u << FIELD(f->esr, 23, 22), rt = (unsigned)FIELD(f->esr, 20, 16);
  const int write = (int)FIELD(f->esr, 6, 6);
  const u64 address = fault_address(guest);
  const u64 source = rt == 31 ? 0 : f->x[rt];
  u64 value = 0;
  if (address - kUart0 < 0x1000) {
    if (write) {
      uart_write(guest, address - kUart0, source);
    } else {
      value = uart_read(guest, address - kUart0);
    }
  } else if (address - kGicd < 0x10000) {
    if (write) {
      gicd_write(guest, address - kGicd, source, bytes);
    } else {
      value = gicd_read(guest, address - kGicd, bytes);
    }
  } else if (address - kGicr < 0x20000) {
    if (write) {
      gicr_write(guest, address - kGicr, source, bytes);
    } else {
      value = gicr_read(guest, address - kGicr, bytes);
    }
  } else {
    return 0;
  }
  if (!write && rt != 31) f->x[rt] = bytes == 8 ? value : value & (BIT(8 * bytes) - 1);
  f->elr += 4;
  return 1;
}
