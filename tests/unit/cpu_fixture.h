// A CPU over a small bus, driven by hand-assembled words, and what its programs are made of.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/timer/generic_timer.h"
#include "models/timer/system_counter.h"
#include "sim/arch/esr.h"
#include "sim/arch/pstate.h"
#include "sim/arch/registers.h"
#include "sim/bus/bus.h"
#include "sim/cpu/cpu.h"
#include "sim/time/timeline.h"
#include "sim/time/timing_model.h"
#include "sim/trace/hub.h"
#include "tests/unit/a64_code.h"

namespace trapline::test {

/// Remembers every access; reads give 0x1122334455667788 cut to size.
class RecordingDevice final : public Device {
 public:
  struct Seen {
    PhysAddr offset;
    unsigned size;
    bool write;
    std::uint64_t value;
    bool operator==(const Seen&) const = default;
  };
  static constexpr std::uint64_t kPattern = 0x1122'3344'5566'7788;

  std::string_view name() const override { return "recorder"; }
  void reset() override { seen.clear(); }
  BusStatus read(const Access& access, std::uint64_t& value) override {
    if (refuse) return BusStatus::error;
    value = access.size == 8 ? kPattern : kPattern & ((1ull << (8 * access.size)) - 1);
    seen.push_back({access.offset, access.size, false, value});
    return BusStatus::ok;
  }
  BusStatus write(const Access& access, std::uint64_t value) override {
    if (refuse) return BusStatus::error;
    seen.push_back({access.offset, access.size, true, value});
    if (on_write) on_write(access, value);
    return BusStatus::ok;
  }

  std::vector<Seen> seen;
  bool refuse = false;
  std::function<void(const Access&, std::uint64_t)> on_write;
};

class RecordingSink final : public Sink {
 public:
  void on_event(const Event& event) override {
    events.push_back(event);
    events.back().text = {};
  }
  std::vector<Event> of(EventKind kind) const {
    std::vector<Event> found;
    for (const Event& event : events) {
      if (event.kind == kind) found.push_back(event);
    }
    return found;
  }
  std::vector<Event> events;
};

class FakeFirmware final : public TrapPort {
 public:
  CallResult call(Conduit conduit, std::uint16_t immediate, unsigned,
                  std::array<std::uint64_t, 18>& x) override {
    calls.push_back({conduit, immediate, x[0]});
    if (answer == CallResult::done) x[0] = 0x5a;
    return answer;
  }
  bool semihosting(unsigned, std::uint64_t& x0, std::uint64_t) override {
    if (semihosting_on) x0 = 0x77;
    return semihosting_on;
  }

  struct Call {
    Conduit conduit;
    std::uint16_t immediate;
    std::uint64_t x0;
  };
  std::vector<Call> calls;
  CallResult answer = CallResult::done;
  bool semihosting_on = false;
};

/// Where things are. Vector tables hold, at each offset, code that stores what the exception left
/// (X20 ESR, X21 ELR, X22 SPSR, X23 FAR, X24 HPFAR at EL2), waits (WFI) and returns.
inline constexpr PhysAddr kRam = 0x4000'0000, kRamSize = 0x0100'0000, kDevice = 0x0900'0000,
                          kHole = 0x0a00'0000, kEl1Vectors = kRam + 0x1000,
                          kEl2Vectors = kRam + 0x2000, kCode = kRam + 0x4000,
                          kGuest = kRam + 0x8000, kUser = kRam + 0xc000, kData = kRam + 0x10'0000,
                          kTables = kRam + 0x20'0000, kStage2Tables = kRam + 0x40'0000;
inline constexpr std::uint64_t kEl1hMasked = 0x3c5, kEl0Masked = 0x3c0, kEl2hMasked = 0x3c9;
/// Offsets of vectors (DDI 0487 D1.3).
inline constexpr unsigned kFromSp0 = 0, kFromSpx = 0x200, kFromLower = 0x400, kIrq = 0x80,
                          kFiq = 0x100, kSError = 0x180;
inline constexpr std::uint64_t kHcrRw = 1ull << 31, kHcrTge = 1ull << 27, kHcrE2h = 1ull << 34;

class CpuTest : public ::testing::Test {
 protected:
  struct Options {
    std::string model = "cortex-a57";
    bool has_el2 = true;
    unsigned cpus = 1;
    bool timers = false;
    std::uint64_t hz = 1'000'000'000;
    const TimingModel* timing = nullptr;
    MpuConfig mpu{};
    bool vmsa_at_el1 = true;
    InstructionSink* instructions = nullptr;
    StoreGuard* guard = nullptr;
  };

  CpuTest() {
    bus.add_ram("ram", kRam, kRamSize);
    bus.map(device, kDevice, 0x2000);
    events.attach(sink);
  }

