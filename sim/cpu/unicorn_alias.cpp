// Split pages at the speed of a callback, where the engine allows it (Unicorn 2.1.4).
//
// All RAM has a second, unreadable and unwritable image in the engine, far above any physical
// address. A split page is mapped to its image: the engine asks the PROT hook about each access,
// with the exact PC, and then calls back to make it. What the hook refuses is executed outside the
// engine as it would be without all this, and takes its fault there.
//
// A refused access stops the engine at once, with registers as before the instruction: it looks for
// a reason to stop behind each load and store. What its helpers store piece by piece (DC ZVA, CASP)
// stops at the next piece, which no longer finds the page in the TLB.
#include <cstring>

#include "sim/cpu/unicorn_cpu.h"

namespace trapline {
namespace {

constexpr PhysAddr kPageMask = 0xfff;
constexpr PhysAddr kImage = 1ull << 44;  ///< Added to physical addresses.

}  // namespace

void UnicornCpu::map_images() {
  // Older versions neither know the PC in the hook nor stop at a refused load.
  constexpr unsigned kVersion = 2u << 24 | 1u << 16 | 4u << 8;
  if (!exact_pc_in_fill_ || uc_version(nullptr, nullptr) < kVersion) return;
  for (const auto& ram : bus_.rams()) {
    const PhysAddr base = kImage | ram->base();
    if (uc_mmio_map(engine_, base, ram->size(), &image_read, ram.get(), &image_write, ram.get()) !=
            UC_ERR_OK ||
        uc_mem_protect(engine_, base, ram->size(), UC_PROT_NONE) != UC_ERR_OK) {
      throw EngineError("the execution engine refused an image of RAM " + ram->name());
    }
  }
  uc_hook handle;
  uc_hook_add(engine_, &handle, UC_HOOK_MEM_READ_PROT | UC_HOOK_MEM_WRITE_PROT,
              reinterpret_cast<void*>(&image_callback), this, kImage, kImage * 2 - 1);
  pmsa_->has_images = true;
}

std::uint64_t UnicornCpu::image_read(uc_engine*, std::uint64_t offset, unsigned size,
                                     void* of_ram) {
  const Ram& ram = *static_cast<Ram*>(of_ram);
  std::uint64_t value = 0;
  std::memcpy(&value, ram.host(ram.base() + offset), size);
  return value;
}

void UnicornCpu::image_write(uc_engine*, std::uint64_t offset, unsigned size, std::uint64_t value,
                             void* of_ram) {
  Ram& ram = *static_cast<Ram*>(of_ram);
  std::memcpy(ram.host(ram.base() + offset), &value, size);
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
  flush_engine_tlb();  // Whatever else the instruction accesses comes to on_fill().
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
  if (!pmsa_->has_images) return false;
  const bool privileged = el_ != El::el0 && !unprivileged_in_block();
  if (el_ != El::el0 && !privileged) return false;  // Which of both, only the instruction says.
  const VirtAddr page = va & ~kPageMask;
  const bool tables = context_.regime == Regime::el1_0 && controls_el1_.stage2_by_mpu;
  const auto allowed = [&](VirtAddr at, AccessKind kind) {
    Fault fault;
    return lookup(at, kind, privileged, pan_active(), fault) != nullptr;
  };
  // The engine does not ask about the end of an access that begins in the page before. So either
  // there is none, or it is allowed. (What is mapped before a guest's page is not held on to.)
  for (const AccessKind kind : {AccessKind::read, AccessKind::write}) {
    if (!allowed(page, kind) && (tables || allowed(page - 1, kind))) return false;
  }
  const PhysAddr pa = tables ? pmsa_->found.pa_page : page;
  CodePages::Slot* slot = pages_.slot(pa);
  if (!slot || slot->executable || slot->read_only) return false;
  slot->writable = true;
  out.paddr = kImage | pa | (va & kPageMask);
  out.perms = static_cast<uc_prot>(UC_PROT_READ | UC_PROT_WRITE);
  pmsa_->view.filled(mpu_regime(), pa);
  if (!tables) pmsa_->view.filled(mpu_regime(), pa - 1);
  return true;
}

}  // namespace trapline
