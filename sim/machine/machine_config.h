// Everything that decides a run, as plain data. Scenario files and the command line both fill one of
// these; nothing else reaches the machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/arch/types.h"

namespace trapline {

/// A file placed in memory before the run (`--load FILE[@ADDRESS]`, QEMU's generic loader).
struct LoadSpec {
  std::string path;
  std::optional<PhysAddr> address;  ///< Needed for raw files; ELF and Image bring their own.
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
};

/// `--xen`: a hypervisor image and the modules it starts.
struct XenSpec {
  std::string image;
  std::string append;
  std::optional<DomainSpec> dom0;
  std::vector<DomainSpec> domus;
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
