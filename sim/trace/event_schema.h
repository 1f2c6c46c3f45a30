// What the arguments of each kind of event are called: the one table behind every form of a trace.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "sim/trace/event.h"

namespace trapline {

/// How a field is written.
enum class FieldForm : std::uint8_t {
  hex,
  pc,  ///< An address of code; as hex.
  decimal,
  el,
  sysreg,
  syndrome,     ///< ESR_ELx, or for an interrupt its vector offset with bit 0 set if it is virtual.
  xen_number,   ///< A hypercall of Xen, X16.
  xen_command,  ///< Its X0, which often holds a command.
};

/// "hvc", "data-abort-lower", "irq", "virtual-fiq": the class of a FieldForm::syndrome.
std::string syndrome_name(std::uint64_t syndrome);

/// "event_channel_op": a hypercall of Xen. Empty for a number that has no name.
std::string_view xen_call_name(std::uint64_t number);
/// "send": what its X0 asks of it. Empty where that is no command, or one without a name.
std::string_view xen_command_name(std::uint64_t number, std::uint64_t x0);

/// Part of an argument: bits `low` to `low + width - 1` of a, b, c or d.
struct EventField {
  std::string_view label{};
  std::uint64_t Event::*argument = nullptr;
  FieldForm form = FieldForm::hex;
  std::uint8_t low = 0;
  std::uint8_t width = 64;

  std::uint64_t get(const Event& event) const;
  /// Replaces the field's bits; a value that does not fit returns false and changes nothing.
  bool set(Event& event, std::uint64_t value) const;
};

struct EventSchema {
  EventKind kind;
  std::string_view name;  ///< "exception-entry"
  std::array<EventField, 7> all_fields{};

  /// Those in use, in the order they are written.
  std::span<const EventField> fields() const;
};

/// Every kind, by number.
std::span<const EventSchema> event_schemas();
/// nullptr for a kind, or a name, that is not known.
const EventSchema* event_schema(EventKind kind);
const EventSchema* event_schema(std::string_view name);

/// "exception-entry" for EventKind::exception_entry, and so on.
std::string_view event_kind_name(EventKind kind);

/// A choice of kinds.
class EventSet {
 public:
  /// Every kind that a run can raise, so not those of recordings of devices.
  static EventSet all();
  /// Every kind that there is.
  static EventSet any();
  /// What a trace holds if nothing is said: everything but accesses to devices and raw lines.
  static EventSet standard();
  /// "all", "default", or kinds and categories separated by commas, a leading "-" taking one away:
  /// "exceptions,uart-line", "default,mmio", "all,-mmio". Checkpoints and the run's end are always
  /// in. Throws std::invalid_argument that lists what there is.
  static EventSet parse(std::string_view text);

  bool has(EventKind kind) const { return bits_.test(static_cast<std::uint8_t>(kind)); }
  void add(EventKind kind) { bits_.set(static_cast<std::uint8_t>(kind)); }
  void remove(EventKind kind) { bits_.reset(static_cast<std::uint8_t>(kind)); }
  /// The kinds by name, separated by commas; parse() gives the same set again.
  std::string text() const;

  friend bool operator==(const EventSet&, const EventSet&) = default;
  /// What is in either.
  friend EventSet operator|(EventSet a, const EventSet& b) {
    a.bits_ |= b.bits_;
    return a;
  }

 private:
  std::bitset<256> bits_;
};

}  // namespace trapline
