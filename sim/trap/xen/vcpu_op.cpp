// __HYPERVISOR_vcpu_op, hvm_op and vm_assist: small things about a domain and its vCPUs.
#include "sim/trap/xen/operations.h"

namespace trapline::xen {
namespace {

constexpr std::uint64_t kRunstateUpdateFlag = 5;  // VMASST_TYPE_runstate_update_flag.

unsigned target(const Call& call) {
  return static_cast<std::uint32_t>(call.args[1]);
}

bool known_param(std::uint32_t index) {
  switch (static_cast<HvmParam>(index)) {
    case HvmParam::callback_irq:
    case HvmParam::store_pfn:
    case HvmParam::store_evtchn:
    case HvmParam::console_pfn:
    case HvmParam::console_evtchn:
    case HvmParam::monitor_ring_pfn:
      return true;
  }
  return false;
}

/// Reads the argument of HVMOP_set_param and get_param, for the domain itself.
std::int64_t read_param(Call& call, HvmParamOp& op) {
  if (!call.read(call.args[1], op)) return kEfault;
  const Domain* domain = call.any_domain(op.domid);
  if (!domain) return kEsrch;
  if (domain != &call.domain) return kEperm;
  return known_param(op.index) ? 0 : kEinval;
}

}  // namespace

std::int64_t check_vcpu_op(Call& call) {
  return target(call) < call.domain.vcpus() ? 0 : kEnoent;
}

std::int64_t vcpu_register_vcpu_info(Call& call) {
  VcpuRegisterVcpuInfo op;
  if (!call.read(call.args[2], op)) return kEfault;
  return call.domain.register_vcpu_info(call.vcpu, target(call), op);
}

std::int64_t vcpu_register_runstate(Call& call) {
  VcpuRegisterRunstate op;
  if (!call.read(call.args[2], op)) return kEfault;
  call.domain.register_runstate(target(call), op.address);
  VcpuRunstateInfo info = call.domain.runstate(target(call));
  // Of another vCPU the time since it entered its state counts too.
  if (target(call) != call.vcpu) {
    info.time[info.state] += call.hypervisor.now_ns() - info.state_entry_time;
  }
  call.write(op.address, info);  // Whether that works is not looked at.
  return 0;
}

// All that exist are for the toolstack to set.
std::int64_t hvm_set_param(Call& call) {
  HvmParamOp op;
  const std::int64_t error = read_param(call, op);
  return error != 0 ? error : kEperm;
}

std::int64_t hvm_get_param(Call& call) {
  HvmParamOp op;
  if (const std::int64_t error = read_param(call, op)) return error;
  const auto index = static_cast<HvmParam>(op.index);
  if (index == HvmParam::monitor_ring_pfn) return kEperm;
  op.value = call.domain.param(index);
  return call.write(call.args[1], op) ? 0 : kEfault;
}

std::int64_t hvm_guest_request_vm_event(Call& call) {
  return call.args[1] == 0 ? 0 : kEinval;
}

std::int64_t check_vm_assist(Call& call) {
  return static_cast<std::uint32_t>(call.args[1]) == kRunstateUpdateFlag ? 0 : kEinval;
}

std::int64_t vm_assist_enable(Call& call) {
  call.domain.runstate_update_flag = true;
  return 0;
}

std::int64_t vm_assist_disable(Call& call) {
  call.domain.runstate_update_flag = false;
  return 0;
}

}  // namespace trapline::xen
