// __HYPERVISOR_grant_table_op: one domain's pages in another's address space.
#include "sim/trap/xen/grant_batch.h"
#include "sim/trap/xen/grant_table.h"
#include "sim/trap/xen/operations.h"

namespace trapline::xen {
namespace {

std::int16_t number(GrantStatus status) {
  return static_cast<std::int16_t>(status);
}

/// Puts the page that an acquired entry grants at op.host_addr.
GrantStatus map_page(Call& call, Domain& granter, const GnttabMapGrantRef& op) {
  // create_grant_host_mapping() of Arm takes no other flags.
  if ((op.flags & ~kGntmapReadonly) != kGntmapHostMap) return GrantStatus::general_error;
  // Its owner may have put something else there while others had it mapped.
  PinnedPage& pinned = *granter.grant_table().page(op.ref);
  if (pinned.gone()) return GrantStatus::bad_page;
  std::uint8_t* page = granter.physmap().bytes(pinned);
  const bool writable = !(op.flags & kGntmapReadonly);
  if (call.domain.physmap().map_grant(op.host_addr >> kPageBits, page, writable, granter.id())) {
    return GrantStatus::okay;
  }
  call.hypervisor.say_once(call.domain, call.vcpu,
                           "map_grant_ref: this machine cannot show another page there");
  return GrantStatus::general_error;
}

GrantStatus map_one(Call& call, GnttabMapGrantRef& op) {
  const bool readonly = op.flags & kGntmapReadonly;
  if (!(op.flags & (kGntmapDeviceMap | kGntmapHostMap))) return GrantStatus::bad_gntref;
  if (op.flags & (kGntmapDeviceMap | kGntmapApplicationMap | kGntmapContainsPte)) {
    return GrantStatus::general_error;
  }
  Domain* granter = call.hypervisor.find(op.dom);
  if (!granter) return GrantStatus::bad_domain;
  if (!call.hypervisor.may_speak(call.domain, *granter)) return GrantStatus::permission_denied;

  GrantTable& mine = call.domain.grant_table();
  const std::uint32_t handle = mine.take_handle(call.vcpu);
  if (handle == GrantTable::kNoHandle) return GrantStatus::no_space;
  GrantStatus status = granter->grant_table().acquire(op.ref, call.domain.id(), readonly, true);
  if (status == GrantStatus::okay) {
    status = map_page(call, *granter, op);
    if (status != GrantStatus::okay) granter->grant_table().release(op.ref, readonly);
  }
  if (status != GrantStatus::okay) {
    mine.put_handle(handle);
    return status;
  }
  GrantTable::Mapping& mapping = *mine.mapping(handle);
  mapping.flags = op.flags;
  mapping.domain = op.dom;
  mapping.ref = op.ref;
  op.dev_bus_addr = machine_address(*granter, granter->grant_table().granted(op.ref));
  op.handle = handle;
  return GrantStatus::okay;
}

/// Takes the page away from `host_addr`, if it stands there.
GrantStatus unmap_page(Call& call, Domain& granter, GrantRef ref, std::uint64_t host_addr) {
  Physmap& physmap = call.domain.physmap();
  const Gfn at = host_addr >> kPageBits;
  const std::uint8_t* page = granter.physmap().address(granter.grant_table().granted(ref));
  const bool empty = physmap.kind(at) == Physmap::Kind::none;
  if (!empty && (!page || physmap.granted(at) != page)) return GrantStatus::general_error;
  if (!empty) physmap.remove(at, false);
  return GrantStatus::okay;
}

GrantStatus unmap_one(Call& call, std::uint32_t handle, std::uint64_t host_addr,
                      std::uint64_t new_addr) {
  GrantTable& mine = call.domain.grant_table();
  GrantTable::Mapping* mapping = mine.mapping(handle);
  if (!mapping || mapping->flags == 0) return GrantStatus::bad_handle;
  Domain* granter = call.hypervisor.find_or_ended(mapping->domain);
  if (!granter) return GrantStatus::bad_handle;
  if (host_addr == 0) return GrantStatus::okay;  // Nothing that was asked for.
  if (new_addr != 0) return GrantStatus::general_error;
  const GrantStatus status = unmap_page(call, *granter, mapping->ref, host_addr);
  if (status != GrantStatus::okay) return status;
  granter->grant_table().release(mapping->ref, mapping->flags & kGntmapReadonly);
  mine.put_handle(handle);
  return GrantStatus::okay;
}

}  // namespace

std::int64_t gnttab_map_grant_ref(Call& call) {
  return for_each_grant<GnttabMapGrantRef>(call, [&call](GnttabMapGrantRef& op, VirtAddr at) {
    op.status = number(map_one(call, op));
    return call.write(at, op);
  });
}

std::int64_t gnttab_unmap_grant_ref(Call& call) {
  return for_each_grant<GnttabUnmapGrantRef>(call, [&call](GnttabUnmapGrantRef& op, VirtAddr at) {
    op.status = number(unmap_one(call, op.handle, op.host_addr, 0));
    return call.write_field(at, op, op.status);
  });
}

std::int64_t gnttab_unmap_and_replace(Call& call) {
  return for_each_grant<GnttabUnmapAndReplace>(
      call, [&call](GnttabUnmapAndReplace& op, VirtAddr at) {
        op.status = number(unmap_one(call, op.handle, op.host_addr, op.new_addr));
        return call.write_field(at, op, op.status);
      });
}

}  // namespace trapline::xen
