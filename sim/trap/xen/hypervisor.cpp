#include "sim/trap/xen/hypervisor.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <utility>

#include "sim/trap/xen/call.h"
#include "sim/trap/xen/event_channels.h"
#include "sim/trap/xen/grant_table.h"
#include "sim/trap/xen/hypercall_table.h"

namespace trapline::xen {
namespace {

constexpr std::size_t kMostMessages = 64;

}  // namespace

/// The backends' domain has neither CPUs nor memory.
class Hypervisor::NoMachine final : public DomainHost, public DomainMemory {
 public:
  std::uint8_t* frame(Gfn) override { return nullptr; }
  void written(Gfn, std::size_t, std::size_t) override {}
  bool read_virtual(unsigned, std::uint64_t, void*, std::size_t) override { return false; }
  bool write_virtual(unsigned, std::uint64_t, const void*, std::size_t) override { return false; }
  std::uint64_t pc(unsigned) const override { return 0; }
  void raise_upcall(unsigned) override {}
  bool is_up(unsigned) const override { return false; }
  bool interrupt_deliverable(unsigned) const override { return false; }
  void unmask_interrupts(unsigned) override {}
  void wake(unsigned) override {}
  void shut_down(ShutdownReason) override {}
  void console_line(const char*, std::size_t) override {}
};

Hypervisor::Hypervisor(Clock& clock, HypervisorConfig config, Log log)
    : clock_(clock),
      config_(std::move(config)),
      log_(std::move(log)),
      no_machine_(std::make_unique<NoMachine>()) {
  DomainConfig backends;
  backends.id = kBackendDomain;
  backends.max_event_port = kTwoLevelPorts - 1;
  domains_[kBackendDomain] = std::make_unique<Domain>(*this, backends, *no_machine_, *no_machine_);
}

Hypervisor::~Hypervisor() {
  // Domains look each other up while they go.
  while (!domains_.empty()) remove_domain(domains_.rbegin()->first);
}

Domain& Hypervisor::add_domain(const DomainConfig& config, DomainHost& host, DomainMemory& memory) {
  if (config.id == kBackendDomain || config.id >= kDomIdFirstReserved ||
      domains_.count(config.id) != 0) {
    throw std::invalid_argument("domain " + std::to_string(config.id) +
                                ": the identifier is taken; use one from 1 to 32751");
  }
  if (config.vcpus == 0 || config.vcpus > kMaxVcpus) {
    throw std::invalid_argument("domain " + std::to_string(config.id) + ": " +
                                std::to_string(config.vcpus) + " vCPUs; use 1 to 128");
  }
  std::unique_ptr<Domain>& domain = domains_[config.id];
  domain = std::make_unique<Domain>(*this, config, host, memory);
  return *domain;
}

void Hypervisor::remove_domain(DomId id) {
  const auto found = domains_.find(id);
  if (found == domains_.end()) return;
  for (const auto& [other, domain] : domains_) {
    if (other != id) domain->grant_table().forget_mappings_of(id);
  }
  found->second->grant_table().release_mappings();
  // Nobody finds it any more while it goes.
  const std::unique_ptr<Domain> domain = std::move(found->second);
  domains_.erase(found);
}

void Hypervisor::end_domain(DomId id) {
  Domain* domain = find(id);
  if (!domain) return;
  domain->set_ended();
  domain->grant_table().release_mappings();
  domain->events().close_to_domains();
}

Domain* Hypervisor::find(DomId id) {
  Domain* domain = find_or_ended(id);
  return domain && domain->has_ended() ? nullptr : domain;
}

Domain* Hypervisor::find_or_ended(DomId id) {
  if (id == kBackendDomain && !config_.has_domain_0) return nullptr;
  const auto found = domains_.find(id);
  return found == domains_.end() ? nullptr : found->second.get();
}

Outcome Hypervisor::hypercall(Domain& domain, unsigned vcpu, std::array<std::uint64_t, 18>& x) {
  domain.end_poll(vcpu);
  Call call(*this, domain, vcpu, {x[0], x[1], x[2], x[3], x[4]});
  const std::int64_t result = dispatch(call, x[16]);
  if (call.outcome == Outcome::stop) return Outcome::stop;
  if (call.continued) {
    std::copy(call.args.begin(), call.args.end(), x.begin());
    return Outcome::again;
  }
  x[0] = static_cast<std::uint64_t>(result);
  return call.outcome;
}

void Hypervisor::say_once(Domain& domain, unsigned vcpu, const std::string& message) {
  // Bounded, because a guest can make up as many calls as it likes.
  const std::string kind = std::to_string(domain.id()) + message;
  if (said_.size() >= kMostMessages || !said_.insert(kind).second) return;
  char where[64];
  std::snprintf(where, sizeof where, "d%uv%u at PC %#llx: ", domain.id(), vcpu,
                static_cast<unsigned long long>(domain.host().pc(vcpu)));
  if (log_) {
    log_(where + message);
  } else {
    spdlog::warn("{}{}", where, message);
  }
}

}  // namespace trapline::xen
