// GICv3 system-register CPU interface of one CPU: ICC_*_EL1 and ICC_SRE_EL2, and the routing of
// ICC encodings to ICV_*_EL1 and of all of them to traps (IHI 0069 12.2; DDI 0487 D23.9).
#pragma once

#include <array>
#include <cstdint>

#include "models/gic/gicv3_core.h"
#include "models/gic/gicv3_virtual_cpu_interface.h"
#include "sim/bus/cpu_lines.h"
#include "sim/bus/sysreg_port.h"

namespace trapline::gicv3 {

class CpuInterface final : public SysRegPort {
 public:
  /// `maintenance` is the input of the PPI that the virtual interface drives.
  CpuInterface(Core& core, unsigned cpu, CpuLines& lines, Line& maintenance);

  bool owns(SysReg reg) const override { return find(reg) != nullptr; }
  SysRegStatus read(SysReg reg, const SysRegContext& context, std::uint64_t& value) override;
  SysRegStatus write(SysReg reg, const SysRegContext& context, std::uint64_t value) override;

  void reset();
  /// The distributor or the redistributor has a new best interrupt for this CPU, or none.
  void set_highest_pending(const HighestPending& pending);
  /// ICC_IGRPEN0_EL1, or ICC_IGRPEN1_EL1 of the group's Security state.
  bool group_enabled(Group group) const { return enabled_[static_cast<unsigned>(group)]; }

 private:
  /// Where the access comes from, and the row's index: a group, an APR or a list register.
  struct Call {
    bool secure = false;  ///< Uses the Secure bank; never with one Security state.
    unsigned n = 0;
  };
  struct Row;
  struct Table;
  enum class Route : std::uint8_t { physical, virtual_, trap_el1, trap_el2, undefined };

  const Row* find(SysReg reg) const;
  Route route(const Row& row, const SysRegContext& context, bool write) const;
  Call call_of(const Row& row, const SysRegContext& context) const;
  bool one_state() const { return core_.single_state(); }
  /// Non-secure with two Security states: sees half of the priorities and no Group 0.
  bool restricted(const Call& call) const { return !one_state() && !call.secure; }
  /// The group that ICC_*0 (n = 0) or ICC_*1 (n = 1) registers of this caller are about.
  static Group group_of(const Call& call);
  std::uint8_t minimum_bpr(Group group) const;
  std::uint8_t group_mask(Group group) const;
  std::uint8_t ns_priority(std::uint8_t priority) const;
  gic::ActivePriorities& active(Group group) { return active_[static_cast<unsigned>(group)]; }
  bool can_preempt() const;
  std::uint32_t visible_pending(const Call& call) const;
  /// The group whose active priority is the highest; false if nothing is active.
  bool highest_active_group(Group& group) const;
  void active_changed();
  void update_lines();

  std::uint64_t read_iar(const Call& call);
  std::uint64_t read_hppir(const Call& call);
  std::uint64_t read_rpr(const Call& call);
  std::uint64_t read_pmr(const Call& call);
  std::uint64_t read_bpr(const Call& call);
  std::uint64_t read_apr(const Call& call);
  std::uint64_t read_ctlr(const Call& call);
  std::uint64_t read_igrpen(const Call& call);
  std::uint64_t read_sre_el1(const Call& call);
  std::uint64_t read_sre_el2(const Call& call);
  void write_eoir(const Call& call, std::uint64_t value);
  void write_dir(const Call& call, std::uint64_t value);
  void write_pmr(const Call& call, std::uint64_t value);
  void write_bpr(const Call& call, std::uint64_t value);
  void write_apr(const Call& call, std::uint64_t value);
  void write_ctlr(const Call& call, std::uint64_t value);
  void write_igrpen(const Call& call, std::uint64_t value);
  void write_sgi(const Call& call, std::uint64_t value);
  void write_sre_el1(const Call& call, std::uint64_t value);
  void write_sre_el2(const Call& call, std::uint64_t value);

  Core& core_;
  unsigned cpu_;
  CpuLines& lines_;
  VirtualCpuInterface virtual_;
  HighestPending pending_;
  std::uint8_t pmr_ = 0;
  std::uint8_t running_ = gic::kIdlePriority;  // Highest of active_, cached.
  std::uint8_t sre_el1_ = 0;
  std::uint8_t sre_el2_ = 0;
  std::array<std::uint8_t, 3> bpr_{};            // By Group.
  std::array<bool, 3> enabled_{};                // By Group.
  std::array<gic::ActivePriorities, 3> active_;  // By Group.
  std::array<std::uint8_t, 2> ctlr_{};  // CBPR and EOImode; 0 Secure, 1 Non-secure or only.
};

}  // namespace trapline::gicv3
