// How a run is bounded and what it leaves behind, as plain data.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/arch/types.h"
#include "sim/time/clock.h"

namespace trapline {

enum class ExitReason : std::uint8_t {
  power_off,           ///< PSCI SYSTEM_OFF, or the board's power control.
  reset,               ///< PSCI SYSTEM_RESET; the run ends there.
  guest_exit,          ///< Semihosting or a test device, with a code.
  stuck,               ///< Nothing can happen any more, or the guest died.
  limit_instructions,  ///< Limits::instructions reached.
  limit_time,          ///< Limits::virtual_time reached.
  host_timeout,        ///< Limits::host_seconds reached.
  expectation_failed,  ///< A scripted expectation timed out.
  user_quit,           ///< The user or a signal ended the run.
};

/// Where a run ends at the latest. Instructions are those of all CPUs together.
struct Limits {
  std::uint64_t instructions = ~0ull;
  Time virtual_time = kNever;
  double host_seconds = 0;  ///< 0: none. The only limit that host time decides.
};

/// Exceptions taken, by class and target exception level. The class of a synchronous exception is
/// its ESR_ELx.EC (DDI 0487, ESR_EL1); the asynchronous ones follow. Virtual interrupts count as
/// what the guest sees: an IRQ, FIQ or SError taken to EL1.
struct ExceptionCounts {
  static constexpr unsigned kIrq = 64;
  static constexpr unsigned kFiq = 65;
  static constexpr unsigned kSError = 66;
  static constexpr unsigned kClasses = 67;
  std::array<std::array<std::uint64_t, 4>, kClasses> taken{};  ///< [class][target EL]
};

/// Where a CPU stood at the end of the run.
struct CpuRegisters {
  VirtAddr pc = 0;  ///< Of the next instruction.
  std::uint32_t pstate = 0;
  std::uint64_t sp = 0;
  std::array<std::uint64_t, 31> x{};
};

struct CpuStats {
  std::uint64_t instructions = 0;
  std::uint64_t cycles = 0;
  std::uint64_t interrupts = 0;  ///< Physical and virtual interrupts taken.
  std::uint64_t mmio = 0;        ///< Accesses that reached a device.
  std::uint64_t tlb_fills = 0;
  ExceptionCounts exceptions;
  CpuRegisters registers{};
};

/// How one vCPU fared among those that share the physical CPUs. Times in picoseconds.
struct VcpuScheduling {
  std::string domain;
  unsigned vcpu = 0;
  Time running = 0;              ///< Had a physical CPU, and used it.
  Time waiting = 0;              ///< Could run, and had none.
  std::uint64_t switches = 0;    ///< Times that its state was loaded.
  std::uint64_t dispatches = 0;  ///< Times that it became ready and was given a CPU.
  Time longest_wait = 0;         ///< From ready to running.
  // Of a table: windows at whose start it was ready, and how late they began; the others.
  std::uint64_t windows = 0;
  std::uint64_t windows_slept = 0;
  Time start_delay_least = 0;
  Time start_delay_most = 0;
};

struct RunStats {
  Time virtual_time = 0;  ///< Picoseconds since reset.
  std::vector<CpuStats> cpus;
  std::vector<VcpuScheduling> scheduling;  ///< Where a policy was chosen.
};

struct RunResult {
  ExitReason reason = ExitReason::power_off;
  int guest_code = 0;  ///< For guest_exit.
  std::string detail;  ///< Lines for a human: PC, EL, ESR, the last exceptions.
  RunStats stats;
  std::string digest;  ///< Hexadecimal.
};

}  // namespace trapline
