// Stage 1 of VMSAv8-64, and what translate() offers around it: check(), PAR_EL1, ASID and VMID.
#include "sim/cpu/vmsa.h"

#include <gtest/gtest.h>

#include "tests/unit/vmsa_tables.h"

namespace trapline {
namespace {

constexpr VirtAddr kKernel = 0xFFFF'0000'0000'0000;
constexpr std::uint64_t kNormalPage = kAf | kShInner | attr_index(1);

// MAIR: 0 Device-nGnRnE, 1 Normal Write-Back, 2 Normal Non-cacheable.
class Stage1Test : public testing::Test {
 protected:
  Stage1Test() {
    c.sctlr = kSctlrM | kSctlrC;
    c.tcr = tcr_el1(16, 16);
    c.mair = 0x44FF00;
    c.ttbr0 = low.root();
    c.ttbr1 = high.root();
    c.features.pa_bits = 44;
  }

  TranslationResult go(VirtAddr va, AccessKind kind = AccessKind::read, bool privileged = true,
                       bool pan = false) {
    TranslationRequest request;
    request.va = va;
    request.kind = kind;
    request.privileged = privileged;
    request.pan = pan;
    return translate(regime, request, c, memory);
  }
  PhysAddr pa(VirtAddr va, AccessKind kind = AccessKind::read) {
    const TranslationResult result = go(va, kind);
    const Mapping* m = mapping(result);
    EXPECT_NE(m, nullptr) << std::hex << va;
    return m ? m->pa(va) : ~0ull;
  }
  Fault expect_fault(VirtAddr va, AccessKind kind = AccessKind::read, bool privileged = true,
                     bool pan = false) {
    const TranslationResult result = go(va, kind, privileged, pan);
    EXPECT_NE(fault(result), nullptr) << std::hex << va;
    return fault(result) ? *fault(result) : Fault{FaultKind::tlb_conflict};
  }
  Permissions permissions(std::uint64_t attributes, std::uint64_t table_attributes = 0) {
    TableMemory fresh;
    TableTree tree(fresh, 0x100000, 12, 0);
    tree.map(0x1000, 3, 0x9000, kNormalPage | attributes, table_attributes);
    TranslationControls controls = c;
    controls.ttbr0 = 0x100000;
    TranslationRequest request;
    request.va = 0x1000;
    const TranslationResult result = translate(regime, request, controls, fresh);
    EXPECT_NE(mapping(result), nullptr);
    return mapping(result) ? mapping(result)->stage1 : Permissions{};
  }

