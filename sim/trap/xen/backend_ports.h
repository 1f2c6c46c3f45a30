// Grants and Channels of ports.h, over a domain's tables.
#pragma once

#include "sim/trap/xen/domain.h"

namespace trapline::xen {

class Domain::BackendGrants final : public Grants {
 public:
  explicit BackendGrants(Domain& domain) : domain_(domain) {}
  std::unique_ptr<GrantedPage> map(GrantRef ref, bool writable) override;

 private:
  Domain& domain_;
};

class Domain::BackendChannels final : public Channels {
 public:
  explicit BackendChannels(Domain& domain) : domain_(domain) {}
  std::unique_ptr<BackendChannel> bind(EventPort port, std::function<void()> on_event) override;
  std::unique_ptr<BackendChannel> allocate(std::function<void()> on_event,
                                           EventPort& port) override;

 private:
  Domain& domain_;
};

}  // namespace trapline::xen
