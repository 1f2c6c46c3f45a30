// What each hypercall and each of its commands does. hypercall_table.cpp says which is which.
#pragma once

#include <cstdint>

#include "sim/trap/xen/call.h"

namespace trapline::xen {

/// Returns what X0 is to hold: 0 or a count, or a negative error.
using Handler = std::int64_t (*)(Call& call);

// Checks that come before the command is looked at: 0, or the error that the call ends with.
std::int64_t check_console_io(Call& call);
std::int64_t check_grant_table_op(Call& call);
std::int64_t check_vcpu_op(Call& call);
std::int64_t check_vm_assist(Call& call);

/// What an Arm hypervisor has only the name of.
std::int64_t no_such_call(Call& call);
std::int64_t not_permitted(Call& call);
std::int64_t invalid(Call& call);
std::int64_t no_such_type(Call& call);  ///< -EOPNOTSUPP.

// xen_version
std::int64_t xenver_version(Call& call);
std::int64_t xenver_extraversion(Call& call);
std::int64_t xenver_compile_info(Call& call);
std::int64_t xenver_capabilities(Call& call);
std::int64_t xenver_changeset(Call& call);
std::int64_t xenver_platform_parameters(Call& call);
std::int64_t xenver_get_features(Call& call);
std::int64_t xenver_pagesize(Call& call);
std::int64_t xenver_guest_handle(Call& call);
std::int64_t xenver_commandline(Call& call);

// memory_op
std::int64_t memory_increase_reservation(Call& call);
std::int64_t memory_decrease_reservation(Call& call);
std::int64_t memory_populate_physmap(Call& call);
std::int64_t memory_exchange(Call& call);
std::int64_t memory_maximum_ram_page(Call& call);
std::int64_t memory_current_reservation(Call& call);
std::int64_t memory_maximum_reservation(Call& call);
std::int64_t memory_maximum_gpfn(Call& call);
std::int64_t memory_add_to_physmap(Call& call);
std::int64_t memory_add_to_physmap_batch(Call& call);
std::int64_t memory_remove_from_physmap(Call& call);
std::int64_t memory_claim_pages(Call& call);
std::int64_t memory_get_vnumainfo(Call& call);
std::int64_t memory_reserved_device_map(Call& call);
std::int64_t memory_acquire_resource(Call& call);
std::int64_t memory_sharing_pages(Call& call);

// event_channel_op
std::int64_t evtchn_alloc_unbound(Call& call);
std::int64_t evtchn_bind_interdomain(Call& call);
std::int64_t evtchn_bind_virq(Call& call);
std::int64_t evtchn_bind_pirq(Call& call);
std::int64_t evtchn_bind_ipi(Call& call);
std::int64_t evtchn_close(Call& call);
std::int64_t evtchn_send(Call& call);
std::int64_t evtchn_status(Call& call);
std::int64_t evtchn_bind_vcpu(Call& call);
std::int64_t evtchn_unmask(Call& call);
std::int64_t evtchn_reset(Call& call);
std::int64_t evtchn_reset_cont(Call& call);
std::int64_t evtchn_init_control(Call& call);
std::int64_t evtchn_expand_array(Call& call);
std::int64_t evtchn_set_priority(Call& call);

// grant_table_op
std::int64_t gnttab_map_grant_ref(Call& call);
std::int64_t gnttab_unmap_grant_ref(Call& call);
std::int64_t gnttab_setup_table(Call& call);
std::int64_t gnttab_copy(Call& call);
std::int64_t gnttab_query_size(Call& call);
std::int64_t gnttab_unmap_and_replace(Call& call);
std::int64_t gnttab_set_version(Call& call);
std::int64_t gnttab_get_status_frames(Call& call);
std::int64_t gnttab_get_version(Call& call);
std::int64_t gnttab_swap_grant_ref(Call& call);
std::int64_t gnttab_cache_flush(Call& call);

// sched_op
std::int64_t sched_yield(Call& call);
std::int64_t sched_block(Call& call);
std::int64_t sched_shutdown(Call& call);
std::int64_t sched_poll(Call& call);
std::int64_t sched_remote_shutdown(Call& call);
std::int64_t sched_shutdown_code(Call& call);
std::int64_t sched_watchdog(Call& call);

// vcpu_op, hvm_op, console_io, vm_assist, multicall
std::int64_t vcpu_register_vcpu_info(Call& call);
std::int64_t vcpu_register_runstate(Call& call);
std::int64_t hvm_set_param(Call& call);
std::int64_t hvm_get_param(Call& call);
std::int64_t hvm_guest_request_vm_event(Call& call);
std::int64_t console_write(Call& call);
std::int64_t console_read(Call& call);
std::int64_t vm_assist_enable(Call& call);
std::int64_t vm_assist_disable(Call& call);
std::int64_t multicall(Call& call);

// Calls for the control domain.
std::int64_t platform_op(Call& call);
std::int64_t sysctl(Call& call);
std::int64_t domctl(Call& call);

}  // namespace trapline::xen
