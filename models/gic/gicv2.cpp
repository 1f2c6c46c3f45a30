#include "models/gic/gicv2.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <string>
#include <utility>

namespace trapline {
namespace {

constexpr unsigned kSgis = 16;
constexpr unsigned kPrivate = 32;
constexpr unsigned kMaxIntids = 1020;
constexpr std::uint32_t kSgiBits = 0xffff;
constexpr std::uint32_t kArmIidr = 0x43b;

// GICD_PIDR4-7, PIDR0-3 and CIDR0-3: an Arm GICv2, as QEMU reports itself (IHI 0048B 4.3.18).
constexpr std::array<std::uint8_t, 12> kIdRegisters = {0x04, 0x00, 0x00, 0x00, 0x90, 0xb4,
                                                       0x2b, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

void check(bool ok, const char* what) {
  if (!ok) throw std::invalid_argument(std::string("GICv2: ") + what);
}

GicV2Config checked(const GicV2Config& config, std::size_t lines) {
  check(config.cpus >= 1 && config.cpus <= GicV2Distributor::kMaxCpus, "cpus must be 1 to 8");
  check(lines == config.cpus, "there must be one CpuLines for each CPU");
  check(config.spis % 32 == 0 && config.spis <= 992, "spis must be a multiple of 32, 992 at most");
  check(config.list_registers >= 1 && config.list_registers <= 64,
        "list_registers must be 1 to 64");
  check(config.priority_bits >= (config.virtualization ? 5u : 4u) && config.priority_bits <= 8,
        "priority_bits must be 4 to 8, and 5 or more with virtualization");
  check(config.maintenance_intid >= kSgis && config.maintenance_intid < kPrivate,
        "maintenance_intid must be a PPI, 16 to 31");
  return config;
}

// Spreads 16 bits to the upper bit of each two-bit field of an ICFGR, and back.
std::uint32_t config_fields(std::uint32_t bits) {
  std::uint32_t fields = 0;
  for (unsigned n = 0; n < 16; ++n) fields |= (bits >> n & 1) << (2 * n + 1);
  return fields;
}

std::uint32_t config_bits(std::uint32_t fields) {
  std::uint32_t bits = 0;
  for (unsigned n = 0; n < 16; ++n) bits |= (fields >> (2 * n + 1) & 1) << n;
  return bits;
}

template <typename Function>
void for_each_bit(std::uint32_t bits, Function function) {
  for (; bits; bits &= bits - 1) function(static_cast<unsigned>(std::countr_zero(bits)));
}

}  // namespace

class GicV2Distributor::Port final : public GicV2InterruptSource {
 public:
  Port(GicV2Distributor& distributor, unsigned cpu) : distributor_(distributor), cpu_(cpu) {}

  void refresh() override { distributor_.refresh(1u << cpu_); }
  void acknowledge(const GicV2Pending& pending) override {
    distributor_.acknowledge(cpu_, pending);
  }
  bool deactivate(unsigned intid, unsigned) override {
    return distributor_.deactivate(cpu_, intid);
  }
  bool is_group1(unsigned intid) const override {
    return distributor_.bank(cpu_, intid / 32).group1 >> (intid % 32) & 1;
  }

