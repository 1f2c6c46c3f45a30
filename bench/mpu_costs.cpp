// What PMSAv8-64 costs the host: accesses to pages that regions split, and changes of regions.
//
// One Cortex-R82 runs small loops at EL2 and EL1. Each line is host nanoseconds an access or a
// change, less the same loop without it; the best of several rounds counts. --check fails where a
// bar is missed.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <vector>

#include "sim/bus/bus.h"
#include "sim/cpu/cpu.h"
#include "sim/time/timeline.h"
#include "sim/time/timing_model.h"
#include "sim/trace/hub.h"
#include "tests/unit/a64_code.h"

namespace trapline {
namespace {

using namespace test;
using namespace test::a64;

constexpr PhysAddr kRam = 0x4000'0000, kVectors = kRam + 0x2000, kCode = kRam + 0x4000,
                   kGuest = kRam + 0x8000, kData = kRam + 0x10'0000;
constexpr std::uint64_t kMpuOn = 0x30c50831, kHcrRw = 1ull << 31, kEl1h = 0x3c5;
constexpr unsigned kRounds = 5;

/// CPU time of this process, which other processes disturb less than the clock on the wall.
double cpu_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// A loop of `body`, `count` times, that ends in a WFI.
Code loop(const Code& body, std::uint64_t count) {
  Code code;
  code.mov(15, count).add(body).add({sub(15, 15, 1)});
  const int back = -static_cast<int>(body.words.size()) - 1;
  return code.add({cbnz(15, back), kWfi});
}

Code region(bool el2, unsigned n, std::uint64_t base, std::uint64_t bytes,
            std::uint64_t permissions, std::uint64_t enable = 1) {
  return Code()
      .set(el2 ? reg::PRSELR_EL2 : reg::PRSELR_EL1, n)
      .set(el2 ? reg::PRBAR_EL2 : reg::PRBAR_EL1, base | permissions)
      .set(el2 ? reg::PRLAR_EL2 : reg::PRLAR_EL1, ((base + bytes - 1) & ~0x3full) | enable);
}

Code mpu_on() {
  return Code()
      .set(reg::VBAR_EL2, kVectors)
      .set(reg::MAIR_EL2, 0xff)
      .add(region(true, 0, kRam, 0x10000, 0xc))
      .set(reg::SCTLR_EL2, kMpuOn)
      .add({kIsb});
}

constexpr Word eor(Word rd, Word rn, Word rm) {
  return 0xca000000 | rm << 16 | rn << 5 | rd;
}
constexpr Word addx(Word rd, Word rn, Word rm) {
  return 0x8b000000 | rm << 16 | rn << 5 | rd;
}
SysReg prbar(unsigned n) {
  return n == 0 ? SysReg(reg::PRBAR_EL2) : reg::PRBARn_EL2(n);
}
SysReg prlar(unsigned n) {
  return n == 0 ? SysReg(reg::PRLAR_EL2) : reg::PRLARn_EL2(n);
}

class Bench {
 public:
  explicit Bench(const char* model = "cortex-r82") {
    bus_.add_ram("ram", kRam, 0x100'0000);
    CpuConfig config;
    config.model = model;
    config.mpu.el1_regions = config.mpu.el2_regions = 32;
    complex_ = make_cpu_complex(
        {.bus = bus_, .timeline = timeline_, .events = events_, .timing = timing_}, {config});
  }
  void put(PhysAddr pa, const Code& code) {
    bus_.write(pa, code.words.data(), code.words.size() * 4);
    complex_->memory_written(pa, code.words.size() * 4);
  }
  /// Host nanoseconds of a run to the first WFI, the best of kRounds.
  double run(const Code& code) {
    double best = 1e18;
    put(kCode, code);
    for (unsigned round = 0; round < kRounds; ++round) {
      complex_->cpu(0).power_on(kCode, El::el2, 0);
      const double begin = cpu_nanoseconds();
      const PauseReason reason = complex_->cpu(0).run({.instructions = ~0ull});
      const double spent = cpu_nanoseconds() - begin;
      if (reason != PauseReason::wait_for_interrupt) {
        std::fprintf(stderr, "mpu_costs: the guest went astray\n%s",
                     complex_->cpu(0).describe().c_str());
        std::exit(1);
      }
      best = std::min(best, spent);
    }
    return best;
  }

 private:
  Bus bus_;
  Timeline timeline_;
  EventHub events_;
  UnitTiming timing_;
  std::unique_ptr<CpuComplex> complex_;
};

bool report(const char* what, double value, double bar, const char* unit) {
  const bool good = value <= bar;
  std::printf("%-44s %8.1f %-3s (bar %g)%s\n", what, value, unit, bar, good ? "" : "  MISSED");
  return good;
}

/// One access in a loop: host nanoseconds for it. `split` puts the boundary of two regions in its
/// page.
double access_cost(Bench& bench, Word access, bool split, std::uint64_t count) {
  Code setup = mpu_on();
  setup.add(region(true, 1, kData, split ? 0x840 : 0x1000, 0x3)).mov(1, kData + 0x100);
  const double with = bench.run(Code(setup).add(loop(Code({mem(access, 2, 1)}), count)));
  const double without = bench.run(Code(setup).add(loop(Code({kNop}), count)));
  return (with - without) / static_cast<double>(count);
}

/// Recursive Fibonacci numbers: five instructions in sixteen are accesses to the stack, of two
/// words each, and they end with a loop of `work` rounds of four instructions a call.
double stack_cost(Bench& bench, bool split, unsigned work) {
  constexpr PhysAddr kFib = kRam + 0xc000;
  const Word code[] = {0xf100081f,
                       0x54000003 | 18 << 5,  // CMP X0, #2; B.LO to RET
                       0xa9be7bfd,
                       0xa90153f3,  // STP X29, X30, [SP, #-32]!; STP X19, X20, [SP, #16]
                       add(19, 0, 0),
                       sub(0, 0, 1),
                       0x94000000 | (0x3ffffff & -6u),  // BL
                       add(20, 0, 0),
                       sub(0, 19, 2),
                       0x94000000 | (0x3ffffff & -9u),  // BL
                       addx(0, 0, 20),
                       movz(9, work),
                       add(10, 10, 1),
                       add(11, 11, 3),
                       sub(9, 9, 1),
                       cbnz(9, -3),
                       0xa94153f3,
                       0xa8c27bfd,  // LDP X19, X20, [SP, #16]; LDP X29, X30, [SP], #32
                       kNop,
                       ret()};
  Code fib;
  fib.words.assign(std::begin(code), std::end(code));
  bench.put(kFib, fib);
  Code setup = mpu_on();
  setup.add(region(true, 1, kData, split ? 0xfc0 : 0x1000, 0x3));
  setup.mov(1, kData + 0xfc0).add({mov_to_sp(1)}).mov(0, 20).mov(2, kFib);
  return bench.run(setup.add({blr(2), kWfi}));
}

/// Loops of arithmetic, loads and stores: nanoseconds on the Cortex-R82 and on a CPU without MPUs.
double speed(const char* model, bool mpu) {
  Bench bench(model);
  Code setup;
  if (mpu) setup = mpu_on().add(region(true, 1, kData, 0x10'0000, 0x3));
  Code body;
  body.mov(1, kData);
  for (unsigned page = 0; page < 8; ++page) {
    body.add({mem(kLdr, 2, 1), add(2, 2, 3), mem(kStr, 2, 1), add(3, 3, 1), add(1, 1, 0xff0)});
  }
  return bench.run(setup.add(loop(body, 1'000'000)));
}

/// A guest that calls its hypervisor, which switches its own and the guest's regions by PRENR at
/// each exit and entry, against one that leaves them alone. Each side touches `pages` pages.
double swap_cost(Bench& bench, bool swap, unsigned pages, std::uint64_t count) {
  Code handler;
  if (swap) handler.set(reg::PRENR_EL2, 1);
  if (swap) handler.set(reg::PRENR_EL2, 3);
  handler.add({kEret});
  bench.put(kVectors + 0x400, handler);
  Code touch;
  for (unsigned page = 0; page < pages; ++page) {
    touch.add({mem(kStr, 2, 1), add(1, 1, 0xff0)});
  }
  bench.put(kGuest, loop(Code().mov(1, kData).add(touch).add({hvc(0)}), count));
  return bench.run(mpu_on()
                       .add(region(true, 1, kData, 0x10'0000, 0x7))
                       .set(reg::HCR_EL2, kHcrRw | 1)
                       .enter(El::el2, kGuest, kEl1h)) /
         static_cast<double>(count);
}

/// The same with sixteen regions rewritten at each exit.
double rewrite_cost(Bench& bench, bool rewrite, unsigned pages, std::uint64_t count) {
  Code handler;
  constexpr PhysAddr kHandler = kRam + 0xa000;
  handler.mov(20, kHandler).add({br(20)});
  bench.put(kVectors + 0x400, handler);
  Code body;
  if (rewrite) {
    body.set(reg::PRSELR_EL2, 16);
    // Every other time they are 64 KiB further up, so that each rewrite changes all.
    body.mov(6, 0x1'0000).add({eor(7, 7, 6)});
    for (unsigned n = 0; n < 16; ++n) {
      const std::uint64_t base = kData + n * 0x8000;
      body.mov(8, base | 7).add({addx(8, 8, 7)}).add({msr(prbar(n), 8)});
      body.mov(8, (base + 0x7fc0) | 1).add({addx(8, 8, 7)}).add({msr(prlar(n), 8)});
    }
  }
  body.add({kEret});
  bench.put(kHandler, body);
  Code touch;
  for (unsigned page = 0; page < pages; ++page) {
    touch.add({mem(kStr, 2, 1), add(1, 1, 0xff0)});
  }
  bench.put(kGuest, loop(Code().mov(1, kData + 0x1'0000).add(touch).add({hvc(0)}), count));
  Code setup = mpu_on();
  for (unsigned n = 0; n < 16; ++n)
    setup.add(region(true, 16 + n, kData + n * 0x8000, 0x8000, 0x7));
  return bench.run(setup.set(reg::HCR_EL2, kHcrRw | 1).enter(El::el2, kGuest, kEl1h)) /
         static_cast<double>(count);
}

}  // namespace
}  // namespace trapline

int main(int argc, char** argv) {
  using namespace trapline;
  const bool check = argc > 1 && std::strcmp(argv[1], "--check") == 0;
  Bench bench;
  bool good = true;
  std::printf("%s\n", engine_version().c_str());
  report("load, page of one region", access_cost(bench, test::a64::kLdr, false, 1'000'000), 10,
         "ns");
  good &= report("load, split page", access_cost(bench, test::a64::kLdr, true, 100'000), 200, "ns");
  good &=
      report("store, split page", access_cost(bench, test::a64::kStr, true, 100'000), 200, "ns");
  const double idle = swap_cost(bench, false, 10, 20'000);
  report("exit and entry, nothing changed", idle / 1000, 5, "us");
  good &= report("two PRENR swaps and refills of 10 pages",
                 (swap_cost(bench, true, 10, 20'000) - idle) / 1000 / 2, 5, "us");
  const double still = rewrite_cost(bench, false, 10, 10'000);
  good &= report("16 regions rewritten and refills of 10 pages",
                 (rewrite_cost(bench, true, 10, 10'000) - still) / 1000, 20, "us");
  for (unsigned work : {1u, 25u, 100u}) {
    const double ratio = stack_cost(bench, true, work) / stack_cost(bench, false, work);
    char text[64];
    std::snprintf(text, sizeof text, "calls of %u instructions, split stack", 16 + 4 * work);
    good &= report(text, ratio, work == 100 ? 3 : 20, "x");
  }
  const double aligned = speed("max", false) / speed("cortex-r82", true);
  std::printf("%-44s %8.2f of the A-profile (bar 0.95)\n", "loads and stores, pages of one region",
              aligned);
  return check && !good ? 1 : 0;
}
