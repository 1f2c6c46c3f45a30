#include "models/gic/gicv3_bank.h"

namespace trapline::gicv3 {

namespace {

/// NSACR value from which a Non-secure access reaches a Secure interrupt's bit (IHI 0069 12.9.22);
/// 4 where no value permits it.
unsigned needed_ns_access(BitRegister reg, bool write) {
  switch (reg) {
    case BitRegister::ispendr:
      return 1;
    case BitRegister::icpendr:
      return 2;
    case BitRegister::isactiver:
    case BitRegister::icactiver:
      return write ? 4 : 2;
    default:
      return 4;
  }
}

}  // namespace

InterruptBank::InterruptBank(std::uint32_t edge, std::uint32_t configurable,
                             std::uint8_t priority_mask)
    : reset_edge_(edge), configurable_(configurable), priority_mask_(priority_mask), edge_(edge) {}

void InterruptBank::reset() {
  const std::uint32_t level = level_;
  *this = InterruptBank(reset_edge_, configurable_, priority_mask_);
  level_ = level;
}

std::uint32_t InterruptBank::accessible(const View& view, unsigned needed) const {
  if (view.sees_all()) return ~0u;
  std::uint32_t mask = group_;
  if (view.nsacr_applies && needed <= 3) {
    for (unsigned n = 0; n < 32; ++n) mask |= std::uint32_t{ns_access(n) >= needed} << n;
  }
  return mask;
}

std::uint32_t InterruptBank::read_bits(BitRegister reg, const View& view) const {
  const std::uint32_t mask = accessible(view, needed_ns_access(reg, false));
  switch (reg) {
    case BitRegister::igroupr:
      return view.sees_all() ? group_ : 0;
    case BitRegister::igrpmodr:
      return view.secure && !view.single_state ? group_modifier_ : 0;
    case BitRegister::isenabler:
    case BitRegister::icenabler:
      return enabled_ & mask;
    case BitRegister::ispendr:
    case BitRegister::icpendr:
      return pending() & mask;
    case BitRegister::isactiver:
    case BitRegister::icactiver:
      return active_ & mask;
  }
  return 0;
}

void InterruptBank::write_bits(BitRegister reg, std::uint32_t value, const View& view) {
  const std::uint32_t permitted = value & accessible(view, needed_ns_access(reg, true));
  switch (reg) {
    case BitRegister::igroupr:
      if (view.sees_all()) group_ = value;
      break;
    case BitRegister::igrpmodr:
      if (view.secure && !view.single_state) group_modifier_ = value;
      break;
    case BitRegister::isenabler:
      enabled_ |= permitted;
      break;
    case BitRegister::icenabler:
      enabled_ &= ~permitted;
      break;
    case BitRegister::ispendr:
      latched_ |= permitted;
      break;
    case BitRegister::icpendr:
      latched_ &= ~permitted;
      break;
    case BitRegister::isactiver:
      active_ |= permitted;
      break;
    case BitRegister::icactiver:
      active_ &= ~permitted;
      break;
  }
}

// A Non-secure access sees the lower half of the priorities as a whole range (IHI 0069 4.8.1).
std::uint8_t InterruptBank::read_priority(unsigned n, const View& view) const {
  if (view.sees_all()) return priority_[n];
  return ns_visible(n) ? static_cast<std::uint8_t>(priority_[n] << 1) : 0;
}

void InterruptBank::write_priority(unsigned n, std::uint8_t value, const View& view) {
  if (view.sees_all()) {
    priority_[n] = value & priority_mask_;
  } else if (ns_visible(n)) {
    priority_[n] = (0x80 | value >> 1) & priority_mask_;
  }
}

std::uint32_t InterruptBank::read_icfgr(unsigned half, const View& view) const {
  return gic::to_odd_bits((edge_ & accessible(view, 4)) >> (half * 16));
}

void InterruptBank::write_icfgr(unsigned half, std::uint32_t value, const View& view) {
  const std::uint32_t mask = accessible(view, 4) & configurable_ & 0xffffu << (half * 16);
  edge_ = (edge_ & ~mask) | (gic::from_odd_bits(value) << (half * 16) & mask);
}

std::uint32_t InterruptBank::read_nsacr(unsigned half, const View& view) const {
  return view.secure && !view.single_state ? nsacr_[half] : 0;
}

void InterruptBank::write_nsacr(unsigned half, std::uint32_t value, const View& view) {
  if (view.secure && !view.single_state) nsacr_[half] = value;
}

void InterruptBank::set_level(unsigned n, bool level) {
  const std::uint32_t mask = 1u << n;
  if (level && !(level_ & mask)) latched_ |= mask & edge_;
  level_ = level ? level_ | mask : level_ & ~mask;
}

void InterruptBank::message(unsigned n, bool set) {
  const std::uint32_t mask = 1u << n;
  if (edge_ & mask) {
    latched_ = set ? latched_ | mask : latched_ & ~mask;
  } else {
    message_level_ = set ? message_level_ | mask : message_level_ & ~mask;
    if (!set) latched_ &= ~mask;
  }
}

void InterruptBank::acknowledge(unsigned n) {
  active_ |= 1u << n;
  latched_ &= ~(1u << n);
}

Group InterruptBank::group(unsigned n, bool single_state) const {
  if (group_ >> n & 1) return Group::g1;
  return !single_state && (group_modifier_ >> n & 1) ? Group::g1_secure : Group::g0;
}

std::uint32_t InterruptBank::refresh(const GroupEnables& enables) {
  const std::uint32_t modifier = enables.single_state ? 0 : group_modifier_;
  std::uint32_t permitted = 0;
  if (enables.g0) permitted |= ~group_ & ~modifier;
  if (enables.g1_secure) permitted |= ~group_ & modifier;
  if (enables.g1) permitted |= group_;
  const std::uint32_t ready = pending() & enabled_ & ~active_ & permitted;
  const std::uint32_t changed = ready ^ ready_;
  ready_ = ready;
  return changed;
}

}  // namespace trapline::gicv3
