#include "sim/cpu/code_pages.h"

#include <gtest/gtest.h>

#include "sim/arch/registers.h"

namespace trapline {
namespace {

constexpr PhysAddr kBase = 0x4000'0000;
constexpr std::uint32_t kEret = 0xd69f03e0, kWfe = 0xd503205f, kYield = 0xd503203f,
                        kWfi = 0xd503207f, kNop = 0xd503201f, kSev = 0xd503209f,
                        kSevl = 0xd50320bf, kIsb = 0xd5033fdf, kSdiv = 0x9ac00c20;

std::uint32_t mrs(SysReg reg) { return sysreg_instruction({reg, true, 1}); }
std::uint32_t msr(SysReg reg) { return sysreg_instruction({reg, false, 1}); }

class CodePagesTest : public ::testing::Test {
 protected:
  CodePagesTest() {
    bus.add_ram("ram", kBase, 0x10000);
    bus.add_ram("rom", 0, 0x1000, true);
  }
  const CodePage& scan(const std::vector<std::uint32_t>& words) {
    bus.write(kBase, words.data(), words.size() * 4);
    CodePages::Slot& slot = *pages.slot(kBase);
    pages.drop(slot);
    return pages.code(kBase, slot);
  }
  Bus bus;
  TableTiming timing;
  CodePages pages{bus, timing, {}};
};

TEST_F(CodePagesTest, CostsAreSumsOfTheTimingModel) {
  const CodePage& page = scan({kNop, kSdiv, kNop});
  EXPECT_EQ(page.cost[0], 0u);
  EXPECT_EQ(page.cost[1], timing.cycles(kNop));
  EXPECT_EQ(page.cost[2] - page.cost[1], timing.cycles(kSdiv));
  EXPECT_EQ(page.cost[CodePage::kWords] - page.cost[1023], timing.cycles(0));
}

TEST_F(CodePagesTest, MarksAreCountedAboveTheCycles) {
  const CodePage& page = scan({kEret, kWfe, kYield, kNop, kSev, kSevl});
  constexpr std::uint32_t kCycles = CodePage::kMark - 1;
  EXPECT_EQ((page.cost[3] - page.cost[0]) / CodePage::kMark, 3u);
  EXPECT_LT(page.cost[4] - page.cost[3], CodePage::kMark);
  EXPECT_EQ((page.cost[6] - page.cost[4]) / CodePage::kEvent, 2u);
  EXPECT_EQ((page.cost[6] - page.cost[4]) & kCycles, timing.cycles(kSev) + timing.cycles(kSevl));
}

TEST_F(CodePagesTest, APageOfNothingButMarksStillCounts) {
  const CodePage& page = scan(std::vector<std::uint32_t>(1024, kSev));
  const std::uint32_t all = page.cost[1024] - page.cost[0];
  EXPECT_EQ(all & (CodePage::kMark - 1), 1024 * timing.cycles(kSev));
  EXPECT_GE(page.cost[1024] - page.cost[1023], CodePage::kEvent);
}

TEST_F(CodePagesTest, InterceptsAreTheWordsThatNeedThem) {
  const CodePage& page = scan({kNop, mrs(reg::CNTVCT_EL0), mrs(reg::TPIDR_EL0),
                               msr(reg::HCR_EL2), msr(reg::TPIDR_EL1), msr(reg::TLBI_VMALLE1)});
  EXPECT_EQ(page.intercepts, (std::vector<std::uint16_t>{1, 3, 5}));
}

TEST_F(CodePagesTest, InterceptionFollowsWhatTheEngineMustNotDecide) {
  for (const std::uint32_t word :
       {mrs(reg::MPIDR_EL1), mrs(reg::ID_AA64MMFR0_EL1), mrs(reg::ISR_EL1), mrs(reg::PMCCNTR_EL0),
        mrs(reg::RNDR), msr(reg::SCTLR_EL1), msr(reg::TCR_EL2), msr(reg::VTTBR_EL2),
        msr(reg::MAIR_EL1), msr(reg::MDCR_EL2), msr(reg::CNTV_CTL_EL0), msr(reg::AT_S1E1R),
        msr(reg::TLBI_VAE1IS)}) {
    EXPECT_TRUE(needs_interception(word)) << std::hex << word;
  }
  for (const std::uint32_t word : {mrs(reg::TPIDR_EL0), mrs(reg::SCTLR_EL1), msr(reg::VBAR_EL1),
                                   msr(reg::IC_IVAU), msr(reg::DC_ZVA), kIsb, kNop, 0u}) {
    EXPECT_FALSE(needs_interception(word)) << std::hex << word;
  }
  EXPECT_TRUE(needs_interception(mrs(reg::ESR_EL1), {.vhe = true})) << "ESR_EL2 for a VHE host";
}

TEST_F(CodePagesTest, FloatingPointWordsAreTheAllocatedOnes) {
  for (const std::uint32_t word : {0x1e622820u,    // FADD D0, D1, D2
                                   0x4ea28420u,    // ADD V0.4S, V1.4S, V2.4S
                                   0x9e670000u,    // FMOV D0, X0
                                   0xce8308a0u,    // SHA-512 and SHA-3: RAX1, EOR3...
                                   0x4e284820u,    // AESE V0.16B, V1.16B
                                   0x3dc00000u,    // LDR Q0, [X0]
                                   0x6d400400u,    // LDP D0, D1, [X0]
                                   0xd53b4400u}) {  // MRS X0, FPCR
    EXPECT_TRUE(uses_fp(word)) << std::hex << word;
  }
  for (const std::uint32_t word : {0xffff8000u,    // The upper half of an address in the kernel.
                                   0xdeadbeefu, 0x8e000000u, 0xae000000u,
                                   0xd503201fu,    // NOP
                                   0xf9400000u}) {  // LDR X0, [X0]
    EXPECT_FALSE(uses_fp(word)) << std::hex << word;
  }
}

TEST_F(CodePagesTest, SamplingPointsEndBlocksInEveryEngine) {
  for (const std::uint32_t word : {
           0x14000001u /* b */, 0x94000001u /* bl */, 0x54000020u /* b.eq */, 0xb4000020u /* cbz */,
           0x36000020u /* tbz */, 0xd61f0020u /* br */, 0xd65f03c0u /* ret */, kEret, kIsb,
           0xd50342ffu /* daifclr */, 0xd51b4221u /* msr daif */, kWfi, kWfe, kYield}) {
    EXPECT_TRUE(is_sampling_point(word)) << std::hex << word;
  }
  for (const std::uint32_t word : {kNop, kSev, 0xd5033f9fu /* dsb */, 0xd50342dfu /* daifset */,
                                   0xf9400020u /* ldr */, 0x58000020u /* ldr literal */,
                                   0xd4000001u /* svc */, 0xd53b4221u /* mrs daif */}) {
    EXPECT_FALSE(is_sampling_point(word)) << std::hex << word;
  }
}

TEST_F(CodePagesTest, SlotsExistForRamOnlyAndKnowRom) {
  EXPECT_EQ(pages.slot(0x9000'0000), nullptr);
  EXPECT_TRUE(pages.slot(0x10)->read_only);
  EXPECT_FALSE(pages.slot(kBase)->read_only);
  EXPECT_EQ(pages.slot(kBase + 0xfff), pages.slot(kBase));
  EXPECT_NE(pages.slot(kBase + 0x1000), pages.slot(kBase));
}

TEST_F(CodePagesTest, AScanIsKeptUntilItIsDropped) {
  CodePages::Slot& slot = *pages.slot(kBase);
  EXPECT_EQ(&pages.code(kBase, slot), &pages.code(kBase, slot));
  const std::uint32_t word = kEret;
  bus.write(kBase, &word, 4);
  EXPECT_LT(pages.code(kBase, slot).cost[1], CodePage::kMark) << "nobody said that it changed";
  pages.drop(slot);
  EXPECT_GE(pages.code(kBase, slot).cost[1], CodePage::kMark);
}

}  // namespace
}  // namespace trapline
