// Execution of decoded loads and stores, after the operation pseudocode of DDI 0487 C6.2 and C7.2.
#include <array>
#include <cstring>

#include "sim/arch/load_store.h"

namespace trapline {
namespace {

using Kind = LoadStoreKind;

std::uint64_t read_x(const RegisterFile& registers, unsigned n) {
  return n == 31 ? 0 : registers.get_x(n);
}

void write_x(RegisterFile& registers, unsigned n, std::uint64_t value) {
  if (n != 31) registers.put_x(n, value);
}

std::uint64_t read_base(const RegisterFile& registers, unsigned n) {
  return n == 31 ? registers.get_sp() : registers.get_x(n);
}

std::uint64_t mask_of(unsigned bytes) {
  return bytes >= 8 ? ~0ull : (1ull << bytes * 8) - 1;
}

std::int64_t as_signed(std::uint64_t value, unsigned bytes) {
  const unsigned unused = 64 - bytes * 8;
  return static_cast<std::int64_t>(value << unused) >> unused;
}

// Bytes as they lie in memory, little-endian whatever the host is.
Vector128 from_bytes(const std::uint8_t* data, unsigned bytes) {
  Vector128 value;
  for (unsigned i = 0; i < bytes; ++i) {
    std::uint64_t& half = i < 8 ? value.low : value.high;
    half |= static_cast<std::uint64_t>(data[i]) << (i % 8 * 8);
  }
  return value;
}

std::array<std::uint8_t, 16> to_bytes(const Vector128& value) {
  std::array<std::uint8_t, 16> data;
  for (unsigned i = 0; i < 16; ++i)
    data[i] = static_cast<std::uint8_t>((i < 8 ? value.low : value.high) >> (i % 8 * 8));
  return data;
}

/// One instruction being executed.
class Execution {
 public:
  Execution(const LoadStore& ls, RegisterFile& registers, MemoryPort& memory)
      : ls_(ls), registers_(registers), memory_(memory) {}

  bool run() {
    address_ = load_store_address(ls_, registers_);
    if (!transfer()) return false;
    if (ls_.writeback()) write_back();
    return true;
  }

 private:
  bool transfer() {
    switch (ls_.kind) {
      case Kind::load:
      case Kind::load_exclusive:
        return load_one();
      case Kind::store:
        return store_register(address_, ls_.rt);
      case Kind::load_pair:
      case Kind::load_exclusive_pair:
        return load_two();
      case Kind::store_pair:
        return store_register(address_, ls_.rt) && store_register(address_ + ls_.size, ls_.rt2);
      case Kind::store_exclusive:
      case Kind::store_exclusive_pair:
        return store_exclusive();
      case Kind::atomic:
        return modify();
      case Kind::compare_swap:
        return compare_swap();
      case Kind::compare_swap_pair:
        return compare_swap_pair();
      case Kind::load_structure:
      case Kind::store_structure:
        return transfer_structures();
      case Kind::zero_block:
        return zero_block();
      case Kind::prefetch:
      case Kind::cache_maintenance:
        return true;
    }
    return true;
  }

  bool load(VirtAddr va, unsigned bytes, Vector128& value) {
    std::array<std::uint8_t, 16> data{};
    if (!memory_.load(va, bytes, data.data())) return false;
    value = from_bytes(data.data(), bytes);
    return true;
  }

  bool store(VirtAddr va, unsigned bytes, const Vector128& value) {
    const std::array<std::uint8_t, 16> data = to_bytes(value);
    return memory_.store(va, bytes, data.data());
  }

  Vector128 register_value(unsigned n) const {
    return ls_.simd_fp ? registers_.get_v(n) : Vector128{read_x(registers_, n), 0};
  }

  void set_register(unsigned n, const Vector128& value) {
    if (ls_.simd_fp) {
      registers_.put_v(n, value);
      return;
    }
    std::uint64_t x = value.low;
    if (ls_.sign_extend) {
      x = static_cast<std::uint64_t>(as_signed(x, ls_.size));
      if (!ls_.sixty_four) x &= 0xffffffff;
    }
    write_x(registers_, n, x);
  }

