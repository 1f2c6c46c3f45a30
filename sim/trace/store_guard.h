// Pages of RAM of which somebody wants to know when they are written.
#pragma once

#include <cstdint>
#include <unordered_set>

#include "sim/arch/types.h"

namespace trapline {

/// A store to a guarded page, before it is done.
struct GuardedStore {
  unsigned cpu = 0;  ///< As in events.
  El el = El::el0;
  std::uint16_t vmid = 0;
  VirtAddr pc = 0;
  PhysAddr pa = 0;
  unsigned bytes = 0;
  bool mmu = false;  ///< SCTLR_EL1.M
};

/// Reads of guarded pages cost nothing, stores are slow; nothing that a guest can see differs.
class StoreGuard {
 public:
  static constexpr unsigned kPageBits = 12;

  virtual ~StoreGuard() = default;
  bool has_page(PhysAddr pa) const { return !pages_.empty() && pages_.contains(pa >> kPageBits); }
  /// Something else is at the page now.
  void forget(PhysAddr pa) { pages_.erase(pa >> kPageBits); }
  /// A CPU can read the page from now on.
  virtual void on_read(PhysAddr page) = 0;
  virtual void on_store(const GuardedStore& store) = 0;

 protected:
  void add_page(PhysAddr pa) { pages_.insert(pa >> kPageBits); }
  void drop_page(PhysAddr pa) { pages_.erase(pa >> kPageBits); }

 private:
  std::unordered_set<std::uint64_t> pages_;  // Only ever looked up.
};

}  // namespace trapline
