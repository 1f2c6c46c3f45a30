// One instruction that a CPU executed, and whoever watches them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "sim/arch/types.h"

namespace trapline {

/// RAM that a load or store went to, as it is after the instruction.
struct MemoryContents {
  static constexpr unsigned kMostBytes = 64;

  VirtAddr va = 0;
  PhysAddr pa = 0;
  unsigned bytes = 0;  ///< 1 to kMostBytes.
  bool write = false;
  std::array<std::uint8_t, kMostBytes> data{};
};

/// A SIMD&FP register after an instruction.
struct VectorResult {
  unsigned reg = 0;
  std::uint64_t low = 0, high = 0;
};

struct ExecutedInstruction {
  unsigned cpu = 0;
  El el = El::el0;      ///< In which it was executed.
  bool sp_el0 = false;  ///< PSTATE.SP was 0: SP is SP_EL0.
  std::uint16_t vmid = 0;
  std::uint64_t number = 0;  ///< Instructions the CPU retired before it.
  VirtAddr pc = 0;
  PhysAddr pa = 0;
  std::uint32_t word = 0;
  // After it; for one that took an exception, before the exception changed anything.
  std::array<std::uint64_t, 31> x{};
  std::uint64_t sp = 0;
  std::uint32_t pstate = 0;
  /// Absent for instructions that do not access memory or access a device.
  std::optional<MemoryContents> memory{};
  /// The register that bits [4:0] name, for SIMD&FP instructions that are no loads or stores: where
  /// it is not the destination, it has not changed.
  std::optional<VectorResult> vector{};
};

/// Instructions of each CPU, by their number; both ends inclusive.
struct InstructionWindow {
  std::uint64_t from = 0;
  std::uint64_t to = ~std::uint64_t{0};
};

/// Instructions that a CPU executed one after the other, without a branch but at their end.
struct ExecutedBlock {
  unsigned cpu = 0;
  El el = El::el0;
  std::uint16_t vmid = 0;
  VirtAddr pc = 0;
  unsigned bytes = 0;  ///< Exactly what was executed: an abort ends the block before itself.
};

/// Whoever watches blocks. It must not change the run.
class BlockSink {
 public:
  virtual ~BlockSink() = default;
  virtual void on_block(const ExecutedBlock& block) = 0;
};

/// Where a CPU was at some cycle.
struct StackSample {
  static constexpr unsigned kMostFrames = 64;

  unsigned cpu = 0;
  El el = El::el0;
  std::uint16_t vmid = 0;
  std::uint64_t weight = 1;  ///< Periods since the last one.
  /// The instruction, then the calls that led to it by the frame records of AAPCS64 (6.4.6), the
  /// innermost first. A leaf function without a record hides the call to its caller.
  std::array<VirtAddr, kMostFrames> frames{};
  unsigned depth = 0;
};

/// Whoever wants to know every so many cycles. It must not change the run.
class SampleSink {
 public:
  virtual ~SampleSink() = default;
  virtual std::uint64_t period() const = 0;  ///< In cycles of each CPU; always the same, not 0.
  virtual void on_sample(const StackSample& sample) = 0;
};

class WatchedMemory;

/// Whoever watches instructions, and what reaches them. It must not change the run.
class InstructionSink {
 public:
  virtual ~InstructionSink() = default;
  /// Those of interest. May change while an event is being handled, not at other times.
  virtual InstructionWindow window() const = 0;
  virtual void on_instruction(const ExecutedInstruction& instruction) = 0;

  /// RAM whose use is of interest; null: none. Accesses to its pages are slow. Bytes that are
  /// stored to leave it. Asked for once.
  virtual WatchedMemory* watched_memory() { return nullptr; }
  /// An instruction reads watched bytes, or is made of them (it may be reported before and yet not
  /// be executed), or a translation-table walk reads them.
  virtual void on_watched_use(PhysAddr) {}
  /// A page with watched bytes was accessed otherwise; `instructions` are those of the CPU.
  virtual void on_watched_page(PhysAddr, std::uint64_t /*instructions*/) {}
  /// A system register that models keep was read.
  virtual void on_register_read(std::uint64_t /*value*/) {}
  /// False: registers and the contents of memory are left out, which is faster. Asked for once.
  virtual bool wants_contents() const { return true; }
};

}  // namespace trapline
