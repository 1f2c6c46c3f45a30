// Memory attributes of the two stages and how they combine (DDI 0487 D8.6).
#include <algorithm>

#include "sim/cpu/vmsa_stages.h"

namespace trapline::vmsa {
namespace {

constexpr std::uint8_t kNonCacheable = 0x4;  // One nibble of MAIR's Normal memory encoding.

enum class Cacheability : std::uint8_t { non_cacheable, write_through, write_back };

// A nibble of MAIR: 00RW and 10RW Write-Through, 0100 Non-cacheable, 01RW and 11RW Write-Back.
Cacheability cacheability_of_nibble(unsigned nibble) {
  if (nibble == kNonCacheable) return Cacheability::non_cacheable;
  return bit(nibble, 2) ? Cacheability::write_back : Cacheability::write_through;
}

// Two bits of stage 2's MemAttr. 0 is reserved in MemAttr[1:0]; it reads as Non-cacheable here.
Cacheability cacheability_of_s2(unsigned field) {
  if (field == 3) return Cacheability::write_back;
  return field == 2 ? Cacheability::write_through : Cacheability::non_cacheable;
}

// The weaker of both; allocation and transient hints stay stage 1's.
unsigned combine_nibble(unsigned stage1, unsigned s2_field) {
  const Cacheability weaker =
      std::min(cacheability_of_nibble(stage1), cacheability_of_s2(s2_field));
  switch (weaker) {
    case Cacheability::non_cacheable:
      return kNonCacheable;
    case Cacheability::write_through:
      return stage1 & ~4u;
    case Cacheability::write_back:
      return stage1;
  }
  return kNonCacheable;
}

// Device types order from nGnRnE (0) to GRE (3); the stronger, lower one wins.
std::uint8_t device(unsigned type) {
  return static_cast<std::uint8_t>(type << 2);
}

std::uint8_t combine_device(MemoryAttributes stage1, unsigned s2_type) {
  return stage1.is_device() ? std::min<std::uint8_t>(stage1.attr & 0xC, device(s2_type))
                            : device(s2_type);
}

std::uint8_t combine_attr(MemoryAttributes stage1, unsigned memattr) {
  if ((memattr >> 2) == 0) return combine_device(stage1, memattr & 3);
  if (stage1.is_device()) return stage1.attr;
  return static_cast<std::uint8_t>(combine_nibble(stage1.attr >> 4, memattr >> 2) << 4 |
                                   combine_nibble(stage1.attr & 0xF, memattr & 3));
}

std::uint8_t combine_attr_fwb(MemoryAttributes stage1, unsigned memattr) {
  if (!bit(memattr, 2)) return combine_device(stage1, memattr & 3);
  switch (memattr & 3) {
    case 3:
      return stage1.attr;
    case 2: {
      // Forced Write-Back: stage 1's allocation hints where it is cacheable Normal memory.
      const auto force = [](unsigned nibble) {
        const bool cacheable = cacheability_of_nibble(nibble) != Cacheability::non_cacheable;
        return cacheable ? nibble | 4u : 0xFu;
      };
      if (stage1.is_device()) return 0xFF;
      return static_cast<std::uint8_t>(force(stage1.attr >> 4) << 4 | force(stage1.attr & 0xF));
    }
    default:
      return stage1.is_device() ? stage1.attr : 0x44;
  }
}

}  // namespace

Shareability shareability_of(unsigned sh) {
  return sh == 1 ? Shareability::non : static_cast<Shareability>(sh & 3);
}

bool s2_memattr_is_device(std::uint8_t memattr, bool fwb) {
  return fwb ? !bit(memattr, 2) : (memattr >> 2) == 0;
}

MemoryAttributes effective(MemoryAttributes attributes) {
  if (attributes.is_device() || attributes.attr == 0x44) {
    attributes.shareability = Shareability::outer;
  }
  return attributes;
}

MemoryAttributes combine(MemoryAttributes stage1, std::uint8_t s2_memattr,
                         Shareability s2_shareability, bool fwb) {
  MemoryAttributes result;
  result.attr = fwb ? combine_attr_fwb(stage1, s2_memattr) : combine_attr(stage1, s2_memattr);
  const auto either = [&](Shareability sh) {
    return stage1.shareability == sh || s2_shareability == sh;
  };
  if (either(Shareability::outer)) {
    result.shareability = Shareability::outer;
  } else {
    result.shareability = either(Shareability::inner) ? Shareability::inner : Shareability::non;
  }
  return effective(result);
}

}  // namespace trapline::vmsa
