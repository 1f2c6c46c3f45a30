// Events as bytes: the records of a binary trace (traces/FORMAT.md, "Records").
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "sim/trace/event_text.h"

namespace trapline {

/// Appends records to a block. Numbers are differences from the event before, so a block is read
/// from its beginning; encoder and decoder start anew with each.
class EventEncoder {
 public:
  void add(const Event& event, std::string& block);
  void restart() { *this = EventEncoder{}; }

 private:
  friend class EventDecoder;
  struct Clock {
    std::uint64_t instructions = 0;
    std::uint64_t cycles = 0;
  };
  std::array<Clock, 256> clocks_{};                     // By CPU.
  std::array<std::array<std::uint64_t, 4>, 256> last_{};  // Arguments, by kind.
  Event place_{};                                       // CPU, EL and VMID of the event before.
};

class EventDecoder {
 public:
  explicit EventDecoder(std::string_view block) : block_(block) {}

  bool at_end() const { return at_ == block_.size(); }
  /// False for bytes that are no record.
  bool next(StoredEvent& event);

 private:
  bool byte(std::uint8_t& value);
  bool number(std::uint64_t& value);
  bool difference(std::uint64_t& value);

  std::string_view block_;
  std::size_t at_ = 0;
  EventEncoder state_;
};

}  // namespace trapline
