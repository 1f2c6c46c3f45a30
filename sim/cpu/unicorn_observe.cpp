// Observed events: raised where a sink wants them. What makes them visible is found by the scan of
// a page (needs_interception), so that software without them pays nothing; and nothing here changes
// what the CPU does.
#include <algorithm>

#include "sim/arch/registers.h"
#include "sim/arch/trace_points.h"
#include "sim/cpu/unicorn_complex.h"
#include "sim/trace/store_guard.h"

namespace trapline {

void UnicornCpu::observe(EventKind kind, std::uint64_t a, std::uint64_t b, std::uint64_t c,
                         std::uint64_t d) {
  if (!events_.wants(kind)) return;
  Event event;
  event.kind = kind;
  event.cpu = static_cast<std::uint8_t>(config_.number());
  event.a = a;
  event.b = b;
  event.c = c;
  event.d = d;
  events_.observe(event);
}

/// A system register is written: not trapped, not UNDEFINED.
void UnicornCpu::observe_write(SysReg reg, std::uint64_t value) {
  if (events_.wants(EventKind::sysreg_write) && defines_machine_state(reg)) {
    observe(EventKind::sysreg_write, reg.key, value);
  }
  const bool holds_vmid = pmsa_ ? reg == reg::VSCTLR_EL2 : reg == reg::VTTBR_EL2;
  if (!holds_vmid || !events_.wants(EventKind::vcpu_switch)) return;
  TranslationControls controls = controls_el1_;
  controls.vtcr_el2 = read_system(reg::VTCR_EL2);
  controls.vttbr_el2 = value;
  const std::uint16_t before = std::exchange(observed_vmid_, vmid_of(controls));
  if (before != observed_vmid_) observe(EventKind::vcpu_switch, before, observed_vmid_);
}

/// True where the engine will execute the MSR that it has come to, and somebody may want to know.
bool UnicornCpu::observable_write(SysReg reg) const {
  if (!events_.wants(EventKind::sysreg_write) && !events_.wants(EventKind::vcpu_switch))
    return false;
  if (el_ == El::el0) return false;
  if (reg == reg::TTBR1_EL2 || reg == reg::CONTEXTIDR_EL2) return model_.vhe && el_ == El::el2;
  if (reg.op1() == 4) return el_ == El::el2;
  if (el_ == El::el2 || !config_.has_el2) return true;
  return access_rules(reg, false) != SysRegStatus::trap_el2;
}

void UnicornCpu::observe_marker(VirtAddr pc, std::uint16_t value) {
  if (pc - block_pc_ >= block_size_) return;  // The block was left.
  set_adjustments(pc);
  observe(EventKind::marker, value, x(0));
  cycle_adjust_ = instruction_adjust_ = 0;
}

/// Software calls by HVC; `next_pc` is where the answer is expected.
void UnicornCpu::observe_call(VirtAddr next_pc) {
  if (!events_.wants(EventKind::call_result)) return;
  const std::uint16_t vmid = el_ == El::el2 ? std::uint16_t{0} : vmid_of(controls_el1_);
  ++complex_.open_calls()[{vmid, el_, next_pc}];
}

/// EL2 returned to `pc`. A return to the HVC itself will repeat the call.
void UnicornCpu::observe_return(VirtAddr pc) {
  auto& calls = complex_.open_calls();
  if (calls.empty()) return;
  const std::uint16_t vmid = el_ == El::el2 ? std::uint16_t{0} : vmid_of(controls_el1_);
  const auto close = [&](VirtAddr next_pc) {
    const auto found = calls.find({vmid, el_, next_pc});
    if (found == calls.end()) return false;
    if (--found->second == 0) calls.erase(found);
    return true;
  };
  if (close(pc)) observe(EventKind::call_result, x(0), x(1), x(2), x(3));
  close(pc + 4);
}

/// The access at `va` faults by `fault`. Stage 1 of a VMSAv8-64 guest is its tables' matter.
void UnicornCpu::observe_mpu_fault(const Fault& fault, VirtAddr va, AccessKind kind) {
  if (!pmsa_ || !events_.wants(EventKind::mpu_fault)) return;
  if (fault.kind != FaultKind::translation && fault.kind != FaultKind::permission) return;
  const bool el1_0 = context_.regime == Regime::el1_0;
  if (el1_0 && !fault.stage2 && controls_el1_.stage2_by_mpu) return;
  observe(EventKind::mpu_fault, fault.stage2 ? fault.ipa : va, fault.fsc(),
          static_cast<std::uint64_t>(kind), fault.stage2 || !el1_0 ? 2 : 1);
}

void UnicornCpu::note_guarded_store(PhysAddr pa, unsigned bytes) {
  guard_->on_store({.cpu = config_.number(),
                    .el = el_,
                    .vmid = vmid(),
                    .pc = emulated_pc_,
                    .pa = pa,
                    .bytes = bytes,
                    .mmu = bit(sctlr_el1(), 0)});
}

std::optional<AddressView> UnicornCpu::view(VirtAddr va) {
  if (pmsa_) return std::nullopt;
  TranslationControls controls = controls_el1_;
  controls.sctlr = read_system(reg::SCTLR_EL1);
  controls.tcr = read_system(reg::TCR_EL1);
  controls.ttbr0 = read_reg(UC_ARM64_REG_TTBR0_EL1);
  controls.ttbr1 = read_reg(UC_ARM64_REG_TTBR1_EL1);
  controls.mair = read_reg(UC_ARM64_REG_MAIR_EL1);
  controls.features = model_.translation;
  if (config_.has_el2) {
    controls.vtcr_el2 = read_system(reg::VTCR_EL2);
    controls.vttbr_el2 = read_system(reg::VTTBR_EL2);
    controls.hcr_el2 = hcr_;
  }
  peeking_ = true;
  const TranslationRequest request{.va = va, .kind = AccessKind::read, .debug = true};
  const TranslationResult both = translate(Regime::el1_0, request, controls, *this);
  TranslationRequest stage1_request = request;
  stage1_request.stage1_only = true;
  const TranslationResult stage1 = translate(Regime::el1_0, stage1_request, controls, *this);
  peeking_ = false;
  const Mapping* first = std::get_if<Mapping>(&stage1);
  if (!first) return std::nullopt;
  const Mapping* whole = std::get_if<Mapping>(&both);
  const auto write_back = [](unsigned attribute) {  // MAIR_ELx: 0b01RW, 0b11RW; 0b0100 is no cache.
    return (attribute & 4) != 0 && attribute != 4;
  };
  const unsigned attr = first->attributes.attr;
  return AddressView{.ipa = first->ipa(va),
                     .pa = whole ? whole->pa(va) : ~PhysAddr{0},
                     .normal_write_back = write_back(attr >> 4) && write_back(attr & 15)};
}

bool UnicornCpu::peek(VirtAddr va, void* to, std::size_t bytes) {
  auto* out = static_cast<std::uint8_t*>(to);
  while (bytes != 0) {
    const std::size_t part = std::min<std::size_t>(bytes, 4096 - (va & 0xfff));
    const std::optional<AddressView> at = view(untagged(va));
    if (!at || at->pa == ~PhysAddr{0} || !bus_.read(at->pa, out, part)) return false;
    va += part;
    out += part;
    bytes -= part;
  }
  return true;
}

}  // namespace trapline
