// Bytes of RAM whose first use somebody waits for.
#pragma once

#include <bitset>
#include <cstdint>
#include <unordered_map>

#include "sim/arch/types.h"

namespace trapline {

class WatchedMemory {
 public:
  static constexpr std::uint64_t kPageBytes = 4096;

  bool empty() const { return pages_.empty(); }
  void add(PhysAddr first, std::uint64_t bytes) {
    for_each(first, bytes, [this](PhysAddr pa) { pages_[pa / kPageBytes].set(pa % kPageBytes); });
  }
  void remove(PhysAddr first, std::uint64_t bytes) {
    for_each(first, bytes, [this](PhysAddr pa) {
      const auto page = pages_.find(pa / kPageBytes);
      if (page == pages_.end()) return;
      page->second.reset(pa % kPageBytes);
      if (page->second.none()) pages_.erase(page);
    });
  }
  void remove_page(PhysAddr pa) { pages_.erase(pa / kPageBytes); }

  /// Some byte of the 4 KiB page is watched.
  bool has_page(PhysAddr pa) const {
    return !pages_.empty() && pages_.find(pa / kPageBytes) != pages_.end();
  }
  /// Some byte of these is watched.
  bool has(PhysAddr first, std::uint64_t bytes) const {
    bool found = false;
    for_each(first, bytes, [&](PhysAddr pa) {
      const auto page = pages_.find(pa / kPageBytes);
      found |= page != pages_.end() && page->second[pa % kPageBytes];
    });
    return found;
  }

 private:
  template <typename Action>
  static void for_each(PhysAddr first, std::uint64_t bytes, Action action) {
    for (std::uint64_t n = 0; n < bytes; ++n) action(first + n);
  }

  std::unordered_map<std::uint64_t, std::bitset<kPageBytes>> pages_;  // By page number.
};

}  // namespace trapline