  Regime regime = Regime::el1_0;
  TableMemory memory;
  TableTree low{memory, 0x4000'0000, 12, 0};
  TableTree high{memory, 0x5000'0000, 12, 0};
  TranslationControls c;
};

constexpr Fault kNoLevel{FaultKind::translation, 0};

TEST_F(Stage1Test, MapsPagesAndBlocksOfBothHalves) {
  low.map(0x0000'1234'5678'9000, 3, 0x8000'5000, kNormalPage);
  high.map(0x0000'8000'0020'0000, 2, 0x9020'0000, kNormalPage);
  high.map(0x0000'8000'4000'0000, 1, 0x1'4000'0000, kNormalPage);
  const auto before = memory.words;
  EXPECT_EQ(pa(0x0000'1234'5678'9ABC), 0x8000'5ABCu);
  EXPECT_EQ(pa(kKernel + 0x8000'0034'5678), 0x9034'5678u);
  EXPECT_EQ(pa(kKernel + 0x8000'7234'5678), 0x1'7234'5678u);

  const TranslationResult result = go(kKernel + 0x8000'0034'5678);
  const Mapping& block = *mapping(result);
  EXPECT_EQ(block.page_shift, 21);
  EXPECT_EQ(block.pa_page, 0x9020'0000u);
  EXPECT_EQ(block.ipa_page, block.pa_page);
  EXPECT_EQ(block.stage1_level, 2);
  EXPECT_EQ(block.stage2, kAllPermissions);
  EXPECT_FALSE(block.stage2_used);
  EXPECT_FALSE(block.attributes.is_device());
  EXPECT_EQ(memory.words, before) << "AF was set: nothing to write";
}

TEST_F(Stage1Test, SixteenAndSixtyFourKilobyteGranules) {
  TableTree t16(memory, 0x6000'0000, 14, 1);
  t16.map(0x40'0000'4000, 3, 0x8000'4000, kNormalPage);
  t16.map(0x40'0200'0000, 2, 0x8200'0000, kNormalPage);
  c.tcr = tcr_el1(17, 16) | 2ull << 14;
  c.ttbr0 = t16.root();
  EXPECT_EQ(pa(0x40'0000'7FF8), 0x8000'7FF8u);
  EXPECT_EQ(pa(0x40'0300'0010), 0x8300'0010u);

  TableTree t64(memory, 0x7000'0000, 16, 1);
  t64.map(0x0000'8000'0000'0000, 3, 0x9000'0000, kNormalPage);
  t64.map(0x0000'8000'2000'0000, 2, 0xA000'0000, kNormalPage);
  c.tcr = (tcr_el1(16, 16) & ~(3ull << 30)) | 3ull << 30;
  c.ttbr1 = t64.root();
  EXPECT_EQ(pa(kKernel + 0x8000'0000'FFF0), 0x9000'FFF0u);
  EXPECT_EQ(pa(kKernel + 0x8000'3FFF'FFF0), 0xBFFF'FFF0u);
}

TEST_F(Stage1Test, AnUnimplementedOrReservedGranuleBehavesAsAnImplementedOne) {
  low.map(0x1000, 3, 0x8000'1000, kNormalPage);
  c.features.granule_16k = false;
  c.tcr |= 2ull << 14;  // 16 KiB
  EXPECT_EQ(pa(0x1008), 0x8000'1008u);
  c.tcr |= 3ull << 14;  // Reserved
  EXPECT_EQ(pa(0x1008), 0x8000'1008u);
}

TEST_F(Stage1Test, TxszChoosesTheStartLevel) {
  const struct { unsigned txsz, level; } cases[] = {{24, 0}, {25, 1}, {33, 1}, {34, 2}, {39, 2}};
  for (const auto& each : cases) {
    TableMemory fresh;
    TableTree tree(fresh, 0x4000'0000, 12, each.level);
    const VirtAddr top_page = (1ull << (64 - each.txsz)) - 0x1000;
    tree.map(top_page, 3, 0x8000'0000, kNormalPage);
    c.tcr = tcr_el1(each.txsz, 16);
    TranslationRequest request;
    request.va = top_page;
    EXPECT_NE(mapping(translate(regime, request, c, fresh)), nullptr) << each.txsz;
    request.va = top_page + 0x1000;
    EXPECT_EQ(*fault(translate(regime, request, c, fresh)), kNoLevel) << each.txsz;
  }
}

TEST_F(Stage1Test, TxszOutsideTheImplementedRangeFaults) {
  TableTree small(memory, 0x6000'0000, 12, 3);
  small.map(0x3000, 3, 0x8000'3000, kNormalPage);
  c.ttbr0 = small.root();
  for (unsigned txsz : {15u, 40u, 48u}) {
    c.tcr = tcr_el1(txsz, 16);
    EXPECT_EQ(expect_fault(0x3000), kNoLevel) << txsz;
  }
  c.features.ttst = true;
  EXPECT_EQ(pa(0x3010), 0x8000'3010u);
  c.tcr = tcr_el1(49, 16);
  EXPECT_EQ(expect_fault(0x3000), kNoLevel);
}

TEST_F(Stage1Test, AddressesBetweenTheHalvesFaultAtLevelZero) {
  EXPECT_EQ(expect_fault(0x0001'0000'0000'0000), kNoLevel);
  EXPECT_EQ(expect_fault(0xFFFE'FFFF'FFFF'F000), kNoLevel);
  EXPECT_EQ(expect_fault(0x8000'0000'0000'0000), kNoLevel);
}

TEST_F(Stage1Test, TopByteIgnoreAppliesToItsHalfAndNotToFetchesWithTbid) {
  low.map(0x1000, 3, 0x8000'1000, kNormalPage);
  high.map(0x1000, 3, 0x8000'2000, kNormalPage);
  EXPECT_EQ(expect_fault(0x5A00'0000'0000'1000), kNoLevel);
  c.tcr |= 1ull << 37;
  EXPECT_EQ(pa(0x5A00'0000'0000'1000), 0x8000'1000u);
  EXPECT_EQ(expect_fault(0x5AFF'0000'0000'1000), kNoLevel);  // The upper half: TBI1 is 0.
  c.tcr |= 1ull << 38;
  EXPECT_EQ(pa(0x5AFF'0000'0000'1000), 0x8000'2000u);
  c.tcr |= 1ull << 51 | 1ull << 52;  // TBID without FEAT_PAuth is RES0.
  EXPECT_EQ(pa(0x5A00'0000'0000'1000, AccessKind::fetch), 0x8000'1000u);
  c.features.pauth = true;
  EXPECT_EQ(expect_fault(0x5A00'0000'0000'1000, AccessKind::fetch), kNoLevel);
  EXPECT_EQ(expect_fault(0x5AFF'0000'0000'1000, AccessKind::fetch), kNoLevel);
  EXPECT_EQ(pa(0x5A00'0000'0000'1000), 0x8000'1000u);
}

TEST_F(Stage1Test, EpdDisablesOneHalf) {
  low.map(0x1000, 3, 0x8000'1000, kNormalPage);
  high.map(0x1000, 3, 0x8000'2000, kNormalPage);
  c.tcr |= 1ull << 7;
  EXPECT_EQ(expect_fault(0x1000), kNoLevel);
  EXPECT_EQ(pa(kKernel + 0x1000), 0x8000'2000u);
  c.tcr = tcr_el1(16, 16) | 1ull << 23;
  EXPECT_EQ(pa(0x1000), 0x8000'1000u);
  EXPECT_EQ(expect_fault(kKernel + 0x1000), kNoLevel);
}

TEST_F(Stage1Test, OutputAddressesBeyondIpsAreAddressSizeFaults) {
  low.map(0x1000, 3, 0x1'0000'0000, kNormalPage);
  low.map(0x4000'0000, 1, 0x1'0000'0000, kNormalPage);
  EXPECT_EQ(pa(0x1000), 0x1'0000'0000u);
  c.tcr = tcr_el1(16, 16, 0);  // 32 bits
  EXPECT_EQ(expect_fault(0x1000), (Fault{FaultKind::address_size, 3}));
  EXPECT_EQ(expect_fault(0x4000'0000), (Fault{FaultKind::address_size, 1}));
  memory.words[low.descriptor(0x8000'0000, 1)] = 0x1'0000'0000 | 3;
  EXPECT_EQ(expect_fault(0x8000'0000), (Fault{FaultKind::address_size, 1}));
  c.ttbr0 |= 1ull << 32;
  EXPECT_EQ(expect_fault(0x1000), (Fault{FaultKind::address_size, 0}));
}

TEST_F(Stage1Test, IpsIsLimitedByTheImplementedSize) {
  low.map(0x1000, 3, 1ull << 40, kNormalPage);
  EXPECT_EQ(pa(0x1000), 1ull << 40);
  c.features.pa_bits = 40;
  EXPECT_EQ(expect_fault(0x1000), (Fault{FaultKind::address_size, 3}));
}

TEST_F(Stage1Test, InvalidDescriptorsFaultAtTheirLevel) {
  EXPECT_EQ(expect_fault(0x1000), (Fault{FaultKind::translation, 0}));
  low.map(0x1000, 3, 0x8000'1000, kNormalPage);
  EXPECT_EQ(expect_fault(0x2000), (Fault{FaultKind::translation, 3}));
  EXPECT_EQ(expect_fault(0x20'0000), (Fault{FaultKind::translation, 2}));
  EXPECT_EQ(expect_fault(0x4000'0000), (Fault{FaultKind::translation, 1}));
  memory.words[low.descriptor(0x3000, 3)] = 0x8000'3000 | kNormalPage | 1;  // Reserved at level 3.
  EXPECT_EQ(expect_fault(0x3000), (Fault{FaultKind::translation, 3}));
  memory.words[low.root()] = 0x8000'0000 | kNormalPage | 1;  // No block at level 0.
  EXPECT_EQ(expect_fault(0x1000), (Fault{FaultKind::translation, 0}));
}

TEST_F(Stage1Test, LargeGranulesHaveBlocksAtLevelTwoOnly) {
  for (unsigned granule_bits : {14u, 16u}) {
    TableTree tree(memory, 0x6000'0000 + (granule_bits << 20), granule_bits, 1);
    memory.words[tree.descriptor(0, 1)] = 0x8000'0000 | kNormalPage | 1;
    c.ttbr0 = tree.root();
    c.tcr = tcr_el1(18, 16) | (granule_bits == 14 ? 2ull : 1ull) << 14;
    EXPECT_EQ(expect_fault(0x1000), (Fault{FaultKind::translation, 1})) << granule_bits;
  }
}

TEST_F(Stage1Test, AccessFlagFaultsUnlessHardwareManagesIt) {
  const PhysAddr entry = low.map(0x1000, 3, 0x8000'1000, kNormalPage & ~kAf);
  c.tcr |= 1ull << 39;  // HA without the feature is RES0.
  EXPECT_EQ(expect_fault(0x1000), (Fault{FaultKind::access_flag, 3}));
  EXPECT_FALSE(memory.at(entry) & kAf);
  c.features.af = true;
  EXPECT_EQ(pa(0x1000), 0x8000'1000u);
  EXPECT_TRUE(memory.at(entry) & kAf);
}

TEST_F(Stage1Test, AFaultingAccessAndADebuggerLeaveTheAccessFlagAlone) {
  const PhysAddr entry = low.map(0x1000, 3, 0x8000'1000, (kNormalPage | kApRo) & ~kAf);
  c.features.af = true;
  c.tcr |= 1ull << 39;
  EXPECT_EQ(expect_fault(0x1000, AccessKind::write), (Fault{FaultKind::permission, 3}));
  TranslationRequest request;
  request.va = 0x1000;
  request.debug = true;
  EXPECT_NE(mapping(translate(regime, request, c, memory)), nullptr);
  EXPECT_FALSE(memory.at(entry) & kAf);
}

class DirtyStateTest : public Stage1Test {
 protected:
  DirtyStateTest() {
    c.features.af = c.features.dirty = true;
    c.tcr |= 3ull << 39;
    entry = low.map(0x1000, 3, 0x8000'1000, kNormalPage | kApRo | kDbm);
  }
  bool clean() const { return memory.at(entry) & kApRo; }
  PhysAddr entry;
};

TEST_F(DirtyStateTest, AWriteMarksThePageAndAReadDoesNot) {
  const TranslationResult read = go(0x1000);
  EXPECT_TRUE(mapping(read)->needs_dirty_update);
  EXPECT_TRUE(mapping(read)->stage1.el1_w);
  EXPECT_TRUE(clean());
  const TranslationResult write = go(0x1000, AccessKind::write);
  EXPECT_FALSE(mapping(write)->needs_dirty_update);
  EXPECT_FALSE(clean());
  EXPECT_FALSE(mapping(go(0x1000))->needs_dirty_update);
}

TEST_F(DirtyStateTest, ARefusedWriteAndAnAtLeaveThePageClean) {
  EXPECT_EQ(expect_fault(0x1000, AccessKind::write, false), (Fault{FaultKind::permission, 3}));
  EXPECT_TRUE(clean());
  memory.words[entry] |= kApEl0;
  EXPECT_EQ(expect_fault(0x1000, AccessKind::write, true, true), (Fault{FaultKind::permission, 3}));
  EXPECT_TRUE(clean());
  TranslationRequest request;
  request.va = 0x1000;
  request.kind = AccessKind::write;
  request.is_at = true;
  EXPECT_NE(mapping(translate(regime, request, c, memory)), nullptr);
  EXPECT_TRUE(clean());
}

TEST_F(DirtyStateTest, WithoutHaOrTheFeatureDbmMeansNothing) {
  c.tcr &= ~(1ull << 39);
  EXPECT_EQ(expect_fault(0x1000, AccessKind::write), (Fault{FaultKind::permission, 3}));
  c.tcr |= 1ull << 39;
  c.features.dirty = false;
  EXPECT_EQ(expect_fault(0x1000, AccessKind::write), (Fault{FaultKind::permission, 3}));
}

TEST_F(DirtyStateTest, ReadOnlyTablesWinOverDbm) {
  low.map(0x4000'0000, 3, 0x8000'2000, kNormalPage | kApRo | kDbm, 1ull << 62);
  EXPECT_EQ(expect_fault(0x4000'0000, AccessKind::write), (Fault{FaultKind::permission, 3}));
  EXPECT_FALSE(mapping(go(0x4000'0000))->needs_dirty_update);
}

TEST_F(DirtyStateTest, ADescriptorThatChangesUnderTheUpdateIsWalkedAgain) {
  memory.races[entry] = 0x8000'7000 | kNormalPage | kDbm | kApRo | 3;
  EXPECT_EQ(pa(0x1234, AccessKind::write), 0x8000'7234u);
  EXPECT_EQ(memory.at(entry), 0x8000'7000u | kNormalPage | kDbm | 3);
}

TEST_F(DirtyStateTest, TablesThatCannotBeWrittenAbort) {
  memory.read_only.insert(entry);
  EXPECT_EQ(expect_fault(0x1000, AccessKind::write), (Fault{FaultKind::external_on_walk, 3}));
}

// Columns: EL0 r, w, x, EL1 r, w, x (DDI 0487 D8.4.1).
TEST_F(Stage1Test, PermissionsOfTheTwoPrivilegeRegimes) {
  for (Regime each : {Regime::el1_0, Regime::el2_0}) {
    regime = each;
    EXPECT_EQ(permissions(0), (Permissions{false, false, true, true, true, true}));
    EXPECT_EQ(permissions(kApEl0), (Permissions{true, true, true, true, true, false}));
    EXPECT_EQ(permissions(kApRo), (Permissions{false, false, true, true, false, true}));
    EXPECT_EQ(permissions(kApRo | kApEl0), (Permissions{true, false, true, true, false, true}));
    EXPECT_EQ(permissions(kUxnBit), (Permissions{false, false, false, true, true, true}));
    EXPECT_EQ(permissions(kPxnBit), (Permissions{false, false, true, true, true, false}));
  }
}

TEST_F(Stage1Test, PermissionsOfTheEl2Regime) {
  regime = Regime::el2;
  c.tcr = 16 | 5 << 16;
  EXPECT_EQ(permissions(kApEl0), (Permissions{false, false, false, true, true, true}));
  EXPECT_EQ(permissions(kApRo), (Permissions{false, false, false, true, false, true}));
  EXPECT_EQ(permissions(kUxnBit), (Permissions{false, false, false, true, true, false}));
  EXPECT_EQ(permissions(kPxnBit), (Permissions{false, false, false, true, true, true}));
}

TEST_F(Stage1Test, WritableImpliesExecuteNeverWithWxn) {
  c.sctlr |= kSctlrWxn;
  EXPECT_EQ(permissions(0), (Permissions{false, false, true, true, true, false}));
  EXPECT_EQ(permissions(kApEl0), (Permissions{true, true, false, true, true, false}));
  EXPECT_EQ(permissions(kApRo | kApEl0), (Permissions{true, false, true, true, false, true}));
}

TEST_F(Stage1Test, TablesLimitWhatLiesBelowUnlessDisabled) {
  EXPECT_EQ(permissions(kApEl0, 1ull << 61), (Permissions{false, false, true, true, true, true}));
  EXPECT_EQ(permissions(kApEl0, 1ull << 62), (Permissions{true, false, true, true, false, true}));
  EXPECT_EQ(permissions(0, 1ull << 60), (Permissions{false, false, false, true, true, true}));
  EXPECT_EQ(permissions(0, 1ull << 59), (Permissions{false, false, true, true, true, false}));
  c.tcr |= 1ull << 41;  // HPD0
  EXPECT_FALSE(permissions(0, 1ull << 59).el1_x) << "RES0 without FEAT_HPDS";
  c.features.hpd = true;
  EXPECT_EQ(permissions(kApEl0, 0xFull << 59), (Permissions{true, true, true, true, true, false}));
}

TEST_F(Stage1Test, PanStopsPrivilegedDataAccessToUserPages) {
  low.map(0x1000, 3, 0x8000'1000, kNormalPage | kApEl0 | kApRo);
  low.map(0x2000, 3, 0x8000'2000, kNormalPage);  // EL0 may execute, nothing else.
  EXPECT_EQ(expect_fault(0x1000, AccessKind::read, true, true), (Fault{FaultKind::permission, 3}));
  EXPECT_NE(mapping(go(0x1000, AccessKind::fetch, true, true)), nullptr);
  EXPECT_NE(mapping(go(0x1000, AccessKind::read, false, true)), nullptr);
  EXPECT_NE(mapping(go(0x2000, AccessKind::read, true, true)), nullptr);
  c.sctlr |= kSctlrEpan;
  EXPECT_NE(mapping(go(0x2000, AccessKind::read, true, true)), nullptr) << "no FEAT_PAN3";
  c.features.epan = true;
  EXPECT_EQ(expect_fault(0x2000, AccessKind::read, true, true), (Fault{FaultKind::permission, 3}));
}

TEST_F(Stage1Test, CheckAnswersForACachedMapping) {
  low.map(0x20'0000, 2, 0x8020'0000, kNormalPage | kApEl0 | kApRo);
  const TranslationResult result = go(0x20'0000);
  const Mapping& m = *mapping(result);
  const Fault denied{FaultKind::permission, 2};
  EXPECT_EQ(check(m, 0x20'1000, AccessKind::read, false, false), std::nullopt);
  EXPECT_EQ(check(m, 0x20'1000, AccessKind::write, true, false), denied);
  EXPECT_EQ(check(m, 0x20'1000, AccessKind::read, true, true), denied);
  EXPECT_EQ(check(m, 0x20'1000, AccessKind::fetch, true, true), std::nullopt);
}

TEST_F(Stage1Test, NonGlobalAndContiguousAreReported) {
  low.map(0x1000, 3, 0x8000'1000, kNormalPage | kNg | kCont);
  EXPECT_TRUE(mapping(go(0x1000))->non_global);
  EXPECT_TRUE(mapping(go(0x1000))->contiguous);
  EXPECT_EQ(mapping(go(0x1000))->page_shift, 12);
  regime = Regime::el2;
  c.tcr = 16 | 5 << 16;
  EXPECT_FALSE(mapping(go(0x1000))->non_global);
}

TEST_F(Stage1Test, TheEl2RegimeHasOneRangeAndItsOwnTcrLayout) {
  regime = Regime::el2;
  low.map(0x1000, 3, 0x8000'1000, kNormalPage);
  c.tcr = 16 | 5 << 16;
  EXPECT_EQ(pa(0x1000), 0x8000'1000u);
  EXPECT_EQ(expect_fault(kKernel + 0x1000), kNoLevel);
  EXPECT_EQ(expect_fault(0x5A00'0000'0000'1000), kNoLevel);
  c.tcr |= 1 << 20;
  EXPECT_EQ(pa(0x5A00'0000'0000'1000), 0x8000'1000u);
  c.tcr = 16 | 5 << 16 | 1 << 7 | 1 << 23;  // EPD0 and EPD1 are no fields here.
  EXPECT_EQ(pa(0x1000), 0x8000'1000u);
  c.tcr = 16;  // PS = 0: 32 bits.
  low.map(0x2000, 3, 0x1'0000'0000, kNormalPage);
  EXPECT_EQ(expect_fault(0x2000), (Fault{FaultKind::address_size, 3}));
}

TEST_F(Stage1Test, BigEndianTablesFollowEe) {
  c.features.af = true;
  c.tcr |= 1ull << 39;
  const PhysAddr entry = low.map(0x1000, 3, 0x8000'1000, kNormalPage & ~kAf);
  for (auto& [address, word] : memory.words) word = __builtin_bswap64(word);
  c.sctlr |= kSctlrEe;
  EXPECT_EQ(pa(0x1000), 0x8000'1000u);
  EXPECT_EQ(memory.at(entry), __builtin_bswap64(0x8000'1000 | kNormalPage | 3));
}

TEST_F(Stage1Test, UnreadableTablesAbortAtTheirLevel) {
  low.map(0x1000, 3, 0x8000'1000, kNormalPage);
  memory.aborts.insert(low.descriptor(0x1000, 2));
  EXPECT_EQ(expect_fault(0x1000), (Fault{FaultKind::external_on_walk, 2}));
}

TEST_F(Stage1Test, WithTheMmuOffAddressesAreFlatAndDataIsDevice) {
  c.sctlr = 0;
  const TranslationResult result = go(0x8123'4567, AccessKind::write, false, true);
  const Mapping* m = mapping(result);
  ASSERT_NE(m, nullptr) << "neither permissions nor PAN apply";
  EXPECT_EQ(m->pa(0x8123'4567), 0x8123'4567u);
  EXPECT_TRUE(m->stage1_device);
  EXPECT_EQ(m->attributes, (MemoryAttributes{0x00, Shareability::outer}));
  EXPECT_NE(mapping(go(0x8123'4564, AccessKind::fetch)), nullptr);
  EXPECT_EQ(memory.reads, 0u);
  EXPECT_EQ(expect_fault(1ull << 44), (Fault{FaultKind::address_size, 0}));
  EXPECT_EQ(expect_fault(0x5A00'0000'8000'0000), (Fault{FaultKind::address_size, 0}));
  c.tcr |= 1ull << 37;
  EXPECT_EQ(pa(0x5A00'0000'8000'0000), 0x8000'0000u);
}

TEST_F(Stage1Test, TgeTurnsStage1OfTheEl1RegimeOff) {
  c.hcr_el2 = kHcrTge;
  EXPECT_EQ(pa(0x1000), 0x1000u);
  regime = Regime::el2_0;
  EXPECT_EQ(expect_fault(0x1000), kNoLevel);
}

TEST_F(Stage1Test, AttributesComeFromMairAndTheDescriptor) {
  low.map(0x1000, 3, 0x8000'1000, kAf | kShInner | attr_index(1));
  low.map(0x2000, 3, 0x8000'2000, kAf | kShInner | attr_index(0));
  low.map(0x3000, 3, 0x8000'3000, kAf | attr_index(2));
  EXPECT_EQ(mapping(go(0x1000))->attributes, (MemoryAttributes{0xFF, Shareability::inner}));
  EXPECT_EQ(mapping(go(0x2000))->attributes, (MemoryAttributes{0x00, Shareability::outer}));
  EXPECT_TRUE(mapping(go(0x2000))->stage1_device);
  EXPECT_EQ(mapping(go(0x3000))->attributes, (MemoryAttributes{0x44, Shareability::outer}));
  c.sctlr &= ~kSctlrC;
  EXPECT_EQ(mapping(go(0x1000))->attributes, (MemoryAttributes{0x44, Shareability::outer}));
}

TEST_F(Stage1Test, ParReportsSuccessAndFailure) {
  low.map(0x20'0000, 2, 0x8020'0000, kNormalPage);
  EXPECT_EQ(par_el1(go(0x23'4567), 0x23'4567, false), 0xFF00'0000'8023'4B80u);
  EXPECT_EQ(par_el1(go(0x23'4567), 0x23'4567, true), 0xFF00'0000'8023'4980u);
  EXPECT_EQ(par_el1(go(0x40'0000), 0x40'0000, false), 0x80Du);  // Translation, level 2.
  Fault nested{FaultKind::permission, 3};
  nested.stage2 = nested.s1ptw = true;
  EXPECT_EQ(par_el1(nested, 0, false), 0xB1Fu);
}

TEST(VmsaFault, StatusCodes) {
  EXPECT_EQ((Fault{FaultKind::address_size, 3}.fsc()), 0x03);
  EXPECT_EQ((Fault{FaultKind::translation, 2}.fsc()), 0x06);
  EXPECT_EQ((Fault{FaultKind::access_flag, 1}.fsc()), 0x09);
  EXPECT_EQ((Fault{FaultKind::permission, 3}.fsc()), 0x0F);
  EXPECT_EQ((Fault{FaultKind::external_on_walk, 1}.fsc()), 0x15);
  EXPECT_EQ((Fault{FaultKind::alignment, 2}.fsc()), 0x21);
  EXPECT_EQ((Fault{FaultKind::tlb_conflict, 2}.fsc()), 0x30);
}

TEST(VmsaTags, AsidAndVmid) {
  TranslationControls c;
  c.ttbr0 = 0x1234'0000'0000'0000;
  c.ttbr1 = 0xABCD'0000'0000'0000;
  c.vttbr_el2 = 0x5678'0000'0000'0000;
  EXPECT_EQ(asid_of(Regime::el1_0, c), 0x34);
  c.tcr = 1ull << 36 | 1 << 22;
  EXPECT_EQ(asid_of(Regime::el2_0, c), 0xABCD);
  EXPECT_EQ(asid_of(Regime::el2, c), 0);
  c.features.asid16 = false;
  EXPECT_EQ(asid_of(Regime::el1_0, c), 0xCD);
  c.vtcr_el2 = 1 << 19;
  EXPECT_EQ(vmid_of(c), 0x78);
  c.features.vmid16 = true;
  EXPECT_EQ(vmid_of(c), 0x5678);
}

}  // namespace
}  // namespace trapline
