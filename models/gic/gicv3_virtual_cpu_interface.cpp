#include "models/gic/gicv3_virtual_cpu_interface.h"

#include <algorithm>

namespace trapline::gicv3 {

namespace {

// ICH_HCR_EL2 (IHI 0069 12.4.7).
constexpr std::uint32_t kHcrEn = 1u << 0;
constexpr std::uint32_t kHcrUie = 1u << 1;
constexpr std::uint32_t kHcrLrenpie = 1u << 2;
constexpr std::uint32_t kHcrNpie = 1u << 3;
constexpr std::uint32_t kHcrVgrp0Eie = 1u << 4;
constexpr std::uint32_t kHcrVgrp0Die = 1u << 5;
constexpr std::uint32_t kHcrVgrp1Eie = 1u << 6;
constexpr std::uint32_t kHcrVgrp1Die = 1u << 7;
constexpr std::uint32_t kHcrEoiCount = 0x1fu << 27;
constexpr std::uint32_t kHcrWritable = 0xff | 0x1fu << 10 | kHcrEoiCount;  // TC to TDIR: 14-10.

// ICH_VMCR_EL2 (IHI 0069 12.4.10).
constexpr std::uint32_t kVmcrVeng0 = 1u << 0;
constexpr std::uint32_t kVmcrVeng1 = 1u << 1;
constexpr std::uint32_t kVmcrVfiqEn = 1u << 3;  // RES1: system registers are always enabled.
constexpr std::uint32_t kVmcrVcbpr = 1u << 4;
constexpr std::uint32_t kVmcrVeoim = 1u << 9;
constexpr unsigned kVmcrVbpr1Shift = 18;
constexpr unsigned kVmcrVbpr0Shift = 21;
constexpr unsigned kVmcrVpmrShift = 24;
constexpr std::uint32_t kVmcrWritable =
    kVmcrVeng0 | kVmcrVeng1 | kVmcrVcbpr | kVmcrVeoim | 0x3fu << kVmcrVbpr1Shift;

// ICH_LR<n>_EL2 (IHI 0069 12.4.8).
constexpr std::uint64_t kLrEoi = 1ull << 41;  // Only where HW is 0.
constexpr std::uint64_t kLrGroup = 1ull << 60;
constexpr std::uint64_t kLrHw = 1ull << 61;
constexpr std::uint64_t kLrPending = 1ull << 62;
constexpr std::uint64_t kLrActive = 1ull << 63;
constexpr std::uint64_t kLrState = kLrPending | kLrActive;

// ICH_MISR_EL2 (IHI 0069 12.4.9).
constexpr std::uint32_t kMisrEoi = 1u << 0;
constexpr std::uint32_t kMisrU = 1u << 1;
constexpr std::uint32_t kMisrLrenp = 1u << 2;
constexpr std::uint32_t kMisrNp = 1u << 3;
constexpr std::uint32_t kMisrVgrp0E = 1u << 4;
constexpr std::uint32_t kMisrVgrp0D = 1u << 5;
constexpr std::uint32_t kMisrVgrp1E = 1u << 6;
constexpr std::uint32_t kMisrVgrp1D = 1u << 7;

// ICV_CTLR_EL1.
constexpr std::uint64_t kCtlrCbpr = 1u << 0;
constexpr std::uint64_t kCtlrEoiMode = 1u << 1;

std::uint32_t lr_vintid(std::uint64_t lr) {
  return static_cast<std::uint32_t>(lr);
}
std::uint32_t lr_pintid(std::uint64_t lr) {
  return static_cast<std::uint32_t>(bits(lr, 44, 32));
}
std::uint8_t lr_priority(std::uint64_t lr) {
  return static_cast<std::uint8_t>(bits(lr, 55, 48));
}
unsigned lr_group(std::uint64_t lr) {
  return lr & kLrGroup ? 1 : 0;
}
bool wants_eoi(std::uint64_t lr) {
  return (lr & (kLrState | kLrHw | kLrEoi)) == kLrEoi;
}

}  // namespace

VirtualCpuInterface::VirtualCpuInterface(Core& core, unsigned cpu, CpuLines& lines,
                                         Line& maintenance)
    : core_(core), cpu_(cpu), lines_(lines), maintenance_(maintenance) {
  active_.fill(gic::ActivePriorities(core.config().priority_bits));
}

void VirtualCpuInterface::reset() {
  hcr_ = 0;
  vmcr_ = kVmcrVfiqEn;
  set_vbpr(0, 0);
  set_vbpr(1, 0);
  lr_.fill(0);
  for (gic::ActivePriorities& active : active_) active.clear();
  update();
}

bool VirtualCpuInterface::group_enabled(unsigned group) const {
  return vmcr_ & (group ? kVmcrVeng1 : kVmcrVeng0);
}

unsigned VirtualCpuInterface::vbpr(unsigned group) const {
  return vmcr_ >> (group ? kVmcrVbpr1Shift : kVmcrVbpr0Shift) & 7;
}

// A value below the minimum sets the minimum, which is one more for Group 1 (IHI 0069 4.8.2).
void VirtualCpuInterface::set_vbpr(unsigned group, unsigned value) {
  const unsigned shift = group ? kVmcrVbpr1Shift : kVmcrVbpr0Shift;
  value = std::max(value & 7, 7 - priority_bits() + group);
  vmcr_ = (vmcr_ & ~(7u << shift)) | value << shift;
}

std::uint8_t VirtualCpuInterface::group_mask(unsigned group) const {
  if (group == 1 && !(vmcr_ & kVmcrVcbpr)) return gic::group_priority_mask(vbpr(1) - 1);
  return gic::group_priority_mask(vbpr(0));
}

std::uint8_t VirtualCpuInterface::running_priority() const {
  return std::min(active_[0].highest(), active_[1].highest());
}

// Pending only (not active and pending), of an enabled group, priority below 0xff; the lowest index
// wins a tie (IHI 0069 12.2, HighestPriorityVirtualInterrupt).
int VirtualCpuInterface::highest_pending() const {
  int best = -1;
  std::uint8_t priority = gic::kIdlePriority;
  for (unsigned n = 0; n < list_registers(); ++n) {
    const std::uint64_t lr = lr_[n];
    if ((lr & kLrState) != kLrPending || !group_enabled(lr_group(lr))) continue;
    if (lr_priority(lr) < priority) {
      priority = lr_priority(lr);
      best = static_cast<int>(n);
    }
  }
  return best;
}

bool VirtualCpuInterface::can_preempt(std::uint64_t lr) const {
  if (!(hcr_ & kHcrEn) || lr_priority(lr) >= vmcr_ >> kVmcrVpmrShift) return false;
  const std::uint8_t running = running_priority();
  if (running == gic::kIdlePriority) return true;
  const std::uint8_t mask = group_mask(lr_group(lr));
  return (lr_priority(lr) & mask) < (running & mask);
}

void VirtualCpuInterface::update() {
  bool virq = false;
  bool vfiq = false;
  bool maintenance = false;
  if (hcr_ & kHcrEn) {
    const int n = highest_pending();
    if (n >= 0 && can_preempt(lr_[n])) (lr_group(lr_[n]) ? virq : vfiq) = true;
    maintenance = read_misr(0) != 0;
  }
  lines_.virq.set(virq);
  lines_.vfiq.set(vfiq);
  maintenance_.set(maintenance);
}

// ---- ICV_*_EL1 ----

std::uint64_t VirtualCpuInterface::read_iar(unsigned group) {
  const int n = highest_pending();
  if (n < 0 || lr_group(lr_[n]) != group || !can_preempt(lr_[n])) return gic::kSpurious;
  std::uint64_t& lr = lr_[n];
  const std::uint32_t intid = lr_vintid(lr);
  lr &= ~kLrPending;
  // A special INTID in a list register is returned and goes from Pending to Invalid.
  if (!gic::is_special(intid)) {
    lr |= kLrActive;
    active_[group].activate(lr_priority(lr) & group_mask(group));
    core_.emit(EventKind::interrupt_ack, cpu_, intid, 1);
  }
  update();
  return intid;
}

std::uint64_t VirtualCpuInterface::read_hppir(unsigned group) {
  const int n = highest_pending();
  return n >= 0 && lr_group(lr_[n]) == group ? lr_vintid(lr_[n]) : gic::kSpurious;
}

std::uint64_t VirtualCpuInterface::read_rpr(unsigned) {
  return running_priority();
}

std::uint64_t VirtualCpuInterface::read_pmr(unsigned) {
  return vmcr_ >> kVmcrVpmrShift;
}

std::uint64_t VirtualCpuInterface::read_bpr(unsigned group) {
  if (group == 1 && (vmcr_ & kVmcrVcbpr)) return std::min(vbpr(0) + 1, 7u);
  return vbpr(group);
}

std::uint64_t VirtualCpuInterface::read_apr(unsigned apr) {
  return active_[apr >> 2].word(apr & 3);
}

std::uint64_t VirtualCpuInterface::read_ctlr(unsigned) {
  // A3V, 24-bit INTIDs, PRIbits: as in ICH_VTR_EL2.
  return 1u << 15 | 1u << 11 | (priority_bits() - 1) << 8 |
         (vmcr_ & kVmcrVeoim ? kCtlrEoiMode : 0) | (vmcr_ & kVmcrVcbpr ? kCtlrCbpr : 0);
}

std::uint64_t VirtualCpuInterface::read_igrpen(unsigned group) {
  return group_enabled(group);
}

int VirtualCpuInterface::find_active(std::uint32_t intid) const {
  for (unsigned n = 0; n < list_registers(); ++n) {
    if ((lr_[n] & kLrActive) && lr_vintid(lr_[n]) == intid) return static_cast<int>(n);
  }
  return -1;
}

// Group 0 first where both groups are active at one priority.
std::uint8_t VirtualCpuInterface::drop_priority() {
  return active_[active_[0].highest() <= active_[1].highest() ? 0 : 1].drop();
}

// Also ends the physical interrupt behind a hardware one (IHI 0069 6.2.1).
void VirtualCpuInterface::deactivate(unsigned n) {
  if ((lr_[n] & kLrHw) && !gic::is_special(lr_pintid(lr_[n]))) {
    core_.deactivate(cpu_, lr_pintid(lr_[n]));
  }
  lr_[n] &= ~kLrActive;
}

void VirtualCpuInterface::count_eoi() {
  hcr_ = (hcr_ & ~kHcrEoiCount) | ((hcr_ + (1u << 27)) & kHcrEoiCount);
}

// IHI 0069 12.3.5. With nothing active the list registers are not looked at, which is one of the
// permitted behaviours.
void VirtualCpuInterface::write_eoir(unsigned group, std::uint64_t value) {
  const auto intid = static_cast<std::uint32_t>(value & 0xff'ffff);
  if (gic::is_special(intid)) return;
  const std::uint8_t dropped = drop_priority();
  if (dropped == gic::kIdlePriority) return;
  core_.emit(EventKind::interrupt_eoi, cpu_, intid, 1);
  const bool deactivates = !(vmcr_ & kVmcrVeoim) || intid >= gic::kFirstLpi;
  const int n = find_active(intid);
  if (n < 0) {
    if (deactivates && intid < gic::kFirstLpi) count_eoi();
  } else if (deactivates && lr_group(lr_[n]) == group &&
             (lr_priority(lr_[n]) & group_mask(group)) == dropped) {
    deactivate(static_cast<unsigned>(n));
  }
  update();
}

void VirtualCpuInterface::write_dir(unsigned, std::uint64_t value) {
  const auto intid = static_cast<std::uint32_t>(value & 0xff'ffff);
  if (gic::is_special(intid) || intid >= gic::kFirstLpi || !(vmcr_ & kVmcrVeoim)) return;
  const int n = find_active(intid);
  if (n < 0) {
    count_eoi();
  } else {
    deactivate(static_cast<unsigned>(n));
  }
  update();
}

void VirtualCpuInterface::write_pmr(unsigned, std::uint64_t value) {
  const std::uint32_t pmr = value & gic::priority_field_mask(priority_bits());
  if (pmr == vmcr_ >> kVmcrVpmrShift) return;
  vmcr_ = (vmcr_ & 0x00ff'ffff) | pmr << kVmcrVpmrShift;
  update();
}

void VirtualCpuInterface::write_bpr(unsigned group, std::uint64_t value) {
  if (group == 1 && (vmcr_ & kVmcrVcbpr)) return;
  set_vbpr(group, static_cast<unsigned>(value & 7));
  update();
}

void VirtualCpuInterface::write_apr(unsigned apr, std::uint64_t value) {
  active_[apr >> 2].set_word(apr & 3, static_cast<std::uint32_t>(value));
  update();
}

void VirtualCpuInterface::write_ctlr(unsigned, std::uint64_t value) {
  vmcr_ &= ~(kVmcrVcbpr | kVmcrVeoim);
  if (value & kCtlrCbpr) vmcr_ |= kVmcrVcbpr;
  if (value & kCtlrEoiMode) vmcr_ |= kVmcrVeoim;
  update();
}

void VirtualCpuInterface::write_igrpen(unsigned group, std::uint64_t value) {
  const std::uint32_t enable = group ? kVmcrVeng1 : kVmcrVeng0;
  vmcr_ = value & 1 ? vmcr_ | enable : vmcr_ & ~enable;
  update();
}

// ---- ICH_*_EL2 ----

std::uint64_t VirtualCpuInterface::read_hcr(unsigned) {
  return hcr_;
}

// ListRegs, TDS, nV4, A3V, 24-bit INTIDs, PREbits, PRIbits.
std::uint64_t VirtualCpuInterface::read_vtr(unsigned) {
  return (list_registers() - 1) | 1u << 19 | 1u << 20 | 1u << 21 | 1u << 23 |
         (priority_bits() - 1) << 26 | (priority_bits() - 1) << 29;
}

std::uint64_t VirtualCpuInterface::read_misr(unsigned) {
  unsigned valid = 0;
  bool pending = false;
  bool eoi = false;
  for (unsigned n = 0; n < list_registers(); ++n) {
    valid += (lr_[n] & kLrState) != 0;
    pending |= (lr_[n] & kLrState) == kLrPending;
    eoi |= wants_eoi(lr_[n]);
  }
  std::uint32_t misr = 0;
  if (eoi) misr |= kMisrEoi;
  if ((hcr_ & kHcrUie) && valid <= 1) misr |= kMisrU;
  if ((hcr_ & kHcrLrenpie) && (hcr_ & kHcrEoiCount)) misr |= kMisrLrenp;
  if ((hcr_ & kHcrNpie) && !pending) misr |= kMisrNp;
  if ((hcr_ & kHcrVgrp0Eie) && group_enabled(0)) misr |= kMisrVgrp0E;
  if ((hcr_ & kHcrVgrp0Die) && !group_enabled(0)) misr |= kMisrVgrp0D;
  if ((hcr_ & kHcrVgrp1Eie) && group_enabled(1)) misr |= kMisrVgrp1E;
  if ((hcr_ & kHcrVgrp1Die) && !group_enabled(1)) misr |= kMisrVgrp1D;
  return misr;
}

std::uint64_t VirtualCpuInterface::read_eisr(unsigned) {
  std::uint64_t eisr = 0;
  for (unsigned n = 0; n < list_registers(); ++n) eisr |= std::uint64_t{wants_eoi(lr_[n])} << n;
  return eisr;
}

// Empty: invalid, and not waiting for its EOI to be seen.
std::uint64_t VirtualCpuInterface::read_elrsr(unsigned) {
  std::uint64_t elrsr = 0;
  for (unsigned n = 0; n < list_registers(); ++n) {
    elrsr |= std::uint64_t{!(lr_[n] & kLrState) && !wants_eoi(lr_[n])} << n;
  }
  return elrsr;
}

std::uint64_t VirtualCpuInterface::read_vmcr(unsigned) {
  return vmcr_;
}

std::uint64_t VirtualCpuInterface::read_lr(unsigned n) {
  return lr_[n];
}

void VirtualCpuInterface::write_hcr(unsigned, std::uint64_t value) {
  hcr_ = static_cast<std::uint32_t>(value) & kHcrWritable;
  update();
}

void VirtualCpuInterface::write_vmcr(unsigned, std::uint64_t value) {
  const auto vmcr = static_cast<std::uint32_t>(value);
  const std::uint32_t pmr = vmcr >> kVmcrVpmrShift & gic::priority_field_mask(priority_bits());
  vmcr_ = (vmcr & kVmcrWritable) | kVmcrVfiqEn | pmr << kVmcrVpmrShift;
  set_vbpr(0, vbpr(0));
  set_vbpr(1, vbpr(1));
  update();
}

// The unimplemented priority bits and the NMI bit are RES0.
void VirtualCpuInterface::write_lr(unsigned n, std::uint64_t value) {
  const std::uint64_t unimplemented = 0xff & ~gic::priority_field_mask(priority_bits());
  value &= ~(unimplemented << 48 | 1ull << 59);
  if (value == lr_[n]) return;
  lr_[n] = value;
  core_.emit(EventKind::list_register, cpu_, n, value);
  update();
}

}  // namespace trapline::gicv3
