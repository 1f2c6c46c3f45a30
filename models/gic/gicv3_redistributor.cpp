#include "models/gic/gicv3_redistributor.h"

#include <string>

namespace trapline::gicv3 {

namespace {

// Offsets in RD_base (IHI 0069 12.11).
constexpr std::uint32_t kCtlr = 0x00;
constexpr std::uint32_t kIidr = 0x04;
constexpr std::uint32_t kTyper = 0x08;
constexpr std::uint32_t kStatusr = 0x10;
constexpr std::uint32_t kWaker = 0x14;
constexpr std::uint32_t kPwrr = 0x24;
constexpr std::uint32_t kSetLpir = 0x40;
constexpr std::uint32_t kClrLpir = 0x48;
constexpr std::uint32_t kPropbaser = 0x70;
constexpr std::uint32_t kPendbaser = 0x78;
constexpr std::uint32_t kInvLpir = 0xa0;
constexpr std::uint32_t kInvAllr = 0xb0;
constexpr std::uint32_t kSyncr = 0xc0;
constexpr std::uint32_t kIdregs = 0xffd0;
// SGI_base is the second 64 KiB of the pair.
constexpr std::uint32_t kSgiBase = 0x10000;
constexpr std::uint32_t kIgroupr0 = 0x080;
constexpr std::uint32_t kIpriorityr = 0x400;
constexpr std::uint32_t kIcfgr0 = 0xc00;
constexpr std::uint32_t kIcfgr1 = 0xc04;
constexpr std::uint32_t kIgrpmodr0 = 0xd00;
constexpr std::uint32_t kNsacr = 0xe00;

constexpr std::uint32_t kStride = 0x20000;
constexpr std::uint32_t kDpgShift = 24;  // DPG0, DPG1NS, DPG1S
constexpr std::uint32_t kDpgMask = 7u << kDpgShift;

bool is_bit_register(std::uint32_t offset) {
  return (offset >= kIgroupr0 && offset < kIpriorityr && offset % 0x80 == 0) ||
         offset == kIgrpmodr0;
}

}  // namespace

// SGIs are always edge-triggered; PPIs reset to level-sensitive and can be changed.
Redistributor::Redistributor(Core& core, unsigned cpu)
    : core_(core),
      cpu_(cpu),
      log_("gicv3-redistributor " + std::to_string(cpu)),
      bank_(0x0000ffff, 0xffff0000,
            gic::priority_field_mask(core.config().distributor_priority_bits)) {}

void Redistributor::power_on() {
  bank_.reset();
  ctlr_ = 0;
  waker_ = kProcessorSleep | kChildrenAsleep;
  pwrr_ = 0;
  propbaser_ = 0;
  pendbaser_ = 0;
}

View Redistributor::view_of(const Access& access) const {
  return {.secure = access.secure, .single_state = core_.single_state(), .nsacr_applies = false};
}

bool Redistributor::declines(Group group) const {
  switch (group) {
    case Group::g0:
      return ctlr_ >> kDpgShift & 1;
    case Group::g1:
      return ctlr_ >> kDpgShift & 2;
    case Group::g1_secure:
      return ctlr_ >> kDpgShift & 4;
  }
  return false;
}

// IHI 0069 12.11.33. CommonLPIAff says "same Aff3", as QEMU does; there are no LPIs.
std::uint64_t Redistributor::typer() const {
  std::uint64_t typer = std::uint64_t{core_.affinity(cpu_)} << 32 | 1u << 24 | cpu_ << 8;
  if (cpu_ + 1 == core_.cpus()) typer |= 1u << 4;  // Last
  if (core_.config().one_of_n) typer |= 1u << 5;   // DPGS
  return typer;
}

std::uint64_t* Redistributor::table_base(std::uint32_t offset) {
  return (offset & ~4u) == kPropbaser   ? &propbaser_
         : (offset & ~4u) == kPendbaser ? &pendbaser_
                                        : nullptr;
}

std::uint32_t Redistributor::read_word(std::uint32_t offset, const Access& access) {
  if (offset >= kSgiBase) return read_sgi_frame(offset - kSgiBase, access);
  if (offset >= kIdregs) return gic::identification(offset, 0x93, 3);
  if (const std::uint64_t* table = table_base(offset)) {
    return static_cast<std::uint32_t>(offset & 4 ? *table >> 32 : *table);
  }
  switch (offset) {
    case kCtlr:
      return ctlr_;
    case kIidr:
      return 0x43b;
    case kTyper:
      return static_cast<std::uint32_t>(typer());
    case kTyper + 4:
      return static_cast<std::uint32_t>(typer() >> 32);
    case kWaker:
      return waker_;
    case kStatusr:
    case kSyncr:
      return 0;
    case kPwrr:
      if (core_.config().power_register) return pwrr_;
      break;
    default:
      break;
  }
  log_.reserved(false, offset);
  return 0;
}

std::uint32_t Redistributor::read_sgi_frame(std::uint32_t offset, const Access& access) {
  const View view = view_of(access);
  if (is_bit_register(offset)) return bank_.read_bits(static_cast<BitRegister>(offset >> 7), view);
  if (offset >= kIpriorityr && offset < kIpriorityr + 32) {
    std::uint32_t word = 0;
    for (unsigned n = 0; n < 4; ++n) {
      word |= std::uint32_t{bank_.read_priority(offset - kIpriorityr + n, view)} << (8 * n);
    }
    return word;
  }
  if (offset == kIcfgr0 || offset == kIcfgr1) return bank_.read_icfgr(offset == kIcfgr1, view);
  if (offset == kNsacr) return bank_.read_nsacr(0, view);
  log_.reserved(false, kSgiBase + offset);
  return 0;
}

void Redistributor::write_word(std::uint32_t offset, std::uint32_t value, const Access& access) {
  if (offset >= kSgiBase) {
    write_sgi_frame(offset - kSgiBase, value, access);
    return;
  }
  if (std::uint64_t* table = table_base(offset)) {
    const std::uint64_t wide = value;
    *table = offset & 4 ? (*table & 0xffff'ffff) | wide << 32 : (*table & ~0xffff'ffffull) | wide;
    return;
  }
  switch (offset) {
    case kCtlr:
      if (!core_.config().one_of_n) break;  // No LPIs, no DPG: no writable bit.
      ctlr_ = value & kDpgMask;
      core_.participation_changed(cpu_);
      break;
    case kWaker:
      // The interface quiesces and wakes at once, so ChildrenAsleep follows ProcessorSleep.
      waker_ = value & kProcessorSleep ? kProcessorSleep | kChildrenAsleep : 0;
      core_.participation_changed(cpu_);
      break;
    case kPwrr:
      if (!core_.config().power_register) {
        log_.reserved(true, offset);
        break;
      }
      // RDPD asks for power-down; RDGPD (bit 2) and RDGPO (bit 3) show that the group followed.
      pwrr_ = (value & 3) | (value & 1 ? 0xcu : 0);
      break;
    case kStatusr:
    case kSetLpir:
    case kClrLpir:
    case kInvLpir:
    case kInvAllr:
      break;  // RAZ/WI without LPIs.
    case kIidr:
    case kTyper:
    case kTyper + 4:
    case kSyncr:
      log_.ignored("the register is read-only", true, offset);
      break;
    default:
      if (offset >= kIdregs) {
        log_.ignored("identification registers are read-only", true, offset);
      } else {
        log_.reserved(true, offset);
      }
  }
}

void Redistributor::write_sgi_frame(std::uint32_t offset, std::uint32_t value,
                                    const Access& access) {
  const View view = view_of(access);
  if (is_bit_register(offset)) {
    const auto reg = static_cast<BitRegister>(offset >> 7);
    bank_.write_bits(reg, value, view);
    core_.private_changed(cpu_, reg == BitRegister::igroupr || reg == BitRegister::igrpmodr);
  } else if (offset >= kIpriorityr && offset < kIpriorityr + 32) {
    for (unsigned n = 0; n < 4; ++n) {
      bank_.write_priority(offset - kIpriorityr + n, static_cast<std::uint8_t>(value >> (8 * n)),
                           view);
    }
    core_.private_changed(cpu_, true);
  } else if (offset == kIcfgr0 || offset == kIcfgr1) {
    bank_.write_icfgr(offset == kIcfgr1, value, view);
    core_.private_changed(cpu_);
  } else if (offset == kNsacr) {
    bank_.write_nsacr(0, value, view);
  } else {
    log_.reserved(true, kSgiBase + offset);
  }
}

bool Redistributor::write_byte(std::uint32_t offset, std::uint8_t value, const Access& access) {
  const std::uint32_t first = kSgiBase + kIpriorityr;
  if (offset < first || offset >= first + 32) return false;
  bank_.write_priority(offset - first, value, view_of(access));
  core_.private_changed(cpu_, true);
  return true;
}

void RedistributorWindow::reset() {
  for (unsigned cpu = 0; cpu < core_.cpus(); ++cpu) core_.redistributor(cpu).power_on();
  core_.everything_changed();
}

BusStatus RedistributorWindow::read(const Access& access, std::uint64_t& value) {
  value = gic::read_words(access, [&](PhysAddr offset) -> std::uint32_t {
    if (offset / kStride >= core_.cpus()) return 0;
    return core_.redistributor(static_cast<unsigned>(offset / kStride))
        .read_word(static_cast<std::uint32_t>(offset % kStride), access);
  });
  return BusStatus::ok;
}

BusStatus RedistributorWindow::write(const Access& access, std::uint64_t value) {
  const bool words = access.size >= 4 && access.offset % 4 == 0;
  const unsigned step = words ? 4 : 1;
  for (unsigned n = 0; n < access.size; n += step) {
    const PhysAddr offset = access.offset + n;
    if (offset / kStride >= core_.cpus()) break;
    Redistributor& target = core_.redistributor(static_cast<unsigned>(offset / kStride));
    const auto within = static_cast<std::uint32_t>(offset % kStride);
    if (words) {
      target.write_word(within, static_cast<std::uint32_t>(value >> (8 * n)), access);
    } else if (!target.write_byte(within, static_cast<std::uint8_t>(value >> (8 * n)), access)) {
      log_.ignored("the register takes no write of this width", true, access.offset);
      break;
    }
  }
  return BusStatus::ok;
}

}  // namespace trapline::gicv3
