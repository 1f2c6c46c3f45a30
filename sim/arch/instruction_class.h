// What kind of work an A64 instruction is, for timing tables and statistics.
#pragma once

#include <cstdint>
#include <string_view>

namespace trapline {

enum class InstructionClass : std::uint8_t {
  undefined,             ///< Unallocated here, or of an extension no CPU has (SVE, SME, MTE).
  branch,                ///< B.
  branch_conditional,    ///< B.cond, CBZ, CBNZ, TBZ, TBNZ.
  branch_register,       ///< BR and its authenticated forms.
  call,                  ///< BL, BLR.
  function_return,       ///< RET.
  exception_return,      ///< ERET, DRPS.
  exception_generation,  ///< SVC, HVC, SMC, BRK, HLT, DCPS.
  integer,               ///< Add, subtract, logical, move, select, compare, address.
  shift,                 ///< Shifts by register, bitfields, EXTR.
  multiply,
  divide,
  crc,
  pointer_authentication,
  load,  ///< One register, general or SIMD&FP.
  load_pair,
  store,
  store_pair,
  prefetch,
  exclusive,         ///< LDXR, STXR and pairs.
  atomic,            ///< FEAT_LSE.
  vector_load,       ///< LD1 to LD4.
  vector_store,      ///< ST1 to ST4.
  fp_simple,         ///< Scalar FP: add, convert, compare, move.
  fp_multiply,       ///< Scalar FP: multiply, fused multiply-add.
  fp_divide,         ///< FDIV, FSQRT, half or single precision, scalar or vector.
  fp_divide_double,  ///< FDIV, FSQRT, double precision.
  simd,              ///< Advanced SIMD other than the rows below.
  simd_multiply,
  crypto,
  sysreg_read,          ///< MRS.
  sysreg_write,         ///< MSR (register and immediate).
  system,               ///< SYS and SYSL but for the two rows below: AT, set/way.
  tlb_maintenance,      ///< TLBI.
  cache_maintenance,    ///< IC and DC by VA, DC ZVA included.
  barrier,              ///< DMB, DSB, SB, CLREX.
  instruction_barrier,  ///< ISB.
  hint,                 ///< NOP and other hints, WFE and WFI included.
};

inline constexpr unsigned kInstructionClasses = 38;

/// The class of any word. Exact for allocated instructions of Armv8.0 to 8.4; some reserved
/// encodings in the data-processing tables get the class of their neighbours.
InstructionClass classify(std::uint32_t word);

/// "load pair"; for reports.
std::string_view name_of(InstructionClass instruction_class);

}  // namespace trapline
