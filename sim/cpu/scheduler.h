// In which order CPUs run, and what happens when none can.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "sim/cpu/cpu.h"
#include "sim/time/timeline.h"

namespace trapline {

/// What a CPU does, for those who keep account.
enum class CpuActivity : std::uint8_t {
  off,
  blocked,  ///< Waits for an interrupt or event.
  ready,    ///< Could run, and has no processor.
  running,
};

/// Which CPUs have one of the physical processors that they share.
class CpuPlacement {
 public:
  virtual ~CpuPlacement() = default;
  /// `ready` has a flag for each CPU. Leaves in `turns` those that run from now on, in the order in
  /// which they take turns. The next decision is due when the placement calls Scheduler::preempt().
  virtual void place(Time now, const std::vector<bool>& ready, std::vector<unsigned>& turns) = 0;
  /// Cycles that the switch to the CPU takes, once after each.
  virtual std::uint64_t overhead(unsigned cpu) = 0;
};

/// Runs the CPUs of a machine one at a time, in index order, a quantum each. While n CPUs have work
/// a cycle of one of them advances virtual time by 1/n cycle, so that n CPUs do n times the work in
/// the same virtual time. CPUs that spin with WFE or YIELD take turns but do not slow the others.
class Scheduler {
 public:
  enum class Outcome : std::uint8_t {
    ran,      ///< At least one CPU executed instructions.
    idle,     ///< Every CPU waits; nothing was done. See next_event().
    all_off,  ///< No CPU is powered.
    stuck,    ///< A CPU cannot go on; see stuck_cpu().
    stopped,  ///< stop() was called.
  };

  /// `quantum` is in instructions, at least 1. `event_stream` gives the next event-stream tick of a
  /// CPU after a time, or kNever.
  Scheduler(std::vector<Cpu*> cpus, Timeline& timeline, std::uint64_t quantum,
            std::function<Time(unsigned cpu, Time after)> event_stream);

  /// Gives every CPU that can run one turn. A machine with one runnable CPU gives it a long turn.
  /// No CPU is started once `instruction_limit` (all CPUs together) is reached.
  Outcome round(std::uint64_t instruction_limit);

  /// When something that could wake a CPU happens next: a timeline event or an event-stream tick.
  Time next_event() const;
  /// Moves time on while every CPU waits.
  void advance_to(Time when);

  /// From now on `placement` says which CPUs run. It must outlive the scheduler.
  void place_by(CpuPlacement& placement) { placement_ = &placement; }
  /// The placement of CPUs changes: the one that runs gives way at its next sampling point.
  void preempt();
  /// `watcher` is told whenever what a CPU does has changed.
  void watch_activity(std::function<void(unsigned cpu, CpuActivity activity)> watcher);

  /// Ends the run at the next sampling point of the CPU that runs.
  void stop();
  /// CPU `index` was powered on or sent an event: a CPU that runs alone gives way.
  void woken(unsigned index);
  std::uint64_t instructions() const;
  unsigned stuck_cpu() const { return stuck_cpu_; }

 private:
  enum class State : std::uint8_t { active, wait_for_interrupt, wait_for_event, yielded };

  static constexpr std::uint64_t kLongTurn = 4'000'000;
  static constexpr std::uint64_t kLook = 64;  ///< Instructions of a spin loop's one look, at most.
  static constexpr Time kFirstPoll = 1'000'000;     ///< 1 us
  static constexpr Time kLastPoll = 1'000'000'000;  ///< 1 ms
  static constexpr unsigned kPolls = 10'000;        ///< In vain, before waiting counts as for ever.

  bool runnable(unsigned index);
  void tell_activities();
  unsigned sharers() const;
  void note_stores(unsigned index, std::uint64_t executed);
  bool someone_waits_for_event() const;
  Outcome turn(unsigned index, std::uint64_t quantum, std::uint64_t instruction_limit);

  std::vector<Cpu*> cpus_;
  Timeline& timeline_;
  std::uint64_t quantum_;
  std::function<Time(unsigned, Time)> event_stream_;
  std::vector<State> states_;
  std::vector<unsigned> turns_;  ///< CPUs of this round.
  std::vector<bool> ready_;  ///< CPUs that could run.
  CpuPlacement* placement_ = nullptr;
  bool preempted_ = false;
  std::function<void(unsigned, CpuActivity)> watcher_;
  std::vector<CpuActivity> activities_;
  Cpu* running_ = nullptr;
  bool stopped_ = false;
  Time poll_at_ = kNever;
  Time poll_delay_ = kFirstPoll;
  unsigned polls_ = 0;
  unsigned stuck_cpu_ = 0;
};

}  // namespace trapline
