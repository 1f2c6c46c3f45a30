// XENMEM_increase_reservation, decrease_reservation, populate_physmap and exchange: the amount of
// memory a domain has.
#include <algorithm>
#include <optional>

#include "sim/trap/xen/operations.h"

namespace trapline::xen {
namespace {

constexpr std::uint32_t kMaxOrder = 9;    // CONFIG_DOMU_MAX_ORDER.
constexpr std::uint32_t kAnyNode = 0xff;  // NUMA_NO_NODE.
constexpr std::uint64_t kMaxExtents = 0xffff'ffffu >> kMemopExtentShift;

std::uint32_t node_of(std::uint32_t mem_flags) {
  return ((mem_flags >> 8) - 1) & 0xff;
}

/// An unprivileged domain may name a node, and is not heard; it may not insist on it.
bool may_ask_for(std::uint32_t mem_flags) {
  return node_of(mem_flags) == kAnyNode || !(mem_flags & kMemfExactNodeRequest);
}

unsigned bits_for(std::uint64_t frames) {
  unsigned order = 0;
  while ((std::uint64_t{1} << order) < frames) ++order;
  return order + kPageBits;
}

struct Extents {
  MemoryReservation what;
  std::uint64_t first = 0;  ///< Those before were done by an earlier part of the call.
  std::uint64_t frames() const { return std::uint64_t{1} << what.extent_order; }
};

/// What the three calls check alike. Whatever is wrong, the answer is how many extents were done.
std::optional<Extents> extents_of(Call& call) {
  Extents extents;
  extents.first = call.args[0] >> kMemopExtentShift;
  MemoryReservation& what = extents.what;
  if (!call.read(call.args[1], what)) return std::nullopt;
  if (what.nr_extents > kMaxExtents || extents.first >= what.nr_extents) return std::nullopt;
  if (call.any_domain(what.domid) != &call.domain) return std::nullopt;
  const std::uint32_t address_bits = what.mem_flags & 0xff;
  if (address_bits != 0 && address_bits <= kPageBits &&
      address_bits < bits_for(call.hypervisor.config().max_page)) {
    return std::nullopt;
  }
  if (!(what.mem_flags & kMemfVnode) && !may_ask_for(what.mem_flags)) return std::nullopt;
  return extents;
}

/// Runs `work(i)` for each extent until one fails, and returns how many are done by then.
template <class Work>
std::int64_t for_each_extent(Call& call, const Extents& extents, Work work) {
  for (std::uint64_t i = extents.first; i < extents.what.nr_extents; ++i) {
    if (i != extents.first && call.preempted(static_cast<unsigned>(extents.frames()))) {
      const std::uint64_t command = call.args[0] & ((1u << kMemopExtentShift) - 1);
      return call.continue_with({command | i << kMemopExtentShift, call.args[1]});
    }
    if (!work(i)) return static_cast<std::int64_t>(i);
  }
  return static_cast<std::int64_t>(extents.what.nr_extents);
}

std::int64_t done_before(const Call& call) {
  return static_cast<std::int64_t>(call.args[0] >> kMemopExtentShift);
}

bool read_frame(Call& call, VirtAddr list, std::uint64_t index, Gfn& gfn) {
  return call.read(list + index * sizeof gfn, gfn);
}

}  // namespace

// The pages get no address, so that a domain whose addresses are translated cannot reach them; they
// count all the same.
std::int64_t memory_increase_reservation(Call& call) {
  const std::optional<Extents> extents = extents_of(call);
  if (!extents || extents->what.extent_order > kMaxOrder) return done_before(call);
  return for_each_extent(call, *extents, [&](std::uint64_t) {
    return call.domain.physmap().take_unmapped(extents->frames());
  });
}

std::int64_t memory_decrease_reservation(Call& call) {
  const std::optional<Extents> extents = extents_of(call);
  if (!extents || extents->what.extent_order > kMaxOrder) return done_before(call);
  Physmap& physmap = call.domain.physmap();
  return for_each_extent(call, *extents, [&](std::uint64_t i) {
    Gfn gfn = 0;
    if (!read_frame(call, extents->what.extent_start, i, gfn)) return false;
    for (std::uint64_t j = 0; j < extents->frames(); ++j) {
      if (!physmap.own_page(gfn + j)) return false;
      physmap.remove(gfn + j, !call.domain.config().direct_mapped);
    }
    return true;
  });
}

std::int64_t memory_populate_physmap(Call& call) {
  const std::optional<Extents> extents = extents_of(call);
  // A domain cannot have memory that is populated on demand for itself.
  if (!extents || extents->what.mem_flags & kMemfPopulateOnDemand ||
      extents->what.extent_order > kMaxOrder) {
    return done_before(call);
  }
  Physmap& physmap = call.domain.physmap();
  return for_each_extent(call, *extents, [&](std::uint64_t i) {
    Gfn gfn = 0;
    if (!read_frame(call, extents->what.extent_start, i, gfn)) return false;
    return call.domain.config().direct_mapped ? physmap.restore(gfn, extents->frames())
                                              : physmap.populate(gfn, extents->frames());
  });
}

// Arm does not take pages away (steal_page()), so that an exchange ends at its first page at the
// latest.
std::int64_t memory_exchange(Call& call) {
  if (call.args[0] >> kMemopExtentShift != 0) return kEinval;
  MemoryExchange op;
  if (!call.read(call.args[1], op)) return kEfault;
  const auto finish = [&call, &op](std::int64_t error) {
    return call.write_field(call.args[1], op, op.nr_exchanged) ? error : kEfault;
  };
  const MemoryReservation& in = op.in;
  const MemoryReservation& out = op.out;
  if (std::max(in.extent_order, out.extent_order) > kMaxOrder) return finish(kEperm);
  if (op.nr_exchanged > in.nr_extents || in.domid != out.domid ||
      (~std::uint64_t{0} >> in.extent_order) < in.nr_extents ||
      (~std::uint64_t{0} >> out.extent_order) < out.nr_extents ||
      in.nr_extents << in.extent_order != out.nr_extents << out.extent_order) {
    return finish(kEinval);
  }
  if (op.nr_exchanged == in.nr_extents) return 0;
  if (!may_ask_for(out.mem_flags)) return finish(kEinval);
  const Domain* domain = call.any_domain(in.domid);
  if (!domain) return finish(kEsrch);
  if (domain != &call.domain) return finish(kEperm);

  const unsigned chunk_order =
      in.extent_order <= out.extent_order ? out.extent_order - in.extent_order : 0;
  const std::uint64_t first = op.nr_exchanged >> chunk_order;
  if (first >= in.nr_extents >> chunk_order) {
    op.nr_exchanged = in.nr_extents;
    return finish(0);
  }
  op.nr_exchanged = first << chunk_order;
  Gfn gfn = 0;
  if (!read_frame(call, in.extent_start, op.nr_exchanged, gfn)) return finish(kEfault);
  return finish(call.domain.physmap().kind(gfn) == Physmap::Kind::none ? kEinval : kEopnotsupp);
}

}  // namespace trapline::xen
