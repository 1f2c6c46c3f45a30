// How grant_table_op goes through the array that it is given.
#pragma once

#include <cstdint>

#include "sim/trap/xen/call.h"

namespace trapline::xen {

/// X2; check_grant_table_op() has seen that it is not negative.
inline std::uint32_t grant_count(const Call& call) {
  return static_cast<std::uint32_t>(call.args[2]);
}

/// Runs `work(op, address)` for each structure of the array at X1. False from it, or memory that
/// cannot be read, ends the call with -EFAULT.
template <class T, class Work>
std::int64_t for_each_grant(Call& call, Work work) {
  const std::uint32_t count = grant_count(call);
  for (std::uint32_t i = 0; i < count; ++i) {
    const VirtAddr at = call.args[1] + std::uint64_t{i} * sizeof(T);
    if (i != 0 && call.preempted()) {
      constexpr std::uint64_t kCommandMask = 0xfff;
      return call.continue_with({call.args[0] & kCommandMask, at, count - i});
    }
    T op;
    if (!call.read(at, op) || !work(op, at)) return kEfault;
  }
  return 0;
}

/// Machine frames, which guests see as bus addresses: the guest frame, and above it the domain; of
/// a direct-mapped domain just the guest frame.
inline constexpr unsigned kMachineOwnerShift = 32;
std::uint64_t machine_address(Domain& owner, Gfn gfn);

}  // namespace trapline::xen
