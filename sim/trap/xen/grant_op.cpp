// __HYPERVISOR_grant_table_op: the table itself, its version, and copies.
#include <cstring>
#include <optional>

#include "sim/trap/xen/grant_batch.h"
#include "sim/trap/xen/grant_table.h"
#include "sim/trap/xen/operations.h"

namespace trapline::xen {
namespace {

constexpr std::uint64_t kCommandMask = 0xfff;
constexpr std::uint64_t kCacheFlush = 12;
constexpr std::uint64_t kInvalidGfn = ~std::uint64_t{0};

std::int16_t number(GrantStatus status) {
  return static_cast<std::int16_t>(status);
}

/// Whether the domain may be asked about: itself.
GrantStatus check_self(Call& call, DomId id) {
  const Domain* domain = call.any_domain(id);
  if (!domain) return GrantStatus::bad_domain;
  return domain != &call.domain ? GrantStatus::permission_denied : GrantStatus::okay;
}

/// One end of a copy, while it is held.
class CopyEnd {
 public:
  CopyEnd(Call& call, const GnttabCopyPointer& pointer, bool by_ref, bool readonly)
      : call_(call), pointer_(pointer), by_ref_(by_ref), readonly_(readonly) {}
  ~CopyEnd() {
    if (held_) domain_->grant_table().release(pointer_.u.ref, readonly_);
  }
  CopyEnd(const CopyEnd&) = delete;
  CopyEnd& operator=(const CopyEnd&) = delete;

  GrantStatus find_domain() {
    if (pointer_.domid != kDomIdSelf && !by_ref_) return GrantStatus::permission_denied;
    domain_ = call_.any_domain(pointer_.domid);
    return domain_ ? GrantStatus::okay : GrantStatus::bad_domain;
  }
  GrantStatus claim() {
    gfn_ = pointer_.u.gmfn;
    if (by_ref_) {
      const GrantStatus status =
          domain_->grant_table().acquire(pointer_.u.ref, call_.domain.id(), readonly_, false);
      if (status != GrantStatus::okay) return status;
      held_ = true;
      gfn_ = domain_->grant_table().granted(pointer_.u.ref);
    }
    return bytes() ? GrantStatus::okay : GrantStatus::bad_page;
  }
  // An entry that was pinned before may be of a page that its owner has replaced since.
  std::uint8_t* bytes() {
    if (by_ref_ && domain_->grant_table().page(pointer_.u.ref)->gone()) return nullptr;
    return domain_->physmap().own_page(gfn_);
  }
  void written(std::size_t offset, std::size_t bytes) {
    domain_->physmap().written(gfn_, offset, bytes);
  }
  Domain& domain() { return *domain_; }

