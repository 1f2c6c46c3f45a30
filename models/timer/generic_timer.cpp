#include "models/timer/generic_timer.h"

#include <algorithm>
#include <array>

#include "sim/arch/registers.h"

namespace trapline {
namespace {

constexpr unsigned kHcrTge = 27;
constexpr unsigned kHcrE2h = 34;

// CNTKCTL_EL1, and the same bits of CNTHCTL_EL2 when E2H is set (DDI 0487 D19.12.2, D19.12.12).
constexpr unsigned kEl0Pcten = 1u << 0;
constexpr unsigned kEl0Vcten = 1u << 1;
constexpr unsigned kEl0Vten = 1u << 8;
constexpr unsigned kEl0Pten = 1u << 9;
constexpr std::uint64_t kEvntis = 1u << 17;
// CNTHCTL_EL2.EL1PCTEN and EL1PCEN (named EL1PTEN with E2H) move with E2H.
constexpr unsigned kEl1PctenBit = 0, kEl1PcenBit = 1;
constexpr unsigned kEl1PctenBitE2h = 10, kEl1PtenBitE2h = 11;
constexpr std::uint64_t kEl1Tvt = 1u << 13;
constexpr std::uint64_t kEl1Tvct = 1u << 14;

constexpr std::uint64_t kCntkctlMask = 0x3ff;
constexpr std::uint64_t kCnthctlMask = 0xff;
constexpr std::uint64_t kCnthctlMaskVhe = 0xfff;
constexpr std::uint64_t kCnthctlReset = 3;

enum class Kind : std::uint8_t {
  frequency,
  physical_count,
  virtual_count,
  control,
  compare,
  timer_value,
  offset,
  hyp_control,
  kernel_control,
};

/// Which timer a name means: some depend on the exception level.
enum class Group : std::uint8_t {
  none,
  physical_el0,
  virtual_el0,
  physical_el02,
  virtual_el02,
  hyp_physical,
  hyp_virtual,
  secure_hyp_physical,
  secure_hyp_virtual,
};

/// The condition for a register to exist.
enum class Needs : std::uint8_t { nothing, vhe, ecv, secure_physical, secure_virtual };

}  // namespace

struct GenericTimer::Register {
  SysReg reg;
  Kind kind;
  Group group = Group::none;
  Needs needs = Needs::nothing;
};

/// The parts of a context that decide, with EL2 controls neutral where EL2 is absent.
struct GenericTimer::Mode {
  El el;
  bool secure;
  bool el2;
  bool e2h;
  bool tge;

