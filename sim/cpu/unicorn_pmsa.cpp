// PMSAv8-64 (Armv8-R64): translation by the MPUs, and pages that their regions split.
//
// The MPUs answer every fill of the engine's TLB; what is in there is emptied when a change of the
// regions concerns it. A 4 KiB page in which different answers hold never goes in as data: its
// loads and stores are executed one by one, each byte checked. As code it does go in, with hooks on
// the 64-byte granules that may not be executed.
#include <algorithm>
#include <bit>
#include <cstring>

#include "sim/cpu/unicorn_cpu.h"
#include "sim/replay/recorder.h"

namespace trapline {
namespace {

constexpr VirtAddr kPageMask = 0xfff;
constexpr unsigned kVtcrMsa = 31, kVtcrVs = 19;

MpuConfig mpu_config(const CpuConfig& config) {
  MpuConfig mpu = config.mpu;
  mpu.el2 = config.has_el2;
  return mpu;
}

}  // namespace

UnicornCpu::Pmsa::Pmsa(const CpuConfig& config, Sink* sink)
    : view(mpu_config(config), config.number(), sink), registers(config.index, config.has_el2) {}

/// The controls have been read again.
void UnicornCpu::refresh_mpu_controls() {
  MpuControls& controls = pmsa_->view.controls;
  controls.sctlr_el1 = controls_el1_.sctlr;
  controls.mair_el1 = controls_el1_.mair;
  controls.sctlr_el2 = controls_el2_.sctlr;
  controls.mair_el2 = controls_el2_.mair;
  controls.hcr_el2 = controls_el1_.hcr_el2;
  controls.vstcr_el2 = pmsa_->registers.vstcr_el2();
  controls.pa_bits = model_.translation.pa_bits;
  const bool vmsa = config_.has_el2 && config_.vmsa_at_el1 && bit(controls_el1_.vtcr_el2, kVtcrMsa);
  controls_el1_.stage2_by_mpu = vmsa;
  // VSCTLR_EL2 has the encoding of TTBR0_EL2, and its VMID 16 bits.
  controls_el1_.vttbr_el2 = controls_el2_.ttbr0;
  controls_el1_.vtcr_el2 |= 1ull << kVtcrVs;
  if (mpu_recorder_ && vmsa != pmsa_->vmsa) {
    mpu_recorder_->note_input(config_.index, kVmsaAtEl1, vmsa);
  }
  pmsa_->vmsa = vmsa;
  pmsa_->view.mpu().set_vmsa_at_el1(vmsa);
  ++pmsa_->epoch;
  pmsa_->view.note_change();
}

/// After the regime of now was settled: EL1&0 may have been given other regions meanwhile.
void UnicornCpu::refresh_mpu_regime() {
  if (context_.regime != Regime::el1_0) return;
  const std::uint64_t tags =
      controls_el1_.stage2_by_mpu ? 1 | std::uint64_t{vmid_of(controls_el1_)} << 16 : 0;
  if (pmsa_->view.entering_el1_0(tags)) flush_engine_tlb();
}

const SoftTlb::Entry* UnicornCpu::lookup_mpu(VirtAddr va, AccessKind kind, bool privileged,
                                             bool pan, Fault& fault) {
  Pmsa& pmsa = *pmsa_;
  pmsa.found_split = false;
  pmsa.found_last = va | kPageMask;
  MpuPageAnswer answer{MpuMapping{}};
  if (context_.regime == Regime::el1_0 && controls_el1_.stage2_by_mpu) {
    const SoftTlb::Entry* stage1 = lookup_tables(va, kind, privileged, pan, fault);
    if (!stage1 || !mpu_stage2_enabled(pmsa.view.controls)) return stage1;
    pmsa.found = *stage1;
    answer = pmsa.view.stage2_at(
        {.ipa = stage1->pa_page | (va & kPageMask), .kind = kind, .privileged = privileged});
  } else {
    pmsa.found = {.pa_page = va & ~kPageMask, .permissions = kAllPermissions};
    answer = pmsa.view.at(mpu_regime(),
                          {.address = va, .kind = kind, .privileged = privileged, .pan = pan});
  }
  pmsa.found_split = answer.split;
  if (const Fault* refused = std::get_if<Fault>(&answer.result)) {
    const PhysAddr pa = pmsa.found.pa_page | (va & kPageMask);
    // A device in a region of EL2's alone is one that the layer emulates; one in no region is not
    // the guest's.
    const bool emulated = refused->stage2 && refused->kind == FaultKind::permission;
    if (config_.layer_at_el2 && emulated && kind != AccessKind::fetch && bus_.window_at(pa)) {
      pmsa.found_split = false;
      return &pmsa.found;
    }
    fault = *refused;
    return nullptr;
  }
  const MpuMapping& mapping = std::get<MpuMapping>(answer.result);
  const PhysAddr pa = pmsa.found.pa_page | (va & kPageMask);
  pmsa.found_last = va + (std::min(mapping.range.last, pa | kPageMask) - pa);
  pmsa.found.permissions = pmsa.found.permissions & mapping.permissions();
  pmsa.found.pan_protected |= mapping.pan_protected();
  return &pmsa.found;
}

/// The page that lookup() found split: whether it is for loads and stores of this privilege.
bool UnicornCpu::splits_data(VirtAddr va, bool privileged, bool pan) const {
  if (context_.regime == Regime::el1_0 && controls_el1_.stage2_by_mpu) {
    return !pmsa_->view.data_uniform_stage2(pmsa_->found.pa_page, privileged);
  }
  return !pmsa_->view.data_uniform(mpu_regime(), va & ~kPageMask, privileged, pan);
}

/// The page of `va` is split. True if the fill may go on as for any other page.
bool UnicornCpu::prepare_split(VirtAddr va, AccessKind kind) {
  if (kind != AccessKind::fetch) {
    pending_ = {.kind = Pending::Kind::split_data, .access = kind, .va = va};
    return false;
  }
  if (unhooked_granules(va & ~kPageMask) == 0) return true;
  pending_ = {.kind = Pending::Kind::split_fetch, .access = kind, .va = va};
  return false;
}

/// Granules of a page that must not be executed and have no hook yet.
std::uint64_t UnicornCpu::unhooked_granules(VirtAddr page) {
  const bool privileged = el_ != El::el0;
  std::uint64_t denied;
  if (context_.regime == Regime::el1_0 && controls_el1_.stage2_by_mpu) {
    Fault fault;
    const SoftTlb::Entry* stage1 = lookup_tables(page, AccessKind::fetch, privileged, false, fault);
    denied = stage1 ? pmsa_->view.denied_granules_stage2(stage1->pa_page, privileged) : 0;
  } else {
    denied = pmsa_->view.denied_granules(mpu_regime(), page, privileged);
  }
  const auto found = pmsa_->hooked_granules.find(page);
  return found == pmsa_->hooked_granules.end() ? denied : denied & ~found->second;
}

void UnicornCpu::install_split_hooks(VirtAddr pc) {
  const VirtAddr page = pc & ~kPageMask;
  Fault fault;
  const SoftTlb::Entry* entry = lookup(pc, AccessKind::fetch, el_ != El::el0, false, fault);
  if (!entry) return fetch_fault(fault, pc);
  const PhysAddr pa = entry->pa_page;
  std::uint64_t missing = unhooked_granules(page);
  pmsa_->hooked_granules[page] |= missing;
  while (missing != 0) {
    const auto first = static_cast<unsigned>(std::countr_zero(missing));
    const auto count = static_cast<unsigned>(std::countr_one(missing >> first));
    const VirtAddr begin = page + first * MpuRegion::kGranule;
    hooks_.push_back({this, page, 0, false});
    uc_hook_add(engine_, &hooks_.back().handle, UC_HOOK_CODE,
                reinterpret_cast<void*>(&split_callback), &hooks_.back(), begin,
                begin + count * MpuRegion::kGranule - 4);
    missing &= count == 64 ? 0 : ~(((1ull << count) - 1) << first);
  }
  forget_code(pa);
}

/// Before an instruction in a granule that at some time was not to be executed.
void UnicornCpu::split_callback(uc_engine*, std::uint64_t pc, std::uint32_t, void* hook) {
  static_cast<const HookPoint*>(hook)->cpu->fetch_denied(pc);
}

/// True if the instruction at `pc` in the current block must not be executed, or the block was left
/// already. The exception is taken.
bool UnicornCpu::fetch_denied(VirtAddr pc) {
  if (!pmsa_) return false;
  if (pc - block_pc_ >= block_size_) return true;
  const auto hooked = pmsa_->hooked_granules.find(pc & ~kPageMask);
  const auto granule = static_cast<unsigned>((pc & kPageMask) / MpuRegion::kGranule);
  if (hooked == pmsa_->hooked_granules.end() || !(hooked->second >> granule & 1)) return false;
  Fault fault;
  if (lookup(pc, AccessKind::fetch, el_ != El::el0, false, fault)) return false;
  settle(pc);
  fetch_fault(fault, pc);
  return true;
}

/// A port has taken a write, perhaps to the MPU or VSTCR_EL2.
void UnicornCpu::registers_written() {
  Pmsa& pmsa = *pmsa_;
  if (pmsa.registers.vstcr_el2() != pmsa.view.controls.vstcr_el2) context_stale_ = true;
  if (pmsa.view.mpu().generation() == pmsa.generation) return;
  pmsa.generation = pmsa.view.mpu().generation();
  ++pmsa.epoch;
  if (pmsa.view.written(mpu_regime())) flush_engine_tlb();
}

void UnicornCpu::write_el2(SysReg reg, std::uint64_t value) {
  events_.set_source(this);
  if (SysRegPort* port = port_for(reg)) {
    port->write(reg, {.el = El::el2, .secure = model_.pmsa, .hcr_el2 = hcr_}, value);
    if (pmsa_) registers_written();
  } else if (reg == reg::HCR_EL2) {
    write_hcr(value);
  } else if (pmsa_ && reg == reg::VSCTLR_EL2) {
    write_vsctlr(value);
  } else {
    write_system(reg, value);
    context_stale_ = true;
  }
}

/// VMID [63:48]; the rest is RES0.
void UnicornCpu::write_vsctlr(std::uint64_t value) {
  write_system(reg::VSCTLR_EL2, value & 0xffff'0000'0000'0000);
  context_stale_ = true;
}

/// A descriptor of VMSAv8-64 at EL1 is about to be read.
bool UnicornCpu::walk_allowed(PhysAddr ipa) {
  if (!mpu_stage2_enabled(pmsa_->view.controls)) return true;
  const MpuResult result =
      lookup_stage2({.ipa = ipa, .kind = AccessKind::read, .privileged = true, .table_walk = true},
                    pmsa_->view.controls, pmsa_->view.mpu().regions());
  const Fault* fault = std::get_if<Fault>(&result);
  if (fault) pmsa_->walk_fault = *fault;
  return !fault;
}

/// AT: what PAR_EL1 holds. `fault` is that of a walk, which may be an exception instead.
std::uint64_t UnicornCpu::address_translate_mpu(const TranslationRequest& request, Regime regime,
                                                std::optional<Fault>& fault) {
  MpuView& view = pmsa_->view;
  const bool tables = regime == Regime::el1_0 && controls_el1_.stage2_by_mpu;
  if (!tables) {
    return par_el1(view.at(regime == Regime::el1_0 ? MpuRegime::el1_0 : MpuRegime::el2,
                           {.address = request.va,
                            .kind = request.kind,
                            .privileged = request.privileged,
                            .pan = request.pan,
                            .stage1_only = request.stage1_only})
                       .result,
                   request.va);
  }
  pmsa_->walk_fault.reset();
  TranslationResult stage1 = translate(regime, request, controls_el1_, *this);
  if (pmsa_->walk_fault) stage1 = *pmsa_->walk_fault;
  pmsa_->walk_fault.reset();
  if (const Fault* found = std::get_if<Fault>(&stage1)) fault = *found;
  const Mapping* mapping = std::get_if<Mapping>(&stage1);
  if (!mapping || request.stage1_only || !mpu_stage2_enabled(view.controls)) {
    return par_el1(stage1, request.va, true);
  }
  const PhysAddr ipa = mapping->ipa(request.va);
  return par_el1(view.stage2_at({.ipa = ipa,
                                 .kind = request.kind,
                                 .privileged = request.privileged,
                                 .stage1 = mapping->attributes})
                     .result,
                 ipa);
}

/// An access whose first part ends where another answer begins. All of a store is checked before
/// any of it is done.
bool UnicornCpu::access_pieces(VirtAddr va, unsigned first_bytes, unsigned bytes,
                               std::uint8_t* data, bool write) {
  emulation_.first_va = emulation_.first_va.value_or(va);  // So it is not aligned.
  const VirtAddr rest = va + first_bytes;
  if (write && !lookup(untagged(rest), AccessKind::write, emulation_.privileged, emulation_.pan,
                       emulation_.fault)) {
    emulation_.va = rest;
    return false;
  }
  return access(va, first_bytes, data, write) &&
         access(rest, bytes - first_bytes, data + first_bytes, write);
}

}  // namespace trapline
