#include "models/gic/gicv2_cpu_interface.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <bit>

namespace trapline {
namespace {

// GICC_CTLR as a GIC without Security Extensions, or a Secure access, sees it (IHI 0048B 4.4.1).
constexpr std::uint32_t kEnableGrp1 = 1u << 1;
constexpr std::uint32_t kAckCtl = 1u << 2;
constexpr std::uint32_t kFiqEn = 1u << 3;
constexpr std::uint32_t kCbpr = 1u << 4;
constexpr std::uint32_t kEoiMode = 1u << 9;
constexpr std::uint32_t kEoiModeNs = 1u << 10;
// The bypass bits are IMPLEMENTATION DEFINED and absent.
constexpr std::uint32_t kCtlrBits = 0x21f;

constexpr std::uint32_t kIdMask = 0x3ff;
constexpr std::uint32_t kGroup1Pending = 1022;
constexpr std::uint32_t kArmGicV2 = 0x0002'043b;  // Architecture 2, implementer Arm.

enum Register : unsigned {
  kCtlr = 0x00,
  kPmr = 0x04,
  kBpr = 0x08,
  kIar = 0x0c,
  kEoir = 0x10,
  kRpr = 0x14,
  kHppir = 0x18,
  kAbpr = 0x1c,
  kAiar = 0x20,
  kAeoir = 0x24,
  kAhppir = 0x28,
  kApr = 0xd0,
  kNsApr = 0xe0,
  kIidr = 0xfc,
  kDir = 0x1000,
};

unsigned source_of(std::uint32_t value) {
  return (value >> 10) & 7;
}

}  // namespace

GicV2CpuInterface::GicV2CpuInterface(const GicV2CpuInterfaceConfig& config,
                                     GicV2InterruptSource& source, Line& irq, Line& fiq, Sink* sink)
    : config_(config),
      source_(source),
      irq_(irq),
      fiq_(fiq),
      sink_(sink),
      // With n priority bits the finest group priority is n bits, seven at most (IHI 0048B 3.3.3).
      min_bpr_(config.priority_bits >= 7 ? 0 : 7 - config.priority_bits),
      priority_mask_(static_cast<std::uint8_t>(0xff << (8 - config.priority_bits))) {
  reset();
}

void GicV2CpuInterface::reset() {
  ctlr_ = 0;
  pmr_ = config_.boots_nonsecure && config_.security_extensions ? 0x80 : 0;
  bpr_ = static_cast<std::uint8_t>(min_bpr_);
  abpr_ = static_cast<std::uint8_t>(min_bpr_ + 1);
  apr_.fill(0);
  nsapr_.fill(0);
}

// IHI 0048B 3.3.3: the binary point says how many low bits do not take part in preemption. Group 1
// uses the aliased (Non-secure) binary point, which counts one bit less, unless CBPR joins them.
unsigned GicV2CpuInterface::group_priority(const GicV2Pending& pending) const {
  const unsigned point = pending.group1 && !(ctlr_ & kCbpr) ? abpr_ - 1u : bpr_;
  return pending.priority & (0xff00u >> (7 - point)) & 0xff;
}

unsigned GicV2CpuInterface::running_priority() const {
  for (unsigned n = 0; n < kAprs; ++n) {
    const std::uint32_t levels = apr_[n] | nsapr_[n];
    if (levels) return (n * 32 + std::countr_zero(levels)) << (min_bpr_ + 1);
  }
  return kIdle;
}

bool GicV2CpuInterface::can_be_signalled() const {
  return best_.exists() && best_.priority < pmr_ && group_priority(best_) < running_priority();
}

void GicV2CpuInterface::present(const GicV2Pending& best) {
  best_ = best;
  const bool signalled = can_be_signalled();
  const bool fiq = signalled && !best_.group1 && (ctlr_ & kFiqEn);
  irq_.set(signalled && !fiq);
  fiq_.set(fiq);
}

// IHI 0048B 3.2 "Special interrupt numbers": 1022 tells the full view of a group 1 interrupt that
// AckCtl keeps from it, 1023 that there is nothing for this view.
std::uint32_t GicV2CpuInterface::visible_id(View view) const {
  if (!best_.exists()) return GicV2Pending::kNone;
  if (view == View::group1 && !best_.group1) return GicV2Pending::kNone;
  if (view == View::full && best_.group1 && !(ctlr_ & kAckCtl)) return kGroup1Pending;
  return best_.intid | std::uint32_t{best_.source_cpu} << 10;
}

std::uint32_t GicV2CpuInterface::acknowledge(View view) {
  if (!can_be_signalled()) return GicV2Pending::kNone;
  const std::uint32_t id = visible_id(view);
  if ((id & kIdMask) >= kGroup1Pending) return id;

  const unsigned level = group_priority(best_) >> (min_bpr_ + 1);
  auto& active = best_.group1 && !config_.is_virtual ? nsapr_ : apr_;
  active[level / 32] |= 1u << (level % 32);
  source_.acknowledge(best_);
  emit(EventKind::interrupt_ack, id & kIdMask);
  source_.refresh();
  return id;
}

bool GicV2CpuInterface::drop_priority(bool group1) {
  auto& active = group1 && !config_.is_virtual ? nsapr_ : apr_;
  for (std::uint32_t& levels : active) {
    if (levels) {
      levels &= levels - 1;
      return true;
    }
  }
  return false;
}

bool GicV2CpuInterface::eoi_split(bool by_nonsecure_bit) const {
  return ctlr_ & (by_nonsecure_bit && config_.security_extensions ? kEoiModeNs : kEoiMode);
}

// IHI 0048B 4.4.5 and 5.5.5. A write that names a special or unimplemented INTID is ignored.
void GicV2CpuInterface::end_of_interrupt(std::uint32_t value, View view) {
  const unsigned intid = value & kIdMask;
  if (intid >= config_.intid_limit) return;
  const bool split = eoi_split(view == View::group1);
  if (config_.is_virtual) {
    drop(intid, source_of(value), false, split);
    return;
  }
  if (running_priority() == kIdle) return;
  const bool group1 = source_.is_group1(intid);
  if (view == View::group1 && !group1) {
    spdlog::debug("GICC: group 1 end of group 0 interrupt {} ignored", intid);
    return;
  }
  drop(intid, source_of(value), group1, split);
}

void GicV2CpuInterface::drop(unsigned intid, unsigned source_cpu, bool group1, bool split) {
  const bool dropped = drop_priority(group1);
  if (!split) {
    const bool found = source_.deactivate(intid, source_cpu);
    if (!found && dropped) source_.completion_not_found();
  }
  emit(EventKind::interrupt_eoi, intid);
  source_.refresh();
}

// IHI 0048B 4.4.15 and 5.5.10. UNPREDICTABLE while EOImode is 0: ignored.
void GicV2CpuInterface::deactivate(std::uint32_t value, bool nonsecure) {
  const unsigned intid = value & kIdMask;
  if (intid >= config_.intid_limit) return;
  if (!eoi_split(nonsecure)) {
    spdlog::debug("{}: DIR write of {} with EOImode 0 ignored",
                  config_.is_virtual ? "GICV" : "GICC", intid);
    return;
  }
  if (nonsecure && !source_.is_group1(intid)) return;
  if (!source_.deactivate(intid, source_of(value))) source_.completion_not_found();
  source_.refresh();
}

std::uint32_t GicV2CpuInterface::read_ctlr(bool nonsecure) const {
  // The Non-secure copy has EnableGrp1 in bit 0 and EOImodeNS in bit 9 (IHI 0048B 4.4.1).
  return nonsecure ? (ctlr_ & (kEnableGrp1 | kEoiModeNs)) >> 1 : ctlr_;
}

void GicV2CpuInterface::write_ctlr(bool nonsecure, std::uint32_t value) {
  if (nonsecure) {
    constexpr std::uint32_t kBits = kEnableGrp1 | kEoiModeNs;
    ctlr_ = (ctlr_ & ~kBits) | ((value << 1) & kBits);
  } else {
    ctlr_ = value & (kCtlrBits | (config_.security_extensions ? kEoiModeNs : 0));
  }
}

// IHI 0048B 3.5 "Non-secure view of priority": the upper half of the range, shifted up by one.
std::uint32_t GicV2CpuInterface::read_pmr(bool nonsecure) const {
  if (!nonsecure) return pmr_;
  return pmr_ & 0x80 ? (pmr_ << 1) & 0xff : 0;
}

void GicV2CpuInterface::write_pmr(bool nonsecure, std::uint32_t value) {
  if (nonsecure) {
    if (!(pmr_ & 0x80)) return;
    value = 0x80 | (value & 0xff) >> 1;
  }
  pmr_ = static_cast<std::uint8_t>(value & priority_mask_);
}

std::uint32_t GicV2CpuInterface::read_bpr(bool nonsecure) const {
  if (!nonsecure) return bpr_;
  return ctlr_ & kCbpr ? std::min(bpr_ + 1u, 7u) : abpr_;
}

void GicV2CpuInterface::write_bpr(bool nonsecure, std::uint32_t value) {
  if (!nonsecure) {
    bpr_ = static_cast<std::uint8_t>(std::max(value & 7, min_bpr_));
  } else if (!(ctlr_ & kCbpr)) {
    abpr_ = static_cast<std::uint8_t>(std::max(value & 7, min_bpr_ + 1));
  }
}

std::uint32_t GicV2CpuInterface::read_rpr(bool nonsecure) const {
  const unsigned running = running_priority();
  if (running == kIdle) return 0xff;
  if (!nonsecure) return running;
  return running & 0x80 ? (running << 1) & 0xff : 0;
}

// A Non-secure APR<n> is the half of the NSAPRs that stands for the Non-secure priorities (IHI
// 0048B 4.4.12), which is half a word where there are no more than 32 preemption levels.
GicV2CpuInterface::ActivePriorities GicV2CpuInterface::active_priorities(unsigned offset,
                                                                         bool nonsecure) {
  const bool nsapr = offset >= kNsApr;
  const unsigned n = (offset & 0xf) / 4;
  if (config_.is_virtual) return {nsapr || n != 0 ? nullptr : &apr_[0]};
  const unsigned levels = 1u << (7 - min_bpr_);
  const unsigned registers = std::max(levels / 32, 1u);
  if (!nonsecure) return {n >= registers ? nullptr : nsapr ? &nsapr_[n] : &apr_[n]};
  if (nsapr) return {};
  if (registers >= 2) return {n >= registers / 2 ? nullptr : &nsapr_[n + registers / 2]};
  return {n != 0 ? nullptr : &nsapr_[0], levels / 2, (1u << (levels / 2)) - 1};
}

bool GicV2CpuInterface::read(unsigned offset, bool nonsecure, std::uint32_t& value) {
  const View view = nonsecure ? View::group1 : View::full;
  value = 0;
  switch (offset) {
    case kCtlr:
      value = read_ctlr(nonsecure);
      return true;
    case kPmr:
      value = read_pmr(nonsecure);
      return true;
    case kBpr:
      value = read_bpr(nonsecure);
      return true;
    case kIar:
      value = acknowledge(view);
      return true;
    case kRpr:
      value = read_rpr(nonsecure);
      return true;
    case kHppir:
      value = visible_id(view);
      return true;
    case kIidr:
      value = kArmGicV2;
      return true;
    case kEoir:
    case kAeoir:
    case kDir:
      return true;  // Write-only.
    default:
      break;
  }
  if (offset >= kApr && offset < kNsApr + 0x10) {
    const ActivePriorities levels = active_priorities(offset, nonsecure);
    if (levels.word) value = *levels.word >> levels.shift & levels.mask;
    return true;
  }
  if (offset < kAbpr || offset > kAhppir) return false;
  // The aliased registers are RAZ/WI to Non-secure accesses (IHI 0048B 4.4.8 to 4.4.11).
  if (nonsecure || offset == kAeoir) return true;
  if (offset == kAbpr) value = abpr_;
  if (offset == kAiar) value = acknowledge(View::group1);
  if (offset == kAhppir) value = visible_id(View::group1);
  return true;
}

bool GicV2CpuInterface::write(unsigned offset, bool nonsecure, std::uint32_t value) {
  const View view = nonsecure ? View::group1 : View::full;
  switch (offset) {
    case kCtlr:
      write_ctlr(nonsecure, value);
      break;
    case kPmr:
      write_pmr(nonsecure, value);
      break;
    case kBpr:
      write_bpr(nonsecure, value);
      break;
    case kEoir:
      end_of_interrupt(value, view);
      return true;
    case kDir:
      deactivate(value, nonsecure);
      return true;
    case kAbpr:
      if (!nonsecure) abpr_ = static_cast<std::uint8_t>(std::max(value & 7, min_bpr_ + 1));
      break;
    case kAeoir:
      if (!nonsecure) end_of_interrupt(value, View::group1);
      return true;
    case kIar:
    case kRpr:
    case kHppir:
    case kAiar:
    case kAhppir:
    case kIidr:
      return true;  // Read-only.
    default: {
      if (offset < kApr || offset >= kNsApr + 0x10) return false;
      const ActivePriorities levels = active_priorities(offset, nonsecure);
      if (!levels.word) return true;
      *levels.word &= ~(levels.mask << levels.shift);
      *levels.word |= (value & levels.mask) << levels.shift;
      break;
    }
  }
  source_.refresh();
  return true;
}

// IHI 0048B 5.3.3: VMCR shows the virtual machine's view of its interface to the hypervisor.
std::uint32_t GicV2CpuInterface::vmcr() const {
  return (ctlr_ & kCtlrBits) | std::uint32_t{abpr_} << 18 | std::uint32_t{bpr_} << 21 |
         std::uint32_t{pmr_} >> 3 << 27;
}

void GicV2CpuInterface::set_vmcr(std::uint32_t value) {
  ctlr_ = value & kCtlrBits;
  abpr_ = static_cast<std::uint8_t>(std::max(value >> 18 & 7, min_bpr_ + 1));
  bpr_ = static_cast<std::uint8_t>(std::max(value >> 21 & 7, min_bpr_));
  pmr_ = static_cast<std::uint8_t>((value >> 27) << 3 & priority_mask_);
}

void GicV2CpuInterface::emit(EventKind kind, unsigned intid) {
  if (!sink_) return;
  Event event;
  event.kind = kind;
  event.cpu = static_cast<std::uint8_t>(config_.cpu);
  event.a = intid;
  event.b = config_.is_virtual;
  sink_->on_event(event);
}

bool GicV2WordFrame::accepts(const Access& access) const {
  return access.cpu < cpus_ && access.offset % access.size == 0 &&
         access.offset + access.size <= size_;
}

void GicV2WordFrame::name_unknown(const Access& access, unsigned offset, const char* verb) {
  if (named_.test(offset / 4)) return;
  named_.set(offset / 4);
  spdlog::warn("{}: CPU {} {} unimplemented register {:#x}", name_, access.cpu, verb, offset);
}

BusStatus GicV2WordFrame::read(const Access& access, std::uint64_t& value) {
  if (!accepts(access)) return BusStatus::error;
  value = 0;
  for (unsigned done = 0; done < access.size; done += 4) {
    const unsigned offset = static_cast<unsigned>(access.offset) + done;
    std::uint32_t word = 0;
    if (offset % 4 != 0 || !read_word(access.cpu, offset, access.secure, word)) {
      name_unknown(access, offset, "reads");
    }
    value |= std::uint64_t{word} << (8 * done);
  }
  if (access.size < 4) value &= (1u << (8 * access.size)) - 1;
  return BusStatus::ok;
}

BusStatus GicV2WordFrame::write(const Access& access, std::uint64_t value) {
  if (!accepts(access)) return BusStatus::error;
  for (unsigned done = 0; done < access.size; done += 4) {
    const unsigned offset = static_cast<unsigned>(access.offset) + done;
    const auto word = static_cast<std::uint32_t>(value >> (8 * done));
    if (offset % 4 != 0 || !write_word(access.cpu, offset, access.secure, word)) {
      name_unknown(access, offset, "writes");
    }
  }
  return BusStatus::ok;
}

GicV2CpuFrame::GicV2CpuFrame(std::string name, gic::Frame frame,
                             std::vector<GicV2CpuInterface*> interfaces,
                             std::vector<GicV2InterruptSource*> sources, bool security_extensions)
    : GicV2WordFrame(std::move(name), frame, static_cast<unsigned>(interfaces.size()), kSize),
      interfaces_(std::move(interfaces)),
      sources_(std::move(sources)),
      security_extensions_(security_extensions) {}

void GicV2CpuFrame::reset() {
  for (GicV2CpuInterface* interface : interfaces_) interface->reset();
  for (GicV2InterruptSource* source : sources_) source->refresh();
}

bool GicV2CpuFrame::read_word(unsigned cpu, unsigned offset, bool secure, std::uint32_t& value) {
  return interfaces_[cpu]->read(offset, security_extensions_ && !secure, value);
}

bool GicV2CpuFrame::write_word(unsigned cpu, unsigned offset, bool secure, std::uint32_t value) {
  return interfaces_[cpu]->write(offset, security_extensions_ && !secure, value);
}

}  // namespace trapline
