// A64 loads and stores as data: decoded for fault syndromes, and executed through abstract
// registers and memory where the execution engine must not do it (device pages, split MPU pages).
// DDI 0487 C4.1 "Loads and Stores", Armv8.0 to 8.4 with FEAT_LSE, LRCPC, LRCPC2, LOR and PAuth.
#pragma once

#include <cstdint>
#include <optional>

#include "sim/arch/esr.h"
#include "sim/arch/types.h"

namespace trapline {

enum class LoadStoreKind : std::uint8_t {
  load,  ///< One general-purpose or SIMD&FP register.
  store,
  prefetch,              ///< PRFM, PRFUM.
  load_pair,             ///< LDP, LDNP, LDPSW.
  store_pair,            ///< STP, STNP.
  load_exclusive,        ///< LDXR, LDAXR.
  store_exclusive,       ///< STXR, STLXR: status to Rs.
  load_exclusive_pair,   ///< LDXP, LDAXP.
  store_exclusive_pair,  ///< STXP, STLXP.
  atomic,                ///< LDADD to LDUMIN, SWP: old value to Rt, operand in Rs.
  compare_swap,          ///< CAS: compares with and returns to Rs, new value in Rt.
  compare_swap_pair,     ///< CASP, likewise with Rs:Rs+1 and Rt:Rt+1.
  load_structure,        ///< LD1 to LD4, multiple, single and replicating.
  store_structure,       ///< ST1 to ST4.
  zero_block,            ///< DC ZVA.
  cache_maintenance,     ///< DC or IC by VA.
};

enum class AtomicOp : std::uint8_t { add, clear, exclusive_or, set, smax, smin, umax, umin, swap };

/// How the address is made. The base is X[rn], or SP for rn = 31.
enum class Addressing : std::uint8_t {
  offset,           ///< base + offset.
  pre_index,        ///< base + offset, written back.
  post_index,       ///< base; base + offset is written back.
  post_register,    ///< base; base + X[rm] is written back (structures).
  register_offset,  ///< base + extend(X[rm]) << shift.
  literal,          ///< PC + offset; rn is not used.
  from_rt,          ///< X[rt], where 31 is XZR (SYS instructions).
};

/// The extension of Rm for Addressing::register_offset.
enum class IndexExtend : std::uint8_t { uxtw = 2, lsl = 3, sxtw = 6, sxtx = 7 };

enum class PointerKey : std::uint8_t { none, a, b };

/// One decoded instruction. Fields that a kind does not use have their initial values.
struct LoadStore {
  LoadStoreKind kind = LoadStoreKind::load;
  Addressing addressing = Addressing::offset;
  AtomicOp op = AtomicOp::add;
  IndexExtend extend = IndexExtend::lsl;
  PointerKey authenticate = PointerKey::none;  ///< LDRAA, LDRAB.

  bool simd_fp = false;  ///< rt and rt2 are V registers.
  bool sign_extend = false;
  bool sixty_four = false;  ///< The general-purpose register written or stored is an X register.
  bool acquire = false;
  bool release = false;
  bool limited_ordering = false;  ///< LDLAR, STLLR.
  bool unprivileged = false;      ///< LDTR*, STTR*: an EL0 access unless PSTATE.UAO is set.
  bool non_temporal = false;      ///< LDNP, STNP.

  std::uint8_t size = 0;  ///< Bytes of one register's or element's access: 1, 2, 4, 8, 16. 0: none.
  std::uint8_t rt = 31;
  std::uint8_t rt2 = 31;
  std::uint8_t rs = 31;
  std::uint8_t rn = 31;
  std::uint8_t rm = 31;
  std::uint8_t shift = 0;
  std::int64_t offset = 0;

  // Structures (LD1 to ST4).
  std::uint8_t structure_registers = 0;  ///< Registers named in the list, 1 to 4.
  std::uint8_t interleave = 0;           ///< Elements of one structure, selem in the manual.
  std::uint8_t lanes = 0;                ///< Elements of one register that are transferred.
  std::uint8_t lane = 0;                 ///< Index for a single structure.
  bool single_structure = false;         ///< One lane; other lanes of a loaded register are kept.
  bool replicate = false;                ///< LD1R to LD4R.
  bool full_vector = false;              ///< Q: 128-bit registers.

  bool operator==(const LoadStore&) const = default;

