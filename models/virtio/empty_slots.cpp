#include "models/virtio/empty_slots.h"

namespace trapline {
namespace {

constexpr std::uint32_t kMagicValue = 0x74726976;  // "virt"
constexpr std::uint32_t kLegacyVersion = 1;
constexpr std::uint32_t kVendorId = 0x4c50'5254;   // "TRPL"

}  // namespace

BusStatus VirtioEmptySlots::read(const Access& access, std::uint64_t& value) {
  const std::uint64_t offset = access.offset % kSlotBytes;
  std::uint32_t word = 0;
  switch (offset & ~3ull) {
    case 0x000:
      word = kMagicValue;
      break;
    case 0x004:
      word = kLegacyVersion;
      break;
    case 0x00c:
      word = kVendorId;
      break;
    default:  // 0x008 is DeviceID: 0, no device.
      break;
  }
  value = word >> (8 * (offset & 3));
  if (access.size < 4) value &= (1ull << (8 * access.size)) - 1;
  return BusStatus::ok;
}

BusStatus VirtioEmptySlots::write(const Access&, std::uint64_t) { return BusStatus::ok; }

}  // namespace trapline
