// A field of an event as text.
#pragma once

#include <string>

#include "sim/trace/event_schema.h"

namespace trapline {

/// The value of a field as it stands in the event's line: "ICH_HCR_EL2", "EL1",
/// "0x93804005:data-abort".
std::string field_text(const Event& event, const EventField& field);

}  // namespace trapline
