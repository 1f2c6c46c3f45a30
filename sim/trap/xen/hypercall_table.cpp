#include "sim/trap/xen/hypercall_table.h"

#include <cstdio>

namespace trapline::xen {
namespace {

constexpr auto kDone = Support::implemented;
constexpr auto kNo = Support::refused;

constexpr const char* kControl = "-EPERM: for the control domain";
constexpr const char* kNotOnArm = "-ENOSYS: not on Arm";

constexpr Operation kMemory[] = {
    {0, kDone, memory_increase_reservation},
    {1, kDone, memory_decrease_reservation},
    {2, kDone, memory_maximum_ram_page},
    {3, kDone, memory_current_reservation},
    {4, kDone, memory_maximum_reservation},
    {5, kNo, no_such_call, kNotOnArm},
    {6, kDone, memory_populate_physmap},
    {7, kDone, memory_add_to_physmap},
    {9, kNo, no_such_call, kNotOnArm},
    {10, kNo, no_such_call, kNotOnArm},
    {11, kNo, memory_exchange, "-EOPNOTSUPP: pages are not exchanged on Arm"},
    {12, kNo, no_such_call, kNotOnArm},
    {13, kNo, no_such_call, kNotOnArm},
    {14, kDone, memory_maximum_gpfn},
    {15, kDone, memory_remove_from_physmap},
    {16, kNo, no_such_call, kNotOnArm},
    {17, kNo, no_such_call, kNotOnArm},
    {18, kDone, memory_sharing_pages, "0: nothing is shared"},
    {19, kDone, memory_sharing_pages, "0: nothing is shared"},
    {20, kNo, no_such_call, kNotOnArm},
    {21, kNo, no_such_call, "-ENOSYS: built without"},
    {22, kNo, no_such_call, kNotOnArm},
    {23, kDone, memory_add_to_physmap_batch},
    {24, kNo, memory_claim_pages, kControl},
    {25, kNo, no_such_call, kNotOnArm},
    {26, kNo, memory_get_vnumainfo, "-EOPNOTSUPP: no virtual NUMA"},
    {27, kDone, memory_reserved_device_map, "no entries"},
    {28, kNo, memory_acquire_resource, "-EPERM: for device models"},
};

constexpr Operation kVersion[] = {
    {0, kDone, xenver_version},         {1, kDone, xenver_extraversion},
    {2, kDone, xenver_compile_info},    {3, kDone, xenver_capabilities},
    {4, kDone, xenver_changeset},       {5, kDone, xenver_platform_parameters},
    {6, kDone, xenver_get_features},    {7, kDone, xenver_pagesize},
    {8, kDone, xenver_guest_handle},    {9, kNo, xenver_commandline, "says <denied>"},
    {10, kNo, not_permitted, kControl},
};

constexpr Operation kConsole[] = {{0, kDone, console_write}, {1, kDone, console_read}};

constexpr Operation kGrantTable[] = {
    {0, kDone, gnttab_map_grant_ref},
    {1, kDone, gnttab_unmap_grant_ref},
    {2, kDone, gnttab_setup_table},
    {3, kNo, no_such_call, "-ENOSYS: gone from Xen"},
    {4, kNo, no_such_type, "-EOPNOTSUPP: pages are not transferred on Arm"},
    {5, kDone, gnttab_copy},
    {6, kDone, gnttab_query_size},
    {7, kDone, gnttab_unmap_and_replace, "a new address is refused, as on Arm"},
    {8, kDone, gnttab_set_version, "version 2 is refused, as on Arm"},
    {9, kDone, gnttab_get_status_frames, "version 1 has none"},
    {10, kDone, gnttab_get_version},
    {11, kDone, gnttab_swap_grant_ref},
    {12, kDone, gnttab_cache_flush},
};

constexpr Operation kVmAssist[] = {{0, kDone, vm_assist_enable}, {1, kDone, vm_assist_disable}};

constexpr const char* kVcpuNote = "-EINVAL: not on Arm";
constexpr Operation kVcpu[] = {
    {0, kNo, invalid, kVcpuNote},         {1, kNo, invalid, kVcpuNote},
    {2, kNo, invalid, kVcpuNote},         {3, kNo, invalid, kVcpuNote},
    {4, kNo, invalid, kVcpuNote},         {5, kDone, vcpu_register_runstate},
    {6, kNo, invalid, kVcpuNote},         {7, kNo, invalid, kVcpuNote},
    {8, kNo, invalid, kVcpuNote},         {9, kNo, invalid, kVcpuNote},
    {10, kDone, vcpu_register_vcpu_info}, {11, kNo, invalid, kVcpuNote},
    {12, kNo, invalid, kVcpuNote},        {13, kNo, invalid, kVcpuNote},
};

constexpr Operation kSched[] = {
    {0, kDone, sched_yield},
    {1, kDone, sched_block},
    {2, kDone, sched_shutdown},
    {3, kDone, sched_poll},
    {4, kNo, sched_remote_shutdown, kControl},
    {5, kDone, sched_shutdown_code},
    {6, kDone, sched_watchdog},
    {7, kNo, not_permitted, "-EPERM: for the hardware domain"},
};

constexpr Operation kEventChannel[] = {
    {0, kDone, evtchn_bind_interdomain},
    {1, kDone, evtchn_bind_virq},
    {2, kNo, evtchn_bind_pirq, "-EINVAL: no physical interrupts"},
    {3, kDone, evtchn_close},
    {4, kDone, evtchn_send},
    {5, kDone, evtchn_status},
    {6, kDone, evtchn_alloc_unbound},
    {7, kDone, evtchn_bind_ipi},
    {8, kDone, evtchn_bind_vcpu},
    {9, kDone, evtchn_unmask},
    {10, kDone, evtchn_reset},
    {11, kDone, evtchn_init_control},
    {12, kDone, evtchn_expand_array},
    {13, kDone, evtchn_set_priority},
    {14, kDone, evtchn_reset_cont, "-EBUSY: a reset is done in one go"},
};

constexpr Operation kHvm[] = {
    {0, kNo, hvm_set_param, "-EPERM or -EINVAL: for the control domain"},
    {1, kDone, hvm_get_param},
    {2, kNo, no_such_call, kNotOnArm},
    {3, kNo, no_such_call, kNotOnArm},
    {4, kNo, no_such_call, kNotOnArm},
    {5, kNo, no_such_call, kNotOnArm},
    {9, kNo, no_such_call, kNotOnArm},
    {10, kNo, no_such_call, kNotOnArm},
    {11, kNo, no_such_call, kNotOnArm},
    {12, kNo, no_such_call, kNotOnArm},
    {13, kNo, no_such_call, kNotOnArm},
    {15, kNo, no_such_call, kNotOnArm},
    {23, kNo, no_such_call, kNotOnArm},
    {24, kDone, hvm_guest_request_vm_event, "nobody listens"},
    {25, kNo, no_such_call, kNotOnArm},
};

constexpr Operation kHypfs[] = {
    {0, kNo, not_permitted, kControl},
    {1, kNo, not_permitted, kControl},
    {2, kNo, not_permitted, kControl},
};

using Number = HypercallNumber;

constexpr Hypercall kTable[] = {
    {Number::sched_op_compat, kNo, no_such_call, {}, nullptr, "-ENOSYS: deprecated"},
    {Number::platform_op, kNo, platform_op, {}, nullptr, kControl},
    {Number::memory_op, kDone, nullptr, kMemory},
    {Number::multicall, kDone, multicall},
    {Number::set_timer_op, kNo, no_such_call, {}, nullptr, kNotOnArm},
    {Number::event_channel_op_compat, kNo, no_such_call, {}, nullptr, "-ENOSYS: deprecated"},
    {Number::xen_version, kDone, nullptr, kVersion},
    {Number::console_io, kDone, nullptr, kConsole, check_console_io},
    {Number::physdev_op_compat, kNo, no_such_call, {}, nullptr, "-ENOSYS: deprecated"},
    {Number::grant_table_op, kDone, nullptr, kGrantTable, check_grant_table_op},
    {Number::vm_assist, kDone, nullptr, kVmAssist, check_vm_assist},
    {Number::vcpu_op, kDone, nullptr, kVcpu, check_vcpu_op},
    {Number::xsm_op, kNo, no_such_call, {}, nullptr, "-ENOSYS: no FLASK policy"},
    {Number::sched_op, kDone, nullptr, kSched},
    {Number::event_channel_op, kDone, nullptr, kEventChannel},
    {Number::physdev_op, kNo, no_such_call, {}, nullptr, "-ENOSYS: no PCI"},
    {Number::hvm_op, kDone, nullptr, kHvm},
    {Number::sysctl, kNo, sysctl, {}, nullptr, kControl},
    {Number::domctl, kNo, domctl, {}, nullptr, kControl},
    {Number::argo_op, kNo, no_such_call, {}, nullptr, "-ENOSYS: built without"},
    {Number::dm_op, kNo, no_such_call, {}, nullptr, "-ENOSYS: built without"},
    {Number::hypfs_op, kNo, nullptr, kHypfs, not_permitted, kControl},
};

const char* name_of(Support support) {
  switch (support) {
    case Support::implemented:
      return "implemented";
    case Support::refused:
      return "refused";
    case Support::missing:
      return "not implemented";
  }
  return "";
}

std::string line(const std::string& name, Support support, const char* note) {
  char text[160];
  std::snprintf(text, sizeof text, "%-40s %-15s %s", name.c_str(), name_of(support), note);
  std::string result = text;
  result.erase(result.find_last_not_of(' ') + 1);
  return result + '\n';
}

const Operation* find_operation(const Hypercall& hypercall, std::uint64_t command) {
  for (const Operation& operation : hypercall.operations) {
    if (operation.command == command) return &operation;
  }
  return nullptr;
}

// vcpu_op answers a command that it does not know in a way of its own.
std::int64_t unknown_command(Call& call, Number number, const std::string& name) {
  call.hypervisor.say_once(call.domain, call.vcpu, name);
  return number == Number::vcpu_op ? kEinval : kEnosys;
}

}  // namespace

std::span<const Hypercall> hypercalls() {
  return kTable;
}

std::int64_t dispatch(Call& call, std::uint64_t number) {
  const Hypercall* hypercall = nullptr;
  for (const Hypercall& known : kTable) {
    if (static_cast<std::uint64_t>(known.number) == number) hypercall = &known;
  }
  if (!hypercall) {
    call.hypervisor.say_once(call.domain, call.vcpu,
                             "hypercall " + std::to_string(number) + " does not exist");
    return kEnosys;
  }
  if (hypercall->check) {
    if (const std::int64_t error = hypercall->check(call)) return error;
  }
  if (hypercall->operations.empty()) return hypercall->handler(call);
  const XenCall* names = xen_call(number);
  const std::uint64_t command = call.args[0] & names->command_mask;
  const Operation* operation = find_operation(*hypercall, command);
  if (operation) return operation->handler(call);
  const std::string name = std::string(names->name) + " " + std::to_string(command);
  return unknown_command(call, hypercall->number, name + " does not exist");
}

std::string describe_hypercalls() {
  std::string text;
  for (const Hypercall& hypercall : kTable) {
    const XenCall* names = xen_call(static_cast<std::uint64_t>(hypercall.number));
    text += line(std::to_string(names->number) + " " + std::string(names->name), hypercall.support,
                 hypercall.note);
    for (const Operation& operation : hypercall.operations) {
      text += line("     " + std::to_string(operation.command) + " " +
                       std::string(names->sub_op_name(operation.command)),
                   operation.support, operation.note);
    }
  }
  return text;
}

}  // namespace trapline::xen
