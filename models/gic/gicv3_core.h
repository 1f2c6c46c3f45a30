// What the parts of a GICv3 share: who owns which interrupt, and which one each CPU should take.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "models/gic/gicv3.h"
#include "models/gic/gicv3_bank.h"

namespace trapline::gicv3 {

class Distributor;
class Redistributor;
class RedistributorWindow;
class CpuInterface;

/// The highest priority pending interrupt of a CPU. Priority 0xff is never signalled.
struct HighestPending {
  std::uint32_t intid = gic::kSpurious;
  std::uint8_t priority = gic::kIdlePriority;
  Group group = Group::g0;

  bool operator==(const HighestPending&) const = default;
};

/// A write to ICC_SGI0R_EL1, ICC_SGI1R_EL1 or ICC_ASGI1R_EL1 (IHI 0069 12.2.18).
struct SgiRequest {
  std::uint32_t intid = 0;
  Group group = Group::g1;
  bool secure = false;        ///< Of the sender.
  bool all_others = false;    ///< IRM.
  std::uint32_t cluster = 0;  ///< Aff3.Aff2.Aff1, 24 bits.
  std::uint16_t targets = 0;  ///< One bit an Aff0.
};

class Core {
 public:
  Core(const GicV3Config& config, std::vector<CpuLines*> cpu_lines, Sink* sink);
  ~Core();

  const GicV3Config& config() const { return config_; }
  unsigned cpus() const { return config_.cpus; }
  unsigned intids() const { return gic::kPrivateIntids + config_.spis; }
  /// Aff3.Aff2.Aff1.Aff0 of a CPU as GICR_TYPER packs it, 32 bits.
  std::uint32_t affinity(unsigned cpu) const { return affinities_[cpu]; }
  /// The CPU with this packed affinity, or cpus().
  unsigned cpu_with_affinity(std::uint32_t affinity) const;
  bool single_state() const;

  Distributor& distributor() { return *distributor_; }
  Redistributor& redistributor(unsigned cpu) { return *redistributors_[cpu]; }
  Device& redistributor_window();
  CpuInterface& cpu_interface(unsigned cpu) { return *cpu_interfaces_[cpu]; }
  Line& spi(unsigned intid);
  Line& ppi(unsigned cpu, unsigned intid);

  void reset();
  void emit(EventKind kind, unsigned cpu, std::uint64_t a, std::uint64_t b) const {
    if (sink_) sink_->on_event(make_event(kind, cpu, a, b));
  }

  /// The bank that holds `intid` as `cpu` sees it. `intid` < intids().
  InterruptBank& bank_of(unsigned cpu, std::uint32_t intid);
  Group group_of(unsigned cpu, std::uint32_t intid);
  void acknowledge(unsigned cpu, std::uint32_t intid);
  void deactivate(unsigned cpu, std::uint32_t intid);
  void send_sgi(unsigned sender, const SgiRequest& request);

  /// To be called after a change in the bank of a redistributor or of the distributor. `reordered`
  /// says that priorities or groups may have changed as well.
  void private_changed(unsigned cpu, bool reordered = false);
  void spis_changed(unsigned bank, bool reordered = false);
  /// After a change of group enables or of routing.
  void everything_changed();
  /// After a change in one CPU's willingness to take interrupts.
  void participation_changed(unsigned cpu);

 private:
  static Event make_event(EventKind kind, unsigned cpu, std::uint64_t a, std::uint64_t b) {
    Event event;
    event.kind = kind;
    event.cpu = static_cast<std::uint8_t>(cpu);
    event.a = a;
    event.b = b;
    return event;
  }
  void connect_inputs();
  void rescan(unsigned cpu);
  bool accepts_sgi(unsigned cpu, const SgiRequest& request);
  unsigned elect(Group group) const;

  GicV3Config config_;
  Sink* sink_;
  std::vector<std::uint32_t> affinities_;
  std::unique_ptr<Distributor> distributor_;
  std::vector<std::unique_ptr<Redistributor>> redistributors_;
  std::unique_ptr<RedistributorWindow> window_;
  std::vector<std::unique_ptr<CpuInterface>> cpu_interfaces_;
  std::deque<Line> spis_;  // A Line does not move.
  std::deque<Line> ppis_;  // 16 a CPU.
};

}  // namespace trapline::gicv3
