#include "sim/cpu/soft_tlb.h"

#include <bit>

namespace trapline {
namespace {

constexpr std::size_t kInitialEntries = 4096;

/// log2 of the leaves in a contiguous run, by the size of one (DDI 0487 D8.7.1): 16 with the 4 KiB
/// granule, 128 pages or 32 blocks with 16 KiB, 32 with 64 KiB.
unsigned contiguous_log2(unsigned page_shift) {
  if (page_shift == 14) return 7;
  return page_shift == 16 || page_shift == 25 || page_shift == 29 ? 5 : 4;
}

}  // namespace

SoftTlb::SoftTlb() : table_(kInitialEntries), mask_(kInitialEntries - 1) {
  contexts_.reserve(kContexts);
  contexts_.resize(1);
}

SoftTlb::Context SoftTlb::context(const TlbTag& tag, bool& flushed) {
  const std::uint64_t key = tag.packed();
  if (const auto found = ids_.find(key); found != ids_.end()) return found->second;
  if (contexts_.size() >= kContexts) {
    invalidate_all();
    flushed = true;
  }
  const auto id = static_cast<Context>(contexts_.size());
  contexts_.push_back({.tag = tag});
  ids_.emplace(key, id);
  return id;
}

void SoftTlb::insert(Context context, VirtAddr va, const Mapping& mapping) {
  if (used_ * 2 >= table_.size()) grow();
  const std::uint64_t key = (va >> 12) << 10 | context;
  ContextState& state = contexts_[context];
  std::size_t at = hash(key) & mask_;
  while (table_[at].key != 0 && table_[at].key != key) at = (at + 1) & mask_;
  Entry& entry = table_[at];
  if (entry.key == 0) ++used_;
  entry.key = key;
  entry.pa_page = mapping.pa(va) & ~0xfffull;
  entry.generation = state.generation;
  entry.permissions = mapping.permissions();
  entry.pan_protected = mapping.pan_protected;
  entry.needs_dirty_update = mapping.needs_dirty_update;
  if (const unsigned shift = mapping.page_shift + (mapping.contiguous ? contiguous_log2(mapping.page_shift) : 0u); shift > 12) {
    state.block_shifts |= 1ull << shift;
    blocks_.insert(block_key(context, shift, va));
  }
}

bool SoftTlb::in_block(const ContextState& state, Context context, VirtAddr va) const {
  for (std::uint64_t shifts = state.block_shifts; shifts != 0; shifts &= shifts - 1) {
    const auto shift = static_cast<unsigned>(std::countr_zero(shifts));
    if (blocks_.contains(block_key(context, shift, va))) return true;
  }
  return false;
}

void SoftTlb::grow() {
  std::size_t live = 0;
  for (const Entry& entry : table_) {
    if (entry.key && entry.generation == contexts_[entry.key & (kContexts - 1)].generation) ++live;
  }
  std::size_t size = table_.size();
  while (live * 4 >= size) size *= 2;
  std::vector<Entry> old(size);
  old.swap(table_);
  mask_ = size - 1;
  used_ = 0;
  for (const Entry& entry : old) {
    if (!entry.key || entry.generation != contexts_[entry.key & (kContexts - 1)].generation) {
      continue;
    }
    std::size_t at = hash(entry.key) & mask_;
    while (table_[at].key != 0) at = (at + 1) & mask_;
    table_[at] = entry;
    ++used_;
  }
}

void SoftTlb::invalidate_all() {
  table_.assign(kInitialEntries, Entry{});
  mask_ = kInitialEntries - 1;
  used_ = 0;
  contexts_.resize(1);
  ids_.clear();
  blocks_.clear();
}

template <typename Predicate>
void SoftTlb::drop_where(Predicate predicate) {
  for (std::size_t i = 1; i < contexts_.size(); ++i) {
    if (!predicate(contexts_[i].tag)) continue;
    ++contexts_[i].generation;
  }
}

void SoftTlb::invalidate_regime(Regime regime) {
  drop_where([&](const TlbTag& tag) { return tag.regime == regime; });
}

void SoftTlb::invalidate_vmid(Regime regime, std::uint16_t vmid) {
  drop_where([&](const TlbTag& tag) { return tag.regime == regime && tag.vmid == vmid; });
}

void SoftTlb::invalidate_asid(Regime regime, std::uint16_t vmid, std::uint16_t asid) {
  drop_where([&](const TlbTag& tag) {
    return tag.regime == regime && tag.vmid == vmid && tag.asid == asid;
  });
}

bool SoftTlb::invalidate_va(Regime regime, std::uint16_t vmid, std::uint32_t asid, VirtAddr va) {
  bool wide = false;
  for (std::size_t i = 1; i < contexts_.size(); ++i) {
    ContextState& state = contexts_[i];
    const TlbTag& tag = state.tag;
    if (tag.regime != regime || tag.vmid != vmid) continue;
    if (asid != TlbTag::kGlobal && tag.asid != asid && tag.asid != TlbTag::kGlobal) continue;
    if (in_block(state, static_cast<Context>(i), va)) {
      // The VA is any one address of a larger leaf, whose other pages are entries too.
      ++state.generation;
      wide = true;
    } else if (const Entry* entry = find(static_cast<Context>(i), va)) {
      const_cast<Entry*>(entry)->generation = 0;
    }
  }
  return wide;
}

}  // namespace trapline
