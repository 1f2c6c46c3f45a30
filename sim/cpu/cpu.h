// One A64 processing element, whatever executes it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/mpu/mpu.h"
#include "sim/arch/sysreg.h"
#include "sim/arch/types.h"
#include "sim/bus/cpu_lines.h"
#include "sim/bus/sysreg_port.h"
#include "sim/time/clock.h"

namespace trapline {

class BlockSink;
class Bus;
class DeviceRecorder;
class EventHub;
class GenericTimer;
class InstructionSink;
class SampleSink;
class StoreGuard;
class Timeline;
class TimingModel;

struct CpuConfig {
  std::string model = "cortex-a57";  ///< One of cpu_models().
  unsigned index = 0;                ///< On its bus, and to whom it calls.
  unsigned first = 0;                ///< What the CPU with index 0 is called in events.
  std::uint64_t mpidr = 0x80000000;  ///< MPIDR_EL1 as software reads it.
  bool has_el2 = true;
  std::uint16_t vmid = 0;            ///< Without EL2: what its domain is called in events.
  unsigned gic = 3;                  ///< 3: ID_AA64PFR0_EL1.GIC says system registers exist.
  std::uint64_t hz = 1'000'000'000;
  /// Advances time through loops that poll the counter. Changes what the guest sees.
  bool skip_delay_loops = false;
  MpuConfig mpu{};  ///< Of a model with MPUs (cortex-r82): their sizes and the default memory map.
  /// EL2 is there, and its software is the TrapPort: nothing is executed at EL2.
  bool layer_at_el2 = false;
  bool vmsa_at_el1 = true;  ///< Of such a model: EL1 may use VMSAv8-64 (MSA_frac 2, not 1).

  /// What it is called in events.
  unsigned number() const { return first + index; }
};

/// The names make_cpu_complex() accepts as a model.
std::vector<std::string> cpu_models();

enum class Conduit : std::uint8_t { hvc, smc };

/// What a TrapPort made of a call.
enum class CallResult : std::uint8_t {
  refused,  ///< Nobody answers; the instruction is UNDEFINED.
  done,
  wait,     ///< Done, and the CPU waits for an interrupt (PSCI CPU_SUSPEND) or for Cpu::wake().
  yield,    ///< Done, and other CPUs may have their turn.
  again,    ///< The instruction is to be executed once more, after interrupts had their chance.
};

/// An exception that was to be taken to an EL2 whose software is the TrapPort.
struct El2Trap {
  std::uint64_t esr = 0;
  VirtAddr pc = 0;   ///< ELR_EL2
  VirtAddr far = 0;
  PhysAddr ipa = 0;  ///< Of the page, of a fault of stage 2.
};

/// Who answers calls that leave the highest implemented Exception level: firmware, or the trap layer.
class TrapPort {
 public:
  virtual ~TrapPort() = default;
  /// HVC where no EL2 is implemented, or SMC where EL3 is not. `x` holds X0 to X17 in and out.
  virtual CallResult call(Conduit conduit, std::uint16_t immediate, unsigned cpu,
                    std::array<std::uint64_t, 18>& x) = 0;
  /// With CpuConfig::layer_at_el2, an exception other than HVC. The CPU must be without power when
  /// this returns: there is nothing that it could go on with.
  virtual void trapped(unsigned /*cpu*/, const El2Trap& /*trap*/) {}
  /// HLT #0xF000. `x` holds X0 (operation, result) and X1. False: semihosting is off.
  virtual bool semihosting(unsigned cpu, std::uint64_t& x0, std::uint64_t x1) = 0;
};

/// Why a CPU gave up its turn.
enum class PauseReason : std::uint8_t {
  slice_end,           ///< The quantum is used up, or the run is asked to stop.
  wait_for_interrupt,  ///< WFI with nothing pending.
  wait_for_event,      ///< WFE with the event register clear.
  yielded,             ///< YIELD.
  powered_off,
  stuck,               ///< Nothing this CPU does can ever end; see Cpu::stuck_reason().
};

/// How long a CPU may run, and how its cycles are laid onto virtual time.
struct Slice {
  std::uint64_t instructions = 0;  ///< The quantum; UINT64_MAX for none.
  std::uint64_t overhead = 0;      ///< Cycles that pass before the first instruction.
  unsigned sharers = 1;            ///< CPUs taking turns: a cycle advances time by 1/sharers cycle.
  std::uint64_t instruction_limit = ~0ull;  ///< Of this CPU's total count.
};

/// What EL1's translation makes of an address, for whoever watches.
struct AddressView {
  PhysAddr ipa = 0;  ///< What stage 1 makes of it.
  PhysAddr pa = 0;
  bool normal_write_back = false;  ///< By stage 1: Normal, Inner and Outer Write-Back.
};

/// Counters of one CPU, for statistics.
struct CpuCounters {
  std::uint64_t instructions = 0;
  std::uint64_t cycles = 0;
  std::uint64_t exceptions[4][64] = {};  ///< [target EL][exception class] of synchronous ones.
  std::uint64_t interrupts[4][4] = {};   ///< [target EL][IRQ, FIQ, SError, virtual].
  std::uint64_t mmio = 0;
  std::uint64_t tlb_fills = 0;
  std::uint64_t translation_walks = 0;
  std::uint64_t code_invalidations = 0;
};

class Cpu {
 public:
  virtual ~Cpu() = default;

  virtual const CpuConfig& config() const = 0;
  /// Inputs, driven by the interrupt controller.
  virtual CpuLines& lines() = 0;
  /// System registers implemented elsewhere. The port must outlive the CPU.
  virtual void add_port(SysRegPort& port) = 0;
  /// The interrupt that the Performance Monitors raise on overflow.
  virtual void connect_pmu(Line& irq) = 0;

