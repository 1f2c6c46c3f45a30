// Devices whose dealings with the world can be recorded and replayed (docs/replay.md).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sim/trace/event.h"

namespace trapline {

/// All instances of a machine together are one recorded device; a "unit" is one of its windows (GIC)
/// or one of its instances (the others).
enum class RecordedDevice : std::uint8_t { gic, timer, mpu, pl011 };

inline constexpr std::array kRecordedDevices{RecordedDevice::gic, RecordedDevice::timer,
                                             RecordedDevice::mpu, RecordedDevice::pl011};

std::string_view device_name(RecordedDevice device);
std::optional<RecordedDevice> device_named(std::string_view name);

/// Units of a GIC: its windows. Register accesses, PPIs and outputs have the CPU as their unit.
enum GicUnit : std::uint8_t {
  kGicDistributor = 0,
  kGicCpuInterface = 1,    ///< GICC.
  kGicRedistributors = 1,  ///< GICR, with version 3.
  kGicHypervisor = 2,      ///< GICH.
  kGicVirtualCpu = 3,      ///< GICV.
};

/// Outputs of a GIC, by CPU.
enum GicOutput : std::uint8_t { kIrq, kFiq, kVirtualIrq, kVirtualFiq };

/// Of a PL011.
enum Pl011Output : std::uint8_t { kUartInterrupt, kUartTransmit };
inline constexpr std::uint64_t kUartReceive = 0;

/// Inputs of timers and MPUs.
inline constexpr std::uint64_t kCounterRunning = 0;  ///< The system counter: started or stopped,
inline constexpr std::uint64_t kCounterValue = 1;    ///< or set.
inline constexpr std::uint64_t kVmsaAtEl1 = 0;       ///< VTCR_EL2.MSA.

/// The digest of what an MPU answers (mpu_answers.h), after each write.
inline constexpr std::uint64_t kMpuAnswers = 0;

/// "UARTINTR", "el1-virtual", "irq"; "input 33".
std::string output_name(RecordedDevice device, std::uint64_t number);
std::string input_name(RecordedDevice device, std::uint64_t number);

constexpr unsigned unit_of(const Event& event) { return event.d & 0xff; }

}  // namespace trapline