  void make() { make(Options()); }
  void make(const Options& options) {
    std::vector<CpuConfig> configs;
    for (unsigned i = 0; i < options.cpus; ++i) {
      configs.push_back({.model = options.model,
                         .index = i,
                         .mpidr = 0x80000000ull | i,
                         .has_el2 = options.has_el2,
                         .hz = options.hz,
                         .mpu = options.mpu,
                         .vmsa_at_el1 = options.vmsa_at_el1});
    }
    events.set_source(nullptr);  // The CPUs of an earlier make() go.
    complex = make_cpu_complex({.bus = bus,
                                .timeline = timeline,
                                .events = events,
                                .timing = options.timing ? *options.timing : unit_timing,
                                .traps = &firmware,
                                .instructions = options.instructions,
                                .guard = options.guard},
                               configs);
    has_el2 = options.has_el2;
    if (options.timers) {
      timer.emplace(timeline, counter, TimerLines{cpu().lines().irq, timer_line, hyp_line, hyp_virtual},
                    0u, nullptr,
                    GenericTimerConfig{.vhe = options.model == "max",
                                       .secure_hyp_physical =
                                           options.model == "cortex-r82" ? &secure_line : nullptr});
      cpu().add_port(*timer);
    }
    write_vectors(kEl1Vectors, false);
    write_vectors(kEl2Vectors, true);
  }

  Cpu& cpu(unsigned index = 0) { return complex->cpu(index); }

  /// Writes as a loader does: before the CPUs run, or telling them.
  void put(PhysAddr pa, const Code& code) {
    ASSERT_TRUE(bus.write(pa, code.words.data(), code.words.size() * 4));
    complex->memory_written(pa, code.words.size() * 4);
  }
  std::uint64_t peek(PhysAddr pa) {
    std::uint64_t value = 0;
    bus.read(pa, &value, sizeof value);
    return value;
  }
  void poke(PhysAddr pa, std::uint64_t value) { bus.write(pa, &value, sizeof value); }

  /// Vector bases, HCR_EL2 and stacks, as the first instructions at the highest level.
  Code prologue(std::uint64_t hcr = kHcrRw) {
    Code code;
    if (has_el2) code.set(reg::VBAR_EL2, kEl2Vectors).set(reg::HCR_EL2, hcr);
    code.set(reg::VBAR_EL1, kEl1Vectors);
    return code;
  }
  /// Runs `code` at the highest implemented level until its first WFI.
  PauseReason run_code(const Code& code, std::uint64_t hcr = kHcrRw) {
    put(kCode, prologue(hcr).add(code).add({a64::kWfi}));
    cpu().power_on(kCode, has_el2 ? El::el2 : El::el1, 0);
    return run();
  }
  /// Runs `setup` at EL2 and then `guest` at EL1 from kGuest until the first WFI.
  PauseReason run_guest(const Code& guest, std::uint64_t hcr = kHcrRw, const Code& setup = {},
                        std::uint64_t state = kEl1hMasked) {
    Code code = prologue(hcr).add(setup);
    code.enter(has_el2 ? El::el2 : El::el1, kGuest, state);
    put(kCode, code);
    put(kGuest, Code(guest).add({a64::kWfi}));
    cpu().power_on(kCode, has_el2 ? El::el2 : El::el1, 0);
    return run();
  }
  PauseReason run(std::uint64_t instructions = 100'000, unsigned index = 0) {
    return cpu(index).run({.instructions = instructions});
  }

  /// Where the CPU waits, if in a vector: its offset.
  std::optional<unsigned> vector_of(PhysAddr base, unsigned index = 0) {
    const VirtAddr offset = cpu(index).pc() - base;
    if (offset >= 0x800) return std::nullopt;
    return static_cast<unsigned>(offset & ~0x7full);
  }
  std::uint64_t esr(unsigned index = 0) { return cpu(index).x(20); }
  std::uint64_t elr(unsigned index = 0) { return cpu(index).x(21); }
  std::uint64_t spsr(unsigned index = 0) { return cpu(index).x(22); }
  std::uint64_t far(unsigned index = 0) { return cpu(index).x(23); }
  std::uint64_t hpfar(unsigned index = 0) { return cpu(index).x(24); }
  ExceptionClass ec() { return esr::class_of(esr()); }
  std::uint64_t iss() { return esr::iss_of(esr()); }

