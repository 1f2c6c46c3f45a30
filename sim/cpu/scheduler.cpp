#include "sim/cpu/scheduler.h"

#include <algorithm>
#include <utility>

namespace trapline {

Scheduler::Scheduler(std::vector<Cpu*> cpus, Timeline& timeline, std::uint64_t quantum,
                     std::function<Time(unsigned, Time)> event_stream)
    : cpus_(std::move(cpus)),
      timeline_(timeline),
      quantum_(quantum),
      event_stream_(std::move(event_stream)),
      states_(cpus_.size(), State::active),
      ready_(cpus_.size()),
      activities_(cpus_.size(), CpuActivity::off) {
  for (unsigned i = 0; i < cpus_.size(); ++i) {
    const auto raised = [this, i](bool level) {
      if (level) woken(i);
    };
    CpuLines& lines = cpus_[i]->lines();
    lines.irq.connect(raised);
    lines.fiq.connect(raised);
    lines.virq.connect(raised);
    lines.vfiq.connect(raised);
  }
}

void Scheduler::woken(unsigned index) {
  if (running_ && cpus_[index] != running_ && turns_.size() == 1) running_->request_stop();
}

void Scheduler::stop() {
  stopped_ = true;
  if (running_) running_->request_stop();
}

void Scheduler::preempt() {
  preempted_ = true;
  if (running_) running_->request_stop();
}

void Scheduler::watch_activity(std::function<void(unsigned, CpuActivity)> watcher) {
  watcher_ = std::move(watcher);
}

void Scheduler::tell_activities() {
  for (unsigned i = 0; i < cpus_.size(); ++i) {
    CpuActivity activity = CpuActivity::off;
    if (cpus_[i]->powered()) activity = ready_[i] ? CpuActivity::ready : CpuActivity::blocked;
    if (std::find(turns_.begin(), turns_.end(), i) != turns_.end()) activity = CpuActivity::running;
    if (activities_[i] == activity) continue;
    activities_[i] = activity;
    watcher_(i, activity);
  }
}

std::uint64_t Scheduler::instructions() const {
  std::uint64_t total = 0;
  for (unsigned i = 0; i < cpus_.size(); ++i) total += cpus_[i]->counters().instructions;
  return total;
}

bool Scheduler::runnable(unsigned index) {
  Cpu& cpu = *cpus_[index];
  if (!cpu.powered()) {
    states_[index] = State::active;
    return false;
  }
  switch (states_[index]) {
    case State::wait_for_interrupt:
      if (!cpu.can_wake(PauseReason::wait_for_interrupt)) return false;
      states_[index] = State::active;
      return true;
    case State::wait_for_event:
      return cpu.can_wake(PauseReason::wait_for_event);
    default:
      return true;
  }
}

unsigned Scheduler::sharers() const {
  unsigned active = 0;
  for (const unsigned index : turns_) active += states_[index] == State::active;
  return std::max(active, 1u);
}

Scheduler::Outcome Scheduler::round(std::uint64_t instruction_limit) {
  turns_.clear();
  bool powered = false;
  for (unsigned i = 0; i < cpus_.size(); ++i) {
    powered |= cpus_[i]->powered();
    ready_[i] = runnable(i);
    if (ready_[i]) turns_.push_back(i);
  }
  preempted_ = false;
  if (placement_) placement_->place(timeline_.now(), ready_, turns_);
  if (watcher_) tell_activities();
  if (stopped_) return Outcome::stopped;
  if (!powered) return Outcome::all_off;
  if (turns_.empty()) return Outcome::idle;
  // A CPU in WFE may wait for a store of the one that runs, which nothing announces.
  const bool alone = turns_.size() == 1 && !someone_waits_for_event();
  // Not by iterator: the CPUs of a round are fixed, but turn() looks at the list.
  for (std::size_t i = 0; i < turns_.size(); ++i) {
    const Outcome outcome = turn(turns_[i], alone ? kLongTurn : quantum_, instruction_limit);
    if (outcome != Outcome::ran) return outcome;
    if (preempted_) break;
  }
  return Outcome::ran;
}

Scheduler::Outcome Scheduler::turn(unsigned index, std::uint64_t quantum,
                                   std::uint64_t instruction_limit) {
  Cpu& cpu = *cpus_[index];
  if (!cpu.powered()) return Outcome::ran;  // Switched off in this round.
  const std::uint64_t total = instructions();
  if (total >= instruction_limit) return Outcome::ran;
  const std::uint64_t own = cpu.counters().instructions;
  const std::uint64_t left = instruction_limit - total;
  running_ = &cpu;
  const PauseReason reason =
      cpu.run({.instructions = quantum,
               .overhead = placement_ ? placement_->overhead(index) : 0,
               .sharers = sharers(),
               .instruction_limit = left > ~0ull - own ? ~0ull : own + left});
  running_ = nullptr;
  switch (reason) {
    case PauseReason::wait_for_interrupt:
      states_[index] = State::wait_for_interrupt;
      break;
    case PauseReason::wait_for_event:
      states_[index] = State::wait_for_event;
      break;
    case PauseReason::yielded:
      states_[index] = State::yielded;
      break;
    case PauseReason::stuck:
      stuck_cpu_ = index;
      return Outcome::stuck;
    case PauseReason::slice_end:
    case PauseReason::powered_off:
      states_[index] = State::active;
      break;
  }
  note_stores(index, cpu.counters().instructions - own);
  return stopped_ ? Outcome::stopped : Outcome::ran;
}

/// What a CPU stored may be what another waits for with WFE. Stores are not watched; instead the
/// waiting CPUs look again, which the architecture allows at any time (DDI 0487 D1.6.1): at once
/// after a CPU that did some work or switched itself off (its SEV is the last that anyone hears),
/// after a growing delay if all that ran were such looks.
void Scheduler::note_stores(unsigned index, std::uint64_t executed) {
  if (executed == 0) return;
  if (executed > kLook || !cpus_[index]->powered()) {
    for (unsigned other = 0; other < cpus_.size(); ++other) {
      if (other != index && states_[other] == State::wait_for_event) {
        cpus_[other]->signal_event();
      }
    }
    poll_delay_ = kFirstPoll;
    polls_ = 0;
  } else if (poll_at_ == kNever && polls_ < kPolls) {
    poll_at_ = timeline_.now() + poll_delay_;
  }
}

bool Scheduler::someone_waits_for_event() const {
  unsigned powered = 0;
  bool waits = false;
  for (unsigned i = 0; i < cpus_.size(); ++i) {
    if (!cpus_[i]->powered()) continue;
    ++powered;
    waits |= states_[i] == State::wait_for_event;
  }
  return waits && powered > 1;
}

Time Scheduler::next_event() const {
  Time next = timeline_.next_due();
  if (poll_at_ != kNever && someone_waits_for_event()) next = std::min(next, poll_at_);
  for (unsigned i = 0; i < cpus_.size(); ++i) {
    if (cpus_[i]->powered() && states_[i] == State::wait_for_event) {
      next = std::min(next, event_stream_(i, timeline_.now()));
    }
  }
  return next;
}

void Scheduler::advance_to(Time when) {
  if (poll_at_ <= when) {
    poll_at_ = kNever;
    poll_delay_ = std::min(poll_delay_ * 2, kLastPoll);
    ++polls_;
    for (unsigned i = 0; i < cpus_.size(); ++i) {
      if (states_[i] == State::wait_for_event) cpus_[i]->signal_event();
    }
  }
  for (unsigned i = 0; i < cpus_.size(); ++i) {
    if (cpus_[i]->powered() && states_[i] == State::wait_for_event &&
        event_stream_(i, timeline_.now()) <= when) {
      cpus_[i]->signal_event();
    }
  }
  timeline_.advance_to(when);
}

}  // namespace trapline