  bool writeback() const {
    return addressing == Addressing::pre_index || addressing == Addressing::post_index ||
           addressing == Addressing::post_register;
  }
  /// Reads and writes memory in one instruction (FEAT_LSE).
  bool is_atomic() const {
    return kind == LoadStoreKind::atomic || kind == LoadStoreKind::compare_swap ||
           kind == LoadStoreKind::compare_swap_pair;
  }
  bool is_exclusive() const {
    return kind >= LoadStoreKind::load_exclusive && kind <= LoadStoreKind::store_exclusive_pair;
  }
  bool is_pair() const {
    return kind == LoadStoreKind::load_pair || kind == LoadStoreKind::store_pair ||
           kind == LoadStoreKind::load_exclusive_pair ||
           kind == LoadStoreKind::store_exclusive_pair || kind == LoadStoreKind::compare_swap_pair;
  }
  /// Reads memory (a prefetch and cache maintenance do not).
  bool reads() const;
  /// Writes memory.
  bool writes() const;
  /// Bytes from the lowest to the highest byte accessed; 0 for prefetch, cache maintenance and
  /// DC ZVA, whose block size DCZID_EL0 gives.
  unsigned total_bytes() const;
  /// The size that alignment checks go by: the whole access for exclusive and compare-and-swap
  /// pairs, one element otherwise (DDI 0487 B2).
  unsigned alignment() const;
};

/// nullopt for anything that is not an allocated load or store, DC ZVA, or DC/IC by VA. Not
/// decoded, as no CPU here has them: MTE tag accesses, LD64B/ST64B, MOPS, RCPC3, LSE128, SVE and
/// SME.
std::optional<LoadStore> decode_load_store(std::uint32_t word);

/// What a stage-2 data abort by this instruction says of it: valid for one general-purpose register
/// without writeback, neither exclusive nor atomic (DDI 0487 ESR_ELx, ISV).
AccessSyndrome access_syndrome(const LoadStore& instruction);

/// A 128-bit register.
struct Vector128 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const Vector128&) const = default;
};

/// The registers that a load or store uses. `n` is never 31 for get_x and put_x.
class RegisterFile {
 public:
  virtual ~RegisterFile() = default;
  virtual std::uint64_t get_x(unsigned n) const = 0;
  virtual void put_x(unsigned n, std::uint64_t value) = 0;
  virtual std::uint64_t get_sp() const = 0;
  virtual void put_sp(std::uint64_t value) = 0;
  virtual Vector128 get_v(unsigned n) const = 0;
  virtual void put_v(unsigned n, const Vector128& value) = 0;
  /// The address of the instruction itself.
  virtual std::uint64_t get_pc() const = 0;
  /// AUTDA or AUTDB with a zero modifier, for LDRAA and LDRAB. The default strips nothing: a PE
  /// without FEAT_PAuth never gets here.
  virtual std::uint64_t authenticate_data(std::uint64_t pointer, PointerKey) const {
    return pointer;
  }
};

/// Memory by virtual address, little-endian. An access that faults returns false and remembers the
/// fault itself. Addresses may be unaligned and, for one access, cross a page.
class MemoryPort {
 public:
  virtual ~MemoryPort() = default;
  /// `bytes` is 1, 2, 4, 8 or 16.
  virtual bool load(VirtAddr va, unsigned bytes, void* to) = 0;
  virtual bool store(VirtAddr va, unsigned bytes, const void* from) = 0;
  /// Called before the load of an atomic: false where a store would fault, with WnR as the
  /// architecture asks. The default leaves that to the store.
  virtual bool probe_store(VirtAddr, unsigned) { return true; }
  /// The exclusive monitor. By default there is none and every store-exclusive succeeds, which is
  /// IMPLEMENTATION DEFINED for Device memory (DDI 0487 B2).
  virtual void set_exclusive(VirtAddr, unsigned) {}
  virtual bool take_exclusive(VirtAddr, unsigned) { return true; }
  /// Bytes that DC ZVA zeroes: 4 << DCZID_EL0.BS.
  virtual unsigned zero_block_bytes() const { return 64; }
};

/// The address of the first byte, before any tag is removed: what FAR_ELx reports. For DC ZVA and
/// cache maintenance the register's value, unaligned as it is.
VirtAddr load_store_address(const LoadStore& instruction, const RegisterFile& registers);

/// Executes the instruction: accesses in the order of the manual's pseudocode, then registers, then
/// writeback. False when the memory faulted: registers are then unchanged, but earlier stores of
/// the same instruction stay done, as the architecture allows. SP alignment is the caller's to
/// check. With writeback to a transferred register (CONSTRAINED UNPREDICTABLE) the written-back
/// address wins and a store stores the old value.
bool execute_load_store(const LoadStore& instruction, RegisterFile& registers, MemoryPort& memory);

}  // namespace trapline
