// The place in the code that an event speaks of.
#pragma once

#include <string>

#include "sim/symbols/symbols.h"
#include "sim/trace/event.h"

namespace trapline {

/// "  ; elr=main+0x10 (guest.c:31)" for an event with an address of code that `symbols` know, to
/// stand behind its line; empty for others.
std::string event_place(const Event& event, const Symbols& symbols);

}  // namespace trapline
