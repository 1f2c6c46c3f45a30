#include "sim/cpu/unicorn_complex.h"

#include <algorithm>
#include <cstdio>

#include "sim/arch/esr.h"
#include "sim/arch/pstate.h"
#include "sim/arch/registers.h"
#include "sim/replay/device_facts.h"
#include "sim/replay/mpu_answers.h"
#include "sim/replay/recorder.h"

namespace trapline {
namespace {

using Wide = unsigned __int128;

void check(uc_err error, const char* what) {
  if (error != UC_ERR_OK) {
    throw EngineError(std::string("the execution engine refused ") + what + ": " +
                      uc_strerror(error));
  }
}

/// SCR_EL3 as firmware leaves it for a Non-secure hypervisor: NS, HCE, RW, APK, API.
constexpr std::uint64_t kScrEl3 = 0x531 | 1u << 16 | 1u << 17;
/// Of host code that an engine keeps before it starts afresh. A boot of Xen and Linux takes less;
/// code that is rewritten all the time fills all there is, which Unicorn makes 1 GiB.
constexpr std::uint32_t kTranslationBytes = 128 << 20;
constexpr std::uint64_t kHcrRw = 1ull << 31;
constexpr std::uint64_t kHcrApkApi = 3ull << 40;

}  // namespace

UnicornCpu::UnicornCpu(UnicornComplex& complex, const CpuEnvironment& environment,
                       CodePages& pages, const CpuConfig& config)
    : complex_(complex),
      config_(config),
      model_(cpu_model(config.model)),
      bus_(environment.bus),
      timeline_(environment.timeline),
      events_(environment.events),
      timing_(environment.timing),
      traps_(environment.traps),
      host_poll_(environment.host_poll),
      mpu_recorder_(environment.mpu_recorder),
      watcher_(environment.instructions),
      blocks_(environment.blocks),
      samples_(environment.samples),
      guard_(environment.guard),
      pages_(pages),
      pmu_(*this) {
  if (watcher_) {
    watched_memory_ = pages_.watched();
    watches_contents_ = watcher_->wants_contents();
  }
  create_engine();
  map_memory();
  if (model_.pmsa) {
    pmsa_ = std::make_unique<Pmsa>(
        config_, mpu_recorder_ ? static_cast<Sink*>(mpu_recorder_) : &events_);
    ports_.push_back(&recorded(mpu_recorder_, config_.index, pmsa_->view.mpu()));
    ports_.push_back(&pmsa_->registers);
    map_images();
  }
  const auto changed = [this](bool) {
    interrupt_check_ = true;
    attention_ = 0;
  };
  lines_.irq.connect(changed);
  lines_.fiq.connect(changed);
  lines_.virq.connect(changed);
  lines_.vfiq.connect(changed);
  ports_.push_back(&pmu_);
}

UnicornCpu::~UnicornCpu() {
  if (reset_state_) uc_context_free(reset_state_);
  if (engine_) uc_close(engine_);
}

static bool unmapped_callback(uc_engine*, uc_mem_type, std::uint64_t, int, std::int64_t, void*) {
  return false;
}

void UnicornCpu::create_engine() {
  check(uc_open(UC_ARCH_ARM64, UC_MODE_ARM, &engine_), "to start");
  check(uc_ctl_set_cpu_model(engine_, model_.engine_model), "the CPU model");
  check(uc_ctl_set_tcg_buffer_size(engine_, kTranslationBytes), "a size for its translations");
  // Versions before 2.1.2 cannot change the page size of AArch64; they use 1 KiB.
  engine_page_4k_ = uc_ctl_set_page_size(engine_, 4096) == UC_ERR_OK;
  exact_pc_in_fill_ = uc_version(nullptr, nullptr) >= UC_MAKE_VERSION(2, 1) && engine_page_4k_;
  check(uc_ctl_tlb_mode(engine_, UC_TLB_VIRTUAL), "a virtual TLB");
  check(uc_ctl_exits_enable(engine_), "exit points");
  engine_event_counters_ = bits(read_system(reg::PMCR_EL0), 15, 11);

  uc_hook handle;
  const auto on_each_block = blocks_ || samples_ ? &observed_block_callback : &block_callback;
  check(uc_hook_add(engine_, &handle, UC_HOOK_BLOCK, reinterpret_cast<void*>(on_each_block), this,
                    1, 0),
        "a block hook");
  check(uc_hook_add(engine_, &handle, UC_HOOK_INTR, reinterpret_cast<void*>(&interrupt_callback),
                    this, 1, 0),
        "an exception hook");
  check(uc_hook_add(engine_, &handle, UC_HOOK_TLB_FILL, reinterpret_cast<void*>(&fill_callback),
                    this, 1, 0),
        "a TLB hook");
  // Never called, as no address up there is physical. While it exists the engine does not go through
  // its whole TLB for each block that it translates above 1 TiB, to notice stores to code: fill_ram()
  // does that. Unicorn 2.1.4: a twentieth of a boot.
  check(uc_hook_add(engine_, &handle, UC_HOOK_MEM_READ_UNMAPPED,
                    reinterpret_cast<void*>(&unmapped_callback), this, std::uint64_t{1} << 40,
                    ~std::uint64_t{0}),
        "a memory hook");
  check(uc_context_alloc(engine_, &reset_state_), "memory for its reset state");
  check(uc_context_save(engine_, reset_state_), "to save its reset state");
}

void UnicornCpu::map_memory() {
  for (const auto& ram : bus_.rams()) {
    const uint32_t protection = ram->read_only() ? UC_PROT_READ | UC_PROT_EXEC : UC_PROT_ALL;
    check(uc_mem_map_ptr(engine_, ram->base(), ram->size(), protection, ram->host(ram->base())),
          ("RAM " + ram->name()).c_str());
  }
}

void UnicornCpu::power_on(VirtAddr pc, El el, std::uint64_t x0) {
  if (!config_.has_el2 && el == El::el2) {
    throw std::invalid_argument("this CPU was configured without EL2");
  }
  check(uc_context_restore(engine_, reset_state_), "to be reset");
  pmu_.reset();
  write_system(reg::SCR_EL3, kScrEl3);
  hcr_ = config_.has_el2 && model_.pmsa ? kHcrRw : 0;
  cptr_ = 0;
  write_system(reg::HCR_EL2, config_.has_el2 ? hcr_ : kHcrRw | kHcrApkApi);
  // An access to a timer or counter that its model refuses must be refused by the engine as well,
  // whose own counter is the host's clock: its copies of the trap controls stay 0.
  write_system(reg::CNTHCTL_EL2, 0);
  write_system(reg::CNTKCTL_EL1, 0);
  write_system(reg::VPIDR_EL2, midr());
  write_system(reg::VMPIDR_EL2, config_.mpidr);
  for (unsigned n = 0; n < 31; ++n) set_x(n, 0);
  set_x(0, x0);
  write_reg(UC_ARM64_REG_PSTATE, pstate::reset_value(el));
  write_system(reg::SPSR_EL1, 0);  // Rebuilds the engine's cached flags after PSTATE.
  write_reg(UC_ARM64_REG_PC, pc);
  el_ = el;
  powered_ = true;
  sp_unaligned_ = false;
  mdcr_ = config_.has_el2 ? read_system(reg::MDCR_EL2) : 0;
  event_register_ = false;
  monitor_.bytes = 0;
  observed_vmid_ = 0;
  if (pmsa_) {
    if (mpu_recorder_) mpu_recorder_->reset(config_.index);
    pmsa_->view.reset();
    pmsa_->registers.reset();
  }
  context_stale_ = true;
  forget_block();
  interrupt_check_ = true;
  tlb_.invalidate_all();
  clear_code_map();
  flush_engine_tlb();
  emit(EventKind::cpu_power, config_.number(), 1, pc);
}

void UnicornCpu::power_off() {
  powered_ = false;
  if (running_) pause_ = PauseReason::powered_off;
  emit(EventKind::cpu_power, config_.number(), 0);
}

void UnicornCpu::request_stop() {
  stop_requested_ = true;
  attention_ = 0;
}

namespace {

int x_id(unsigned n) {
  return n < 29 ? UC_ARM64_REG_X0 + static_cast<int>(n)
                : UC_ARM64_REG_X29 + static_cast<int>(n - 29);
}

}  // namespace

std::uint64_t UnicornCpu::x(unsigned n) const { return read_reg(x_id(n)); }
void UnicornCpu::set_x(unsigned n, std::uint64_t value) { write_reg(x_id(n), value); }

Vector128 UnicornCpu::get_v(unsigned n) const {
  Vector128 value;
  uc_reg_read(engine_, UC_ARM64_REG_Q0 + static_cast<int>(n), &value);
  return value;
}

void UnicornCpu::put_v(unsigned n, const Vector128& value) {
  uc_reg_write(engine_, UC_ARM64_REG_Q0 + static_cast<int>(n), &value);
}

std::uint64_t UnicornCpu::read_system(SysReg reg) const {
  uc_arm64_cp_reg cp{};
  cp.op0 = reg.op0();
  cp.op1 = reg.op1();
  cp.crn = reg.crn();
  cp.crm = reg.crm();
  cp.op2 = reg.op2();
  return uc_reg_read(engine_, UC_ARM64_REG_CP_REG, &cp) == UC_ERR_OK ? cp.val : 0;
}

bool UnicornCpu::write_system(SysReg reg, std::uint64_t value) {
  uc_arm64_cp_reg cp{};
  cp.op0 = reg.op0();
  cp.op1 = reg.op1();
  cp.crn = reg.crn();
  cp.crm = reg.crm();
  cp.op2 = reg.op2();
  cp.val = value;
  return uc_reg_write(engine_, UC_ARM64_REG_CP_REG, &cp) == UC_ERR_OK;
}

void UnicornCpu::emit(EventKind kind, std::uint64_t a, std::uint64_t b, std::uint64_t c,
                      std::uint64_t d) {
  Event event;
  event.kind = kind;
  event.cpu = static_cast<std::uint8_t>(config_.number());
  event.a = a;
  event.b = b;
  event.c = c;
  event.d = d;
  events_.on_event(event);
}

/// Counts as they stand before the instruction at `pc` of the current block, for a hook: the block was
/// counted whole, and between here and its end nothing has run yet.
void UnicornCpu::set_adjustments(VirtAddr pc) {
  cycle_adjust_ = cost_from(pc);
  instruction_adjust_ = pc - block_pc_ < block_size_
                            ? static_cast<std::uint32_t>((block_pc_ + block_size_ - pc) >> 2)
                            : 0;
}

/// Of now: when the controls are read again depends on who watches.
std::uint16_t UnicornCpu::vmid() const {
  if (!config_.has_el2) return config_.vmid;
  if (!context_stale_) return vmid_of(controls_el1_);
  // VSCTLR_EL2 has the encoding that is TTBR0_EL2's elsewhere, and its VMID 16 bits.
  if (pmsa_) return static_cast<std::uint16_t>(read_system(reg::TTBR0_EL2) >> 48);
  TranslationControls now = controls_el1_;
  now.vtcr_el2 = read_system(reg::VTCR_EL2);
  now.vttbr_el2 = read_system(reg::VTTBR_EL2);
  return vmid_of(now);
}

void UnicornCpu::stamp(Event& event) const {
  event.el = el_;
  event.vmid = vmid();
  event.instructions = instructions_ - instruction_adjust_;
  event.cycles = current_cycles();
}

std::uint64_t UnicornCpu::current_cycles() const { return cycles_ - cycle_adjust_; }

Time UnicornCpu::current_time() const {
  const Wide elapsed = Wide{current_cycles() - base_cycles_} * kPicosecondsPerSecond;
  return base_time_ + static_cast<Time>(elapsed / (Wide{config_.hz} * sharers_));
}

std::uint64_t UnicornCpu::cycles_at(Time when) const {
  if (when == kNever) return ~0ull;
  if (when <= base_time_) return base_cycles_;
  const Wide scaled = Wide{when - base_time_} * config_.hz * sharers_;
  const Wide cycles = (scaled + kPicosecondsPerSecond - 1) / kPicosecondsPerSecond;
  return cycles > ~0ull - base_cycles_ ? ~0ull : base_cycles_ + static_cast<std::uint64_t>(cycles);
}

void UnicornCpu::deadline_changed(Time when) {
  event_cycles_ = cycles_at(when);
  attention_ = std::min(attention_, event_cycles_);
}

const CpuCounters& UnicornCpu::counters() const {
  counters_.instructions = instructions_;
  counters_.cycles = cycles_;
  return counters_;
}

std::uint64_t UnicornCpu::hash_state() {
  std::array<std::uint64_t, 31 + 64 + 24> state{};
  std::size_t at = 0;
  for (unsigned n = 0; n < 31; ++n) state[at++] = x(n);
  for (unsigned n = 0; n < 32; ++n) {
    const Vector128 v = get_v(n);
    state[at++] = v.low;
    state[at++] = v.high;
  }
  state[at++] = read_reg(UC_ARM64_REG_SP);
  state[at++] = pstate();
  for (int id : {UC_ARM64_REG_SP_EL0, UC_ARM64_REG_SP_EL1, UC_ARM64_REG_ELR_EL1,
                 UC_ARM64_REG_ELR_EL2, UC_ARM64_REG_ESR_EL1, UC_ARM64_REG_ESR_EL2,
                 UC_ARM64_REG_FAR_EL1, UC_ARM64_REG_FAR_EL2, UC_ARM64_REG_VBAR_EL1,
                 UC_ARM64_REG_VBAR_EL2, UC_ARM64_REG_TPIDR_EL0, UC_ARM64_REG_TPIDR_EL1,
                 UC_ARM64_REG_TTBR0_EL1, UC_ARM64_REG_TTBR1_EL1}) {
    state[at++] = read_reg(id);
  }
  state[at++] = hcr_;
  Digest digest;
  digest.add(state.data(), at * sizeof state[0]);
  return digest.low64();
}

void UnicornCpu::flush_engine_tlb() {
  uc_ctl_flush_tlb(engine_);
  if (!pmsa_) return;
  pmsa_->view.flushed();
  ++pmsa_->epoch;
}

void UnicornCpu::clear_code_map() { code_map_.fill(CodeMapEntry{}); }

void UnicornCpu::forget_code(PhysAddr page) {
  // The engine finds blocks by virtual address only, so the page is given one for the moment.
  // Translations are per engine page; the whole 4 KiB go, whatever that size is.
  constexpr VirtAddr kScratch = 0x0000'00f0'0000'0000;
  const unsigned step = engine_page_4k_ ? 4096 : 1024;
  for (unsigned offset = 0; offset < 4096; offset += step) {
    scratch_page_ = page;
    flush_engine_tlb();
    uc_ctl_remove_cache(engine_, kScratch + offset, kScratch + offset + step);
  }
  scratch_page_.reset();
  block_cost_ = nullptr;
  flush_engine_tlb();
  clear_code_map();
}

std::string UnicornCpu::describe() const {
  char line[200];
  std::string text;
  const auto add = [&](const char* format, auto... values) {
    std::snprintf(line, sizeof line, format, values...);
    text += line;
  };
  using ull = unsigned long long;
  add("CPU %u: PC 0x%016llx  EL%u  PSTATE 0x%08x  SP 0x%016llx  %llu instructions\n",
      config_.number(), ull{pc()}, static_cast<unsigned>(el_), pstate(),
      ull{read_reg(UC_ARM64_REG_SP)}, ull{instructions_});
  add("  ESR_EL1 0x%08llx FAR_EL1 0x%016llx ELR_EL1 0x%016llx VBAR_EL1 0x%016llx\n",
      ull{read_reg(UC_ARM64_REG_ESR_EL1)}, ull{read_reg(UC_ARM64_REG_FAR_EL1)},
      ull{read_reg(UC_ARM64_REG_ELR_EL1)}, ull{read_reg(UC_ARM64_REG_VBAR_EL1)});
  if (config_.has_el2) {
    add("  ESR_EL2 0x%08llx FAR_EL2 0x%016llx ELR_EL2 0x%016llx VBAR_EL2 0x%016llx\n",
        ull{read_reg(UC_ARM64_REG_ESR_EL2)}, ull{read_reg(UC_ARM64_REG_FAR_EL2)},
        ull{read_reg(UC_ARM64_REG_ELR_EL2)}, ull{read_reg(UC_ARM64_REG_VBAR_EL2)});
  }
  for (unsigned n = 0; n < 31; n += 2) {
    add("  x%-2u 0x%016llx", n, ull{x(n)});
    if (n + 1 < 31) add("  x%-2u 0x%016llx", n + 1, ull{x(n + 1)});
    text += '\n';
  }
  const unsigned shown = std::min<unsigned>(note_count_, static_cast<unsigned>(notes_.size()));
  if (shown) text += "  last exceptions, oldest first:\n";
  for (unsigned i = note_count_ - shown; i != note_count_; ++i) {
    const ExceptionNote& note = notes_[i % notes_.size()];
    const bool interrupt = note.spec.vector != ExceptionSpec::Vector::synchronous;
    const std::string times =
        note.times > 1 ? ", " + std::to_string(note.times) + " times" : std::string();
    add("    #%llu EL%u->EL%u  ELR 0x%016llx  FAR 0x%016llx  %s%s\n", ull{note.instructions},
        static_cast<unsigned>(note.from), static_cast<unsigned>(note.spec.target),
        ull{note.spec.return_address}, ull{note.spec.far.value_or(0)},
        interrupt ? "interrupt" : esr::describe(note.spec.esr).c_str(), times.c_str());
  }
  return text;
}

namespace {

Interception interception_for(const std::vector<CpuConfig>& cpus, const EventHub& events) {
  Interception interception;
  interception.state_writes = events.wants(EventKind::sysreg_write);
  interception.markers = events.wants(EventKind::marker);
  for (const CpuConfig& config : cpus) {
    const CpuModel& model = cpu_model(config.model);
    interception.vhe |= model.vhe;
    interception.midr |= model.midr != 0;
    interception.max_only |= model.pmsa;
  }
  return interception;
}

/// The MPUs of the CPUs, which are all of one model.
void begin_mpu_recording(DeviceRecorder& recorder, const std::vector<CpuConfig>& cpus) {
  MpuSetup setup{.cpus = static_cast<unsigned>(cpus.size()), .config = cpus.front().mpu};
  setup.config.el2 = cpus.front().has_el2;
  recorder.begin(device_facts(setup));
}

}  // namespace

UnicornComplex::UnicornComplex(const CpuEnvironment& environment,
                               const std::vector<CpuConfig>& cpus)
    : guard_(environment.guard),
      pages_(environment.bus, environment.timing, interception_for(cpus, environment.events),
             environment.instructions ? environment.instructions->watched_memory() : nullptr) {
  const bool mpus = !cpus.empty() && cpu_model(cpus.front().model).pmsa;
  if (environment.mpu_recorder && mpus) {
    begin_mpu_recording(*environment.mpu_recorder, cpus);
    DeviceRecorder* recorder = environment.mpu_recorder;
    recorder->after_writes([this, recorder](unsigned cpu) {
      recorder->note_output(cpu, kMpuAnswers, mpu_answers(cpus_[cpu]->mpu()));
    });
  }
  for (const CpuConfig& config : cpus) {
    cpus_.push_back(std::make_unique<UnicornCpu>(*this, environment, pages_, config));
  }
}

void UnicornComplex::flush_engine_tlbs() {
  for (const auto& cpu : cpus_) cpu->flush_engine_tlb();
}

void UnicornComplex::release_code(PhysAddr page, CodePages::Slot& slot) {
  for (const auto& cpu : cpus_) cpu->forget_code(page);
  pages_.drop(slot);
  slot.executable = false;
}

void UnicornComplex::send_event(UnicornCpu& sender) {
  for (const auto& cpu : cpus_) {
    if (cpu.get() != &sender && cpu->waits_for_event()) sender.request_stop();
    cpu->signal_event();
  }
}

std::unique_ptr<CpuComplex> make_cpu_complex(const CpuEnvironment& environment,
                                             const std::vector<CpuConfig>& cpus) {
  return std::make_unique<UnicornComplex>(environment, cpus);
}

std::string engine_version() {
  unsigned major = 0, minor = 0;
  const unsigned packed = uc_version(&major, &minor);
  const unsigned patch = (packed >> 8) & 0xff;
  return "Unicorn " + std::to_string(major) + "." + std::to_string(minor) + "." +
         std::to_string(patch);
}

}  // namespace trapline
