// Translation and memory: TLB fills, faults, accesses to devices, stores to code.
//
// The engine's TLB is filled from the SoftTlb and the page-table walkers, one page at a time. What it
// must not do by itself is refused there: the engine then stops with the exact PC, and resolve()
// raises the exception, performs a device access, or makes code writable.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "sim/arch/esr.h"
#include "sim/arch/pstate.h"
#include "sim/arch/registers.h"
#include "sim/cpu/unicorn_complex.h"
#include "sim/trace/store_guard.h"

namespace trapline {
namespace {

constexpr VirtAddr kNowhere = ~0ull;

AccessKind kind_of(uc_mem_type type) {
  switch (type) {
    case UC_MEM_FETCH:
      return AccessKind::fetch;
    case UC_MEM_WRITE:
      return AccessKind::write;
    default:
      return AccessKind::read;
  }
}

}  // namespace

void UnicornCpu::refresh_context() {
  if (context_stale_) {
    context_stale_ = false;
    tags_stale_ = true;
    controls_el1_.sctlr = read_system(reg::SCTLR_EL1);
    controls_el1_.tcr = read_system(reg::TCR_EL1);
    controls_el1_.ttbr0 = read_reg(UC_ARM64_REG_TTBR0_EL1);
    controls_el1_.ttbr1 = read_reg(UC_ARM64_REG_TTBR1_EL1);
    controls_el1_.mair = read_reg(UC_ARM64_REG_MAIR_EL1);
    if (config_.has_el2) {
      controls_el2_.sctlr = controls_el1_.sctlr_el2 = read_system(reg::SCTLR_EL2);
      controls_el2_.tcr = read_system(reg::TCR_EL2);
      controls_el2_.ttbr0 = read_system(reg::TTBR0_EL2);
      if (model_.vhe) controls_el2_.ttbr1 = read_system(reg::TTBR1_EL2);
      controls_el2_.mair = read_system(reg::MAIR_EL2);
      controls_el1_.vtcr_el2 = read_system(reg::VTCR_EL2);
      controls_el1_.vttbr_el2 = read_system(reg::VTTBR_EL2);
      controls_el1_.hcr_el2 = controls_el2_.hcr_el2 = hcr_;
    }
    controls_el1_.features = controls_el2_.features = model_.translation;
    update_fp_traps();
    if (pmsa_) refresh_mpu_controls();
  }
  const Regime regime = el_ == El::el2                       ? (e2h() ? Regime::el2_0 : Regime::el2)
                        : el_ == El::el0 && e2h() && tge()   ? Regime::el2_0
                                                             : Regime::el1_0;
  if (tags_stale_ || regime != context_.regime) refresh_tags(regime);
  checks_alignment_ = bit(controls().sctlr, 1);
  const bool checks = checks_alignment_ || sp_unaligned_;
  space_ = (std::uint64_t{context_.asid} << 2 | (checks ? 2u : 0u) | (fp_off() ? 1u : 0u)) << 2;
  if (pmsa_) refresh_mpu_regime();
}

/// The TLB contexts of `regime` with the ASID and VMID of now.
void UnicornCpu::refresh_tags(Regime regime) {
  tags_stale_ = false;
  context_.regime = regime;
  const TranslationControls& now = controls();
  const bool el1 = regime == Regime::el1_0;
  TlbTag tag{.regime = regime,
             .stage1_on = bit(now.sctlr, 0),
             .stage2_on = el1 && config_.has_el2 && !now.stage2_by_mpu && stage2_enabled(hcr_),
             .vmid = el1 && config_.has_el2 ? vmid_of(controls_el1_) : std::uint16_t{0}};
  bool flushed = false;
  context_.global = tlb_.context(tag, flushed);
  tag.asid = asid_of(regime, now);
  context_.asid = tlb_.context(tag, flushed);
  if (flushed) {
    // Identifiers start afresh, so both have to be asked for again.
    tag.asid = TlbTag::kGlobal;
    context_.global = tlb_.context(tag, flushed);
    tag.asid = asid_of(regime, now);
    context_.asid = tlb_.context(tag, flushed);
    flush_engine_tlb();
    clear_code_map();
  }
}

bool UnicornCpu::pan_active() const { return model_.pan && (pstate() & pstate::kPan) != 0; }

bool UnicornCpu::is_privileged_access(std::uint32_t word) const {
  if (el_ == El::el0) return false;
  if (!is_unprivileged(word)) return true;
  if (el_ == El::el2 && !(e2h() && tge())) return true;
  return model_.uao && (pstate() & pstate::kUao) != 0;
}

bool UnicornCpu::block_has_unprivileged() {
  const CodeMapEntry& mapped = code_map_[(block_pc_ >> 12) % kCodeMapSize];
  if (mapped.key == (block_pc_ & ~0xfffull) + space_ && !mapped.unprivileged) return false;
  for (VirtAddr at = block_pc_; at - block_pc_ < block_size_; at += 4) {
    const std::optional<std::uint32_t> word = word_at(at);
    if (word && is_unprivileged(*word)) return true;
  }
  return false;
}

/// The entry that allows the access, from the TLB or a walk; nullptr with `fault` set otherwise.
const SoftTlb::Entry* UnicornCpu::lookup(VirtAddr va, AccessKind kind, bool privileged, bool pan,
                                         Fault& fault) {
  refresh_context();
  if (pmsa_) return lookup_mpu(va, kind, privileged, pan, fault);
  return lookup_tables(va, kind, privileged, pan, fault);
}

const SoftTlb::Entry* UnicornCpu::lookup_tables(VirtAddr va, AccessKind kind, bool privileged,
                                                bool pan, Fault& fault) {
  const auto allows = [&](const SoftTlb::Entry& entry) {
    if (!entry.permissions.allows(kind, privileged)) return false;
    if (pan && privileged && kind != AccessKind::fetch && entry.pan_protected) return false;
    return !(kind == AccessKind::write && entry.needs_dirty_update);
  };
  const SoftTlb::Entry* entry = tlb_.find(context_.asid, va);
  if (!entry) entry = tlb_.find(context_.global, va);
  if (entry && allows(*entry)) return entry;

  // Also after a refusal by a held entry: software may relax permissions without a TLBI.
  ++counters_.translation_walks;
  const TranslationResult result = translate(
      context_.regime, {.va = va, .kind = kind, .privileged = privileged, .pan = pan}, controls(),
      *this);
  if (const Fault* found = std::get_if<Fault>(&result)) {
    fault = *found;
    // A descriptor that the EL2 MPU does not let be read.
    if (pmsa_ && pmsa_->walk_fault) fault = *std::exchange(pmsa_->walk_fault, std::nullopt);
    return nullptr;
  }
  const Mapping& mapping = std::get<Mapping>(result);
  if (tlb_.full()) {
    tlb_.invalidate_all();
    tags_stale_ = true;
    refresh_context();
    flush_engine_tlb();
    clear_code_map();
  }
  const SoftTlb::Context context = mapping.non_global ? context_.asid : context_.global;
  tlb_.insert(context, va, mapping);
  return tlb_.find(context, va);
}

bool UnicornCpu::fill_callback(uc_engine*, std::uint64_t va, uc_mem_type type, uc_tlb_entry* out,
                               void* self) {
  return static_cast<UnicornCpu*>(self)->on_fill(va, kind_of(type), *out);
}

bool UnicornCpu::on_fill(VirtAddr va, AccessKind kind, uc_tlb_entry& out) {
  if (scratch_page_) {
    out.paddr = *scratch_page_ | (va & 0xfff);
    out.perms = static_cast<uc_prot>(UC_PROT_READ | UC_PROT_EXEC);
    return true;
  }
  if (pending_.kind != Pending::Kind::none) return false;  // Only the first refusal counts.
  ++counters_.tlb_fills;
  if (kind == AccessKind::fetch) {
    notice_exception_return();
    if (pstate() & pstate::kIl) {
      pending_ = {.kind = Pending::Kind::illegal_state, .access = kind, .va = va};
      return false;
    }
  }
  bool privileged = el_ != El::el0;
  if (kind != AccessKind::fetch && privileged) {
    // A located instruction starts a block and is the first to come back. One that does not (an
    // interrupt came first) must not be taken for another.
    VirtAddr at = std::exchange(unprivileged_retry_pc_, kNowhere);
    if (at != block_pc_) at = kNowhere;
    if (block_has_unprivileged()) {
      if (exact_pc_in_fill_) at = pc();
      if (at == kNowhere) {
        pending_ = {.kind = Pending::Kind::locate, .access = kind, .va = va};
        return false;
      }
      if (const auto word = word_at(at)) privileged = is_privileged_access(*word);
    }
  }
  const bool pan = kind != AccessKind::fetch && privileged && pan_active();
  Fault fault;
  if (pmsa_ && kind == AccessKind::fetch) va = pc();  // The address, and not its page.
  const SoftTlb::Entry* entry = lookup(va, kind, privileged, pan, fault);
  if (entry && kind != AccessKind::fetch && fills_watched_page(*entry, va, kind)) return false;
  if (pmsa_ && pmsa_->found_split) {
    const bool data = kind != AccessKind::fetch;
    if (data && entry && !splits_data(va, privileged, pan)) {
      // Part of it is code, perhaps; all its loads and stores of this kind are allowed.
    } else if (data && fill_image(va, out)) {
      return true;
    } else if (!prepare_split(va, kind)) {
      return false;
    }
  }
  if (!entry) {
    pending_ = {.kind = Pending::Kind::fault, .access = kind, .va = va, .fault = fault};
    return false;
  }
  CodePages::Slot* slot = pages_.slot(entry->pa_page);
  if (!slot || (slot->read_only && !bus_.ram_at(entry->pa_page)->direct()) ||
      (slot->no_execute && kind == AccessKind::fetch)) {
    pending_ = {.kind = Pending::Kind::device, .access = kind, .va = va, .pa = entry->pa_page};
    return false;
  }
  if (!fill_ram(*entry, *slot, va, kind, privileged, pan, out)) return false;
  // Not before: fill_ram() may have emptied the TLB.
  if (pmsa_) pmsa_->view.filled(mpu_regime(), entry->pa_page);
  return true;
}

/// Data of which each access, or each store, is to be seen.
bool UnicornCpu::fills_watched_page(const SoftTlb::Entry& entry, VirtAddr va, AccessKind kind) {
  const bool guarded = guard_ && guard_->has_page(entry.pa_page);
  if ((watched_memory_ && watched_memory_->has_page(entry.pa_page)) ||
      (guarded && kind == AccessKind::write)) {
    pending_ = {.kind = Pending::Kind::split_data, .access = kind, .va = va};
    return true;
  }
  if (guarded) guard_->on_read(entry.pa_page);
  return false;
}

bool UnicornCpu::fill_ram(const SoftTlb::Entry& entry, CodePages::Slot& slot, VirtAddr va,
                          AccessKind kind, bool privileged, bool pan, uc_tlb_entry& out) {
  const auto allowed = [&](AccessKind wanted) {
    if (pan && privileged && entry.pan_protected) return false;
    return entry.permissions.allows(wanted, privileged);
  };
  out.paddr = entry.pa_page | (va & 0xfff);
  std::uint32_t permissions = 0;
  switch (kind) {
    case AccessKind::fetch:
      if (hooks_.size() + exits_.size() >= kMostHooks) {
        pending_ = {.kind = Pending::Kind::many_hooks, .access = kind, .va = va};
        return false;
      }
      if (slot.writable) {
        complex_.flush_engine_tlbs();
        slot.writable = false;
      }
      if (slot.aliases) complex_.tell_aliases_of_execution(entry.pa_page, slot);
      slot.executable = true;
      install_hooks(va & ~0xfffull, entry.pa_page, pages_.code(entry.pa_page, slot));
      permissions = UC_PROT_EXEC;
      break;
    case AccessKind::read:
      permissions = UC_PROT_READ;
      // A page already known as data may be written at once, if nothing is left to record.
      if (slot.writable && !slot.executable && !entry.needs_dirty_update &&
          allowed(AccessKind::write) && !(guard_ && guard_->has_page(entry.pa_page))) {
        permissions |= UC_PROT_WRITE;
      }
      break;
    case AccessKind::write:
      if (slot.executable && exclusive_page_ == entry.pa_page) {
        // The one store that a code page has to let through; the next block hook makes up for it.
        exclusive_page_.reset();
        if (slot.aliases) complex_.tell_aliases_of_write(entry.pa_page, slot);
        release_pages_.push_back(entry.pa_page);
        attention_ = 0;
        permissions = UC_PROT_READ | UC_PROT_WRITE;
        break;
      }
      if (slot.executable || slot.read_only) {
        pending_ = {.kind = slot.read_only ? Pending::Kind::device : Pending::Kind::code_write,
                    .access = kind,
                    .va = va,
                    .pa = entry.pa_page};
        return false;
      }
      if (slot.aliases) complex_.tell_aliases_of_write(entry.pa_page, slot);
      slot.writable = true;
      permissions = UC_PROT_WRITE;
      if (allowed(AccessKind::read)) permissions |= UC_PROT_READ;
      break;
  }
  out.perms = static_cast<uc_prot>(permissions);
  return true;
}

/// Does what the engine was refused.
void UnicornCpu::resolve(const Pending& pending) {
  const VirtAddr at = pc();
  if (pending.kind == Pending::Kind::release) return;
  if (pending.kind == Pending::Kind::watch) return change_watch();
  if (pending.kind == Pending::Kind::many_hooks) return;  // run() collects them.
  if (pending.kind == Pending::Kind::illegal_state) {
    take_illegal_state(at);
    return;
  }
  if (pending.kind == Pending::Kind::fp_hooks) return install_fp_hooks(at);
  if (pending.kind == Pending::Kind::alignment_hooks) return install_alignment_hook(at);
  if (pending.kind == Pending::Kind::at_fault) return take_at_fault(pending);
  if (pending.kind == Pending::Kind::split_fetch) return install_split_hooks(at);
  if (pending.access == AccessKind::fetch) {
    // Blocks are left only at their end to fetch elsewhere, so the last one ran whole.
    return fetch_fault(pending.fault, at, pending.kind == Pending::Kind::device);
  }
  settle(at);
  const std::optional<std::uint32_t> word = word_at(at);
  if (!word) {
    Fault fault;
    lookup(at, AccessKind::fetch, el_ != El::el0, false, fault);
    return fetch_fault(fault, at);
  }
  switch (pending.kind) {
    case Pending::Kind::fault: {
      VirtAddr va = pending.va;
      emulated_pc_ = at;
      if (const auto decoded = decode_load_store(*word)) va = faulting_address(*decoded, va);
      return data_fault(pending.fault, va, pending.access, at, *word);
    }
    case Pending::Kind::split_data:
      if (pending.undo_load) undo_image_load();
      if (!emulate_access(at, *word)) undefined(at, *word);
      return;
    case Pending::Kind::device:
      if (!emulate_access(at, *word)) {
        spdlog::warn("PC {:#x}: instruction {:#010x} accesses device memory at {:#x} in a form "
                     "that is not implemented; External abort",
                     at, *word, pending.pa);
        data_fault({}, pending.va, pending.access, at, *word, true);
      }
      return;
    case Pending::Kind::code_write:
      // Executed here, as code may share a page with what it writes: the engine would be refused
      // the fetch once it may write, and the store once it may fetch.
      invalidate_code(pending.pa);
      if (const auto decoded = decode_load_store(*word); decoded && decoded->is_exclusive()) {
        // The engine alone knows its exclusive monitor.
        exclusive_page_ = pending.pa;
        return;
      }
      if (!emulate_access(at, *word)) undefined(at, *word);
      return;
    case Pending::Kind::locate:
      unprivileged_retry_pc_ = at;
      return;
    case Pending::Kind::release:
    case Pending::Kind::watch:
    case Pending::Kind::many_hooks:
    case Pending::Kind::illegal_state:
    case Pending::Kind::fp_hooks:
    case Pending::Kind::alignment_hooks:
    case Pending::Kind::at_fault:
    case Pending::Kind::split_fetch:
    case Pending::Kind::none:
      return;
  }
}

void UnicornCpu::invalidate_code(PhysAddr pa) {
  ++counters_.code_invalidations;
  spdlog::trace("store to code: page {:#x} from PC {:#x}", pa, pc());
  CodePages::Slot* slot = pages_.slot(pa);
  complex_.release_code(pa & ~0xfffull, *slot);
}

/// The engine reports the page it refused; the first byte the access has in there is what FAR holds.
VirtAddr UnicornCpu::faulting_address(const LoadStore& decoded, VirtAddr page) {
  const VirtAddr base = load_store_address(decoded, *this);
  const std::uint64_t page_mask = engine_page_4k_ ? ~0xfffull : ~0x3ffull;
  // The engine has removed a tag from its address (TBI); FAR keeps it.
  constexpr std::uint64_t kUntagged = (1ull << 56) - 1;
  if (((base ^ page) & page_mask & kUntagged) == 0) return base;
  return (page & page_mask & kUntagged) | (base & ~kUntagged);
}

void UnicornCpu::data_fault(const Fault& fault, VirtAddr va, AccessKind kind, VirtAddr pc,
                            std::uint32_t word, bool external) {
  El target = undefined_target();
  if (fault.stage2) target = El::el2;
  if (external && el_ != El::el2 && config_.has_el2 && bit(hcr_, 37)) target = El::el2;  // TEA
  DataAbort abort{.same_el = target == el_,
                  .status = external ? fsc::kExternal : fault.fsc(),
                  .write = kind == AccessKind::write,
                  .stage1_walk = fault.s1ptw,
                  .access = {}};
  if (const auto decoded = decode_load_store(word)) {
    if (decoded->is_atomic() && abort.write && !external) {
      // WnR is 0 if a read of the location would have faulted as well.
      Fault ignored;
      if (!lookup(va, AccessKind::read, is_privileged_access(word), pan_active(), ignored)) {
        abort.write = false;
      }
    }
    if (fault.stage2 && !fault.s1ptw) abort.access = access_syndrome(*decoded);
  }
  ExceptionSpec spec{.target = target, .esr = esr::data_abort(abort), .return_address = pc, .far = va};
  if (fault.stage2) spec.hpfar = (fault.ipa >> 8) & 0xffffffffff0ull;
  if (!external) observe_mpu_fault(fault, va, kind);
  take(spec);
}

void UnicornCpu::fetch_fault(const Fault& fault, VirtAddr pc, bool external) {
  if (pc & 3) return take_synchronous(undefined_target(), esr::pc_alignment(), pc, pc);
  El target = undefined_target();
  if (fault.stage2) target = El::el2;
  if (external && el_ != El::el2 && config_.has_el2 && bit(hcr_, 37)) target = El::el2;
  ExceptionSpec spec{
      .target = target,
      .esr = esr::instruction_abort({.same_el = target == el_,
                                     .status = external ? fsc::kExternal : fault.fsc(),
                                     .stage1_walk = fault.s1ptw}),
      .return_address = pc,
      .far = pc};
  if (fault.stage2) spec.hpfar = (fault.ipa >> 8) & 0xffffffffff0ull;
  if (!external) observe_mpu_fault(fault, pc, AccessKind::fetch);
  take(spec);
}

/// Executes one load or store here, because part of it goes to a device or to a page that the engine
/// must not have.
bool UnicornCpu::emulate_access(VirtAddr pc, std::uint32_t word) {
  const std::optional<LoadStore> decoded = decode_load_store(word);
  if (!decoded) return false;
  emulated_pc_ = pc;
  emulation_ = {.privileged = is_privileged_access(word), .pan = pan_active()};
  if (execute_load_store(*decoded, *this, *this)) {
    if (monitor_.set && decoded->is_exclusive()) watch_exclusive_stores(pc);
    // What only a split or watched page brought here leaves no trace: its neighbours' regions, and
    // who watches, are no event.
    if (pending_.kind == Pending::Kind::split_data && !emulation_.device) {
      retire(pc, word);
      write_reg(UC_ARM64_REG_PC, pc + 4);
    } else {
      complete_here(pc, word);
    }
    return true;
  }
  const AccessKind kind = emulation_.write ? AccessKind::write : AccessKind::read;
  data_fault(emulation_.fault, emulation_.va, kind, pc, word, emulation_.external);
  return true;
}

/// One access of an emulated instruction: to RAM, a device, or a fault noted in emulation_.
bool UnicornCpu::access(VirtAddr tagged_va, unsigned bytes, std::uint8_t* data, bool write) {
  const VirtAddr va = untagged(tagged_va);
  const unsigned in_page = static_cast<unsigned>(std::min<std::uint64_t>(bytes, 4096 - (va & 0xfff)));
  if (in_page < bytes) {
    emulation_.first_va = tagged_va;  // So it is not aligned.
    return access(tagged_va, in_page, data, write) &&
           access(tagged_va + in_page, bytes - in_page, data + in_page, write);
  }
  emulation_.va = tagged_va;
  emulation_.write = write;
  const AccessKind kind = write ? AccessKind::write : AccessKind::read;
  const SoftTlb::Entry* entry =
      lookup(va, kind, emulation_.privileged, emulation_.pan, emulation_.fault);
  if (!entry) return false;
  if (pmsa_ && pmsa_->found_last - va < bytes - 1) {
    return access_pieces(tagged_va, static_cast<unsigned>(pmsa_->found_last - va + 1), bytes, data,
                         write);
  }
  const PhysAddr pa = entry->pa_page | (va & 0xfff);
  Ram* const ram = bus_.ram_at(pa);
  if (write && ram && !ram->read_only() && pages_.slot(pa)->read_only) {
    emulation_.external = true;
    return false;
  }
  if (ram && (write ? !ram->read_only() : ram->direct())) {
    if (watched_memory_) note_watched(pa, bytes, write);
    if (!write) {
      std::memcpy(data, ram->host(pa), bytes);
    } else {
      if (guard_ && guard_->has_page(pa)) note_guarded_store(pa, bytes);
      std::memcpy(ram->host(pa), data, bytes);
      complex_.code_written(pa, bytes);
    }
    return true;
  } else if (ram && !bus_.window_at(pa)) {
    return true;  // A store to ROM.
  }
  return device_access(pa, bytes, data, write);
}

bool UnicornCpu::device_access(PhysAddr pa, unsigned bytes, std::uint8_t* data, bool write) {
  emulation_.device = true;
  const Bus::Window* window = bus_.window_at(pa);
  const unsigned size = std::min(bytes, 8u);
  if (!window) {
    emulation_.external = true;
    return false;
  }
  if (emulation_.first_va || pa % size != 0) {
    emulation_.va = emulation_.first_va.value_or(emulation_.va);
    emulation_.fault = Fault{.kind = FaultKind::alignment};
    return false;
  }
  for (unsigned done = 0; done < bytes; done += size) {
    const Access request{.offset = pa + done - window->base,
                         .size = static_cast<std::uint8_t>(size),
                         .cpu = static_cast<std::uint8_t>(config_.index)};
    std::uint64_t value = 0;
    if (write) std::memcpy(&value, data + done, size);
    const BusStatus status =
        write ? window->device->write(request, value) : window->device->read(request, value);
    ++counters_.mmio;
    if (status != BusStatus::ok) {
      emulation_.external = true;
      return false;
    }
    emit(EventKind::mmio, pa + done, value, size << 1 | (write ? 1u : 0u));
    if (!write) std::memcpy(data + done, &value, size);
  }
  return true;
}

VirtAddr UnicornCpu::untagged(VirtAddr va) const {
  const TranslationControls& now = controls();
  const bool upper = bit(va, 55);
  const bool two_ranges = context_.regime != Regime::el2;
  const bool ignored = two_ranges ? bit(now.tcr, upper ? 38 : 37) : bit(now.tcr, 20);
  if (!ignored) return va;
  constexpr std::uint64_t kTag = 0xffull << 56;
  return upper && two_ranges ? va | kTag : va & ~kTag;
}

bool UnicornCpu::load(VirtAddr va, unsigned bytes, void* to) {
  return access(va, bytes, static_cast<std::uint8_t*>(to), false);
}

bool UnicornCpu::store(VirtAddr va, unsigned bytes, const void* from) {
  std::array<std::uint8_t, 64> copy;
  std::memcpy(copy.data(), from, bytes);
  return access(va, bytes, copy.data(), true);
}

std::uint64_t UnicornCpu::get_x(unsigned n) const { return n == 31 ? 0 : x(n); }

void UnicornCpu::put_x(unsigned n, std::uint64_t value) {
  if (n != 31) set_x(n, value);
}

bool UnicornCpu::read64(PhysAddr pa, std::uint64_t& value) {
  if (pmsa_ && !walk_allowed(pa)) return false;
  const Ram* ram = bus_.ram_at(pa);
  if (!ram) return false;
  std::memcpy(&value, ram->host(pa), sizeof value);
  if (watched_memory_ && !peeking_) note_watched(pa, sizeof value, false);
  return true;
}

PhysicalMemory::Swap UnicornCpu::compare_and_swap64(PhysAddr pa, std::uint64_t expected,
                                                    std::uint64_t desired) {
  Ram* ram = bus_.ram_at(pa);
  const CodePages::Slot* slot = ram ? pages_.slot(pa) : nullptr;
  if (!slot || slot->read_only) return Swap::error;
  std::uint64_t now = 0;
  std::memcpy(&now, ram->host(pa), sizeof now);
  if (now != expected) return Swap::changed;
  std::memcpy(ram->host(pa), &desired, sizeof desired);
  if (slot->aliases) complex_.tell_aliases_of_write(pa & ~0xfffull, *slot);
  if (slot->executable) {
    // Perhaps within a fill, so the next block makes up for it.
    release_pages_.push_back(pa & ~0xfffull);
    attention_ = 0;
  }
  return Swap::done;
}

}  // namespace trapline
