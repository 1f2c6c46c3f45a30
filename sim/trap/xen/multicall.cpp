// __HYPERVISOR_multicall: a list of calls, each with its result.
#include <algorithm>
#include <cstddef>

#include "sim/trap/xen/hypercall_table.h"
#include "sim/trap/xen/operations.h"

namespace trapline::xen {
namespace {

/// Carries out one entry; true if it is not finished and its arguments were put back for the rest.
bool run_entry(Call& call, MulticallEntry& entry) {
  std::copy_n(entry.args, call.args.size(), call.args.begin());
  call.continued = false;
  const Outcome before = call.outcome;
  const std::int64_t result = dispatch(call, entry.op);
  // The vCPU waits once the list is done.
  if (before == Outcome::wait && call.outcome != Outcome::stop) call.outcome = before;
  if (!call.continued) {
    entry.result = static_cast<std::uint64_t>(result);
    return false;
  }
  std::copy(call.args.begin(), call.args.end(), entry.args);
  return true;
}

}  // namespace

std::int64_t multicall(Call& call) {
  if (call.in_multicall) return kEinval;
  call.in_multicall = true;
  VirtAddr at = call.args[0];
  auto left = static_cast<std::uint32_t>(call.args[1]);
  bool unfinished = false;
  for (bool first = true; left > 0; first = false) {
    if (!first && call.preempted()) {
      unfinished = true;
      break;
    }
    MulticallEntry entry;
    if (!call.read(at, entry)) return kEfault;
    unfinished = run_entry(call, entry);
    if (!call.write_field(at, entry, entry.result)) return kEfault;
    if (unfinished) {
      if (!call.write(at, entry)) return kEfault;
      break;
    }
    if (call.outcome == Outcome::stop) return 0;
    at += sizeof entry;
    --left;
  }
  call.continued = false;
  return unfinished ? call.continue_with({at, left}) : 0;
}

}  // namespace trapline::xen