  bool load_one() {
    Vector128 value;
    if (ls_.is_exclusive()) memory_.set_exclusive(address_, ls_.size);
    if (!load(address_, ls_.size, value)) return false;
    set_register(ls_.rt, value);
    return true;
  }

  bool load_two() {
    Vector128 first, second;
    if (ls_.is_exclusive()) {
      // One single-copy atomic access (DDI 0487 B2).
      memory_.set_exclusive(address_, 2u * ls_.size);
      if (!load_both(first, second)) return false;
    } else if (!load(address_, ls_.size, first) || !load(address_ + ls_.size, ls_.size, second)) {
      return false;
    }
    set_register(ls_.rt, first);
    set_register(ls_.rt2, second);
    return true;
  }

  // Two registers as one access of twice the size; the first is at the lower address.
  bool load_both(Vector128& first, Vector128& second) {
    Vector128 both;
    if (!load(address_, 2u * ls_.size, both)) return false;
    first.low = both.low & mask_of(ls_.size);
    second.low = ls_.size == 8 ? both.high : both.low >> 32;
    return true;
  }

  bool store_both(std::uint64_t first, std::uint64_t second) {
    const Vector128 both = ls_.size == 8 ? Vector128{first, second}
                                         : Vector128{(first & 0xffffffff) | second << 32, 0};
    return store(address_, 2u * ls_.size, both);
  }

  bool store_register(VirtAddr va, unsigned n) { return store(va, ls_.size, register_value(n)); }

  bool store_exclusive() {
    if (!memory_.take_exclusive(address_, ls_.total_bytes())) {
      write_x(registers_, ls_.rs, 1);
      return true;
    }
    const bool done = ls_.is_pair()
                          ? store_both(read_x(registers_, ls_.rt), read_x(registers_, ls_.rt2))
                          : store_register(address_, ls_.rt);
    if (done) write_x(registers_, ls_.rs, 0);
    return done;
  }

  std::uint64_t combine(std::uint64_t old, std::uint64_t operand) const {
    const auto a = as_signed(old, ls_.size), b = as_signed(operand, ls_.size);
    switch (ls_.op) {
      case AtomicOp::add:
        return old + operand;
      case AtomicOp::clear:
        return old & ~operand;
      case AtomicOp::exclusive_or:
        return old ^ operand;
      case AtomicOp::set:
        return old | operand;
      case AtomicOp::smax:
        return a > b ? old : operand;
      case AtomicOp::smin:
        return a > b ? operand : old;
      case AtomicOp::umax:
        return old > operand ? old : operand;
      case AtomicOp::umin:
        return old > operand ? operand : old;
      case AtomicOp::swap:
        return operand;
    }
    return old;
  }

  bool modify() {
    const std::uint64_t operand = read_x(registers_, ls_.rs) & mask_of(ls_.size);
    Vector128 old;
    if (!memory_.probe_store(address_, ls_.size) || !load(address_, ls_.size, old)) return false;
    if (!store(address_, ls_.size, {combine(old.low, operand), 0})) return false;
    write_x(registers_, ls_.rt, old.low);
    return true;
  }

  bool compare_swap() {
    const std::uint64_t expected = read_x(registers_, ls_.rs) & mask_of(ls_.size);
    Vector128 old;
    if (!memory_.probe_store(address_, ls_.size) || !load(address_, ls_.size, old)) return false;
    if (old.low == expected && !store_register(address_, ls_.rt)) return false;
    write_x(registers_, ls_.rs, old.low);
    return true;
  }

  // Rs and Rt are even; register 31 as an upper half is XZR.
  bool compare_swap_pair() {
    const std::uint64_t mask = mask_of(ls_.size);
    const unsigned rs_high = ls_.rs + 1u, rt_high = ls_.rt + 1u;
    Vector128 low, high;
    if (!memory_.probe_store(address_, 2u * ls_.size) || !load_both(low, high)) return false;
    const bool equal = low.low == (read_x(registers_, ls_.rs) & mask) &&
                       high.low == (read_x(registers_, rs_high) & mask);
    if (equal && !store_both(read_x(registers_, ls_.rt), read_x(registers_, rt_high))) return false;
    write_x(registers_, ls_.rs, low.low);
    write_x(registers_, rs_high, high.low);
    return true;
  }