  bool host_el0() const { return el == El::el0 && e2h && tge; }
};

const GenericTimer::Register* GenericTimer::find(SysReg reg) {
  static constexpr auto kRegisters = std::to_array<Register>({
      {reg::CNTFRQ_EL0, Kind::frequency},
      {reg::CNTPCT_EL0, Kind::physical_count},
      {reg::CNTVCT_EL0, Kind::virtual_count},
      {reg::CNTPCTSS_EL0, Kind::physical_count, Group::none, Needs::ecv},
      {reg::CNTVCTSS_EL0, Kind::virtual_count, Group::none, Needs::ecv},
      {reg::CNTKCTL_EL1, Kind::kernel_control},
      {reg::CNTKCTL_EL12, Kind::kernel_control, Group::physical_el02, Needs::vhe},
      {reg::CNTHCTL_EL2, Kind::hyp_control},
      {reg::CNTVOFF_EL2, Kind::offset},
      {reg::CNTP_TVAL_EL0, Kind::timer_value, Group::physical_el0},
      {reg::CNTP_CTL_EL0, Kind::control, Group::physical_el0},
      {reg::CNTP_CVAL_EL0, Kind::compare, Group::physical_el0},
      {reg::CNTV_TVAL_EL0, Kind::timer_value, Group::virtual_el0},
      {reg::CNTV_CTL_EL0, Kind::control, Group::virtual_el0},
      {reg::CNTV_CVAL_EL0, Kind::compare, Group::virtual_el0},
      {reg::CNTP_TVAL_EL02, Kind::timer_value, Group::physical_el02, Needs::vhe},
      {reg::CNTP_CTL_EL02, Kind::control, Group::physical_el02, Needs::vhe},
      {reg::CNTP_CVAL_EL02, Kind::compare, Group::physical_el02, Needs::vhe},
      {reg::CNTV_TVAL_EL02, Kind::timer_value, Group::virtual_el02, Needs::vhe},
      {reg::CNTV_CTL_EL02, Kind::control, Group::virtual_el02, Needs::vhe},
      {reg::CNTV_CVAL_EL02, Kind::compare, Group::virtual_el02, Needs::vhe},
      {reg::CNTHP_TVAL_EL2, Kind::timer_value, Group::hyp_physical},
      {reg::CNTHP_CTL_EL2, Kind::control, Group::hyp_physical},
      {reg::CNTHP_CVAL_EL2, Kind::compare, Group::hyp_physical},
      {reg::CNTHV_TVAL_EL2, Kind::timer_value, Group::hyp_virtual, Needs::vhe},
      {reg::CNTHV_CTL_EL2, Kind::control, Group::hyp_virtual, Needs::vhe},
      {reg::CNTHV_CVAL_EL2, Kind::compare, Group::hyp_virtual, Needs::vhe},
      {reg::CNTHPS_TVAL_EL2, Kind::timer_value, Group::secure_hyp_physical, Needs::secure_physical},
      {reg::CNTHPS_CTL_EL2, Kind::control, Group::secure_hyp_physical, Needs::secure_physical},
      {reg::CNTHPS_CVAL_EL2, Kind::compare, Group::secure_hyp_physical, Needs::secure_physical},
      {reg::CNTHVS_TVAL_EL2, Kind::timer_value, Group::secure_hyp_virtual, Needs::secure_virtual},
      {reg::CNTHVS_CTL_EL2, Kind::control, Group::secure_hyp_virtual, Needs::secure_virtual},
      {reg::CNTHVS_CVAL_EL2, Kind::compare, Group::secure_hyp_virtual, Needs::secure_virtual},
  });
  // Every register above has op0 = 3 and CRn = 14, so op1, CRm and op2 index it.
  static constexpr auto kIndex = [] {
    std::array<std::uint8_t, 1024> index{};  // Position in kRegisters + 1; 0: none.
    for (std::size_t i = 0; i < kRegisters.size(); ++i) {
      const SysReg at = kRegisters[i].reg;
      index[at.op1() << 7 | at.crm() << 3 | at.op2()] = static_cast<std::uint8_t>(i + 1);
    }
    return index;
  }();
  if (reg.op0() != 3 || reg.crn() != 14) return nullptr;
  const std::uint8_t position = kIndex[reg.op1() << 7 | reg.crm() << 3 | reg.op2()];
  return position == 0 ? nullptr : &kRegisters[position - 1];
}

GenericTimer::GenericTimer(Clock& clock, SystemCounter& counter, TimerLines lines, unsigned cpu,
                           Sink* sink, const GenericTimerConfig& config)
    : counter_(counter),
      config_(config),
      cpu_(cpu),
      sink_(sink),
      timers_{
          make_timer(clock, lines.el1_physical, TimerIndex::el1_physical),
          make_timer(clock, lines.el1_virtual, TimerIndex::el1_virtual),
          make_timer(clock, lines.hyp_physical, TimerIndex::hyp_physical),
          make_timer(clock, lines.hyp_virtual, TimerIndex::hyp_virtual),
          make_timer(clock, config.secure_hyp_physical ? *config.secure_hyp_physical : unconnected_,
                     TimerIndex::secure_hyp_physical),
          make_timer(clock, config.secure_hyp_virtual ? *config.secure_hyp_virtual : unconnected_,
                     TimerIndex::secure_hyp_virtual)},
      cntfrq_(config.frequency_known ? counter.frequency() : 0),
      cnthctl_(kCnthctlReset) {
  counter_.connect([this] {
    for (CompareTimer& timer : timers_) timer.update();
  });
}

CompareTimer GenericTimer::make_timer(Clock& clock, Line& line, TimerIndex index) {
  return CompareTimer(clock, counter_, line, [this, index](std::uint64_t compare) {
    if (!sink_) return;
    Event event;
    event.kind = EventKind::timer_fired;
    event.cpu = static_cast<std::uint8_t>(cpu_);
    event.a = static_cast<std::uint64_t>(index);
    event.b = compare;
    sink_->on_event(event);
  });
}

void GenericTimer::reset() {
  for (CompareTimer& timer : timers_) timer.reset();
  cntfrq_ = config_.frequency_known ? counter_.frequency() : 0;
  cntkctl_ = 0;
  cnthctl_ = kCnthctlReset;
}

bool GenericTimer::exists(const Register& reg) const {
  switch (reg.needs) {
    case Needs::nothing:
      return true;
    case Needs::vhe:
      return config_.vhe;
    case Needs::ecv:
      return config_.ecv;
    case Needs::secure_physical:
      return config_.secure_hyp_physical != nullptr;
    case Needs::secure_virtual:
      return config_.vhe && config_.secure_hyp_virtual != nullptr;
  }
  return false;
}

bool GenericTimer::owns(SysReg reg) const {
  const Register* found = find(reg);
  return found && exists(*found);
}

GenericTimer::Mode GenericTimer::mode_of(const SysRegContext& context) const {
  const bool el2 = context.el2_present;
  return Mode{context.el, context.secure, el2, el2 && config_.vhe && bit(context.hcr_el2, kHcrE2h),
              el2 && bit(context.hcr_el2, kHcrTge)};
}

bool GenericTimer::offset_applies(const SysRegContext& context) const {
  const Mode mode = mode_of(context);
  return mode.el2 && !mode.host_el0() && !(mode.el == El::el2 && mode.e2h);
}

// EL0 needs one of `enable_bits` in CNTKCTL_EL1, or in CNTHCTL_EL2 where EL0 belongs to the host.
SysRegStatus GenericTimer::check_el0(const Mode& mode, unsigned enable_bits) const {
  if (mode.el != El::el0) return SysRegStatus::ok;
  if (mode.host_el0()) {
    return (cnthctl_ & enable_bits) ? SysRegStatus::ok : SysRegStatus::trap_el2;
  }
  if (cntkctl_ & enable_bits) return SysRegStatus::ok;
  return mode.tge ? SysRegStatus::trap_el2 : SysRegStatus::trap_el1;
}

SysRegStatus GenericTimer::check_physical(const Mode& mode, bool counter) const {
  const SysRegStatus el0 = check_el0(mode, counter ? kEl0Pcten : kEl0Pten);
  if (el0 != SysRegStatus::ok || mode.el == El::el2 || !mode.el2 || mode.host_el0()) return el0;
  const unsigned enable = counter ? (mode.e2h ? kEl1PctenBitE2h : kEl1PctenBit)
                                  : (mode.e2h ? kEl1PtenBitE2h : kEl1PcenBit);
  return bit(cnthctl_, enable) ? SysRegStatus::ok : SysRegStatus::trap_el2;
}

SysRegStatus GenericTimer::check_virtual(const Mode& mode, bool counter) const {
  const SysRegStatus el0 = check_el0(mode, counter ? kEl0Vcten : kEl0Vten);
  if (el0 != SysRegStatus::ok || mode.el == El::el2 || !mode.el2 || mode.host_el0()) return el0;
  return (cnthctl_ & (counter ? kEl1Tvct : kEl1Tvt)) ? SysRegStatus::trap_el2 : SysRegStatus::ok;
}

SysRegStatus GenericTimer::check(const Register& reg, const Mode& mode) const {
  constexpr auto allow = [](bool allowed) {
    return allowed ? SysRegStatus::ok : SysRegStatus::undefined;
  };
  switch (reg.kind) {
    case Kind::frequency:
      return check_el0(mode, kEl0Pcten | kEl0Vcten);
    case Kind::physical_count:
      return check_physical(mode, true);
    case Kind::virtual_count:
      return check_virtual(mode, true);
    case Kind::offset:
    case Kind::hyp_control:
      return allow(mode.el == El::el2);
    default:
      break;
  }
  switch (reg.group) {
    case Group::none:
      return allow(mode.el != El::el0);  // CNTKCTL_EL1
    case Group::physical_el0:
      return check_physical(mode, false);
    case Group::virtual_el0:
      return check_virtual(mode, false);
    case Group::physical_el02:
    case Group::virtual_el02:
      return allow(mode.el == El::el2 && mode.e2h);
    case Group::hyp_physical:
    case Group::hyp_virtual:
      return allow(mode.el == El::el2);
    case Group::secure_hyp_physical:
    case Group::secure_hyp_virtual:
      return allow(mode.el == El::el2 && mode.secure);
  }
  return SysRegStatus::undefined;
}

CompareTimer& GenericTimer::select(const Register& reg, const Mode& mode) {
  const bool host = mode.host_el0() || (mode.el == El::el2 && mode.e2h);
  switch (reg.group) {
    case Group::physical_el0:
      if (!host) return timer(TimerIndex::el1_physical);
      return timer(mode.secure && config_.secure_hyp_physical ? TimerIndex::secure_hyp_physical
                                                              : TimerIndex::hyp_physical);
    case Group::virtual_el0:
      if (!host) return timer(TimerIndex::el1_virtual);
      return timer(mode.secure && config_.secure_hyp_virtual ? TimerIndex::secure_hyp_virtual
                                                             : TimerIndex::hyp_virtual);
    case Group::virtual_el02:
      return timer(TimerIndex::el1_virtual);
    case Group::hyp_physical:
      return timer(TimerIndex::hyp_physical);
    case Group::hyp_virtual:
      return timer(TimerIndex::hyp_virtual);
    case Group::secure_hyp_physical:
      return timer(TimerIndex::secure_hyp_physical);
    case Group::secure_hyp_virtual:
      return timer(TimerIndex::secure_hyp_virtual);
    case Group::none:
    case Group::physical_el02:
      break;
  }
  return timer(TimerIndex::el1_physical);
}

/// Software asks for the time, and there is none.
void GenericTimer::note_stopped_counter() const {
  if (counter_.enabled() || !sink_ || !sink_->wants(EventKind::misuse)) return;
  sink_->observe({.kind = EventKind::misuse,
                  .cpu = static_cast<std::uint8_t>(cpu_),
                  .a = 1,
                  .b = cpu_});
}

SysRegStatus GenericTimer::read(SysReg reg, const SysRegContext& context, std::uint64_t& value) {
  const Register* found = find(reg);
  if (!found || !exists(*found)) return SysRegStatus::undefined;
  const Mode mode = mode_of(context);
  const SysRegStatus status = check(*found, mode);
  if (status != SysRegStatus::ok) return status;
  switch (found->kind) {
    case Kind::frequency:
      value = cntfrq_;
      break;
    case Kind::physical_count:
      note_stopped_counter();
      value = physical_count();
      break;
    case Kind::virtual_count:
      note_stopped_counter();
      value = virtual_count(context);
      break;
    case Kind::control:
      value = select(*found, mode).control();
      break;
    case Kind::compare:
      value = select(*found, mode).compare();
      break;
    case Kind::timer_value:
      value = select(*found, mode).timer_value();
      break;
    case Kind::offset:
      value = timer(TimerIndex::el1_virtual).offset();
      break;
    case Kind::hyp_control:
      value = cnthctl_;
      break;
    case Kind::kernel_control: {
      // DDI 0487: at EL2 with E2H, CNTKCTL_EL1 names CNTHCTL_EL2; CNTKCTL_EL12 does not.
      const bool host = found->group == Group::none && mode.el == El::el2 && mode.e2h;
      value = host ? cnthctl_ : cntkctl_;
      break;
    }
  }
  return SysRegStatus::ok;
}

SysRegStatus GenericTimer::write(SysReg reg, const SysRegContext& context, std::uint64_t value) {
  const Register* found = find(reg);
  if (!found || !exists(*found)) return SysRegStatus::undefined;
  const Mode mode = mode_of(context);
  if (found->kind == Kind::physical_count || found->kind == Kind::virtual_count) {
    return SysRegStatus::undefined;
  }
  if (found->kind == Kind::frequency) {
    // Writable at the highest implemented Exception level only.
    if (mode.el != (mode.el2 ? El::el2 : El::el1)) return SysRegStatus::undefined;
    cntfrq_ = bits(value, 31, 0);
    return SysRegStatus::ok;
  }
  const SysRegStatus status = check(*found, mode);
  if (status != SysRegStatus::ok) return status;
  switch (found->kind) {
    case Kind::control:
      select(*found, mode).set_control(value);
      break;
    case Kind::compare:
      select(*found, mode).set_compare(value);
      break;
    case Kind::timer_value:
      select(*found, mode).set_timer_value(static_cast<std::uint32_t>(value));
      break;
    case Kind::offset:
      timer(TimerIndex::el1_virtual).set_offset(value);
      break;
    case Kind::kernel_control:
      if (found->group != Group::none || mode.el != El::el2 || !mode.e2h) {
        cntkctl_ = value & (kCntkctlMask | (config_.ecv ? kEvntis : 0));
        break;
      }
      [[fallthrough]];
    default:
      cnthctl_ = value & ((config_.vhe ? kCnthctlMaskVhe : kCnthctlMask) |
                          (config_.ecv ? kEl1Tvt | kEl1Tvct | kEvntis : 0));
      break;
  }
  return SysRegStatus::ok;
}

// EVNTI selects a bit of the count, EVNTIS moves the choice up by eight bits, and EVNTDIR says
// which of its transitions is an event (DDI 0487 D11.2.3).
Time GenericTimer::next_edge(Time now, std::uint64_t control, std::uint64_t offset) const {
  constexpr unsigned kEvnten = 2;
  constexpr unsigned kEvntdir = 3;
  if (!bit(control, kEvnten)) return kNever;
  const unsigned selected =
      static_cast<unsigned>(bits(control, 7, 4)) + ((control & kEvntis) ? 8 : 0);
  const std::uint64_t period = 2ull << selected;
  const std::uint64_t edge = bit(control, kEvntdir) ? 0 : period / 2;
  const std::uint64_t ticks = (edge - (counter_.count_at(now) - offset)) & (period - 1);
  return counter_.time_after(now, ticks == 0 ? period : ticks);
}

Time GenericTimer::next_event_stream(Time now, std::uint64_t hcr_el2) const {
  const bool host = config_.vhe && bit(hcr_el2, kHcrE2h) && bit(hcr_el2, kHcrTge);
  const std::uint64_t offset = timer(TimerIndex::el1_virtual).offset();
  return std::min(next_edge(now, cnthctl_, 0), host ? kNever : next_edge(now, cntkctl_, offset));
}

}  // namespace trapline
