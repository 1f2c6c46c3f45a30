// The back end's half of a ring of requests and responses (Xen's public header io/ring.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "sim/trap/xen/ports.h"

namespace trapline::xen {

/// Free-running indexes into a power of two of entries, in one or more granted pages. All that the
/// front end writes is read once and never believed.
class BackRing {
 public:
  BackRing() = default;
  /// As many entries as fit, rounded down to a power of two.
  BackRing(std::vector<std::unique_ptr<GrantedPage>> pages, std::size_t entry_bytes);

  bool attached() const { return !pages_.empty(); }
  std::uint32_t size() const { return size_; }

  /// Requests that may be taken now. `broken` is set where the front end's index lies outside what
  /// the ring can hold.
  std::uint32_t available(bool& broken) const;
  /// Copies the request `ahead` of the next one out.
  void peek(std::uint32_t ahead, std::span<std::uint8_t> to) const;
  void consume(std::uint32_t count) { consumed_ += count; }
  std::uint32_t consumed() const { return consumed_; }
  /// Asks to be told of the next request (RING_FINAL_CHECK_FOR_REQUESTS). True if one came already.
  bool final_check(bool& broken);
  /// Asks to be told of any request beyond those that are there.
  void ask_for_more() { set_word(kReqEvent, word(kReqProd) + 1); }

  /// Puts a response; there is room, as each takes the place of a consumed request.
  void respond(std::span<const std::uint8_t> response);
  /// Makes the responses visible. True if the front end asked to be told.
  bool push();
  /// Requests taken but not answered.
  std::uint32_t outstanding() const { return consumed_ - produced_; }

 private:
  // The indexes at the start of the first page; the entries follow.
  static constexpr std::size_t kReqProd = 0, kReqEvent = 4, kRspProd = 8, kRspEvent = 12,
                               kEntries = 64;

  std::uint32_t word(std::size_t offset) const;
  void set_word(std::size_t offset, std::uint32_t value);

  std::vector<std::unique_ptr<GrantedPage>> pages_;
  std::size_t entry_bytes_ = 0;
  std::uint32_t size_ = 0;
  std::uint32_t consumed_ = 0;  // req_cons
  std::uint32_t produced_ = 0;  // rsp_prod_pvt
  std::uint32_t pushed_ = 0;    // rsp_prod
};

}  // namespace trapline::xen
