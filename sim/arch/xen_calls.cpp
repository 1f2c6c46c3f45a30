#include "sim/arch/xen_calls.h"

#include <algorithm>

namespace trapline::xen {
namespace {

constexpr XenSubOp kMemoryOps[] = {
    {0, "increase_reservation"},
    {1, "decrease_reservation"},
    {2, "maximum_ram_page"},
    {3, "current_reservation"},
    {4, "maximum_reservation"},
    {5, "machphys_mfn_list"},
    {6, "populate_physmap"},
    {7, "add_to_physmap"},
    {9, "memory_map"},
    {10, "machine_memory_map"},
    {11, "exchange"},
    {12, "machphys_mapping"},
    {13, "set_memory_map"},
    {14, "maximum_gpfn"},
    {15, "remove_from_physmap"},
    {16, "set_pod_target"},
    {17, "get_pod_target"},
    {18, "get_sharing_freed_pages"},
    {19, "get_sharing_shared_pages"},
    {20, "paging_op"},
    {21, "access_op"},
    {22, "sharing_op"},
    {23, "add_to_physmap_batch"},
    {24, "claim_pages"},
    {25, "machphys_compat_mfn_list"},
    {26, "get_vnumainfo"},
    {27, "reserved_device_memory_map"},
    {28, "acquire_resource"},
};

constexpr XenSubOp kVersionOps[] = {
    {0, "version"},      {1, "extraversion"},        {2, "compile_info"}, {3, "capabilities"},
    {4, "changeset"},    {5, "platform_parameters"}, {6, "get_features"}, {7, "pagesize"},
    {8, "guest_handle"}, {9, "commandline"},         {10, "build_id"},
};

constexpr XenSubOp kConsoleOps[] = {{0, "write"}, {1, "read"}};

constexpr XenSubOp kGrantTableOps[] = {
    {0, "map_grant_ref"},     {1, "unmap_grant_ref"},   {2, "setup_table"},
    {3, "dump_table"},        {4, "transfer"},          {5, "copy"},
    {6, "query_size"},        {7, "unmap_and_replace"}, {8, "set_version"},
    {9, "get_status_frames"}, {10, "get_version"},      {11, "swap_grant_ref"},
    {12, "cache_flush"},
};

constexpr XenSubOp kVmAssistOps[] = {{0, "enable"}, {1, "disable"}};

constexpr XenSubOp kVcpuOps[] = {
    {0, "initialise"},
    {1, "up"},
    {2, "down"},
    {3, "is_up"},
    {4, "get_runstate_info"},
    {5, "register_runstate_memory_area"},
    {6, "set_periodic_timer"},
    {7, "stop_periodic_timer"},
    {8, "set_singleshot_timer"},
    {9, "stop_singleshot_timer"},
    {10, "register_vcpu_info"},
    {11, "send_nmi"},
    {12, "get_physid"},
    {13, "register_vcpu_time_memory_area"},
};

constexpr XenSubOp kSchedOps[] = {
    {0, "yield"},           {1, "block"},         {2, "shutdown"}, {3, "poll"},
    {4, "remote_shutdown"}, {5, "shutdown_code"}, {6, "watchdog"}, {7, "pin_override"},
};

constexpr XenSubOp kEventChannelOps[] = {
    {0, "bind_interdomain"},
    {1, "bind_virq"},
    {2, "bind_pirq"},
    {3, "close"},
    {4, "send"},
    {5, "status"},
    {6, "alloc_unbound"},
    {7, "bind_ipi"},
    {8, "bind_vcpu"},
    {9, "unmask"},
    {10, "reset"},
    {11, "init_control"},
    {12, "expand_array"},
    {13, "set_priority"},
    {14, "reset_cont"},
};

constexpr XenSubOp kPhysdevOps[] = {
    {5, "irq_status_query"},
    {6, "set_iopl"},
    {7, "set_iobitmap"},
    {8, "apic_read"},
    {9, "apic_write"},
    {10, "alloc_irq_vector"},
    {11, "free_irq_vector"},
    {12, "eoi"},
    {13, "map_pirq"},
    {14, "unmap_pirq"},
    {15, "manage_pci_add"},
    {16, "manage_pci_remove"},
    {17, "pirq_eoi_gmfn_v1"},
    {19, "restore_msi"},
    {20, "manage_pci_add_ext"},
    {21, "setup_gsi"},
    {23, "get_free_pirq"},
    {24, "pci_mmcfg_reserved"},
    {25, "pci_device_add"},
    {26, "pci_device_remove"},
    {27, "restore_msi_ext"},
    {28, "pirq_eoi_gmfn_v2"},
    {29, "dbgp_op"},
    {30, "prepare_msix"},
    {31, "release_msix"},
};

constexpr XenSubOp kHvmOps[] = {
    {0, "set_param"},
    {1, "get_param"},
    {2, "set_pci_intx_level"},
    {3, "set_isa_irq_level"},
    {4, "set_pci_link_route"},
    {5, "flush_tlbs"},
    {9, "pagetable_dying"},
    {10, "get_time"},
    {11, "xentrace"},
    {12, "set_mem_access"},
    {13, "get_mem_access"},
    {15, "get_mem_type"},
    {23, "set_evtchn_upcall_vector"},
    {24, "guest_request_vm_event"},
    {25, "altp2m"},
};

constexpr XenSubOp kHypfsOps[] = {{0, "get_version"}, {1, "read"}, {2, "write_contents"}};

constexpr std::uint64_t kInt = 0xffff'ffff;  // A command of type int: the upper half is ignored.
constexpr std::uint64_t kLong = ~std::uint64_t{0};

constexpr XenCall kCalls[] = {
    {6, "sched_op_compat", 2},
    {7, "platform_op", 1},
    {12, "memory_op", 2, 0x3f, kMemoryOps},
    {13, "multicall", 2},
    {15, "set_timer_op", 1},
    {16, "event_channel_op_compat", 1},
    {17, "xen_version", 2, kInt, kVersionOps},
    {18, "console_io", 3, kInt, kConsoleOps},
    {19, "physdev_op_compat", 1},
    {20, "grant_table_op", 3, 0xfff, kGrantTableOps},
    {21, "vm_assist", 2, kInt, kVmAssistOps},
    {24, "vcpu_op", 3, kInt, kVcpuOps},
    {27, "xsm_op", 1},
    {29, "sched_op", 2, kInt, kSchedOps},
    {32, "event_channel_op", 2, kInt, kEventChannelOps},
    {33, "physdev_op", 2, kInt, kPhysdevOps},
    {34, "hvm_op", 2, kLong, kHvmOps},
    {35, "sysctl", 1},
    {36, "domctl", 1},
    {39, "argo_op", 5},
    {41, "dm_op", 3},
    {42, "hypfs_op", 5, kInt, kHypfsOps},
};

}  // namespace

std::string_view XenCall::sub_op_name(std::uint64_t command) const {
  const auto found = std::find_if(sub_ops.begin(), sub_ops.end(),
                                  [command](const XenSubOp& op) { return op.command == command; });
  return found == sub_ops.end() ? std::string_view{} : found->name;
}

std::span<const XenCall> xen_calls() {
  return kCalls;
}

const XenCall* xen_call(std::uint64_t number) {
  for (const XenCall& call : kCalls) {
    if (call.number == number) return &call;
  }
  return nullptr;
}

}  // namespace trapline::xen
