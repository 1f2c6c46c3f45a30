// Traps of floating-point and SIMD instructions.
//
// The engine never takes them. A page that holds such instructions gets a hook on each of them when it
// is first executed while they trap; code-map keys say whether they do, so that every page passes
// block_slow() then. Other pages, and software that leaves FP enabled, pay nothing.
#include "sim/arch/registers.h"
#include "sim/cpu/unicorn_cpu.h"

namespace trapline {

/// CPACR_EL1.FPEN and CPTR_EL2.{TFP, FPEN} (DDI 0487 D1.3.6). fp_trap() decides each case; this says
/// where it needs to be asked.
void UnicornCpu::update_fp_traps() {
  const auto traps = [](std::uint64_t fpen, bool el0) {
    return fpen == 0 || fpen == 2 || (fpen == 1 && el0);
  };
  const auto cpacr = bits(read_system(reg::CPACR_EL1), 21, 20);
  const bool host = e2h() && tge();
  bool el2_traps_el0 = false, el2_traps_el1 = false, el2_traps_el2 = false;
  if (config_.has_el2 && e2h()) {
    const auto fpen = bits(cptr_, 21, 20);
    el2_traps_el0 = traps(fpen, tge());
    el2_traps_el1 = el2_traps_el2 = traps(fpen, false);
  } else if (config_.has_el2) {
    el2_traps_el0 = el2_traps_el1 = el2_traps_el2 = bit(read_system(reg::CPTR_EL2), 10);
  }
  fp_off_ = {(!host && traps(cpacr, true)) || el2_traps_el0, traps(cpacr, false) || el2_traps_el1,
             el2_traps_el2};
}

/// The block at `pc` is about to run. True if it had to be stopped, to be translated anew with hooks.
bool UnicornCpu::stop_for_fp(VirtAddr pc) {
  Fault fault;
  const SoftTlb::Entry* entry = lookup(pc, AccessKind::fetch, el_ != El::el0, false, fault);
  CodePages::Slot* slot = entry ? pages_.slot(entry->pa_page) : nullptr;
  if (!slot || pages_.code(entry->pa_page, *slot).fp.none()) return false;
  if (fp_hooked_.contains({pc & ~0xfffull, slot->scans})) return false;
  pending_ = {.kind = Pending::Kind::fp_hooks, .access = AccessKind::fetch, .va = pc};
  write_reg(UC_ARM64_REG_PC, pc);
  uc_emu_stop(engine_);
  return true;
}

void UnicornCpu::install_fp_hooks(VirtAddr pc) {
  const VirtAddr page = pc & ~0xfffull;
  Fault fault;
  const SoftTlb::Entry* entry = lookup(pc, AccessKind::fetch, el_ != El::el0, false, fault);
  CodePages::Slot* slot = entry ? pages_.slot(entry->pa_page) : nullptr;
  if (!slot) return;
  const CodePage& code = pages_.code(entry->pa_page, *slot);
  fp_hooked_.insert({page, slot->scans});
  // Other code at this address, earlier or in another address space, may have left some.
  const auto needs_hook = [&](unsigned word) {
    return word < CodePage::kWords && code.fp[word] && hooked_.insert(page | 4 * word | 3).second;
  };
  for (unsigned first = 0; first < CodePage::kWords; ++first) {
    if (!needs_hook(first)) continue;
    unsigned last = first;
    while (needs_hook(last + 1)) ++last;
    hooks_.push_back({this, page, 0, false});
    uc_hook_add(engine_, &hooks_.back().handle, UC_HOOK_CODE,
                reinterpret_cast<void*>(&fp_callback), &hooks_.back(), page + 4 * first,
                page + 4 * last);
    first = last;
  }
  forget_code(entry->pa_page);
}

void UnicornCpu::fp_callback(uc_engine*, std::uint64_t pc, std::uint32_t, void* hook) {
  UnicornCpu& cpu = *static_cast<const HookPoint*>(hook)->cpu;
  cpu.refresh_context();
  if (!cpu.fp_off() || cpu.fetch_denied(pc)) return;
  const std::optional<std::uint32_t> word = cpu.word_at(pc);
  if (!word || !uses_fp(*word)) return;
  cpu.settle(pc);
  cpu.fp_trap(*word, pc);
}

}  // namespace trapline
