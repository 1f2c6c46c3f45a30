// A Cpu executed by Unicorn Engine. Internal to sim/cpu: only files here may include unicorn.h.
#pragma once

#include <unicorn/unicorn.h>

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "sim/arch/load_store.h"
#include "sim/arch/pstate.h"
#include "sim/arch/registers.h"
#include "sim/bus/bus.h"
#include "sim/cpu/code_pages.h"
#include "sim/cpu/cpu.h"
#include "sim/cpu/cpu_model.h"
#include "sim/cpu/mpu_view.h"
#include "sim/cpu/pmu.h"
#include "sim/cpu/r82_registers.h"
#include "sim/cpu/soft_tlb.h"
#include "sim/cpu/vmsa.h"
#include "sim/time/timeline.h"
#include "sim/trace/hub.h"
#include "sim/trace/instruction.h"
#include "sim/trace/watched_memory.h"

namespace trapline {

class UnicornComplex;

/// Thrown where the engine refuses a call that cannot fail in a sound build.
struct EngineError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What an exception needs beyond its target.
struct ExceptionSpec {
  enum class Vector : std::uint16_t { synchronous = 0, irq = 0x80, fiq = 0x100, serror = 0x180 };
  El target = El::el1;
  Vector vector = Vector::synchronous;
  std::uint64_t esr = 0;                 ///< Written for synchronous and SError only.
  VirtAddr return_address = 0;
  std::optional<std::uint64_t> far{};
  std::optional<std::uint64_t> hpfar{};
  bool is_virtual = false;

