// The front end's half of a ring in a fake guest's memory.
#pragma once

#include <cstring>
#include <span>
#include <vector>

#include "tests/unit/xen_fake_guest.h"

namespace trapline::xen {

/// A ring in consecutive frames (Xen's public header io/ring.h, the front end's macros).
class FrontRing {
 public:
  FrontRing(FakeGuest& guest, Gfn first, std::size_t entry_bytes, std::uint32_t size)
      : guest_(guest), first_(first), entry_bytes_(entry_bytes), size_(size) {
    guest.set_word(first, 0, 0);
    guest.set_word(first, 4, 1);
    guest.set_word(first, 8, 0);
    guest.set_word(first, 12, 1);
  }

  /// Puts a request; it is visible after push().
  void put(std::span<const std::uint8_t> request) {
    for (std::size_t n = 0; n < request.size(); ++n) at(produced_, n) = request[n];
    ++produced_;
  }
  /// True if the back end asked to be told.
  bool push() {
    const std::uint32_t old = guest_.word(first_, 0);
    guest_.set_word(first_, 0, produced_);
    return produced_ - guest_.word(first_, 4) < produced_ - old;
  }
  /// The next response, or nothing.
  std::vector<std::uint8_t> take() {
    if (consumed_ == guest_.word(first_, 8)) return {};
    std::vector<std::uint8_t> entry(entry_bytes_);
    for (std::size_t n = 0; n < entry_bytes_; ++n) entry[n] = at(consumed_, n);
    guest_.set_word(first_, 12, ++consumed_ + 1);
    return entry;
  }
  std::uint32_t produced() const { return produced_; }

 private:
  std::uint8_t& at(std::uint32_t index, std::size_t byte) {
    const std::size_t offset = 64 + index % size_ * entry_bytes_ + byte;
    return guest_.frame(first_ + offset / kPageBytes)[offset % kPageBytes];
  }

  FakeGuest& guest_;
  Gfn first_;
  std::size_t entry_bytes_;
  std::uint32_t size_;
  std::uint32_t produced_ = 0, consumed_ = 0;
};

}  // namespace trapline::xen
