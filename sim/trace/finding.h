// A mistake of guest software that a run showed, and whoever collects them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sim/arch/types.h"

namespace trapline {

/// What went wrong; docs/findings.md has a section for each, with cause and cure.
enum class FindingKind : std::uint8_t {
  hypercall_mmu_off,    ///< Hypercall with the MMU or the data cache off.
  hypercall_buffer,     ///< A buffer of a hypercall that is not Normal Write-Back.
  address_not_given,    ///< An address that the device tree does not give.
  instruction_skipped,  ///< ELR_EL2 was advanced although it pointed behind the HVC.
  image_overwritten,
  device_tree_overwritten,
  initrd_overwritten,
  page_tables_overwritten,
  counter_not_enabled,
  interrupt_too_early,  ///< Taken before its controller was initialised.
  uart_not_enabled,
  bad_frame_number,     ///< Unaligned, out of range, or an address.
  bad_event_channel,    ///< A port that was never given.
  bad_grant_reference,  ///< A reference that was never granted.
};
inline constexpr unsigned kFindingKinds = 14;

/// The name that messages and docs/findings.md use: "hypercall-mmu-off"...
std::string_view finding_name(FindingKind kind);

enum class FindingSeverity : std::uint8_t {
  warning,  ///< It works here, and may not on hardware.
  error,    ///< What the software wanted did not happen.
};
FindingSeverity severity_of(FindingKind kind);

struct Finding {
  FindingKind kind{};
  std::string text{};      ///< One line; what was done, with the values.
  unsigned cpu = 0;        ///< As in events.
  El el = El::el1;         ///< Where the software runs that is to blame.
  std::uint16_t vmid = 0;  ///< Of its domain; 0: there is no other.
  VirtAddr pc = 0;         ///< Of the instruction.
};

class FindingSink {
 public:
  virtual ~FindingSink() = default;
  virtual void on_finding(const Finding& finding) = 0;
};

}  // namespace trapline
