#include "sim/trap/xen/backend_ports.h"

#include <utility>

#include "sim/trap/xen/event_channels.h"
#include "sim/trap/xen/grant_table.h"
#include "sim/trap/xen/hypervisor.h"

namespace trapline::xen {
namespace {

class MappedGrant final : public GrantedPage {
 public:
  MappedGrant(Domain& domain, GrantRef ref, bool writable)
      : domain_(domain), ref_(ref), writable_(writable), page_(domain.grant_table().page(ref)) {}
  ~MappedGrant() override { domain_.grant_table().release(ref_, !writable_); }

  // The domain may have given the page away since, or mapped another over it. Then the backend
  // works on one that nobody sees.
  std::uint8_t* bytes() override { return domain_.physmap().bytes(*page_); }
  void written(std::size_t offset, std::size_t bytes) override {
    domain_.physmap().written(*page_, offset, bytes);
  }

 private:
  Domain& domain_;
  GrantRef ref_;
  bool writable_;
  std::shared_ptr<PinnedPage> page_;
};

/// A port of the backends' domain.
class BackendEnd final : public BackendChannel {
 public:
  BackendEnd(EventChannels& backends, EventPort port) : backends_(backends), port_(port) {}
  ~BackendEnd() override { backends_.close(port_, false); }
  void notify() override { backends_.notify(port_); }

 private:
  EventChannels& backends_;
  EventPort port_;
};

}  // namespace

std::unique_ptr<GrantedPage> Domain::BackendGrants::map(GrantRef ref, bool writable) {
  const GrantStatus status = domain_.grant_table().acquire(ref, kBackendDomain, !writable, true);
  if (status != GrantStatus::okay) return nullptr;
  return std::make_unique<MappedGrant>(domain_, ref, writable);
}

std::unique_ptr<BackendChannel> Domain::BackendChannels::bind(EventPort port,
                                                              std::function<void()> on_event) {
  EventChannels& backends = domain_.hypervisor().backend_domain().events();
  EventPort local = 0;
  if (backends.bind_interdomain(domain_, port, local) != 0) return nullptr;
  // A port without a consumer is one whose events go into memory that the backends do not have.
  if (!on_event) on_event = [] {};
  backends.set_consumer(local, std::move(on_event));
  return std::make_unique<BackendEnd>(backends, local);
}

std::unique_ptr<BackendChannel> Domain::BackendChannels::allocate(std::function<void()> on_event,
                                                                  EventPort& port) {
  if (domain_.events().alloc_unbound(kBackendDomain, port) != 0) return nullptr;
  return bind(port, std::move(on_event));
}

}  // namespace trapline::xen
