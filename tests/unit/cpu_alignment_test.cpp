// Alignment checks: SCTLR_ELx.A, the stack pointer (SA, SA0), and atomics.
#include "tests/unit/cpu_fixture.h"

namespace trapline::test {
namespace {

using namespace a64;

constexpr std::uint64_t kSctlr = 0x30d1'0800, kA = 1u << 1, kSa = 1u << 3, kSa0 = 1u << 4;
constexpr Word kSp = 31;
constexpr Word kStrPreMinus8 = 0xf81f'8c00;  // str rt, [rn, #-8]!
constexpr Word kPrfm = 0xf980'0000;
constexpr Word kLdsmaxW = 0xb820'4000;
constexpr std::uint64_t kUnalignedRead = fsc::kAlignment,
                        kUnalignedWrite = fsc::kAlignment | 1u << 6;

class CpuAlignment : public CpuTest {
 protected:
  /// `guest` at EL1, or EL0, with this SCTLR_EL1 and X0 = kData + offset.
  void run_with(std::uint64_t sctlr, std::uint64_t offset, const Code& guest,
                std::uint64_t state = kEl1hMasked) {
    run_guest(Code().mov(0, kData + offset).add(guest), kHcrRw,
              Code().set(reg::SCTLR_EL1, kSctlr | sctlr).set(reg::CPACR_EL1, 3u << 20), state);
  }
  bool faulted(std::uint64_t expected_iss) {
    return vector_of(kEl1Vectors) && iss() == expected_iss &&
           (ec() == ExceptionClass::data_abort_same || ec() == ExceptionClass::data_abort_lower);
  }
  bool sp_faulted() { return vector_of(kEl1Vectors) && ec() == ExceptionClass::sp_alignment; }
  bool ended() { return !vector_of(kEl1Vectors) && !vector_of(kEl2Vectors); }
};

TEST_F(CpuAlignment, WithAEveryElementMustBeAligned) {
  make();
  const struct {
    Word word;
    unsigned alignment;
    bool write;
  } kCases[] = {
      {mem(kLdr, 1, 0), 8, false},   {mem(kStr, 1, 0), 8, true},   {mem(kLdrW, 1, 0), 4, false},
      {mem(kStrh, 1, 0), 2, true},   {ldp(1, 2, 0), 8, false},     {stp(1, 2, 0), 8, true},
      {mem(kLdrQ, 1, 0), 16, false}, {mem(kStrQ, 1, 0), 16, true}, {mem(kLd1, 1, 0), 1, false},
      {mem(kLdar, 1, 0), 8, false},  {mem(kStlr, 1, 0), 8, true},  {mem(kLdrb, 1, 0), 1, false}};
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.word);
    for (const unsigned offset : {1u, 2u, 4u, 8u, 16u}) {
      run_with(kA, offset, {c.word});
      if (offset % c.alignment == 0) {
        EXPECT_TRUE(ended()) << offset;
        continue;
      }
      EXPECT_TRUE(faulted(c.write ? kUnalignedWrite : kUnalignedRead)) << offset;
      EXPECT_EQ(far(), kData + offset);
      EXPECT_EQ(elr(), kGuest + 8);
    }
  }
}

TEST_F(CpuAlignment, TheFaultComesBeforeThoseOfTranslation) {
  make();
  run_guest(Code().mov(0, kHole + 1).add({mem(kLdr, 1, 0)}), kHcrRw,
            Code().set(reg::SCTLR_EL1, kSctlr | kA));
  EXPECT_TRUE(faulted(kUnalignedRead));
}

TEST_F(CpuAlignment, AccessesAreFreeWhileAIsClear) {
  make();
  run_with(0, 1, {mem(kLdr, 1, 0), ldp(1, 2, 0), mem(kStr, 1, 0)});
  EXPECT_TRUE(ended());
}

TEST_F(CpuAlignment, AIsLookedAtFromTheNextInstructionOn) {
  make();
  Code guest{mem(kLdr, 1, 0)};
  guest.set(reg::SCTLR_EL1, kSctlr | kA).add({kIsb, mem(kLdrb, 1, 0)});
  guest.set(reg::SCTLR_EL1, kSctlr).add({kIsb, mem(kLdr, 1, 0)});
  guest.set(reg::SCTLR_EL1, kSctlr | kA).add({kIsb});
  const VirtAddr last = kGuest + 8 + 4 * guest.words.size();
  run_with(0, 1, guest.add({mem(kLdr, 1, 0)}));
  EXPECT_TRUE(faulted(kUnalignedRead));
  EXPECT_EQ(elr(), last);
}

