// Split pages at the speed of a callback, where the engine allows it (Unicorn 2.1.4).
//
// All RAM has a second, unwritable image in the engine, far above any physical address. A split page
// is mapped to its image: the engine asks the PROT hook about each store, then calls back to make
// it, and calls back for each load. What is refused is executed outside the engine as it would be
// without all this, and takes its fault there.
//
// A refused access stops the engine at once, with the exact PC: it looks for a reason to stop behind
// each load and store. What its helpers store piece by piece (DC ZVA, CASP) stops at the next piece,
// which no longer finds the page in the TLB. A store leaves all registers as before the instruction.
// A load may have written its first register, so they are noted before. Loads do without the PROT
// hook as it costs a third of the time; stores of more than a byte may come in pieces, of which none
// must be made if one is refused.
#include <cstring>

#include "sim/cpu/unicorn_cpu.h"

namespace trapline {
namespace {

constexpr PhysAddr kPageMask = 0xfff;
constexpr PhysAddr kImage = 1ull << 44;  ///< Added to physical addresses.

}  // namespace

namespace {

/// `size` bytes at `from`. Written out, as what a call of unknown size stores piecewise is slow to
/// load whole.
std::uint64_t load_bytes(const std::uint8_t* from, unsigned size) {
  const auto load = [&](auto value) {
    std::memcpy(&value, from, sizeof value);
    return std::uint64_t{value};
  };
  switch (size) {
    case 1:
      return load(std::uint8_t{});
    case 2:
      return load(std::uint16_t{});
    case 4:
      return load(std::uint32_t{});
    default:
      return load(std::uint64_t{});
  }
}

void store_bytes(std::uint8_t* to, unsigned size, std::uint64_t value) {
  switch (size) {
    case 1:
      std::memcpy(to, &value, 1);
      break;
    case 2:
      std::memcpy(to, &value, 2);
      break;
    case 4:
      std::memcpy(to, &value, 4);
      break;
    default:
      std::memcpy(to, &value, 8);
      break;
  }
}

}  // namespace

void UnicornCpu::map_images() {
  // Older versions neither know the PC in the hook nor stop at a refused load.
  constexpr unsigned kVersion = 2u << 24 | 1u << 16 | 4u << 8;
  if (!exact_pc_in_fill_ || uc_version(nullptr, nullptr) < kVersion) return;
  for (const auto& ram : bus_.rams()) {
    const PhysAddr base = kImage | ram->base();
    Pmsa::Image& image =
        pmsa_->images.emplace_back(Pmsa::Image{this, ram->base(), ram->host(ram->base())});
    if (uc_mmio_map(engine_, base, ram->size(), &image_read, &image, &image_write, &image) !=
            UC_ERR_OK ||
        uc_mem_protect(engine_, base, ram->size(), UC_PROT_READ) != UC_ERR_OK) {
      throw EngineError("the execution engine refused an image of RAM " + ram->name());
    }
  }
  uc_hook handle;
  uc_hook_add(engine_, &handle, UC_HOOK_MEM_WRITE_PROT, reinterpret_cast<void*>(&image_callback),
              this, kImage, kImage * 2 - 1);
}

std::uint64_t UnicornCpu::image_read(uc_engine*, std::uint64_t offset, unsigned size,
                                     void* of_ram) {
  const auto& image = *static_cast<const Pmsa::Image*>(of_ram);
  if (!image.cpu->on_image_load(image.base + offset, size)) return 0;
  return load_bytes(image.host + offset, size);
}

void UnicornCpu::image_write(uc_engine*, std::uint64_t offset, unsigned size, std::uint64_t value,
                             void* of_ram) {
  const auto& image = *static_cast<const Pmsa::Image*>(of_ram);
  store_bytes(image.host + offset, size, value);
}

bool UnicornCpu::image_callback(uc_engine*, uc_mem_type, std::uint64_t pa, int size, std::int64_t,
                                void* self) {
  return static_cast<UnicornCpu*>(self)->on_image_store(pa & ~kImage, static_cast<unsigned>(size));
}

/// One load from a split page, or an aligned part of one, which then has bytes of the whole on each
/// side of it. False: the instruction must be executed outside.
bool UnicornCpu::on_image_load(PhysAddr pa, unsigned size) {
  // The PC of now is not known here, which would tell LDTR* from the others.
  const bool privileged = el_ != El::el0;
  if (pending_.kind == Pending::Kind::none && !(privileged && block_has_unprivileged()) &&
      image_allows(pa, size, AccessKind::read, privileged)) {
    return true;
  }
  refuse_image_load(pa);
  return false;
}

void UnicornCpu::refuse_image_load(PhysAddr pa) {
  if (pending_.kind != Pending::Kind::none) return;
  refuse_image(pa, AccessKind::read);
  pending_.undo_load = true;
  for (unsigned n = 0; n < 31; ++n) pmsa_->before_load[n] = x(n);
  uc_emu_stop(engine_);
}

/// A refused load may have written a register.
void UnicornCpu::undo_image_load() {
  for (unsigned n = 0; n < 31; ++n) {
    if (x(n) != pmsa_->before_load[n]) set_x(n, pmsa_->before_load[n]);
  }
}

/// One store to a split page. False: the instruction must be executed outside.
bool UnicornCpu::on_image_store(PhysAddr pa, unsigned size) {
  if (pending_.kind != Pending::Kind::none) return false;
  bool privileged = el_ != El::el0;
  if (privileged && block_has_unprivileged()) {
    if (const auto word = word_at(pc())) privileged = is_privileged_access(*word);
  }
  // Across the end of a page the engine asks about the first page only.
  if (((pa ^ (pa + size - 1)) & ~kPageMask) == 0 &&
      image_allows(pa, size, AccessKind::write, privileged)) {
    return true;
  }
  refuse_image(pa, AccessKind::write);
  return false;
}

void UnicornCpu::refuse_image(PhysAddr pa, AccessKind kind) {
  pending_ = {.kind = Pending::Kind::split_data, .access = kind, .va = pa, .pa = pa};
  flush_engine_tlb();  // Whatever else the instruction accesses comes to on_fill().
}

bool UnicornCpu::image_allows(PhysAddr pa, unsigned size, AccessKind kind, bool privileged) {
  const PhysAddr last = pa + size - 1;
  const auto allowed = [&](PhysAddr at) {
    const std::uint64_t key = (at >> 6) << 1 | (privileged ? 1u : 0u);
    const Pmsa::Allowed& known = pmsa_->allowed[key % Pmsa::kAllowed];
    if (known.key == key && known.epoch == pmsa_->epoch && !context_stale_ && !tags_stale_) {
      return known.permissions.allows(kind, privileged);
    }
    return learn_image(at, kind, privileged);
  };
  return allowed(pa) && (((pa ^ last) & ~0x3full) == 0 || allowed(last));
}

/// Whether the granule allows the access, which the MPUs are asked about; noted for the next.
bool UnicornCpu::learn_image(PhysAddr pa, AccessKind kind, bool privileged) {
  const bool tables = context_.regime == Regime::el1_0 && controls_el1_.stage2_by_mpu;
  const bool pan = privileged && pan_active();
  const MpuPageAnswer answer =
      tables ? pmsa_->view.stage2_at({.ipa = pa, .kind = kind, .privileged = privileged})
             : pmsa_->view.at(mpu_regime(),
                              {.address = pa, .kind = kind, .privileged = privileged, .pan = pan});
  const MpuMapping* mapping = std::get_if<MpuMapping>(&answer.result);
  if (!mapping) return false;
  if (mapping->pan_protected()) return true;  // PSTATE.PAN changes without a notice.
  const std::uint64_t key = (pa >> 6) << 1 | (privileged ? 1u : 0u);
  pmsa_->allowed[key % Pmsa::kAllowed] = {
      .key = key, .epoch = pmsa_->epoch, .permissions = mapping->permissions()};
  return mapping->permissions().allows(kind, privileged);
}

/// A split page is asked for as data. True if its image may be used.
bool UnicornCpu::fill_image(VirtAddr va, uc_tlb_entry& out) {
  if (pmsa_->images.empty()) return false;
  const bool privileged = el_ != El::el0 && !block_has_unprivileged();
  if (el_ != El::el0 && !privileged) return false;  // Which of both, only the instruction says.
  const VirtAddr page = va & ~kPageMask;
  PhysAddr pa = page;
  if (context_.regime == Regime::el1_0 && controls_el1_.stage2_by_mpu) {
    // Stage 1 has no say in image_allows(), so here it must allow all.
    const bool pan = pan_active();
    Fault fault;
    const SoftTlb::Entry* stage1 = lookup_tables(va, AccessKind::read, privileged, pan, fault);
    if (!stage1 || stage1->needs_dirty_update || (pan && stage1->pan_protected) ||
        !stage1->permissions.allows(AccessKind::write, privileged)) {
      return false;
    }
    pa = stage1->pa_page;
  }
  CodePages::Slot* slot = pages_.slot(pa);
  if (!slot || slot->executable || slot->read_only) return false;
  slot->writable = true;
  out.paddr = kImage | pa | (va & kPageMask);
  out.perms = static_cast<uc_prot>(UC_PROT_READ | UC_PROT_WRITE);
  pmsa_->view.filled(mpu_regime(), pa);
  return true;
}

}  // namespace trapline
