// Looks for the mistakes of bring-up while a machine runs: in its events, in hypercalls, and in
// stores to what a guest was given to start from. It changes nothing.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "sim/bus/bus.h"
#include "sim/check/guest_tree.h"
#include "sim/check/hypercall_check.h"
#include "sim/cpu/cpu.h"
#include "sim/trace/event.h"
#include "sim/trace/finding.h"
#include "sim/trace/store_guard.h"

namespace trapline {

/// docs/findings.md says what each finding is. Every one is reported once for an instruction, and a
/// few times for a domain.
class GuestCheck final : public Sink {
 public:
  static constexpr unsigned kMostOfAKind = 5;  ///< For one domain.

  explicit GuestCheck(FindingSink& sink);
  ~GuestCheck() override;

  /// A part of a machine with CPUs and a bus of its own, before its CPUs are made: whom they tell
  /// of stores.
  StoreGuard& add_part();
  /// The first added part that has not been started is complete and about to start: `first_cpu` and
  /// `vmid` are what events call its CPUs and, if it is a domain, it; X0 of its first CPU holds the
  /// device tree.
  void start_part(CpuComplex& cpus, Bus& bus, unsigned first_cpu, std::uint16_t vmid);

  void on_event(const Event& event) override;
  bool wants(EventKind kind) const override {
    return kind == EventKind::call_result || kind == EventKind::misuse;
  }

 private:
  struct Guest;
  struct Part;
  /// What is remembered of a CPU.
  struct CpuState {
    SeenHypercall call;
    std::optional<VirtAddr> behind_hvc;  ///< Where EL2 has to return to.
    std::uint16_t hvc_vmid = 0;
  };

  Part* part_of(unsigned cpu);
  void report(FindingKind kind, std::string text, const Event& event, VirtAddr pc);
  Guest& guest_of(Part& part, std::uint16_t vmid);
  void start_guest(Part& part, Guest& guest, Cpu& cpu, VirtAddr pc);
  void guard_range(Part& part, Cpu& cpu, PhysAddr first, std::uint64_t bytes, FindingKind kind,
                   Guest& guest);

  void on_hypercall(Part& part, const Event& event);
  void on_call_result(Part& part, const Event& event);
  void on_entry(Part& part, const Event& event);
  void on_abort(Part& part, const Event& event, unsigned ec);
  void on_return(Part& part, const Event& event);
  void on_mmio(Part& part, const Event& event);
  void on_misuse(Part& part, const Event& event);

  FindingSink& sink_;
  std::vector<std::unique_ptr<Part>> parts_;
  std::map<unsigned, CpuState> cpus_;  // By number in events.
  std::set<std::tuple<FindingKind, std::uint16_t, VirtAddr>> said_;
  std::map<std::pair<FindingKind, std::uint16_t>, unsigned> said_of_kind_;
};

}  // namespace trapline
