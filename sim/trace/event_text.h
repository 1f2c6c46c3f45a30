// Events as text, one a line, for people and for diff(1).
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "sim/trace/event.h"
#include "sim/trace/event_schema.h"

namespace trapline {

/// `event` as one line without its end, for example
/// `cpu0 EL1 vmid 1 insn 123456 cycle 150321 hypercall imm=0xea1 x0=0x1 x1=0x0 x2=0x0`.
/// CPU and level are those the event was met in; numbers are decimal for counts, hexadecimal else.
/// Fields that the kind does not use are left out. The same event gives the same line everywhere.
std::string event_text(const Event& event);

/// An event that owns its text.
struct StoredEvent {
  Event event;
  std::string text;

  StoredEvent() = default;
  explicit StoredEvent(const Event& from) : event(from), text(from.text) { event.text = {}; }
  /// Valid as long as this object, unmoved.
  Event view() const {
    Event whole = event;
    whole.text = text;
    return whole;
  }
};

/// Reads a line of event_text() back. Throws std::invalid_argument naming the word that is wrong.
StoredEvent parse_event_text(std::string_view line);

}  // namespace trapline
