#include "models/mpu/mpu.h"

#include <spdlog/spdlog.h>

#include <stdexcept>
#include <utility>

namespace trapline {
namespace {

// HCR_EL2.
constexpr unsigned kTid1 = 16, kTvm = 26, kTrvm = 30;

constexpr std::uint64_t kPrbarMask = MpuRegion::kAddressMask | 0x3f;  // SH, AP, XN.
constexpr std::uint64_t kPrlarMask = MpuRegion::kAddressMask | 0x1f;  // NS, AttrIndx, EN.

void check_map(const MpuDefaultMap& map) {
  bool good = !map.empty() && map.back().last == ~0ull;
  for (std::size_t i = 1; good && i < map.size(); ++i) good = map[i - 1].last < map[i].last;
  if (!good) {
    throw std::invalid_argument("the MPU's default map must ascend and end at 0xffffffffffffffff");
  }
}

}  // namespace

Mpu::Mpu(const MpuConfig& config, unsigned cpu, Sink* sink, Log log)
    : banks_{Bank(config.el1_regions), Bank(config.el2 ? config.el2_regions : 0)},
      el2_(config.el2),
      default_map_(config.default_map),
      cpu_(cpu),
      sink_(sink),
      log_(std::move(log)) {
  check_map(default_map_);
  if (!log_) {
    log_ = [](const std::string& message) { spdlog::warn("{}", message); };
  }
}

// DDI 0600 G1.3: op0 3, op1 0 for EL1 and 4 for EL2. PRBAR<n> has CRm 8 | n >> 1 and op2 (n & 1) <<
// 2, PRLAR<n> the op2 above it.
std::optional<Mpu::Register> Mpu::decode(SysReg reg) {
  if (reg.op0() != 3 || (reg.op1() != 0 && reg.op1() != 4)) return std::nullopt;
  const bool el2 = reg.op1() == 4;
  if (reg.crn() == 0) {
    if (reg.crm() != 0 || reg.op2() != 4) return std::nullopt;
    return Register{Kind::mpuir, el2, 0};
  }
  if (reg.crn() != 6) return std::nullopt;
  if (reg.crm() >= 8) {
    if ((reg.op2() & 2) != 0) return std::nullopt;
    const auto n = static_cast<std::uint8_t>((reg.crm() & 7) << 1 | reg.op2() >> 2);
    return Register{(reg.op2() & 1) != 0 ? Kind::prlar : Kind::prbar, el2, n};
  }
  if (reg.op2() != 1) return std::nullopt;
  if (reg.crm() == 1) return Register{Kind::prenr, el2, 0};
  if (reg.crm() == 2) return Register{Kind::prselr, el2, 0};
  return std::nullopt;
}

bool Mpu::owns(SysReg reg) const {
  const auto found = decode(reg);
  return found && (!found->el2 || el2_);
}

void Mpu::reset() {
  for (Bank& bank : banks_) {
    for (unsigned n = 0; n < bank.regions.count(); ++n) {
      note_change(bank, bank.regions[n]);
      bank.regions.set(n, {});
    }
    bank.prselr = 0;
  }
}

// TVM and TRVM trap the EL1 MPU's registers with the other virtual memory controls, and TID1 traps
// MPUIR_EL1 (DDI 0600 G1.3.3).
SysRegStatus Mpu::check(const Register& reg, const SysRegContext& context, bool is_write) const {
  if (context.el == El::el0 || (reg.kind == Kind::mpuir && is_write)) {
    return SysRegStatus::undefined;
  }
  if (context.el != El::el1) return SysRegStatus::ok;
  if (reg.el2 || (vmsa_at_el1_ && context.el2_present)) return SysRegStatus::undefined;
  const unsigned trap = reg.kind == Kind::mpuir ? kTid1 : is_write ? kTvm : kTrvm;
  return context.el2_present && bit(context.hcr_el2, trap) ? SysRegStatus::trap_el2
                                                           : SysRegStatus::ok;
}

// PRBAR and PRLAR reach region PRSELR.REGION, PRBAR<n> and PRLAR<n> PRSELR.REGION[7:4]:n. A region
// that does not exist is named once; UNKNOWN there reads as zero here.
std::optional<unsigned> Mpu::select(const Register& reg, SysReg encoding, bool is_write,
                                    std::uint64_t value) {
  Bank& bank = bank_of(reg);
  const unsigned region = reg.n == 0 ? bank.prselr : (bank.prselr & 0xf0u) | reg.n;
  if (region < bank.regions.count()) return region;
  if (wanted(EventKind::mpu_missing)) {
    Event event = event_of(EventKind::mpu_missing, reg, what_of(reg));
    event.a = region;
    event.b = value;
    event.d |= std::uint64_t{is_write} << 17;
    sink_->observe(event);
  }
  if (!bank.said[region]) {
    bank.said[region] = true;
    log_("mpu" + std::to_string(cpu_) + ": " + (is_write ? "write" : "read") + " of " + name_of(encoding) +
         " reaches region " + std::to_string(region) + ", MPUIR_EL" + (reg.el2 ? "2" : "1") +
         " has " + std::to_string(bank.regions.count()));
  }
  return std::nullopt;
}

SysRegStatus Mpu::read(SysReg reg, const SysRegContext& context, std::uint64_t& value) {
  const auto found = decode(reg);
  if (!found || (found->el2 && !el2_)) return SysRegStatus::undefined;
  const SysRegStatus status = check(*found, context, false);
  if (status != SysRegStatus::ok) return status;
  const Bank& bank = bank_of(*found);
  switch (found->kind) {
    case Kind::mpuir:
      value = bank.regions.count();
      break;
    case Kind::prenr:
      value = bank.regions.enables();
      break;
    case Kind::prselr:
      value = bank.prselr;
      break;
    case Kind::prbar:
    case Kind::prlar: {
      const auto region = select(*found, reg, false, 0);
      value = !region                      ? 0
              : found->kind == Kind::prbar ? bank.regions[*region].prbar
                                           : bank.regions[*region].prlar;
      if (region && wanted(EventKind::mpu_read)) {
        Event event = event_of(EventKind::mpu_read, *found, what_of(*found));
        event.a = *region;
        event.b = value;
        sink_->observe(event);
      }
      break;
    }
  }
  return SysRegStatus::ok;
}

SysRegStatus Mpu::write(SysReg reg, const SysRegContext& context, std::uint64_t value) {
  const auto found = decode(reg);
  if (!found || (found->el2 && !el2_)) return SysRegStatus::undefined;
  const SysRegStatus status = check(*found, context, true);
  if (status != SysRegStatus::ok) return status;
  switch (found->kind) {
    case Kind::mpuir:
      break;
    case Kind::prenr:
      write_enables(*found, static_cast<std::uint32_t>(value));
      break;
    case Kind::prselr:
      bank_of(*found).prselr = static_cast<std::uint8_t>(value);
      break;
    case Kind::prbar:
    case Kind::prlar:
      if (const auto region = select(*found, reg, true, value)) {
        write_region(*found, *region, value);
      }
      break;
  }
  return SysRegStatus::ok;
}

void Mpu::write_region(const Register& reg, unsigned n, std::uint64_t value) {
  Bank& bank = bank_of(reg);
  const MpuRegion before = bank.regions[n];
  MpuRegion after = before;
  const bool base = reg.kind == Kind::prbar;
  (base ? after.prbar : after.prlar) = value & (base ? kPrbarMask : kPrlarMask);
  if (after != before) {
    note_change(bank, before);
    bank.regions.set(n, after);
    note_change(bank, after);
  }
  report(reg, base ? MpuRegionWrite::prbar : MpuRegionWrite::prlar, n, after.prbar, after.prlar);
}

void Mpu::write_enables(const Register& reg, std::uint32_t enables) {
  Bank& bank = bank_of(reg);
  const std::uint32_t before = bank.regions.enables();
  // Twice: those that end are enabled before, those that begin after.
  for (int pass = 0; pass < 2; ++pass) {
    const std::uint32_t toggled = (before ^ enables) & (pass == 0 ? before : ~before);
    for (unsigned n = 0; n < bank.regions.count() && n < 32; ++n) {
      if (toggled >> n & 1) note_change(bank, bank.regions[n]);
    }
    if (pass == 0) bank.regions.set_enables(enables);
  }
  report(reg, MpuRegionWrite::prenr, 0, before, bank.regions.enables());
}

void Mpu::note_change(Bank& bank, const MpuRegion& region) {
  if (!region.enabled() || region.base() > region.limit()) return;
  ++generation_;
  if (bank.change_count == kMaxChanges) {
    bank.changes[0] = AddressRange{};
    bank.change_count = 1;
    return;
  }
  if (bank.change_count == 1 && bank.changes[0] == AddressRange{}) return;
  bank.changes[bank.change_count++] = {region.base(), region.limit()};
}

std::span<const AddressRange> Mpu::changes(El el) const {
  const Bank& bank = banks_[el == El::el2 ? 1 : 0];
  return {bank.changes.data(), bank.change_count};
}

void Mpu::clear_changes() {
  for (Bank& bank : banks_) bank.change_count = 0;
}

MpuRegionWrite Mpu::what_of(const Register& reg) {
  return reg.kind == Kind::prbar ? MpuRegionWrite::prbar : MpuRegionWrite::prlar;
}

Event Mpu::event_of(EventKind kind, const Register& reg, MpuRegionWrite what) const {
  Event event;
  event.kind = kind;
  event.cpu = static_cast<std::uint8_t>(cpu_);
  event.d =
      (reg.el2 ? 2u : 1u) | static_cast<std::uint64_t>(what) << 8 | std::uint64_t{reg.n != 0} << 16;
  return event;
}

void Mpu::report(const Register& reg, MpuRegionWrite what, std::uint64_t a, std::uint64_t b,
                 std::uint64_t c) {
  if (!sink_) return;
  Event event = event_of(EventKind::mpu_region, reg, what);
  event.a = a;
  event.b = b;
  event.c = c;
  sink_->on_event(event);
}

}  // namespace trapline
