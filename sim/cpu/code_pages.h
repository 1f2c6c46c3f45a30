// What is known of each physical page that code was executed from.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "sim/arch/sysreg.h"
#include "sim/bus/bus.h"
#include "sim/time/timing_model.h"
#include "sim/trace/watched_memory.h"

namespace trapline {

struct PageAliases;

/// What some CPU of the machine has that makes more instructions need interception.
struct Interception {
  bool vhe = false;   ///< FEAT_VHE: EL1 registers may mean EL2's.
  bool midr = false;  ///< MIDR_EL1 is not the engine's.
  bool max_only = false;  ///< The engine has registers that are UNDEFINED: is_max_only().
  // What observers want to see.
  bool state_writes = false;  ///< Writes of registers that define the machine's state.
  bool markers = false;       ///< Guest markers (sim/arch/trace_points.h).
};

/// Cost and interception points of one 4 KiB page of A64 code.
struct CodePage {
  static constexpr unsigned kWords = 1024;
  /// In cost[]: an instruction after which the CPU takes a closer look (ERET, WFE, YIELD).
  static constexpr std::uint32_t kMark = 0x10000;
  /// In cost[], besides: an SEV or SEVL. Counted modulo 32, so a block with 32 of them shows none.
  static constexpr std::uint32_t kEvent = 1u << 27;

  /// cost[b] - cost[a] is the cycles of words a to b-1, plus kMark for each marked one. A block's
  /// cycles stay below kMark because no instruction costs more than 63 cycles.
  std::array<std::uint32_t, kWords + 1> cost{};
  std::vector<std::uint16_t> intercepts;  ///< Word indices of system instructions to be hooked.
  std::vector<std::uint16_t> untranslatable;  ///< Word indices that are is_untranslatable().
  std::bitset<kWords> fp;                 ///< Words that CPACR_EL1 and CPTR_EL2 can trap.
  bool unprivileged = false;              ///< Some words are is_unprivileged().
};

/// Page states of all RAM, shared by the CPUs of a machine. A page may be writable in some engine
/// TLB, or executed from (with translated blocks in some engine), never both: that is how stores to
/// code are noticed whatever the engine does about them. That holds for all places of a page
/// together, if it has several.
class CodePages {
 public:
  /// Words of `watched` memory are marked as well; may be null.
  CodePages(Bus& bus, const TimingModel& timing, Interception interception,
            WatchedMemory* watched = nullptr)
      : bus_(bus), timing_(timing), interception_(interception), watched_(watched) {}

  WatchedMemory* watched() const { return watched_; }

  /// Where a page of RAM stands. Valid as long as the bus.
  struct Slot {
    std::unique_ptr<CodePage> code;
    std::uint64_t scans = 0;  ///< Numbers each scan of any page; 0 before the first.
    bool executable = false;  ///< May be in an engine's TLB as executable, or translated.
    bool writable = false;    ///< May be in an engine's TLB as writable.
    bool read_only = false;   ///< ROM, or as CpuComplex::alias_page() says.
    bool no_execute = false;  ///< As that says.
    const PageAliases* aliases = nullptr;
  };

  /// The slot of the RAM page that holds `pa`, or nullptr where there is no RAM.
  Slot* slot(PhysAddr pa);
  /// The page's code, scanned now if it was not since the last drop().
  const CodePage& code(PhysAddr pa, Slot& slot);
  /// Forgets what was scanned; the page's contents change.
  void drop(Slot& slot) { slot.code.reset(); }

 private:
  Bus& bus_;
  const TimingModel& timing_;
  Interception interception_;
  WatchedMemory* watched_;
  std::uint64_t scans_ = 0;
  struct RamSlots {
    PhysAddr base;
    std::uint64_t size;
    std::vector<Slot> slots;
  };
  std::vector<RamSlots> rams_;
};

/// True for a word that the CPU must see before the engine executes it: some MRS, MSR and SYS, and
/// what needs_replacement().
bool needs_interception(std::uint32_t word, Interception interception = {});
/// True for a write of `reg` that concerns the CPU whoever observes it (FEAT_VHE aside).
bool intercepts_write(SysReg reg);
/// True for LDSMAX, LDSMIN and their kin on 8, 16 and 32 bits, which Unicorn 2.1 compares unsigned.
bool needs_replacement(std::uint32_t word);
/// True for accesses to what Unicorn's max has of FEAT_VHE, FEAT_RNG and FEAT_LOR: RNDR, RNDRRS, the
/// EL2 virtual timer, TTBR1_EL2 and the LORegion registers. The engine's random numbers and timer are
/// the host's.
bool is_max_only(std::uint32_t word);
/// True for an instruction that can make SP unaligned: it writes SP with what is not known to be a
/// multiple of 16.
bool may_unalign_sp(std::uint32_t word);
/// True for an unallocated word on which the engine would abort if its CPU has half-precision SIMD.
bool is_untranslatable(std::uint32_t word);
/// The EL2 register that an EL1 register's encoding reaches at EL2 while HCR_EL2.E2H is 1 (DDI 0487
/// D8.1.4); timers aside, which know it themselves.
std::optional<SysReg> host_register(SysReg reg);
/// True for floating-point and Advanced SIMD instructions, and accesses to FPCR and FPSR.
bool uses_fp(std::uint32_t word);
/// True for LDTR*, STTR* (DDI 0487 C4.1.94, "Load/store register (unprivileged)").
bool is_unprivileged(std::uint32_t word);
/// True for ERET, ERETAA and ERETAB.
bool is_exception_return(std::uint32_t word);
/// True for ERET*, WFE and YIELD.
bool is_marked(std::uint32_t word);
/// True for SEV and SEVL.
bool is_send_event(std::uint32_t word);
/// True for an instruction after which interrupts are sampled: one that ends a translation block in
/// every engine. Fixed by the architecture's encoding alone, so that the sampling points are too.
bool is_sampling_point(std::uint32_t word);

}  // namespace trapline
