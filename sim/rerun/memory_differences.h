// What two machines' memories differ in before their first instruction.
#pragma once

#include "sim/machine/boot.h"
#include "sim/trace/watched_memory.h"

namespace trapline {

/// The bytes that are not alike, those of which only one has contents included.
WatchedMemory memory_differences(const BootPlan& a, const BootPlan& b);

/// The CPUs start alike.
bool same_entry(const BootPlan& a, const BootPlan& b);

}  // namespace trapline
