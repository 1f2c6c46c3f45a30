#include "models/gic/gicv3.h"

#include <stdexcept>
#include <string>
#include <utility>

#include "models/gic/gicv3_core.h"
#include "models/gic/gicv3_cpu_interface.h"
#include "models/gic/gicv3_distributor.h"
#include "models/gic/gicv3_redistributor.h"

namespace trapline {

namespace gicv3 {

namespace {

void require(bool condition, const char* what) {
  if (!condition) throw std::invalid_argument(std::string("GICv3: ") + what);
}

void check(const GicV3Config& config, const std::vector<CpuLines*>& cpu_lines) {
  require(config.cpus >= 1 && config.cpus <= 64, "cpus must be 1 to 64");
  require(cpu_lines.size() == config.cpus, "cpu_lines must have one entry a CPU");
  for (const CpuLines* lines : cpu_lines) require(lines != nullptr, "cpu_lines has a null entry");
  require(config.spis % 32 == 0 && config.spis <= 960, "spis must be a multiple of 32 up to 960");
  require(config.list_registers >= 1 && config.list_registers <= 16,
          "list_registers must be 1 to 16");
  require(config.priority_bits >= 5 && config.priority_bits <= 7, "priority_bits must be 5 to 7");
  require(config.distributor_priority_bits >= 4 && config.distributor_priority_bits <= 8,
          "distributor_priority_bits must be 4 to 8");
  require(config.affinities.empty() || config.affinities.size() == config.cpus,
          "affinities must be empty or have one entry a CPU");
  require(config.maintenance_intid >= 16 && config.maintenance_intid < 32,
          "maintenance_intid must be a PPI, 16 to 31");
}

}  // namespace

Core::Core(const GicV3Config& config, std::vector<CpuLines*> cpu_lines, Sink* sink)
    : config_(config), sink_(sink) {
  check(config, cpu_lines);
  for (unsigned cpu = 0; cpu < cpus(); ++cpu) {
    const std::uint64_t mpidr = config.affinities.empty() ? cpu : config.affinities[cpu];
    affinities_.push_back(
        static_cast<std::uint32_t>(bits(mpidr, 39, 32) << 24 | bits(mpidr, 23, 0)));
  }
  distributor_ = std::make_unique<Distributor>(*this);
  for (unsigned cpu = 0; cpu < cpus(); ++cpu) {
    redistributors_.push_back(std::make_unique<Redistributor>(*this, cpu));
  }
  window_ = std::make_unique<RedistributorWindow>(*this);
  connect_inputs();
  for (unsigned cpu = 0; cpu < cpus(); ++cpu) {
    cpu_interfaces_.push_back(std::make_unique<CpuInterface>(*this, cpu, *cpu_lines[cpu],
                                                             ppi(cpu, config_.maintenance_intid)));
  }
  reset();
}

Core::~Core() = default;

void Core::connect_inputs() {
  for (std::uint32_t intid = gic::kPrivateIntids; intid < intids(); ++intid) {
    spis_.emplace_back("SPI " + std::to_string(intid)).connect([this, intid](bool level) {
      const std::uint64_t targets = distributor_->targets(intid);
      emit(EventKind::interrupt_line, targets ? std::countr_zero(targets) : 0, intid, level);
      const unsigned bank = intid / 32 - 1;
      distributor_->bank(bank).set_level(intid % 32, level);
      spis_changed(bank);
    });
  }
  for (unsigned cpu = 0; cpu < cpus(); ++cpu) {
    for (std::uint32_t intid = gic::kSgis; intid < gic::kPrivateIntids; ++intid) {
      ppis_.emplace_back("PPI " + std::to_string(intid) + " of CPU " + std::to_string(cpu))
          .connect([this, cpu, intid](bool level) {
            emit(EventKind::interrupt_line, cpu, intid, level);
            redistributor(cpu).bank().set_level(intid, level);
            private_changed(cpu);
          });
    }
  }
}

Device& Core::redistributor_window() {
  return *window_;
}

Line& Core::spi(unsigned intid) {
  return spis_.at(std::size_t{intid} - gic::kPrivateIntids);
}

Line& Core::ppi(unsigned cpu, unsigned intid) {
  if (cpu >= cpus() || intid < gic::kSgis || intid >= gic::kPrivateIntids) {
    throw std::out_of_range("GICv3: no PPI " + std::to_string(intid) + " of CPU " +
                            std::to_string(cpu));
  }
  return ppis_[cpu * 16 + intid - gic::kSgis];
}

unsigned Core::cpu_with_affinity(std::uint32_t affinity) const {
  unsigned cpu = 0;
  while (cpu < cpus() && affinities_[cpu] != affinity) ++cpu;
  return cpu;
}

bool Core::single_state() const {
  return distributor_->single_state();
}

void Core::reset() {
  distributor_->power_on();
  for (auto& redistributor : redistributors_) redistributor->power_on();
  for (auto& cpu_interface : cpu_interfaces_) cpu_interface->reset();
  everything_changed();
}

InterruptBank& Core::bank_of(unsigned cpu, std::uint32_t intid) {
  return intid < gic::kPrivateIntids ? redistributor(cpu).bank()
                                     : distributor_->bank(intid / 32 - 1);
}

Group Core::group_of(unsigned cpu, std::uint32_t intid) {
  return bank_of(cpu, intid).group(intid % 32, single_state());
}

void Core::acknowledge(unsigned cpu, std::uint32_t intid) {
  bank_of(cpu, intid).acknowledge(intid % 32);
  if (intid < gic::kSgis) distributor_->sgi_acknowledged(cpu, intid);
  if (intid < gic::kPrivateIntids) {
    private_changed(cpu);
  } else {
    spis_changed(intid / 32 - 1);
  }
}

void Core::deactivate(unsigned cpu, std::uint32_t intid) {
  if (intid >= intids()) return;
  bank_of(cpu, intid).deactivate(intid % 32);
  if (intid < gic::kPrivateIntids) {
    private_changed(cpu);
  } else {
    spis_changed(intid / 32 - 1);
  }
}

// Which SGIs of which group a request may make pending: IHI 0069 table 12-16 and 12.11.14 (NSACR).
bool Core::accepts_sgi(unsigned cpu, const SgiRequest& request) {
  const InterruptBank& bank = redistributor(cpu).bank();
  const Group group = bank.group(request.intid, single_state());
  if (single_state() || request.secure) {
    // A request for Secure Group 1 also reaches an SGI that is in Group 0 there.
    return group == request.group || (request.group == Group::g1_secure && group == Group::g0);
  }
  if (group == Group::g1) return request.group == Group::g1;
  const bool asks = group == request.group || request.group == Group::g1 ||
                    (request.group == Group::g1_secure && group == Group::g0);
  return asks && bank.ns_access(request.intid) >= 1;
}

void Core::send_sgi(unsigned sender, const SgiRequest& request) {
  for (unsigned cpu = 0; cpu < cpus(); ++cpu) {
    if (request.all_others) {
      if (cpu == sender) continue;
    } else {
      const std::uint32_t aff0 = affinity(cpu) & 0xff;
      if (affinity(cpu) >> 8 != request.cluster || aff0 > 15 || !(request.targets >> aff0 & 1)) {
        continue;
      }
    }
    if (!accepts_sgi(cpu, request)) continue;
    redistributor(cpu).bank().latch(1u << request.intid);
    private_changed(cpu);
  }
}

void Core::private_changed(unsigned cpu, bool reordered) {
  const std::uint32_t changed = redistributor(cpu).bank().refresh(distributor_->group_enables());
  if (changed || (reordered && redistributor(cpu).bank().ready())) rescan(cpu);
}

void Core::spis_changed(unsigned bank, bool reordered) {
  InterruptBank& spis = distributor_->bank(bank);
  std::uint32_t changed = spis.refresh(distributor_->group_enables());
  if (reordered) changed |= spis.ready();
  if (!changed) return;
  std::uint64_t affected = 0;
  gic::for_each_bit(changed, [&](unsigned n) {
    const std::uint32_t intid = 32 * (bank + 1) + n;
    affected |= distributor_->any_of_n(intid) ? ~0ull : distributor_->targets(intid);
  });
  for (unsigned cpu = 0; cpu < cpus(); ++cpu) {
    if (affected >> cpu & 1) rescan(cpu);
  }
}

void Core::everything_changed() {
  const GroupEnables enables = distributor_->group_enables();
  for (unsigned n = 0; n < distributor_->banks(); ++n) distributor_->bank(n).refresh(enables);
  for (unsigned cpu = 0; cpu < cpus(); ++cpu) redistributor(cpu).bank().refresh(enables);
  for (unsigned cpu = 0; cpu < cpus(); ++cpu) rescan(cpu);
}

void Core::participation_changed(unsigned cpu) {
  if (config_.one_of_n) {
    everything_changed();
  } else {
    rescan(cpu);
  }
}

// The architecture leaves the choice among participating CPUs open (IHI 0069 4.7.2); the lowest
// index keeps it a function of guest-visible state.
unsigned Core::elect(Group group) const {
  for (unsigned cpu = 0; cpu < cpus(); ++cpu) {
    if (!redistributors_[cpu]->asleep() && !redistributors_[cpu]->declines(group) &&
        cpu_interfaces_[cpu]->group_enabled(group)) {
      return cpu;
    }
  }
  return cpus();
}

// Highest priority first, then lowest INTID (IHI 0069 4.8).
void Core::rescan(unsigned cpu) {
  HighestPending best;
  const bool one_state = single_state();
  const auto consider = [&](const InterruptBank& bank, std::uint32_t first, unsigned n) {
    if (bank.priority(n) >= best.priority) return;
    const std::uint32_t intid = first + n;
    const Group group = bank.group(n, one_state);
    if (intid >= gic::kPrivateIntids && !(distributor_->targets(intid) >> cpu & 1) &&
        !(distributor_->any_of_n(intid) && elect(group) == cpu)) {
      return;
    }
    best = {intid, bank.priority(n), group};
  };
  if (!(config_.sleep_gates && redistributor(cpu).asleep())) {
    const InterruptBank& own = redistributor(cpu).bank();
    gic::for_each_bit(own.ready(), [&](unsigned n) { consider(own, 0, n); });
    for (unsigned b = 0; b < distributor_->banks(); ++b) {
      const InterruptBank& spis = distributor_->bank(b);
      gic::for_each_bit(spis.ready(), [&](unsigned n) { consider(spis, 32 * (b + 1), n); });
    }
  }
  cpu_interface(cpu).set_highest_pending(best);
}

}  // namespace gicv3

GicV3::GicV3(const GicV3Config& config, std::vector<CpuLines*> cpu_lines, Sink* sink)
    : core_(std::make_unique<gicv3::Core>(config, std::move(cpu_lines), sink)) {}

GicV3::~GicV3() = default;

Device& GicV3::distributor() {
  return core_->distributor();
}
Device& GicV3::redistributors() {
  return core_->redistributor_window();
}
SysRegPort& GicV3::cpu_interface(unsigned cpu) {
  return core_->cpu_interface(cpu);
}
Line& GicV3::spi(unsigned intid) {
  return core_->spi(intid);
}
Line& GicV3::ppi(unsigned cpu, unsigned intid) {
  return core_->ppi(cpu, intid);
}
void GicV3::reset() {
  core_->reset();
}

}  // namespace trapline
