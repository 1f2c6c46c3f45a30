// System registers: which accesses the engine must not see, and what happens to them instead.
//
// A page's words are scanned when it is first executed; the few system instructions that matter get a
// hook bounded to their own address, so that everything else runs at full speed. Registers the engine
// does not know arrive as UNDEFINED and are looked up in the ports.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "sim/arch/esr.h"
#include "sim/arch/pstate.h"
#include "sim/arch/registers.h"
#include "sim/arch/trace_points.h"
#include "sim/cpu/unicorn_complex.h"

namespace trapline {
namespace {

constexpr std::uint64_t kHcrVf = 1ull << 6, kHcrVi = 1ull << 7, kHcrVse = 1ull << 8;
constexpr std::uint64_t kHcrHcd = 1ull << 29;
/// Bits that only we act on: the engine would take virtual interrupts by itself, or has EL3.
constexpr std::uint64_t kHcrOurs = kHcrVf | kHcrVi | kHcrVse | kHcrHcd;

/// Those of PMSAv8-64 besides: VM, PTW and DC would make the engine empty its TLB, which the MPU's
/// changes decide; and TSC traps what is UNDEFINED without EL3.
constexpr std::uint64_t kHcrOursPmsa = 1ull << 0 | 1ull << 2 | 1ull << 12 | 1ull << 19;
constexpr std::uint64_t kHcrRw = 1ull << 31;

constexpr std::uint32_t kPassOn = 0, kDone = 1;

// A delay loop: this many reads of the counter at one PC, each this close to the last.
constexpr unsigned kPollsOfDelay = 8;
constexpr std::uint64_t kInstructionsBetweenPolls = 512;
constexpr std::uint64_t kDelayStepsPerSecond = 1'000'000;  // Skips go by 1 us.

/// HCR_EL2.TVM and TRVM: the EL1 virtual-memory controls.
bool is_virtual_memory_control(SysReg reg) {
  for (SysReg control :
       {reg::SCTLR_EL1, reg::TTBR0_EL1, reg::TTBR1_EL1, reg::TCR_EL1, reg::ESR_EL1, reg::FAR_EL1,
        reg::AFSR0_EL1, reg::AFSR1_EL1, reg::MAIR_EL1, reg::AMAIR_EL1, reg::CONTEXTIDR_EL1}) {
    if (control == reg) return true;
  }
  return false;
}

bool is_random_number(SysReg reg) {
  return reg.op1() == 3 && reg.crn() == 2 && reg.crm() == 4 && reg.op2() <= 1;
}

/// n of PMEVCNTR<n>_EL0 and PMEVTYPER<n>_EL0.
unsigned event_counter(SysReg reg) { return (reg.crm() & 3u) << 3 | reg.op2(); }

/// AT (DDI 0487 C5.4); with FEAT_PAN2 also S1E1RP and S1E1WP.
bool is_address_translation(SysReg reg, bool pan2) {
  if (reg.crn() != 7) return false;
  if (reg.crm() == 9) return pan2 && reg.op1() == 0 && reg.op2() <= 1;
  if (reg.crm() != 8) return false;
  return reg.op1() == 0 ? reg.op2() <= 3 : reg.op1() == 4 && (reg.op2() <= 1 || reg.op2() >= 4);
}

}  // namespace

std::uint32_t UnicornCpu::sysreg_callback(uc_engine*, uc_arm64_reg rt,
                                          const uc_arm64_cp_reg* cp, void* hook) {
  const auto& point = *static_cast<const HookPoint*>(hook);
  const SysReg reg = sysreg(cp->op0, cp->op1, cp->crn, cp->crm, cp->op2);
  return point.cpu->on_sysreg(reg, point.is_read, rt, cp->val, point.va);
}

std::uint32_t UnicornCpu::on_sysreg(SysReg reg, bool is_read, uc_arm64_reg rt,
                                    std::uint64_t value, VirtAddr pc) {
  set_adjustments(pc);
  if (config_.skip_delay_loops && is_read &&
      (reg == reg::CNTVCT_EL0 || reg == reg::CNTPCT_EL0)) {
    counter_polled(pc);
  }
  const std::uint32_t answer = reg.op0() == 1 ? on_sys(reg, value, pc)
                               : is_read      ? on_mrs(reg, rt)
                                              : on_msr(reg, value);
  cycle_adjust_ = instruction_adjust_ = 0;
  return answer;
}

/// Passes a bounded time where a loop does nothing but look at the counter, up to the next event.
void UnicornCpu::counter_polled(VirtAddr pc) {
  const std::uint64_t now = instructions();
  const bool again = pc == poll_pc_ && now - poll_instructions_ < kInstructionsBetweenPolls;
  polls_ = again ? polls_ + 1 : 0;
  poll_pc_ = pc;
  poll_instructions_ = now;
  if (polls_ < kPollsOfDelay) return;
  const std::uint64_t step = config_.hz / kDelayStepsPerSecond;
  const std::uint64_t at = current_cycles();
  if (event_cycles_ > at) cycles_ += std::min(step, event_cycles_ - at);
}

SysRegContext UnicornCpu::sysreg_context() const {
  return {.el = el_,
          .secure = model_.pmsa,
          .el2_present = config_.has_el2,
          .hcr_el2 = config_.has_el2 ? hcr_ : 0,
          .mdcr_el2 = config_.has_el2 ? mdcr_ : 0};
}

SysRegPort* UnicornCpu::port_for(SysReg reg) const {
  for (SysRegPort* port : ports_) {
    if (port->owns(reg)) return port;
  }
  return nullptr;
}

/// False for a register that a model has and the engine has not, as of now event counters and the
/// timers of Secure EL2: skipping what it does not know would make it run in circles. The access then
/// arrives as UNDEFINED.
bool UnicornCpu::engine_has(SysReg reg) const {
  if (reg.crn() == 14 && reg.op1() == 4 && (reg.crm() == 4 || reg.crm() == 5)) return false;
  if (reg.crn() != 14 || reg.crm() < 8) return true;
  return event_counter(reg) == 31 || event_counter(reg) < engine_event_counters_;
}

std::uint32_t UnicornCpu::on_mrs(SysReg reg, uc_arm64_reg rt) {
  std::uint64_t value = 0;
  const std::optional<SysReg> host = model_.vhe ? host_register(reg) : std::nullopt;
  if (in_host() && (host || reg == reg::CPTR_EL2)) {
    value = read_host(host.value_or(reg));
  } else if (reg == reg::SPSR_EL1 || reg == reg::SPSR_EL2) {
    const auto& shadow = aarch32_spsr_[reg == reg::SPSR_EL2];
    if (!shadow || el_ < (reg == reg::SPSR_EL2 ? El::el2 : El::el1)) return kPassOn;
    value = *shadow;
  } else if (reg.crn() == 14 || reg.crn() == 9) {
    SysRegPort* port = port_for(reg);
    if (!port || !engine_has(reg)) return kPassOn;
    if (port->read(reg, sysreg_context(), value) != SysRegStatus::ok) return kPassOn;
  } else if (reg == reg::MPIDR_EL1) {
    if (el_ == El::el0) return kPassOn;
    value = el_ == El::el1 && config_.has_el2 ? read_system(reg::VMPIDR_EL2) : config_.mpidr;
  } else if (reg == reg::MIDR_EL1) {
    if (el_ == El::el0) return kPassOn;
    value = el_ == El::el1 && config_.has_el2 ? read_system(reg::VPIDR_EL2) : midr();
  } else if (reg == reg::HCR_EL2) {
    if (el_ != El::el2) return kPassOn;
    value = hcr_;
  } else if (reg == reg::MDCR_EL2) {
    if (el_ != El::el2) return kPassOn;
    value = mdcr_;
  } else if (reg == reg::ISR_EL1) {
    if (el_ == El::el0) return kPassOn;
    const bool guest = el_ == El::el1 && config_.has_el2;
    const bool irq = guest && bit(hcr_, 4) ? lines_.virq.level() || bit(hcr_, 7) : lines_.irq.level();
    const bool fiq = guest && bit(hcr_, 3) ? lines_.vfiq.level() || bit(hcr_, 6) : lines_.fiq.level();
    const bool serror = guest && bit(hcr_, 5) && bit(hcr_, 8);
    value = (serror ? pstate::kA : 0) | (irq ? pstate::kI : 0) | (fiq ? pstate::kF : 0);
  } else if (is_id_space(reg)) {
    if (el_ == El::el0 || (el_ == El::el1 && config_.has_el2 && bit(hcr_, 18))) return kPassOn;
    value = id_register(reg);
  } else if (!is_random_number(reg) || !model_.vhe) {
    // Other code is at this address now than when it was hooked; or the engine has no RNDR.
    return kPassOn;
  }
  // RNDR and RNDRRS read as 0: the ID registers say they are absent, and the host's random numbers
  // must not reach the guest.
  if (rt != UC_ARM64_REG_XZR) write_reg(rt, value);
  if (watcher_) watcher_->on_register_read(value);
  return kDone;
}

std::uint32_t UnicornCpu::on_msr(SysReg reg, std::uint64_t value) {
  if (reg.crn() == 14 || reg.crn() == 9) {
    SysRegPort* port = port_for(reg);
    if (!port || !engine_has(reg)) return kPassOn;
    const SysRegStatus status = port->write(reg, sysreg_context(), value);
    attention_ = 0;
    if (status == SysRegStatus::ok) observe_write(reg, value);
    if (status == SysRegStatus::ok && reg == reg::CNTHCTL_EL2 && !e2h()) {
      // The engine goes by EL1PCEN where EL1PCTEN is meant; the port decides what it traps.
      write_system(reg, bit(value, 0) ? value : value & ~2ull);
      return kDone;
    }
    return status == SysRegStatus::ok ? kDone : kPassOn;
  }
  if (el_ == El::el0) return kPassOn;
  if (model_.vhe) {
    const std::optional<SysReg> host = host_register(reg);
    if (in_host() && (host || reg == reg::CPTR_EL2)) {
      write_host(host.value_or(reg), value);
      observe_write(host.value_or(reg), value);
      return kDone;
    }
  }
  if (reg == reg::SPSR_EL1 || reg == reg::SPSR_EL2) return write_spsr(reg, value);
  if (reg == reg::HCR_EL2) {
    if (el_ != El::el2) return kPassOn;
    observe_write(reg, value);
    write_hcr(value);
    return kDone;
  }
  if (reg == reg::MDCR_EL2) {
    if (el_ != El::el2) return kPassOn;
    observe_write(reg, value);
    write_mdcr(value);
    return kDone;
  }
  if (pmsa_ && reg == reg::VSCTLR_EL2 && el_ == El::el2) {
    observe_write(reg, value);
    write_vsctlr(value);
    return kDone;
  }
  if (observable_write(reg)) observe_write(reg, value);
  const bool ours = intercepts_write(reg) ||
                    (model_.vhe && (host_register(reg) || reg == reg::CPTR_EL2));
  if (!ours) return kPassOn;  // Hooked for the observers alone.
  attention_ = 0;
  const bool may_trap = el_ == El::el1 && config_.has_el2 && bit(hcr_, 26);
  if (!may_trap && !e2h() && (reg == reg::TTBR0_EL1 || reg == reg::TTBR1_EL1)) {
    // The engine empties its TLB by itself when the ASID field changes.
    (reg == reg::TTBR0_EL1 ? controls_el1_.ttbr0 : controls_el1_.ttbr1) = value;
    tags_stale_ = true;
  } else {
    context_stale_ = true;
  }
  return kPassOn;
}

/// The engine would go on in AArch32 state after an ERET. It is given an illegal AArch64 mode instead,
/// which makes the return illegal as it should be.
std::uint32_t UnicornCpu::write_spsr(SysReg reg, std::uint64_t value) {
  constexpr std::uint64_t kIllegalMode = 1;  // EL0 with SP_ELx
  const bool el2 = reg == reg::SPSR_EL2;
  if (el_ < (el2 ? El::el2 : El::el1)) return kPassOn;
  auto& shadow = aarch32_spsr_[el2];
  shadow.reset();
  if (!(value & pstate::kAArch32)) return kPassOn;
  shadow = value;
  write_system(reg, (value & ~pstate::kMode) | kIllegalMode);
  return kDone;
}

std::uint64_t UnicornCpu::read_host(SysReg el2_register) const {
  if (el2_register == reg::SPSR_EL2 && aarch32_spsr_[1]) return *aarch32_spsr_[1];
  return el2_register == reg::CPTR_EL2 ? cptr_ : read_system(el2_register);
}

/// A register of the EL2 host. The engine knows neither the redirection nor the layout that
/// CPTR_EL2 then has, so it is given the trap bit of the other layout.
void UnicornCpu::write_host(SysReg el2_register, std::uint64_t value) {
  if (el2_register == reg::SPSR_EL2 && write_spsr(el2_register, value) == kDone) return;
  constexpr std::uint64_t kTfp = 1ull << 10, kRes1 = 0x33ff & ~kTfp;
  if (el2_register == reg::CPTR_EL2) {
    cptr_ = value;
    const bool trap = !bit(value, 20);  // FPEN 0b00 and 0b10
    value = kRes1 | (trap ? kTfp : 0) | (value & 1ull << 31);
  }
  write_system(el2_register, value);
  context_stale_ = true;
  attention_ = 0;
}

/// *_EL12: EL1's own registers, for a host that runs at EL2 with E2H.
bool UnicornCpu::emulate_guest_alias(VirtAddr pc, std::uint32_t word,
                                     const SysRegAccess& access) {
  const SysReg alias = access.reg;
  const SysReg plain = sysreg(alias.op0(), 0, alias.crn(), alias.crm(), alias.op2());
  if (alias.op1() != 5 || !in_host() || !host_register(plain)) return false;
  if (access.is_read) {
    put_x(access.rt, read_system(plain));
  } else {
    observe_write(plain, get_x(access.rt));
    write_system(plain, get_x(access.rt));
    context_stale_ = true;
  }
  retire(pc, word);
  write_reg(UC_ARM64_REG_PC, pc + 4);
  return true;
}

void UnicornCpu::write_hcr(std::uint64_t value) {
  const std::uint64_t before = hcr_;
  std::uint64_t ours = kHcrOurs;
  if (pmsa_) {
    ours |= kHcrOursPmsa;
    value = (value & ~pstate::kHcrE2h) | kHcrRw;
  }
  write_system(reg::HCR_EL2, value & ~ours);
  hcr_ = read_system(reg::HCR_EL2) | (value & ours);
  if ((before ^ hcr_) & (pstate::kHcrE2h | pstate::kHcrTge)) flush_engine_tlb();
  controls_el1_.hcr_el2 = controls_el2_.hcr_el2 = hcr_;
  if (pmsa_) {
    pmsa_->view.controls.hcr_el2 = hcr_;
    ++pmsa_->epoch;
    pmsa_->view.note_change();
  }
  tags_stale_ = true;
  if ((before ^ hcr_) & (pstate::kHcrE2h | pstate::kHcrTge)) context_stale_ = true;
  interrupt_check_ = true;
  attention_ = 0;
}

/// The engine does not know TPMCR. It is told to trap all of the PMU, so that the model is asked and
/// lets the rest pass.
void UnicornCpu::write_mdcr(std::uint64_t value) {
  constexpr unsigned kTpmcr = 5, kTpm = 6;
  write_system(reg::MDCR_EL2, value);
  mdcr_ = read_system(reg::MDCR_EL2);
  if (bit(mdcr_, kTpmcr)) write_system(reg::MDCR_EL2, mdcr_ | 1ull << kTpm);
}

std::uint32_t UnicornCpu::on_sys(SysReg reg, std::uint64_t value, VirtAddr pc) {
  if (el_ == El::el0 || (el_ == El::el1 && reg.op1() == 4)) return kPassOn;
  if (reg.crn() == 8) {
    if (el_ == El::el1 && config_.has_el2 && bit(hcr_, 25)) return kPassOn;  // HCR_EL2.TTLB
    tlbi(reg, value);
    return kPassOn;
  }
  // Other code may be here now than when it was hooked; and skipping an instruction that the engine
  // does not know would make it run in circles.
  if (!is_address_translation(reg, model_.pan)) return kPassOn;
  address_translate(reg, value, pc);
  return kDone;
}

/// DDI 0487 C5.5. Entries of both stages are held combined, so an invalidation by IPA takes all
/// entries of the VMID.
void UnicornCpu::tlbi(SysReg reg, std::uint64_t value) {
  const bool host = e2h() && tge();
  const bool el1_form = reg.op1() == 0;
  const auto va = static_cast<VirtAddr>(static_cast<std::int64_t>(value << 20) >> 8);
  const auto asid = static_cast<std::uint16_t>(value >> 48);
  const std::uint16_t vmid = config_.has_el2 ? vmid_of(controls_el1_) : 0;
  const Regime stage1 = el1_form ? (host && el_ == El::el2 ? Regime::el2_0 : Regime::el1_0)
                                 : (e2h() ? Regime::el2_0 : Regime::el2);
  const std::uint16_t tag_vmid = stage1 == Regime::el1_0 ? vmid : 0;
  const bool by_ipa = !el1_form && (reg.crm() == 0 || reg.crm() == 4);
  const bool by_range = reg.crm() == 2 || reg.crm() == 5 || reg.crm() == 6;

  const auto apply = [&](SoftTlb& tlb) {
    if (by_ipa) return tlb.invalidate_vmid(Regime::el1_0, vmid), true;
    if (by_range) return tlb.invalidate_regime(stage1), true;
    if (el1_form) {
      switch (reg.op2()) {
        case 0:
          return tlb.invalidate_vmid(stage1, tag_vmid), true;
        case 2:
          return tlb.invalidate_asid(stage1, tag_vmid, asid), true;
        case 1:
        case 5:
          return tlb.invalidate_va(stage1, tag_vmid, asid, va);
        default:  // VAAE1, VAALE1: every ASID
          return tlb.invalidate_va(stage1, tag_vmid, TlbTag::kGlobal, va);
      }
    }
    switch (reg.op2()) {
      case 0:
        return tlb.invalidate_regime(stage1), true;
      case 4:
        return tlb.invalidate_regime(Regime::el1_0), true;
      case 6:
        return tlb.invalidate_vmid(Regime::el1_0, vmid), true;
      default:
        return tlb.invalidate_va(stage1, 0, e2h() ? asid : TlbTag::kGlobal, va);
    }
  };

  // The engine executes the same TLBI, on its own TLB alone and for one page of its own size.
  const bool wide = apply(tlb_);
  const bool engine_suffices = engine_page_4k_ && !by_range;
  if (wide || !engine_suffices) flush_engine_tlb();
  clear_code_map();
  const bool local = reg.crm() == 7 || (by_ipa && reg.crm() == 4 && (reg.op2() & 3) == 1);
  const bool forced = el_ == El::el1 && config_.has_el2 && bit(hcr_, 9);  // HCR_EL2.FB
  if (local && !forced) return;
  complex_.for_others(*this, [&](UnicornCpu& other) {
    apply(other.tlb_);
    other.flush_engine_tlb();
    other.clear_code_map();
  });
}

/// AT S1E0/1/2*, S12E0/1* (DDI 0487 C5.4).
void UnicornCpu::address_translate(SysReg reg, VirtAddr va, VirtAddr pc) {
  refresh_context();
  const bool host = e2h() && tge() && el_ == El::el2;
  const bool both_stages = reg.op1() == 4 && reg.op2() >= 4;
  Regime regime = host ? Regime::el2_0 : Regime::el1_0;
  if (reg.op1() == 4 && !both_stages) regime = e2h() ? Regime::el2_0 : Regime::el2;
  if (both_stages) regime = Regime::el1_0;
  const bool unprivileged = reg.op1() == 4 ? reg.op2() >= 6 : reg.crm() == 8 && reg.op2() >= 2;
  const TranslationRequest request{.va = va,
                                   .kind = reg.op2() & 1 ? AccessKind::write : AccessKind::read,
                                   .privileged = !unprivileged,
                                   .pan = reg.crm() == 9 && (pstate() & pstate::kPan) != 0,
                                   .stage1_only = !both_stages && regime == Regime::el1_0,
                                   .is_at = true};
  std::optional<Fault> fault;
  std::uint64_t par;
  if (pmsa_) {
    par = address_translate_mpu(request, regime, fault);
  } else {
    const TranslationControls& controls =
        regime == Regime::el1_0 ? controls_el1_ : controls_el2_;
    const TranslationResult result = translate(regime, request, controls, *this);
    if (const Fault* found = std::get_if<Fault>(&result)) fault = *found;
    par = par_el1(result, va, false);
  }
  const bool stage2_walk = fault && fault->stage2 && fault->s1ptw && el_ == El::el1;
  if (fault && (fault->kind == FaultKind::external_on_walk || stage2_walk)) {
    // The engine ends the block here, so it stops exactly.
    pending_ = {.kind = Pending::Kind::at_fault, .va = va, .fault = *fault};
    emulated_pc_ = pc;
    uc_emu_stop(engine_);
    return;
  }
  write_reg(UC_ARM64_REG_PAR_EL1, par);
}

/// DDI 0487 D8, "Synchronous faults generated by address translation instructions".
void UnicornCpu::take_at_fault(const Pending& pending) {
  settle(emulated_pc_);
  const Fault& fault = pending.fault;
  const bool to_el2 = fault.stage2 || (el_ != El::el2 && config_.has_el2 && bit(hcr_, 37));  // TEA
  const El target = to_el2 ? El::el2 : el_;
  ExceptionSpec spec{.target = target,
                     .esr = esr::data_abort({.same_el = target == el_,
                                             .status = fault.fsc(),
                                             .write = true,
                                             .stage1_walk = fault.s1ptw,
                                             .cache_maintenance = true,
                                             .access = {}}),
                     .return_address = emulated_pc_,
                     .far = pending.va};
  if (fault.stage2) spec.hpfar = (fault.ipa >> 8) & 0xffffffffff0ull;
  take(spec);
}

void UnicornCpu::install_hooks(VirtAddr page, PhysAddr pa_page, const CodePage& code) {
  add_exits(page, code);
  if (code.intercepts.empty()) return;
  const auto* words = reinterpret_cast<const std::uint32_t*>(bus_.ram_at(pa_page)->host(pa_page));
  for (const std::uint16_t index : code.intercepts) {
    const VirtAddr va = page + 4u * index;
    const std::uint32_t word = words[index];
    if (needs_replacement(word) || may_unalign_sp(word) || (pmsa_ && is_max_only(word)) ||
        marker_of(word)) {
      if (!replaced_hooked_.insert(va).second) continue;
      hooks_.push_back({this, va, 0, false});
      uc_hook_add(engine_, &hooks_.back().handle, UC_HOOK_CODE,
                  reinterpret_cast<void*>(&replaced_callback), &hooks_.back(), va, va);
      continue;
    }
    const bool is_read = word & (1u << 21);
    const bool is_sys = ((word >> 19) & 3) == 1;
    const int kind = is_sys ? UC_ARM64_INS_SYS : is_read ? UC_ARM64_INS_MRS : UC_ARM64_INS_MSR;
    // One hook an address and form; code that changes between forms gets one of each.
    if (!hooked_.insert(va | (is_sys ? 2u : is_read ? 1u : 0u)).second) {
      continue;
    }
    hooks_.push_back({this, va, 0, is_read});
    HookPoint& point = hooks_.back();
    uc_hook_add(engine_, &point.handle, UC_HOOK_INSN, reinterpret_cast<void*>(&sysreg_callback),
                &point, va, va, kind);
  }
}

/// Before an instruction that the engine executes wrongly, or that writes SP: it is executed here
/// instead.
void UnicornCpu::replaced_callback(uc_engine*, std::uint64_t pc, std::uint32_t, void* hook) {
  UnicornCpu& cpu = *static_cast<const HookPoint*>(hook)->cpu;
  if (cpu.fetch_denied(pc)) return;
  const std::optional<std::uint32_t> word = cpu.word_at(pc);
  if (!word) return;
  if (may_unalign_sp(*word)) return cpu.write_sp(pc, *word);
  if (cpu.pmsa_ && is_max_only(*word)) return cpu.undefined(pc, *word);
  if (const auto marker = marker_of(*word)) return cpu.observe_marker(pc, *marker);
  const bool has_atomics = bits(cpu.model_.id(reg::ID_AA64ISAR0_EL1), 23, 20) != 0;
  if (!needs_replacement(*word) || !has_atomics) return;
  const auto decoded = decode_load_store(*word);
  cpu.settle(pc);
  if (load_store_address(*decoded, cpu) % decoded->alignment() != 0) return cpu.alignment_fault(pc);
  cpu.emulate_access(pc, *word);
}

/// Address-space randomisation gives ever new addresses to the same few instructions. From time to
/// time all hooks go, and with them every translation, and come back as pages are executed.
void UnicornCpu::collect_hooks() {
  for (const HookPoint& point : hooks_) uc_hook_del(engine_, point.handle);
  clear_exits();
  uc_ctl_flush_tb(engine_);
  flush_engine_tlb();
  clear_code_map();
  hooks_.clear();
  hooked_.clear();
  fp_hooked_.clear();
  alignment_hooked_.clear();
  replaced_hooked_.clear();
  exclusive_hooked_.clear();
  if (pmsa_) pmsa_->hooked_granules.clear();
}

/// The engine does not know the register or refused the access: a model may know better.
bool UnicornCpu::emulate_sysreg(VirtAddr pc, std::uint32_t word) {
  const std::optional<SysRegAccess> access = sysreg_from_instruction(word);
  if (emulate_guest_alias(pc, word, *access)) return true;
  SysRegPort* port = port_for(access->reg);
  if (!port) return false;
  SysRegStatus status;
  if (access->is_read) {
    std::uint64_t value = 0;
    status = port->read(access->reg, sysreg_context(), value);
    if (status == SysRegStatus::ok) put_x(access->rt, value);
    if (watcher_) watcher_->on_register_read(value);
  } else {
    status = port->write(access->reg, sysreg_context(), get_x(access->rt));
    if (status == SysRegStatus::ok) observe_write(access->reg, get_x(access->rt));
    if (pmsa_) registers_written();
  }
  if (status != SysRegStatus::ok) {
    sysreg_exception(status, pc, word);
    return true;
  }
  retire(pc, word);
  write_reg(UC_ARM64_REG_PC, pc + 4);
  interrupt_check_ = true;
  if (!sample(pc + 4) && pause_) pause(*pause_, pc + 4);
  return true;
}

void UnicornCpu::sysreg_exception(SysRegStatus status, VirtAddr pc, std::uint32_t word) {
  switch (status) {
    case SysRegStatus::trap_el1:
      return take_synchronous(undefined_target(), esr::sysreg_trap(word), pc);
    case SysRegStatus::trap_el2:
      return take_synchronous(El::el2, esr::sysreg_trap(word), pc);
    default:
      return undefined(pc, word);
  }
}

void UnicornCpu::sysreg_fault(VirtAddr pc, std::uint32_t word) {
  const std::optional<SysRegAccess> access = sysreg_from_instruction(word);
  if (fp_trap(word, pc)) return;
  const SysRegStatus status = access_rules(access->reg, access->is_read);
  if (status == SysRegStatus::undefined && el_ != El::el0 && reported_.insert(word >> 5).second) {
    spdlog::warn("{} {} at PC {:#x}, EL{}: not implemented, UNDEFINED for the guest",
                 access->is_read ? "MRS" : "MSR", name_of(access->reg), pc,
                 static_cast<unsigned>(el_));
  }
  sysreg_exception(status, pc, word);
}

/// Where an access that the engine refused goes, by the controls that trap it.
SysRegStatus UnicornCpu::access_rules(SysReg reg, bool is_read) const {
  const std::uint64_t hcr = config_.has_el2 ? hcr_ : 0;
  const auto to_el2_if = [&](bool trapped) {
    return trapped && el_ != El::el2 ? SysRegStatus::trap_el2 : SysRegStatus::undefined;
  };
  const bool cache_op = reg.op0() == 1 && reg.crn() == 7;
  const bool zva = cache_op && reg.op1() == 3 && reg.crm() == 4 && reg.op2() == 1;
  if (el_ == El::el0) {
    const std::uint64_t sctlr = e2h() && tge() ? controls_el2_.sctlr : controls_el1_.sctlr;
    const auto el1_unless = [&](unsigned enable, bool el2_trap) {
      return !bit(sctlr, enable) ? SysRegStatus::trap_el1 : to_el2_if(el2_trap);
    };
    if (zva) return el1_unless(14, bit(hcr, 28));
    if (cache_op && reg.op1() == 3) return el1_unless(26, bit(hcr, 23) || bit(hcr, 24));
    if (reg == reg::CTR_EL0) return el1_unless(15, bit(hcr, 17));
    if (reg == reg::DAIF) return SysRegStatus::trap_el1;
    return SysRegStatus::undefined;
  }
  if (el_ == El::el2) return SysRegStatus::undefined;
  if (is_virtual_memory_control(reg)) return to_el2_if(bit(hcr, is_read ? 30 : 26));
  if (is_id_space(reg)) return to_el2_if(bit(hcr, 18));
  if (reg == reg::CTR_EL0 || reg == reg::CCSIDR_EL1 || reg == reg::CLIDR_EL1 ||
      reg == reg::CSSELR_EL1) {
    return to_el2_if(bit(hcr, 17));
  }
  if (reg == reg::AIDR_EL1 || reg == reg::REVIDR_EL1) return to_el2_if(bit(hcr, 16));
  if (reg == reg::ACTLR_EL1) return to_el2_if(bit(hcr, 21));
  if (reg == reg::CPACR_EL1) return to_el2_if(bit(read_system(reg::CPTR_EL2), 31));
  if (is_implementation_defined(reg)) return to_el2_if(bit(hcr, 20));
  if (zva) return to_el2_if(bit(hcr, 28));  // HCR_EL2.TDZ
  if (cache_op) return to_el2_if(bit(hcr, 22) || bit(hcr, 23) || bit(hcr, 24));
  if (reg.op0() == 1 && reg.crn() == 8 && reg.op1() == 0) return to_el2_if(bit(hcr, 25));
  if (reg.op0() == 3 && reg.op1() == 0 && reg.crn() == 2 && reg.crm() <= 3 && reg.crm() >= 1) {
    return to_el2_if(model_.pauth && !bit(hcr, 40));  // PAuth keys, HCR_EL2.APK
  }
  if (reg.op0() == 3 && reg.op1() == 0 && reg.crn() == 10 && reg.crm() == 4) {
    return to_el2_if(bit(hcr, 35));  // LORegions
  }
  if (reg.op0() == 2) return to_el2_if((mdcr_ & 0xf00) != 0);  // Debug: TDE, TDA, TDOSA, TDRA
  return SysRegStatus::undefined;
}

std::uint64_t UnicornCpu::midr() const {
  return model_.midr != 0 ? model_.midr : read_system(reg::MIDR_EL1);
}

std::uint64_t UnicornCpu::id_register(SysReg reg) const {
  std::uint64_t value = model_.id(reg);
  if (reg == reg::ID_AA64PFR0_EL1) {
    if (!config_.has_el2) value &= ~0xf00ull;
    if (config_.gic >= 3) value |= 1ull << 24;
  }
  if (pmsa_ && !config_.has_el2 && reg == reg::ID_AA64PFR0_EL1) value &= ~(0xfull << 36);  // SEL2
  if (pmsa_ && reg == reg::ID_AA64MMFR0_EL1 && !(config_.has_el2 && config_.vmsa_at_el1)) {
    value = (value & ~(0xfull << 52)) | 1ull << 52;  // MSA_frac
  }
  return value;
}

}  // namespace trapline
