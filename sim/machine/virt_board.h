// The `virt` board: one description, from which the bus and the device tree are both built.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/arch/types.h"
#include "sim/machine/device_tree.h"
#include "sim/machine/machine_type.h"
#include "sim/machine/memory_layout.h"

namespace trapline {

/// A part of the board that has a window on the bus.
enum class VirtPart : std::uint8_t { gicd, gicc, gich, gicv, gicr, uart0, uart1, rtc, virtio, ram };

/// One row of the memory map. A part with `count` > 1 repeats every `size` bytes, with interrupts
/// that follow one another.
struct VirtRegion {
  VirtPart part;
  std::string_view name;  ///< Device tree node name without the unit address.
  PhysAddr base;
  std::uint64_t size;       ///< Bytes of one window. Of `gicr`: what the map reserves.
  int spi;                  ///< SPI number (INTID - 32) of the first, or -1.
  std::uint32_t spi_flags;  ///< Device tree interrupt type: 1 edge, 4 level.
  unsigned count;
  std::string_view compatible;  ///< The most specific "compatible" string; empty for none.
};

/// The whole map, sorted by address; `ram` has size 0 here because it is an option.
std::span<const VirtRegion> virt_map();
/// The row of one part.
const VirtRegion& virt_region(VirtPart part);

inline constexpr std::uint64_t kVirtRedistributorBytes = 0x20000;  ///< Per CPU (no VLPIs).
inline constexpr unsigned kVirtMaxCpus = 8;
inline constexpr unsigned kVirtSpis = 224;  ///< As QEMU's: INTID 32 to 255.
inline constexpr std::uint64_t kVirtCounterHz = 62'500'000;
inline constexpr std::uint32_t kVirtUartClockHz = 24'000'000;

/// Private interrupts, as INTIDs.
struct VirtPpis {
  unsigned pmu = 23;
  unsigned gic_maintenance = 25;
  unsigned timer_hyp = 26;
  unsigned timer_virtual = 27;
  unsigned timer_hyp_virtual = 28;
  unsigned timer_secure = 29;
  unsigned timer_physical = 30;
};
inline constexpr VirtPpis kVirtPpis{};

struct VirtBoardOptions {
  unsigned cpus = 1;
  unsigned gic = 3;  ///< 2 or 3.
  std::uint64_t ram_bytes = std::uint64_t{1} << 30;
  std::string cpu_compatible = "arm,cortex-a57";
  bool has_el2 = true;  ///< Virtualization parts of the GIC are described.
  PsciConduit psci = PsciConduit::smc;
  bool pmu = true;
  bool hyp_virtual_timer = false;  ///< A fifth timer interrupt, for CPUs with VHE.
  bool virtio = true;              ///< The 32 virtio-mmio slots.
  unsigned uarts = 1;              ///< 1 or 2.
  std::string bootargs{};          ///< No property if empty.
  std::optional<MemoryRange> initrd{};
  std::string stdout_path = "/pl011@9000000";
  /// /chosen/rng-seed: fixed, so that a run repeats, and present, so that Linux has random numbers
  /// without collecting jitter.
  std::optional<std::array<std::uint32_t, 8>> rng_seed = kFixedRngSeed;
  std::optional<std::uint64_t> kaslr_seed{};  ///< Absent: the kernel stays where it was linked.
};

/// The board's tree, with QEMU's node and property names and QEMU's node order.
DeviceTree build_virt_tree(const VirtBoardOptions& options);
/// The same, flattened, with room for software that edits it.
std::vector<std::uint8_t> build_virt_dtb(const VirtBoardOptions& options);

/// `-M virt`.
const MachineType& virt_machine();
/// The board that a configuration asks for, without command line or initrd. The PSCI conduit is
/// `smc` where the image starts at EL2 and `hvc` where it starts at EL1, as on QEMU.
VirtBoardOptions virt_options(const MachineConfig& config);

/// The "compatible" string of a CPU model on this board ("cortex-a57", "max"...); QEMU's choice for each.
std::string cpu_compatible(const std::string& model);

}  // namespace trapline
