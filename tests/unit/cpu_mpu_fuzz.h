// The harness of the MPU fuzz tests: a Cortex-R82 whose EL2 writes registers and makes accesses at
// EL2, EL1 and EL0 as it is told, and what a slow second implementation (judge()) expects of them.
#pragma once

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iostream>
#include <map>
#include <sstream>

#include "sim/arch/load_store.h"
#include "tests/unit/cpu_pmsa_fixture.h"
#include "tests/unit/mpu_oracle.h"

namespace trapline::test {

inline std::uint64_t from_environment(const std::string& name, std::uint64_t otherwise) {
  const char* text = std::getenv(name.c_str());
  return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t word() {
    std::uint64_t x = state_ += 0x9e37'79b9'7f4a'7c15;
    x = (x ^ (x >> 30)) * 0xbf58'476d'1ce4'e5b9;
    x = (x ^ (x >> 27)) * 0x94d0'49bb'1331'11eb;
    return x ^ (x >> 31);
  }
  std::uint64_t below(std::uint64_t n) { return word() % n; }
  bool percent(unsigned p) { return below(100) < p; }

 private:
  std::uint64_t state_;
};

inline constexpr unsigned kRegions = 16;
inline constexpr PhysAddr kWindow = kData;
inline constexpr PhysAddr kRoutines = kCode + 0x100, kAccessesEl2 = kCode + 0x1000,
                          kAccessesEl1 = kGuest, kAccessesEl0 = kUser;
/// Behind each access, in its block, come two instructions of which nothing may remain if it
/// faults.
inline constexpr unsigned kStride = 16;
inline constexpr SysReg kTpidr = sysreg(3, 3, 13, 0, 2);
inline constexpr a64::Word kBrX27 = 0xd61f0360, kBrX29 = 0xd61f03a0;
inline constexpr std::uint64_t kVm = 1, kPtw = 4, kDc = 1 << 12;

/// One form of access: its word with the address in X1 and data in X2 (and X3).
struct Form {
  a64::Word word;
  unsigned bytes;
  bool reads, writes, unprivileged;
};

inline constexpr Form kForms[] = {
    {a64::mem(a64::kLdr, 2, 1), 8, true, false, false},
    {a64::mem(a64::kStr, 2, 1), 8, false, true, false},
    {a64::mem(a64::kLdrW, 2, 1), 4, true, false, false},
    {a64::mem(a64::kStrW, 2, 1), 4, false, true, false},
    {a64::mem(a64::kLdrh, 2, 1), 2, true, false, false},
    {a64::mem(a64::kStrh, 2, 1), 2, false, true, false},
    {a64::mem(a64::kLdrb, 2, 1), 1, true, false, false},
    {a64::mem(a64::kStrb, 2, 1), 1, false, true, false},
    {a64::ldp(2, 3, 1), 16, true, false, false},
    {a64::stp(2, 3, 1), 16, false, true, false},
    {a64::mem(a64::kLdtr, 2, 1), 8, true, false, true},
    {a64::mem(a64::kSttr, 2, 1), 8, false, true, true},
    {a64::ldadd(31, 2, 1), 8, true, true, false},
    {a64::mem(a64::kLdrQ, 2, 1), 16, true, false, false},
};
inline constexpr unsigned kLdrQForm = std::size(kForms) - 1;
inline constexpr unsigned kFetch = std::size(kForms);  ///< BR X1.

class MpuFuzz : public PmsaTest {
 protected:
  /// One byte's worth of an access.
  struct Question {
    El el;
    AccessKind kind;
    bool privileged, pan;
    VirtAddr va;
  };
  struct Verdict {
    std::optional<Fault> fault;
    PhysAddr pa = 0;
  };
  /// The first byte of an access that is refused.
  struct Refusal {
    VirtAddr at;
    Fault fault;
    AccessKind kind;
  };

  /// With an MPU at every level.
  virtual Verdict judge(const Question& q) const {
    const mpu_oracle::Outcome outcome = mpu_oracle::resolve(state, {.at_el2 = q.el == El::el2,
                                                                    .address = q.va,
                                                                    .kind = q.kind,
                                                                    .privileged = q.privileged,
                                                                    .pan = q.pan});
    if (outcome.ok) return {std::nullopt, q.va};
    return {Fault{.kind = outcome.fault, .stage2 = outcome.stage2, .ipa = q.va}};
  }
  virtual std::string describe_more() const { return {}; }

