// __HYPERVISOR_event_channel_op: the structures of event_channel.h to and from EventChannels.
#include "sim/trap/xen/event_channels.h"
#include "sim/trap/xen/operations.h"

namespace trapline::xen {
namespace {

constexpr std::uint32_t kPirqs = 1024;  // nr_irqs of an Arm Xen.

EventChannels& events(Call& call) {
  return call.domain.events();
}

/// Reads a structure, runs `work` on it, and where that succeeds writes it back.
template <class T, class Work>
std::int64_t update(Call& call, Work work) {
  T op;
  if (!call.read(call.args[1], op)) return kEfault;
  const std::int64_t result = work(op);
  if (result == 0 && !call.write(call.args[1], op)) return kEfault;
  return result;
}

/// As update(), for structures that hold nothing to give back.
template <class T, class Work>
std::int64_t use(Call& call, Work work) {
  T op;
  if (!call.read(call.args[1], op)) return kEfault;
  return work(op);
}

}  // namespace

std::int64_t evtchn_alloc_unbound(Call& call) {
  return update<EvtchnAllocUnbound>(call, [&call](EvtchnAllocUnbound& op) -> std::int64_t {
    Domain* domain = call.any_domain(op.dom);
    if (!domain) return kEsrch;
    if (domain != &call.domain) return kEperm;
    if (call.hypervisor.config().silo) {
      const Domain* remote = call.any_domain(op.remote_dom);
      if (!remote) return kEsrch;
      if (!call.hypervisor.may_speak(call.domain, *remote)) return kEperm;
    }
    return events(call).alloc_unbound(op.remote_dom, op.port);
  });
}

std::int64_t evtchn_bind_interdomain(Call& call) {
  return update<EvtchnBindInterdomain>(call, [&call](EvtchnBindInterdomain& op) -> std::int64_t {
    Domain* remote = call.any_domain(op.remote_dom);
    if (!remote) return kEsrch;
    return events(call).bind_interdomain(*remote, op.remote_port, op.local_port);
  });
}

std::int64_t evtchn_bind_virq(Call& call) {
  return update<EvtchnBindVirq>(call, [&call](EvtchnBindVirq& op) {
    return events(call).bind_virq(op.virq, op.vcpu, op.port);
  });
}

// A domain without devices of its own gets none: Arm has no structure for it to be kept in.
std::int64_t evtchn_bind_pirq(Call& call) {
  return use<EvtchnBindPirq>(call, [&call](const EvtchnBindPirq& op) -> std::int64_t {
    if (op.pirq >= kPirqs) return kEinval;
    return events(call).has_free_port() ? kEnomem : kEnospc;
  });
}

std::int64_t evtchn_bind_ipi(Call& call) {
  return update<EvtchnBindIpi>(
      call, [&call](EvtchnBindIpi& op) { return events(call).bind_ipi(op.vcpu, op.port); });
}

std::int64_t evtchn_close(Call& call) {
  return use<EvtchnPort>(
      call, [&call](const EvtchnPort& op) { return events(call).close(op.port, true); });
}

std::int64_t evtchn_send(Call& call) {
  return use<EvtchnPort>(call,
                         [&call](const EvtchnPort& op) { return events(call).send(op.port); });
}

std::int64_t evtchn_status(Call& call) {
  return update<EvtchnStatus>(call, [&call](EvtchnStatus& op) -> std::int64_t {
    Domain* domain = call.any_domain(op.dom);
    if (!domain) return kEsrch;
    if (domain != &call.domain) {
      return op.port < domain->events().valid_ports() ? kEperm : kEinval;
    }
    return events(call).status(op);
  });
}

std::int64_t evtchn_bind_vcpu(Call& call) {
  return use<EvtchnBindVcpu>(
      call, [&call](const EvtchnBindVcpu& op) { return events(call).bind_vcpu(op.port, op.vcpu); });
}

std::int64_t evtchn_unmask(Call& call) {
  return use<EvtchnPort>(call,
                         [&call](const EvtchnPort& op) { return events(call).unmask(op.port); });
}

std::int64_t evtchn_reset(Call& call) {
  return use<EvtchnReset>(call, [&call](const EvtchnReset& op) -> std::int64_t {
    Domain* domain = call.any_domain(op.dom);
    if (!domain) return kEsrch;
    if (domain != &call.domain) return kEperm;
    return events(call).reset();
  });
}

// What goes on with a reset that was preempted; here none ever is.
std::int64_t evtchn_reset_cont(Call& call) {
  return use<EvtchnReset>(call, [&call](const EvtchnReset& op) -> std::int64_t {
    Domain* domain = call.any_domain(op.dom);
    if (!domain) return kEsrch;
    return domain != &call.domain ? kEperm : kEbusy;
  });
}

std::int64_t evtchn_init_control(Call& call) {
  return update<EvtchnInitControl>(
      call, [&call](EvtchnInitControl& op) { return events(call).init_control(op); });
}

std::int64_t evtchn_expand_array(Call& call) {
  return use<EvtchnExpandArray>(call, [&call](const EvtchnExpandArray& op) {
    return events(call).expand_array(op.array_gfn);
  });
}

std::int64_t evtchn_set_priority(Call& call) {
  return use<EvtchnSetPriority>(call, [&call](const EvtchnSetPriority& op) {
    return events(call).set_priority(op.port, op.priority);
  });
}

}  // namespace trapline::xen
