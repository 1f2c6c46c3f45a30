// Exclusive accesses that are executed here: to devices, and to pages that MPU regions split.
//
// The engine's own monitor knows nothing of a load that was executed here, and would fail the store
// without asking. So what may follow the load (a store exclusive or CLREX) is hooked when it is
// seen.
#include <algorithm>

#include "sim/arch/load_store.h"
#include "sim/cpu/unicorn_cpu.h"

namespace trapline {
namespace {

/// How far behind a load its store is looked for. Software that wants to make progress keeps them
/// within 128 bytes (DDI 0487 B2.9.5).
constexpr VirtAddr kWindow = 256;

bool is_clrex(std::uint32_t word) {
  return (word & 0xfffff0ff) == 0xd503305f;
}

bool is_store_exclusive(std::uint32_t word) {
  const auto decoded = decode_load_store(word);
  return decoded && (decoded->kind == LoadStoreKind::store_exclusive ||
                     decoded->kind == LoadStoreKind::store_exclusive_pair);
}

}  // namespace

/// Only accesses that are executed here come here. Where the exclusive access is to a device, every
/// store succeeds.
void UnicornCpu::set_exclusive(VirtAddr va, unsigned bytes) {
  monitor_ = {.va = va, .bytes = bytes, .set = true};
  if (emulation_.device || !read_memory(va, monitor_.value.data(), bytes)) monitor_.bytes = 0;
}

bool UnicornCpu::take_exclusive(VirtAddr va, unsigned bytes) {
  monitor_.set = false;
  Fault fault;
  const SoftTlb::Entry* entry =
      lookup(untagged(va), AccessKind::write, emulation_.privileged, emulation_.pan, fault);
  // What faults, the store will find; and devices have no monitor.
  if (!entry || !bus_.ram_at(entry->pa_page)) return true;
  std::array<std::uint8_t, 16> now{};
  const bool same = monitor_.va == va && monitor_.bytes == bytes &&
                    read_memory(va, now.data(), bytes) &&
                    std::equal(now.begin(), now.begin() + bytes, monitor_.value.begin());
  monitor_.bytes = 0;
  return same;
}

/// A load exclusive at `pc` was executed here.
void UnicornCpu::watch_exclusive_stores(VirtAddr pc) {
  for (VirtAddr at = pc + 4; at < pc + kWindow; at += 4) {
    const std::optional<std::uint32_t> word = word_at(at);
    if (!word) return;
    if (!is_store_exclusive(*word) && !is_clrex(*word)) continue;
    if (!exclusive_hooked_.insert(at).second) continue;
    hooks_.push_back({this, at, 0, false});
    uc_hook_add(engine_, &hooks_.back().handle, UC_HOOK_CODE,
                reinterpret_cast<void*>(&exclusive_callback), &hooks_.back(), at, at);
    Fault fault;
    const SoftTlb::Entry* entry = lookup(at, AccessKind::fetch, el_ != El::el0, false, fault);
    if (entry) forget_code(entry->pa_page);
  }
}

/// Before a store exclusive or CLREX that once followed such a load.
void UnicornCpu::exclusive_callback(uc_engine*, std::uint64_t pc, std::uint32_t, void* hook) {
  UnicornCpu& cpu = *static_cast<const HookPoint*>(hook)->cpu;
  if (!cpu.monitor_.set || cpu.fetch_denied(pc)) return;
  const std::optional<std::uint32_t> word = cpu.word_at(pc);
  if (!word) return;
  if (is_clrex(*word)) {
    cpu.monitor_.set = false;
  } else if (is_store_exclusive(*word)) {
    cpu.settle(pc);
    cpu.pending_.kind = Pending::Kind::split_data;
    cpu.emulate_access(pc, *word);
    cpu.pending_ = {};
  }
}

}  // namespace trapline
