// Traps of floating-point and SIMD instructions.
//
// The engine never takes them. While they are in force for the current Exception level every block
// is looked at, and a page that uses such instructions gets a hook on each of them; other pages, and
// software that leaves FP enabled, pay nothing.
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
  if (fp_off()) attention_ = 0;
}

/// The block at `pc` is about to run. True if it had to be stopped, to be translated anew with hooks.
bool UnicornCpu::stop_for_fp(VirtAddr pc, std::uint32_t size) {
  Fault fault;
  const SoftTlb::Entry* entry = lookup(pc, AccessKind::fetch, el_ != El::el0, false, fault);
  CodePages::Slot* slot = entry ? pages_.slot(entry->pa_page) : nullptr;
  if (!slot) return false;
  const CodePage& code = pages_.code(entry->pa_page, *slot);
  bool any = false;
  for (std::uint32_t at = 0; at < size; at += 4) any |= code.fp[((pc + at) >> 2) & 0x3ff];
  const auto hooked = fp_hooked_.find(pc & ~0xfffull);
  if (!any || (hooked != fp_hooked_.end() && hooked->second == slot->scans)) return false;
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
  fp_hooked_[page] = slot->scans;
  for (unsigned first = 0; first < CodePage::kWords; ++first) {
    if (!code.fp[first]) continue;
    unsigned last = first;
    while (last + 1 < CodePage::kWords && code.fp[last + 1]) ++last;
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
  if (!cpu.fp_off()) return;
  const std::optional<std::uint32_t> word = cpu.word_at(pc);
  if (!word || !uses_fp(*word)) return;
  cpu.settle(pc);
  cpu.fp_trap(*word, pc);
}

}  // namespace trapline
