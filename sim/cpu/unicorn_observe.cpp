// Observed events: raised where a sink wants them. What makes them visible is found by the scan of
// a page (needs_interception), so that software without them pays nothing; and nothing here changes
// what the CPU does.
#include "sim/arch/registers.h"
#include "sim/arch/trace_points.h"
#include "sim/cpu/unicorn_cpu.h"

namespace trapline {

void UnicornCpu::observe(EventKind kind, std::uint64_t a, std::uint64_t b, std::uint64_t c,
                         std::uint64_t d) {
  if (!events_.wants(kind)) return;
  Event event;
  event.kind = kind;
  event.cpu = static_cast<std::uint8_t>(config_.index);
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

}  // namespace trapline
