#include "sim/machine/guest_domain.h"

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <utility>

#include <spdlog/spdlog.h>

#include "sim/arch/esr.h"
#include "sim/machine/image_error.h"
#include "sim/machine/xen_domain.h"

namespace trapline {

xen::NetSwitch& XenLayer::bridge(const std::string& name) {
  std::unique_ptr<xen::NetSwitch>& found = bridges[name];
  if (!found) found = std::make_unique<xen::NetSwitch>(store.clock(), name);
  return *found;
}

GuestDomain::GuestDomain(const DomainSpec& spec, xen::DomId id, Instance& board, XenLayer& layer,
                         CharacterPort& console, std::function<void(unsigned)> woken)
    : spec_(spec), board_(board), layer_(layer), console_port_(console), woken_(std::move(woken)) {
  const DomainMap& map = *board.config().domain_map;
  xen::DomainConfig config;
  config.id = id;
  config.direct_mapped = map.mpu;
  config.vcpus = board.cpus().count();
  for (const MemoryRange& bank : map.ram) {
    config.ram.push_back({bank.base >> xen::kPageBits, bank.size >> xen::kPageBits});
  }
  if (map.magic) {
    config.ram.insert(config.ram.begin(),
                      {map.magic->base >> xen::kPageBits, map.magic->size >> xen::kPageBits});
  }
  for (const xen::FrameRange& range : config.ram) config.max_frames += range.count;
  config.uuid.back() = static_cast<std::uint8_t>(id);
  domain_ = &layer.hypervisor.add_domain(config, *this, *this);
  board.answer_hypercalls(xen::kHypercallTag, *this);
  board.on_power([this](unsigned vcpu, bool on) {
    domain_->vcpu_power(vcpu, on);
    if (on && mpu_) start_mpu_layer(cpu(vcpu), *mpu_);
  });
  if (map.mpu) {
    mpu_ = MpuLayerPlan{mpu_domain_regions(map), map.vmsa, id};
    memory_ = map.memory();
  } else {
    layer.sharing.add(board.bus(), board.cpus());
  }
  if (map.magic) {
    connect_rings();
    add_devices();
  }
}

GuestDomain::~GuestDomain() {
  leaving_ = true;
  devices_.clear();
  console_.reset();
  store_ring_.reset();
  layer_.hypervisor.remove_domain(domain_->id());
}

/// As the toolstack does it (xc_dom_arm.c, libxl_dom.c).
void GuestDomain::connect_rings() {
  using xen::HvmParam;
  const xen::Gfn magic = board_.config().domain_map->magic->base >> xen::kPageBits;
  const xen::Gfn console_gfn = magic, store_gfn = magic + 1;
  xen::DomainMemory& memory = *this;
  store_ring_ = std::make_unique<xen::XenstoreRing>(layer_.store, domain_->id(), memory, store_gfn,
                                                    domain_->channels());
  console_ =
      std::make_unique<xen::ConsoleBackend>(memory, console_gfn, domain_->channels(), console_port_,
                                            &board_.events(), domain_->id() - 1u);
  domain_->set_param(HvmParam::store_pfn, store_gfn);
  domain_->set_param(HvmParam::store_evtchn, store_ring_->port());
  domain_->set_param(HvmParam::console_pfn, console_gfn);
  domain_->set_param(HvmParam::console_evtchn, console_->port());
  xen::DomainNodes nodes;
  nodes.id = domain_->id();
  nodes.name = spec_.name;
  nodes.memory_kb = *board_.config().ram_bytes / 1024;
  nodes.vcpus = board_.cpus().count();
  nodes.store_gfn = store_gfn;
  nodes.store_port = store_ring_->port();
  xen::write_domain_nodes(layer_.store, nodes);
  xen::write_console_nodes(layer_.store, domain_->id(), console_gfn, console_->port());
}

void GuestDomain::add_devices() {
  const xen::GuestPorts ports{domain_->id(), domain_->grants(), domain_->channels()};
  unsigned number = 0;
  for (const DiskSpec& disk : spec_.disks) {
    try {
      std::unique_ptr<xen::BlockImage> image;
      if (disk.path.empty()) {
        image = std::make_unique<xen::SnapshotImage>(disk.bytes);
      } else if (disk.write_through) {
        image = std::make_unique<xen::WriteThroughImage>(xen::open_block_file(disk.path, true));
      } else {
        image = std::make_unique<xen::SnapshotImage>(xen::open_block_file(disk.path, false));
      }
      xen::BlockOptions options;
      options.number = number++;
      options.read_only = disk.read_only;
      options.path = disk.path.substr(disk.path.rfind('/') + 1);
      devices_.push_back(
          std::make_unique<xen::BlockBackend>(ports, layer_.store, std::move(image), options));
    } catch (const std::exception& error) {
      throw ImageError("", "domain \"" + spec_.name + "\": " + error.what());
    }
  }
  number = 0;
  for (const NetSpec& net : spec_.nets) {
    xen::NetOptions options;
    options.device = number++;
    if (!net.mac.empty()) options.mac = xen::parse_mac_address(net.mac);
    devices_.push_back(
        std::make_unique<xen::NetBackend>(ports, layer_.store, layer_.bridge(net.bridge), options));
  }
}

CallResult GuestDomain::call(Conduit, std::uint16_t, unsigned cpu,
                             std::array<std::uint64_t, 18>& x) {
  switch (layer_.hypervisor.hypercall(*domain_, cpu, x)) {
    case xen::Outcome::again:
      return CallResult::again;
    case xen::Outcome::wait:
      return CallResult::wait;
    case xen::Outcome::yield:
      return CallResult::yield;
    case xen::Outcome::done:
    case xen::Outcome::stop:  // The CPU has no power any more.
      break;
  }
  return CallResult::done;
}

std::uint64_t GuestDomain::load_regions(unsigned vcpu, const GuestDomain* before) {
  if (!mpu_) return 0;
  const unsigned had = before && before->mpu_ ? before->mpu_->regions() : mpu_->regions();
  unsigned registers = load_domain_regions(cpu(vcpu), *mpu_, had);
  // EL1's MPU is the domain's that runs: saved with it, and loaded.
  const unsigned el1 = kRegistersPerMpuRegion * cpu(vcpu).config().mpu.el1_regions;
  if (before && !before->mpu_->vmsa) registers += el1;
  if (!mpu_->vmsa) registers += el1;
  return kCyclesPerMpuRegister * registers;
}

/// There is nothing at EL2 that a guest may reach, so whatever trapped is a trespass.
void GuestDomain::trapped(unsigned vcpu, const El2Trap& trap) {
  char text[200];
  std::snprintf(
      text, sizeof text,
      "killed: %s at PC 0x%llx of vCPU %u, address 0x%llx (IPA page 0x%llx), ESR 0x%llx",
      std::string(esr::class_name(static_cast<unsigned>(trap.esr >> 26 & 0x3f))).c_str(),
      static_cast<unsigned long long>(trap.pc), vcpu, static_cast<unsigned long long>(trap.far),
      static_cast<unsigned long long>(trap.ipa), static_cast<unsigned long long>(trap.esr));
  spdlog::warn("domain {}: {}", spec_.name, text);
  board_.end(ExitReason::stuck, 0, text);
}

std::uint8_t* GuestDomain::frame(xen::Gfn gfn) {
  const PhysAddr pa = gfn << xen::kPageBits;
  if (pa >> xen::kPageBits != gfn) return nullptr;
  if (mpu_ && std::none_of(memory_.begin(), memory_.end(), [&](const MemoryRange& bank) {
        return bank.contains({pa, xen::kPageBytes});
      })) {
    return nullptr;  // Another domain's.
  }
  Ram* ram = board_.bus().ram_at(pa);
  return ram && ram->contains(pa, xen::kPageBytes) ? ram->host(pa) : nullptr;
}

void GuestDomain::written(xen::Gfn gfn, std::size_t offset, std::size_t bytes) {
  board_.cpus().memory_written((gfn << xen::kPageBits) + offset, bytes);
}

/// Without translation a frame has the one address.
bool GuestDomain::map(xen::Gfn gfn, std::uint8_t* page, bool writable) {
  std::uint8_t* const at = mpu_ ? nullptr : frame(gfn);
  if (!at) return false;
  try {
    return layer_.sharing.map(at, page, writable);
  } catch (const std::exception& error) {
    host_refused(error);
    return false;
  }
}

void GuestDomain::unmap(xen::Gfn gfn) {
  try {
    if (std::uint8_t* const at = frame(gfn)) layer_.sharing.unmap(at);
  } catch (const std::exception& error) {
    host_refused(error);
  }
}

void GuestDomain::renew(xen::Gfn gfn) {
  try {
    if (std::uint8_t* const at = frame(gfn)) layer_.sharing.renew(at);
  } catch (const std::exception& error) {
    host_refused(error);
  }
}

/// What follows would depend on the host.
void GuestDomain::host_refused(const std::exception& error) {
  spdlog::error("domain {}: {}", spec_.name, error.what());
  if (!leaving_) board_.end(ExitReason::stuck, 0, error.what());
}

void GuestDomain::ended() {
  layer_.hypervisor.end_domain(domain_->id());
  layer_.store.shut_down(domain_->id());
}

void GuestDomain::raise_upcall(unsigned vcpu) {
  board_.board().pend(vcpu, xen_guest::kEventChannel);
}

void GuestDomain::wake(unsigned vcpu) {
  cpu(vcpu).wake();
  woken_(board_.first_cpu() + vcpu);
}

void GuestDomain::shut_down(xen::ShutdownReason reason) {
  switch (reason) {
    case xen::ShutdownReason::poweroff:
      return board_.end(ExitReason::power_off);
    case xen::ShutdownReason::reboot:
      return board_.end(ExitReason::reset);
    case xen::ShutdownReason::suspend:
      return board_.end(ExitReason::stuck, 0, "the domain suspended itself; nobody will resume it");
    case xen::ShutdownReason::watchdog:
      return board_.end(ExitReason::stuck, 0, "the domain's watchdog ended it");
    case xen::ShutdownReason::crash:
    case xen::ShutdownReason::soft_reset:
      break;
  }
  board_.end(ExitReason::stuck, 0, "the domain says that it crashed");
}

/// As Xen's console shows what a domain writes: under the domain's name.
void GuestDomain::console_line(const char* text, std::size_t length) {
  const std::string line = "(d" + std::to_string(domain_->id()) + ") " + std::string(text, length);
  for (const char c : line) console_port_.transmit(static_cast<std::uint8_t>(c));
  console_port_.transmit('\n');
  Event event;
  event.kind = EventKind::uart_line;
  event.a = domain_->id() - 1u;
  event.text = line;
  board_.events().on_event(event);
}

bool GuestDomain::receive(std::uint8_t byte) {
  if (!spec_.input_to_vpl011 && console_) return console_->receive(byte);
  std::deque<Pl011>& uarts = board_.board().uarts();
  return !uarts.empty() && uarts.front().receive(byte);
}

void GuestDomain::set_activity(unsigned vcpu, CpuActivity activity) {
  static constexpr xen::RunState kStates[] = {xen::RunState::offline, xen::RunState::blocked,
                                              xen::RunState::runnable, xen::RunState::running};
  domain_->set_run_state(vcpu, kStates[static_cast<unsigned>(activity)]);
}

void GuestDomain::flush() {
  if (console_) console_->flush();
  for (Pl011& uart : board_.board().uarts()) uart.flush();
}

}  // namespace trapline