TEST_F(CpuAlignment, EachExceptionLevelHasItsOwn) {
  make();
  run_with(kA, 1, {mem(kLdr, 1, 0)}, kEl0Masked);
  EXPECT_TRUE(faulted(kUnalignedRead));
  EXPECT_EQ(vector_of(kEl1Vectors), kFromLower);
  run_code(Code().set(reg::SCTLR_EL1, kSctlr | kA).mov(0, kData + 1).add({mem(kLdr, 1, 0)}));
  EXPECT_TRUE(ended());
}

TEST_F(CpuAlignment, UnalignedSpFaultsAtItsUse) {
  make();
  const Word uses[] = {mem(kLdr, 1, kSp), mem(kStr, 1, kSp), stp(1, 2, kSp),
                       mem(kStrPreMinus8, 1, kSp)};
  for (const Word use : uses) {
    SCOPED_TRACE(use);
    run_with(kSa, 8, {mov_to_sp(0), kNop, use});
    EXPECT_TRUE(sp_faulted());
    EXPECT_EQ(elr(), kGuest + 16);
    run_with(0, 8, {mov_to_sp(0), kNop, use});
    EXPECT_TRUE(ended());
    run_with(kSa, 16, {mov_to_sp(0), kNop, use});
    EXPECT_TRUE(ended());
  }
}

TEST_F(CpuAlignment, SpBecomesUnalignedByArithmeticAndWriteback) {
  make();
  for (const Word cause : {sub(kSp, kSp, 8), add(kSp, kSp, 4), mem(kStrPreMinus8, 1, kSp)}) {
    SCOPED_TRACE(cause);
    run_with(kSa, 64, {mov_to_sp(0), cause, mem(kLdr, 1, kSp)});
    EXPECT_TRUE(sp_faulted());
    EXPECT_EQ(elr(), kGuest + 16);
  }
}

TEST_F(CpuAlignment, OnlyAccessesBySpAreChecked) {
  make();
  run_with(kSa, 8,
           {mov_to_sp(0), mov_from_sp(1), mem(kLdr, 2, 0), mem(kPrfm, 0, kSp), add(kSp, kSp, 8),
            mem(kLdr, 3, kSp)});
  EXPECT_TRUE(ended());
  EXPECT_EQ(cpu().x(1), kData + 8);
}

TEST_F(CpuAlignment, Sa0IsForEl0) {
  make();
  const Code guest{mov_to_sp(0), mem(kLdr, 1, kSp)};
  run_with(kSa0, 8, guest, kEl0Masked);
  EXPECT_TRUE(sp_faulted());
  run_with(kSa, 8, guest, kEl0Masked);
  EXPECT_TRUE(ended());
  run_with(kSa0, 8, guest);
  EXPECT_TRUE(ended());
}

TEST_F(CpuAlignment, AnExceptionReturnMayBringAnUnalignedSp) {
  make();
  run_guest({mem(kLdr, 1, kSp)}, kHcrRw,
            Code().set(reg::SCTLR_EL1, kSctlr | kSa).set(sysreg(3, 4, 4, 1, 0), kData + 8));
  EXPECT_TRUE(sp_faulted());
}

TEST_F(CpuAlignment, ChecksDoNotChangeTheCount) {
  make();
  run_with(0, 0, {mem(kLdr, 1, 0), ldp(1, 2, 0), b(1), mem(kStr, 1, 0)});
  const auto plain = cpu().counters().instructions;
  make();
  run_with(kA, 0, {mem(kLdr, 1, 0), ldp(1, 2, 0), b(1), mem(kStr, 1, 0)});
  EXPECT_EQ(cpu().counters().instructions, plain);
}

TEST_F(CpuAlignment, SignedExtremaAreCheckedAndNeedTheirFeature) {
  make({.model = "max"});
  run_with(0, 2, {mem(kLdsmaxW, 1, 0)});
  EXPECT_TRUE(faulted(kUnalignedRead));
  make();
  run_with(0, 0, {mem(kLdsmaxW, 1, 0)});
  EXPECT_EQ(ec(), ExceptionClass::unknown);
}

}  // namespace
}  // namespace trapline::test
