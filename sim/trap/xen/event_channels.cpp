#include "sim/trap/xen/event_channels.h"

#include "sim/trap/xen/event_fifo.h"
#include "sim/trap/xen/hypervisor.h"

namespace trapline::xen {
namespace {

// Records are made so many at a time: EVTCHNS_PER_BUCKET. Guests can tell, because a port without a
// record is invalid and one with it merely closed.
constexpr EventPort kBucket = 64;

constexpr std::uint32_t kVirqTimer = 0;
constexpr std::uint32_t kVirqDebug = 1;
constexpr std::uint32_t kVirqXenoprof = 7;
constexpr std::uint32_t kVirqXenpmu = 13;

// EVTCHNSTAT_*
constexpr std::uint32_t kStatusClosed = 0;
constexpr std::uint32_t kStatusUnbound = 1;
constexpr std::uint32_t kStatusInterdomain = 2;
constexpr std::uint32_t kStatusVirq = 4;
constexpr std::uint32_t kStatusIpi = 5;

}  // namespace

EventChannels::EventChannels(Domain& domain)
    : domain_(domain), ports_(kBucket), virq_ports_(domain.vcpus()) {
  ports_[0].state = State::reserved;
}

EventChannels::~EventChannels() {
  for (EventPort port = 1; port < ports_.size(); ++port) close(port, false);
}

bool EventChannels::is_global(std::uint32_t virq) {
  return virq != kVirqTimer && virq != kVirqDebug && virq != kVirqXenoprof && virq != kVirqXenpmu;
}

std::int64_t EventChannels::free_port() {
  for (EventPort port = 1;; ++port) {
    if (port > domain_.config().max_event_port || port >= limit()) return kEnospc;
    if (port >= ports_.size()) {
      ports_.resize(ports_.size() + kBucket);
      return port;
    }
    // A free port that the guest has not unlinked from a queue yet would corrupt the queue.
    if (ports_[port].state == State::free && !is_busy(port)) return port;
  }
}

void EventChannels::release(EventPort number) {
  clear_pending(number);
  Port& port = ports_[number];
  port.state = State::free;
  port.vcpu = 0;
  port.remote = nullptr;
  port.consumer = {};
}

std::int64_t EventChannels::alloc_unbound(DomId remote, EventPort& port) {
  const std::int64_t found = free_port();
  if (found < 0) return found;
  port = static_cast<EventPort>(found);
  Port& channel = ports_[port];
  channel.state = State::unbound;
  channel.remote_id = remote == kDomIdSelf ? domain_.id() : remote;
  port_init(channel);
  return 0;
}

std::int64_t EventChannels::bind_interdomain(Domain& remote, EventPort remote_port,
                                             EventPort& port) {
  const std::int64_t found = free_port();
  if (found < 0) return found;
  EventChannels& other = remote.events();
  Port* peer = other.find(remote_port);
  if (!peer || peer->state != State::unbound || peer->remote_id != domain_.id()) return kEinval;
  if (!domain_.hypervisor().may_speak(domain_, remote)) return kEperm;

  port = static_cast<EventPort>(found);
  Port& channel = ports_[port];
  channel.remote = &remote;
  channel.remote_port = remote_port;
  channel.state = State::interdomain;
  port_init(channel);
  peer->remote = &domain_;
  peer->remote_port = port;
  peer->state = State::interdomain;
  // The other end may have sent before there was anybody to hear it.
  set_pending(port);
  return 0;
}

std::int64_t EventChannels::bind_virq(std::uint32_t virq, std::uint32_t vcpu, EventPort& port) {
  if (virq >= kVirqs) return kEinval;
  if (is_global(virq) && vcpu != 0) return kEinval;
  if (vcpu >= virq_ports_.size()) return kEnoent;
  if (virq_ports_[vcpu][virq] != 0) return kEexist;
  const std::int64_t found = free_port();
  if (found < 0) return found;
  port = static_cast<EventPort>(found);
  Port& channel = ports_[port];
  channel.state = State::virq;
  channel.vcpu = static_cast<std::uint16_t>(vcpu);
  channel.virq = virq;
  port_init(channel);
  virq_ports_[vcpu][virq] = port;
  return 0;
}

std::int64_t EventChannels::bind_ipi(std::uint32_t vcpu, EventPort& port) {
  if (vcpu >= virq_ports_.size()) return kEnoent;
  const std::int64_t found = free_port();
  if (found < 0) return found;
  port = static_cast<EventPort>(found);
  Port& channel = ports_[port];
  channel.state = State::ipi;
  channel.vcpu = static_cast<std::uint16_t>(vcpu);
  port_init(channel);
  return 0;
}

std::int64_t EventChannels::close(EventPort number, bool by_guest) {
  Port* port = find(number);
  if (!port || (port->consumer && by_guest)) return kEinval;
  switch (port->state) {
    case State::free:
    case State::reserved:
      return kEinval;
    case State::virq:
      virq_ports_[is_global(port->virq) ? 0 : port->vcpu][port->virq] = 0;
      break;
    case State::interdomain: {
      Port& peer = port->remote->events().ports_[port->remote_port];
      peer.state = State::unbound;
      peer.remote_id = domain_.id();
      peer.remote = nullptr;
      break;
    }
    case State::unbound:
    case State::ipi:
      break;
  }
  release(number);
  return 0;
}

std::int64_t EventChannels::send(EventPort number) {
  Port* port = find(number);
  if (!port || port->consumer) return kEinval;
  switch (port->state) {
    case State::interdomain:
      port->remote->events().set_pending(port->remote_port);
      return 0;
    case State::ipi:
      set_pending(number);
      return 0;
    case State::unbound:
      return 0;  // Nobody hears it.
    default:
      return kEinval;
  }
}

void EventChannels::notify(EventPort number) {
  const Port* port = find(number);
  if (!port || port->state != State::interdomain) return;
  port->remote->events().set_pending(port->remote_port);
}

std::int64_t EventChannels::status(EvtchnStatus& status) {
  const Port* port = find(status.port);
  if (!port) return kEinval;
  switch (port->state) {
    case State::free:
    case State::reserved:
      status.status = kStatusClosed;
      break;
    case State::unbound:
      status.status = kStatusUnbound;
      status.u.unbound.dom = port->remote_id;
      break;
    case State::interdomain:
      status.status = kStatusInterdomain;
      status.u.interdomain.dom = port->remote->id();
      status.u.interdomain.port = port->remote_port;
      break;
    case State::virq:
      status.status = kStatusVirq;
      status.u.virq = port->virq;
      break;
    case State::ipi:
      status.status = kStatusIpi;
      break;
  }
  status.vcpu = port->vcpu;
  return 0;
}

std::int64_t EventChannels::bind_vcpu(EventPort number, std::uint32_t vcpu) {
  if (vcpu >= virq_ports_.size()) return kEnoent;
  Port* port = find(number);
  if (!port || port->consumer) return kEinval;
  const bool movable = port->state == State::unbound || port->state == State::interdomain ||
                       (port->state == State::virq && is_global(port->virq));
  if (!movable) return kEinval;
  port->vcpu = static_cast<std::uint16_t>(vcpu);
  return 0;
}

std::int64_t EventChannels::reset() {
  for (EventPort port = 1; port < ports_.size(); ++port) close(port, true);
  fifo_.reset();  // Back to the 2-level ABI.
  return 0;
}

void EventChannels::close_to_domains() {
  for (EventPort number = 1; number < ports_.size(); ++number) {
    const Port& port = ports_[number];
    if (port.state != State::interdomain || port.remote->id() == kBackendDomain) continue;
    close(number, false);
  }
}

void EventChannels::raise_virq(unsigned vcpu, std::uint32_t virq) {
  if (virq >= kVirqs) return;
  const unsigned bound_on = is_global(virq) ? 0 : vcpu;
  if (bound_on >= virq_ports_.size()) return;
  if (const EventPort port = virq_ports_[bound_on][virq]) set_pending(port);
}

void EventChannels::set_consumer(EventPort number, std::function<void()> consumer) {
  if (Port* port = find(number)) port->consumer = std::move(consumer);
}

void EventChannels::set_pending(EventPort number) {
  Port& port = ports_[number];
  if (port.consumer) {
    // A copy: it may open and close ports.
    const std::function<void()> consumer = port.consumer;
    consumer();
  } else if (usable(port)) {
    fifo_ ? fifo_set_pending(number, port.vcpu) : two_level_set_pending(number, port.vcpu);
  }
}

std::int64_t EventChannels::unmask(EventPort number) {
  const Port* port = find(number);
  if (!port) return kEinval;
  if (!usable(*port)) return 0;
  if (!fifo_) {
    two_level_unmask(number, port->vcpu);
    return 0;
  }
  std::uint32_t* word = fifo_word(number);
  if (!word) return 0;
  *word &= ~kFifoMasked;
  fifo_word_written(number);
  if (*word & kFifoPending) fifo_set_pending(number, port->vcpu);
  return 0;
}

std::int64_t EventChannels::poll(EventPort number) {
  const Port* port = find(number);
  if (!port || !usable(*port)) return kEinval;
  return is_pending(number) ? 1 : 0;
}

}  // namespace trapline::xen