 private:
  GicV2Distributor& distributor_;
  unsigned cpu_;
};

struct GicV2Distributor::Registers {
  unsigned first;  // Offset of the first byte,
  unsigned end;    // and of the one after the last.
  std::uint32_t (GicV2Distributor::*read)(const Word&) const;
  void (GicV2Distributor::*write)(const Word&, std::uint32_t);
};

// IHI 0048B table 4-1.
const GicV2Distributor::Registers GicV2Distributor::kRegisters[] = {
    {0x000, 0x004, &GicV2Distributor::read_ctlr, &GicV2Distributor::write_ctlr},
    {0x004, 0x008, &GicV2Distributor::read_typer, &GicV2Distributor::write_nothing},
    {0x008, 0x00c, &GicV2Distributor::read_iidr, &GicV2Distributor::write_nothing},
    // IGROUPR, ISENABLER, ICENABLER, ISPENDR, ICPENDR, ISACTIVER, ICACTIVER.
    {0x080, 0x400, &GicV2Distributor::read_bits, &GicV2Distributor::write_bits},
    {0x400, 0x800, &GicV2Distributor::read_priority, &GicV2Distributor::write_priority},
    {0x800, 0xc00, &GicV2Distributor::read_targets, &GicV2Distributor::write_targets},
    {0xc00, 0xd00, &GicV2Distributor::read_config, &GicV2Distributor::write_config},
    {0xf00, 0xf04, &GicV2Distributor::read_nothing, &GicV2Distributor::write_sgir},
    {0xf10, 0xf20, &GicV2Distributor::read_sgi_pending, &GicV2Distributor::clear_sgi_pending},
    {0xf20, 0xf30, &GicV2Distributor::read_sgi_pending, &GicV2Distributor::set_sgi_pending},
    {0xfd0, 0x1000, &GicV2Distributor::read_id, &GicV2Distributor::write_nothing},
};

GicV2Distributor::GicV2Distributor(const GicV2Config& config, Sink* sink)
    : config_(config),
      sink_(sink),
      banks_((kPrivate + config.spis) / 32),
      intid_limit_(std::min(kPrivate + config.spis, kMaxIntids)),
      all_cpus_((1u << config.cpus) - 1) {
  for (unsigned cpu = 0; cpu < config_.cpus; ++cpu) {
    ports_.push_back(std::make_unique<Port>(*this, cpu));
    for (unsigned intid = kSgis; intid < kPrivate; ++intid) {
      Line& line = ppi_lines_.emplace_back("PPI " + std::to_string(intid) + " of CPU " +
                                           std::to_string(cpu));
      line.connect([this, cpu, intid](bool level) { line_changed(cpu, intid, level); });
    }
  }
  for (unsigned intid = kPrivate; intid < intid_limit_; ++intid) {
    Line& line = spi_lines_.emplace_back("SPI " + std::to_string(intid));
    line.connect([this, intid](bool level) { line_changed(0, intid, level); });
  }
}

GicV2Distributor::~GicV2Distributor() = default;

GicV2InterruptSource& GicV2Distributor::port(unsigned cpu) { return *ports_[cpu]; }

Line& GicV2Distributor::spi(unsigned intid) {
  if (intid < kPrivate || intid >= intid_limit_) {
    throw std::out_of_range("GICv2: no SPI has INTID " + std::to_string(intid));
  }
  return spi_lines_[intid - kPrivate];
}

Line& GicV2Distributor::ppi(unsigned cpu, unsigned intid) {
  if (cpu >= config_.cpus || intid < kSgis || intid >= kPrivate) {
    throw std::out_of_range("GICv2: CPU " + std::to_string(cpu) + " has no PPI with INTID " +
                            std::to_string(intid));
  }
  return ppi_lines_[cpu * (kPrivate - kSgis) + intid - kSgis];
}

void GicV2Distributor::reset() {
  const bool nonsecure = config_.security_extensions && config_.boots_nonsecure;
  const std::uint8_t priority = nonsecure ? 0x80 : 0;
  ctlr_ = 0;
  for (unsigned cpu = 0; cpu < config_.cpus; ++cpu) {
    Private& own = private_[cpu];
    own = Private{};
    own.priority.fill(priority);
    // SGIs are always enabled and edge-triggered (IHI 0048B 4.3.5, 4.3.13).
    own.bank.enabled = own.bank.edge = kSgiBits;
    own.bank.group1 = nonsecure ? ~0u : 0;
    for (unsigned intid = kSgis; intid < kPrivate; ++intid) {
      own.bank.level |= std::uint32_t{ppi(cpu, intid).level()} << intid;
    }
  }
  shared_.fill(Bank{});
  priority_.fill(priority);
  for (unsigned intid = kPrivate; intid < intid_limit_; ++intid) {
    Bank& bank = shared_[intid / 32];
    bank.level |= std::uint32_t{spi(intid).level()} << (intid % 32);
    bank.group1 |= std::uint32_t{nonsecure} << (intid % 32);
    // The one CPU is the target of everything where there is only one (IHI 0048B 4.3.12).
    set_target(intid, config_.cpus == 1 ? 1 : 0);
  }
  refresh(all_cpus_);
}

void GicV2Distributor::line_changed(unsigned cpu, unsigned intid, bool level) {
  const std::uint32_t bit = 1u << (intid % 32);
  Bank& state = bank(cpu, intid / 32);
  state.level = level ? state.level | bit : state.level & ~bit;
  if (level && (state.edge & bit)) state.latched |= bit;
  if (sink_) {
    Event event;
    event.kind = EventKind::interrupt_line;
    event.cpu = static_cast<std::uint8_t>(cpu);
    event.a = intid;
    event.b = level;
    sink_->on_event(event);
  }
  refresh(cpus_of(cpu, intid));
}

// IHI 0048B 3.3: the interrupt of the lowest priority value, and among equals of the lowest INTID,
// that is enabled, pending, not active and targeted here, in a group forwarded to this CPU.
GicV2Pending GicV2Distributor::highest_pending(unsigned cpu, unsigned groups) const {
  GicV2Pending best;
  groups &= ctlr_;
  if (!groups) return best;
  const std::uint32_t group0 = groups & 1 ? ~0u : 0;
  const std::uint32_t group1 = groups & 2 ? ~0u : 0;
  for (unsigned index = 0; index < banks_; ++index) {
    const Bank& state = bank(cpu, index);
    const std::uint32_t targeted = index == 0 ? ~0u : targeted_[cpu][index];
    const std::uint32_t forwarded = (state.group1 & group1) | (~state.group1 & group0);
    for_each_bit(state.enabled & state.pending() & ~state.active & targeted & forwarded,
                 [&](unsigned n) {
                   const unsigned intid = index * 32 + n;
                   const std::uint8_t value = priority(cpu, intid);
                   if (best.exists() && value >= best.priority) return;
                   best.intid = static_cast<std::uint16_t>(intid);
                   best.priority = value;
                   best.group1 = state.group1 >> n & 1;
                 });
  }
  if (best.intid < kSgis) {
    best.source_cpu =
        static_cast<std::uint8_t>(std::countr_zero(private_[cpu].sgi_sources[best.intid]));
  }
  return best;
}

void GicV2Distributor::acknowledge(unsigned cpu, const GicV2Pending& pending) {
  const unsigned intid = pending.intid;
  const std::uint32_t bit = 1u << (intid % 32);
  Bank& state = bank(cpu, intid / 32);
  state.active |= bit;
  if (intid < kSgis) {
    set_sgi_sources(cpu, intid, private_[cpu].sgi_sources[intid] & ~(1u << pending.source_cpu));
  } else {
    state.latched &= ~bit;
  }
  stale_ |= cpus_of(cpu, intid);
}

bool GicV2Distributor::deactivate(unsigned cpu, unsigned intid) {
  const std::uint32_t bit = 1u << (intid % 32);
  Bank& state = bank(cpu, intid / 32);
  if (!(state.active & bit)) return false;
  state.active &= ~bit;
  stale_ |= cpus_of(cpu, intid);
  return true;
}

unsigned GicV2Distributor::cpus_of(unsigned cpu, unsigned intid) const {
  return intid < kPrivate ? 1u << cpu : targets_[intid];
}

void GicV2Distributor::refresh(unsigned cpus) {
  cpus |= stale_;
  stale_ = 0;
  for_each_bit(cpus, [this](unsigned cpu) {
    GicV2CpuInterface& interface = *interfaces_[cpu];
    interface.present(highest_pending(cpu, interface.enabled_groups()));
  });
}

void GicV2Distributor::set_target(unsigned intid, std::uint8_t cpus) {
  targets_[intid] = cpus;
  const std::uint32_t bit = 1u << (intid % 32);
  for (unsigned cpu = 0; cpu < config_.cpus; ++cpu) {
    std::uint32_t& word = targeted_[cpu][intid / 32];
    word = cpus >> cpu & 1 ? word | bit : word & ~bit;
  }
}

void GicV2Distributor::set_sgi_sources(unsigned cpu, unsigned sgi, unsigned sources) {
  Private& own = private_[cpu];
  own.sgi_sources[sgi] = static_cast<std::uint8_t>(sources & all_cpus_);
  const std::uint32_t bit = 1u << sgi;
  own.bank.latched = own.sgi_sources[sgi] ? own.bank.latched | bit : own.bank.latched & ~bit;
}

std::uint32_t GicV2Distributor::implemented(unsigned index) const {
  if (index >= banks_) return 0;
  return index == kMaxIntids / 32 ? (1u << (kMaxIntids % 32)) - 1 : ~0u;
}

// IHI 0048B 4.1.3: group 0 interrupts are RAZ/WI to Non-secure accesses.
std::uint32_t GicV2Distributor::accessible(const Word& word, unsigned index) const {
  const std::uint32_t exist = implemented(index);
  return word.nonsecure && exist ? exist & bank(word.cpu, index).group1 : exist;
}

bool GicV2Distributor::accessible_intid(const Word& word, unsigned intid) const {
  return accessible(word, intid / 32) >> (intid % 32) & 1;
}

const GicV2Distributor::Registers* GicV2Distributor::find(unsigned offset) {
  for (const Registers& registers : kRegisters) {
    if (offset >= registers.first && offset < registers.end) return &registers;
  }
  return nullptr;
}

GicV2Distributor::Word GicV2Distributor::word_of(const Registers& registers,
                                                 const Access& access) const {
  const auto offset = static_cast<unsigned>(access.offset);
  const std::uint32_t bytes = access.size == 4 ? ~0u : (1u << (8 * access.size)) - 1;
  return {.offset = (offset & ~3u) - registers.first,
          .cpu = access.cpu,
          .nonsecure = config_.security_extensions && !access.secure,
          .lanes = bytes << (8 * (offset & 3))};
}

void GicV2Distributor::name_unknown(const Access& access, const char* verb) {
  const auto offset = static_cast<unsigned>(access.offset);
  if (named_.test(offset / 4)) return;
  named_.set(offset / 4);
  spdlog::warn("{}: CPU {} {} unimplemented register {:#x}", name(), access.cpu, verb, offset);
}

bool GicV2Distributor::accepts(const Access& access) const {
  return access.cpu < config_.cpus && access.size <= 4 && access.offset % access.size == 0 &&
         access.offset + access.size <= kSize;
}

BusStatus GicV2Distributor::read(const Access& access, std::uint64_t& value) {
  if (!accepts(access)) return BusStatus::error;
  value = 0;
  const Registers* registers = find(static_cast<unsigned>(access.offset));
  if (!registers) {
    name_unknown(access, "reads");
    return BusStatus::ok;
  }
  const Word word = word_of(*registers, access);
  value = ((this->*registers->read)(word)&word.lanes) >> (8 * (access.offset & 3));
  return BusStatus::ok;
}

BusStatus GicV2Distributor::write(const Access& access, std::uint64_t value) {
  if (!accepts(access)) return BusStatus::error;
  const Registers* registers = find(static_cast<unsigned>(access.offset));
  if (!registers) {
    name_unknown(access, "writes");
    return BusStatus::ok;
  }
  const Word word = word_of(*registers, access);
  const auto lanes = static_cast<std::uint32_t>(value) << (8 * (access.offset & 3));
  (this->*registers->write)(word, lanes & word.lanes);
  refresh(all_cpus_);
  return BusStatus::ok;
}

std::uint32_t GicV2Distributor::read_nothing(const Word&) const {
  return 0;
}
void GicV2Distributor::write_nothing(const Word&, std::uint32_t) {}

// The Non-secure copy has EnableGrp1 in bit 0 (IHI 0048B 4.3.1).
std::uint32_t GicV2Distributor::read_ctlr(const Word& word) const {
  return word.nonsecure ? ctlr_ >> 1 : ctlr_;
}

void GicV2Distributor::write_ctlr(const Word& word, std::uint32_t value) {
  if (!(word.lanes & 0xff)) return;
  ctlr_ = word.nonsecure ? (ctlr_ & 1) | (value & 1) << 1 : value & 3;
}

std::uint32_t GicV2Distributor::read_typer(const Word&) const {
  return (banks_ - 1) | (config_.cpus - 1) << 5 | std::uint32_t{config_.security_extensions} << 10;
}

std::uint32_t GicV2Distributor::read_iidr(const Word&) const {
  return kArmIidr;
}

std::uint32_t GicV2Distributor::read_id(const Word& word) const {
  return kIdRegisters[word.offset / 4];
}

// The seven bit arrays of 0x80 bytes that start at 0x080. The set and the clear register of a state
// read the same.
std::uint32_t GicV2Distributor::read_bits(const Word& word) const {
  const unsigned index = word.offset % 0x80 / 4;
  const std::uint32_t mask = accessible(word, index);
  if (!mask) return 0;
  const Bank& state = bank(word.cpu, index);
  switch (word.offset / 0x80) {
    case 0:
      return word.nonsecure ? 0 : state.group1 & mask;
    case 1:
    case 2:
      return state.enabled & mask;
    case 3:
    case 4:
      return state.pending() & mask;
    default:
      return state.active & mask;
  }
}

void GicV2Distributor::write_bits(const Word& word, std::uint32_t value) {
  const unsigned index = word.offset % 0x80 / 4;
  const std::uint32_t bits = value & accessible(word, index);
  // The state of SGIs has no enable, and is made pending by SGIR and SPENDSGIR only.
  const std::uint32_t plain = index == 0 ? bits & ~kSgiBits : bits;
  if (!implemented(index)) return;
  Bank& state = bank(word.cpu, index);
  switch (word.offset / 0x80) {
    case 0:
      if (!word.nonsecure) state.group1 = (state.group1 & ~word.lanes) | bits;
      break;
    case 1:
      state.enabled |= plain;
      break;
    case 2:
      state.enabled &= ~plain;
      break;
    case 3:
      state.latched |= plain;
      break;
    case 4:
      state.latched &= ~plain;
      break;
    case 5:
      state.active |= bits;
      break;
    default:
      state.active &= ~bits;
      break;
  }
}

// IHI 0048B 3.5: a Non-secure access sees the upper half of the priorities, shifted up by one.
std::uint32_t GicV2Distributor::read_priority(const Word& word) const {
  std::uint32_t result = 0;
  for (unsigned lane = 0; lane < 4; ++lane) {
    const unsigned intid = word.offset + lane;
    if (!accessible_intid(word, intid)) continue;
    const std::uint32_t value = priority(word.cpu, intid);
    result |= (word.nonsecure ? value << 1 & 0xff : value) << (8 * lane);
  }
  return result;
}

void GicV2Distributor::write_priority(const Word& word, std::uint32_t value) {
  const std::uint32_t mask = 0xff << (8 - config_.priority_bits);
  for (unsigned lane = 0; lane < 4; ++lane) {
    const unsigned intid = word.offset + lane;
    if (!(word.lanes >> (8 * lane) & 0xff) || !accessible_intid(word, intid)) continue;
    std::uint32_t byte = value >> (8 * lane) & 0xff;
    if (word.nonsecure) byte = 0x80 | byte >> 1;
    priority(word.cpu, intid) = static_cast<std::uint8_t>(byte & mask);
  }
}

// IHI 0048B 4.3.12: RAZ/WI with one CPU; the private interrupts' bytes name the reading CPU.
std::uint32_t GicV2Distributor::read_targets(const Word& word) const {
  if (config_.cpus == 1) return 0;
  std::uint32_t result = 0;
  for (unsigned lane = 0; lane < 4; ++lane) {
    const unsigned intid = word.offset + lane;
    if (!accessible_intid(word, intid)) continue;
    result |= cpus_of(word.cpu, intid) << (8 * lane);
  }
  return result;
}

void GicV2Distributor::write_targets(const Word& word, std::uint32_t value) {
  if (config_.cpus == 1 || word.offset < kPrivate) return;
  for (unsigned lane = 0; lane < 4; ++lane) {
    const unsigned intid = word.offset + lane;
    if (!(word.lanes >> (8 * lane) & 0xff) || !accessible_intid(word, intid)) continue;
    set_target(intid, static_cast<std::uint8_t>(value >> (8 * lane) & all_cpus_));
  }
}

std::uint32_t GicV2Distributor::read_config(const Word& word) const {
  const unsigned half = word.offset / 4;
  const std::uint32_t mask = accessible(word, half / 2);
  if (!mask) return 0;
  return config_fields((bank(word.cpu, half / 2).edge & mask) >> (half % 2 * 16) & 0xffff);
}

// SGIs are edge-triggered for good; the configuration of PPIs is banked (IHI 0048B 4.3.13).
void GicV2Distributor::write_config(const Word& word, std::uint32_t value) {
  const unsigned half = word.offset / 4;
  const unsigned shift = half % 2 * 16;
  const std::uint32_t written = config_bits(word.lanes) << shift & accessible(word, half / 2);
  if (half == 0 || !written) return;
  std::uint32_t& edge = bank(word.cpu, half / 2).edge;
  edge = (edge & ~written) | (config_bits(value) << shift & written);
}

// IHI 0048B 4.3.15. Word accesses only.
void GicV2Distributor::write_sgir(const Word& word, std::uint32_t value) {
  if (word.lanes != ~0u) return;
  unsigned targets = 0;
  switch (value >> 24 & 3) {
    case 0:
      targets = value >> 16 & all_cpus_;
      break;
    case 1:
      targets = all_cpus_ & ~(1u << word.cpu);
      break;
    case 2:
      targets = 1u << word.cpu;
      break;
    default:
      spdlog::debug("{}: SGIR target filter 3 is reserved: ignored", name());
      return;
  }
  const unsigned sgi = value & 15;
  const bool nsatt = value >> 15 & 1;
  for_each_bit(targets, [&](unsigned cpu) {
    // With Security Extensions an SGI reaches a CPU that has it in the group NSATT names, which for
    // a Non-secure request is group 1.
    const bool group1 = private_[cpu].bank.group1 >> sgi & 1;
    if (config_.security_extensions && group1 != (word.nonsecure || nsatt)) return;
    set_sgi_sources(cpu, sgi, private_[cpu].sgi_sources[sgi] | 1u << word.cpu);
  });
}

// CPENDSGIR and SPENDSGIR hold a byte an SGI with a bit a requesting CPU (IHI
// 0048B 4.3.16, 4.3.17).
std::uint32_t GicV2Distributor::read_sgi_pending(const Word& word) const {
  std::uint32_t result = 0;
  for (unsigned lane = 0; lane < 4; ++lane) {
    const unsigned sgi = word.offset + lane;
    if (!accessible_intid(word, sgi)) continue;
    result |= std::uint32_t{private_[word.cpu].sgi_sources[sgi]} << (8 * lane);
  }
  return result;
}

void GicV2Distributor::clear_sgi_pending(const Word& word, std::uint32_t value) {
  for (unsigned lane = 0; lane < 4; ++lane) {
    const unsigned sgi = word.offset + lane;
    const std::uint32_t sources = value >> (8 * lane) & 0xff;
    if (!accessible_intid(word, sgi)) continue;
    set_sgi_sources(word.cpu, sgi, private_[word.cpu].sgi_sources[sgi] & ~sources);
  }
}

void GicV2Distributor::set_sgi_pending(const Word& word, std::uint32_t value) {
  for (unsigned lane = 0; lane < 4; ++lane) {
    const unsigned sgi = word.offset + lane;
    const std::uint32_t sources = value >> (8 * lane) & 0xff;
    if (!accessible_intid(word, sgi)) continue;
    set_sgi_sources(word.cpu, sgi, private_[word.cpu].sgi_sources[sgi] | sources);
  }
}

GicV2::GicV2(const GicV2Config& config, std::vector<CpuLines*> lines, Sink* sink)
    : distributor_(checked(config, lines.size()), sink) {
  std::vector<GicV2CpuInterface*> physical;
  std::vector<GicV2InterruptSource*> ports;
  std::vector<GicV2CpuInterface*> guest;
  std::vector<GicV2VirtualInterface*> hypervisor;
  std::vector<GicV2InterruptSource*> list_registers;
  for (unsigned cpu = 0; cpu < config.cpus; ++cpu) {
    GicV2InterruptSource& port = distributor_.port(cpu);
    const GicV2CpuInterfaceConfig interface_config = {
        .cpu = cpu,
        .priority_bits = config.priority_bits,
        .intid_limit = distributor_.intid_limit(),
        .security_extensions = config.security_extensions,
        .boots_nonsecure = config.boots_nonsecure,
        .is_virtual = false};
    ports.push_back(&port);
    physical.push_back(
        &interfaces_.emplace_back(interface_config, port, lines[cpu]->irq, lines[cpu]->fiq, sink));
    distributor_.connect(cpu, *physical.back());
    if (!config.virtualization) continue;
    const GicV2VirtualConfig virtual_config = {.cpu = cpu,
                                               .list_registers = config.list_registers,
                                               .physical_intid_limit = distributor_.intid_limit(),
                                               .security_extensions = config.security_extensions};
    hypervisor.push_back(
        &virtual_interfaces_.emplace_back(virtual_config, port, lines[cpu]->virq, lines[cpu]->vfiq,
                                          distributor_.ppi(cpu, config.maintenance_intid), sink));
    guest.push_back(&hypervisor.back()->cpu_interface());
    list_registers.push_back(hypervisor.back());
  }
  gicc_ = std::make_unique<GicV2CpuFrame>("gicv2-cpu-interface", gic::Frame::gicc,
                                          std::move(physical), std::move(ports), config.security_extensions);
  if (config.virtualization) {
    gich_ = std::make_unique<GicV2HypervisorFrame>("gicv2-hypervisor", std::move(hypervisor));
    gicv_ = std::make_unique<GicV2CpuFrame>("gicv2-virtual-cpu", gic::Frame::gicv,
                                            std::move(guest), std::move(list_registers), false);
  }
  reset();
}

Device& GicV2::hypervisor_interface() {
  if (!gich_) throw std::logic_error("GICv2: there is no GICH without virtualization");
  return *gich_;
}

Device& GicV2::virtual_cpu_interface() {
  if (!gicv_) throw std::logic_error("GICv2: there is no GICV without virtualization");
  return *gicv_;
}

void GicV2::reset() {
  distributor_.reset();
  gicc_->reset();
  if (gich_) gich_->reset();
  if (gicv_) gicv_->reset();
}

}  // namespace trapline
