// The decoder. Sections follow the tables of DDI 0487 C4.1.
#include "sim/arch/load_store.h"

#include <bit>

#include "sim/arch/registers.h"

namespace trapline {
namespace {

using Decoded = std::optional<LoadStore>;
using Kind = LoadStoreKind;

constexpr unsigned field(std::uint32_t word, unsigned msb, unsigned lsb) {
  return static_cast<unsigned>(bits(word, msb, lsb));
}
constexpr std::int64_t signed_field(std::uint32_t word, unsigned msb, unsigned lsb) {
  const unsigned width = msb - lsb + 1;
  return static_cast<std::int64_t>(bits(word, msb, lsb) << (64 - width)) >> (64 - width);
}

LoadStore with_registers(std::uint32_t word) {
  LoadStore ls;
  ls.rt = static_cast<std::uint8_t>(field(word, 4, 0));
  ls.rn = static_cast<std::uint8_t>(field(word, 9, 5));
  return ls;
}

void set_size(LoadStore& ls, unsigned log2) {
  ls.size = static_cast<std::uint8_t>(1u << log2);
}

// LDXR to STLXP, LDAR, STLR, LDLAR, STLLR, CAS, CASP.
Decoded decode_exclusive(std::uint32_t word) {
  LoadStore ls = with_registers(word);
  const unsigned size = field(word, 31, 30);
  const bool o2 = bit(word, 23), load = bit(word, 22), o1 = bit(word, 21), o0 = bit(word, 15);
  const auto rs = static_cast<std::uint8_t>(field(word, 20, 16));
  const auto rt2 = static_cast<std::uint8_t>(field(word, 14, 10));
  set_size(ls, size);
  ls.sixty_four = size == 3;
  if (o1 && (o2 || size < 2)) {
    if (rt2 != 31) return std::nullopt;
    ls.rs = rs;
    ls.acquire = load;
    ls.release = o0;
    ls.kind = Kind::compare_swap;
    if (!o2) {
      if ((ls.rs | ls.rt) & 1) return std::nullopt;
      ls.kind = Kind::compare_swap_pair;
      ls.sixty_four = size == 1;
      set_size(ls, 2 + size);
    }
    return ls;
  }
  ls.acquire = load && (o0 || o2);
  ls.release = !load && (o0 || o2);
  if (o2) {
    ls.limited_ordering = !o0;
    ls.kind = load ? Kind::load : Kind::store;
    return ls;
  }
  if (!load) ls.rs = rs;
  if (o1) {
    ls.rt2 = rt2;
    ls.kind = load ? Kind::load_exclusive_pair : Kind::store_exclusive_pair;
  } else {
    ls.kind = load ? Kind::load_exclusive : Kind::store_exclusive;
  }
  return ls;
}

// The size:opc table that general-purpose loads and stores share. False: unallocated.
bool decode_general(LoadStore& ls, unsigned size, unsigned opc, bool has_prefetch) {
  set_size(ls, size);
  ls.kind = opc == 0 ? Kind::store : Kind::load;
  ls.sixty_four = size == 3;
  if (opc < 2) return true;
  if (size == 3) {
    ls.kind = Kind::prefetch;
    ls.size = 0;
    ls.sixty_four = false;
    return opc == 2 && has_prefetch;
  }
  ls.sign_extend = true;
  ls.sixty_four = opc == 2;
  return opc == 2 || size < 2;
}

bool decode_simd(LoadStore& ls, unsigned size, unsigned opc) {
  const unsigned scale = (opc & 2) << 1 | size;
  if (scale > 4) return false;
  ls.simd_fp = true;
  ls.kind = opc & 1 ? Kind::load : Kind::store;
  set_size(ls, scale);
  return true;
}

unsigned scale_of(const LoadStore& ls) {
  return ls.kind == Kind::prefetch ? 3 : static_cast<unsigned>(std::countr_zero(ls.size));
}

bool decode_size(LoadStore& ls, std::uint32_t word, bool has_prefetch) {
  const unsigned size = field(word, 31, 30), opc = field(word, 23, 22);
  if (bit(word, 26)) return decode_simd(ls, size, opc);
  return decode_general(ls, size, opc, has_prefetch);
}

Decoded decode_literal(std::uint32_t word) {
  LoadStore ls;
  ls.rt = static_cast<std::uint8_t>(field(word, 4, 0));
  ls.addressing = Addressing::literal;
  ls.offset = signed_field(word, 23, 5) * 4;
  const unsigned opc = field(word, 31, 30);
  if (bit(word, 26)) {
    if (opc == 3) return std::nullopt;
    ls.simd_fp = true;
    set_size(ls, 2 + opc);
    return ls;
  }
  if (opc == 3) {
    ls.kind = Kind::prefetch;
    return ls;
  }
  set_size(ls, opc == 1 ? 3 : 2);
  ls.sign_extend = opc == 2;
  ls.sixty_four = opc != 0;
  return ls;
}

Decoded decode_pair(std::uint32_t word) {
  LoadStore ls = with_registers(word);
  const unsigned opc = field(word, 31, 30), mode = field(word, 24, 23);
  const bool load = bit(word, 22);
  if (opc == 3) return std::nullopt;
  ls.kind = load ? Kind::load_pair : Kind::store_pair;
  ls.rt2 = static_cast<std::uint8_t>(field(word, 14, 10));
  ls.non_temporal = mode == 0;
  if (bit(word, 26)) {
    ls.simd_fp = true;
    set_size(ls, 2 + opc);
  } else {
    // opc 1: LDPSW; its store is STGP, and there is no non-temporal form.
    if (opc == 1 && (!load || mode == 0)) return std::nullopt;
    ls.sign_extend = opc == 1;
    ls.sixty_four = opc != 0;
    set_size(ls, opc == 2 ? 3 : 2);
  }
  ls.offset = signed_field(word, 21, 15) * ls.size;
  if (mode == 1) ls.addressing = Addressing::post_index;
  if (mode == 3) ls.addressing = Addressing::pre_index;
  return ls;
}

// LDUR, LDTR and the immediate pre- and post-indexed forms.
Decoded decode_imm9(std::uint32_t word) {
  LoadStore ls = with_registers(word);
  const unsigned form = field(word, 11, 10);
  if (!decode_size(ls, word, form == 0)) return std::nullopt;
  if (form == 2) {
    if (ls.simd_fp) return std::nullopt;
    ls.unprivileged = true;
  }
  if (form == 1) ls.addressing = Addressing::post_index;
  if (form == 3) ls.addressing = Addressing::pre_index;
  ls.offset = signed_field(word, 20, 12);
  return ls;
}

Decoded decode_unsigned_offset(std::uint32_t word) {
  LoadStore ls = with_registers(word);
  if (!decode_size(ls, word, true)) return std::nullopt;
  ls.offset = static_cast<std::int64_t>(bits(word, 21, 10) << scale_of(ls));
  return ls;
}

Decoded decode_register_offset(std::uint32_t word) {
  LoadStore ls = with_registers(word);
  const unsigned option = field(word, 15, 13);
  if (!(option & 2) || !decode_size(ls, word, true)) return std::nullopt;
  ls.addressing = Addressing::register_offset;
  ls.rm = static_cast<std::uint8_t>(field(word, 20, 16));
  ls.extend = static_cast<IndexExtend>(option);
  if (bit(word, 12)) ls.shift = static_cast<std::uint8_t>(scale_of(ls));
  return ls;
}

// LDADD to LDUMIN, SWP, LDAPR.
Decoded decode_atomic(std::uint32_t word) {
  if (bit(word, 26)) return std::nullopt;
  LoadStore ls = with_registers(word);
  const unsigned size = field(word, 31, 30), opc = field(word, 14, 12);
  const auto rs = static_cast<std::uint8_t>(field(word, 20, 16));
  set_size(ls, size);
  ls.sixty_four = size == 3;
  ls.acquire = bit(word, 23);
  ls.release = bit(word, 22);
  if (!bit(word, 15)) {
    ls.kind = Kind::atomic;
    ls.op = static_cast<AtomicOp>(opc);
    ls.rs = rs;
    return ls;
  }
  if (opc == 0) {
    ls.kind = Kind::atomic;
    ls.op = AtomicOp::swap;
    ls.rs = rs;
    return ls;
  }
  if (opc == 4 && rs == 31 && ls.acquire && !ls.release) return ls;  // LDAPR
  return std::nullopt;
}

// LDRAA, LDRAB.
Decoded decode_authenticated(std::uint32_t word) {
  if (field(word, 31, 30) != 3 || bit(word, 26)) return std::nullopt;
  LoadStore ls = with_registers(word);
  set_size(ls, 3);
  ls.sixty_four = true;
  ls.authenticate = bit(word, 23) ? PointerKey::b : PointerKey::a;
  const std::int64_t sign = bit(word, 22) ? -512 : 0;
  ls.offset = (sign + static_cast<std::int64_t>(bits(word, 20, 12))) * 8;
  if (bit(word, 11)) ls.addressing = Addressing::pre_index;
  return ls;
}

// LDAPUR, STLUR.
Decoded decode_ordered_unscaled(std::uint32_t word) {
  if (bit(word, 21) || field(word, 11, 10) != 0) return std::nullopt;  // MTE, MOPS.
  LoadStore ls = with_registers(word);
  if (!decode_general(ls, field(word, 31, 30), field(word, 23, 22), false)) return std::nullopt;
  ls.acquire = ls.kind == Kind::load;
  ls.release = !ls.acquire;
  ls.offset = signed_field(word, 20, 12);
  return ls;
}

Decoded decode_single_register(std::uint32_t word) {
  if (bit(word, 24)) return decode_unsigned_offset(word);
  if (!bit(word, 21)) return decode_imm9(word);
  switch (field(word, 11, 10)) {
    case 0:
      return decode_atomic(word);
    case 2:
      return decode_register_offset(word);
    default:
      return decode_authenticated(word);
  }
}

// Common to both structure tables: the post-indexed forms, once the bytes transferred are known.
Decoded finish_structure(LoadStore ls, std::uint32_t word, unsigned bytes) {
  const auto rm = static_cast<std::uint8_t>(field(word, 20, 16));
  ls.simd_fp = true;
  ls.kind = bit(word, 22) ? Kind::load_structure : Kind::store_structure;
  if (!bit(word, 23)) return rm == 0 ? Decoded(ls) : std::nullopt;
  if (rm == 31) {
    ls.addressing = Addressing::post_index;
    ls.offset = bytes;
  } else {
    ls.addressing = Addressing::post_register;
    ls.rm = rm;
  }
  return ls;
}

// LD1 to LD4, ST1 to ST4 (multiple structures).
Decoded decode_multiple_structures(std::uint32_t word) {
  struct Shape {
    std::uint8_t registers, interleave;
  };
  constexpr Shape kShapes[16] = {{4, 4}, {}, {4, 1}, {}, {3, 3}, {}, {3, 1}, {1, 1},
                                 {2, 2}, {}, {2, 1}, {}, {},     {}, {},     {}};
  const Shape shape = kShapes[field(word, 15, 12)];
  const unsigned size = field(word, 11, 10);
  if (shape.registers == 0 || bit(word, 21)) return std::nullopt;
  LoadStore ls = with_registers(word);
  ls.full_vector = bit(word, 30);
  if (size == 3 && !ls.full_vector && shape.interleave != 1) return std::nullopt;
  set_size(ls, size);
  ls.structure_registers = shape.registers;
  ls.interleave = shape.interleave;
  const unsigned vector_bytes = ls.full_vector ? 16 : 8;
  ls.lanes = static_cast<std::uint8_t>(vector_bytes >> size);
  return finish_structure(ls, word, vector_bytes * shape.registers);
}

// LD1 to LD4, ST1 to ST4 (single structure), LD1R to LD4R.
Decoded decode_single_structure(std::uint32_t word) {
  LoadStore ls = with_registers(word);
  const bool q = bit(word, 30), s = bit(word, 12);
  const unsigned opcode = field(word, 15, 13), size = field(word, 11, 10);
  const unsigned q_s_size = (q ? 8u : 0) | (s ? 4u : 0) | size;
  unsigned scale = opcode >> 1;
  ls.interleave = static_cast<std::uint8_t>(((opcode & 1) << 1 | (bit(word, 21) ? 1 : 0)) + 1);
  ls.structure_registers = ls.interleave;
  ls.lanes = 1;
  ls.full_vector = q;
  switch (scale) {
    case 3:
      if (!bit(word, 22) || s) return std::nullopt;
      scale = size;
      ls.replicate = true;
      break;
    case 2:
      if (size & 2) return std::nullopt;
      if (size & 1) {
        if (s) return std::nullopt;
        scale = 3;
      }
      break;
    case 1:
      if (size & 1) return std::nullopt;
      break;
    default:
      break;
  }
  if (!ls.replicate) {
    ls.single_structure = true;
    ls.lane = static_cast<std::uint8_t>(q_s_size >> scale);
  }
  set_size(ls, scale);
  return finish_structure(ls, word, static_cast<unsigned>(ls.size) * ls.interleave);
}

// DC and IC by VA (DDI 0487 C5.3).
Decoded decode_cache_operation(std::uint32_t word) {
  const auto access = sysreg_from_instruction(word);
  if (!access || access->is_read || !is_system_instruction(access->reg)) return std::nullopt;
  LoadStore ls;
  ls.addressing = Addressing::from_rt;
  ls.rt = access->rt;
  if (access->reg == reg::DC_ZVA) {
    ls.kind = Kind::zero_block;
    return ls;
  }
  for (const SysReg by_va : {reg::DC_IVAC, reg::DC_CVAC, reg::DC_CVAU, reg::DC_CVAP, reg::DC_CVADP,
                             reg::DC_CIVAC, reg::IC_IVAU}) {
    if (access->reg == by_va) {
      ls.kind = Kind::cache_maintenance;
      return ls;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<LoadStore> decode_load_store(std::uint32_t word) {
  if ((word & 0xfff80000) == 0xd5080000) return decode_cache_operation(word);
  if ((word & 0x0a000000) != 0x08000000) return std::nullopt;
  const bool simd = bit(word, 26), bit24 = bit(word, 24);
  switch (field(word, 29, 28)) {
    case 0:
      if (!simd) return bit24 ? std::nullopt : decode_exclusive(word);
      if (bit(word, 31)) return std::nullopt;
      return bit24 ? decode_single_structure(word) : decode_multiple_structures(word);
    case 1:
      if (!bit24) return decode_literal(word);
      return simd ? std::nullopt : decode_ordered_unscaled(word);
    case 2:
      return decode_pair(word);
    default:
      return decode_single_register(word);
  }
}

bool LoadStore::reads() const {
  switch (kind) {
    case Kind::load:
    case Kind::load_pair:
    case Kind::load_exclusive:
    case Kind::load_exclusive_pair:
    case Kind::load_structure:
      return true;
    default:
      return is_atomic();
  }
}

bool LoadStore::writes() const {
  switch (kind) {
    case Kind::store:
    case Kind::store_pair:
    case Kind::store_exclusive:
    case Kind::store_exclusive_pair:
    case Kind::store_structure:
    case Kind::zero_block:
      return true;
    default:
      return is_atomic();
  }
}

unsigned LoadStore::total_bytes() const {
  if (kind == Kind::load_structure || kind == Kind::store_structure)
    return static_cast<unsigned>(size) * lanes * structure_registers;
  return is_pair() ? 2u * size : size;
}

unsigned LoadStore::alignment() const {
  const bool whole = is_exclusive() || is_atomic();
  return whole && is_pair() ? 2u * size : size;
}

AccessSyndrome access_syndrome(const LoadStore& ls) {
  const bool single = ls.kind == Kind::load || ls.kind == Kind::store;
  if (!single || ls.simd_fp || ls.writeback()) return {};
  return {.valid = true,
          .size_log2 = static_cast<std::uint8_t>(std::countr_zero(ls.size)),
          .sign_extend = ls.sign_extend,
          .rt = ls.rt,
          .sixty_four = ls.sixty_four,
          .ordered = ls.acquire || ls.release};
}

}  // namespace trapline
