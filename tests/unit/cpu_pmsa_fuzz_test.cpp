// The MPUs as programs meet them, against the oracle: random writes of PR* and control registers,
// then random accesses at EL2, EL1 and EL0, all executed by the CPU.
//
// TRAPLINE_PMSA_FUZZ_CASES sets the number of accesses, TRAPLINE_PMSA_FUZZ_SEED the first seed.
#include <array>
#include <cstdlib>
#include <sstream>

#include "sim/arch/load_store.h"
#include "tests/unit/cpu_pmsa_fixture.h"
#include "tests/unit/mpu_oracle.h"

namespace trapline::test {
namespace {

using namespace a64;
using mpu_oracle::Outcome;
using mpu_oracle::RawRegion;
using mpu_oracle::State;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
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

constexpr unsigned kRegions = 16;
constexpr PhysAddr kWindow = kData, kWindowBytes = 0x8000;
constexpr PhysAddr kRoutines = kCode + 0x100, kAccessesEl2 = kCode + 0x1000, kAccessesEl1 = kGuest,
                   kAccessesEl0 = kUser;
/// Behind each access, in its block, come two instructions of which nothing may remain if it
/// faults.
constexpr unsigned kStride = 16;
constexpr SysReg kTpidr = sysreg(3, 3, 13, 0, 2);
constexpr Word kBrX27 = 0xd61f0360, kBrX29 = 0xd61f03a0;

/// One form of access: its word with the address in X1 and data in X2.
struct Form {
  Word word;
  unsigned bytes;
  bool reads, writes, unprivileged;
};

constexpr Form kForms[] = {
    {mem(kLdr, 2, 1), 8, true, false, false},   {mem(kStr, 2, 1), 8, false, true, false},
    {mem(kLdrW, 2, 1), 4, true, false, false},  {mem(kStrW, 2, 1), 4, false, true, false},
    {mem(kLdrh, 2, 1), 2, true, false, false},  {mem(kStrh, 2, 1), 2, false, true, false},
    {mem(kLdrb, 2, 1), 1, true, false, false},  {mem(kStrb, 2, 1), 1, false, true, false},
    {ldp(2, 3, 1), 16, true, false, false},     {stp(2, 3, 1), 16, false, true, false},
    {mem(kLdtr, 2, 1), 8, true, false, true},   {mem(kSttr, 2, 1), 8, false, true, true},
    {mem(kLdrQ, 2, 1), 16, true, false, false}, {ldadd(31, 2, 1), 8, true, true, false},
};
constexpr unsigned kFetch = std::size(kForms);  ///< BR X1.

/// The registers that the fuzz writes, X1 holding the value.
std::vector<SysReg> written_registers() {
  std::vector<SysReg> registers = {reg::SCTLR_EL1,  reg::SCTLR_EL2,  reg::MAIR_EL1,  reg::MAIR_EL2,
                                   reg::HCR_EL2,    reg::VSTCR_EL2,  reg::PRENR_EL1, reg::PRENR_EL2,
                                   reg::PRSELR_EL1, reg::PRSELR_EL2, reg::PRBAR_EL1, reg::PRLAR_EL1,
                                   reg::PRBAR_EL2,  reg::PRLAR_EL2};
  for (unsigned n = 1; n < kRegions; ++n) {
    for (SysReg reg :
         {reg::PRBARn_EL1(n), reg::PRLARn_EL1(n), reg::PRBARn_EL2(n), reg::PRLARn_EL2(n)}) {
      registers.push_back(reg);
    }
  }
  return registers;
}

class PmsaFuzz : public PmsaTest {
 protected:
  void prepare() {
    make_r82();
    registers = written_registers();
    // X26 and X27 are where EL2 waits and with which PSTATE; X29 leaves fetched code.
    put(kCode, Code().add({mrs(17, kTpidr), kWfi, br(0)}));
    Code writes;
    for (SysReg reg : registers) writes.add({msr(reg, 1), kBrX27});
    put(kRoutines, writes);
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
    // Runs of code that leave at the end of every second granule.
    Code window;
    for (unsigned n = 0; n < kWindowBytes / 4; ++n) {
      window.add({n % 32 == 31 ? kBrX29 : add(9, 9, 1)});
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
    put(kRoutines + 8 * (registers.size() - 1), Code({msr(reg, 1), kBrX27}));
    write(reg, value);
  }

  void set_region(bool el2, unsigned n, bool base, std::uint64_t value, bool by_index) {
    RawRegion& region = (el2 ? state.el2 : state.el1)[n];
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

  void change(Dice& dice) {
    switch (dice.below(12)) {
      case 0:
      case 1:
        return change_controls(dice);
      case 2:
      case 3:
      case 4: {
        const bool el2 = dice.percent(50);
        mpu_oracle::Regions& regions = el2 ? state.el2 : state.el1;
        const std::uint64_t mask = dice.word() | dice.word() | 1;
        for (unsigned n = 0; n < kRegions; ++n) {
          regions[n].prlar = (regions[n].prlar & ~1ull) | (mask >> n & 1);
        }
        return write(el2 ? reg::PRENR_EL2 : reg::PRENR_EL1, mask & 0xffff);
      }
      default:
        break;
    }
    const bool el2 = dice.percent(50), by_index = dice.percent(50);
    const unsigned n = 1 + static_cast<unsigned>(dice.below(kRegions - 1));
    constexpr std::array<std::uint64_t, 6> kSizes = {64, 128, 0x400, 0x1000, 0x2000, 0x6000};
    const std::uint64_t base =
        kWindow + (dice.percent(40) ? dice.below(8) * 0x1000 : dice.below(0x8000)) / 64 * 64;
    std::uint64_t limit = base + kSizes[dice.below(6)] - 64;
    if (dice.percent(3)) limit = kWindow + dice.below(0x8000) / 64 * 64;
    if (dice.percent(2)) limit = 0xff'ffff'ffc0;
    if (dice.percent(80)) set_region(el2, n, true, base | dice.below(64), by_index);
    set_region(el2, n, false, limit | (dice.below(32) & ~1ull) | (dice.percent(80) ? 1 : 0),
               by_index);
  }

  void change_controls(Dice& dice) {
    constexpr std::uint64_t kM = 1, kC = 4, kBr = 1 << 17, kWxn = 1 << 19;
    const auto sctlr = [&] {
      return 0x30c50830 | (dice.percent(90) ? kM : 0) | (dice.percent(70) ? kC : 0) |
             (dice.percent(30) ? kBr : 0) | (dice.percent(20) ? kWxn : 0);
    };
    switch (dice.below(5)) {
      case 0:
        return write(reg::SCTLR_EL1, state.sctlr_el1 = sctlr());
      case 1:
        return write(reg::SCTLR_EL2, state.sctlr_el2 = sctlr());
      case 2:
      case 3:
        state.hcr = (dice.percent(70) ? 1 : 0) | (dice.percent(6) ? 1 << 12 : 0);
        return write(reg::HCR_EL2, state.hcr | kHcrRw);
      default:
        return write(reg::VSTCR_EL2, state.vstcr = dice.percent(25) ? 1 << 20 : 0);
    }
  }

  /// The first byte of an access that is refused.
  struct Refusal {
    VirtAddr at;
    Outcome outcome;
    bool write;
  };
  std::optional<Refusal> refusal(mpu_oracle::Access access, VirtAddr from, unsigned bytes) const {
    const VirtAddr end = from + bytes;
    for (VirtAddr at = from; at < end; at = (at | 63) + 1) {
      access.address = at;
      const Outcome outcome = mpu_oracle::resolve(state, access);
      if (!outcome.ok) return Refusal{at, outcome, access.kind == AccessKind::write};
    }
    return std::nullopt;
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

  void access(Dice& dice) {
    const El el = static_cast<El>(dice.below(3));
    const auto form = static_cast<unsigned>(dice.below(kFetch + 5));
    const bool pan = el == El::el1 && dice.percent(30);
    VirtAddr va = kWindow + dice.below(kWindowBytes - 16);
    if (dice.percent(50)) va = (va & ~63ull) - dice.below(16) + 8;
    if (dice.percent(50) || form >= kFetch) va &= ~7ull;
    va = std::max(va, kWindow);
    if (dice.percent(60) && form < kFetch) va -= va % kForms[form].bytes;
    // The engine checks the alignment of what is atomic itself.
    if (form < kFetch && kForms[form].reads && kForms[form].writes) va &= ~7ull;

    const unsigned at = std::min(form, kFetch);
    cpu().set_x(1, va);
    std::uint64_t content[2] = {};
    bus.read(va, content, sizeof content);
    cpu().set_x(2, content[0]);
    cpu().set_x(3, content[1]);
    cpu().set_x(9, 0);
    cpu().set_x(13, ++accesses_made);
    const VirtAddr leave = (el == El::el0 ? kAccessesEl0 : kAccessesEl1) + kStride * (kFetch + 1);
    cpu().set_x(29, el == El::el2 ? kCode : leave);
    if (el == El::el2) {
      call(kAccessesEl2 + kStride * at);
    } else {
      cpu().set_x(5, (el == El::el1 ? kEl1hMasked : kEl0Masked) | (pan ? 1u << 22 : 0));
      cpu().set_x(6, (el == El::el1 ? kAccessesEl1 : kAccessesEl0) + kStride * at);
      call(kAccessesEl2 + kStride * (kFetch + 1));
    }
    if (lost) return;
    compare(el, at, va, pan);
  }

  void compare(El el, unsigned form, VirtAddr va, bool pan) {
    mpu_oracle::Access access{.at_el2 = el == El::el2,
                              .kind = AccessKind::fetch,
                              .privileged = el != El::el0,
                              .pan = pan};
    std::optional<Refusal> expected;
    Word word = 0;
    if (form == kFetch) {
      const VirtAddr end = (va | 127) + 1;
      expected = refusal(access, va, static_cast<unsigned>(end - va));
      EXPECT_EQ(cpu().x(9), ((expected ? expected->at : end - 4) - va) / 4) << "instructions ran";
    } else {
      word = kForms[form].word;
      if (kForms[form].unprivileged && el != El::el2) {
        access.privileged = false;
        access.pan = false;
      }
      access.kind = AccessKind::read;
      if (kForms[form].reads) expected = refusal(access, va, kForms[form].bytes);
      access.kind = AccessKind::write;
      if (kForms[form].writes && !expected) expected = refusal(access, va, kForms[form].bytes);
    }
    const Seen got = seen();
    if (form != kFetch) {
      const std::uint64_t behind = expected ? 0 : 1;
      EXPECT_EQ(cpu().x(13), accesses_made + behind) << describe(el, form, va, pan);
      EXPECT_EQ(cpu().x(17) == accesses_made + 1, behind == 1) << describe(el, form, va, pan);
    }
    if (!expected) {
      EXPECT_FALSE(got.target) << describe(el, form, va, pan) << esr::describe(got.esr);
      return;
    }
    const Outcome& outcome = expected->outcome;
    const El target = el == El::el2 || outcome.stage2 ? El::el2 : El::el1;
    const std::uint8_t status = Fault{.kind = outcome.fault}.fsc();
    std::uint64_t esr;
    if (form == kFetch) {
      esr = esr::instruction_abort({.same_el = target == el, .status = status});
      EXPECT_EQ(got.elr, expected->at) << describe(el, form, va, pan);
    } else {
      DataAbort abort{
          .same_el = target == el, .status = status, .write = expected->write, .access = {}};
      if (outcome.stage2) abort.access = access_syndrome(*decode_load_store(word));
      esr = esr::data_abort(abort);
    }
    ASSERT_EQ(got.target, target) << describe(el, form, va, pan);
    EXPECT_EQ(got.esr, esr) << describe(el, form, va, pan);
    EXPECT_EQ(got.far, expected->at) << describe(el, form, va, pan);
    if (outcome.stage2) {
      EXPECT_EQ(got.hpfar, (expected->at & ~0xfffull) >> 8) << describe(el, form, va, pan);
    }
  }

  std::string describe(El el, unsigned form, VirtAddr va, bool pan) const {
    std::ostringstream text;
    text << std::hex << "EL" << static_cast<unsigned>(el) << (pan ? " PAN" : "") << " form " << form
         << " at " << va << ", SCTLR_EL1 " << state.sctlr_el1 << " SCTLR_EL2 " << state.sctlr_el2
         << " HCR " << state.hcr << " VSTCR " << state.vstcr << "\n";
    for (const auto* regions : {&state.el1, &state.el2}) {
      for (const RawRegion& region : *regions) {
        if (region.prlar & 1) text << "  " << region.prbar << " " << region.prlar << "\n";
      }
      text << "  --\n";
    }
    return text.str();
  }

  std::vector<SysReg> registers;
  State state;
  bool lost = false;
  std::uint64_t accesses_made = 0;
};

TEST_F(PmsaFuzz, EveryAccessEndsAsTheOracleSays) {
  const std::uint64_t cases = from_environment("TRAPLINE_PMSA_FUZZ_CASES", 1'000'000);
  const std::uint64_t seed = from_environment("TRAPLINE_PMSA_FUZZ_SEED", 1);
  constexpr std::uint64_t kCasesOfASeed = 5'000;
  for (std::uint64_t done = 0; done < cases; done += kCasesOfASeed) {
    SCOPED_TRACE("TRAPLINE_PMSA_FUZZ_SEED=" + std::to_string(seed + done / kCasesOfASeed));
    Dice dice(seed + done / kCasesOfASeed);
    prepare();
    for (unsigned n = 0; n < 24; ++n) change(dice);
    for (std::uint64_t n = 0; n < std::min(kCasesOfASeed, cases - done); ++n) {
      if (dice.percent(30)) change(dice);
      access(dice);
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace trapline::test