  void write_vectors(PhysAddr base, bool el2) {
    Code code;
    for (unsigned slot = 0; slot < 16; ++slot) {
      Code handler;
      handler.add({a64::mrs(20, el2 ? reg::ESR_EL2 : reg::ESR_EL1),
                   a64::mrs(21, el2 ? reg::ELR_EL2 : reg::ELR_EL1),
                   a64::mrs(22, el2 ? reg::SPSR_EL2 : reg::SPSR_EL1),
                   a64::mrs(23, el2 ? reg::FAR_EL2 : reg::FAR_EL1)});
      if (el2) handler.add({a64::mrs(24, reg::HPFAR_EL2)});
      handler.add({vector_end, a64::kEret});
      handler.words.resize(32, a64::kNop);
      code.add(handler);
    }
    put(base, code);
  }

  Bus bus;
  Timeline timeline;
  EventHub events;
  RecordingSink sink;
  RecordingDevice device;
  UnitTiming unit_timing;
  FakeFirmware firmware;
  SystemCounter counter{timeline, 62'500'000};
  Line timer_line, hyp_line, hyp_virtual, secure_line;
  std::unique_ptr<CpuComplex> complex;
  std::optional<GenericTimer> timer;
  bool has_el2 = true;
  a64::Word vector_end = a64::kWfi;  ///< b(0) where an interrupt stays pending.
};

/// Translation tables of 4 KiB pages and 39-bit addresses in guest RAM, both stages alike.
class PageTables {
 public:
  PageTables(Bus& bus, PhysAddr root) : bus_(bus), root_(root), next_(root + 0x1000) {
    std::vector<std::uint8_t> zeros(0x1000);
    bus_.write(root_, zeros.data(), zeros.size());
  }
  PhysAddr root() const { return root_; }

  /// Maps one page: `attributes` are the descriptor's bits other than address and type.
  void map(VirtAddr va, PhysAddr pa, std::uint64_t attributes) {
    PhysAddr table = root_;
    for (unsigned level = 1; level < 3; ++level) {
      const PhysAddr at = table + ((va >> (39 - 9 * level)) & 511) * 8;
      std::uint64_t entry = 0;
      bus_.read(at, &entry, 8);
      if (!(entry & 1)) {
        entry = next_ | 3;
        next_ += 0x1000;
        std::vector<std::uint8_t> zeros(0x1000);
        bus_.write(entry & ~0xfffull, zeros.data(), zeros.size());
        bus_.write(at, &entry, 8);
      }
      table = entry & 0xffff'ffff'f000;
    }
    const std::uint64_t leaf = pa | attributes | 3;
    bus_.write(table + ((va >> 12) & 511) * 8, &leaf, 8);
  }
  void map(VirtAddr va, PhysAddr pa, std::uint64_t attributes, unsigned pages) {
    for (unsigned i = 0; i < pages; ++i) map(va + 4096u * i, pa + 4096u * i, attributes);
  }
  void unmap(VirtAddr va) {
    PhysAddr table = root_;
    for (unsigned level = 1; level < 3; ++level) {
      std::uint64_t entry = 0;
      bus_.read(table + ((va >> (39 - 9 * level)) & 511) * 8, &entry, 8);
      table = entry & 0xffff'ffff'f000;
    }
    const std::uint64_t none = 0;
    bus_.write(table + ((va >> 12) & 511) * 8, &none, 8);
  }

  // Stage 1: AF, inner shareable, MAIR index 0 (Normal), with the rights at EL1 and EL0.
  static constexpr std::uint64_t kAf = 1u << 10 | 3u << 8;
  static constexpr std::uint64_t kKernel = kAf | 1ull << 54;            ///< RW at EL1, EL0 nothing.
  static constexpr std::uint64_t kUserRw = kAf | 1u << 6 | 1ull << 53;  ///< RW at both levels.
  static constexpr std::uint64_t kUserRx = kAf | 3u << 6 | 1ull << 53;  ///< RO at both, EL0 runs.
  static constexpr std::uint64_t kReadOnly = kAf | 1u << 7 | 1ull << 54;  ///< RO at EL1.
  static constexpr std::uint64_t kNonGlobal = 1u << 11;
  // Stage 2: AF, Normal write-back, S2AP.
  static constexpr std::uint64_t kStage2 = 1u << 10 | 3u << 8 | 0xfu << 2 | 3u << 6;
  static constexpr std::uint64_t kStage2ReadOnly = kStage2 & ~(2ull << 6);

  static constexpr std::uint64_t kTcr = 25 | 25u << 16 | 1ull << 23 | 5ull << 32;  ///< EPD1.
  static constexpr std::uint64_t kTcrBoth =
      (kTcr & ~(1ull << 23)) | 2ull << 30;  ///< TG1 4 KiB.
  static constexpr std::uint64_t kVtcr = 25 | 1u << 6 | 2u << 16 | 1ull << 31;     ///< Level 1.
  static constexpr std::uint64_t kMair = 0xff;

 private:
  Bus& bus_;
  PhysAddr root_;
  PhysAddr next_;
};

}  // namespace trapline::test
