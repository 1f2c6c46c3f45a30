#include "sim/arch/instruction_class.h"

#include <optional>
#include <span>

#include "sim/arch/load_store.h"
#include "sim/arch/types.h"

namespace trapline {
namespace {

using Class = InstructionClass;

struct Pattern {
  std::uint32_t mask;
  std::uint32_t value;
  Class result;
};

// In each table the first match counts. Order and names follow DDI 0487 C4.1.

constexpr Pattern kImmediate[] = {
    {0x1f000000, 0x10000000, Class::integer},    // ADR, ADRP
    {0x1f800000, 0x11000000, Class::integer},    // ADD, SUB
    {0x9fc00000, 0x12400000, Class::undefined},  // Logical, 32-bit with N = 1
    {0x1f800000, 0x12000000, Class::integer},    // Logical
    {0x7f800000, 0x32800000, Class::undefined},  // Move wide, opc = 01
    {0x9fc00000, 0x12c00000, Class::undefined},  // Move wide, 32-bit with hw >= 2
    {0x1f800000, 0x12800000, Class::integer},    // MOVN, MOVZ, MOVK
    {0x7f800000, 0x73000000, Class::undefined},  // Bitfield, opc = 11
    {0xffc00000, 0xd3400000, Class::shift},      // UBFM
    {0xffc00000, 0x93400000, Class::shift},      // SBFM
    {0xffc00000, 0xb3400000, Class::shift},      // BFM
    {0x9fe08000, 0x13000000, Class::shift},      // The same, 32-bit: immr and imms below 32
    {0xffe00000, 0x93c00000, Class::shift},      // EXTR
    {0xffe08000, 0x13800000, Class::shift},      // EXTR, 32-bit
};

constexpr Pattern kBranch[] = {
    {0xfc000000, 0x14000000, Class::branch},
    {0xfc000000, 0x94000000, Class::call},
    {0xff000010, 0x54000000, Class::branch_conditional},
    {0x7c000000, 0x34000000, Class::branch_conditional},    // CBZ, CBNZ, TBZ, TBNZ
    {0xffe0001f, 0xd4000001, Class::exception_generation},  // SVC
    {0xffe0001f, 0xd4000002, Class::exception_generation},  // HVC
    {0xffe0001f, 0xd4000003, Class::exception_generation},  // SMC
    {0xffe0001f, 0xd4200000, Class::exception_generation},  // BRK
    {0xffe0001f, 0xd4400000, Class::exception_generation},  // HLT
    {0xffe0001c, 0xd4a00000, Class::exception_generation},  // DCPS
    {0xfffffc1f, 0xd61f0000, Class::branch_register},       // BR
    {0xfffffc1f, 0xd63f0000, Class::call},                  // BLR
    {0xfffffc1f, 0xd65f0000, Class::function_return},       // RET
    {0xfffff81f, 0xd61f081f, Class::branch_register},       // BRAAZ, BRABZ
    {0xfffff81f, 0xd63f081f, Class::call},                  // BLRAAZ, BLRABZ
    {0xfffff800, 0xd71f0800, Class::branch_register},       // BRAA, BRAB
    {0xfffff800, 0xd73f0800, Class::call},                  // BLRAA, BLRAB
    {0xfffffbff, 0xd65f0bff, Class::function_return},       // RETAA, RETAB
    {0xffffffff, 0xd69f03e0, Class::exception_return},      // ERET
    {0xfffffbff, 0xd69f0bff, Class::exception_return},      // ERETAA, ERETAB
    {0xffffffff, 0xd6bf03e0, Class::exception_return},      // DRPS
    {0xfffff01f, 0xd503201f, Class::hint},
    {0xffffffc0, 0xd5031000, Class::hint},  // WFET, WFIT
    {0xfffff0ff, 0xd50330df, Class::instruction_barrier},
    {0xfffff0ff, 0xd503305f, Class::barrier},       // CLREX
    {0xfffff0ff, 0xd503309f, Class::barrier},       // DSB
    {0xfffff0ff, 0xd50330bf, Class::barrier},       // DMB
    {0xfffff3ff, 0xd503323f, Class::barrier},       // DSB nXS
    {0xffffffff, 0xd50330ff, Class::barrier},       // SB
    {0xfff8f01f, 0xd500401f, Class::sysreg_write},  // MSR (immediate), CFINV, AXFLAG
    {0xfff8f000, 0xd5088000, Class::tlb_maintenance},
    {0xfff80000, 0xd5080000, Class::system},  // SYS
    {0xfff80000, 0xd5280000, Class::system},  // SYSL
    {0xfff00000, 0xd5300000, Class::sysreg_read},
    {0xfff00000, 0xd5100000, Class::sysreg_write},
};

constexpr Pattern kRegister[] = {
    {0x9f008000, 0x0a008000, Class::undefined},  // 32-bit with a shift of 32 or more
    {0x1f000000, 0x0a000000, Class::integer},    // Logical (shifted register)
    {0x9f208000, 0x0b008000, Class::undefined},
    {0x1fe00000, 0x0bc00000, Class::undefined},  // ROR
    {0x1f200000, 0x0b000000, Class::integer},    // ADD, SUB (shifted register)
    {0x1fe01000, 0x0b200000, Class::integer},    // ADD, SUB (extended register), shift 0 to 3
    {0x1fe01c00, 0x0b201000, Class::integer},    // ... and 4
    {0x1fe0fc00, 0x1a000000, Class::integer},    // ADC, SBC
    {0xffe07c10, 0xba000400, Class::integer},    // RMIF
    {0xffffbc1f, 0x3a00080d, Class::integer},    // SETF8, SETF16
    {0x3fe00410, 0x3a400000, Class::integer},    // CCMN, CCMP
    {0x3fe00800, 0x1a800000, Class::integer},    // CSEL to CSNEG
    {0x7fe0f800, 0x1ac00800, Class::divide},
    {0x7fe0f000, 0x1ac02000, Class::shift},                   // LSLV to RORV
    {0xffe0fc00, 0x9ac03000, Class::pointer_authentication},  // PACGA
    {0xffe0ec00, 0x9ac04c00, Class::crc},                     // CRC32X, CRC32CX
    {0xffe0ec00, 0x1ac04c00, Class::undefined},
    {0xffe0e000, 0x1ac04000, Class::crc},
    {0x7ffff800, 0x5ac00000, Class::integer},                 // RBIT, REV16
    {0x7ffffc00, 0x5ac00800, Class::integer},                 // REV32, and REV of 32 bits
    {0xfffffc00, 0xdac00c00, Class::integer},                 // REV, 64-bit
    {0x7ffff800, 0x5ac01000, Class::integer},                 // CLZ, CLS
    {0xffffe000, 0xdac10000, Class::pointer_authentication},  // PACIA to AUTDB
    {0xffffe3e0, 0xdac123e0, Class::pointer_authentication},  // The Z forms
    {0xfffffbe0, 0xdac143e0, Class::pointer_authentication},  // XPACI, XPACD
    {0x7fe00000, 0x1b000000, Class::multiply},                // MADD, MSUB
    {0xff600000, 0x9b200000, Class::multiply},                // SMADDL, UMADDL and the like
    {0xff608000, 0x9b400000, Class::multiply},                // SMULH, UMULH
};

// Scalar floating point comes before Advanced SIMD: their top bytes differ.
constexpr Pattern kFpSimd[] = {
    {0xff000000, 0x1f000000, Class::fp_multiply},       // FMADD to FNMSUB
    {0xffe0fc00, 0x1e601800, Class::fp_divide_double},  // FDIV
    {0xff20fc00, 0x1e201800, Class::fp_divide},
    {0xfffffc00, 0x1e61c000, Class::fp_divide_double},  // FSQRT
    {0xff3ffc00, 0x1e21c000, Class::fp_divide},
    {0xff207c00, 0x1e200800, Class::fp_multiply},  // FMUL, FNMUL
    {0x7f000000, 0x1e000000, Class::fp_simple},
    {0x5e000000, 0x1e000000, Class::undefined},
    {0xff3e0c00, 0x4e280800, Class::crypto},            // AES
    {0xff208c00, 0x5e000000, Class::crypto},            // SHA, three registers
    {0xff3e0c00, 0x5e280800, Class::crypto},            // SHA, two registers
    {0xff000000, 0xce000000, Class::crypto},            // SHA3, SHA512, SM3, SM4
    {0xbfe0fc00, 0x2e60fc00, Class::fp_divide_double},  // FDIV, vector
    {0xbfa0fc00, 0x2e20fc00, Class::fp_divide},
    {0xbfe0fc00, 0x2e403c00, Class::fp_divide},         // Half precision
    {0xbffffc00, 0x2ee1f800, Class::fp_divide_double},  // FSQRT, vector
    {0xbffffc00, 0x2ea1f800, Class::fp_divide},
    {0xbffffc00, 0x2ef9f800, Class::fp_divide},
    {0x8f000400, 0x0f000000, Class::simd_multiply},  // By element
    {0x9f20f400, 0x0e209400, Class::simd_multiply},  // MLA, MLS, MUL, PMUL
    {0x9f20fc00, 0x0e20b400, Class::simd_multiply},  // SQDMULH, SQRDMULH
    {0x8f20fc00, 0x0e20cc00, Class::simd_multiply},  // FMLA, FMLS
    {0x8f20fc00, 0x0e20dc00, Class::simd_multiply},  // FMUL, FMULX
    {0xaf20fc00, 0x0e20fc00, Class::simd_multiply},  // FRECPS, FRSQRTS
    {0x9f208c00, 0x0e208000, Class::simd_multiply},  // SMLAL to PMULL
    {0x8e000000, 0x0e000000, Class::simd},
};

Class find(std::span<const Pattern> table, std::uint32_t word) {
  for (const Pattern& pattern : table)
    if ((word & pattern.mask) == pattern.value) return pattern.result;
  return Class::undefined;
}

Class classify_load_store(std::uint32_t word) {
  const std::optional<LoadStore> decoded = decode_load_store(word);
  if (!decoded) return Class::undefined;
  switch (decoded->kind) {
    case LoadStoreKind::load:
      return Class::load;
    case LoadStoreKind::store:
      return Class::store;
    case LoadStoreKind::prefetch:
      return Class::prefetch;
    case LoadStoreKind::load_pair:
      return Class::load_pair;
    case LoadStoreKind::store_pair:
      return Class::store_pair;
    case LoadStoreKind::load_exclusive:
    case LoadStoreKind::store_exclusive:
    case LoadStoreKind::load_exclusive_pair:
    case LoadStoreKind::store_exclusive_pair:
      return Class::exclusive;
    case LoadStoreKind::atomic:
    case LoadStoreKind::compare_swap:
    case LoadStoreKind::compare_swap_pair:
      return Class::atomic;
    case LoadStoreKind::load_structure:
      return Class::vector_load;
    case LoadStoreKind::store_structure:
      return Class::vector_store;
    case LoadStoreKind::zero_block:
    case LoadStoreKind::cache_maintenance:
      return Class::cache_maintenance;
  }
  return Class::undefined;
}

Class classify_branch_or_system(std::uint32_t word) {
  const Class found = find(kBranch, word);
  if (found == Class::system && decode_load_store(word)) return Class::cache_maintenance;
  return found;
}

constexpr std::string_view kNames[kInstructionClasses] = {
    "undefined",
    "branch",
    "conditional branch",
    "register branch",
    "call",
    "return",
    "exception return",
    "exception generation",
    "integer",
    "shift",
    "multiply",
    "divide",
    "crc",
    "pointer authentication",
    "load",
    "load pair",
    "store",
    "store pair",
    "prefetch",
    "exclusive",
    "atomic",
    "vector load",
    "vector store",
    "fp simple",
    "fp multiply",
    "fp divide",
    "fp divide double",
    "simd",
    "simd multiply",
    "crypto",
    "system register read",
    "system register write",
    "system",
    "tlb maintenance",
    "cache maintenance",
    "barrier",
    "instruction barrier",
    "hint",
};
static_assert(static_cast<unsigned>(Class::hint) + 1 == kInstructionClasses);

}  // namespace

InstructionClass classify(std::uint32_t word) {
  switch (bits(word, 28, 25)) {  // op0 of the main table
    case 0b1000:
    case 0b1001:
      return find(kImmediate, word);
    case 0b1010:
    case 0b1011:
      return classify_branch_or_system(word);
    case 0b0100:
    case 0b0110:
    case 0b1100:
    case 0b1110:
      return classify_load_store(word);
    case 0b0101:
    case 0b1101:
      return find(kRegister, word);
    case 0b0111:
    case 0b1111:
      return find(kFpSimd, word);
    default:
      return Class::undefined;
  }
}

std::string_view name_of(InstructionClass instruction_class) {
  const auto index = static_cast<unsigned>(instruction_class);
  return index < kInstructionClasses ? kNames[index] : "invalid class";
}

}  // namespace trapline
