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
inline constexpr DomId kDomIdSelf = 0x7ff0;  ///< DOMID_SELF (xen.h).
inline constexpr DomId kBackendDomain = 0;   ///< The simulator's own backends answer as domain 0.

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
  /// The host's bytes of a frame that is RAM of the domain (the region that its device tree sets
  /// aside for the grant table included); nullptr for any other. Valid until the frame is mapped
  /// anew or unmapped. Two frames that map() made one hold the same bytes, not always at one
  /// address.
  virtual std::uint8_t* frame(Gfn gfn) = 0;
  /// Must be called after bytes of a frame were changed through frame(), so that code in it is
  /// translated anew.
  virtual void written(Gfn gfn, std::size_t offset, std::size_t bytes) = 0;

  /// Makes `gfn` name the page at `page`, which frame() of this or another domain returned, in
  /// place of what it names. False: the machine cannot share memory between frames, or not at this
  /// one. The shared info page and the grant table need no map(): they move into the guest's own
  /// frame. What needs it are grants that one domain maps from another.
  virtual bool map(Gfn gfn, std::uint8_t* page, bool writable) {
    (void)gfn, (void)page, (void)writable;
    return false;
  }
  /// Undoes map(): `gfn` is again the domain's own memory, if it has any there.
  virtual void unmap(Gfn gfn) { (void)gfn; }
  /// What the domain has at `gfn`, which is not mapped, is another page from now on, with the same
  /// bytes: where others mapped the page that was there, they keep that one.
  virtual void renew(Gfn gfn) { (void)gfn; }
  /// frame(), but nullptr where a page of another domain is mapped or nothing at all.
  virtual std::uint8_t* own_frame(Gfn gfn) { return frame(gfn); }
};

/// Why a domain stopped (SHUTDOWN_* of sched.h).
enum class ShutdownReason : std::uint8_t {
  poweroff = 0,
  reboot = 1,
  suspend = 2,
  crash = 3,
  watchdog = 4,
  soft_reset = 5,
};

/// What the layer asks of the machine that a domain runs on. vCPUs are named by number within the
/// domain.
class DomainHost {
 public:
  virtual ~DomainHost() = default;

  /// Memory as the vCPU's translations at EL1 show it now (Cpu::read_memory). False, with nothing
  /// transferred beyond the page before, where an address does not translate or is not RAM.
  virtual bool read_virtual(unsigned vcpu, std::uint64_t va, void* to, std::size_t bytes) = 0;
  virtual bool write_virtual(unsigned vcpu, std::uint64_t va, const void* from,
                             std::size_t bytes) = 0;
  /// For messages.
  virtual std::uint64_t pc(unsigned vcpu) const = 0;

  /// The event-channel interrupt becomes pending on the vCPU, as a write of its bit to GICD_ISPENDR
  /// would make it: it stays pending until it is acknowledged, and no longer. (Xen's virtual GIC
  /// takes the rise of evtchn_upcall_pending and ignores its fall, whatever the interrupt's
  /// configuration says.) Not called for a vCPU that is off.
  virtual void raise_upcall(unsigned vcpu) = 0;
  /// The vCPU has power (PSCI); the calling one always has.
  virtual bool is_up(unsigned vcpu) const = 0;
  /// PSTATE.I is clear and an interrupt is pending for the vCPU.
  virtual bool interrupt_deliverable(unsigned vcpu) const = 0;
  /// Clears PSTATE.I (SCHEDOP_block).
  virtual void unmask_interrupts(unsigned vcpu) = 0;
  /// Ends a vCPU's wait that a hypercall began (Outcome::wait), interrupt or not. Harmless for one
  /// that does not wait.
  virtual void wake(unsigned vcpu) = 0;

  /// The domain stops: none of its vCPUs runs any more.
  virtual void shut_down(ShutdownReason reason) = 0;
  /// CONSOLEIO_write: a whole line that the domain logs, without its end, printable characters and
  /// tabs only.
  virtual void console_line(const char* text, std::size_t length) = 0;
  /// CONSOLEIO_read: takes up to `capacity` bytes of input that has arrived by now.
  virtual std::size_t console_read(std::uint8_t* to, std::size_t capacity) {
    (void)to, (void)capacity;
    return 0;
  }
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
