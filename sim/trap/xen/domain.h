// One domain as the Xen ABI knows it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/time/clock.h"
#include "sim/trap/xen/abi.h"
#include "sim/trap/xen/physmap.h"
#include "sim/trap/xen/ports.h"

namespace trapline::xen {

class EventChannels;
class GrantTable;
class Hypervisor;

inline constexpr unsigned kMaxVcpus = 128;  ///< GUEST_MAX_VCPUS.

/// HVM_PARAM_* (hvm/params.h) that exist on Arm.
enum class HvmParam : unsigned {
  callback_irq = 0,
  store_pfn = 1,
  store_evtchn = 2,
  console_pfn = 17,
  console_evtchn = 18,
  monitor_ring_pfn = 28,
};
inline constexpr unsigned kHvmParams = 39;

struct DomainConfig {
  DomId id = 1;
  unsigned vcpus = 1;
  std::array<std::uint8_t, 16> uuid{};
  /// The frames it was built with. DomainMemory has bytes for each.
  std::vector<FrameRange> ram{};
  /// How many it may have (XENMEM_maximum_reservation); at least those it was built with.
  std::uint64_t max_frames = 0;
  bool direct_mapped = false;
  /// May use CONSOLEIO_*, as domains that Xen builds itself may.
  bool console_io = true;
  /// Highest event port it may use.
  EventPort max_event_port = 1023;
};

/// What a vCPU does, for VCPUOP_register_runstate_memory_area (vcpu.h, RUNSTATE_*).
enum class RunState : std::uint8_t { running = 0, runnable = 1, blocked = 2, offline = 3 };

class Domain {
 public:
  Domain(Hypervisor& hypervisor, const DomainConfig& config, DomainHost& host,
         DomainMemory& memory);
  ~Domain();
  Domain(const Domain&) = delete;
  Domain& operator=(const Domain&) = delete;

  DomId id() const { return config_.id; }
  const DomainConfig& config() const { return config_; }
  unsigned vcpus() const { return config_.vcpus; }

  // For the backends.
  Grants& grants();
  Channels& channels();

  std::uint64_t param(HvmParam index) const { return params_[static_cast<unsigned>(index)]; }
  void set_param(HvmParam index, std::uint64_t value) {
    params_[static_cast<unsigned>(index)] = value;
  }

  /// The machine says what a vCPU does from now on; the times add up to the runstate area. Every
  /// vCPU starts offline.
  void set_run_state(unsigned vcpu, RunState state);
  /// PSCI switched a vCPU on or off.
  void vcpu_power(unsigned vcpu, bool on);
  /// Raises a VIRQ that the domain bound; vCPU 0's for a global one.
  void raise_virq(unsigned vcpu, std::uint32_t virq);
  bool is_shut_down() const { return shut_down_; }
  /// Hypervisor::end_domain().
  bool has_ended() const { return ended_; }
  void set_ended() { ended_ = true; }

  // What follows is for the hypercalls.
  DomainHost& host() { return host_; }
  Hypervisor& hypervisor() { return hypervisor_; }
  Physmap& physmap() { return physmap_; }
  EventChannels& events() { return *events_; }
  GrantTable& grant_table() { return *grant_table_; }

  SharedPage& shared_info_page() { return shared_info_; }
  SharedInfo* shared_info();
  /// After the field, which lies in *shared_info(), was changed.
  void shared_info_written(const void* field, std::size_t bytes);

  /// A copy of a vCPU's vcpu_info.
  VcpuInfo vcpu_info(unsigned vcpu);
  /// VCPUOP_register_vcpu_info.
  std::int64_t register_vcpu_info(unsigned caller, unsigned vcpu,
                                  const VcpuRegisterVcpuInfo& where);
  std::int64_t register_runstate(unsigned vcpu, VirtAddr area);
  VcpuRunstateInfo runstate(unsigned vcpu) const;
  bool runstate_update_flag = false;  ///< VMASST_TYPE_runstate_update_flag.

  /// Sets a bit of evtchn_pending_sel; true if it was clear.
  bool select_event_word(unsigned vcpu, unsigned bit);
  /// evtchn_upcall_pending becomes set; where it was clear, the interrupt is raised.
  void mark_events_pending(unsigned vcpu);

  /// SCHEDOP_poll: the vCPU is about to wait for `port` (0: for any) until `timeout` (kNever: for
  /// good).
  void begin_poll(unsigned vcpu, EventPort port, Time timeout);
  /// The vCPU runs: it polls no more.
  void end_poll(unsigned vcpu);
  /// An event was raised: wakes whoever polls for it.
  void check_pollers(EventPort port);

  /// SCHEDOP_watchdog.
  std::int64_t watchdog(std::uint32_t id, std::uint32_t seconds);
  /// SCHEDOP_shutdown_code: the reason of the first shutdown, whatever that says.
  void latch_shutdown_code(std::uint8_t reason);
  void shut_down(std::uint8_t reason);

  /// What CONSOLEIO_write has not ended with a newline yet.
  std::string& console_buffer() { return console_buffer_; }

 private:
  class BackendGrants;
  class BackendChannels;
  struct Vcpu {
    std::optional<Gfn> info_gfn;  ///< Where VCPUOP_register_vcpu_info put the vcpu_info.
    unsigned info_offset = 0;
    VirtAddr runstate_area = 0;
    RunState state = RunState::offline;
    std::uint64_t state_entry = 0;
    std::array<std::uint64_t, 4> times{};
    bool polling = false;
    EventPort poll_port = 0;
    std::unique_ptr<Wakeup> poll_timer;
  };

  std::uint8_t* info_bytes(Vcpu& vcpu);
  void info_written(Vcpu& vcpu, std::size_t offset, std::size_t bytes);
  void write_wallclock();
  void write_runstate(unsigned vcpu);

  static constexpr unsigned kWatchdogs = 2;  // NR_DOMAIN_WATCHDOG_TIMERS.
  struct Watchdog {
    bool in_use = false;
    std::unique_ptr<Wakeup> timer;
  };

  Hypervisor& hypervisor_;
  DomainConfig config_;
  DomainHost& host_;
  Physmap physmap_;
  std::array<std::uint64_t, kHvmParams> params_{};
  SharedPage shared_info_;
  VcpuInfo dummy_info_{};  // Of the vCPUs that registered none (dummy_vcpu_info).
  std::vector<Vcpu> vcpus_;
  std::unique_ptr<EventChannels> events_;
  std::unique_ptr<GrantTable> grant_table_;
  std::unique_ptr<BackendGrants> backend_grants_;
  std::unique_ptr<BackendChannels> backend_channels_;
  std::array<Watchdog, kWatchdogs> watchdogs_;
  std::optional<std::uint8_t> shutdown_code_;
  bool shut_down_ = false;
  bool ended_ = false;
  std::string console_buffer_;
};

}  // namespace trapline::xen
