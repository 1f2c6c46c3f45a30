// Events as text, one a line, for people and for diff(1).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "sim/trace/event.h"

namespace trapline {

/// "exception-entry" for EventKind::exception_entry, and so on.
std::string_view event_kind_name(EventKind kind);

/// `event` as one line without its end, for example
/// `cpu0 EL1 vmid 1 insn 123456 cycle 150321 hypercall imm=0xea1 x0=0x1 x1=0x0 x2=0x0`.
/// CPU and level are those the event was met in; numbers are decimal for counts, hexadecimal else.
/// Fields that the kind does not use are left out. The same event gives the same line everywhere.
std::string event_text(const Event& event);

/// Hands the line of every event to `write`, with its newline.
class EventTextSink final : public Sink {
 public:
  explicit EventTextSink(std::function<void(std::string_view line)> write)
      : write_(std::move(write)) {}
  void on_event(const Event& event) override { write_(event_text(event) + '\n'); }

 private:
  std::function<void(std::string_view)> write_;
};

}  // namespace trapline
