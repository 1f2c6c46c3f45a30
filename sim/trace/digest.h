// The digest of a run: a hash over its events in order.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "sim/trace/event.h"

namespace trapline {

/// A running XXH3-128 over the canonical bytes of every event (little-endian fields in declaration
/// order, then the text). Equal digests mean equal runs.
class Digest {
 public:
  Digest();
  ~Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  void add(const Event& event);
  /// Adds raw state, for example a CPU's registers.
  void add(const void* data, std::size_t bytes);
  std::uint64_t events() const { return events_; }
  /// 32 hexadecimal digits.
  std::string text() const;
  /// The low 64 bits, for use as an event's argument.
  std::uint64_t low64() const;
  void reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::uint64_t events_ = 0;
};

}  // namespace trapline