  /// The same instruction failed in the same way, at whatever address it accesses.
  bool repeats(const ExceptionSpec& before) const {
    return target == before.target && vector == before.vector && esr == before.esr &&
           return_address == before.return_address;
  }
};

class UnicornCpu final : public Cpu,
                         public StampSource,
                         public TimeSource,
                         public CounterSource,
                         private PhysicalMemory,
                         private RegisterFile,
                         private MemoryPort {
 public:
  UnicornCpu(UnicornComplex& complex, const CpuEnvironment& environment, CodePages& pages,
             const CpuConfig& config);
  ~UnicornCpu() override;

  // Cpu
  const CpuConfig& config() const override { return config_; }
  CpuLines& lines() override { return lines_; }
  void add_port(SysRegPort& port) override { ports_.push_back(&port); }
  void connect_pmu(Line& irq) override { pmu_.connect(irq, timeline_, config_.hz); }
  void power_on(VirtAddr pc, El el, std::uint64_t x0) override;
  void power_off() override;
  bool powered() const override { return powered_; }
  PauseReason run(const Slice& slice) override;
  bool can_wake(PauseReason waiting) const override;
  void wake() override {
    if (pause_ == PauseReason::wait_for_interrupt) woken_ = true;
  }
  bool interrupt_deliverable() const override {
    return lines_.irq.level() && !(pstate() & pstate::kI);
  }
  void unmask_interrupts() override;
  void signal_event() override { event_register_ = true; }
  void request_stop() override;
  void write_el2(SysReg reg, std::uint64_t value) override;
  std::uint64_t x(unsigned n) const override;
  std::uint64_t sp() const override { return get_sp(); }
  void set_x(unsigned n, std::uint64_t value) override;
  VirtAddr pc() const override { return read_reg(UC_ARM64_REG_PC); }
  El el() const override { return el_; }
  std::uint64_t hcr_el2() const override { return config_.has_el2 ? hcr_ : 0; }
  bool read_memory(VirtAddr va, void* to, std::size_t bytes) override;
  bool write_memory(VirtAddr va, const void* from, std::size_t bytes) override;
  std::uint64_t sctlr_el1() const override { return read_system(reg::SCTLR_EL1); }
  std::optional<AddressView> view(VirtAddr va) override;
  bool peek(VirtAddr va, void* to, std::size_t bytes) override;
  const CpuCounters& counters() const override;
  std::string describe() const override;
  std::string stuck_reason() const override { return stuck_reason_; }

  // StampSource, TimeSource
  void stamp(Event& event) const override;
  Time current_time() const override;
  void deadline_changed(Time when) override;

  // CounterSource
  std::uint64_t cycles() const override { return current_cycles(); }
  std::uint64_t instructions() const override { return instructions_ - instruction_adjust_; }

  // For the complex.
  uc_engine* engine() { return engine_; }
  SoftTlb& soft_tlb() { return tlb_; }
  const Mpu& mpu() { return pmsa_->view.mpu(); }  ///< Of a model that has them.
  void flush_engine_tlb();
  void forget_code(PhysAddr page);  ///< Drops translations of a 4 KiB page. Not while running.
  void clear_code_map();
  void context_changed() { context_stale_ = true; }
  bool running() const { return running_; }
  /// As UnicornComplex::release_code(), once the engine stands still.
  void release_soon(PhysAddr page) {
    release_pages_.push_back(page);
    attention_ = 0;
  }
  bool waits_for_event() const { return powered_ && pause_ == PauseReason::wait_for_event; }

 private:
  static constexpr unsigned kCodeMapSize = 512;
  /// The engine goes through all hooks for each instruction that it translates, and for each hook
  /// that goes. Xen and a Linux guest have some 500.
  static constexpr unsigned kMostHooks = 4096;
  /// More instructions than a block has.
  static constexpr std::uint64_t kWatchMargin = 4096;
  static constexpr unsigned kSlowEventsBetweenPolls = 256;
  static constexpr std::uint64_t kCheckpointInstructions = 1u << 20;

  struct CodeMapEntry {
    std::uint64_t key = ~0ull;
    const std::uint32_t* cost = nullptr;
    const std::uint32_t* words = nullptr;
    bool unprivileged = true;  ///< Some of the words may be LDTR* or STTR*.
  };
  struct Pending {
    enum class Kind : std::uint8_t {
      none,
      fault,
      device,
      split_data,   ///< MPU regions give parts of the page different permissions, or it is watched.
      split_fetch,  ///< Likewise, and hooks are needed on some of it.
      code_write,
      release,
      locate,
      illegal_state,
      fp_hooks,
      alignment_hooks,
      watch,     ///< The watching of instructions begins or ends.
      at_fault,  ///< An AT whose walk failed in a way that PAR_EL1 does not report.
      many_hooks
    };
    Kind kind = Kind::none;
    AccessKind access = AccessKind::read;
    VirtAddr va = 0;
    PhysAddr pa = 0;
    Fault fault{};
    bool undo_load = false;  ///< The engine may have written a register of the load.
  };
  struct HookPoint {
    UnicornCpu* cpu;
    VirtAddr va;
    uc_hook handle;
    bool is_read;
  };
  struct Context {
    Regime regime = Regime::el1_0;
    SoftTlb::Context asid = 1;
    SoftTlb::Context global = 1;
  };

  // unicorn_cpu.cpp: construction, registers, time
  void create_engine();
  void map_memory();
  std::uint64_t read_reg(int id) const {
    std::uint64_t value = 0;
    uc_reg_read(engine_, id, &value);
    return value;
  }
  void write_reg(int id, std::uint64_t value) { uc_reg_write(engine_, id, &value); }
  std::uint32_t pstate() const override {
    std::uint32_t value = 0;
    uc_reg_read(engine_, UC_ARM64_REG_PSTATE, &value);
    return value;
  }
  std::uint64_t read_system(SysReg reg) const;
  bool write_system(SysReg reg, std::uint64_t value);
  void emit(EventKind kind, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0,
            std::uint64_t d = 0);
  void set_adjustments(VirtAddr pc);
  std::uint64_t cycles_at(Time when) const;
  std::uint64_t current_cycles() const;
  std::uint64_t hash_state();
  std::uint16_t vmid() const;

  // unicorn_observe.cpp
  void observe(EventKind kind, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0,
               std::uint64_t d = 0);
  void observe_write(SysReg reg, std::uint64_t value);
  bool observable_write(SysReg reg) const;
  void observe_marker(VirtAddr pc, std::uint16_t value);
  void observe_call(VirtAddr next_pc);
  void observe_return(VirtAddr pc);
  void observe_mpu_fault(const Fault& fault, VirtAddr va, AccessKind kind);

  // unicorn_watch.cpp
  static void watch_callback(uc_engine*, std::uint64_t pc, std::uint32_t size, void* self);
  bool watch_changes() const;
  std::uint64_t next_watch_change() const;
  void change_watch();
  void watch(VirtAddr pc);
  void deliver_watched(std::uint64_t retired);
  bool read_watched(MemoryContents& memory) const;
  std::optional<PhysAddr> known_physical(VirtAddr va) const;
  void note_watched(PhysAddr pa, unsigned bytes, bool write);
  void note_watched_code();
  void note_guarded_store(PhysAddr pa, unsigned bytes);

  // unicorn_run.cpp: blocks, sampling, slices
  static void block_callback(uc_engine*, std::uint64_t pc, std::uint32_t size, void* self);
  void on_block(VirtAddr pc, std::uint32_t size);
  [[gnu::noinline]] void on_block_slow(VirtAddr pc, std::uint32_t size);
  void count_block(const std::uint32_t* page_cost, VirtAddr pc, std::uint32_t size);
  bool block_slow(VirtAddr pc);
  bool stop_before(VirtAddr pc, Pending::Kind what);
  void note_slow_event();
  bool after_marked(std::uint32_t word, VirtAddr pc);
  void forget_block();
  static void observed_block_callback(uc_engine*, std::uint64_t pc, std::uint32_t size, void* self);
  void on_observed_block(VirtAddr pc, std::uint32_t size);
  void deliver_block();
  void take_sample(VirtAddr pc);
  void note_events();
  void returned_from_exception(VirtAddr pc);
  void notice_exception_return();
  bool sample(VirtAddr pc);
  void set_attention();
  void settle(VirtAddr pc);
  void retire(VirtAddr pc, std::uint32_t word);
  void complete_here(VirtAddr pc, std::uint32_t word);
  std::uint32_t cost_from(VirtAddr pc) const;
  void pause(PauseReason reason, VirtAddr pc);
  const CodeMapEntry* map_code(VirtAddr pc);
  std::optional<std::uint32_t> word_at(VirtAddr pc);
  bool wait_for_interrupt();
  bool wait_for_event(VirtAddr next_pc);
  bool interrupt_waiting() const;

  // unicorn_exceptions.cpp
  static void interrupt_callback(uc_engine*, std::uint32_t index, void* self);
  void on_exception(std::uint32_t index);
  void on_undefined(VirtAddr pc);
  void on_svc(VirtAddr next_pc);
  void on_hvc(VirtAddr next_pc);
  void on_smc(VirtAddr next_pc);
  bool firmware_call(Conduit conduit, std::uint16_t immediate);
  void call_again();
  void undefined(VirtAddr pc, std::uint32_t word);
  bool take_illegal_state(VirtAddr pc);
  bool fp_off() const { return fp_off_[static_cast<unsigned>(el_)]; }
  void update_fp_traps();
  bool stop_for_fp(VirtAddr pc);
  void install_fp_hooks(VirtAddr pc);
  static void fp_callback(uc_engine*, std::uint64_t pc, std::uint32_t size, void* hook);
  std::optional<El> wfi_trap_target() const;
  bool pauth_trap(std::uint32_t word, VirtAddr pc);
  bool semihosting(VirtAddr pc, std::uint32_t word);
  void take(const ExceptionSpec& spec);
  void trap_to_layer(const ExceptionSpec& spec);
  void take_synchronous(El target, std::uint64_t esr, VirtAddr return_address,
                        std::optional<std::uint64_t> far = {});
  bool take_interrupt(VirtAddr pc);
  void note_exception(const ExceptionSpec& spec, std::uint32_t spsr);
  void check_stuck(const ExceptionSpec& spec);
  void alignment_fault(VirtAddr pc);
  bool software_step_active() const;
  El undefined_target() const;
  bool tge() const { return config_.has_el2 && bit(hcr_, 27); }
  bool e2h() const { return config_.has_el2 && bit(hcr_, 34); }
  bool fp_trap(std::uint32_t word, VirtAddr pc);

  // unicorn_alignment.cpp
  bool sp_checked() const;
  void note_sp();
  bool stop_for_alignment(VirtAddr pc);
  void install_alignment_hook(VirtAddr pc);
  static void alignment_callback(uc_engine*, std::uint64_t pc, std::uint32_t size, void* hook);
  bool take_alignment_fault(VirtAddr pc, std::uint32_t word);
  void write_sp(VirtAddr pc, std::uint32_t word);

  // unicorn_memory.cpp
  static bool fill_callback(uc_engine*, std::uint64_t va, uc_mem_type type, uc_tlb_entry* out,
                            void* self);
  bool on_fill(VirtAddr va, AccessKind kind, uc_tlb_entry& out);
  bool fills_watched_page(const SoftTlb::Entry& entry, VirtAddr va, AccessKind kind);
  bool fill_ram(const SoftTlb::Entry& entry, CodePages::Slot& slot, VirtAddr va, AccessKind kind,
                bool privileged, bool pan, uc_tlb_entry& out);
  const SoftTlb::Entry* lookup(VirtAddr va, AccessKind kind, bool privileged, bool pan,
                               Fault& fault);
  const SoftTlb::Entry* lookup_tables(VirtAddr va, AccessKind kind, bool privileged, bool pan,
                                      Fault& fault);
  bool block_has_unprivileged();
  bool is_privileged_access(std::uint32_t word) const;
  bool pan_active() const;
  void refresh_context();
  void refresh_tags(Regime regime);
  void resolve(const Pending& pending);
  void data_fault(const Fault& fault, VirtAddr va, AccessKind kind, VirtAddr pc,
                  std::uint32_t word, bool external = false);
  void fetch_fault(const Fault& fault, VirtAddr pc, bool external = false);
  void invalidate_code(PhysAddr pa);
  bool emulate_access(VirtAddr pc, std::uint32_t word);
  bool access_pieces(VirtAddr va, unsigned first_bytes, unsigned bytes, std::uint8_t* data,
                     bool write);
  VirtAddr faulting_address(const LoadStore& decoded, VirtAddr page);
  bool access(VirtAddr va, unsigned bytes, std::uint8_t* data, bool write);
  bool device_access(PhysAddr pa, unsigned bytes, std::uint8_t* data, bool write);
  VirtAddr untagged(VirtAddr va) const;
  bool read64(PhysAddr pa, std::uint64_t& value) override;
  Swap compare_and_swap64(PhysAddr pa, std::uint64_t expected, std::uint64_t desired) override;

  // unicorn_alias.cpp
  void map_images();
  static std::uint64_t image_read(uc_engine*, std::uint64_t offset, unsigned size, void* of_ram);
  static void image_write(uc_engine*, std::uint64_t offset, unsigned size, std::uint64_t value,
                          void* of_ram);
  static bool image_callback(uc_engine*, uc_mem_type type, std::uint64_t pa, int size,
                             std::int64_t value, void* self);
  bool on_image_load(PhysAddr pa, unsigned size);
  bool on_image_store(PhysAddr pa, unsigned size);
  [[gnu::cold]] void refuse_image(PhysAddr pa, AccessKind kind);
  [[gnu::cold]] void refuse_image_load(PhysAddr pa);
  void undo_image_load();
  bool image_allows(PhysAddr pa, unsigned size, AccessKind kind, bool privileged);
  [[gnu::cold]] bool learn_image(PhysAddr pa, AccessKind kind, bool privileged);
  bool fill_image(VirtAddr va, uc_tlb_entry& out);

  // unicorn_pmsa.cpp
  void refresh_mpu_controls();
  void refresh_mpu_regime();
  MpuRegime mpu_regime() const {
    return context_.regime == Regime::el1_0 ? MpuRegime::el1_0 : MpuRegime::el2;
  }
  const SoftTlb::Entry* lookup_mpu(VirtAddr va, AccessKind kind, bool privileged, bool pan,
                                   Fault& fault);
  bool splits_data(VirtAddr va, bool privileged, bool pan) const;
  bool prepare_split(VirtAddr va, AccessKind kind);
  std::uint64_t unhooked_granules(VirtAddr page);
  void install_split_hooks(VirtAddr pc);
  static void split_callback(uc_engine*, std::uint64_t pc, std::uint32_t size, void* hook);
  bool fetch_denied(VirtAddr pc);
  void registers_written();
  void write_vsctlr(std::uint64_t value);
  bool walk_allowed(PhysAddr ipa);
  std::uint64_t address_translate_mpu(const TranslationRequest& request, Regime regime,
                                      std::optional<Fault>& fault);

  // unicorn_sysregs.cpp
  static std::uint32_t sysreg_callback(uc_engine*, uc_arm64_reg, const uc_arm64_cp_reg*, void*);
  std::uint32_t on_sysreg(SysReg reg, bool is_read, uc_arm64_reg rt, std::uint64_t value,
                          VirtAddr pc);
  bool engine_has(SysReg reg) const;
  std::uint32_t on_mrs(SysReg reg, uc_arm64_reg rt);
  std::uint32_t on_msr(SysReg reg, std::uint64_t value);
  std::uint32_t on_sys(SysReg reg, std::uint64_t value, VirtAddr pc);
  void counter_polled(VirtAddr pc);
  static void replaced_callback(uc_engine*, std::uint64_t pc, std::uint32_t size, void* hook);
  void install_hooks(VirtAddr page, PhysAddr pa_page, const CodePage& code);
  void collect_hooks();

  // unicorn_exits.cpp
  void add_exits(VirtAddr page, const CodePage& code);
  void clear_exits();
  bool stopped_at_exit(VirtAddr pc);
  bool trapped_at_exit(VirtAddr pc);
  void on_exit_point(VirtAddr at);
  bool emulate_sysreg(VirtAddr pc, std::uint32_t word);
  void sysreg_fault(VirtAddr pc, std::uint32_t word);
  SysRegStatus access_rules(SysReg reg, bool is_read) const;
  SysRegContext sysreg_context() const;
  SysRegPort* port_for(SysReg reg) const;
  void write_hcr(std::uint64_t value);
  void write_mdcr(std::uint64_t value);
  bool in_host() const { return el_ == El::el2 && e2h(); }
  std::uint32_t write_spsr(SysReg reg, std::uint64_t value);
  std::uint64_t read_host(SysReg el2_register) const;
  void write_host(SysReg el2_register, std::uint64_t value);
  bool emulate_guest_alias(VirtAddr pc, std::uint32_t word, const SysRegAccess& access);
  void tlbi(SysReg reg, std::uint64_t value);
  void address_translate(SysReg reg, VirtAddr va, VirtAddr pc);
  void take_at_fault(const Pending& pending);
  void sysreg_exception(SysRegStatus status, VirtAddr pc, std::uint32_t word);
  std::uint64_t id_register(SysReg reg) const;
  std::uint64_t midr() const;

  // RegisterFile, MemoryPort (for accesses emulated outside the engine)
  std::uint64_t get_x(unsigned n) const override;
  void put_x(unsigned n, std::uint64_t value) override;
  std::uint64_t get_sp() const override { return read_reg(UC_ARM64_REG_SP); }
  void put_sp(std::uint64_t value) override { write_reg(UC_ARM64_REG_SP, value); }
  Vector128 get_v(unsigned n) const override;
  void put_v(unsigned n, const Vector128& value) override;
  std::uint64_t get_pc() const override { return emulated_pc_; }
  bool load(VirtAddr va, unsigned bytes, void* to) override;
  bool store(VirtAddr va, unsigned bytes, const void* from) override;
  void set_exclusive(VirtAddr va, unsigned bytes) override;
  bool take_exclusive(VirtAddr va, unsigned bytes) override;
  void watch_exclusive_stores(VirtAddr pc);
  static void exclusive_callback(uc_engine*, std::uint64_t pc, std::uint32_t size, void* hook);

  // Hot: read or written by every block.
  std::uint64_t cycles_ = 0;     ///< Includes all of the current block.
  std::uint64_t attention_ = 0;  ///< block_slow() runs once cycles_ reaches this.
  std::uint64_t instructions_ = 0;
  std::uint64_t space_ = 0;  ///< Added to code-map keys: translation context, FP traps, alignment.
  VirtAddr block_pc_ = ~0ull;
  std::uint32_t block_size_ = 0;
  VirtAddr previous_end_ = ~0ull;
  const std::uint32_t* block_cost_ = nullptr;  ///< Cost table of the current block's page.
  std::array<CodeMapEntry, kCodeMapSize> code_map_;

  UnicornComplex& complex_;
  CpuConfig config_;
  CpuModel model_;
  Bus& bus_;
  Timeline& timeline_;
  EventHub& events_;
  const TimingModel& timing_;
  TrapPort* traps_;
  std::function<void()> host_poll_;
  DeviceRecorder* mpu_recorder_;
  InstructionSink* watcher_;
  BlockSink* blocks_;
  SampleSink* samples_;
  StoreGuard* guard_;
  ExecutedBlock last_block_{};  ///< Counted, and perhaps settled before its end. For blocks_.
  std::uint64_t next_sample_ = 0;  ///< In cycles. For samples_.
  WatchedMemory* watched_memory_ = nullptr;
  bool peeking_ = false;  ///< Walks are an observer's.
  /// Pages of code with watched bytes, by their cost tables.
  std::unordered_map<const std::uint32_t*, PhysAddr> watched_code_;
  bool watching_ = false;          ///< watch_hook_ is in the engine.
  bool watches_contents_ = false;  ///< watcher_ wants registers and memory.
  uc_hook watch_hook_ = 0;
  std::optional<ExecutedInstruction> watched_;  ///< Noted, and perhaps not executed yet.
  unsigned slow_events_ = 0;  ///< Since host_poll_ was last called.
  CodePages& pages_;
  uc_engine* engine_ = nullptr;
  uc_context* reset_state_ = nullptr;
  CpuLines lines_;
  std::vector<SysRegPort*> ports_;
  Pmu pmu_;
  SoftTlb tlb_;
  bool engine_page_4k_ = false;
  bool exact_pc_in_fill_ = false;
  unsigned engine_event_counters_ = 0;

  // Translation state.
  El el_ = El::el1;
  std::uint64_t hcr_ = 0;  ///< HCR_EL2 as software wrote it (the engine's copy lacks VI, VF, VSE).
  std::uint64_t cptr_ = 0;     ///< CPTR_EL2 as software wrote it, where E2H gives it another layout.
  /// SPSR_EL1 and SPSR_EL2 where software wrote an AArch32 state, which the engine must not enter.
  std::optional<std::uint64_t> aarch32_spsr_[2];
  std::array<bool, 3> fp_off_{};  ///< FP and SIMD instructions trap, by Exception level.
  /// Pages whose FP words have hooks, and of which scan.
  std::set<std::pair<VirtAddr, std::uint64_t>> fp_hooked_;
  bool checks_alignment_ = false;  ///< SCTLR_ELx.A of the regime in force.
  bool sp_unaligned_ = false;      ///< And SP is checked.
  /// Pages that have a hook for that, and of which scan.
  std::set<std::pair<VirtAddr, std::uint64_t>> alignment_hooked_;
  std::uint64_t mdcr_ = 0;  ///< MDCR_EL2 as software wrote it.
  bool context_stale_ = true;  ///< The controls must be read again.
  bool tags_stale_ = true;     ///< ASID or VMID changed.
  Context context_{};
  TranslationControls controls_el1_{};
  TranslationControls controls_el2_{};
  const TranslationControls& controls() const {
    return context_.regime == Regime::el1_0 ? controls_el1_ : controls_el2_;
  }

  /// Of a CPU with PMSAv8-64.
  struct Pmsa {
    Pmsa(const CpuConfig& config, Sink* sink);
    MpuView view;
    R82Registers registers;
    std::uint64_t generation = 0;  ///< Of the MPU when its changes were last looked at.
    SoftTlb::Entry found;          ///< What lookup() answered.
    VirtAddr found_last = 0;       ///< The last address of the page that it holds for.
    bool found_split = false;      ///< Another answer holds for part of the page.
    std::optional<Fault> walk_fault;  ///< Of stage 2, on a descriptor of VMSAv8-64 at EL1.
    /// What the engine has a second time (unicorn_alias.cpp).
    struct Image {
      UnicornCpu* cpu;
      PhysAddr base;
      std::uint8_t* host;
    };
    std::deque<Image> images;
    std::array<std::uint64_t, 31> before_load{};  ///< X0 to X30 before a refused load.
    bool vmsa = false;  ///< What Mpu::set_vmsa_at_el1() was last told.
    /// Answers for granules of split pages, until `epoch` moves.
    struct Allowed {
      std::uint64_t key = ~0ull;
      std::uint64_t epoch = 0;
      Permissions permissions{};
    };
    static constexpr std::size_t kAllowed = 64;
    std::array<Allowed, kAllowed> allowed{};
    std::uint64_t epoch = 1;
    /// Granules of pages that have a hook because they were not to be executed.
    std::unordered_map<VirtAddr, std::uint64_t> hooked_granules;
  };
  std::unique_ptr<Pmsa> pmsa_;

  // Slice and time.
  Time base_time_ = 0;
  std::uint64_t base_cycles_ = 0;
  unsigned sharers_ = 1;
  std::uint64_t slice_end_ = 0;       ///< In instructions.
  std::uint64_t event_cycles_ = 0;    ///< When the next timeline event falls due.
  std::uint64_t next_checkpoint_ = kCheckpointInstructions;
  std::uint32_t cycle_adjust_ = 0;    ///< Cycles of the current block not yet executed, in a hook.
  std::uint32_t instruction_adjust_ = 0;
  bool running_ = false;
  bool interrupt_check_ = false;      ///< A line or mask changed since interrupts were last taken.
  bool stop_requested_ = false;
  std::optional<PauseReason> pause_;
  bool powered_ = false;
  bool event_register_ = false;
  bool woken_ = false;  ///< By wake(), since the CPU last ran.

  Pending pending_;
  std::optional<VirtAddr> scratch_page_;  ///< While set, fills map to this physical page.
  VirtAddr emulated_pc_ = 0;
  /// The instruction that is being executed here, and how its access failed.
  struct Emulation {
    bool privileged = true;
    bool pan = false;
    Fault fault{};
    VirtAddr va = 0;
    bool write = false;
    bool external = false;
    bool device = false;  ///< A device was accessed.
    std::optional<VirtAddr> first_va{};  ///< Of an access across pages.
  };
  Emulation emulation_;
  /// The exclusive monitor of loads that were executed here; like the engine's it compares values.
  struct Monitor {
    VirtAddr va = 0;
    unsigned bytes = 0;  ///< 0: open, or a device.
    std::array<std::uint8_t, 16> value{};
    bool set = false;  ///< The last load exclusive was executed here.
  };
  Monitor monitor_;
  std::unordered_set<VirtAddr> exclusive_hooked_;
  VirtAddr unprivileged_retry_pc_ = ~0ull;
  std::optional<PhysAddr> exclusive_page_;  ///< A code page that an exclusive store may write to.
  std::vector<PhysAddr> release_pages_;     ///< Executed pages written to: translations must go.

  // Delay loops: who polls the counter, how often in a row.
  VirtAddr poll_pc_ = ~0ull;
  std::uint64_t poll_instructions_ = 0;
  unsigned polls_ = 0;

  std::uint16_t observed_vmid_ = 0;  ///< Of the last write of VTTBR_EL2 or VSCTLR_EL2.

  std::deque<HookPoint> hooks_;
  std::set<VirtAddr> exits_;
  std::unordered_set<VirtAddr> hooked_;
  std::unordered_set<VirtAddr> replaced_hooked_;

  // For a person.
  struct ExceptionNote {
    ExceptionSpec spec;
    El from;
    std::uint64_t instructions;  ///< When it was first taken.
    unsigned times = 1;          ///< In a row, one like the other.
  };
  std::array<ExceptionNote, 8> notes_{};
  unsigned note_count_ = 0;
  unsigned vector_faults_ = 0;
  std::string stuck_reason_;
  std::unordered_set<std::uint32_t> reported_;
  mutable CpuCounters counters_;
};

}  // namespace trapline
