#include "sim/trap/xen/domain.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>

#include "sim/trap/xen/backend_ports.h"
#include "sim/trap/xen/event_channels.h"
#include "sim/trap/xen/grant_table.h"
#include "sim/trap/xen/hypervisor.h"

namespace trapline::xen {

Domain::Domain(Hypervisor& hypervisor, const DomainConfig& config, DomainHost& host,
               DomainMemory& memory)
    : hypervisor_(hypervisor),
      config_(config),
      host_(host),
      physmap_(memory, config.ram, config.max_frames),
      vcpus_(config.vcpus),
      events_(std::make_unique<EventChannels>(*this)),
      grant_table_(std::make_unique<GrantTable>(*this)),
      backend_grants_(std::make_unique<BackendGrants>(*this)),
      backend_channels_(std::make_unique<BackendChannels>(*this)) {
  for (unsigned vcpu = 0; vcpu < vcpus_.size(); ++vcpu) {
    vcpus_[vcpu].state_entry = hypervisor_.now_ns();
    vcpus_[vcpu].poll_timer = std::make_unique<Wakeup>(hypervisor_.clock(), [this, vcpu] {
      if (!vcpus_[vcpu].polling) return;
      end_poll(vcpu);
      host_.wake(vcpu);
    });
  }
  for (Watchdog& watchdog : watchdogs_) {
    watchdog.timer = std::make_unique<Wakeup>(hypervisor_.clock(), [this] {
      shut_down(static_cast<std::uint8_t>(ShutdownReason::watchdog));
    });
  }
  write_wallclock();
}

Domain::~Domain() {
  grant_table_->release_mappings();
  events_.reset();
}

Grants& Domain::grants() {
  return *backend_grants_;
}
Channels& Domain::channels() {
  return *backend_channels_;
}

SharedInfo* Domain::shared_info() {
  return reinterpret_cast<SharedInfo*>(physmap_.bytes(shared_info_));
}

void Domain::shared_info_written(const void* field, std::size_t bytes) {
  const auto offset = static_cast<const std::uint8_t*>(field) - physmap_.bytes(shared_info_);
  physmap_.written(shared_info_, static_cast<std::size_t>(offset), bytes);
}

// Virtual time 0 is `epoch`: what is added to the time since start to get the wallclock. The
// version is even outside of updates, and this is the first.
void Domain::write_wallclock() {
  SharedInfo* shared = shared_info();
  const std::uint64_t seconds = hypervisor_.config().epoch;
  shared->wc_version = 2;
  shared->wc_sec = static_cast<std::uint32_t>(seconds);
  shared->wc_sec_hi = static_cast<std::uint32_t>(seconds >> 32);
  shared->wc_nsec = 0;
}

std::uint8_t* Domain::info_bytes(Vcpu& vcpu) {
  if (vcpu.info_gfn) {
    if (std::uint8_t* page = physmap_.own_page(*vcpu.info_gfn)) return page + vcpu.info_offset;
  } else if (&vcpu == &vcpus_.front()) {
    return physmap_.bytes(shared_info_) + offsetof(SharedInfo, vcpu_info);
  }
  return reinterpret_cast<std::uint8_t*>(&dummy_info_);
}

void Domain::info_written(Vcpu& vcpu, std::size_t offset, std::size_t bytes) {
  if (vcpu.info_gfn) {
    physmap_.written(*vcpu.info_gfn, vcpu.info_offset + offset, bytes);
  } else if (&vcpu == &vcpus_.front()) {
    physmap_.written(shared_info_, offsetof(SharedInfo, vcpu_info) + offset, bytes);
  }
}

VcpuInfo Domain::vcpu_info(unsigned vcpu) {
  VcpuInfo info;
  std::memcpy(&info, info_bytes(vcpus_[vcpu]), sizeof info);
  return info;
}

bool Domain::select_event_word(unsigned vcpu, unsigned bit) {
  std::uint8_t* bytes = info_bytes(vcpus_[vcpu]) + offsetof(VcpuInfo, evtchn_pending_sel);
  std::uint64_t selected;
  std::memcpy(&selected, bytes, sizeof selected);
  const std::uint64_t mask = std::uint64_t{1} << bit;
  if (selected & mask) return false;
  selected |= mask;
  std::memcpy(bytes, &selected, sizeof selected);
  info_written(vcpus_[vcpu], offsetof(VcpuInfo, evtchn_pending_sel), sizeof selected);
  return true;
}

void Domain::mark_events_pending(unsigned vcpu) {
  std::uint8_t* pending = info_bytes(vcpus_[vcpu]) + offsetof(VcpuInfo, evtchn_upcall_pending);
  const bool was_pending = *pending & 1;
  *pending |= 1;
  info_written(vcpus_[vcpu], offsetof(VcpuInfo, evtchn_upcall_pending), 1);
  if (!was_pending && host_.is_up(vcpu)) host_.raise_upcall(vcpu);
}

std::int64_t Domain::register_vcpu_info(unsigned caller, unsigned vcpu,
                                        const VcpuRegisterVcpuInfo& where) {
  if (where.offset > kPageBytes - sizeof(VcpuInfo)) return kEnxio;
  if (where.offset % alignof(VcpuInfo) != 0) return kEnxio;
  Vcpu& target = vcpus_[vcpu];
  if (target.info_gfn) return kEinval;
  if (vcpu != caller && host_.is_up(vcpu)) return kEinval;
  std::uint8_t* page = physmap_.own_page(where.mfn);
  if (!page) return kEinval;

  // A vCPU that had none starts with an empty one.
  VcpuInfo info{};
  if (vcpu == 0) info = vcpu_info(vcpu);
  target.info_gfn = where.mfn;
  target.info_offset = where.offset;
  info.evtchn_pending_sel = ~std::uint64_t{0};  // Nothing that came meanwhile may be lost.
  std::memcpy(page + where.offset, &info, sizeof info);
  info_written(target, 0, sizeof info);
  mark_events_pending(vcpu);
  return 0;
}

void Domain::vcpu_power(unsigned vcpu, bool on) {
  end_poll(vcpu);
  if (!on) set_run_state(vcpu, RunState::offline);
}

void Domain::raise_virq(unsigned vcpu, std::uint32_t virq) {
  events_->raise_virq(vcpu, virq);
}

void Domain::set_run_state(unsigned vcpu, RunState state) {
  Vcpu& target = vcpus_[vcpu];
  if (target.state == state) return;
  const std::uint64_t now = hypervisor_.now_ns();
  const bool switched = target.state == RunState::running || state == RunState::running;
  target.times[static_cast<unsigned>(target.state)] += now - target.state_entry;
  target.state_entry = now;
  target.state = state;
  if (switched && target.runstate_area != 0) write_runstate(vcpu);
}

VcpuRunstateInfo Domain::runstate(unsigned vcpu) const {
  const Vcpu& target = vcpus_[vcpu];
  VcpuRunstateInfo info{};
  info.state = static_cast<std::uint32_t>(target.state);
  info.state_entry_time = target.state_entry;
  std::copy(target.times.begin(), target.times.end(), info.time);
  return info;
}

// The area may have been unmapped since; then nothing is written.
void Domain::write_runstate(unsigned vcpu) {
  const VirtAddr area = vcpus_[vcpu].runstate_area;
  const VirtAddr entry_time = area + offsetof(VcpuRunstateInfo, state_entry_time);
  VcpuRunstateInfo info = runstate(vcpu);
  if (runstate_update_flag) {
    info.state_entry_time |= kRunstateUpdate;
    host_.write_virtual(vcpu, entry_time, &info.state_entry_time, sizeof info.state_entry_time);
  }
  host_.write_virtual(vcpu, area, &info, sizeof info);
  if (runstate_update_flag) {
    info.state_entry_time &= ~kRunstateUpdate;
    host_.write_virtual(vcpu, entry_time, &info.state_entry_time, sizeof info.state_entry_time);
  }
}

std::int64_t Domain::register_runstate(unsigned vcpu, VirtAddr area) {
  vcpus_[vcpu].runstate_area = area;
  return 0;
}

void Domain::begin_poll(unsigned vcpu, EventPort port, Time timeout) {
  vcpus_[vcpu].polling = true;
  vcpus_[vcpu].poll_port = port;
  vcpus_[vcpu].poll_timer->at(timeout);
}

void Domain::end_poll(unsigned vcpu) {
  if (!vcpus_[vcpu].polling) return;
  vcpus_[vcpu].polling = false;
  vcpus_[vcpu].poll_timer->cancel();
}

void Domain::check_pollers(EventPort port) {
  for (unsigned vcpu = 0; vcpu < vcpus_.size(); ++vcpu) {
    const Vcpu& target = vcpus_[vcpu];
    if (!target.polling || (target.poll_port != 0 && target.poll_port != port)) continue;
    end_poll(vcpu);
    host_.wake(vcpu);
  }
}

std::int64_t Domain::watchdog(std::uint32_t id, std::uint32_t seconds) {
  if (id > kWatchdogs) return kEinval;
  const Time limit = kNever - hypervisor_.clock().now();
  const Time delay =
      seconds > limit / kPicosecondsPerSecond ? limit : seconds * kPicosecondsPerSecond;
  const Time due = hypervisor_.clock().now() + delay;
  if (id == 0) {
    for (std::uint32_t index = 0; index < kWatchdogs; ++index) {
      if (watchdogs_[index].in_use) continue;
      watchdogs_[index].in_use = true;
      watchdogs_[index].timer->at(due);
      return index + 1;
    }
    // Real Xen loses the sign: the error is an unsigned int before it becomes X0.
    return static_cast<std::uint32_t>(kEnospc);
  }
  Watchdog& watchdog = watchdogs_[id - 1];
  if (!watchdog.in_use) return kEinval;
  watchdog.in_use = seconds != 0;
  watchdog.timer->at(seconds != 0 ? due : kNever);
  return 0;
}

void Domain::latch_shutdown_code(std::uint8_t reason) {
  if (!shutdown_code_) shutdown_code_ = reason;
}

void Domain::shut_down(std::uint8_t reason) {
  latch_shutdown_code(reason);
  if (shut_down_) return;
  shut_down_ = true;
  for (Watchdog& watchdog : watchdogs_) watchdog.timer->cancel();
  host_.shut_down(static_cast<ShutdownReason>(*shutdown_code_));
}

}  // namespace trapline::xen
