#include "sim/arch/memory_access.h"

#include "sim/arch/esr.h"

namespace trapline {

std::uint8_t Fault::fsc() const {
  switch (kind) {
    case FaultKind::address_size:
      return fsc::address_size(level);
    case FaultKind::translation:
      return fsc::translation(level);
    case FaultKind::access_flag:
      return fsc::access_flag(level);
    case FaultKind::permission:
      return fsc::permission(level);
    case FaultKind::external_on_walk:
      return fsc::external_on_walk(level);
    case FaultKind::alignment:
      return fsc::kAlignment;
    case FaultKind::tlb_conflict:
      return fsc::kTlbConflict;
  }
  return 0;
}

}  // namespace trapline
