// GICv3 virtual CPU interface of one CPU: list registers, ICH_*_EL2 for the hypervisor and
// ICV_*_EL1 for the guest (IHI 0069 chapter 6, 12.3, 12.4).
#pragma once

#include <array>
#include <cstdint>

#include "models/gic/gic_common.h"
#include "models/gic/gicv3_core.h"
#include "sim/bus/cpu_lines.h"

namespace trapline::gicv3 {

class VirtualCpuInterface {
 public:
  VirtualCpuInterface(Core& core, unsigned cpu, CpuLines& lines, Line& maintenance);

  void reset();
  /// ICH_HCR_EL2, for the trap bits.
  std::uint32_t hcr() const { return hcr_; }

  // ICV_*_EL1. Groups are 0 and 1; an APR is group << 2 | n. Where an argument has no name, the
  // register is the only one of its kind.
  std::uint64_t read_iar(unsigned group);
  std::uint64_t read_hppir(unsigned group);
  std::uint64_t read_rpr(unsigned);
  std::uint64_t read_pmr(unsigned);
  std::uint64_t read_bpr(unsigned group);
  std::uint64_t read_apr(unsigned apr);
  std::uint64_t read_ctlr(unsigned);
  std::uint64_t read_igrpen(unsigned group);
  void write_eoir(unsigned group, std::uint64_t value);
  void write_dir(unsigned, std::uint64_t value);
  void write_pmr(unsigned, std::uint64_t value);
  void write_bpr(unsigned group, std::uint64_t value);
  void write_apr(unsigned apr, std::uint64_t value);
  void write_ctlr(unsigned, std::uint64_t value);
  void write_igrpen(unsigned group, std::uint64_t value);

  // ICH_*_EL2.
  std::uint64_t read_hcr(unsigned);
  std::uint64_t read_vtr(unsigned);
  std::uint64_t read_misr(unsigned);
  std::uint64_t read_eisr(unsigned);
  std::uint64_t read_elrsr(unsigned);
  std::uint64_t read_vmcr(unsigned);
  std::uint64_t read_lr(unsigned n);
  void write_hcr(unsigned, std::uint64_t value);
  void write_vmcr(unsigned, std::uint64_t value);
  void write_lr(unsigned n, std::uint64_t value);

 private:
  unsigned list_registers() const { return core_.config().list_registers; }
  unsigned priority_bits() const { return core_.config().priority_bits; }
  bool group_enabled(unsigned group) const;
  unsigned vbpr(unsigned group) const;
  void set_vbpr(unsigned group, unsigned value);
  std::uint8_t group_mask(unsigned group) const;
  std::uint8_t running_priority() const;
  /// The list register with the highest priority pending virtual interrupt, or -1.
  int highest_pending() const;
  bool can_preempt(std::uint64_t lr) const;
  int find_active(std::uint32_t intid) const;
  std::uint8_t drop_priority();
  void deactivate(unsigned n);
  void count_eoi();
  void update();

  Core& core_;
  unsigned cpu_;
  CpuLines& lines_;
  Line& maintenance_;
  std::uint32_t hcr_ = 0;
  std::uint32_t vmcr_ = 0;
  std::array<std::uint64_t, 16> lr_{};
  std::array<gic::ActivePriorities, 2> active_;  // By group.
};

}  // namespace trapline::gicv3