 private:
  Call& call_;
  GnttabCopyPointer pointer_;
  bool by_ref_;
  bool readonly_;
  Domain* domain_ = nullptr;
  Gfn gfn_ = 0;
  bool held_ = false;
};

GrantStatus copy_one(Call& call, const GnttabCopy& op) {
  CopyEnd source(call, op.source, op.flags & kGntcopySourceGref, true);
  CopyEnd dest(call, op.dest, op.flags & kGntcopyDestGref, false);
  GrantStatus status = source.find_domain();
  if (status == GrantStatus::okay) status = dest.find_domain();
  if (status != GrantStatus::okay) return status;
  if (!call.hypervisor.may_speak(source.domain(), dest.domain())) {
    return GrantStatus::permission_denied;
  }
  status = source.claim();
  if (status == GrantStatus::okay) status = dest.claim();
  if (status != GrantStatus::okay) return status;
  if (op.source.offset + op.len > int{kPageBytes} || op.dest.offset + op.len > int{kPageBytes}) {
    return GrantStatus::bad_copy_arg;
  }
  std::memmove(dest.bytes() + op.dest.offset, source.bytes() + op.source.offset, op.len);
  dest.written(op.dest.offset, op.len);
  return GrantStatus::okay;
}

/// The frame behind a machine address that GNTTABOP_map_grant_ref gave out.
struct MachineFrame {
  Domain* domain;  ///< nullptr: memory that no domain owns.
  Gfn gfn;
};

std::optional<MachineFrame> frame_of(Call& call, std::uint64_t machine_address) {
  const std::uint64_t frame = machine_address >> kPageBits;
  const std::uint64_t owner = frame >> kMachineOwnerShift;
  if (owner == 0) {
    // Machines have their RAM about where the guest has its; a guest that takes its own addresses
    // for the machine's hits on memory of somebody else.
    if (!call.domain.physmap().own_page(frame)) return std::nullopt;
    return MachineFrame{call.domain.config().direct_mapped ? &call.domain : nullptr, frame};
  }
  Domain* domain = owner < kDomIdFirstReserved
                       ? call.hypervisor.find_or_ended(static_cast<DomId>(owner))
                       : nullptr;
  const Gfn gfn = frame & ((std::uint64_t{1} << kMachineOwnerShift) - 1);
  if (!domain || !domain->physmap().own_page(gfn)) return std::nullopt;
  return MachineFrame{domain, gfn};
}

}  // namespace

std::uint64_t machine_address(Domain& owner, Gfn gfn) {
  const std::uint64_t id = owner.config().direct_mapped ? 0 : owner.id();
  return (id << kMachineOwnerShift | gfn) << kPageBits;
}

std::int64_t check_grant_table_op(Call& call) {
  const auto count = static_cast<std::int32_t>(call.args[2]);
  if (count < 0) return kEinval;
  const auto command = static_cast<std::uint32_t>(call.args[0]);
  const bool opaque = command & ~static_cast<std::uint32_t>(kCommandMask);
  return opaque && (command & kCommandMask) != kCacheFlush ? kEinval : 0;
}

std::int64_t gnttab_setup_table(Call& call) {
  if (grant_count(call) != 1) return kEinval;
  GnttabSetupTable op;
  if (!call.read(call.args[1], op)) return kEfault;
  GrantTable& table = call.domain.grant_table();
  GrantStatus status = check_self(call, op.dom);
  if (status == GrantStatus::okay && !table.grow(op.nr_frames)) {
    status = GrantStatus::general_error;
  }
  if (status == GrantStatus::okay) {
    for (unsigned i = 0; i < op.nr_frames; ++i) {
      const std::uint64_t gfn = table.frame(i).at().value_or(kInvalidGfn);
      if (!call.write(op.frame_list + i * sizeof gfn, gfn)) status = GrantStatus::bad_virt_addr;
    }
  }
  op.status = number(status);
  return call.write_field(call.args[1], op, op.status) ? 0 : kEfault;
}

std::int64_t gnttab_query_size(Call& call) {
  if (grant_count(call) != 1) return kEinval;
  GnttabQuerySize op;
  if (!call.read(call.args[1], op)) return kEfault;
  const GrantStatus status = check_self(call, op.dom);
  if (status == GrantStatus::okay) {
    op.nr_frames = call.domain.grant_table().frames();
    op.max_nr_frames = call.domain.grant_table().max_frames();
  }
  op.status = number(status);
  return call.write(call.args[1], op) ? 0 : kEfault;
}

// Arm knows version 1 only.
std::int64_t gnttab_set_version(Call& call) {
  GnttabSetVersion op;
  if (!call.read(call.args[1], op)) return kEfault;
  const std::int64_t result = op.version == 1 ? 0 : op.version == 2 ? kEnosys : kEinval;
  op.version = 1;
  return call.write(call.args[1], op) ? result : kEfault;
}

std::int64_t gnttab_get_version(Call& call) {
  GnttabGetVersion op;
  if (!call.read(call.args[1], op)) return kEfault;
  const Domain* domain = call.any_domain(op.dom);
  if (!domain) return kEsrch;
  if (domain != &call.domain) return kEperm;
  op.version = 1;
  return call.write_field(call.args[1], op, op.version) ? 0 : kEfault;
}

std::int64_t gnttab_get_status_frames(Call& call) {
  if (grant_count(call) != 1) return kEinval;
  GnttabGetStatusFrames op;
  if (!call.read(call.args[1], op)) return kEfault;
  GrantStatus status = check_self(call, op.dom);
  if (status == GrantStatus::okay && op.nr_frames != 0) status = GrantStatus::general_error;
  op.status = number(status);
  return call.write_field(call.args[1], op, op.status) ? 0 : kEfault;
}

std::int64_t gnttab_copy(Call& call) {
  return for_each_grant<GnttabCopy>(call, [&call](GnttabCopy& op, VirtAddr at) {
    op.status = number(copy_one(call, op));
    return call.write_field(at, op, op.status);
  });
}

std::int64_t gnttab_swap_grant_ref(Call& call) {
  return for_each_grant<GnttabSwapGrantRef>(call, [&call](GnttabSwapGrantRef& op, VirtAddr at) {
    op.status = number(call.domain.grant_table().swap(op.ref_a, op.ref_b));
    return call.write_field(at, op, op.status);
  });
}

// Caches are not modelled: what is left are the checks. The reference to go on from in a search
// that was preempted is part of the command; here none is.
std::int64_t gnttab_cache_flush(Call& call) {
  const std::uint64_t resumed = call.args[0] & 0xffff'f000;
  std::int64_t error = 0;
  const auto flush = [&call, resumed](const GnttabCacheFlush& op) -> std::int64_t {
    constexpr std::uint32_t kCleanAndInvalidate = 3;
    if (op.offset >= kPageBytes || op.length > kPageBytes ||
        op.offset + op.length > int{kPageBytes} || op.op & ~kCleanAndInvalidate) {
      return kEinval;
    }
    if (op.length == 0 || op.op == 0) return resumed == 0 ? 0 : kEilseq;
    const std::optional<MachineFrame> frame = frame_of(call, op.dev_bus_addr);
    if (!frame) return kEinval;
    if (!frame->domain) return kEperm;
    if (frame->domain == &call.domain) return 0;
    return frame->domain->grant_table().maps(call.domain.id(), frame->gfn) ? 0 : kEinval;
  };
  const std::int64_t result =
      for_each_grant<GnttabCacheFlush>(call, [&](GnttabCacheFlush& op, VirtAddr) {
        error = flush(op);
        return error == 0;
      });
  return error != 0 ? error : result;
}

}  // namespace trapline::xen
