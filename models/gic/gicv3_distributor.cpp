#include "models/gic/gicv3_distributor.h"

#include <algorithm>

#include "models/gic/gicv3_redistributor.h"

namespace trapline::gicv3 {

namespace {

// Offsets in the GICD frame (IHI 0069 12.9).
constexpr std::uint32_t kCtlr = 0x000;
constexpr std::uint32_t kTyper = 0x004;
constexpr std::uint32_t kIidr = 0x008;
constexpr std::uint32_t kTyper2 = 0x00c;
constexpr std::uint32_t kStatusr = 0x010;
constexpr std::uint32_t kSetSpiNsr = 0x040;
constexpr std::uint32_t kClrSpiNsr = 0x048;
constexpr std::uint32_t kSetSpiSr = 0x050;
constexpr std::uint32_t kClrSpiSr = 0x058;
constexpr std::uint32_t kIgroupr = 0x080;
constexpr std::uint32_t kIpriorityr = 0x400;
constexpr std::uint32_t kItargetsr = 0x800;
constexpr std::uint32_t kIcfgr = 0xc00;
constexpr std::uint32_t kIgrpmodr = 0xd00;
constexpr std::uint32_t kNsacr = 0xe00;
constexpr std::uint32_t kSgir = 0xf00;
constexpr std::uint32_t kCpendsgir = 0xf10;
constexpr std::uint32_t kSpendsgir = 0xf20;
constexpr std::uint32_t kIrouter = 0x6000;
constexpr std::uint32_t kIrouterEnd = 0x7fe0;
constexpr std::uint32_t kIdregs = 0xffd0;

constexpr std::uint64_t kRouterAffinity = 0xff'00ff'ffff;
constexpr std::uint64_t kRouterIrm = 1u << 31;

constexpr bool within(std::uint32_t offset, std::uint32_t first, std::uint32_t bytes) {
  return offset >= first && offset - first < bytes;
}

constexpr BitRegister bit_register(std::uint32_t offset) {
  return static_cast<BitRegister>(offset >> 7);
}

}  // namespace

Distributor::Distributor(Core& core)
    : core_(core),
      log_(name()),
      banks_(
          core.config().spis / 32,
          InterruptBank(0, ~0u, gic::priority_field_mask(core.config().distributor_priority_bits))),
      routers_(core.config().spis),
      legacy_targets_(core.config().spis),
      targets_(core.config().spis),
      sgi_sources_(core.cpus()) {}

void Distributor::reset() {
  power_on();
  core_.everything_changed();
}

void Distributor::power_on() {
  if (core_.config().two_security_states) {
    ctlr_ = kAre | kAreNs;
  } else {
    ctlr_ = core_.config().programmable_are ? kDs : kDs | kAre;
  }
  for (InterruptBank& bank : banks_) bank.reset();
  std::fill(routers_.begin(), routers_.end(), 0);
  std::fill(legacy_targets_.begin(), legacy_targets_.end(), std::uint8_t{0});
  for (auto& sources : sgi_sources_) sources.fill(0);
  for (std::uint32_t n = 0; n < core_.config().spis; ++n) route(gic::kPrivateIntids + n);
}

GroupEnables Distributor::group_enables() const {
  return {.single_state = single_state(),
          .g0 = (ctlr_ & kEnableGrp0) != 0,
          .g1_secure = (ctlr_ & kEnableGrp1S) != 0,
          .g1 = (ctlr_ & kEnableGrp1) != 0};
}

View Distributor::view_of(const Access& access) const {
  return {.secure = access.secure, .single_state = single_state(), .nsacr_applies = true};
}

// With affinity routing SGIs and PPIs are RAZ/WI here: they belong to GICR (IHI 0069 12.9.7).
InterruptBank* Distributor::bank_at(unsigned index, const Access& access) {
  if (index == 0) {
    if (affinity_routing() || access.cpu >= core_.cpus()) return nullptr;
    return &core_.redistributor(access.cpu).bank();
  }
  return index <= banks_.size() ? &banks_[index - 1] : nullptr;
}

void Distributor::bank_changed(unsigned index, const Access& access, bool reordered) {
  if (index == 0) {
    core_.private_changed(access.cpu, reordered);
  } else {
    core_.spis_changed(index - 1, reordered);
  }
}

bool Distributor::any_of_n(std::uint32_t intid) const {
  return core_.config().one_of_n && affinity_routing() &&
         (routers_[intid - gic::kPrivateIntids] & kRouterIrm);
}

void Distributor::route(std::uint32_t intid) {
  const std::uint32_t n = intid - gic::kPrivateIntids;
  if (!affinity_routing()) {
    // ITARGETSR is RAZ/WI on a uniprocessor, where everything goes to the one CPU.
    targets_[n] = core_.cpus() == 1 ? 1 : legacy_targets_[n];
  } else if (any_of_n(intid)) {
    targets_[n] = 0;
  } else {
    const std::uint64_t router = routers_[n];
    const unsigned cpu = core_.cpu_with_affinity(
        static_cast<std::uint32_t>(bits(router, 39, 32) << 24 | bits(router, 23, 0)));
    targets_[n] = cpu < core_.cpus() ? 1ull << cpu : 0;
  }
}

// ---- reads ----

BusStatus Distributor::read(const Access& access, std::uint64_t& value) {
  value = gic::read_words(access, [&](PhysAddr offset) {
    return read_word(static_cast<std::uint32_t>(offset), access);
  });
  return BusStatus::ok;
}

std::uint32_t Distributor::read_word(std::uint32_t offset, const Access& access) {
  const View view = view_of(access);
  if (offset < kIgroupr) return read_control(offset, view);
  if (offset < kIpriorityr || within(offset, kIgrpmodr, 0x80)) {
    const InterruptBank* bank = bank_at((offset & 0x7f) / 4, access);
    return bank ? bank->read_bits(bit_register(offset), view) : 0;
  }
  if (offset < kItargetsr) return read_priorities(offset - kIpriorityr, access);
  if (offset < kIcfgr) return read_targets(offset - kItargetsr, access);
  if (within(offset, kIcfgr, 0x100) || within(offset, kNsacr, 0x100)) {
    const InterruptBank* bank = bank_at((offset & 0xff) / 8, access);
    if (!bank) return 0;
    const unsigned half = offset / 4 & 1;
    return offset < kNsacr ? bank->read_icfgr(half, view) : bank->read_nsacr(half, view);
  }
  if (within(offset, kCpendsgir, 0x20)) return read_sgi_sources(offset & 0xc, access);
  if (within(offset, kIrouter, kIrouterEnd - kIrouter)) {
    const std::uint64_t router = read_router((offset - kIrouter) / 8, view);
    return static_cast<std::uint32_t>(offset & 4 ? router >> 32 : router);
  }
  if (offset >= kIdregs) return gic::identification(offset, 0x92, 3);
  if (offset == kSgir) {
    log_.ignored("GICD_SGIR is write-only", false, offset);
  } else {
    log_.reserved(false, offset);
  }
  return 0;
}

std::uint32_t Distributor::read_control(std::uint32_t offset, const View& view) {
  switch (offset) {
    case kCtlr:
      return read_ctlr(view);
    case kTyper:
      return read_typer();
    case kIidr:
      return 0x43b;  // Arm, product and revision 0, as QEMU has it.
    case kTyper2:    // No GICv4.1.
    case kStatusr:   // Optional; RAZ/WI where it is absent (IHI 0069 12.9.38).
      return 0;
    default:
      log_.reserved(false, offset);
      return 0;
  }
}

// IHI 0069 12.9.4. The Non-secure view has ARE_NS at bit 4 and EnableGrp1A at bit 1.
std::uint32_t Distributor::read_ctlr(const View& view) const {
  if (view.sees_all()) return ctlr_;
  return (ctlr_ & kEnableGrp1) | (ctlr_ & kAreNs ? kAre : 0);
}

std::uint32_t Distributor::read_typer() const {
  const GicV3Config& config = core_.config();
  std::uint32_t typer = config.spis / 32;                                     // ITLinesNumber
  if (config.programmable_are) typer |= std::min(core_.cpus() - 1, 7u) << 5;  // CPUNumber
  if (!single_state()) typer |= 1u << 10;                                     // SecurityExtn
  if (config.message_spis) typer |= 1u << 16;                                 // MBIS
  typer |= 0xfu << 19;                      // IDbits: 16-bit INTIDs
  typer |= 1u << 24;                        // A3V
  if (!config.one_of_n) typer |= 1u << 25;  // No1N
  return typer;
}

std::uint32_t Distributor::read_priorities(std::uint32_t first, const Access& access) {
  const InterruptBank* bank = bank_at(first / 32, access);
  if (!bank) return 0;
  std::uint32_t word = 0;
  for (unsigned n = 0; n < 4; ++n) {
    word |= std::uint32_t{bank->read_priority((first + n) % 32, view_of(access))} << (8 * n);
  }
  return word;
}

// RAZ with affinity routing. For SGIs and PPIs each CPU reads its own bit (IHI 0048 4.3.12).
std::uint32_t Distributor::read_targets(std::uint32_t first, const Access& access) {
  if (affinity_routing() || core_.cpus() == 1 || first >= core_.intids()) return 0;
  if (first < gic::kPrivateIntids) return access.cpu < 8 ? 0x01010101u << access.cpu : 0;
  std::uint32_t word = 0;
  for (unsigned n = 0; n < 4; ++n) {
    word |= std::uint32_t{legacy_targets_[first - gic::kPrivateIntids + n]} << (8 * n);
  }
  return word;
}

std::uint32_t Distributor::read_sgi_sources(std::uint32_t first, const Access& access) const {
  if (affinity_routing() || access.cpu >= core_.cpus()) return 0;
  std::uint32_t word = 0;
  for (unsigned n = 0; n < 4; ++n) {
    word |= std::uint32_t{sgi_sources_[access.cpu][first + n]} << (8 * n);
  }
  return word;
}

bool Distributor::router_accessible(std::uint32_t intid, const View& view) {
  if (intid < gic::kPrivateIntids || intid >= core_.intids() || !affinity_routing()) return false;
  const InterruptBank& bank = banks_[intid / 32 - 1];
  return view.sees_all() || bank.ns_visible(intid % 32) || bank.ns_access(intid % 32) == 3;
}

std::uint64_t Distributor::read_router(std::uint32_t intid, const View& view) {
  return router_accessible(intid, view) ? routers_[intid - gic::kPrivateIntids] : 0;
}

// ---- writes ----

BusStatus Distributor::write(const Access& access, std::uint64_t value) {
  const auto offset = static_cast<std::uint32_t>(access.offset);
  if (access.size == 8 && within(offset, kIrouter, kIrouterEnd - kIrouter) && offset % 8 == 0) {
    write_router((offset - kIrouter) / 8, value, view_of(access));
  } else if (access.size >= 4 && offset % 4 == 0) {
    for (std::uint32_t n = 0; n < access.size; n += 4) {
      write_word(offset + n, static_cast<std::uint32_t>(value >> (8 * n)), access);
    }
  } else if (!write_bytes(access, value)) {
    log_.ignored("the register takes no write of this width", true, access.offset);
  }
  return BusStatus::ok;
}

// Registers of one field a byte; GICD_SETSPI_* and GICD_CLRSPI_* also take halfwords.
bool Distributor::write_bytes(const Access& access, std::uint64_t value) {
  const auto first = static_cast<std::uint32_t>(access.offset);
  if (access.size == 2 && first < kIgroupr) {
    write_message(first, static_cast<std::uint32_t>(value), view_of(access));
    return true;
  }
  if (!within(first, kIpriorityr, kIcfgr - kIpriorityr) && !within(first, kCpendsgir, 0x20)) {
    return false;
  }
  for (std::uint32_t n = 0; n < access.size; ++n) {
    const std::uint32_t offset = first + n;
    const auto byte = static_cast<std::uint8_t>(value >> (8 * n));
    if (offset < kItargetsr) {
      write_priority(offset - kIpriorityr, byte, access);
    } else if (offset < kIcfgr) {
      write_target(offset - kItargetsr, byte, access);
    } else {
      write_sgi_sources(offset, byte, access);
    }
  }
  return true;
}

void Distributor::write_word(std::uint32_t offset, std::uint32_t value, const Access& access) {
  const View view = view_of(access);
  if (offset < kIgroupr) {
    write_control(offset, value, access);
  } else if (offset < kIpriorityr || within(offset, kIgrpmodr, 0x80)) {
    const unsigned index = (offset & 0x7f) / 4;
    const BitRegister reg = bit_register(offset);
    if (InterruptBank* bank = bank_at(index, access)) {
      bank->write_bits(reg, value, view);
      bank_changed(index, access, reg == BitRegister::igroupr || reg == BitRegister::igrpmodr);
    }
  } else if (offset < kIcfgr || within(offset, kCpendsgir, 0x20)) {
    Access word = access;
    word.offset = offset;
    word.size = 4;
    write_bytes(word, value);
  } else if (within(offset, kIcfgr, 0x100) || within(offset, kNsacr, 0x100)) {
    write_half_register(offset, value, access);
  } else if (offset == kSgir) {
    write_sgir(value, access);
  } else if (within(offset, kIrouter, kIrouterEnd - kIrouter)) {
    const std::uint32_t intid = (offset - kIrouter) / 8;
    const std::uint64_t old = read_router(intid, view);
    const std::uint64_t wide = value;
    write_router(intid,
                 offset & 4 ? (old & 0xffff'ffff) | wide << 32 : (old & ~0xffff'ffffull) | wide,
                 view);
  } else if (offset >= kIdregs) {
    log_.ignored("identification registers are read-only", true, offset);
  } else {
    log_.reserved(true, offset);
  }
}

void Distributor::write_half_register(std::uint32_t offset, std::uint32_t value,
                                      const Access& access) {
  const unsigned index = (offset & 0xff) / 8;
  InterruptBank* bank = bank_at(index, access);
  if (!bank) return;
  const unsigned half = offset / 4 & 1;
  if (offset < kNsacr) {
    bank->write_icfgr(half, value, view_of(access));
    bank_changed(index, access, false);
  } else {
    bank->write_nsacr(half, value, view_of(access));
  }
}

void Distributor::write_control(std::uint32_t offset, std::uint32_t value, const Access& access) {
  switch (offset) {
    case kCtlr:
      write_ctlr(value, view_of(access));
      break;
    case kStatusr:
      break;
    case kTyper:
    case kIidr:
    case kTyper2:
      log_.ignored("the register is read-only", true, offset);
      break;
    default:
      write_message(offset, value, view_of(access));
  }
}

// IHI 0069 12.9.4. Disabling security (DS) is a one-way change until reset.
void Distributor::write_ctlr(std::uint32_t value, const View& view) {
  std::uint32_t writable = 0;
  if (single_state()) {
    writable = kEnableGrp0 | kEnableGrp1;
    if (core_.config().programmable_are) writable |= kAre;
    if (core_.config().one_of_n) writable |= kE1nwf;
  } else if (view.secure) {
    writable = kEnableGrp0 | kEnableGrp1 | kEnableGrp1S | kDs;
    if (core_.config().one_of_n) writable |= kE1nwf;
  } else {
    writable = kEnableGrp1;
  }
  const std::uint32_t old = ctlr_;
  ctlr_ = (ctlr_ & ~writable) | (value & writable);
  if (ctlr_ & kDs) ctlr_ &= ~(kEnableGrp1S | kAreNs);
  if (ctlr_ == old) return;
  if ((ctlr_ ^ old) & kAre) {
    for (std::uint32_t n = 0; n < core_.config().spis; ++n) route(gic::kPrivateIntids + n);
  }
  core_.everything_changed();
}

void Distributor::write_priority(std::uint32_t intid, std::uint8_t value, const Access& access) {
  InterruptBank* bank = bank_at(intid / 32, access);
  if (!bank) return;
  const std::uint8_t old = bank->priority(intid % 32);
  bank->write_priority(intid % 32, value, view_of(access));
  if (bank->priority(intid % 32) != old) bank_changed(intid / 32, access, true);
}

void Distributor::write_target(std::uint32_t intid, std::uint8_t value, const Access& access) {
  if (affinity_routing() || core_.cpus() == 1) return;
  if (intid < gic::kPrivateIntids || intid >= core_.intids()) return;
  if (!view_of(access).sees_all() && !banks_[intid / 32 - 1].ns_visible(intid % 32)) return;
  const unsigned cpus = std::min(core_.cpus(), 8u);
  legacy_targets_[intid - gic::kPrivateIntids] =
      static_cast<std::uint8_t>(value & ((1u << cpus) - 1));
  route(intid);
  core_.everything_changed();
}

void Distributor::write_router(std::uint32_t intid, std::uint64_t value, const View& view) {
  if (!router_accessible(intid, view)) return;
  const std::uint64_t implemented =
      core_.config().one_of_n ? kRouterAffinity | kRouterIrm : kRouterAffinity;
  std::uint64_t& router = routers_[intid - gic::kPrivateIntids];
  if (router == (value & implemented)) return;
  router = value & implemented;
  route(intid);
  if (banks_[intid / 32 - 1].ready() >> (intid % 32) & 1) core_.everything_changed();
}

// Message-based SPIs (IHI 0069 12.9.5, 12.9.35-37).
void Distributor::write_message(std::uint32_t offset, std::uint32_t value, const View& view) {
  const bool secure_register = offset == kSetSpiSr || offset == kClrSpiSr;
  if (!core_.config().message_spis ||
      (!secure_register && offset != kSetSpiNsr && offset != kClrSpiNsr)) {
    log_.reserved(true, offset);
    return;
  }
  const std::uint32_t intid = value & 0x1fff;
  if (intid < gic::kPrivateIntids || intid >= core_.intids()) return;
  if (secure_register && (view.single_state || !view.secure)) return;
  const bool set = offset == kSetSpiNsr || offset == kSetSpiSr;
  InterruptBank& bank = banks_[intid / 32 - 1];
  const unsigned n = intid % 32;
  if (!view.sees_all() && !bank.ns_visible(n) && bank.ns_access(n) < (set ? 1u : 2u)) return;
  bank.message(n, set);
  core_.spis_changed(intid / 32 - 1);
}

// Software-generated interrupts without affinity routing (IHI 0048 4.3.15).
void Distributor::write_sgir(std::uint32_t value, const Access& access) {
  if (affinity_routing() || access.cpu >= core_.cpus()) return;
  const std::uint32_t self = 1u << (access.cpu & 7);
  std::uint32_t targets = 0;
  switch (bits(value, 25, 24)) {
    case 0:
      targets = static_cast<std::uint32_t>(bits(value, 23, 16));
      break;
    case 1:
      targets = 0xff & ~self;
      break;
    case 2:
      targets = self;
      break;
    default:
      return;
  }
  const std::uint32_t intid = value & 0xf;
  gic::for_each_bit(targets, [&](unsigned cpu) {
    if (cpu >= core_.cpus()) return;
    sgi_sources_[cpu][intid] |= static_cast<std::uint8_t>(self);
    core_.redistributor(cpu).bank().latch(1u << intid);
    core_.private_changed(cpu);
  });
}

// GICD_SPENDSGIR and GICD_CPENDSGIR (IHI 0048 4.3.16, 4.3.17).
void Distributor::write_sgi_sources(std::uint32_t offset, std::uint8_t value,
                                    const Access& access) {
  if (affinity_routing() || access.cpu >= core_.cpus()) return;
  const unsigned intid = offset & 0xf;
  std::uint8_t& sources = sgi_sources_[access.cpu][intid];
  InterruptBank& bank = core_.redistributor(access.cpu).bank();
  if (offset >= kSpendsgir) {
    sources |= value;
    if (value) bank.latch(1u << intid);
  } else {
    sources &= static_cast<std::uint8_t>(~value);
    if (!sources) bank.unlatch(1u << intid);
  }
  core_.private_changed(access.cpu);
}

}  // namespace trapline::gicv3
