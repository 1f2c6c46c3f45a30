#include "models/gic/gicv3_cpu_interface.h"

#include <algorithm>

namespace trapline::gicv3 {

namespace {

constexpr std::uint8_t kCtlrCbpr = 1u << 0;
constexpr std::uint8_t kCtlrEoiMode = 1u << 1;
constexpr std::uint8_t kSre = 1u << 0;
constexpr std::uint8_t kSreBypass = 3u << 1;  // DFB and DIB: there is no interrupt bypass.
constexpr std::uint8_t kSreEnable = 1u << 3;

constexpr std::uint64_t kHcrFmo = 1ull << 3;  // HCR_EL2
constexpr std::uint64_t kHcrImo = 1ull << 4;

constexpr std::uint32_t kIchTc = 1u << 10;  // ICH_HCR_EL2
constexpr std::uint32_t kIchTall0 = 1u << 11;
constexpr std::uint32_t kIchTall1 = 1u << 12;
constexpr std::uint32_t kIchTdir = 1u << 14;

/// Which rules of access a register follows.
enum class Class : std::uint8_t {
  group0,  // ICH_HCR_EL2.TALL0 traps; virtual under HCR_EL2.FMO.
  group1,  // TALL1; IMO.
  common,  // TC; FMO or IMO.
  dir,     // TC or TDIR; FMO or IMO.
  sgi,     // TC, FMO or IMO trap.
  sre_el1,
  sre_el2,
  ich,
};

}  // namespace

/// One register: its physical and its virtual side, either of which may be missing.
struct CpuInterface::Row {
  using Read = std::uint64_t (CpuInterface::*)(const Call&);
  using Write = void (CpuInterface::*)(const Call&, std::uint64_t);
  using VirtualRead = std::uint64_t (VirtualCpuInterface::*)(unsigned);
  using VirtualWrite = void (VirtualCpuInterface::*)(unsigned, std::uint64_t);

  bool present = false;
  Class kind = Class::common;
  std::uint8_t n = 0;
  Read read = nullptr;
  Write write = nullptr;
  VirtualRead virtual_read = nullptr;
  VirtualWrite virtual_write = nullptr;
};

/// All registers by encoding: op1 0 (ICC, CRm 8-12) and op1 4 (ICH, CRm 8-15), CRn 12.
struct CpuInterface::Table {
  std::array<Row, 5 * 8> icc{};
  std::array<Row, 8 * 8> ich{};
  Row pmr{};  // The one with CRn 4.

  using I = CpuInterface;
  using V = VirtualCpuInterface;

  constexpr Row& at(unsigned crm, unsigned op2) { return icc[(crm - 8) * 8 + op2]; }
  constexpr Row& ich_at(unsigned crm, unsigned op2) { return ich[(crm - 8) * 8 + op2]; }

  constexpr void add_group(Class kind, std::uint8_t n, unsigned crm) {
    at(crm, 0) = {true, kind, n, &I::read_iar, nullptr, &V::read_iar, nullptr};
    at(crm, 1) = {true, kind, n, nullptr, &I::write_eoir, nullptr, &V::write_eoir};
    at(crm, 2) = {true, kind, n, &I::read_hppir, nullptr, &V::read_hppir, nullptr};
    at(crm, 3) = {true, kind, n, &I::read_bpr, &I::write_bpr, &V::read_bpr, &V::write_bpr};
    at(12, 6 + n) = {
        true, kind, n, &I::read_igrpen, &I::write_igrpen, &V::read_igrpen, &V::write_igrpen};
  }