  void prepare(PhysAddr bytes, unsigned first_free) {
    window_bytes = bytes;
    first_free_region = first_free;
    make_r82();
    list_registers();
    // X26 and X27 are where EL2 waits and with which PSTATE; X29 leaves fetched code.
    put(kCode, Code().add({a64::mrs(17, kTpidr), a64::kWfi, a64::br(0)}));
    Code writes;
    for (SysReg reg : registers) writes.add({a64::msr(reg, 1), kBrX27});
    put(kRoutines, writes);
    put_accesses();
    put_vectors();
    // Runs of code that leave at the end of every second granule. What X9 is given tells the
    // granule.
    Code window;
    for (unsigned n = 0; n < window_bytes / 4; ++n) {
      window.add({n % 32 == 31 ? kBrX29 : a64::add(9, 9, step_of(kWindow + 4 * n))});
    }
    put(kWindow, window);

    cpu().power_on(kCode, El::el2, 0);
    cpu().set_x(26, kEl2hMasked);
    cpu().set_x(27, kCode);
    step();
    state = {};
    state.el1.assign(kRegions, {});
    state.el2.assign(kRegions, {});
    state.map = {{0, 0x7fff'ffff, 0xff, 0, true},
                 {0x8000'0000, 0xbfff'ffff, 0x04, 2, false},
                 {0xc000'0000, 0xffff'ffff, 0x00, 2, false},
                 {0x1'0000'0000, ~0ull, 0xff, 0, true}};
    write(reg::VBAR_EL2, kEl2Vectors);
    write(reg::VBAR_EL1, kEl1Vectors);
    state.sctlr_el1 = state.sctlr_el2 = 0x30c50830;
    write(reg::SCTLR_EL1, state.sctlr_el1);
    write(reg::SCTLR_EL2, state.sctlr_el2);
    write(reg::HCR_EL2, kHcrRw);
    write(reg::CPACR_EL1, 3u << 20);
    write(reg::CPTR_EL2, 0x33ff & ~0x400u);
    // Region 0 of both holds the harness, and no other region reaches it.
    for (bool el2 : {false, true}) {
      write(el2 ? reg::PRSELR_EL2 : reg::PRSELR_EL1, 0);
      set_region(el2, 0, true, kRam | kCodeAll, false);
      set_region(el2, 0, false, (kRam + 0xffc0) | 1, false);
      for (unsigned n = 1; n < kRegions; ++n) set_region(el2, n, true, kWindow, true);
    }
  }

  /// The registers that the fuzz writes, X1 holding the value.
  void list_registers() {
    registers = {reg::SCTLR_EL1, reg::SCTLR_EL2, reg::MAIR_EL1,  reg::MAIR_EL2,   reg::HCR_EL2,
                 reg::VSTCR_EL2, reg::PRENR_EL1, reg::PRENR_EL2, reg::PRSELR_EL1, reg::PRSELR_EL2,
                 reg::PRBAR_EL1, reg::PRLAR_EL1, reg::PRBAR_EL2, reg::PRLAR_EL2};
    for (unsigned n = 1; n < kRegions; ++n) {
      for (SysReg reg :
           {reg::PRBARn_EL1(n), reg::PRLARn_EL1(n), reg::PRBARn_EL2(n), reg::PRLARn_EL2(n)}) {
        registers.push_back(reg);
      }
    }
  }
  void put_accesses() {
    using namespace a64;
    Code accesses[3];
    for (unsigned form = 0; form <= kFetch; ++form) {
      const Word word = form == kFetch ? br(1) : kForms[form].word;
      for (Code& code : accesses) code.add({word, add(13, 13, 1), msr(kTpidr, 13)});
      accesses[0].add({svc(0)});
      accesses[1].add({hvc(0)});
      accesses[2].add({kBrX27});
    }
    put(kAccessesEl0, accesses[0].add({svc(0)}));
    put(kAccessesEl1, accesses[1].add({hvc(0)}));
    put(kAccessesEl2, accesses[2].add({msr(reg::SPSR_EL2, 5), msr(reg::ELR_EL2, 6), kEret}));
  }
  void put_vectors() {
    using namespace a64;
    Code el1, el2;
    for (unsigned slot = 0; slot < 16; ++slot) {
      el1.add({mrs(10, reg::ESR_EL1), mrs(11, reg::ELR_EL1), mrs(12, reg::FAR_EL1), hvc(1)});
      el2.add({mrs(20, reg::ESR_EL2), mrs(21, reg::ELR_EL2), mrs(23, reg::FAR_EL2),
               mrs(24, reg::HPFAR_EL2), msr(reg::SPSR_EL2, 26), msr(reg::ELR_EL2, 27), movz(25, 2),
               kEret});
      el1.words.resize((slot + 1) * 32, kNop);
      el2.words.resize((slot + 1) * 32, kNop);
    }
    put(kEl1Vectors, el1);
    put(kEl2Vectors, el2);
  }
  /// What an instruction of the window adds to X9.
  static a64::Word step_of(PhysAddr pa) { return static_cast<a64::Word>(1 + (pa - kWindow) / 64); }

  /// Goes on from a WFI to the next.
  void step() {
    const PauseReason reason = run(1000);
    if (reason != PauseReason::wait_for_interrupt || cpu().pc() != kCode + 8) {
      ADD_FAILURE() << "the harness went astray\n" << cpu().describe();
      lost = true;
    }
    sink.events.clear();
  }
  void call(VirtAddr routine) {
    cpu().set_x(0, routine);
    cpu().set_x(25, 0);
    step();
  }
  void write(SysReg reg, std::uint64_t value) {
    for (unsigned n = 0; n < registers.size(); ++n) {
      if (registers[n] != reg) continue;
      cpu().set_x(1, value);
      return call(kRoutines + 8 * n);
    }
    registers.push_back(reg);
    put(kRoutines + 8 * (registers.size() - 1), Code({a64::msr(reg, 1), kBrX27}));
    write(reg, value);
  }

  void set_region(bool el2, unsigned n, bool base, std::uint64_t value, bool by_index) {
    mpu_oracle::RawRegion& region = (el2 ? state.el2 : state.el1)[n];
    (base ? region.prbar : region.prlar) = value;
    if (by_index && n != 0) {
      write(el2 ? (base ? reg::PRBARn_EL2(n) : reg::PRLARn_EL2(n))
                : (base ? reg::PRBARn_EL1(n) : reg::PRLARn_EL1(n)),
            value);
      return;
    }
    write(el2 ? reg::PRSELR_EL2 : reg::PRSELR_EL1, n);
    write(el2 ? (base ? reg::PRBAR_EL2 : reg::PRLAR_EL2) : (base ? reg::PRBAR_EL1 : reg::PRLAR_EL1),
          value);
    write(el2 ? reg::PRSELR_EL2 : reg::PRSELR_EL1, 0);
  }
  /// Sets EN of all regions; `mask` has those of the harness set.
  void enable_regions(bool el2, std::uint64_t mask) {
    mpu_oracle::Regions& regions = el2 ? state.el2 : state.el1;
    for (unsigned n = 0; n < kRegions; ++n) {
      regions[n].prlar = (regions[n].prlar & ~1ull) | (mask >> n & 1);
    }
    write(el2 ? reg::PRENR_EL2 : reg::PRENR_EL1, mask & 0xffff);
  }
  void change_region(Dice& dice) {
    const bool el2 = dice.percent(50), by_index = dice.percent(50);
    const unsigned first = el2 ? first_free_region : 1;
    const unsigned n = first + static_cast<unsigned>(dice.below(kRegions - first));
    const std::uint64_t scale = window_bytes / 0x8000;
    constexpr std::array<std::uint64_t, 6> kSizes = {64, 128, 0x400, 0x1000, 0x2000, 0x6000};
    const std::uint64_t base =
        kWindow +
        (dice.percent(40) ? dice.below(8 * scale) * 0x1000 : dice.below(window_bytes)) / 64 * 64;
    std::uint64_t size = kSizes[dice.below(6)];
    if (size >= 0x1000) size *= 1 + dice.below(scale);
    std::uint64_t limit = base + size - 64;
    if (dice.percent(3)) limit = kWindow + dice.below(window_bytes) / 64 * 64;
    if (dice.percent(2)) limit = 0xff'ffff'ffc0;
    if (dice.percent(80)) set_region(el2, n, true, base | dice.below(64), by_index);
    set_region(el2, n, false, limit | (dice.below(32) & ~1ull) | (dice.percent(80) ? 1 : 0),
               by_index);
  }
  static std::uint64_t some_sctlr(Dice& dice) {
    constexpr std::uint64_t kM = 1, kC = 4, kBr = 1 << 17, kWxn = 1 << 19;
    return 0x30c50830 | (dice.percent(90) ? kM : 0) | (dice.percent(70) ? kC : 0) |
           (dice.percent(30) ? kBr : 0) | (dice.percent(20) ? kWxn : 0);
  }

  std::optional<Refusal> refusal(Question q, unsigned bytes) const {
    const VirtAddr from = q.va, end = from + bytes;
    for (VirtAddr at = from; at != end; at = std::min((at | 63) + 1 - from, end - from) + from) {
      q.va = at;
      if (const Verdict verdict = judge(q); verdict.fault) {
        return Refusal{at, *verdict.fault, q.kind};
      }
    }
    return std::nullopt;
  }
  /// Where each byte is that the access may reach, up to the first that it may not.
  std::vector<PhysAddr> places(Question q, unsigned bytes) const {
    std::vector<PhysAddr> found;
    const VirtAddr from = q.va;
    for (unsigned n = 0; n < bytes; ++n) {
      q.va = from + n;
      if (n == 0 || q.va % 64 == 0) {
        const Verdict verdict = judge(q);
        if (verdict.fault) break;
        found.push_back(verdict.pa);
      } else {
        found.push_back(found.back() + 1);
      }
    }
    return found;
  }

  /// What the CPU reported of the last access: its target level, or nothing.
  struct Seen {
    std::optional<El> target;
    std::uint64_t esr = 0, far = 0, elr = 0, hpfar = 0;
  };
  Seen seen() {
    if (cpu().x(25) == 0) return {};
    const bool hvc = esr::class_of(cpu().x(20)) == ExceptionClass::hvc64;
    if (!hvc) return {El::el2, cpu().x(20), cpu().x(23), cpu().x(21), cpu().x(24)};
    if (esr::iss_of(cpu().x(20)) == 0) return {};
    if (esr::class_of(cpu().x(10)) == ExceptionClass::svc64) return {};
    return {El::el1, cpu().x(10), cpu().x(12), cpu().x(11), 0};
  }

  static VirtAddr code_of(El el, unsigned form) {
    constexpr VirtAddr kCodes[] = {kAccessesEl0, kAccessesEl1, kAccessesEl2};
    return kCodes[static_cast<unsigned>(el)] + kStride * form;
  }
  Question question(El el, unsigned form, VirtAddr va, bool pan, bool write) const {
    Question q{.el = el,
               .kind = write ? AccessKind::write : AccessKind::read,
               .privileged = el != El::el0,
               .pan = pan,
               .va = va};
    if (form == kFetch) {
      q.kind = AccessKind::fetch;
    } else if (kForms[form].unprivileged && el != El::el2) {
      q.privileged = q.pan = false;
    }
    return q;
  }

  struct Try {
    El el;
    unsigned form;
    VirtAddr va;
    bool pan;
  };
  void access(const Try& t, Dice& dice) {
    // Stores change memory every other time; it is put back.
    std::uint64_t data[2] = {dice.word(), dice.word()};
    std::vector<PhysAddr> where;
    std::uint8_t before[16] = {};
    if (t.form != kFetch) {
      where =
          places(question(t.el, t.form, t.va, t.pan, kForms[t.form].writes), kForms[t.form].bytes);
      for (unsigned n = 0; n < where.size(); ++n) bus.read(where[n], &before[n], 1);
      if (dice.percent(50) || !kForms[t.form].writes) std::memcpy(data, before, sizeof data);
    }
    cpu().set_x(1, t.va);
    cpu().set_x(2, data[0]);
    cpu().set_x(3, data[1]);
    if (t.form != kFetch && !kForms[t.form].writes) cpu().set_x(2, ~data[0]);
    cpu().set_x(9, 0);
    cpu().set_x(13, ++accesses_made);
    cpu().set_x(29, t.el == El::el2 ? kCode : code_of(t.el, kFetch + 1));
    if (t.el == El::el2) {
      call(code_of(t.el, t.form));
    } else {
      cpu().set_x(5, (t.el == El::el1 ? kEl1hMasked : kEl0Masked) | (t.pan ? 1u << 22 : 0));
      cpu().set_x(6, code_of(t.el, t.form));
      call(code_of(El::el2, kFetch + 1));
    }
    if (lost) return;
    compare(t);
    if (t.form != kFetch) check_memory(t, where, before, data);
  }

  void check_memory(const Try& t, const std::vector<PhysAddr>& where, const std::uint8_t* before,
                    const std::uint64_t* data) {
    const Form& form = kForms[t.form];
    const bool done = cpu().x(13) == accesses_made + 1;
    std::uint8_t registers_hold[16];
    const std::uint64_t x[2] = {cpu().x(2), cpu().x(3)};
    std::memcpy(registers_hold, x, sizeof x);
    for (unsigned n = 0; n < where.size(); ++n) {
      std::uint8_t now = 0, given = 0;
      bus.read(where[n], &now, 1);
      std::memcpy(&given, reinterpret_cast<const std::uint8_t*>(data) + n, 1);
      if (form.writes && form.reads) {
        EXPECT_EQ(now, before[n]) << "LDADD of zero";
      } else if (form.writes && (done || now != before[n])) {
        EXPECT_EQ(now, given) << "stored" << describe(t);
        // Of a store that faults what lies before the end of a page may have been done, and the first
        // of the two accesses that a pair is (DDI 0487 B2.2.1).
        const bool crosses =
            form.bytes == 16 || ((t.va ^ (t.va + form.bytes - 1)) & ~0xfffull) != 0;
        EXPECT_TRUE(done || crosses) << describe(t);
      }
      if (form.reads && done && t.form != kLdrQForm) {
        EXPECT_EQ(registers_hold[n], before[n]) << "loaded" << describe(t);
      }
      if (now == before[n]) continue;
      bus.write(where[n], &before[n], 1);
      complex->memory_written(where[n], 1);
    }
  }

  /// The refusal that is expected of the access itself.
  std::optional<Refusal> expected_of(const Try& t) {
    const Question q = question(t.el, t.form, t.va, t.pan, false);
    if (t.form == kFetch) {
      const VirtAddr end = (t.va | 127) + 1;
      const auto refused = refusal(q, static_cast<unsigned>(end - t.va));
      const std::vector<PhysAddr> ran = places(q, static_cast<unsigned>(end - 4 - t.va));
      std::uint64_t sum = 0;
      for (std::size_t n = 0; n < ran.size(); n += 4) sum += step_of(ran[n]);
      EXPECT_EQ(cpu().x(9), sum) << "instructions ran" << describe(t);
      return refused;
    }
    std::optional<Refusal> refused;
    if (kForms[t.form].reads) refused = refusal(q, kForms[t.form].bytes);
    if (kForms[t.form].writes && !refused) {
      refused = refusal(question(t.el, t.form, t.va, t.pan, true), kForms[t.form].bytes);
    }
    return refused;
  }

  std::uint64_t syndrome(const Refusal& refused, const Try& t, bool same_el) const {
    const Fault& fault = refused.fault;
    if (refused.kind == AccessKind::fetch) {
      return esr::instruction_abort(
          {.same_el = same_el, .status = fault.fsc(), .stage1_walk = fault.s1ptw});
    }
    DataAbort abort{.same_el = same_el,
                    .status = fault.fsc(),
                    .write = refused.kind == AccessKind::write,
                    .stage1_walk = fault.s1ptw,
                    .access = {}};
    if (fault.stage2 && !fault.s1ptw) {
      abort.access = access_syndrome(*decode_load_store(kForms[t.form].word));
    }
    return esr::data_abort(abort);
  }

  /// A fetch of the harness itself, at EL1 or EL0, which only a table walk can be refused.
  std::optional<Refusal> harness_fetch(El el, VirtAddr pc) const {
    return refusal(
        {.el = el, .kind = AccessKind::fetch, .privileged = el != El::el0, .pan = false, .va = pc},
        4);
  }

  void compare(const Try& t) {
    std::optional<Refusal> expected;
    El from = t.el;
    bool done = false;
    if (t.el != El::el2) expected = harness_fetch(t.el, code_of(t.el, t.form));
    if (!expected) {
      expected = expected_of(t);
      done = !expected && t.form != kFetch;
    }
    // An exception to EL1 has to fetch its vector.
    const bool svc_follows = !expected && t.el == El::el0;
    if (t.el != El::el2 && (svc_follows || (expected && !expected->fault.stage2))) {
      const auto vector =
          harness_fetch(El::el1, kEl1Vectors + (t.el == El::el1 ? kFromSpx : kFromLower));
      if (vector) {
        expected = vector;
        from = El::el1;
      }
    }
    ++ends[expected ? name_of(expected->fault) : "allowed"];
    const Seen got = seen();
    if (t.form != kFetch) {
      EXPECT_EQ(cpu().x(13), accesses_made + (done ? 1 : 0)) << describe(t);
      EXPECT_EQ(cpu().x(17) == accesses_made + 1, done) << describe(t);
    }
    if (!expected) {
      EXPECT_FALSE(got.target) << describe(t) << esr::describe(got.esr);
      return;
    }
    const Fault& fault = expected->fault;
    const El target = from == El::el2 || fault.stage2 ? El::el2 : El::el1;
    if (expected->kind == AccessKind::fetch) {
      EXPECT_EQ(got.elr, expected->at) << describe(t);
    }
    ASSERT_EQ(got.target, target) << describe(t) << esr::describe(got.esr);
    EXPECT_EQ(got.esr, syndrome(*expected, t, target == from)) << describe(t);
    EXPECT_EQ(got.far, expected->at) << describe(t);
    if (fault.stage2) {
      EXPECT_EQ(got.hpfar, (fault.ipa & ~0xfffull) >> 8) << describe(t);
    }
  }

  static std::string name_of(const Fault& fault) {
    constexpr const char* kNames[] = {"address size", "translation",      "access flag",
                                      "permission",   "external on walk", "alignment"};
    return std::string(kNames[static_cast<unsigned>(fault.kind)]) + (fault.s1ptw    ? " of a walk"
                                                                     : fault.stage2 ? " in stage 2"
                                                                                    : "");
  }
  std::string describe(const Try& t) const {
    std::ostringstream text;
    text << std::hex << "\nEL" << static_cast<unsigned>(t.el) << (t.pan ? " PAN" : "") << " form "
         << t.form << " at " << t.va << ", SCTLR_EL1 " << state.sctlr_el1 << " SCTLR_EL2 "
         << state.sctlr_el2 << " HCR " << state.hcr << " VSTCR " << state.vstcr << "\n"
         << describe_more();
    for (const auto* regions : {&state.el1, &state.el2}) {
      for (const mpu_oracle::RawRegion& region : *regions) {
        if (region.prlar & 1) text << "  " << region.prbar << " " << region.prlar << "\n";
      }
      text << "  --\n";
    }
    return text.str();
  }

  virtual void begin(Dice& dice) = 0;
  virtual void change(Dice& dice) = 0;
  virtual Try choose(Dice& dice) = 0;

  /// `name`_CASES accesses from the seeds `name`_SEED on, or for `name`_SECONDS of CPU time.
  void fuzz(const std::string& name, std::uint64_t cases, std::uint64_t cases_of_a_seed) {
    const std::uint64_t seconds = from_environment(name + "_SECONDS", 0);
    cases = seconds ? ~0ull : from_environment(name + "_CASES", cases);
    const std::uint64_t first = from_environment(name + "_SEED", 1);
    std::uint64_t seed = first, done = 0;
    for (; done < cases; done += cases_of_a_seed, ++seed) {
      if (seconds && static_cast<std::uint64_t>(std::clock() / CLOCKS_PER_SEC) >= seconds) break;
      if (seconds && done % 1'000'000 < cases_of_a_seed) {
        std::cout << done << " accesses from seed " << first << " on" << std::endl;
      }
      SCOPED_TRACE(name + "_SEED=" + std::to_string(seed));
      Dice dice(seed);
      begin(dice);
      for (unsigned n = 0; n < 24; ++n) change(dice);
      for (std::uint64_t n = 0; n < std::min(cases_of_a_seed, cases - done); ++n) {
        if (dice.percent(30)) change(dice);
        access(choose(dice), dice);
        if (HasFailure()) return;
      }
    }
    if (!seconds) return;
    std::cout << done << " accesses, seeds " << first << " to " << seed - 1 << "\n";
    for (const auto& [end, count] : ends) std::cout << "  " << end << ": " << count << "\n";
  }

  PhysAddr window_bytes = 0;
  unsigned first_free_region = 1;  ///< Of EL2; the regions before it are the harness's.
  std::vector<SysReg> registers;
  mpu_oracle::State state;
  bool lost = false;
  std::uint64_t accesses_made = 0;
  std::map<std::string, std::uint64_t> ends;  ///< How many accesses ended so.
};

}  // namespace trapline::test
