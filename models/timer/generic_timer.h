// The generic timer of one PE as system registers (DDI 0487 D11.2, D19.12).
#pragma once

#include <array>
#include <cstdint>

#include "models/timer/compare_timer.h"
#include "models/timer/system_counter.h"
#include "sim/arch/sysreg.h"
#include "sim/bus/line.h"
#include "sim/bus/sysreg_port.h"
#include "sim/time/clock.h"
#include "sim/trace/event.h"

namespace trapline {

/// Where the timers' interrupts go, usually PPIs 30, 27, 26 and 28.
struct TimerLines {
  Line& el1_physical;  ///< CNTP
  Line& el1_virtual;   ///< CNTV
  Line& hyp_physical;  ///< CNTHP
  Line& hyp_virtual;   ///< CNTHV; never driven without FEAT_VHE.
};

struct GenericTimerConfig {
  bool vhe = false;  ///< FEAT_VHE: CNTHV, *_EL02, CNTKCTL_EL12 and the E2H redirections.
  bool frequency_known = true;  ///< CNTFRQ_EL0 is set as firmware leaves it, not zero, at reset.
  bool ecv = false;  ///< FEAT_ECV: CNTPCTSS, CNTVCTSS, CNTHCTL_EL2.{EL1TVT, EL1TVCT, EVNTIS}.
  Line* secure_hyp_physical = nullptr;  ///< CNTHPS exists if not null (FEAT_SEL2, Armv8-R64).
  Line* secure_hyp_virtual = nullptr;   ///< CNTHVS exists if not null; needs `vhe`.
};

/// Index of a timer in timer_fired events. Part of the trace format: append, never renumber.
enum class TimerIndex : std::uint8_t {
  el1_physical = 0,
  el1_virtual = 1,
  hyp_physical = 2,
  hyp_virtual = 3,
  secure_hyp_physical = 4,
  secure_hyp_virtual = 5,
};

/// Counter views, timers, access controls and event streams of one PE. Nested virtualization and
/// the EL3 timer (CNTPS) are absent.
class GenericTimer final : public SysRegPort {
 public:
  /// Counter, lines and sink (which may be null) must outlive the timer.
  GenericTimer(Clock& clock, SystemCounter& counter, TimerLines lines, unsigned cpu, Sink* sink,
               const GenericTimerConfig& config = {});

  bool owns(SysReg reg) const override;
  SysRegStatus read(SysReg reg, const SysRegContext& context, std::uint64_t& value) override;
  SysRegStatus write(SysReg reg, const SysRegContext& context, std::uint64_t value) override;

  /// As at a warm reset: timers off, CNTKCTL_EL1 zero, CNTHCTL_EL2 3 (EL1 untrapped with E2H = 0).
  void reset();

  /// CNTPCT_EL0 without access checks.
  std::uint64_t physical_count() const { return counter_.count(); }

  /// CNTVCT_EL0 as seen from `context`, without access checks: CNTVOFF_EL2 does not apply at EL2
  /// with E2H, at EL0 with E2H and TGE, and without EL2.
  std::uint64_t virtual_count(const SysRegContext& context) const {
    const std::uint64_t count = counter_.count();
    return offset_applies(context) ? count - timer(TimerIndex::el1_virtual).offset() : count;
  }

  /// The first Time after `now` at which an event stream sends an event to this PE (which ends a
  /// WFE); kNever if none is enabled. With HCR_EL2.{E2H,TGE} = {1,1} CNTKCTL_EL1's is off.
  Time next_event_stream(Time now, std::uint64_t hcr_el2 = 0) const;

 private:
  struct Register;
  struct Mode;

  void note_stopped_counter() const;
  static const Register* find(SysReg reg);
  bool exists(const Register& reg) const;
  Mode mode_of(const SysRegContext& context) const;
  bool offset_applies(const SysRegContext& context) const;

  SysRegStatus check(const Register& reg, const Mode& mode) const;
  SysRegStatus check_el0(const Mode& mode, unsigned enable_bits) const;
  SysRegStatus check_physical(const Mode& mode, bool counter) const;
  SysRegStatus check_virtual(const Mode& mode, bool counter) const;

  CompareTimer& select(const Register& reg, const Mode& mode);
  const CompareTimer& timer(TimerIndex index) const {
    return timers_[static_cast<std::size_t>(index)];
  }
  CompareTimer& timer(TimerIndex index) { return timers_[static_cast<std::size_t>(index)]; }
  Time next_edge(Time now, std::uint64_t control, std::uint64_t offset) const;

  CompareTimer make_timer(Clock& clock, Line& line, TimerIndex index);

  SystemCounter& counter_;
  GenericTimerConfig config_;
  unsigned cpu_;
  Sink* sink_;
  Line unconnected_;                    // What absent timers drive.
  std::array<CompareTimer, 6> timers_;  // By TimerIndex.
  std::uint64_t cntfrq_;
  std::uint64_t cntkctl_ = 0;
  std::uint64_t cnthctl_ = 0;
};

}  // namespace trapline
