// Everything that decides a run, as plain data. Scenario files and the command line both fill one of
// these; nothing else reaches the machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/arch/types.h"
#include "sim/machine/memory_layout.h"

namespace trapline {

/// A file placed in memory before the run (`--load FILE[@ADDRESS]`, QEMU's generic loader).
struct LoadSpec {
  std::string path;
  std::optional<PhysAddr> address;  ///< Needed for raw files; ELF and Image bring their own.
};

/// A virtual disk of a domain, xvda for the first.
struct DiskSpec {
  std::string path;           ///< Empty: zeros in memory.
  std::uint64_t bytes = 0;    ///< Of a disk in memory; a multiple of 512.
  bool read_only = false;
  bool write_through = false;  ///< Changes reach the file. Otherwise they are gone after the run.
};

/// A virtual network interface of a domain.
struct NetSpec {
  std::string bridge;
  std::string mac{};  ///< Empty: made from the domain's number.
};

/// One guest of a hypervisor that takes its modules from the device tree (Xen dom0 and dom0less).
struct DomainSpec {
  std::string name;      ///< Node name; "dom0" for the first domain.
  std::string kernel;    ///< Path of an arm64 Image (plain or gzip).
  std::string initrd;    ///< Path; empty for none.
  std::string append;    ///< Kernel command line.
  std::string dtb;       ///< Partial device tree for pass-through; empty for none.
  std::uint64_t memory = 0;  ///< Bytes; 0 takes the hypervisor's default (dom0 only).
  unsigned vcpus = 0;    ///< 0 takes the hypervisor's default (dom0: one a CPU; others: 1).
  bool vpl011 = true;    ///< Give the domain an emulated PL011.
  bool enhanced = false;  ///< Of --domu and on MPU machines: its device tree shows Xen.

  // Of domains that the simulator itself is the hypervisor of.
  unsigned gic = 0;              ///< 2 or 3; 0: the machine's.
  bool hide_xen = false;         ///< `enhanced=off` was said: nothing of Xen in the device tree.
  /// On an MPU machine: the board's memory that is the domain's, at the same addresses. At least one.
  std::vector<MemoryRange> static_memory{};
  bool vmsa = false;             ///< On an MPU machine: EL1 may use VMSAv8-64.
  /// On an MPU machine: which of the board's UARTs is the domain's own, 1 to 3; 0: none, the
  /// hypervisor emulates UART 0 for it.
  unsigned board_uart = 0;
  std::vector<DiskSpec> disks{};
  std::vector<NetSpec> nets{};
  bool input_to_vpl011 = false;  ///< What is typed goes to the PL011, not the PV console.
};

/// Where a domain has what. Its hypervisor decides, so every domain has a map of its own.
struct DomainMap {
  PhysAddr gicd = 0, gicc = 0, gicr = 0;
  std::uint64_t gicr_bytes = 0;
  unsigned spis = 32;
  std::optional<PhysAddr> uart;
  std::uint64_t uart_bytes = 0x1000;
  unsigned uart_intid = 0;
  bool own_uart = false;  ///< Of the board, not emulated. No firmware has enabled it.
  std::uint64_t counter_hz = 62'500'000;
  bool mpu = false;   ///< Of a machine with MPUs: the domain lies where it lies on the board.
  bool vmsa = false;  ///< And may use VMSAv8-64 at EL1.
  std::optional<MemoryRange> grant_table;  ///< Where the guest may map it. Nothing: no Xen is shown.
  std::optional<MemoryRange> magic;        ///< Pages for rings that exist before the guest runs.
  std::vector<MemoryRange> ram;            ///< Sorted.

  /// All memory that is the domain's, sorted: on an MPU machine what it was given.
  std::vector<MemoryRange> memory() const;
};

/// `--xen`: a hypervisor image and the modules it starts.
struct XenSpec {
  std::string image;
  std::string append;
  std::optional<DomainSpec> dom0;
  std::vector<DomainSpec> domus;
};

/// How the vCPUs of a machine's domains share its physical CPUs. Times in picoseconds.
struct SchedulerSpec {
  enum class Policy : std::uint8_t {
    null,         ///< A CPU for each vCPU.
    round_robin,  ///< One queue; `slice` each.
    arinc653,     ///< `tables`, over and over.
  };
  struct Window {
    std::string domain;  ///< Empty: nobody's.
    unsigned vcpu = 0;
    std::uint64_t length = 0;
  };
  Policy policy = Policy::null;
  std::uint64_t slice = 10'000'000'000;
  std::uint64_t switch_cycles = 2000;  ///< That a change of vCPU costs.
  std::vector<std::vector<Window>> tables{};  ///< By physical CPU.
};

struct MachineConfig {
  std::string machine = "virt";
  std::string cpu;                    ///< Empty for the machine's default.
  unsigned gic = 3;                   ///< 2 or 3.
  unsigned cpus = 1;                  ///< 1 to 8.
  std::optional<std::uint64_t> ram_bytes;  ///< Unset for the machine's default.
  std::optional<unsigned> entry_el;   ///< 1 or 2; the machine's default otherwise.
  std::optional<PhysAddr> entry;      ///< Overrides the image's entry point.

  std::string kernel;                 ///< arm64 Image (plain or gzip) or ELF.
  std::string initrd;
  std::string append;
  std::string dtb;                    ///< Replaces the generated device tree.
  std::vector<LoadSpec> loads;
  std::optional<XenSpec> xen;
  std::vector<DomainSpec> domains;    ///< Guests of the simulator's own hypervisor layer.
  std::optional<SchedulerSpec> scheduler;  ///< Of their vCPUs. Unset: each has a CPU of its own.
  /// Such domains may speak with domain 0 and with nobody else (Xen's xsm=silo).
  bool silo = true;
  std::optional<DomainMap> domain_map;  ///< Of the configuration of one such domain.

  std::uint64_t cpu_hz = 1'000'000'000;    ///< Nominal core clock: cycles to virtual time.
  std::uint64_t quantum = 1000;            ///< Instructions a CPU runs before the next one's turn.
  std::optional<unsigned> mpu_el1_regions;  ///< Of CPUs with MPUs: 0 to 255 at EL1,
  std::optional<unsigned> mpu_el2_regions;  ///< and at EL2.
  bool vmsa_at_el1 = true;  ///< Of CPUs with MPUs: EL1 may use VMSAv8-64 instead of its MPU.
  /// The system counter is stopped and CNTFRQ_EL0 zero until software sets them up, as hardware
  /// starts; otherwise as firmware leaves them. fvp-baser only.
  bool hardware_counter = false;
  bool semihosting = false;                ///< Answer HLT #0xF000; files stay out of reach.
  bool skip_delay_loops = false;           ///< Advance time through counter-polling loops.
};

}  // namespace trapline
