#include "sim/machine/vcpu_placement.h"

#include <algorithm>
#include <utility>

#include "sim/machine/image_error.h"

namespace trapline {

using Policy = SchedulerSpec::Policy;

VcpuPlacement::VcpuPlacement(const SchedulerSpec& spec, unsigned processors,
                             std::vector<Vcpu> vcpus, Timeline& timeline, EventHub& events,
                             std::function<void()> preempt)
    : spec_(spec),
      vcpus_(std::move(vcpus)),
      processors_(processors),
      overhead_(vcpus_.size()),
      ready_(vcpus_.size()),
      ready_since_(vcpus_.size(), kNever),
      events_(events),
      next_(timeline, std::move(preempt)) {
  for (unsigned n = 0; n < vcpus_.size(); ++n) {
    queue_.push_back(n);
    shares_.push_back({.domain = vcpus_[n].domain, .vcpu = vcpus_[n].number});
  }
  if (spec.policy == Policy::null && vcpus_.size() > processors) {
    throw ImageError("",
                     "the null policy gives each vCPU a CPU of its own: there are " +
                         std::to_string(vcpus_.size()) + " vCPUs and " +
                         std::to_string(processors) + " CPUs",
                     "raise -smp, or use --sched rr");
  }
  if (spec.policy == Policy::arinc653) make_tables(spec);
}

unsigned VcpuPlacement::find(const SchedulerSpec::Window& window) const {
  for (unsigned n = 0; n < vcpus_.size(); ++n) {
    if (vcpus_[n].domain == window.domain && vcpus_[n].number == window.vcpu) return n;
  }
  throw ImageError("",
                   "the schedule names vCPU " + std::to_string(window.vcpu) + " of \"" +
                       window.domain + "\", which does not exist",
                   "name a domain, or DOMAIN.VCPU");
}

void VcpuPlacement::make_tables(const SchedulerSpec& spec) {
  if (spec.tables.empty()) {
    throw ImageError("", "the arinc653 policy has no table", "add table=DOMAIN:TIME/DOMAIN:TIME");
  }
  if (spec.tables.size() > processors_.size()) {
    throw ImageError("",
                     "the schedule has a table for CPU " + std::to_string(spec.tables.size() - 1),
                     "raise -smp");
  }
  std::vector<unsigned> owner(vcpus_.size(), kNone);
  for (unsigned p = 0; p < spec.tables.size(); ++p) {
    Processor& processor = processors_[p];
    for (const SchedulerSpec::Window& window : spec.tables[p]) {
      const unsigned vcpu = window.domain.empty() ? kNone : find(window);
      if (vcpu != kNone) {
        if (owner[vcpu] != kNone && owner[vcpu] != p) {
          throw ImageError("", "the schedule has \"" + window.domain + "\" on two CPUs",
                           "a vCPU may be in the table of one");
        }
        owner[vcpu] = p;
      }
      processor.table.push_back({vcpu, processor.table_length, window.length});
      processor.table_length += window.length;
    }
  }
  for (unsigned n = 0; n < vcpus_.size(); ++n) {
    if (owner[n] != kNone) continue;
    throw ImageError("",
                     "the schedule has no window for vCPU " + std::to_string(vcpus_[n].number) +
                         " of \"" + vcpus_[n].domain + "\"",
                     "give it one, or it will never run");
  }
}

bool VcpuPlacement::placed(unsigned vcpu) const {
  return std::any_of(processors_.begin(), processors_.end(),
                     [vcpu](const Processor& processor) { return processor.vcpu == vcpu; });
}

/// Since the last decision everybody did what it said.
void VcpuPlacement::account(Time now) {
  const Time passed = now - decided_;
  for (unsigned n = 0; n < vcpus_.size(); ++n) {
    if (placed(n)) {
      shares_[n].running += passed;
    } else if (ready_[n]) {
      shares_[n].waiting += passed;
    }
  }
  decided_ = now;
}

void VcpuPlacement::place(Time now, const std::vector<bool>& ready, std::vector<unsigned>& turns) {
  account(now);
  for (unsigned n = 0; n < vcpus_.size(); ++n) {
    if (!ready[n]) {
      ready_since_[n] = kNever;
    } else if (ready_since_[n] == kNever && !placed(n)) {
      ready_since_[n] = now;
    }
  }
  const bool idle = std::none_of(ready.begin(), ready.end(), [](bool is) { return is; });
  Time next = kNever;
  if (spec_.policy == Policy::null) {
    place_fixed(ready);
  } else if (spec_.policy == Policy::round_robin) {
    next = place_in_turn(now, ready);
  } else {
    next = place_by_table(now, ready);
  }
  ready_ = ready;
  next_.at(idle ? kNever : next);
  turns.clear();
  for (unsigned p = 0; p < processors_.size(); ++p) {
    const unsigned vcpu = processors_[p].vcpu;
    if (vcpu == kNone) continue;
    turns.push_back(vcpu);
    load(p, vcpu);
    if (ready_since_[vcpu] == kNever) continue;
    const Time waited = now - ready_since_[vcpu];
    ready_since_[vcpu] = kNever;
    ++shares_[vcpu].dispatches;
    shares_[vcpu].longest_wait = std::max(shares_[vcpu].longest_wait, waited);
  }
}

void VcpuPlacement::load(unsigned processor, unsigned vcpu) {
  Processor& at = processors_[processor];
  if (at.loaded == vcpu) return;
  if (spec_.policy != Policy::null) {
    overhead_[vcpu] += spec_.switch_cycles;
    ++shares_[vcpu].switches;
    if (events_.wants(EventKind::vcpu_switch)) {
      Event event;
      event.kind = EventKind::vcpu_switch;
      event.cpu = static_cast<std::uint8_t>(processor);
      event.vmid = vcpus_[vcpu].vmid;
      event.a = at.loaded == kNone ? 0 : vcpus_[at.loaded].vmid;
      event.b = vcpus_[vcpu].vmid;
      events_.observe(event);
    }
    if (load_) overhead_[vcpu] += load_(vcpu, at.loaded);
  }
  at.loaded = vcpu;
}

std::uint64_t VcpuPlacement::overhead(unsigned cpu) {
  return std::exchange(overhead_[cpu], 0);
}

void VcpuPlacement::place_fixed(const std::vector<bool>& ready) {
  for (unsigned n = 0; n < vcpus_.size(); ++n) processors_[n].vcpu = ready[n] ? n : kNone;
}

/// One queue for all CPUs. Returns when the next slice ends that somebody waits for.
Time VcpuPlacement::place_in_turn(Time now, const std::vector<bool>& ready) {
  const auto waits = [&](unsigned vcpu) { return ready[vcpu] && !placed(vcpu); };
  for (Processor& processor : processors_) {
    if (processor.vcpu != kNone && !ready[processor.vcpu]) processor.vcpu = kNone;
    const bool over = processor.vcpu != kNone && now >= processor.slice_end;
    if (over && std::any_of(queue_.begin(), queue_.end(), waits)) {
      // To the end of the queue.
      queue_.erase(std::find(queue_.begin(), queue_.end(), processor.vcpu));
      queue_.push_back(processor.vcpu);
      ready_since_[processor.vcpu] = now;
      processor.vcpu = kNone;
    } else if (over) {
      processor.slice_end = now + spec_.slice;
    }
  }
  for (Processor& processor : processors_) {
    if (processor.vcpu != kNone) continue;
    const auto next = std::find_if(queue_.begin(), queue_.end(), waits);
    if (next == queue_.end()) break;
    processor.vcpu = *next;
    processor.slice_end = now + spec_.slice;
    // Behind those that wait, so that whoever blocks often is not always first.
    queue_.erase(next);
    queue_.push_back(processor.vcpu);
  }
  if (std::none_of(queue_.begin(), queue_.end(), waits)) return kNever;
  Time next = kNever;
  for (const Processor& processor : processors_) next = std::min(next, processor.slice_end);
  return next;
}

/// Returns when the next window begins.
Time VcpuPlacement::place_by_table(Time now, const std::vector<bool>& ready) {
  Time next = kNever;
  for (Processor& processor : processors_) {
    processor.vcpu = kNone;
    if (processor.table.empty()) continue;
    const Time position = now % processor.table_length;
    auto window = processor.table.rbegin();
    while (window->start > position) ++window;
    const Time start = now - position + window->start;
    if (window->vcpu != kNone) {
      begin_window(processor, *window, start, now, ready[window->vcpu]);
      if (ready[window->vcpu]) processor.vcpu = window->vcpu;
    }
    next = std::min(next, start + window->length);
  }
  return next;
}

void VcpuPlacement::begin_window(Processor& processor, const Window& window, Time start, Time now,
                                 bool ready) {
  if (processor.window_begun == start) return;
  processor.window_begun = start;
  VcpuScheduling& share = shares_[window.vcpu];
  // A machine in which nobody was ready did not look at the clock.
  const bool slept = !ready || (now != start && !ready_[window.vcpu]);
  if (slept) {
    ++share.windows_slept;
    return;
  }
  const Time delay = now - start;
  share.start_delay_least = share.windows == 0 ? delay : std::min(share.start_delay_least, delay);
  share.start_delay_most = std::max(share.start_delay_most, delay);
  ++share.windows;
}

std::vector<VcpuScheduling> VcpuPlacement::report() const {
  return shares_;
}

}  // namespace trapline
