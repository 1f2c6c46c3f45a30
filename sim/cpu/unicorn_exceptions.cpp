// Exceptions: which there are, where they go, and how they are entered (DDI 0487 D1.3).
#include "sim/arch/esr.h"
#include "sim/arch/pstate.h"
#include "sim/arch/registers.h"
#include "sim/arch/xen_calls.h"
#include "sim/cpu/unicorn_cpu.h"

namespace trapline {
namespace {

/// The engine's exception numbers, as UC_HOOK_INTR reports them.
enum EngineException : std::uint32_t {
  kUndefined = 1,  ///< UNDEFINED, and most traps. PC is the instruction.
  kSvc = 2,        ///< PC is the next instruction, as for kHvc and kSmc.
  kPrefetchAbort = 3,
  kDataAbort = 4,
  kBreakpoint = 7,
  kHvc = 11,
  kHypTrap = 12,  ///< SMC trapped by HCR_EL2.TSC. PC is the instruction.
  kSmc = 13,
};

constexpr std::uint32_t kWfi = 0xd503207f;
constexpr std::uint32_t kHltSemihosting = 0xd45e0000;  // HLT #0xF000
constexpr unsigned kRepeatsThatMeanStuck = 1000;

using esr::immediate_of;

int sp_id(El el) { return UC_ARM64_REG_SP_EL0 + static_cast<int>(el); }

/// PAC*, AUT*, XPAC*, and branches and loads with authentication.
bool is_pointer_authentication(std::uint32_t word) {
  return (word & 0xfffff9ff) == 0xd503211f || (word & 0xfffffd1f) == 0xd503211f ||
         (word & 0xffffff1f) == 0xd503231f || (word & 0xffff8000) == 0xdac10000 ||
         (word & 0xffe0fc00) == 0x9ac03000 || (word & 0xfe9ff000) == 0xd61f0000 ||
         (word & 0xff200400) == 0xf8200400;
}

}  // namespace

void UnicornCpu::interrupt_callback(uc_engine*, std::uint32_t index, void* self) {
  static_cast<UnicornCpu*>(self)->on_exception(index);
}

void UnicornCpu::on_exception(std::uint32_t index) {
  const VirtAddr at = pc();
  if (index == kUndefined && trapped_at_exit(at)) return on_exit_point(at + 4);
  settle(at);
  switch (index) {
    case kSvc:
      return on_svc(at);
    case kHvc:
      return on_hvc(at);
    case kSmc:
      return on_smc(at);
    case kHypTrap:
      return take_synchronous(El::el2, esr::smc(immediate_of(word_at(at).value_or(0))), at);
    case kBreakpoint: {
      const bool to_el2 =
          el_ != El::el2 && config_.has_el2 && (tge() || bit(read_system(reg::MDCR_EL2), 8));
      const El target = to_el2 ? El::el2 : el_ == El::el0 ? El::el1 : el_;
      return take_synchronous(target, esr::brk(immediate_of(word_at(at).value_or(0))), at);
    }
    case kDataAbort:
      return alignment_fault(at);
    case kUndefined:
      return on_undefined(at);
    default:
      undefined(at, word_at(at).value_or(0));
  }
}

/// The engine itself checks the alignment of exclusive and atomic accesses only.
void UnicornCpu::alignment_fault(VirtAddr pc) {
  const std::uint32_t word = word_at(pc).value_or(0);
  const auto decoded = decode_load_store(word);
  const VirtAddr va = decoded ? load_store_address(*decoded, *this) : pc;
  // WnR is 0 for an atomic access, as a read of the location faults as well.
  const bool write = decoded && decoded->writes() && !decoded->reads();
  data_fault(Fault{.kind = FaultKind::alignment}, va, write ? AccessKind::write : AccessKind::read,
             pc, word);
}

El UnicornCpu::undefined_target() const {
  if (el_ == El::el0) return tge() ? El::el2 : El::el1;
  return el_;
}

void UnicornCpu::on_svc(VirtAddr next_pc) {
  const std::uint16_t immediate = immediate_of(word_at(next_pc - 4).value_or(0));
  take_synchronous(undefined_target(), esr::svc(immediate), next_pc);
}

void UnicornCpu::on_hvc(VirtAddr next_pc) {
  const std::uint32_t word = word_at(next_pc - 4).value_or(0);
  const std::uint16_t immediate = immediate_of(word);
  if (!config_.has_el2 || config_.layer_at_el2) {
    const bool answered = config_.layer_at_el2 || !model_.pmsa;
    if (!answered || !firmware_call(Conduit::hvc, immediate)) undefined(next_pc - 4, word);
    return;
  }
  if (bit(hcr_, 29)) return undefined(next_pc - 4, word);  // HCR_EL2.HCD
  emit(EventKind::hypercall, immediate, x(0), x(1), x(2));
  if (immediate == xen::kHypercallTag) observe(EventKind::xen_call, x(16), x(0), x(1), x(2));
  observe_call(next_pc);
  take_synchronous(El::el2, esr::hvc(immediate), next_pc);
}

void UnicornCpu::on_smc(VirtAddr next_pc) {
  const std::uint32_t word = word_at(next_pc - 4).value_or(0);
  if (model_.pmsa || !firmware_call(Conduit::smc, immediate_of(word))) {
    undefined(next_pc - 4, word);
  }
}

bool UnicornCpu::firmware_call(Conduit conduit, std::uint16_t immediate) {
  if (!traps_) return false;
  std::array<std::uint64_t, 18> registers;
  for (unsigned n = 0; n < registers.size(); ++n) registers[n] = x(n);
  emit(conduit == Conduit::hvc ? EventKind::hypercall : EventKind::monitor_call, immediate,
       registers[0], registers[1], registers[2]);
  if (conduit == Conduit::hvc && immediate == xen::kHypercallTag) {
    observe(EventKind::xen_call, registers[16], registers[0], registers[1], registers[2]);
  }
  const std::array<std::uint64_t, 18> before = registers;
  const CallResult result = traps_->call(conduit, immediate, config_.index, registers);
  if (result == CallResult::refused) return false;
  for (unsigned n = 0; n < registers.size(); ++n) {
    if (registers[n] != before[n]) set_x(n, registers[n]);
  }
  observe(EventKind::call_result, registers[0], registers[1], registers[2], registers[3]);
  if (result == CallResult::wait && wait_for_interrupt()) {
    pause_ = PauseReason::wait_for_interrupt;
  }
  if (result == CallResult::yield && sharers_ != 1) pause_ = PauseReason::yielded;
  if (result == CallResult::again) call_again();
  if (pause_) pause(*pause_, pc());
  return true;
}

/// The call that was made is made again, unless an interrupt comes before.
void UnicornCpu::call_again() {
  write_reg(UC_ARM64_REG_PC, pc() - 4);
  forget_block();
  interrupt_check_ = true;
  attention_ = 0;
}

void UnicornCpu::unmask_interrupts() {
  write_reg(UC_ARM64_REG_PSTATE, pstate() & ~pstate::kI);
  write_system(reg::SPSR_EL1, read_system(reg::SPSR_EL1));  // The engine looks at PSTATE again.
  interrupt_check_ = true;
  attention_ = 0;
}

bool UnicornCpu::semihosting(VirtAddr pc, std::uint32_t word) {
  if (word != kHltSemihosting || !traps_) return false;
  std::uint64_t x0 = x(0);
  if (!traps_->semihosting(config_.index, x0, x(1))) return false;
  set_x(0, x0);
  complete_here(pc, word);
  return true;
}

/// UNDEFINED for the engine: a register that lives in a model, a trap, or really UNDEFINED.
void UnicornCpu::on_undefined(VirtAddr pc) {
  const std::uint32_t state = pstate();
  if (state & pstate::kIl) {
    return take_synchronous(undefined_target(), esr::illegal_state(), pc);
  }
  const std::optional<std::uint32_t> fetched = word_at(pc);
  if (!fetched) return take_synchronous(undefined_target(), esr::unknown(), pc);
  const std::uint32_t word = *fetched;
  if (sysreg_from_instruction(word)) {
    if (!emulate_sysreg(pc, word)) sysreg_fault(pc, word);
    return;
  }
  // MSR DAIFSet and DAIFClr at EL0 without SCTLR_EL1.UMA.
  if (el_ == El::el0 && (word & 0xfffff0df) == 0xd50340df) {
    return take_synchronous(undefined_target(), esr::sysreg_trap(word), pc);
  }
  if (word == kWfi) {
    // It traps only where it would wait (DDI 0487 D1.6.2).
    if (interrupt_waiting()) return complete_here(pc, word);
    if (const auto target = wfi_trap_target()) {
      return take_synchronous(*target, esr::wfx(word), pc);
    }
    // The engine looks at SCTLR_EL1.nTWI also where SCTLR_EL2 governs.
    retire(pc, word);
    write_reg(UC_ARM64_REG_PC, pc + 4);
    if (wait_for_interrupt()) pause(PauseReason::wait_for_interrupt, pc + 4);
    return;
  }
  if (semihosting(pc, word) || fp_trap(word, pc) || pauth_trap(word, pc)) return;
  if (!(state & pstate::kSs) && software_step_active()) {
    // PSTATE.SS is consumed: a Software Step exception is due.
    const bool to_el2 = config_.has_el2 && (tge() || bit(read_system(reg::MDCR_EL2), 8));
    const El target = to_el2 ? El::el2 : el_ == El::el2 ? El::el2 : El::el1;
    return take_synchronous(target, esr::software_step(target == el_, false, false), pc);
  }
  undefined(pc, word);
}

/// MDSCR_EL1.SS where debug exceptions are enabled (DDI 0487 D2.5, D2.12).
bool UnicornCpu::software_step_active() const {
  constexpr unsigned kSs = 0, kKde = 13, kTde = 8;
  const std::uint64_t mdscr = read_system(reg::MDSCR_EL1);
  if (!bit(mdscr, kSs)) return false;
  const bool to_el2 = config_.has_el2 && (tge() || bit(read_system(reg::MDCR_EL2), kTde));
  const El debug = to_el2 ? El::el2 : El::el1;
  if (el_ == debug) return bit(mdscr, kKde) && !(pstate() & pstate::kD);
  return debug > el_;
}

void UnicornCpu::undefined(VirtAddr pc, std::uint32_t) {
  settle(pc);
  take_synchronous(undefined_target(), esr::unknown(), pc);
}

std::optional<El> UnicornCpu::wfi_trap_target() const {
  constexpr unsigned kNtwi = 16, kTwi = 13;
  if (el_ == El::el0) {
    if (tge() && e2h()) {
      if (!bit(controls_el2_.sctlr, kNtwi)) return El::el2;
    } else if (!bit(controls_el1_.sctlr, kNtwi)) {
      return tge() ? El::el2 : El::el1;
    }
  }
  if (config_.has_el2 && el_ != El::el2 && bit(hcr_, kTwi)) return El::el2;
  return std::nullopt;
}

/// CPACR_EL1.FPEN and CPTR_EL2 (DDI 0487 D1.3.6 "Traps to floating-point").
bool UnicornCpu::fp_trap(std::uint32_t word, VirtAddr pc) {
  if (!uses_fp(word)) return false;
  const bool host = e2h() && tge();
  if (el_ != El::el2 && !host) {
    const auto fpen = bits(read_system(reg::CPACR_EL1), 21, 20);
    if (fpen == 0 || fpen == 2 || (fpen == 1 && el_ == El::el0)) {
      const El target = tge() ? El::el2 : El::el1;
      take_synchronous(target, tge() ? esr::unknown() : esr::fp_access_trap(), pc);
      return true;
    }
  }
  if (!config_.has_el2) return false;
  bool trapped = bit(read_system(reg::CPTR_EL2), 10);
  if (e2h()) {
    const auto fpen = bits(cptr_, 21, 20);
    trapped = fpen == 0 || fpen == 2 || (fpen == 1 && el_ == El::el0 && tge());
  }
  if (trapped) take_synchronous(El::el2, esr::fp_access_trap(), pc);
  return trapped;
}

bool UnicornCpu::pauth_trap(std::uint32_t word, VirtAddr pc) {
  if (!model_.pauth || !config_.has_el2 || el_ == El::el2 || bit(hcr_, 41)) return false;
  if (!is_pointer_authentication(word)) return false;
  take_synchronous(El::el2, esr::pointer_authentication_trap(), pc);
  return true;
}

void UnicornCpu::take_synchronous(El target, std::uint64_t esr, VirtAddr return_address,
                                  std::optional<std::uint64_t> far) {
  take({.target = target, .esr = esr, .return_address = return_address, .far = far});
}

/// Where the software at EL2 is no guest's. It ends with this CPU off.
void UnicornCpu::trap_to_layer(const ExceptionSpec& spec) {
  note_exception(spec, pstate());
  traps_->trapped(config_.index, {.esr = spec.esr,
                                  .pc = spec.return_address,
                                  .far = spec.far.value_or(0),
                                  .ipa = (spec.hpfar.value_or(0) >> 4 & 0xff'ffff'ffff) << 12});
  if (!pause_) {
    stuck_reason_ = "an exception to EL2 that the hypervisor layer has no answer to";
    pause_ = PauseReason::stuck;
  }
  pause(*pause_, spec.return_address);
}

void UnicornCpu::take(const ExceptionSpec& spec) {
  if (spec.target == El::el2 && config_.layer_at_el2) return trap_to_layer(spec);
  const std::uint32_t spsr = pstate();
  const auto target = static_cast<int>(spec.target);
  const std::uint64_t sctlr =
      spec.target == El::el2 ? controls_el2_.sctlr : controls_el1_.sctlr;
  const std::uint64_t state =
      pstate::on_exception_entry(spsr, spec.target, sctlr, config_.has_el2 ? hcr_ : 0,
                                 {.pan = model_.pan, .uao = model_.uao});

  write_reg(spsr & 1 ? sp_id(el_) : UC_ARM64_REG_SP_EL0, read_reg(UC_ARM64_REG_SP));
  write_reg(UC_ARM64_REG_ELR_EL0 + target, spec.return_address);
  const bool has_syndrome = spec.vector == ExceptionSpec::Vector::synchronous ||
                            spec.vector == ExceptionSpec::Vector::serror;
  if (has_syndrome) write_reg(UC_ARM64_REG_ESR_EL0 + target, spec.esr);
  if (spec.far) write_reg(UC_ARM64_REG_FAR_EL0 + target, *spec.far);
  if (spec.hpfar) write_system(reg::HPFAR_EL2, *spec.hpfar);

  const bool from_lower = el_ < spec.target;
  const std::uint64_t offset = (from_lower ? 0x400u : spsr & 1 ? 0x200u : 0u) +
                               static_cast<std::uint64_t>(spec.vector);
  note_exception(spec, spsr);
  write_reg(UC_ARM64_REG_PSTATE, state);
  write_reg(UC_ARM64_REG_SP, read_reg(sp_id(spec.target)));
  aarch32_spsr_[target - 1].reset();
  // Last of all: writing a system register makes the engine look at PSTATE again.
  write_system(spec.target == El::el2 ? reg::SPSR_EL2 : reg::SPSR_EL1, spsr);
  el_ = spec.target;
  if (pmsa_) ++pmsa_->epoch;
  forget_block();
  refresh_context();
  note_sp();
  attention_ = 0;  // What traps at the new Exception level may differ.
  const VirtAddr vector =
      (read_reg(UC_ARM64_REG_VBAR_EL0 + target) & ~0x7ffull) + offset;
  write_reg(UC_ARM64_REG_PC, vector);
  check_stuck(spec);
}

void UnicornCpu::note_exception(const ExceptionSpec& spec, std::uint32_t) {
  const auto target = static_cast<unsigned>(spec.target);
  const bool interrupt = spec.vector != ExceptionSpec::Vector::synchronous;
  if (interrupt) {
    const unsigned kind = static_cast<unsigned>(spec.vector) / 0x80 - 1;
    ++counters_.interrupts[target][spec.is_virtual ? 3 : kind];
  } else {
    ++counters_.exceptions[target][bits(spec.esr, 31, 26)];
  }
  ExceptionNote* last = note_count_ ? &notes_[(note_count_ - 1) % notes_.size()] : nullptr;
  if (last && last->from == el_ && spec.repeats(last->spec)) {
    ++last->times;
  } else {
    notes_[note_count_++ % notes_.size()] = {spec, el_, instructions_};
  }
  deliver_watched(instructions_ - instruction_adjust_);
  emit(EventKind::exception_entry, std::uint64_t{target} << 8 | static_cast<unsigned>(el_),
       interrupt ? static_cast<std::uint64_t>(spec.vector) | (spec.is_virtual ? 1u : 0u) : spec.esr,
       spec.return_address, spec.far.value_or(0));
}

/// An exception that repeats itself without an end cannot be left by any software.
void UnicornCpu::check_stuck(const ExceptionSpec& spec) {
  if (spec.vector != ExceptionSpec::Vector::synchronous) return;
  const ExceptionNote& note = notes_[(note_count_ - 1) % notes_.size()];
  const bool same = note.from == spec.target && note.times > 1;
  vector_faults_ = same ? vector_faults_ + 1 : 0;
  if (vector_faults_ < kRepeatsThatMeanStuck) return;
  char text[160];
  std::snprintf(text, sizeof text,
                "the exception taken to EL%u at PC 0x%llx (%s) repeats for ever",
                static_cast<unsigned>(spec.target),
                static_cast<unsigned long long>(spec.return_address),
                esr::describe(spec.esr).c_str());
  stuck_reason_ = text;
  pause(PauseReason::stuck, pc());
}

/// Takes the interrupt of highest priority that is not masked (DDI 0487 D1.3.1.1). `pc` is the next
/// instruction. True if one was taken.
bool UnicornCpu::take_interrupt(VirtAddr pc) {
  if (!interrupt_waiting()) {
    interrupt_check_ = false;
    return false;
  }
  const std::uint32_t state = pstate();
  const auto deliverable = [&](unsigned route_bit, std::uint32_t mask, El& target) {
    const bool to_el2 = config_.has_el2 && (tge() || bit(hcr_, route_bit));
    target = to_el2 ? El::el2 : El::el1;
    if (el_ > target) return false;
    return (to_el2 && el_ != El::el2) || !(state & mask);
  };
  ExceptionSpec spec{.return_address = pc};
  if (lines_.fiq.level() && deliverable(3, pstate::kF, spec.target)) {
    spec.vector = ExceptionSpec::Vector::fiq;
  } else if (lines_.irq.level() && deliverable(4, pstate::kI, spec.target)) {
    spec.vector = ExceptionSpec::Vector::irq;
  } else if (config_.has_el2 && el_ != El::el2 && !tge()) {
    spec.target = El::el1;
    spec.is_virtual = true;
    if (bit(hcr_, 8) && bit(hcr_, 5) && !(state & pstate::kA)) {
      spec.vector = ExceptionSpec::Vector::serror;
      spec.esr = esr::serror(0);
      write_hcr(hcr_ & ~(1ull << 8));
    } else if ((lines_.vfiq.level() || bit(hcr_, 6)) && bit(hcr_, 3) && !(state & pstate::kF)) {
      spec.vector = ExceptionSpec::Vector::fiq;
    } else if ((lines_.virq.level() || bit(hcr_, 7)) && bit(hcr_, 4) && !(state & pstate::kI)) {
      spec.vector = ExceptionSpec::Vector::irq;
    } else {
      return false;
    }
  } else {
    return false;
  }
  take(spec);
  return true;
}

}  // namespace trapline
