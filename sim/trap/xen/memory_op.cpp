// __HYPERVISOR_memory_op, but for the amounts (memory_reservation.cpp).
#include "sim/trap/xen/grant_table.h"
#include "sim/trap/xen/operations.h"

namespace trapline::xen {
namespace {

constexpr std::uint64_t kCommandMask = (1u << kMemopExtentShift) - 1;

std::uint64_t first_extent(const Call& call) {
  return call.args[0] >> kMemopExtentShift;
}

/// The domain that a call which does not go on later asks about: itself, or an error.
template <class T>
std::int64_t read_for_self(Call& call, T& op) {
  if (first_extent(call) != 0) return kEinval;
  if (!call.read(call.args[1], op)) return kEfault;
  const Domain* domain = call.any_domain(op.domid);
  if (!domain) return kEsrch;
  return domain != &call.domain ? kEperm : 0;
}

std::int64_t map_shared(Call& call, SharedPage& page, Gfn gfn) {
  if (page.at()) return kEbusy;
  if (call.domain.physmap().map(page, gfn)) return 0;
  call.hypervisor.say_once(
      call.domain, call.vcpu,
      "add_to_physmap: there is no memory to map at this frame; use the region "
      "that the device tree's hypervisor node gives, or RAM");
  return kEinval;
}

std::int64_t map_grant_frame(Call& call, std::uint64_t index, Gfn gfn) {
  GrantTable& table = call.domain.grant_table();
  const auto frame = static_cast<std::uint32_t>(index);
  if (frame >= table.frames() && (frame == ~std::uint32_t{0} || !table.grow(frame + 1))) {
    return kEinval;
  }
  return map_shared(call, table.frame(frame), gfn);
}

/// Another domain's memory, which an unprivileged one may not map.
std::int64_t map_foreign(Call& call, DomId foreign) {
  if (foreign == call.domain.id()) return kEsrch;
  if (foreign == kDomIdSelf) return kEinval;
  if (foreign == kDomIdIo || foreign == kDomIdXen || call.hypervisor.find(foreign)) return kEperm;
  return kEsrch;
}

std::int64_t add_one(Call& call, std::uint32_t space, DomId foreign, std::uint64_t index, Gfn gfn) {
  switch (static_cast<MapSpace>(space)) {
    case MapSpace::shared_info:
      return index != 0 ? kEinval : map_shared(call, call.domain.shared_info_page(), gfn);
    case MapSpace::grant_table:
      return map_grant_frame(call, index, gfn);
    case MapSpace::gmfn_foreign:
      return map_foreign(call, foreign);
    default:
      return kEnosys;
  }
}

std::int64_t check_map(Call& call, DomId id, std::uint32_t space) {
  const Domain* domain = call.any_domain(id);
  if (!domain) return kEsrch;
  if (static_cast<MapSpace>(space) == MapSpace::dev_mmio) return kEacces;
  return domain != &call.domain ? kEperm : 0;
}

}  // namespace

std::int64_t memory_maximum_ram_page(Call& call) {
  if (first_extent(call) != 0) return kEinval;
  return static_cast<std::int64_t>(call.hypervisor.config().max_page);
}

std::int64_t memory_current_reservation(Call& call) {
  MemoryDomain op;
  if (const std::int64_t error = read_for_self(call, op)) return error;
  return static_cast<std::int64_t>(call.domain.physmap().frames());
}

std::int64_t memory_maximum_reservation(Call& call) {
  MemoryDomain op;
  if (const std::int64_t error = read_for_self(call, op)) return error;
  return static_cast<std::int64_t>(call.domain.physmap().max_frames());
}

std::int64_t memory_maximum_gpfn(Call& call) {
  MemoryDomain op;
  if (const std::int64_t error = read_for_self(call, op)) return error;
  return static_cast<std::int64_t>(call.domain.physmap().last_gfn());
}

std::int64_t memory_add_to_physmap(Call& call) {
  const std::uint64_t start = first_extent(call);
  if (start > 0xffff) return kEdom;
  AddToPhysmap op;
  if (!call.read(call.args[1], op)) return kEfault;
  const auto space = static_cast<MapSpace>(op.space);
  if (space == MapSpace::gmfn_foreign) return kEnosys;
  if (const std::int64_t error = check_map(call, op.domid, op.space)) return error;
  if (op.gpfn == Physmap::kInvalid) return kEinval;
  if (space != MapSpace::gmfn_range) return add_one(call, op.space, 0, op.idx, op.gpfn);
  if (op.size < start) return kEilseq;
  if (op.gpfn + op.size < op.gpfn || op.idx + op.size < op.idx) return kEoverflow;
  // Arm moves no frames within a domain: the first one fails.
  return op.size > start ? kEnosys : 0;
}

std::int64_t memory_add_to_physmap_batch(Call& call) {
  std::uint64_t extent = first_extent(call);
  if (extent > 0xffff) return kEdom;
  AddToPhysmapBatch op;
  if (!call.read(call.args[1], op)) return kEfault;
  if (static_cast<MapSpace>(op.space) == MapSpace::gmfn_range) return kEopnotsupp;
  if (const std::int64_t error = check_map(call, op.domid, op.space)) return error;
  if (op.size < extent) return kEilseq;
  if (op.size == extent) return extent != 0 ? kEilseq : 0;
  while (true) {
    std::uint64_t index = 0;
    Gfn gfn = 0;
    if (!call.read(op.idxs + extent * sizeof index, index) ||
        !call.read(op.gpfns + extent * sizeof gfn, gfn)) {
      return kEfault;
    }
    if (gfn == Physmap::kInvalid) return kEinval;
    const auto error =
        static_cast<std::int32_t>(add_one(call, op.space, op.foreign_domid, index, gfn));
    if (!call.write(op.errs + extent * sizeof error, error)) return kEfault;
    if (++extent >= op.size) return 0;
    if (call.preempted()) {
      return call.continue_with(
          {(call.args[0] & kCommandMask) | extent << kMemopExtentShift, call.args[1]});
    }
  }
}

std::int64_t memory_remove_from_physmap(Call& call) {
  RemoveFromPhysmap op;
  if (const std::int64_t error = read_for_self(call, op)) return error;
  if (!call.domain.physmap().own_page(op.gpfn)) return kEnoent;
  call.domain.physmap().remove(op.gpfn, false);
  return 0;
}

std::int64_t memory_claim_pages(Call& call) {
  if (first_extent(call) != 0) return kEinval;
  MemoryReservation op;
  if (!call.read(call.args[1], op)) return kEfault;
  if (op.extent_start != 0 || op.extent_order != 0 || op.mem_flags != 0) return kEinval;
  return call.hypervisor.find(op.domid) ? kEperm : kEinval;
}

std::int64_t memory_get_vnumainfo(Call& call) {
  if (first_extent(call) != 0) return kEinval;
  VnumaTopologyInfo op;
  if (!call.read(call.args[1], op)) return kEfault;
  if (op.pad != 0) return kEinval;
  const Domain* domain = call.any_domain(op.domid);
  if (!domain) return kEsrch;
  return domain != &call.domain ? kEperm : kEopnotsupp;
}

std::int64_t memory_reserved_device_map(Call& call) {
  if (first_extent(call) != 0) return kEinval;
  ReservedDeviceMemoryMap op;
  if (!call.read(call.args[1], op)) return kEfault;
  constexpr std::uint32_t kAll = 1;
  if (op.flags & ~kAll) return kEinval;
  op.nr_entries = 0;
  return call.write(call.args[1], op) ? 0 : kEfault;
}

std::int64_t memory_acquire_resource(Call& call) {
  MemAcquireResource op;
  if (!call.read(call.args[1], op)) return kEfault;
  if (op.pad != 0) return kEinval;
  if (op.frame >> 32 != 0 || (op.frame + op.nr_frames) >> 32 != 0) return kEinval;
  return call.hypervisor.find(op.domid) ? kEperm : kEsrch;
}

std::int64_t memory_sharing_pages(Call& call) {
  // The command is looked at whole here: with a first extent it is another one.
  return static_cast<std::uint32_t>(call.args[0]) <= kCommandMask ? 0 : kEnosys;
}

}  // namespace trapline::xen
