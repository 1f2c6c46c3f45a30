#include "sim/replay/recorded_device.h"

#include <span>
#include <string>

namespace trapline {
namespace {

constexpr std::array<std::string_view, 4> kNames{"gic", "timer", "mpu", "pl011"};
constexpr std::array<std::string_view, 4> kGicOutputs{"irq", "fiq", "virtual-irq", "virtual-fiq"};
constexpr std::array<std::string_view, 6> kTimerOutputs{
    "el1-physical", "el1-virtual",         "hyp-physical",
    "hyp-virtual",  "secure-hyp-physical", "secure-hyp-virtual"};
constexpr std::array<std::string_view, 1> kMpuOutputs{"answers"};
constexpr std::array<std::string_view, 2> kUartOutputs{"UARTINTR", "transmit"};
constexpr std::array<std::string_view, 2> kTimerInputs{"counter-running", "counter-value"};
constexpr std::array<std::string_view, 1> kMpuInputs{"vmsa-at-el1"};
constexpr std::array<std::string_view, 1> kUartInputs{"receive"};

std::string name_in(std::span<const std::string_view> names, std::uint64_t number) {
  return number < names.size() ? std::string(names[number]) : std::to_string(number);
}

}  // namespace

std::string_view device_name(RecordedDevice device) {
  return kNames[static_cast<std::size_t>(device)];
}

std::optional<RecordedDevice> device_named(std::string_view name) {
  for (const RecordedDevice device : kRecordedDevices) {
    if (device_name(device) == name) return device;
  }
  return std::nullopt;
}

std::string output_name(RecordedDevice device, std::uint64_t number) {
  switch (device) {
    case RecordedDevice::gic:
      return name_in(kGicOutputs, number);
    case RecordedDevice::timer:
      return name_in(kTimerOutputs, number);
    case RecordedDevice::mpu:
      return name_in(kMpuOutputs, number);
    case RecordedDevice::pl011:
      return name_in(kUartOutputs, number);
  }
  return {};
}

std::string input_name(RecordedDevice device, std::uint64_t number) {
  switch (device) {
    case RecordedDevice::gic:
      return "INTID " + std::to_string(number);
    case RecordedDevice::timer:
      return name_in(kTimerInputs, number);
    case RecordedDevice::mpu:
      return name_in(kMpuInputs, number);
    case RecordedDevice::pl011:
      return name_in(kUartInputs, number);
  }
  return {};
}

}  // namespace trapline
