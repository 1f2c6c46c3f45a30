// Blocks, sampling points and slices: where virtual time advances and interrupts are taken.
//
// The block hook counts a whole block on entry. Whatever leaves a block early gives the rest back
// (settle). Interrupts, timeline events and the end of a slice are looked at only at sampling points:
// after an instruction that ends a translation block in every engine (is_sampling_point), on
// exception entry, and after an access that was emulated here. The sampling points follow from the
// instruction stream alone, so neither the engine's version nor an observer moves an interrupt.
#include <algorithm>
#include <cstring>
#include <utility>

#include "sim/cpu/unicorn_complex.h"

#include "sim/arch/esr.h"
#include "sim/arch/pstate.h"

namespace trapline {
namespace {

constexpr std::uint32_t kWfe = 0xd503205f;
constexpr std::uint32_t kYield = 0xd503203f;
constexpr VirtAddr kNowhere = ~0ull;

}  // namespace

void UnicornCpu::block_callback(uc_engine*, std::uint64_t pc, std::uint32_t size, void* self) {
  static_cast<UnicornCpu*>(self)->on_block(pc, size);
}

inline void UnicornCpu::count_block(const std::uint32_t* page_cost, VirtAddr pc,
                                    std::uint32_t size) {
  const std::uint32_t* cost = page_cost + ((pc >> 2) & 0x3ff);
  const std::uint32_t delta = cost[size >> 2] - cost[0];
  previous_end_ = block_pc_ + block_size_;
  block_pc_ = pc;
  block_size_ = size;
  block_cost_ = page_cost;
  cycles_ += delta & (CodePage::kMark - 1);
  instructions_ += size >> 2;
  if (delta >= CodePage::kMark) [[unlikely]] attention_ = 0;
}

/// The hottest code of all. It calls nothing but in its last act, so that it need not save registers.
void UnicornCpu::on_block(VirtAddr pc, std::uint32_t size) {
  // Bits 11 to 2 are left out of the key, so a PC that is not word aligned never matches.
  const CodeMapEntry& entry = code_map_[(pc >> 12) % kCodeMapSize];
  if (cycles_ >= attention_ || entry.key != (pc & ~0xffcull) + space_) [[unlikely]] {
    return on_block_slow(pc, size);
  }
  count_block(entry.cost, pc, size);
}

void UnicornCpu::observed_block_callback(uc_engine*, std::uint64_t pc, std::uint32_t size,
                                         void* self) {
  static_cast<UnicornCpu*>(self)->on_observed_block(pc, size);
}

/// on_block() where somebody watches: the same for the run.
void UnicornCpu::on_observed_block(VirtAddr pc, std::uint32_t size) {
  const CodeMapEntry& entry = code_map_[(pc >> 12) % kCodeMapSize];
  if ((cycles_ >= attention_ || entry.key != (pc & ~0xffcull) + space_) && !block_slow(pc)) return;
  if (samples_ && cycles_ >= next_sample_) take_sample(pc);
  if (blocks_) {
    deliver_block();
    last_block_ = {config_.number(), el_, vmid(), pc, size};
  }
  count_block(code_map_[(pc >> 12) % kCodeMapSize].cost, pc, size);
}

void UnicornCpu::on_block_slow(VirtAddr pc, std::uint32_t size) {
  if (block_slow(pc)) count_block(code_map_[(pc >> 12) % kCodeMapSize].cost, pc, size);
}

/// Everything that most blocks do not need. False: the block must not be counted, because PC was
/// moved or the engine was told to stop.
bool UnicornCpu::block_slow(VirtAddr pc) {
  note_slow_event();
  if (cycles_ >= attention_) {
    if (watch_changes()) return stop_before(pc, Pending::Kind::watch);
    if (!release_pages_.empty()) return stop_before(pc, Pending::Kind::release);
    note_events();
    const VirtAddr end = block_pc_ + block_size_;
    const std::optional<std::uint32_t> last = end != kNowhere ? word_at(end - 4) : std::nullopt;
    bool sampling = pc != end || !last || is_sampling_point(*last);
    if (last && block_size_ != 0 && is_marked(*last)) {
      if (after_marked(*last, pc)) return false;
      sampling = true;
    }
    if (sampling && sample(pc)) return false;
    // An event of now may have begun or ended the watching; this block is looked at again then.
    if (watch_changes()) return stop_before(pc, Pending::Kind::watch);
  }
  if (pc & 3) {
    take_synchronous(el_ == El::el0 ? undefined_target() : el_, esr::pc_alignment(), pc, pc);
    return false;
  }
  if (!map_code(pc) || (fp_off() && stop_for_fp(pc))) return false;
  return !((checks_alignment_ || sp_unaligned_) && stop_for_alignment(pc));
}

/// The block at `pc` must wait until something was done with the engine. Always false.
bool UnicornCpu::stop_before(VirtAddr pc, Pending::Kind what) {
  pending_ = {.kind = what};
  write_reg(UC_ARM64_REG_PC, pc);
  uc_emu_stop(engine_);
  return false;
}

/// The block before `pc` ended with an ERET, WFE or YIELD. True if PC moved or the CPU pauses.
bool UnicornCpu::after_marked(std::uint32_t word, VirtAddr pc) {
  if (word == kWfe) {
    const bool left = wait_for_event(pc);
    forget_block();
    return left;
  }
  forget_block();
  if (word == kYield) {
    if (sharers_ == 1) return false;
    pause(PauseReason::yielded, pc);
    return true;
  }
  returned_from_exception(pc);
  return take_illegal_state(pc);
}

/// PSTATE.IL is not in the engine's translation flags, so an illegal return is caught here. True if
/// the exception was taken.
bool UnicornCpu::take_illegal_state(VirtAddr pc) {
  if (!(pstate() & pstate::kIl)) return false;
  take_synchronous(undefined_target(), esr::illegal_state(), pc);
  return true;
}

void UnicornCpu::returned_from_exception(VirtAddr pc) {
  const El from = el_;
  el_ = pstate::el_of(pstate());
  if (pmsa_) ++pmsa_->epoch;
  refresh_context();
  note_sp();
  interrupt_check_ = true;
  vector_faults_ = 0;
  event_register_ = true;  // DDI 0487 D1.6.1
  monitor_ = {};
  emit(EventKind::exception_return,
       static_cast<std::uint64_t>(el_) << 8 | static_cast<std::uint64_t>(from), 0, pc);
  if (from == El::el2) observe_return(pc);
}

/// The engine fetches. If an ERET was the last instruction this is for another Exception level than
/// that of the block before, and comes ahead of the block hook that would notice.
void UnicornCpu::notice_exception_return() {
  if (block_size_ == 0 || attention_ != 0) return;
  const std::optional<std::uint32_t> last = word_at(block_pc_ + block_size_ - 4);
  if (!last || !is_exception_return(*last)) return;
  forget_block();
  returned_from_exception(pc());
}

/// The next block does not follow on from the last one.
void UnicornCpu::forget_block() {
  note_events();
  block_pc_ = previous_end_ = kNowhere;
  block_size_ = 0;
}

/// SEV and SEVL are NOPs for the engine: what the last block had of them takes effect at its end.
void UnicornCpu::note_events() {
  if (!block_cost_ || block_size_ == 0) return;
  if (watched_memory_) note_watched_code();
  constexpr std::uint32_t kSev = 0xd503209f;
  const std::uint32_t* cost = block_cost_ + ((block_pc_ >> 2) & 0x3ff);
  if (cost[block_size_ >> 2] - cost[0] < CodePage::kEvent) return;
  block_cost_ = nullptr;  // Once a block.
  for (VirtAddr at = block_pc_; at - block_pc_ < block_size_; at += 4) {
    const std::optional<std::uint32_t> word = word_at(at);
    if (!word || !is_send_event(*word)) continue;
    event_register_ = true;
    if (*word == kSev) complex_.send_event(*this);
  }
}

const UnicornCpu::CodeMapEntry* UnicornCpu::map_code(VirtAddr pc) {
  refresh_context();
  Fault fault;
  const SoftTlb::Entry* entry = lookup(pc, AccessKind::fetch, el_ != El::el0, false, fault);
  CodePages::Slot* slot = entry ? pages_.slot(entry->pa_page) : nullptr;
  if (!slot) {
    fetch_fault(fault, pc, entry != nullptr);
    return nullptr;
  }
  if (pmsa_ && pmsa_->found_split && unhooked_granules(pc & ~0xfffull) != 0) {
    pending_ = {.kind = Pending::Kind::split_fetch, .access = AccessKind::fetch, .va = pc};
    write_reg(UC_ARM64_REG_PC, pc);
    uc_emu_stop(engine_);
    return nullptr;
  }
  const CodePage& code = pages_.code(entry->pa_page, *slot);
  if (watched_memory_) {
    watched_code_.erase(code.cost.data());
    if (watched_memory_->has_page(entry->pa_page)) {
      watched_code_[code.cost.data()] = entry->pa_page;
    }
  }
  CodeMapEntry& mapped = code_map_[(pc >> 12) % kCodeMapSize];
  mapped.key = (pc & ~0xfffull) + space_;
  mapped.cost = code.cost.data();
  mapped.unprivileged = code.unprivileged;
  mapped.words = reinterpret_cast<const std::uint32_t*>(
      bus_.ram_at(entry->pa_page)->host(entry->pa_page));
  return &mapped;
}

std::optional<std::uint32_t> UnicornCpu::word_at(VirtAddr pc) {
  if (pc & 3) return std::nullopt;
  const CodeMapEntry& mapped = code_map_[(pc >> 12) % kCodeMapSize];
  if (mapped.key == (pc & ~0xfffull) + space_) {
    std::uint32_t word;
    std::memcpy(&word, mapped.words + ((pc >> 2) & 0x3ff), sizeof word);
    return word;
  }
  Fault fault;
  const SoftTlb::Entry* entry = lookup(pc, AccessKind::fetch, el_ != El::el0, false, fault);
  std::uint32_t word;
  if (!entry || !bus_.read(entry->pa_page | (pc & 0xfff), &word, sizeof word)) return std::nullopt;
  return word;
}

std::uint32_t UnicornCpu::cost_from(VirtAddr pc) const {
  if (!block_cost_ || pc - block_pc_ >= block_size_) return 0;
  const std::uint32_t* cost = block_cost_ + ((block_pc_ >> 2) & 0x3ff);
  return (cost[block_size_ >> 2] - cost[(pc - block_pc_) >> 2]) & (CodePage::kMark - 1);
}

/// The current block stops before the instruction at `pc`: takes back what was counted too much.
void UnicornCpu::settle(VirtAddr pc) {
  cycle_adjust_ = instruction_adjust_ = 0;
  if (pc - block_pc_ >= block_size_) return;
  cycles_ -= cost_from(pc);
  instructions_ -= (block_pc_ + block_size_ - pc) >> 2;
  last_block_.bytes = static_cast<unsigned>(pc - block_pc_);
  if (pc == block_pc_) {
    // Nothing of it ran: the block before is again the last one.
    block_pc_ = previous_end_;
    block_size_ = 0;
  } else {
    block_size_ = static_cast<std::uint32_t>(pc - block_pc_);
    note_events();
  }
}

/// The instruction at `pc` was executed here: counts it and goes on behind it.
void UnicornCpu::complete_here(VirtAddr pc, std::uint32_t word) {
  retire(pc, word);
  write_reg(UC_ARM64_REG_PC, pc + 4);
  if (pause_) {
    pause(*pause_, pc + 4);
  } else {
    sample(pc + 4);
  }
}

/// Counts an instruction that was executed here and not by the engine.
void UnicornCpu::retire(VirtAddr pc, std::uint32_t word) {
  if (blocks_) {
    deliver_block();
    last_block_ = {config_.number(), el_, vmid(), pc, 4};
  }
  ++instructions_;
  cycles_ += timing_.cycles(word);
  block_pc_ = pc + 4;
  previous_end_ = pc + 4;
  block_size_ = 0;
}

void UnicornCpu::set_attention() {
  std::uint64_t next = event_cycles_;
  const auto in_instructions = [&](std::uint64_t at) {
    // An instruction takes at least one cycle, so this is never too late.
    if (at != ~0ull) next = std::min(next, cycles_ + (at > instructions_ ? at - instructions_ : 0));
  };
  in_instructions(slice_end_);
  in_instructions(next_checkpoint_);
  in_instructions(next_watch_change());
  if (interrupt_check_ || stop_requested_ || !release_pages_.empty()) next = 0;
  attention_ = next;
}

/// A sampling point with `pc` the next instruction. True if PC was moved or a pause requested.
bool UnicornCpu::sample(VirtAddr pc) {
  if (cycles_ >= event_cycles_) {
    timeline_.advance_to(current_time());
    event_cycles_ = cycles_at(timeline_.next_due());
  }
  if (instructions_ >= next_checkpoint_) {
    next_checkpoint_ = (instructions_ / kCheckpointInstructions + 1) * kCheckpointInstructions;
    emit(EventKind::checkpoint, hash_state(), pc);
  }
  if (stop_requested_ || instructions_ >= slice_end_) {
    pause(PauseReason::slice_end, pc);
    return true;
  }
  if (interrupt_check_ && take_interrupt(pc)) {
    set_attention();
    return true;
  }
  set_attention();
  return false;
}

void UnicornCpu::pause(PauseReason reason, VirtAddr pc) {
  pause_ = reason;
  // Whoever goes on here samples again, as the pause came before the interrupts.
  forget_block();
  // Stopping can leave the PC of an earlier block in the engine, so it is written first.
  write_reg(UC_ARM64_REG_PC, pc);
  uc_emu_stop(engine_);
}

bool UnicornCpu::interrupt_waiting() const {
  if (lines_.irq.level() || lines_.fiq.level()) return true;
  if (!config_.has_el2 || el_ == El::el2 || bit(hcr_, 27)) return false;
  const bool virq = (lines_.virq.level() || bit(hcr_, 7)) && bit(hcr_, 4);
  const bool vfiq = (lines_.vfiq.level() || bit(hcr_, 6)) && bit(hcr_, 3);
  return virq || vfiq || (bit(hcr_, 8) && bit(hcr_, 5));
}

bool UnicornCpu::can_wake(PauseReason waiting) const {
  return interrupt_waiting() || woken_ || (waiting == PauseReason::wait_for_event && event_register_);
}

/// WFI completed. True if the CPU has to wait.
bool UnicornCpu::wait_for_interrupt() {
  forget_block();
  interrupt_check_ = true;
  attention_ = 0;
  if (cycles_ >= event_cycles_) {
    timeline_.advance_to(current_time());
    event_cycles_ = cycles_at(timeline_.next_due());
  }
  if (interrupt_waiting()) return false;
  emit(EventKind::wait, 0);
  return true;
}

/// WFE was executed; the next instruction is at `next_pc`. True if PC moved or the CPU pauses.
bool UnicornCpu::wait_for_event(VirtAddr next_pc) {
  // HCR_EL2.TWE and SCTLR_EL1.nTWE trap WFE only when it would suspend (DDI 0487 D1.6.1).
  if (event_register_) {
    event_register_ = false;
    return false;
  }
  if (interrupt_waiting()) return false;
  const std::uint64_t sctlr = controls_el1_.sctlr;
  std::optional<El> target;
  if (el_ == El::el0 && !tge() && !bit(sctlr, 18)) target = El::el1;
  if (el_ == El::el0 && tge() && e2h() && !bit(controls_el2_.sctlr, 18)) target = El::el2;
  if (!target && config_.has_el2 && el_ != El::el2 && bit(hcr_, 14)) target = El::el2;
  if (target) {
    settle(next_pc - 4);
    take_synchronous(*target, esr::wfx(kWfe), next_pc - 4);
    return true;
  }
  observe(EventKind::wait, 1);
  pause(PauseReason::wait_for_event, next_pc);
  return true;
}

/// A slice is long enough to take minutes if each of its instructions has to be done here.
void UnicornCpu::note_slow_event() {
  if (++slow_events_ < kSlowEventsBetweenPolls) return;
  slow_events_ = 0;
  if (host_poll_) host_poll_();
}

PauseReason UnicornCpu::run(const Slice& slice) {
  if (slice.sharers != sharers_ || timeline_.now() != current_time()) {
    // Only then, as the new base is rounded: one long run and two short ones must not differ.
    base_time_ = timeline_.now();
    base_cycles_ = cycles_;
    sharers_ = slice.sharers;
  }
  const bool bounded = slice.instructions <= ~std::uint64_t{0} - instructions_;
  slice_end_ = std::min(slice.instruction_limit,
                        bounded ? instructions_ + slice.instructions : ~std::uint64_t{0});
  event_cycles_ = cycles_at(timeline_.next_due());
  stop_requested_ = false;
  const std::optional<PauseReason> paused = std::exchange(pause_, std::nullopt);
  interrupt_check_ = true;
  woken_ = false;
  cycles_ += slice.overhead;
  running_ = true;
  events_.set_source(this);
  timeline_.set_source(this);
  if (paused == PauseReason::wait_for_interrupt || paused == PauseReason::wait_for_event) {
    observe(EventKind::wake, paused == PauseReason::wait_for_event, timeline_.now());
  }
  set_attention();
  VirtAddr at = pc();
  while (!pause_) {
    pending_.kind = Pending::Kind::none;
    const uc_err error = uc_emu_start(engine_, at, ~0ull, 0, 0);
    note_slow_event();
    at = pc();
    for (const PhysAddr page : std::exchange(release_pages_, {})) {
      complex_.release_code(page, *pages_.slot(page));
    }
    if (pause_) break;
    if (pending_.kind != Pending::Kind::none) {
      const Pending pending = pending_;
      resolve(pending);
    } else if (error == UC_ERR_OK && stopped_at_exit(at)) {
      on_exit_point(at);
    } else if (error == UC_ERR_OK) {
      if (wait_for_interrupt()) pause_ = PauseReason::wait_for_interrupt;
    } else {
      stuck_reason_ = std::string("the execution engine stopped: ") + uc_strerror(error);
      pause_ = PauseReason::stuck;
    }
    if (hooks_.size() + exits_.size() >= kMostHooks) {
      collect_hooks();
      slow_events_ = kSlowEventsBetweenPolls;  // It took long.
    }
    at = pc();
  }
  deliver_watched(instructions_);
  deliver_block();
  timeline_.set_source(nullptr);
  running_ = false;
  timeline_.advance_to(current_time());
  return *pause_;
}

}  // namespace trapline
