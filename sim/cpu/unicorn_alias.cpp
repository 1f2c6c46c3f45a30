// Split pages at the speed of a callback, where the engine allows it (Unicorn 2.1.4).
//
// All RAM has a second, unreadable and unwritable image in the engine, far above any physical
// address. A split page is mapped to its image: the engine asks the PROT hook about each access,
// with the exact PC, and then calls back to make it. What the hook refuses is executed outside the
// engine as it would be without all this, and takes its fault there.
//
// A load that is refused stops at once. A store lets the rest of its block run, so registers are
// saved then, nothing that has an effect is let happen, and they are put back.
#include <cstring>

#include "sim/cpu/unicorn_cpu.h"

namespace trapline {
namespace {

constexpr PhysAddr kPageMask = 0xfff;
constexpr PhysAddr kImage = 1ull << 44;  ///< Added to physical addresses.

}  // namespace

void UnicornCpu::map_images() {
  // Older versions neither know the PC there nor stop at a load.
  if (!exact_pc_in_fill_) return;
  for (const auto& ram : bus_.rams()) {
    pmsa_->images.push_back({this, ram.get()});
    Image* image = &pmsa_->images.back();
    const PhysAddr base = kImage | ram->base();
    if (uc_mmio_map(engine_, base, ram->size(), &image_read, image, &image_write, image) !=
            UC_ERR_OK ||
        uc_mem_protect(engine_, base, ram->size(), UC_PROT_NONE) != UC_ERR_OK) {
      throw EngineError("the execution engine refused an image of RAM " + ram->name());
    }
  }
  uc_hook handle;
  uc_hook_add(engine_, &handle, UC_HOOK_MEM_READ_PROT | UC_HOOK_MEM_WRITE_PROT,
              reinterpret_cast<void*>(&image_callback), this, kImage, kImage * 2 - 1);
  uc_context_alloc(engine_, &pmsa_->rollback);
}

std::uint64_t UnicornCpu::image_read(uc_engine*, std::uint64_t offset, unsigned size, void* image) {
  const Ram& ram = *static_cast<Image*>(image)->ram;
  std::uint64_t value = 0;
  std::memcpy(&value, ram.host(ram.base() + offset), size);
  return value;
}

void UnicornCpu::image_write(uc_engine*, std::uint64_t offset, unsigned size, std::uint64_t value,
                             void* image) {
  const Image& to = *static_cast<Image*>(image);
  if (to.cpu->pmsa_->roll_back) return;
  std::memcpy(to.ram->host(to.ram->base() + offset), &value, size);
}

bool UnicornCpu::image_callback(uc_engine*, uc_mem_type type, std::uint64_t pa, int size,
                                std::int64_t, void* self) {
  return static_cast<UnicornCpu*>(self)->on_image_access(
      pa & ~kImage, static_cast<unsigned>(size),
      type == UC_MEM_WRITE_PROT ? AccessKind::write : AccessKind::read);
}

/// One access to a split page. False: it must be made outside.
bool UnicornCpu::on_image_access(PhysAddr pa, unsigned size, AccessKind kind) {
  if (pending_.kind != Pending::Kind::none) return false;
  const PhysAddr last = pa + size - 1;
  // Across the end of a page the engine asks about the first page only.
  if (((pa ^ last) & ~kPageMask) == 0 && image_allows(pa, kind) &&
      (((pa ^ last) & ~0x3full) == 0 || image_allows(last, kind))) {
    return true;
  }
  pending_ = {.kind = Pending::Kind::split_data, .access = kind, .va = pa, .pa = pa};
  if (kind == AccessKind::write) {
    uc_context_save(engine_, pmsa_->rollback);
    pmsa_->roll_back = true;
    attention_ = 0;
    flush_engine_tlb();  // Whatever else the block accesses comes to on_fill().
  }
  return false;
}

bool UnicornCpu::image_allows(PhysAddr pa, AccessKind kind) {
  bool privileged = el_ != El::el0;
  if (privileged && unprivileged_in_block()) {
    if (const auto word = word_at(pc())) privileged = is_privileged_access(*word);
  }
  const std::uint64_t key = (pa >> 6) << 1 | (privileged ? 1u : 0u);
  Pmsa::Allowed& known = pmsa_->allowed[key % pmsa_->allowed.size()];
  if (known.key != key || known.epoch != pmsa_->epoch || context_stale_ || tags_stale_) {
    const bool tables = context_.regime == Regime::el1_0 && controls_el1_.stage2_by_mpu;
    const bool pan = privileged && pan_active();
    const MpuPageAnswer answer =
        tables
            ? pmsa_->view.stage2_at({.ipa = pa, .kind = kind, .privileged = privileged})
            : pmsa_->view.at(mpu_regime(),
                             {.address = pa, .kind = kind, .privileged = privileged, .pan = pan});
    const MpuMapping* mapping = std::get_if<MpuMapping>(&answer.result);
    if (!mapping) return false;
    if (mapping->pan_protected()) return true;  // PSTATE.PAN changes without a notice.
    known = {.key = key, .epoch = pmsa_->epoch, .permissions = mapping->permissions()};
  }
  return known.permissions.allows(kind, privileged);
}

/// True if the current block has LDTR*, STTR*; remembered for the block.
bool UnicornCpu::unprivileged_in_block() {
  if (pmsa_->scanned_block != block_pc_ || pmsa_->scanned_size != block_size_) {
    pmsa_->scanned_block = block_pc_;
    pmsa_->scanned_size = block_size_;
    pmsa_->scanned_unprivileged = block_has_unprivileged();
  }
  return pmsa_->scanned_unprivileged;
}

/// A split page is asked for as data. True if its image may be used.
bool UnicornCpu::fill_image(VirtAddr va, uc_tlb_entry& out) {
  if (!pmsa_->rollback) return false;
  const bool privileged = el_ != El::el0 && !unprivileged_in_block();
  if (el_ != El::el0 && !privileged) return false;  // Which of both, only the instruction says.
  // An access across the border from the page before is not asked about: the first granule must
  // allow it.
  Fault fault;
  const SoftTlb::Entry* entry =
      lookup(va & ~kPageMask, AccessKind::read, privileged, pan_active(), fault);
  if (!entry || !entry->permissions.allows(AccessKind::write, privileged)) return false;
  const PhysAddr pa = entry->pa_page;
  CodePages::Slot* slot = pages_.slot(pa);
  if (!slot || slot->executable || slot->read_only || entry->needs_dirty_update) return false;
  slot->writable = true;
  out.paddr = kImage | pa | (va & kPageMask);
  out.perms = static_cast<uc_prot>(UC_PROT_READ | UC_PROT_WRITE);
  pmsa_->view.filled(mpu_regime(), pa);
  return true;
}

}  // namespace trapline
