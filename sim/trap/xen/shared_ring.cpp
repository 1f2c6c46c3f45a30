#include "sim/trap/xen/shared_ring.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "sim/trap/xen/le_bytes.h"

namespace trapline::xen {

BackRing::BackRing(std::vector<std::unique_ptr<GrantedPage>> pages, std::size_t entry_bytes)
    : pages_(std::move(pages)), entry_bytes_(entry_bytes) {
  const std::size_t fit = (pages_.size() * kPageBytes - kEntries) / entry_bytes;
  size_ = static_cast<std::uint32_t>(std::bit_floor(fit));
  // A front end that goes on with a ring of its own begins where it stopped.
  consumed_ = produced_ = pushed_ = word(kRspProd);
}

std::uint32_t BackRing::word(std::size_t offset) const {
  return get_le<std::uint32_t>(pages_.front()->bytes() + offset);
}

void BackRing::set_word(std::size_t offset, std::uint32_t value) {
  put_le(pages_.front()->bytes() + offset, value);
  pages_.front()->written(offset, sizeof value);
}

std::uint32_t BackRing::available(bool& broken) const {
  const std::uint32_t producer = word(kReqProd);
  if (producer - produced_ > size_) {
    broken = true;
    return 0;
  }
  // An index that went back behind what was taken promises nothing.
  const std::uint32_t count = producer - consumed_;
  return count <= size_ ? count : 0;
}

void BackRing::peek(std::uint32_t ahead, std::span<std::uint8_t> to) const {
  std::size_t at = kEntries + std::size_t{(consumed_ + ahead) % size_} * entry_bytes_;
  // Entries of rings with several pages may lie across two.
  for (std::size_t done = 0; done < to.size();) {
    const std::size_t part = std::min(to.size() - done, kPageBytes - at % kPageBytes);
    std::memcpy(to.data() + done, pages_[at / kPageBytes]->bytes() + at % kPageBytes, part);
    done += part;
    at += part;
  }
}

bool BackRing::final_check(bool& broken) {
  if (available(broken) > 0) return true;
  set_word(kReqEvent, consumed_ + 1);
  return available(broken) > 0;
}

void BackRing::respond(std::span<const std::uint8_t> response) {
  std::size_t at = kEntries + std::size_t{produced_ % size_} * entry_bytes_;
  ++produced_;
  for (std::size_t done = 0; done < response.size();) {
    const std::size_t part = std::min(response.size() - done, kPageBytes - at % kPageBytes);
    GrantedPage& page = *pages_[at / kPageBytes];
    std::memcpy(page.bytes() + at % kPageBytes, response.data() + done, part);
    page.written(at % kPageBytes, part);
    done += part;
    at += part;
  }
}

bool BackRing::push() {
  if (produced_ == pushed_) return false;
  const std::uint32_t old = std::exchange(pushed_, produced_);
  set_word(kRspProd, produced_);
  return produced_ - word(kRspEvent) < produced_ - old;
}

}  // namespace trapline::xen
