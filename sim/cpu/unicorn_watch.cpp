// Watching single instructions, for traces. From a little before the first one of interest to the
// last, a hook before each one notes it; whether it was executed shows in the count of retired
// instructions at the next one, or where the CPU leaves the engine. Nothing here translates an
// address that the guest did not, so a watched run is like any other.
#include <algorithm>
#include <cstring>

#include "sim/arch/pstate.h"
#include "sim/cpu/unicorn_cpu.h"

namespace trapline {

void UnicornCpu::watch_callback(uc_engine*, std::uint64_t pc, std::uint32_t, void* self) {
  static_cast<UnicornCpu*>(self)->watch(pc);
}

/// The hook must go in, or out, before the next block.
bool UnicornCpu::watch_changes() const {
  if (!watcher_) return false;
  const InstructionWindow window = watcher_->window();
  if (watching_) return instructions_ > window.to;
  return instructions_ + kWatchMargin >= window.from && instructions_ <= window.to;
}

/// The number of instructions at which watch_changes() should be asked next.
std::uint64_t UnicornCpu::next_watch_change() const {
  if (!watcher_) return ~std::uint64_t{0};
  const InstructionWindow window = watcher_->window();
  if (watching_) return window.to == ~std::uint64_t{0} ? window.to : window.to + 1;
  if (instructions_ > window.to || window.from == ~std::uint64_t{0}) return ~std::uint64_t{0};
  return window.from > kWatchMargin ? window.from - kWatchMargin : 0;
}

/// Not while the engine runs: its blocks are translated anew, with the hook or without.
void UnicornCpu::change_watch() {
  deliver_watched(instructions_);
  if (watching_) {
    uc_hook_del(engine_, watch_hook_);
  } else {
    uc_hook_add(engine_, &watch_hook_, UC_HOOK_CODE, reinterpret_cast<void*>(&watch_callback), this,
                1, 0);
  }
  watching_ = !watching_;
  uc_ctl_flush_tb(engine_);
}

/// The engine is about to execute the instruction at `pc`.
void UnicornCpu::watch(VirtAddr pc) {
  if (pc - block_pc_ >= block_size_) return;  // The block was left.
  const std::uint64_t number = instructions_ - ((block_pc_ + block_size_ - pc) >> 2);
  deliver_watched(number);
  const InstructionWindow window = watcher_->window();
  if (number < window.from || number > window.to) return;
  const std::optional<std::uint32_t> word = word_at(pc);
  if (!word) return;
  watched_.emplace();
  ExecutedInstruction& instruction = *watched_;
  instruction.cpu = config_.number();
  instruction.el = el_;
  instruction.sp_el0 = (pstate() & 1) == 0;
  instruction.vmid = vmid();
  instruction.number = number;
  instruction.pc = pc;
  instruction.pa = known_physical(pc).value_or(pc);
  instruction.word = *word;
  // Data processing, scalar FP and SIMD (DDI 0487 C4.1).
  if ((*word >> 25 & 7) == 7) instruction.vector.emplace().reg = *word & 31;
  const std::optional<LoadStore> access = decode_load_store(*word);
  if (!access || !(access->reads() || access->writes())) return;
  const bool zeroes = access->kind == LoadStoreKind::zero_block;
  const unsigned bytes = zeroes ? zero_block_bytes() : access->total_bytes();
  if (bytes == 0) return;
  emulated_pc_ = pc;
  instruction.memory.emplace();
  instruction.memory->va = untagged(load_store_address(*access, *this));
  if (zeroes) instruction.memory->va &= ~VirtAddr{bytes - 1};
  instruction.memory->bytes = std::min(bytes, MemoryContents::kMostBytes);
  instruction.memory->write = access->writes();
}

/// Hands on the instruction noted last if it was executed: `retired` are those that were.
void UnicornCpu::deliver_watched(std::uint64_t retired) {
  if (!watched_) return;
  if (retired > watched_->number) {
    if (watches_contents_) {
      for (unsigned n = 0; n < watched_->x.size(); ++n) watched_->x[n] = x(n);
      watched_->sp = get_sp();
      watched_->pstate = pstate();
    }
    if (watched_->memory && !read_watched(*watched_->memory)) watched_->memory.reset();
    if (watched_->vector) {
      const Vector128 v = get_v(watched_->vector->reg);
      watched_->vector->low = v.low;
      watched_->vector->high = v.high;
    }
    watcher_->on_instruction(*watched_);
  }
  watched_.reset();
}

/// Hands on the block counted last, as far as it was executed.
void UnicornCpu::deliver_block() {
  if (last_block_.bytes != 0 && blocks_) blocks_->on_block(last_block_);
  last_block_.bytes = 0;
}

/// The stack by the frame records that X29 leads to, as far as the TLB knows where they are.
void UnicornCpu::take_sample(VirtAddr pc) {
  StackSample sample{.cpu = config_.number(), .el = el_, .vmid = vmid()};
  sample.weight = (cycles_ - next_sample_) / samples_->period() + 1;
  next_sample_ += sample.weight * samples_->period();
  sample.frames[sample.depth++] = pc;
  for (VirtAddr frame = x(29); sample.depth < StackSample::kMostFrames;) {
    if (frame == 0 || (frame & 15) != 0) break;
    const std::optional<PhysAddr> pa = known_physical(frame);
    const Ram* ram = pa ? bus_.ram_at(*pa) : nullptr;
    if (!ram) break;
    std::uint64_t record[2];
    std::memcpy(record, ram->host(*pa), sizeof record);
    if (record[1] == 0) break;
    sample.frames[sample.depth++] = record[1] - 4;  // The call.
    if (record[0] <= frame) break;
    frame = record[0];
  }
  samples_->on_sample(sample);
}

/// False where the access was not to RAM.
bool UnicornCpu::read_watched(MemoryContents& memory) const {
  const std::optional<PhysAddr> first = known_physical(memory.va);
  if (!first) return false;
  memory.pa = *first;
  for (unsigned done = 0; done < memory.bytes;) {
    const VirtAddr va = memory.va + done;
    const std::optional<PhysAddr> pa = known_physical(va);
    const Ram* ram = pa ? bus_.ram_at(*pa) : nullptr;
    if (!ram) return false;
    const unsigned part = std::min(memory.bytes - done, 0x1000 - static_cast<unsigned>(va & 0xfff));
    if (watches_contents_) std::memcpy(memory.data.data() + done, ram->host(*pa), part);
    done += part;
  }
  return true;
}

/// An access that is executed here, or a walk.
void UnicornCpu::note_watched(PhysAddr pa, unsigned bytes, bool write) {
  if (!watched_memory_->has_page(pa)) return;
  if (write) {
    watched_memory_->remove(pa, bytes);
  } else if (watched_memory_->has(pa, bytes)) {
    watcher_->on_watched_use(pa);
  }
  watcher_->on_watched_page(pa, instructions_);
}

/// At the end of a block. Watched words are marked (CodePages::code).
void UnicornCpu::note_watched_code() {
  const auto page = watched_code_.find(block_cost_);
  if (page == watched_code_.end()) return;
  const PhysAddr pa = page->second | (block_pc_ & 0xfff);
  if (watched_memory_->has(pa, block_size_)) watcher_->on_watched_use(pa);
}

/// Where `va` leads by what the TLB holds.
std::optional<PhysAddr> UnicornCpu::known_physical(VirtAddr va) const {
  if (pmsa_ && !(context_.regime == Regime::el1_0 && controls_el1_.stage2_by_mpu)) return va;
  const SoftTlb::Entry* entry = tlb_.find(context_.asid, va);
  if (!entry) entry = tlb_.find(context_.global, va);
  if (!entry) return std::nullopt;
  return entry->pa_page | (va & 0xfff);
}

}  // namespace trapline
