// What the parts of the Xen layer know of one another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "sim/arch/types.h"

namespace trapline::xen {

using DomId = std::uint16_t;
inline constexpr DomId kDomIdSelf = 0x7ff0;     ///< DOMID_SELF (xen.h).
inline constexpr DomId kBackendDomain = 0;      ///< The simulator's own backends answer as domain 0.

using GrantRef = std::uint32_t;
using EventPort = std::uint32_t;
using Gfn = std::uint64_t;  ///< Guest frame number: guest physical address >> 12.

inline constexpr unsigned kPageBits = 12;
inline constexpr std::size_t kPageBytes = std::size_t{1} << kPageBits;

/// The guest physical memory of one domain, a 4 KiB frame at a time. It is one and the same memory
/// that the domain's CPUs see.
class DomainMemory {
 public:
  virtual ~DomainMemory() = default;
  /// The host's bytes of a frame that is RAM of the domain; nullptr for any other. Valid until the
  /// frame is given up or replaced.
  virtual std::uint8_t* frame(Gfn gfn) = 0;
  /// Must be called after bytes of a frame were changed through frame(), so that code in it is
  /// translated anew.
  virtual void written(Gfn gfn, std::size_t offset, std::size_t bytes) = 0;
};

/// A page that a domain granted, while it is mapped by a backend. Unmaps itself.
class GrantedPage {
 public:
  virtual ~GrantedPage() = default;
  virtual std::uint8_t* bytes() = 0;  ///< kPageBytes of them.
  /// After bytes were changed.
  virtual void written(std::size_t offset, std::size_t bytes) = 0;
};

/// One domain's grant table as a backend uses it.
class Grants {
 public:
  virtual ~Grants() = default;
  /// Maps a grant that names kBackendDomain. nullptr if the entry grants no such access; a hostile
  /// table never does more than that.
  virtual std::unique_ptr<GrantedPage> map(GrantRef ref, bool writable) = 0;
};

/// A backend's end of an interdomain event channel. Closes itself.
class BackendChannel {
 public:
  virtual ~BackendChannel() = default;
  /// Raises the event in the domain.
  virtual void notify() = 0;
};

/// One domain's event channels as a backend uses them.
class Channels {
 public:
  virtual ~Channels() = default;
  /// Connects to a port that the domain allocated for kBackendDomain (EVTCHNOP_alloc_unbound).
  /// `on_event` runs when the domain sends; it must not run guest code and is called at the virtual
  /// time of the send. nullptr if the port is not waiting for that.
  virtual std::unique_ptr<BackendChannel> bind(EventPort port, std::function<void()> on_event) = 0;
  /// A channel made on the domain's behalf before it starts (console, xenstore); the port it has in
  /// the domain is put into `port`.
  virtual std::unique_ptr<BackendChannel> allocate(std::function<void()> on_event,
                                                   EventPort& port) = 0;
};

}  // namespace trapline::xen
