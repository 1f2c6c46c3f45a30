// The Xen ABI: what HVC #0xEA1 means, for every domain of a machine.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "sim/arch/xen_calls.h"
#include "sim/time/clock.h"
#include "sim/trap/xen/domain.h"
#include "sim/trap/xen/ports.h"

namespace trapline::xen {

/// What a guest can read of the hypervisor, and the choices of its build and command line; those of
/// Debian's 4.17 if nothing is said.
struct HypervisorConfig {
  unsigned major = 4;
  unsigned minor = 17;
  std::string extra_version = ".5";
  std::string compiler = "trapline";
  std::string compile_by = "trapline";
  std::string compile_domain = "trapline";
  std::string compile_date = "2024-01-01";
  std::string changeset{};
  std::string capabilities = "xen-3.0-aarch64 xen-3.0-armv7l ";
  /// Wallclock at virtual time 0, seconds since 1970.
  std::uint64_t epoch = 1'704'067'200;
  /// XSM's SILO policy: domains may speak with domain 0 and with nobody else.
  bool silo = true;
  /// There is a domain 0 (the backends). Otherwise calls that name it find no such domain.
  bool has_domain_0 = true;
  /// gnttab_max_frames, gnttab_max_maptrack_frames.
  unsigned max_grant_frames = 64;
  unsigned max_maptrack_frames = 1024;
  /// XENMEM_maximum_ram_page: frames of the host, one more than the last.
  std::uint64_t max_page = 0x1'0000;
};

/// How a vCPU goes on after a hypercall. The registers are final in any case.
enum class Outcome : std::uint8_t {
  done,   ///< Behind the HVC, with the result in X0.
  again,  ///< Preempted: the HVC is executed once more, after interrupts had their chance. X0 to
          ///< X16 hold the rest of the work.
  wait,   ///< As done, and the vCPU waits for an interrupt (as WFI) or for DomainHost::wake().
  yield,  ///< As done, and somebody else may have the physical CPU.
  stop,   ///< The domain is shut down; the vCPU executes nothing more.
};

class Call;

class Hypervisor {
 public:
  /// A message for the user: once for each kind, naming domain, vCPU and PC.
  using Log = std::function<void(const std::string& message)>;

  /// `clock` must outlive it. Without a log, messages go to spdlog as warnings.
  Hypervisor(Clock& clock, HypervisorConfig config, Log log = {});
  ~Hypervisor();

  /// Throws std::invalid_argument for an identifier that is 0, in use or reserved, or for a count
  /// of vCPUs that is 0 or above kMaxVcpus. `host` and `memory` must outlive the domain:
  /// remove_domain() uses them.
  Domain& add_domain(const DomainConfig& config, DomainHost& host, DomainMemory& memory);
  /// Closes its event channels and gives back what it mapped, and what others mapped of it. Its
  /// Grants' pages must be gone.
  void remove_domain(DomId id);
  /// The toolstack destroyed the domain, which has stopped: it gives back what it mapped, its event
  /// channels to others are closed, and guests do not find it any more. What others mapped of it
  /// stays until they unmap it, and its back ends until remove_domain().
  void end_domain(DomId id);
  /// As a guest finds it; nullptr if there is none.
  Domain* find(DomId id);
  /// Also one that has ended, for what is still mapped of it.
  Domain* find_or_ended(DomId id);

  /// Carries out HVC #0xEA1 of a vCPU: the number in X16, arguments in X0 to X4.
  Outcome hypercall(Domain& domain, unsigned vcpu, std::array<std::uint64_t, 18>& x);

  const HypervisorConfig& config() const { return config_; }
  Clock& clock() { return clock_; }
  /// NOW() of Xen: nanoseconds of virtual time.
  std::uint64_t now_ns() const { return clock_.now() / 1000; }
  /// The policy lets the two domains communicate.
  bool may_speak(const Domain& a, const Domain& b) const {
    return !config_.silo || a.id() == b.id() || a.id() == kBackendDomain ||
           b.id() == kBackendDomain;
  }
  /// Where the backends live, whether guests can find it or not.
  Domain& backend_domain() { return *domains_.at(kBackendDomain); }
  /// Says `message` once, with who made the call and where.
  void say_once(Domain& domain, unsigned vcpu, const std::string& message);

 private:
  class NoMachine;

  Clock& clock_;
  HypervisorConfig config_;
  Log log_;
  std::set<std::string> said_;
  std::unique_ptr<NoMachine> no_machine_;
  std::map<DomId, std::unique_ptr<Domain>> domains_;
};

}  // namespace trapline::xen
