// __HYPERVISOR_sched_op.
#include "sim/trap/xen/event_channels.h"
#include "sim/trap/xen/operations.h"

namespace trapline::xen {
namespace {

constexpr std::uint32_t kMostPolledPorts = 128;  // "Fairly arbitrary", as Xen says of it.

Time from_ns(std::uint64_t ns) {
  return ns > kNever / 1000 ? kNever : ns * 1000;
}

}  // namespace

std::int64_t sched_yield(Call& call) {
  call.outcome = Outcome::yield;
  return 0;
}

std::int64_t sched_block(Call& call) {
  call.domain.host().unmask_interrupts(call.vcpu);
  // Events that the guest has not taken yet are reason enough to go on, interrupt or not.
  const bool upcall = call.domain.vcpu_info(call.vcpu).evtchn_upcall_pending != 0;
  if (!upcall) call.outcome = Outcome::wait;
  return 0;
}

std::int64_t sched_shutdown(Call& call) {
  SchedShutdown op;
  if (!call.read(call.args[1], op)) return kEfault;
  call.domain.shut_down(static_cast<std::uint8_t>(op.reason));
  call.outcome = Outcome::stop;
  return 0;
}

std::int64_t sched_shutdown_code(Call& call) {
  SchedShutdown op;
  if (!call.read(call.args[1], op)) return kEfault;
  call.domain.latch_shutdown_code(static_cast<std::uint8_t>(op.reason));
  return 0;
}

// Waits until one of the ports is pending, the time has come, or an interrupt has.
std::int64_t sched_poll(Call& call) {
  SchedPoll op;
  if (!call.read(call.args[1], op)) return kEfault;
  if (op.nr_ports > kMostPolledPorts) return kEinval;
  if (call.domain.host().interrupt_deliverable(call.vcpu)) return 0;
  EventPort port = 0;
  for (std::uint32_t i = 0; i < op.nr_ports; ++i) {
    if (!call.read(op.ports + std::uint64_t{i} * sizeof port, port)) return kEfault;
    const std::int64_t pending = call.domain.events().poll(port);
    if (pending != 0) return pending < 0 ? pending : 0;
  }
  const Time timeout = op.timeout != 0 ? from_ns(op.timeout) : kNever;
  if (timeout <= call.hypervisor.clock().now()) return 0;
  call.domain.begin_poll(call.vcpu, op.nr_ports == 1 ? port : 0, timeout);
  call.outcome = Outcome::wait;
  return 0;
}

std::int64_t sched_remote_shutdown(Call& call) {
  SchedRemoteShutdown op;
  if (!call.read(call.args[1], op)) return kEfault;
  return call.hypervisor.find(op.domain_id) ? kEperm : kEsrch;
}

std::int64_t sched_watchdog(Call& call) {
  SchedWatchdog op;
  if (!call.read(call.args[1], op)) return kEfault;
  return call.domain.watchdog(op.id, op.timeout);
}

}  // namespace trapline::xen
