// Which vCPUs have the physical CPUs of a machine that has domains.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sim/cpu/scheduler.h"
#include "sim/machine/machine_config.h"
#include "sim/machine/run_result.h"
#include "sim/time/timeline.h"
#include "sim/trace/hub.h"

namespace trapline {

/// The policies that a SchedulerSpec can name. A switch is decided at the first sampling point at
/// or after its time, charged to the vCPU that comes, and raised as a vcpu_switch event of the
/// physical CPU.
class VcpuPlacement final : public CpuPlacement {
 public:
  struct Vcpu {
    std::string domain;
    unsigned number = 0;  ///< Within the domain.
    std::uint16_t vmid = 0;
  };

  /// `preempt` is called when a decision is due. Throws ImageError for a table or a policy that the
  /// vCPUs do not fit.
  VcpuPlacement(const SchedulerSpec& spec, unsigned processors, std::vector<Vcpu> vcpus,
                Timeline& timeline, EventHub& events, std::function<void()> preempt);

  /// What a CPU that comes has to be given besides, of the vCPU that was there before (or ~0).
  /// Returns the cycles that takes.
  void on_load(std::function<std::uint64_t(unsigned vcpu, unsigned before)> load) {
    load_ = std::move(load);
  }

  void place(Time now, const std::vector<bool>& ready, std::vector<unsigned>& turns) override;
  std::uint64_t overhead(unsigned cpu) override;

  /// What came of it by now, by vCPU.
  std::vector<VcpuScheduling> report() const;

 private:
  static constexpr unsigned kNone = ~0u;

  struct Window {
    unsigned vcpu;  ///< kNone: nobody's.
    Time start;     ///< From the start of the table.
    Time length;
  };
  struct Processor {
    unsigned vcpu = kNone;    ///< Who runs.
    unsigned loaded = kNone;  ///< Whose state it holds.
    Time slice_end = kNever;  ///< Of a round robin.
    std::vector<Window> table;
    Time table_length = 0;
    Time window_begun = kNever;  ///< The last one whose start was looked at.
  };

  void make_tables(const SchedulerSpec& spec);
  unsigned find(const SchedulerSpec::Window& window) const;
  void account(Time now);
  void place_fixed(const std::vector<bool>& ready);
  Time place_in_turn(Time now, const std::vector<bool>& ready);
  Time place_by_table(Time now, const std::vector<bool>& ready);
  void begin_window(Processor& processor, const Window& window, Time start, Time now, bool ready);
  void load(unsigned processor, unsigned vcpu);
  bool placed(unsigned vcpu) const;

  SchedulerSpec spec_;
  std::vector<Vcpu> vcpus_;
  std::vector<Processor> processors_;
  std::vector<unsigned> queue_;  ///< Of a round robin: who is next.
  std::vector<std::uint64_t> overhead_;
  std::vector<VcpuScheduling> shares_;
  std::vector<bool> ready_;        ///< As of the last decision.
  std::vector<Time> ready_since_;  ///< Of those that have no processor.
  Time decided_ = 0;
  EventHub& events_;
  std::function<std::uint64_t(unsigned, unsigned)> load_;
  Wakeup next_;
};

}  // namespace trapline
