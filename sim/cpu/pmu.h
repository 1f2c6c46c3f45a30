// The Performance Monitors Extension, PMUv3, of one PE as system registers (DDI 0487 D13, D19.5).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>

#include "sim/arch/sysreg.h"
#include "sim/bus/line.h"
#include "sim/bus/sysreg_port.h"
#include "sim/time/clock.h"

namespace trapline {

/// What the counters count: totals of the PE since it was made. Both only grow, and stand still
/// while the PE waits.
class CounterSource {
 public:
  virtual ~CounterSource() = default;
  virtual std::uint64_t cycles() const = 0;
  virtual std::uint64_t instructions() const = 0;
};

/// PMUv3 as of Armv8.0 (PMUVer 1): a 64-bit cycle counter and up to 31 event counters of 32 bits
/// for SW_INCR, INST_RETIRED and CPU_CYCLES. Counts and overflows are worked out when they are
/// looked at, so a PMU that nobody reads costs nothing.
class Pmu final : public SysRegPort {
 public:
  static constexpr unsigned kSwIncr = 0x00;
  static constexpr unsigned kInstRetired = 0x08;
  static constexpr unsigned kCpuCycles = 0x11;

  /// `event_counters` is PMCR_EL0.N, 0 to 31. The source must outlive the PMU.
  explicit Pmu(const CounterSource& source, unsigned event_counters = 6);

  /// Connects the overflow interrupt (PPI 7, INTID 23, on most boards). `hz` says how long a cycle
  /// lasts on `clock`. Only while an overflow interrupt is enabled are there wake-ups; they fall
  /// due no later than the overflow if no instruction takes less than a cycle and no other CPU
  /// runs.
  void connect(Line& irq, Clock& clock, std::uint64_t hz = 1'000'000'000);

  bool owns(SysReg reg) const override;
  SysRegStatus read(SysReg reg, const SysRegContext& context, std::uint64_t& value) override;
  SysRegStatus write(SysReg reg, const SysRegContext& context, std::uint64_t value) override;

  /// As at a warm reset of the PE: counters stopped and zero, interrupt low.
  void reset();

  /// MDCR_EL2 (HPMN, HPME) is about to change. Every access tells the PMU its value, so this is
  /// only needed for counts to be exact up to the very write.
  void mdcr_el2_written(std::uint64_t value);

 private:
  static constexpr unsigned kCycleCounter = 31;
  enum class Input : std::uint8_t { none, cycles, instructions };
  struct Counter {
    std::uint64_t value = 0;
    std::uint64_t anchor = 0;  ///< The input's total up to which `value` is right.
    std::uint32_t type = 0;    ///< PMEVTYPER<n>_EL0 or PMCCFILTR_EL0.
    Input input = Input::none;
    std::uint8_t divider = 1;
  };
  struct Register;

  static const Register* find(SysReg reg);
  SysRegStatus check(const Register& reg, const SysRegContext& context, bool is_read) const;
  std::optional<unsigned> selected(const Register& reg, SysReg encoding,
                                   const SysRegContext& context, bool& undefined) const;
  void set_controls(std::uint64_t mdcr_el2, bool el2_present);
  std::uint64_t read_register(const Register& reg, const SysRegContext& context) const;
  void write_register(const Register& reg, const SysRegContext& context, std::uint64_t value);
  void write_control(const SysRegContext& context, std::uint64_t value);
  void increment(const SysRegContext& context, std::uint64_t mask);
  void set_type(unsigned n, std::uint64_t value);
  void set_count(unsigned n, std::uint64_t value);

  unsigned hyp_boundary() const;
  unsigned accessible(const SysRegContext& context) const;
  std::uint32_t mask(const SysRegContext& context) const;
  bool enabled(unsigned n) const;
  Input input_of(unsigned n) const;
  std::uint64_t total(Input input) const;
  std::uint64_t modulus_minus_one(unsigned n) const;
  template <typename Action>
  void for_each(Action action) {
    for (unsigned n = 0; n < event_counters_; ++n) action(n);
    action(kCycleCounter);
  }
  void add(unsigned n, std::uint64_t amount);
  void synchronize();
  void restart();
  void update_line();
  void arm();
  void woken();
  std::uint64_t cycles_to_overflow();

  const CounterSource& source_;
  unsigned event_counters_;
  std::array<Counter, 32> counters_{};
  std::uint32_t control_ = 0;  ///< PMCR_EL0: E, D, X, DP and LC.
  std::uint32_t enable_ = 0;
  std::uint32_t overflow_ = 0;
  std::uint32_t interrupt_ = 0;
  std::uint32_t user_enable_ = 0;
  std::uint32_t select_ = 0;
  std::uint64_t mdcr_el2_ = 0;
  bool el2_present_ = false;
  std::set<unsigned> reported_events_;

  Line* irq_ = nullptr;
  Clock* clock_ = nullptr;
  std::uint64_t hz_ = 0;
  std::optional<Wakeup> wakeup_;
  std::uint64_t armed_at_cycles_ = 0;
  std::uint64_t idle_wait_ = 0;  ///< Cycles added because the PE stood still.
};

}  // namespace trapline
