// The Armv8-R64 reference board (FVP BaseR): one description, from which the bus and the device
// tree are both built.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "sim/arch/types.h"
#include "sim/machine/machine_type.h"

namespace trapline {

/// A part of the board that has a window on the bus.
enum class FvpPart : std::uint8_t {
  dram,
  rom,
  trusted_sram,
  trusted_dram,
  flash0,
  flash1,
  psram,
  vram,
  sysregs,
  sysctl,
  uart0,
  uart1,
  uart2,
  uart3,
  watchdog,
  timer01,
  timer23,
  virtio_block,
  virtio_p9,
  virtio_net,
  rtc,
  counter_control,
  counter_read,
  timer_control,
  timer_frame0,
  timer_frame1,
  cci,
  sram,
  gicd,
  gicr,
  high_dram,
  unmodelled,  ///< Several rows: what the board has and nothing here answers for.
};

/// One row of the memory map.
struct FvpRegion {
  FvpPart part;
  std::string_view name;  ///< Device tree node name without the unit address.
  PhysAddr base;
  std::uint64_t size;  ///< Bytes; of DRAM the most that there can be.
  int spi = -1;        ///< SPI number (INTID - 32), or -1.
};

/// The whole map, sorted by address.
std::span<const FvpRegion> fvp_map();
/// The row of one part.
const FvpRegion& fvp_region(FvpPart part);

inline constexpr unsigned kFvpMaxCpus = 8;
inline constexpr unsigned kFvpSpis = 224;  ///< INTID 32 to 255.
inline constexpr std::uint64_t kFvpCounterHz = 100'000'000;
inline constexpr std::uint32_t kFvpUartClockHz = 24'000'000;
inline constexpr std::uint32_t kFvpWatchdogHz = 32'768;
inline constexpr unsigned kFvpUarts = 4;

/// Private interrupts, as INTIDs. With one Security state the EL1 physical timer is the Secure and
/// the Non-secure one of other boards, and drives both their interrupts.
struct FvpPpis {
  unsigned pmu = 23;
  unsigned gic_maintenance = 25;
  unsigned timer_hyp = 26;
  unsigned timer_virtual = 27;
  unsigned timer_secure = 29;
  unsigned timer_physical = 30;
};
inline constexpr FvpPpis kFvpPpis{};

/// SPI of the PMU of CPU 0; those of the next three follow.
inline constexpr unsigned kFvpFirstPmuSpi = 60;

/// The page where CPUs wait that the boot protocol of a kernel Image keeps from it, and the word in
/// there that releases CPU `index` when it is given an address (Linux, booting.rst: spin-table).
inline constexpr PhysAddr kFvpSpinTable = 0x7f000;
constexpr PhysAddr fvp_release_address(unsigned index) {
  return 0x7f800 + 8 * PhysAddr{index};
}

/// What of DRAM's two windows there is.
std::vector<MemoryRange> fvp_dram(std::uint64_t bytes);

/// `-M fvp-baser`.
const MachineType& fvp_baser_machine();

}  // namespace trapline