  using RegisterBytes = std::array<std::uint8_t, 16>;

  // Registers are worked on as bytes and written back only once no access faulted.
  bool transfer_structures() {
    std::array<RegisterBytes, 4> list;
    for (unsigned i = 0; i < ls_.structure_registers; ++i)
      list[i] = to_bytes(registers_.get_v((ls_.rt + i) % 32));
    const bool loads = ls_.kind == Kind::load_structure;
    const unsigned repeats = ls_.structure_registers / ls_.interleave;
    VirtAddr va = address_;
    for (unsigned r = 0; r < repeats; ++r) {
      for (unsigned e = 0; e < ls_.lanes; ++e) {
        for (unsigned s = 0; s < ls_.interleave; ++s, va += ls_.size) {
          std::uint8_t* lane = &list[r + s][(ls_.lane + e) * ls_.size];
          if (loads ? !memory_.load(va, ls_.size, lane) : !memory_.store(va, ls_.size, lane))
            return false;
        }
      }
    }
    if (loads) finish_structures(list);
    return true;
  }

  void finish_structures(std::array<RegisterBytes, 4>& list) {
    for (unsigned i = 0; i < ls_.structure_registers; ++i) {
      RegisterBytes& data = list[i];
      if (ls_.replicate) {
        for (unsigned at = ls_.size; at < 16; at += ls_.size)
          std::memcpy(&data[at], &data[0], ls_.size);
      }
      if (!ls_.single_structure && !ls_.full_vector) std::memset(&data[8], 0, 8);
      registers_.put_v((ls_.rt + i) % 32, from_bytes(data.data(), 16));
    }
  }

  bool zero_block() {
    const unsigned block = memory_.zero_block_bytes();
    const unsigned step = block < 16 ? block : 16;
    const VirtAddr base = address_ & ~static_cast<VirtAddr>(block - 1);
    for (unsigned at = 0; at < block; at += step)
      if (!store(base + at, step, {})) return false;
    return true;
  }

  void write_back() {
    std::uint64_t value = address_;
    if (ls_.addressing == Addressing::post_index) value += static_cast<std::uint64_t>(ls_.offset);
    if (ls_.addressing == Addressing::post_register) value += post_increment_;
    if (ls_.rn == 31) {
      registers_.put_sp(value);
    } else {
      registers_.put_x(ls_.rn, value);
    }
  }

  const LoadStore& ls_;
  RegisterFile& registers_;
  MemoryPort& memory_;
  VirtAddr address_ = 0;
  std::uint64_t post_increment_ =
      ls_.addressing == Addressing::post_register ? read_x(registers_, ls_.rm) : 0;
};

std::uint64_t extended_index(const LoadStore& ls, const RegisterFile& registers) {
  const std::uint64_t value = read_x(registers, ls.rm);
  switch (ls.extend) {
    case IndexExtend::uxtw:
      return (value & 0xffffffff) << ls.shift;
    case IndexExtend::sxtw:
      return static_cast<std::uint64_t>(as_signed(value, 4)) << ls.shift;
    default:
      return value << ls.shift;
  }
}

}  // namespace

VirtAddr load_store_address(const LoadStore& ls, const RegisterFile& registers) {
  const auto offset = static_cast<std::uint64_t>(ls.offset);
  switch (ls.addressing) {
    case Addressing::literal:
      return registers.get_pc() + offset;
    case Addressing::from_rt:
      return read_x(registers, ls.rt);
    case Addressing::post_index:
    case Addressing::post_register:
      return read_base(registers, ls.rn);
    case Addressing::register_offset:
      return read_base(registers, ls.rn) + extended_index(ls, registers);
    case Addressing::offset:
    case Addressing::pre_index:
      break;
  }
  std::uint64_t base = read_base(registers, ls.rn);
  if (ls.authenticate != PointerKey::none)
    base = registers.authenticate_data(base, ls.authenticate);
  return base + offset;
}

bool execute_load_store(const LoadStore& ls, RegisterFile& registers, MemoryPort& memory) {
  return Execution(ls, registers, memory).run();
}

}  // namespace trapline
