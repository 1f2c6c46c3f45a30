// The MPUs as programs meet them, against the oracle: random writes of PR* and control registers,
// then random accesses at EL2, EL1 and EL0, all executed by the CPU.
//
// TRAPLINE_PMSA_FUZZ_CASES sets the number of accesses, TRAPLINE_PMSA_FUZZ_SECONDS the CPU time
// instead, TRAPLINE_PMSA_FUZZ_SEED the first seed.
#include "tests/unit/cpu_mpu_fuzz.h"

namespace trapline::test {
namespace {

class PmsaFuzz : public MpuFuzz {
 protected:
  void begin(Dice&) override { prepare(0x8000, 1); }

  void change(Dice& dice) override {
    switch (dice.below(12)) {
      case 0:
      case 1:
        return change_controls(dice);
      case 2:
      case 3:
      case 4: {
        const bool el2 = dice.percent(50);
        return enable_regions(el2, dice.word() | dice.word() | 1);
      }
      default:
        return change_region(dice);
    }
  }

  void change_controls(Dice& dice) {
    switch (dice.below(5)) {
      case 0:
        return write(reg::SCTLR_EL1, state.sctlr_el1 = some_sctlr(dice));
      case 1:
        return write(reg::SCTLR_EL2, state.sctlr_el2 = some_sctlr(dice));
      case 2:
      case 3:
        state.hcr = (dice.percent(70) ? kVm : 0) | (dice.percent(6) ? kDc : 0);
        return write(reg::HCR_EL2, state.hcr | kHcrRw);
      default:
        return write(reg::VSTCR_EL2, state.vstcr = dice.percent(25) ? 1 << 20 : 0);
    }
  }

  Try choose(Dice& dice) override {
    const El el = static_cast<El>(dice.below(3));
    const auto form = static_cast<unsigned>(dice.below(kFetch + 5));
    const bool pan = el == El::el1 && dice.percent(30);
    VirtAddr va = kWindow + dice.below(window_bytes - 16);
    if (dice.percent(50)) va = (va & ~63ull) - dice.below(16) + 8;
    if (dice.percent(50) || form >= kFetch) va &= ~7ull;
    va = std::max(va, kWindow);
    if (dice.percent(60) && form < kFetch) va -= va % kForms[form].bytes;
    // The engine checks the alignment of what is atomic itself.
    if (form < kFetch && kForms[form].reads && kForms[form].writes) va &= ~7ull;
    return {el, std::min(form, kFetch), va, pan};
  }
};

TEST_F(PmsaFuzz, EveryAccessEndsAsTheOracleSays) {
  fuzz("TRAPLINE_PMSA_FUZZ", 1'000'000, 5'000);
}

}  // namespace
}  // namespace trapline::test
