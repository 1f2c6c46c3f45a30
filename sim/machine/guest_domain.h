// A domain of which the simulator is the hypervisor: its machine on one side, the Xen ABI and the
// PV back ends on the other.
#pragma once

#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/uart/character_port.h"
#include "sim/cpu/scheduler.h"
#include "sim/machine/frame_sharing.h"
#include "sim/machine/instance.h"
#include "sim/machine/mpu_layer.h"
#include "sim/trap/xen/block_backend.h"
#include "sim/trap/xen/console_backend.h"
#include "sim/trap/xen/domain.h"
#include "sim/trap/xen/hypervisor.h"
#include "sim/trap/xen/net_backend.h"
#include "sim/trap/xen/net_switch.h"
#include "sim/trap/xen/xenstore.h"
#include "sim/trap/xen/xenstore_ring.h"

namespace trapline {

/// What the domains of one machine share: the hypervisor, xenstored, the bridges and what they map
/// of one another.
struct XenLayer {
  XenLayer(Clock& clock, const xen::HypervisorConfig& config)
      : hypervisor(clock, config), store(clock) {}
  xen::NetSwitch& bridge(const std::string& name);

  xen::Hypervisor hypervisor;
  xen::XenstoreServer store;
  FrameSharing sharing;
  std::map<std::string, std::unique_ptr<xen::NetSwitch>> bridges;
};

class GuestDomain final : private xen::DomainHost, private xen::DomainMemory, private TrapPort {
 public:
  /// `woken` is told of CPUs, by their number in the machine, that stop waiting.
  GuestDomain(const DomainSpec& spec, xen::DomId id, Instance& board, XenLayer& layer,
              CharacterPort& console, std::function<void(unsigned cpu)> woken);
  ~GuestDomain() override;
  GuestDomain(const GuestDomain&) = delete;
  GuestDomain& operator=(const GuestDomain&) = delete;

  Instance& board() { return board_; }
  /// A byte for the console; false: there is no room yet.
  bool receive(std::uint8_t byte);
  void set_activity(unsigned vcpu, CpuActivity activity);
  /// The physical CPU's MPU is given this domain's regions in place of those of `before`, which
  /// may be null. Returns the cycles that takes.
  std::uint64_t load_regions(unsigned vcpu, const GuestDomain* before);
  /// As the toolstack destroys a domain that has stopped: whoever watches xenstore learns of it,
  /// and what it mapped of others is theirs again.
  void ended();
  /// The end of the run.
  void flush();

 private:
  // TrapPort
  CallResult call(Conduit conduit, std::uint16_t immediate, unsigned cpu,
                  std::array<std::uint64_t, 18>& x) override;
  bool semihosting(unsigned, std::uint64_t&, std::uint64_t) override { return false; }
  void trapped(unsigned cpu, const El2Trap& trap) override;

  // xen::DomainMemory
  std::uint8_t* frame(xen::Gfn gfn) override;
  void written(xen::Gfn gfn, std::size_t offset, std::size_t bytes) override;
  bool map(xen::Gfn gfn, std::uint8_t* page, bool writable) override;
  void unmap(xen::Gfn gfn) override;
  void renew(xen::Gfn gfn) override;
  std::uint8_t* own_frame(xen::Gfn gfn) override { return domain_->physmap().own_page(gfn); }

  // xen::DomainHost
  bool read_virtual(unsigned vcpu, std::uint64_t va, void* to, std::size_t bytes) override {
    return cpu(vcpu).read_memory(va, to, bytes);
  }
  bool write_virtual(unsigned vcpu, std::uint64_t va, const void* from,
                     std::size_t bytes) override {
    return cpu(vcpu).write_memory(va, from, bytes);
  }
  std::uint64_t pc(unsigned vcpu) const override { return cpu(vcpu).pc(); }
  void raise_upcall(unsigned vcpu) override;
  bool is_up(unsigned vcpu) const override { return cpu(vcpu).powered(); }
  bool interrupt_deliverable(unsigned vcpu) const override {
    return cpu(vcpu).interrupt_deliverable();
  }
  void unmask_interrupts(unsigned vcpu) override { cpu(vcpu).unmask_interrupts(); }
  void wake(unsigned vcpu) override;
  void shut_down(xen::ShutdownReason reason) override;
  void console_line(const char* text, std::size_t length) override;

  void host_refused(const std::exception& error);
  Cpu& cpu(unsigned vcpu) const { return board_.cpus().cpu(vcpu); }
  void connect_rings();
  void add_devices();

  const DomainSpec& spec_;
  Instance& board_;
  XenLayer& layer_;
  CharacterPort& console_port_;
  std::function<void(unsigned)> woken_;
  xen::Domain* domain_ = nullptr;
  std::optional<MpuLayerPlan> mpu_;
  std::vector<MemoryRange> memory_;  ///< The domain's, of an MPU machine's.
  bool leaving_ = false;  ///< The run is over.
  std::unique_ptr<xen::XenstoreRing> store_ring_;
  std::unique_ptr<xen::ConsoleBackend> console_;
  std::vector<std::unique_ptr<xen::XenbusBackend>> devices_;
};

}  // namespace trapline
