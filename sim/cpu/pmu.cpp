#include "sim/cpu/pmu.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <stdexcept>

#include "sim/arch/registers.h"

namespace trapline {
namespace {

// PMCR_EL0
constexpr std::uint32_t kE = 1u << 0, kP = 1u << 1, kC = 1u << 2, kD = 1u << 3, kX = 1u << 4,
                        kDp = 1u << 5, kLc = 1u << 6;
constexpr std::uint32_t kControlBits = kE | kD | kX | kDp | kLc;
constexpr std::uint32_t kIdentification = 0x41u << 24 | 0x01u << 16;  // Arm, Cortex-A57.

// PMUSERENR_EL0
constexpr std::uint8_t kEn = 1, kSw = 2, kCr = 4, kEr = 8;

// MDCR_EL2
constexpr unsigned kTpmcr = 5, kTpm = 6, kHpme = 7;
constexpr std::uint64_t kHpmn = 0x1f;
constexpr unsigned kHcrTge = 27;

// PMEVTYPER<n>_EL0 and PMCCFILTR_EL0. Without EL3 the NSK, NSU and M filters are RES0.
constexpr std::uint32_t kFilterEl1 = 1u << 31, kFilterEl0 = 1u << 30, kCountEl2 = 1u << 27;
constexpr std::uint32_t kFilters = kFilterEl1 | kFilterEl0 | kCountEl2;
constexpr std::uint32_t kEvent = 0x3ff;

constexpr std::uint32_t kCommonEvents0 =
    1u << Pmu::kSwIncr | 1u << Pmu::kInstRetired | 1u << Pmu::kCpuCycles;

/// Longest wait, in cycles, between two looks at a PE that stands still.
constexpr std::uint64_t kLongestIdleWait = 100'000;

bool counts_at(std::uint32_t type, El el) {
  switch (el) {
    case El::el0:
      return !(type & kFilterEl0);
    case El::el1:
      return !(type & kFilterEl1);
    default:
      return type & kCountEl2;
  }
}

}  // namespace

struct Pmu::Register {
  enum class Kind : std::uint8_t {
    control,
    enable_set,
    enable_clear,
    overflow_clear,
    overflow_set,
    software_increment,
    select,
    identification0,
    identification1,
    cycle_count,
    cycle_filter,
    selected_type,
    selected_count,
    user_enable,
    interrupt_set,
    interrupt_clear,
    indexed_count,
    indexed_type
  };
  SysReg reg;
  Kind kind;
  bool readable;
  bool writable;
  std::uint8_t el0_read;  ///< PMUSERENR_EL0 bits of which one must be set; 0: never.
  std::uint8_t el0_write;
};

const Pmu::Register* Pmu::find(SysReg reg) {
  using Kind = Register::Kind;
  static constexpr Register kRegisters[] = {
      {reg::PMCCNTR_EL0, Kind::cycle_count, true, true, kEn | kCr, kEn},
      {reg::PMCR_EL0, Kind::control, true, true, kEn, kEn},
      {reg::PMCNTENSET_EL0, Kind::enable_set, true, true, kEn, kEn},
      {reg::PMCNTENCLR_EL0, Kind::enable_clear, true, true, kEn, kEn},
      {reg::PMOVSCLR_EL0, Kind::overflow_clear, true, true, kEn, kEn},
      {reg::PMOVSSET_EL0, Kind::overflow_set, true, true, kEn, kEn},
      {reg::PMSWINC_EL0, Kind::software_increment, false, true, 0, kEn | kSw},
      {reg::PMSELR_EL0, Kind::select, true, true, kEn | kEr, kEn | kEr},
      {reg::PMCEID0_EL0, Kind::identification0, true, false, kEn, 0},
      {reg::PMCEID1_EL0, Kind::identification1, true, false, kEn, 0},
      {reg::PMXEVTYPER_EL0, Kind::selected_type, true, true, kEn, kEn},
      {reg::PMXEVCNTR_EL0, Kind::selected_count, true, true, kEn | kEr, kEn},
      {reg::PMUSERENR_EL0, Kind::user_enable, true, true, 0, 0},
      {reg::PMINTENSET_EL1, Kind::interrupt_set, true, true, 0, 0},
      {reg::PMINTENCLR_EL1, Kind::interrupt_clear, true, true, 0, 0},
      {reg::PMCCFILTR_EL0, Kind::cycle_filter, true, true, kEn, kEn},
  };
  static constexpr Register kIndexedCount = {
      reg::PMEVCNTR0_EL0, Kind::indexed_count, true, true, kEn | kEr, kEn};
  static constexpr Register kIndexedType = {
      reg::PMEVTYPER0_EL0, Kind::indexed_type, true, true, kEn, kEn};
  if (reg.op0() != 3) return nullptr;
  if (reg.crn() == 14) {
    if (reg.op1() != 3 || reg.crm() < 8) return nullptr;
    if (reg != reg::PMCCFILTR_EL0) {
      if ((reg.crm() & 3) == 3 && reg.op2() == 7) return nullptr;  // There is no counter 31.
      return reg.crm() < 12 ? &kIndexedCount : &kIndexedType;
    }
  } else if (reg.crn() != 9 || reg.crm() < 12 || reg.crm() > 14) {
    return nullptr;
  }
  const auto* found = std::find_if(std::begin(kRegisters), std::end(kRegisters),
                                   [reg](const Register& r) { return r.reg == reg; });
  return found == std::end(kRegisters) ? nullptr : found;
}

Pmu::Pmu(const CounterSource& source, unsigned event_counters)
    : source_(source), event_counters_(event_counters) {
  if (event_counters > 31) throw std::invalid_argument("a PMU has at most 31 event counters");
}

void Pmu::connect(Line& irq, Clock& clock, std::uint64_t hz) {
  if (hz == 0) throw std::invalid_argument("the PMU's clock must not be 0 Hz");
  irq_ = &irq;
  clock_ = &clock;
  hz_ = hz;
  wakeup_.emplace(clock, [this] { woken(); });
  update_line();
}

void Pmu::reset() {
  counters_ = {};
  control_ = enable_ = overflow_ = interrupt_ = user_enable_ = select_ = 0;
  restart();
  update_line();
}

bool Pmu::owns(SysReg reg) const {
  return find(reg) != nullptr;
}

// Counters from here on belong to EL2 (MDCR_EL2.HPMN). 0 and values above N are CONSTRAINED
// UNPREDICTABLE and behave as N.
unsigned Pmu::hyp_boundary() const {
  const unsigned hpmn = mdcr_el2_ & kHpmn;
  return !el2_present_ || hpmn == 0 || hpmn > event_counters_ ? event_counters_ : hpmn;
}

unsigned Pmu::accessible(const SysRegContext& context) const {
  return context.el >= El::el2 ? event_counters_ : hyp_boundary();
}

std::uint32_t Pmu::mask(const SysRegContext& context) const {
  return 1u << kCycleCounter | ((1u << accessible(context)) - 1);
}

// DDI 0487 D13.3: E governs the cycle counter and those below HPMN, HPME the rest.
bool Pmu::enabled(unsigned n) const {
  const bool group =
      n == kCycleCounter || n < hyp_boundary() ? (control_ & kE) != 0 : bit(mdcr_el2_, kHpme);
  return group && bit(enable_, n);
}

Pmu::Input Pmu::input_of(unsigned n) const {
  const std::uint32_t type = counters_[n].type;
  const bool nowhere = !counts_at(type, El::el0) && !counts_at(type, El::el1) &&
                       !(el2_present_ && counts_at(type, El::el2));
  if (!enabled(n) || nowhere) return Input::none;
  if (n == kCycleCounter || (type & kEvent) == kCpuCycles) return Input::cycles;
  return (type & kEvent) == kInstRetired ? Input::instructions : Input::none;
}

std::uint64_t Pmu::total(Input input) const {
  switch (input) {
    case Input::cycles:
      return source_.cycles();
    case Input::instructions:
      return source_.instructions();
    default:
      return 0;
  }
}

/// The count after which the next increment overflows.
std::uint64_t Pmu::modulus_minus_one(unsigned n) const {
  return n == kCycleCounter && (control_ & kLc) ? ~0ull : 0xffff'ffffull;
}

void Pmu::add(unsigned n, std::uint64_t amount) {
  Counter& counter = counters_[n];
  const std::uint64_t last = modulus_minus_one(n);
  if (amount > last - (counter.value & last)) overflow_ |= 1u << n;
  counter.value += amount;
  if (n != kCycleCounter) counter.value &= last;
}

/// Brings every counter and overflow flag up to now.
void Pmu::synchronize() {
  for_each([this](unsigned n) {
    Counter& counter = counters_[n];
    if (counter.input == Input::none) return;
    const std::uint64_t amount = (total(counter.input) - counter.anchor) / counter.divider;
    counter.anchor += amount * counter.divider;
    if (amount != 0) add(n, amount);
  });
}

/// Takes up changed controls. Counters must be synchronized.
void Pmu::restart() {
  for_each([this](unsigned n) {
    Counter& counter = counters_[n];
    const Input input = input_of(n);
    // With LC the divider is ignored (PMCR_EL0.D).
    const bool divided = n == kCycleCounter && (control_ & (kD | kLc)) == kD;
    const std::uint8_t divider = divided ? 64 : 1;
    if (input == counter.input && divider == counter.divider) return;
    counter.input = input;
    counter.divider = divider;
    counter.anchor = total(input);
  });
}

void Pmu::set_controls(std::uint64_t mdcr_el2, bool el2_present) {
  if (mdcr_el2 == mdcr_el2_ && el2_present == el2_present_) return;
  synchronize();
  mdcr_el2_ = mdcr_el2;
  el2_present_ = el2_present;
  restart();
  update_line();
}

void Pmu::mdcr_el2_written(std::uint64_t value) {
  set_controls(value, el2_present_);
}

SysRegStatus Pmu::check(const Register& reg, const SysRegContext& context, bool is_read) const {
  using Kind = Register::Kind;
  if (is_read ? !reg.readable : !reg.writable) return SysRegStatus::undefined;
  if (context.el == El::el0 && !(reg.kind == Kind::user_enable && is_read)) {
    const std::uint8_t needed = is_read ? reg.el0_read : reg.el0_write;
    if (needed == 0) return SysRegStatus::undefined;
    if (!(user_enable_ & needed)) {
      return context.el2_present && bit(context.hcr_el2, kHcrTge) ? SysRegStatus::trap_el2
                                                                  : SysRegStatus::trap_el1;
    }
  }
  if (context.el < El::el2 && context.el2_present) {
    const bool trapped =
        bit(context.mdcr_el2, kTpm) || (reg.kind == Kind::control && bit(context.mdcr_el2, kTpmcr));
    if (trapped) return SysRegStatus::trap_el2;
  }
  return SysRegStatus::ok;
}

/// The counter that an indexed or selected register names; nullopt if it is RAZ/WI there.
std::optional<unsigned> Pmu::selected(const Register& reg, SysReg encoding,
                                      const SysRegContext& context, bool& undefined) const {
  using Kind = Register::Kind;
  const bool indexed = reg.kind == Kind::indexed_count || reg.kind == Kind::indexed_type;
  const unsigned n = indexed ? (encoding.crm() & 3) << 3 | encoding.op2() : select_;
  undefined = indexed && n >= event_counters_;
  if (reg.kind == Kind::selected_type && n == kCycleCounter) return kCycleCounter;
  if (n >= accessible(context)) return std::nullopt;
  return n;
}

SysRegStatus Pmu::read(SysReg encoding, const SysRegContext& context, std::uint64_t& value) {
  using Kind = Register::Kind;
  const Register* reg = find(encoding);
  if (!reg) return SysRegStatus::undefined;
  set_controls(context.mdcr_el2, context.el2_present);
  bool undefined = false;
  const std::optional<unsigned> n = selected(*reg, encoding, context, undefined);
  if (undefined) return SysRegStatus::undefined;
  if (const SysRegStatus status = check(*reg, context, true); status != SysRegStatus::ok) {
    return status;
  }
  synchronize();
  switch (reg->kind) {
    case Kind::selected_type:
    case Kind::indexed_type:
      value = n ? counters_[*n].type : 0;
      break;
    case Kind::selected_count:
    case Kind::indexed_count:
      value = n ? counters_[*n].value : 0;
      break;
    default:
      value = read_register(*reg, context);
  }
  update_line();
  return SysRegStatus::ok;
}

SysRegStatus Pmu::write(SysReg encoding, const SysRegContext& context, std::uint64_t value) {
  using Kind = Register::Kind;
  const Register* reg = find(encoding);
  if (!reg) return SysRegStatus::undefined;
  set_controls(context.mdcr_el2, context.el2_present);
  bool undefined = false;
  const std::optional<unsigned> n = selected(*reg, encoding, context, undefined);
  if (undefined) return SysRegStatus::undefined;
  if (const SysRegStatus status = check(*reg, context, false); status != SysRegStatus::ok) {
    return status;
  }
  synchronize();
  switch (reg->kind) {
    case Kind::selected_type:
    case Kind::indexed_type:
      if (n) set_type(*n, value);
      break;
    case Kind::selected_count:
    case Kind::indexed_count:
      if (n) set_count(*n, value & 0xffff'ffff);
      break;
    default:
      write_register(*reg, context, value);
  }
  restart();
  update_line();
  return SysRegStatus::ok;
}

std::uint64_t Pmu::read_register(const Register& reg, const SysRegContext& context) const {
  using Kind = Register::Kind;
  switch (reg.kind) {
    case Kind::control:
      return kIdentification | accessible(context) << 11 | control_;
    case Kind::enable_set:
    case Kind::enable_clear:
      return enable_ & mask(context);
    case Kind::overflow_set:
    case Kind::overflow_clear:
      return overflow_ & mask(context);
    case Kind::interrupt_set:
    case Kind::interrupt_clear:
      return interrupt_ & mask(context);
    case Kind::select:
      return select_;
    case Kind::identification0:
      return kCommonEvents0;
    case Kind::cycle_count:
      return counters_[kCycleCounter].value;
    case Kind::cycle_filter:
      return counters_[kCycleCounter].type;
    case Kind::user_enable:
      return user_enable_;
    default:
      return 0;  // PMCEID1_EL0: none of its events.
  }
}

void Pmu::write_register(const Register& reg, const SysRegContext& context, std::uint64_t value) {
  using Kind = Register::Kind;
  const std::uint32_t named = static_cast<std::uint32_t>(value) & mask(context);
  switch (reg.kind) {
    case Kind::control:
      return write_control(context, value);
    case Kind::enable_set:
      enable_ |= named;
      return;
    case Kind::enable_clear:
      enable_ &= ~named;
      return;
    case Kind::overflow_set:
      overflow_ |= named;
      return;
    case Kind::overflow_clear:
      overflow_ &= ~named;
      return;
    case Kind::interrupt_set:
      interrupt_ |= named;
      return;
    case Kind::interrupt_clear:
      interrupt_ &= ~named;
      return;
    case Kind::software_increment:
      return increment(context, named);
    case Kind::select:
      select_ = value & 0x1f;
      return;
    case Kind::cycle_count:
      return set_count(kCycleCounter, value);
    case Kind::cycle_filter:
      return set_type(kCycleCounter, value);
    case Kind::user_enable:
      user_enable_ = value & (kEn | kSw | kCr | kEr);
      return;
    default:
      return;
  }
}

// DDI 0487 D19.5, PMCR_EL0: resets change no overflow flag; P below EL2 spares EL2's counters.
void Pmu::write_control(const SysRegContext& context, std::uint64_t value) {
  if (value & kP) {
    for (unsigned n = 0; n < accessible(context); ++n) set_count(n, 0);
  }
  if (value & kC) set_count(kCycleCounter, 0);
  control_ = static_cast<std::uint32_t>(value) & kControlBits;
}

void Pmu::increment(const SysRegContext& context, std::uint64_t mask) {
  for (unsigned n = 0; n < event_counters_; ++n) {
    const std::uint32_t type = counters_[n].type;
    if (!bit(mask, n) || !enabled(n) || (type & kEvent) != kSwIncr) continue;
    if (counts_at(type, context.el)) add(n, 1);
  }
}

void Pmu::set_type(unsigned n, std::uint64_t value) {
  const bool cycle = n == kCycleCounter;
  counters_[n].type = static_cast<std::uint32_t>(value) & (cycle ? kFilters : kFilters | kEvent);
  const unsigned event = value & kEvent;
  const bool known = event < 32 && bit(kCommonEvents0, event);
  if (!cycle && !known && reported_events_.insert(event).second) {
    spdlog::warn("PMU: event {:#05x} is not implemented and counts zero", event);
  }
}

void Pmu::set_count(unsigned n, std::uint64_t value) {
  counters_[n].value = value;
  counters_[n].anchor = total(counters_[n].input);
}

void Pmu::update_line() {
  if (!irq_) return;
  const std::uint32_t guest = 1u << kCycleCounter | ((1u << hyp_boundary()) - 1);
  std::uint32_t active = overflow_ & interrupt_;
  if (!(control_ & kE)) active &= ~guest;
  if (!bit(mdcr_el2_, kHpme)) active &= guest;
  irq_->set(active != 0);
  idle_wait_ = 0;
  arm();
}

/// Cycles before which no enabled interrupt can be raised. An instruction takes a cycle or more.
std::uint64_t Pmu::cycles_to_overflow() {
  std::uint64_t nearest = ~0ull;
  for_each([&](unsigned n) {
    const Counter& counter = counters_[n];
    if (counter.input == Input::none || !bit(interrupt_, n) || bit(overflow_, n)) return;
    const std::uint64_t last = modulus_minus_one(n);
    const std::uint64_t more = last - (counter.value & last);
    if (more >= ~0ull / counter.divider) return;
    const std::uint64_t partial = total(counter.input) - counter.anchor;
    nearest = std::min(nearest, (more + 1) * counter.divider - partial);
  });
  return nearest;
}

void Pmu::arm() {
  if (irq_->level()) return wakeup_->cancel();
  const std::uint64_t cycles = cycles_to_overflow();
  if (cycles == ~0ull) return wakeup_->cancel();
  using Wide = unsigned __int128;
  const Wide wait = (Wide{std::max(cycles, idle_wait_)} * kPicosecondsPerSecond + hz_ - 1) / hz_;
  const Wide due = wait + clock_->now();
  armed_at_cycles_ = source_.cycles();
  wakeup_->at(due >= kNever ? kNever : static_cast<Time>(due));
}

void Pmu::woken() {
  const bool stood_still = source_.cycles() == armed_at_cycles_;
  const std::uint64_t wait =
      std::min(std::max<std::uint64_t>(2 * idle_wait_, 1000), kLongestIdleWait);
  synchronize();
  update_line();
  // A PE that waits counts no cycles: look less and less often until it runs again.
  if (stood_still) {
    idle_wait_ = wait;
    arm();
  }
}

}  // namespace trapline
