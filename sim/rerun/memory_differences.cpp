#include "sim/rerun/memory_differences.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <vector>

namespace trapline {
namespace {

const BootBlob* blob_at(const BootPlan& plan, PhysAddr pa) {
  for (const BootBlob& blob : plan.blobs) {
    if (pa - blob.address < blob.bytes.size()) return &blob;
  }
  return nullptr;
}

}  // namespace

WatchedMemory memory_differences(const BootPlan& a, const BootPlan& b) {
  // Between two of these, each side is in one blob or in none.
  std::set<PhysAddr> edges;
  for (const BootPlan* plan : {&a, &b}) {
    for (const BootBlob& blob : plan->blobs) {
      edges.insert({blob.address, blob.address + blob.bytes.size()});
    }
  }
  WatchedMemory different;
  for (auto edge = edges.begin(); edge != edges.end() && std::next(edge) != edges.end(); ++edge) {
    const PhysAddr begin = *edge;
    const std::uint64_t bytes = *std::next(edge) - begin;
    const BootBlob* in_a = blob_at(a, begin);
    const BootBlob* in_b = blob_at(b, begin);
    const std::uint8_t* from_a = in_a ? &in_a->bytes[begin - in_a->address] : nullptr;
    const std::uint8_t* from_b = in_b ? &in_b->bytes[begin - in_b->address] : nullptr;
    if (from_a == from_b || (from_a && from_b && std::memcmp(from_a, from_b, bytes) == 0)) continue;
    for (std::uint64_t n = 0; n < bytes; ++n) {
      const std::uint8_t one = from_a ? from_a[n] : 0, other = from_b ? from_b[n] : 0;
      if (one != other) different.add(begin + n, 1);
    }
  }
  return different;
}

bool same_entry(const BootPlan& a, const BootPlan& b) {
  return a.entry == b.entry && a.secondary_entry == b.secondary_entry && a.x == b.x &&
         a.entry_el == b.entry_el && a.psci == b.psci;
}

}  // namespace trapline