  /// Starts execution at `pc` in `el` with the architecture's reset state and X0 = `x0`.
  virtual void power_on(VirtAddr pc, El el, std::uint64_t x0) = 0;
  virtual void power_off() = 0;
  virtual bool powered() const = 0;
  /// Runs until the slice is used up or there is nothing to do. Only one CPU of a machine runs at
  /// a time; virtual time is the Timeline's.
  virtual PauseReason run(const Slice& slice) = 0;
  /// True if a CPU that waits (WFI, WFE) has a reason to go on.
  virtual bool can_wake(PauseReason waiting) const = 0;
  /// Ends the wait that a call began (CallResult::wait), with or without an interrupt.
  virtual void wake() = 0;
  /// PSTATE.I is clear and an interrupt is waiting.
  virtual bool interrupt_deliverable() const = 0;
  /// Clears PSTATE.I. For a TrapPort, during a call of this CPU.
  virtual void unmask_interrupts() = 0;
  /// SEV from another CPU, or an event-stream tick.
  virtual void signal_event() = 0;
  /// Makes run() return at the next instruction that interrupts are sampled at. Callable from models.
  virtual void request_stop() = 0;

  /// With CpuConfig::layer_at_el2: as an MSR that its software executes. Not during a slice.
  virtual void write_el2(SysReg reg, std::uint64_t value) = 0;

  virtual std::uint64_t x(unsigned n) const = 0;  ///< n: 0 to 30.
  virtual void set_x(unsigned n, std::uint64_t value) = 0;
  virtual std::uint64_t sp() const = 0;  ///< The one that PSTATE selects.
  virtual std::uint32_t pstate() const = 0;  ///< As SPSR_ELx would hold it.
  virtual VirtAddr pc() const = 0;
  virtual El el() const = 0;
  virtual std::uint64_t hcr_el2() const = 0;  ///< 0 without EL2.
  /// Memory as the CPU's current translations show it. False, with nothing transferred beyond the
  /// page before, where an address does not translate or is not RAM.
  virtual bool read_memory(VirtAddr va, void* to, std::size_t bytes) = 0;
  virtual bool write_memory(VirtAddr va, const void* from, std::size_t bytes) = 0;
  /// SCTLR_EL1, wherever the CPU is.
  virtual std::uint64_t sctlr_el1() const = 0;
  /// `va` as EL1 would read it. Nothing where it does not translate, and on a CPU with MPUs. Changes
  /// nothing, not even what is counted.
  virtual std::optional<AddressView> view(VirtAddr va) = 0;
  /// Memory as EL1 would read it, by view(). False with nothing beyond the page before.
  virtual bool peek(VirtAddr va, void* to, std::size_t bytes) = 0;
  virtual const CpuCounters& counters() const = 0;
  /// PC, EL, PSTATE, syndrome registers and the last exceptions, for a person.
  virtual std::string describe() const = 0;
  virtual std::string stuck_reason() const = 0;
};

/// What the CPUs of one machine share.
struct CpuEnvironment {
  Bus& bus;
  Timeline& timeline;
  EventHub& events;
  const TimingModel& timing;
  TrapPort* traps = nullptr;
  /// Called within run(), every so many of the things that take a CPU long (accesses to devices,
  /// exceptions, stores to code...), so that the host is heard however slowly a slice goes. It must
  /// not change the machine, other than by Cpu::request_stop() or new input.
  std::function<void()> host_poll{};
  /// Watches the MPUs of all CPUs. May be null.
  DeviceRecorder* mpu_recorder = nullptr;
  /// Watches every instruction; slow. May be null.
  InstructionSink* instructions = nullptr;
  BlockSink* blocks = nullptr;    ///< Watches every block. May be null.
  SampleSink* samples = nullptr;  ///< Is told call stacks. May be null.
  StoreGuard* guard = nullptr;    ///< Is told stores to some pages. May be null.
};

class CpuComplex;

/// What CPUs may do with a page. The rest ends in an External abort.
enum class PageAccess : std::uint8_t { all, no_execute, read_only /**< Nor execute. */ };

/// One page of memory that stands at several addresses, in one machine or in several.
struct PageAliases {
  struct Place {
    CpuComplex* cpus;
    PhysAddr page;  ///< Of 4 KiB.
    bool operator==(const Place&) const = default;
  };
  std::vector<Place> places;
};

/// The CPUs of one machine and what keeps them coherent: TLBI and instruction-cache broadcast, code
/// written by one and executed by another.
class CpuComplex {
 public:
  virtual ~CpuComplex() = default;
  virtual unsigned count() const = 0;
  virtual Cpu& cpu(unsigned index) = 0;
  /// Must be called when something other than a CPU wrote to RAM (a device, a loader mid-run).
  virtual void memory_written(PhysAddr pa, std::uint64_t bytes) = 0;
  /// Must be called when Ram::direct() of a memory has changed.
  virtual void memory_redirected() = 0;

  /// From now on the page of RAM is that of `aliases`, whose places include it and which stays
  /// valid until the next such call; null: it stands nowhere else. What was in the page may be
  /// another now.
  virtual void alias_page(PhysAddr page, const PageAliases* aliases, PageAccess access) = 0;
  /// Code in the page is written to, or executed, by way of another of its places.
  virtual void alias_written(PhysAddr page) = 0;
  virtual void alias_executed(PhysAddr page) = 0;
};

/// Throws std::invalid_argument for an unknown model (naming the known ones).
std::unique_ptr<CpuComplex> make_cpu_complex(const CpuEnvironment& environment,
                                             const std::vector<CpuConfig>& cpus);

/// Name and version of the engine that executes instructions, for example "Unicorn 2.1.4".
std::string engine_version();

}  // namespace trapline
