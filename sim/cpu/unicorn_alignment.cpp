// Alignment checks of loads and stores (SCTLR_ELx.A) and of the stack pointer (SA, SA0).
//
// The engine checks exclusive and atomic accesses only. While A is 1, or SP is unaligned where that
// matters, every page that is executed gets a hook over all of it; code-map keys say whether pages
// have to have one. Software that leaves A at 0 and keeps SP aligned pays nothing: the few
// instructions that can make SP unaligned are found when a page is scanned (may_unalign_sp()).
#include <cstring>

#include "sim/arch/esr.h"
#include "sim/cpu/unicorn_cpu.h"

namespace trapline {
namespace {

constexpr unsigned kSpRegister = 31;
constexpr std::uint64_t kSpAlignment = 15;

bool is_load_store(std::uint32_t word) {
  return ((word >> 25) & 5) == 4;
}

/// Whether the access goes by SP and is checked for it (DDI 0487 D1.3, "SP alignment checking").
bool goes_by_sp(const LoadStore& decoded) {
  return decoded.rn == kSpRegister && decoded.addressing != Addressing::literal &&
         decoded.addressing != Addressing::from_rt && decoded.kind != LoadStoreKind::prefetch;
}

/// ADD and SUB (immediate), 64 bits, flags unchanged, to SP.
bool is_sp_arithmetic(std::uint32_t word) {
  return (word & 0xbf80001f) == 0x9100001f;
}

std::int64_t sp_addend(std::uint32_t word) {
  const std::int64_t magnitude = static_cast<std::int64_t>((word >> 10) & 0xfff)
                                 << ((word >> 22) & 1 ? 12 : 0);
  return (word >> 30) & 1 ? -magnitude : magnitude;
}

}  // namespace

/// With SP aligned before. ADD and SUB of a register and MSR are left out: kernels compute with SP
/// on entry without using it as one, and what stays in it is seen at the next exception.
bool may_unalign_sp(std::uint32_t word) {
  const bool by_sp = ((word >> 5) & 31) == kSpRegister;
  if (is_sp_arithmetic(word)) {
    return !by_sp || (static_cast<std::uint64_t>(sp_addend(word)) & kSpAlignment) != 0;
  }
  if (!by_sp || !is_load_store(word)) return false;
  const auto decoded = decode_load_store(word);
  return decoded && decoded->writeback() &&
         (static_cast<std::uint64_t>(decoded->offset) & kSpAlignment) != 0;
}

bool UnicornCpu::sp_checked() const {
  constexpr unsigned kSa = 3, kSa0 = 4;
  return bit(controls().sctlr, el_ == El::el0 ? kSa0 : kSa);
}

/// SP has a new value, or is another register.
void UnicornCpu::note_sp() {
  const bool unaligned = (get_sp() & kSpAlignment) != 0 && sp_checked();
  if (unaligned == sp_unaligned_) return;
  sp_unaligned_ = unaligned;
  refresh_context();
}

/// The block at `pc` is about to run. True if it had to be stopped, to be translated anew with a
/// hook.
bool UnicornCpu::stop_for_alignment(VirtAddr pc) {
  Fault fault;
  const SoftTlb::Entry* entry = lookup(pc, AccessKind::fetch, el_ != El::el0, false, fault);
  CodePages::Slot* slot = entry ? pages_.slot(entry->pa_page) : nullptr;
  if (!slot || alignment_hooked_.contains({pc & ~0xfffull, slot->scans})) return false;
  pending_ = {.kind = Pending::Kind::alignment_hooks, .access = AccessKind::fetch, .va = pc};
  write_reg(UC_ARM64_REG_PC, pc);
  uc_emu_stop(engine_);
  return true;
}

void UnicornCpu::install_alignment_hook(VirtAddr pc) {
  const VirtAddr page = pc & ~0xfffull;
  Fault fault;
  const SoftTlb::Entry* entry = lookup(pc, AccessKind::fetch, el_ != El::el0, false, fault);
  CodePages::Slot* slot = entry ? pages_.slot(entry->pa_page) : nullptr;
  if (!slot) return;
  const PhysAddr pa = entry->pa_page;
  pages_.code(pa, *slot);
  // Pages of other address spaces at this address share the hook, but have translations without.
  const auto first = alignment_hooked_.lower_bound({page, 0});
  const bool has_hook = first != alignment_hooked_.end() && first->first == page;
  alignment_hooked_.insert({page, slot->scans});
  if (!has_hook) {
    hooks_.push_back({this, page, 0, false});
    uc_hook_add(engine_, &hooks_.back().handle, UC_HOOK_CODE,
                reinterpret_cast<void*>(&alignment_callback), &hooks_.back(), page, page + 0xffc);
  }
  forget_code(pa);
}

void UnicornCpu::alignment_callback(uc_engine*, std::uint64_t pc, std::uint32_t, void* hook) {
  UnicornCpu& cpu = *static_cast<const HookPoint*>(hook)->cpu;
  if (!cpu.checks_alignment_ && !cpu.sp_unaligned_) return;
  if (pc - cpu.block_pc_ >= cpu.block_size_) return;
  // The block's page is in the code map, unless that was emptied since. What is read here soon tells
  // most instructions apart.
  const std::uint32_t* words = cpu.code_map_[(pc >> 12) % kCodeMapSize].words;
  std::optional<std::uint32_t> word;
  if (words) {
    std::memcpy(&word.emplace(), words + ((pc >> 2) & 0x3ff), sizeof *words);
  } else {
    word = cpu.word_at(pc);
  }
  if (word && is_load_store(*word) && !cpu.fetch_denied(pc)) cpu.take_alignment_fault(pc, *word);
}

/// True if the load or store at `pc` in the current block may not go on, by SP or by its address.
bool UnicornCpu::take_alignment_fault(VirtAddr pc, std::uint32_t word) {
  if (!is_load_store(word) || (fp_off() && uses_fp(word)))
    return false;  // The FP trap comes first.
  const std::optional<LoadStore> decoded = decode_load_store(word);
  if (!decoded) return false;
  if (sp_unaligned_ && goes_by_sp(*decoded) && (get_sp() & kSpAlignment) != 0) {
    settle(pc);
    take_synchronous(undefined_target(), esr::sp_alignment(), pc);
    return true;
  }
  // The engine's own checks know whether the CPU has the atomic instruction at all.
  if (!checks_alignment_ || decoded->is_exclusive() || decoded->is_atomic()) return false;
  emulated_pc_ = pc;
  const unsigned alignment = decoded->alignment();
  if (alignment < 2 || load_store_address(*decoded, *this) % alignment == 0) return false;
  settle(pc);
  alignment_fault(pc);
  return true;
}

/// Before an instruction that may_unalign_sp(). If it does, it is executed here, as the next one
/// has to be checked.
void UnicornCpu::write_sp(VirtAddr pc, std::uint32_t word) {
  if (!sp_checked() || pc - block_pc_ >= block_size_) return;
  if (is_load_store(word)) {
    const auto decoded = decode_load_store(word);
    const std::uint64_t value = get_sp() + static_cast<std::uint64_t>(decoded->offset);
    if ((value & kSpAlignment) == 0 && !sp_unaligned_) return;
    if ((fp_off() && uses_fp(word)) || take_alignment_fault(pc, word)) return;
    settle(pc);
    emulate_access(pc, word);
  } else {
    const unsigned rn = (word >> 5) & 31;
    const std::uint64_t base = rn == kSpRegister ? get_sp() : x(rn);
    const std::uint64_t value = base + static_cast<std::uint64_t>(sp_addend(word));
    if ((value & kSpAlignment) == 0 && !sp_unaligned_) return;
    settle(pc);
    put_sp(value);
    complete_here(pc, word);
  }
  note_sp();
}

}  // namespace trapline