  constexpr Table() {
    pmr = {true, Class::common, 0, &I::read_pmr, &I::write_pmr, &V::read_pmr, &V::write_pmr};
    add_group(Class::group0, 0, 8);
    add_group(Class::group1, 1, 12);
    for (std::uint8_t n = 0; n < 4; ++n) {
      const std::uint8_t ap1 = 4 | n;
      at(8, 4 + n) = {true,         Class::group0, n, &I::read_apr, &I::write_apr,
                      &V::read_apr, &V::write_apr};
      at(9, n) = {true,          Class::group1, ap1,          &I::read_apr,
                  &I::write_apr, &V::read_apr,  &V::write_apr};
      ich_at(8, n) = {true, Class::ich, n, nullptr, nullptr, &V::read_apr, &V::write_apr};
      ich_at(9, n) = {true, Class::ich, ap1, nullptr, nullptr, &V::read_apr, &V::write_apr};
    }
    at(11, 1) = {true, Class::dir, 0, nullptr, &I::write_dir, nullptr, &V::write_dir};
    at(11, 3) = {true, Class::common, 0, &I::read_rpr, nullptr, &V::read_rpr, nullptr};
    at(11, 5) = {true, Class::sgi, 5, nullptr, &I::write_sgi, nullptr, nullptr};
    at(11, 6) = {true, Class::sgi, 6, nullptr, &I::write_sgi, nullptr, nullptr};
    at(11, 7) = {true, Class::sgi, 7, nullptr, &I::write_sgi, nullptr, nullptr};
    at(12, 4) = {true,          Class::common, 0, &I::read_ctlr, &I::write_ctlr,
                 &V::read_ctlr, &V::write_ctlr};
    at(12, 5) = {true, Class::sre_el1, 0, &I::read_sre_el1, &I::write_sre_el1, nullptr, nullptr};
    ich_at(9, 5) = {true, Class::sre_el2, 0, &I::read_sre_el2, &I::write_sre_el2, nullptr, nullptr};
    ich_at(11, 0) = {true, Class::ich, 0, nullptr, nullptr, &V::read_hcr, &V::write_hcr};
    ich_at(11, 1) = {true, Class::ich, 0, nullptr, nullptr, &V::read_vtr, nullptr};
    ich_at(11, 2) = {true, Class::ich, 0, nullptr, nullptr, &V::read_misr, nullptr};
    ich_at(11, 3) = {true, Class::ich, 0, nullptr, nullptr, &V::read_eisr, nullptr};
    ich_at(11, 5) = {true, Class::ich, 0, nullptr, nullptr, &V::read_elrsr, nullptr};
    ich_at(11, 7) = {true, Class::ich, 0, nullptr, nullptr, &V::read_vmcr, &V::write_vmcr};
    for (std::uint8_t n = 0; n < 16; ++n) {
      ich_at(12 + n / 8, n % 8) = {true,    Class::ich,  n,           nullptr,
                                   nullptr, &V::read_lr, &V::write_lr};
    }
  }
};

CpuInterface::CpuInterface(Core& core, unsigned cpu, CpuLines& lines, Line& maintenance)
    : core_(core), cpu_(cpu), lines_(lines), virtual_(core, cpu, lines, maintenance) {
  active_.fill(gic::ActivePriorities(core.config().priority_bits));
}

void CpuInterface::reset() {
  pending_ = {};
  pmr_ = 0;
  running_ = gic::kIdlePriority;
  sre_el1_ = kSreBypass | kSre;
  sre_el2_ = kSreBypass | kSre | kSreEnable;
  if (core_.config().programmable_sre) {
    sre_el1_ = kSreBypass;
    sre_el2_ = kSreBypass;
  }
  for (const Group group : {Group::g0, Group::g1_secure, Group::g1}) {
    bpr_[static_cast<unsigned>(group)] = minimum_bpr(group);
    active(group).clear();
  }
  enabled_.fill(false);
  ctlr_.fill(0);
  virtual_.reset();
  update_lines();
}

// ---- access rules ----

const CpuInterface::Row* CpuInterface::find(SysReg reg) const {
  static constexpr Table kTable;
  static constexpr SysReg kPmr = sysreg(3, 0, 4, 6, 0);
  if (reg == kPmr) return &kTable.pmr;
  if (reg.op0() != 3 || reg.crn() != 12 || reg.crm() < 8) return nullptr;
  const unsigned index = (reg.crm() - 8) * 8 + reg.op2();
  // As many words of active priorities as the preemption bits need: 1, 2 or 4.
  const unsigned words = 1u << (core_.config().priority_bits - 5);
  if (reg.op1() == 0 && reg.crm() <= 12) {
    const Row& row = kTable.icc[index];
    const bool apr = row.read == &CpuInterface::read_apr;
    return row.present && !(apr && (row.n & 3u) >= words) ? &row : nullptr;
  }
  if (reg.op1() != 4 || !core_.config().virtualization) return nullptr;
  const Row& row = kTable.ich[index];
  if (!row.present) return nullptr;
  if (reg.crm() >= 12) return row.n < core_.config().list_registers ? &row : nullptr;
  const bool apr = row.virtual_read == &VirtualCpuInterface::read_apr;
  return !(apr && (row.n & 3u) >= words) ? &row : nullptr;
}

// The order of checks is that of each register's accessibility pseudocode (DDI 0487 D23.9), with
// the EL3 steps left out.
CpuInterface::Route CpuInterface::route(const Row& row, const SysRegContext& context,
                                        bool write) const {
  const bool has_access = write ? row.write || row.virtual_write : row.read || row.virtual_read;
  if (context.el == El::el0 || !has_access) return Route::undefined;
  const bool el2_only = row.kind == Class::ich || row.kind == Class::sre_el2;
  if (context.el == El::el1) {
    if (el2_only) return Route::undefined;
    const bool el2 = context.el2_present && core_.config().virtualization;
    if (row.kind == Class::sre_el1) {
      return el2 && !(sre_el2_ & kSreEnable) ? Route::trap_el2 : Route::physical;
    }
    if (!(sre_el1_ & kSre)) return Route::trap_el1;
    if (!el2) return Route::physical;
    static constexpr std::uint32_t kTraps[] = {kIchTall0, kIchTall1, kIchTc, kIchTc | kIchTdir,
                                               kIchTc};
    static constexpr std::uint64_t kRedirects[] = {kHcrFmo, kHcrImo, kHcrFmo | kHcrImo,
                                                   kHcrFmo | kHcrImo, kHcrFmo | kHcrImo};
    const auto kind = static_cast<unsigned>(row.kind);
    if (virtual_.hcr() & kTraps[kind]) return Route::trap_el2;
    if (!(context.hcr_el2 & kRedirects[kind])) return Route::physical;
    return row.kind == Class::sgi ? Route::trap_el2 : Route::virtual_;
  }
  if (row.kind == Class::sre_el1 || row.kind == Class::sre_el2) return Route::physical;
  if (core_.config().virtualization && !(sre_el2_ & kSre)) return Route::trap_el2;
  return row.kind == Class::ich ? Route::virtual_ : Route::physical;
}

CpuInterface::Call CpuInterface::call_of(const Row& row, const SysRegContext& context) const {
  return {.secure = context.secure && !one_state(), .n = row.n};
}

SysRegStatus CpuInterface::read(SysReg reg, const SysRegContext& context, std::uint64_t& value) {
  const Row* row = find(reg);
  if (!row) return SysRegStatus::undefined;
  switch (route(*row, context, false)) {
    case Route::physical:
      value = (this->*row->read)(call_of(*row, context));
      return SysRegStatus::ok;
    case Route::virtual_: {
      const unsigned n = row->n;
      value = (virtual_.*row->virtual_read)(n);
      return SysRegStatus::ok;
    }
    case Route::trap_el1:
      return SysRegStatus::trap_el1;
    case Route::trap_el2:
      return SysRegStatus::trap_el2;
    case Route::undefined:
      break;
  }
  return SysRegStatus::undefined;
}

SysRegStatus CpuInterface::write(SysReg reg, const SysRegContext& context, std::uint64_t value) {
  const Row* row = find(reg);
  if (!row) return SysRegStatus::undefined;
  switch (route(*row, context, true)) {
    case Route::physical:
      (this->*row->write)(call_of(*row, context), value);
      return SysRegStatus::ok;
    case Route::virtual_:
      (virtual_.*row->virtual_write)(row->n, value);
      return SysRegStatus::ok;
    case Route::trap_el1:
      return SysRegStatus::trap_el1;
    case Route::trap_el2:
      return SysRegStatus::trap_el2;
    case Route::undefined:
      break;
  }
  return SysRegStatus::undefined;
}

// ---- priorities ----

Group CpuInterface::group_of(const Call& call) {
  if ((call.n & 1) == 0) return Group::g0;
  return call.secure ? Group::g1_secure : Group::g1;
}

std::uint8_t CpuInterface::minimum_bpr(Group group) const {
  return static_cast<std::uint8_t>(7 - core_.config().priority_bits + (group == Group::g1));
}

// IHI 0069 4.8.2: CBPR makes Group 1 use BPR0; the Non-secure BPR1 counts from one.
std::uint8_t CpuInterface::group_mask(Group group) const {
  const bool common = (group == Group::g1_secure && (ctlr_[0] & kCtlrCbpr)) ||
                      (group == Group::g1 && (ctlr_[1] & kCtlrCbpr));
  if (group == Group::g0 || common) return gic::group_priority_mask(bpr_[0]);
  const unsigned bpr = bpr_[static_cast<unsigned>(group)];
  return gic::group_priority_mask(group == Group::g1 ? bpr - 1 : bpr);
}

// A Secure priority reads as 0, the idle priority as itself (IHI 0069 4.8.1).
std::uint8_t CpuInterface::ns_priority(std::uint8_t priority) const {
  if (priority == gic::kIdlePriority) return priority;
  return priority & 0x80 ? static_cast<std::uint8_t>(priority << 1) : 0;
}

bool CpuInterface::can_preempt() const {
  if (pending_.priority >= pmr_ || !group_enabled(pending_.group)) return false;
  if (running_ == gic::kIdlePriority) return true;
  const std::uint8_t mask = group_mask(pending_.group);
  return (pending_.priority & mask) < (running_ & mask);
}

void CpuInterface::set_highest_pending(const HighestPending& pending) {
  if (pending == pending_) return;
  pending_ = pending;
  update_lines();
}

void CpuInterface::active_changed() {
  running_ = std::min({active_[0].highest(), active_[1].highest(), active_[2].highest()});
}

// Group 0 and Secure Group 1 are FIQs to a PE in Non-secure state; Group 1 is an IRQ
// (IHI 0069 4.6.2).
void CpuInterface::update_lines() {
  const bool signal = can_preempt();
  lines_.irq.set(signal && pending_.group == Group::g1);
  lines_.fiq.set(signal && pending_.group != Group::g1);
}

// ---- ICC_*_EL1 ----

std::uint32_t CpuInterface::visible_pending(const Call& call) const {
  if (pending_.intid == gic::kSpurious || !group_enabled(pending_.group)) return gic::kSpurious;
  if (pending_.group != group_of(call)) return gic::kSpurious;
  if (pending_.group == Group::g0 && restricted(call)) return gic::kSpurious;
  return pending_.intid;
}

std::uint64_t CpuInterface::read_iar(const Call& call) {
  const std::uint32_t intid = can_preempt() ? visible_pending(call) : gic::kSpurious;
  if (gic::is_special(intid)) return intid;
  const Group group = pending_.group;
  active(group).activate(pending_.priority & group_mask(group));
  active_changed();
  core_.emit(EventKind::interrupt_ack, cpu_, intid, 0);
  core_.acknowledge(cpu_, intid);
  update_lines();
  return intid;
}

std::uint64_t CpuInterface::read_hppir(const Call& call) {
  return visible_pending(call);
}

std::uint64_t CpuInterface::read_rpr(const Call& call) {
  return restricted(call) ? ns_priority(running_) : running_;
}

bool CpuInterface::highest_active_group(Group& group) const {
  if (running_ == gic::kIdlePriority) return false;
  unsigned n = 0;
  while (active_[n].highest() != running_) ++n;
  group = static_cast<Group>(n);
  return true;
}

// IHI 0069 4.7.1. A write that does not end the highest active priority of a group the caller owns
// is ignored.
void CpuInterface::write_eoir(const Call& call, std::uint64_t value) {
  const auto intid = static_cast<std::uint32_t>(value & 0xff'ffff);
  if (intid >= core_.intids()) return;
  Group group{};
  if (!highest_active_group(group) || group != group_of(call)) return;
  if (group == Group::g0 && restricted(call)) return;
  active(group).drop();
  active_changed();
  core_.emit(EventKind::interrupt_eoi, cpu_, intid, 0);
  const bool deactivates = !(ctlr_[call.secure ? 0 : 1] & kCtlrEoiMode);
  if (deactivates && (!restricted(call) || core_.group_of(cpu_, intid) == Group::g1)) {
    core_.deactivate(cpu_, intid);
  }
  update_lines();
}

void CpuInterface::write_dir(const Call& call, std::uint64_t value) {
  const auto intid = static_cast<std::uint32_t>(value & 0xff'ffff);
  if (intid >= core_.intids() || !(ctlr_[call.secure ? 0 : 1] & kCtlrEoiMode)) return;
  if (restricted(call) && core_.group_of(cpu_, intid) != Group::g1) return;
  core_.deactivate(cpu_, intid);
}

std::uint64_t CpuInterface::read_pmr(const Call& call) {
  return restricted(call) ? ns_priority(pmr_) : pmr_;
}

void CpuInterface::write_pmr(const Call& call, std::uint64_t value) {
  auto pmr = static_cast<std::uint8_t>(value);
  if (restricted(call)) {
    if (!(pmr_ & 0x80)) return;  // A Secure mask is out of reach.
    pmr = 0x80 | pmr >> 1;
  }
  pmr &= gic::priority_field_mask(core_.config().priority_bits);
  if (pmr == pmr_) return;
  pmr_ = pmr;
  update_lines();
}

std::uint64_t CpuInterface::read_bpr(const Call& call) {
  const Group group = group_of(call);
  if (group == Group::g0) return restricted(call) ? 0 : bpr_[0];
  if (!(ctlr_[call.secure ? 0 : 1] & kCtlrCbpr)) return bpr_[static_cast<unsigned>(group)];
  return call.secure ? bpr_[0] : std::min(bpr_[0] + 1, 7);
}

void CpuInterface::write_bpr(const Call& call, std::uint64_t value) {
  Group group = group_of(call);
  if (group == Group::g0 && restricted(call)) return;
  if (group != Group::g0 && (ctlr_[call.secure ? 0 : 1] & kCtlrCbpr)) {
    if (!call.secure) return;
    group = Group::g0;
  }
  const auto bpr = static_cast<std::uint8_t>(value & 7);
  bpr_[static_cast<unsigned>(group)] = std::max(bpr, minimum_bpr(group));
  update_lines();
}

std::uint64_t CpuInterface::read_apr(const Call& call) {
  const Group group = group_of({.secure = call.secure, .n = call.n >> 2});
  if (group == Group::g0 && restricted(call)) return 0;
  return active(group).word(call.n & 3);
}

void CpuInterface::write_apr(const Call& call, std::uint64_t value) {
  const Group group = group_of({.secure = call.secure, .n = call.n >> 2});
  if (group == Group::g0 && restricted(call)) return;
  active(group).set_word(call.n & 3, static_cast<std::uint32_t>(value));
  active_changed();
  update_lines();
}

// A3V, 24-bit INTIDs, PRIbits.
std::uint64_t CpuInterface::read_ctlr(const Call& call) {
  return 1u << 15 | 1u << 11 | (core_.config().priority_bits - 1) << 8 | ctlr_[call.secure ? 0 : 1];
}

// CBPR is EL3's to set where there are two Security states.
void CpuInterface::write_ctlr(const Call& call, std::uint64_t value) {
  const std::uint8_t writable = one_state() ? kCtlrCbpr | kCtlrEoiMode : kCtlrEoiMode;
  std::uint8_t& ctlr = ctlr_[call.secure ? 0 : 1];
  ctlr = static_cast<std::uint8_t>((ctlr & ~writable) | (value & writable));
  update_lines();
}

std::uint64_t CpuInterface::read_igrpen(const Call& call) {
  const Group group = group_of(call);
  return !(group == Group::g0 && restricted(call)) && group_enabled(group);
}

void CpuInterface::write_igrpen(const Call& call, std::uint64_t value) {
  const Group group = group_of(call);
  if (group == Group::g0 && restricted(call)) return;
  bool& enabled = enabled_[static_cast<unsigned>(group)];
  const bool enable = value & 1;
  if (enabled == enable) return;
  enabled = enable;
  if (core_.config().one_of_n) core_.participation_changed(cpu_);
  update_lines();
}

// ICC_SGI1R_EL1 (n 5) is for Group 1 of the caller's state, ICC_ASGI1R_EL1 (6) for that of the
// other one, ICC_SGI0R_EL1 (7) for Group 0 (IHI 0069 12.2.18).
void CpuInterface::write_sgi(const Call& call, std::uint64_t value) {
  SgiRequest request;
  request.secure = call.secure;
  if (call.n == 7) {
    request.group = Group::g0;
  } else {
    request.group = (call.n == 5) == call.secure ? Group::g1_secure : Group::g1;
  }
  request.intid = static_cast<std::uint32_t>(bits(value, 27, 24));
  request.all_others = bit(value, 40);
  request.cluster = static_cast<std::uint32_t>(bits(value, 55, 48) << 16 |
                                               bits(value, 39, 32) << 8 | bits(value, 23, 16));
  request.targets = static_cast<std::uint16_t>(bits(value, 15, 0));
  core_.send_sgi(cpu_, request);
}

std::uint64_t CpuInterface::read_sre_el1(const Call&) {
  return sre_el1_;
}
std::uint64_t CpuInterface::read_sre_el2(const Call&) {
  return sre_el2_;
}

// ICC_SRE_EL1.SRE is RES0 in effect while ICC_SRE_EL2.SRE is 0 (IHI 0069 12.2.24).
void CpuInterface::write_sre_el1(const Call&, std::uint64_t value) {
  if (!core_.config().programmable_sre) return;
  const bool permitted = !core_.config().virtualization || (sre_el2_ & kSre);
  sre_el1_ = static_cast<std::uint8_t>(kSreBypass | (permitted ? value & kSre : 0));
}

void CpuInterface::write_sre_el2(const Call&, std::uint64_t value) {
  if (!core_.config().programmable_sre) return;
  sre_el2_ = static_cast<std::uint8_t>(kSreBypass | (value & (kSre | kSreEnable)));
  if (!(sre_el2_ & kSre)) sre_el1_ &= static_cast<std::uint8_t>(~kSre);
}

}  // namespace trapline::gicv3
