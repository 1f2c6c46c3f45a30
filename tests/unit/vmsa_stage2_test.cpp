// Stage 2 of VMSAv8-64 and its combination with stage 1.
#include <gtest/gtest.h>

#include "sim/cpu/vmsa.h"
#include "tests/unit/vmsa_tables.h"

namespace trapline {
namespace {

constexpr std::uint64_t kNormalPage = kAf | kShInner | attr_index(1);
constexpr PhysAddr kGuestTables = 0x4000'0000;  // IPA of stage 1's tables.
constexpr PhysAddr kOffset = 0x8000'0000;       // PA = IPA + kOffset.

Fault stage2_fault(FaultKind kind, unsigned level, PhysAddr ipa) {
  Fault f{kind, static_cast<std::uint8_t>(level)};
  f.stage2 = true;
  f.ipa = ipa;
  return f;
}

// A 40-bit IPA space, start level 1 with two concatenated tables.
class Stage2Test : public testing::Test {
 protected:
  Stage2Test() {
    c.hcr_el2 = kHcrVm;
    c.vtcr_el2 = vtcr(24, 1);
    c.vttbr_el2 = s2.root();
    c.mair = 0x44FF00;
    c.features.pa_bits = 40;
  }
  // Turns stage 1 on. Its tables lie in the 2 MiB block at IPA kGuestTables.
  void enable_stage1(std::uint64_t s2_attributes = kS2Rw) {
    c.sctlr = kSctlrM | kSctlrC;
    c.tcr = tcr_el1(16, 16);
    c.ttbr0 = kGuestTables;
    s2.map(kGuestTables, 2, kGuestTables + kOffset, s2_attributes);
  }
  // Maps a page in stage 1; returns the IPA of its descriptor.
  PhysAddr map_stage1(VirtAddr va, PhysAddr ipa, std::uint64_t attributes) {
    for (unsigned level = 0; level < 3; ++level) {
      const PhysAddr table = kGuestTables + level * 0x1000;
      const unsigned shift = 39 - 9 * level;
      memory.words[table + kOffset + ((va >> shift) & 511) * 8] = (table + 0x1000) | 3;
    }
    const PhysAddr entry = kGuestTables + 0x3000 + ((va >> 12) & 511) * 8;
    memory.words[entry + kOffset] = ipa | attributes | 3;
    return entry;
  }

  TranslationResult go(VirtAddr va, AccessKind kind = AccessKind::read, bool privileged = true) {
    TranslationRequest request;
    request.va = va;
    request.kind = kind;
    request.privileged = privileged;
    return translate(Regime::el1_0, request, c, memory);
  }
  PhysAddr pa(VirtAddr va, AccessKind kind = AccessKind::read) {
    const TranslationResult result = go(va, kind);
    EXPECT_NE(mapping(result), nullptr) << std::hex << va;
    return mapping(result) ? mapping(result)->pa(va) : ~0ull;
  }
  Fault expect_fault(VirtAddr va, AccessKind kind = AccessKind::read, bool privileged = true) {
    const TranslationResult result = go(va, kind, privileged);
    EXPECT_NE(fault(result), nullptr) << std::hex << va;
    return fault(result) ? *fault(result) : Fault{FaultKind::tlb_conflict};
  }

  TableMemory memory;
  TableTree s2{memory, 0x1000'0000, 12, 1};
  TranslationControls c;
};

TEST_F(Stage2Test, ConcatenatedStartTablesCoverTheInputSize) {
  s2.map(0x80'0000'1000, 3, 0x9000'1000, kS2Rw);  // In the second table.
  s2.map(0x40'0000, 2, 0x9040'0000, kS2Rw);
  EXPECT_EQ(pa(0x80'0000'1234), 0x9000'1234u);
  EXPECT_EQ(pa(0x45'6789), 0x9045'6789u);
  EXPECT_EQ(memory.words.count(s2.root() + 0x1000), 1u);
}

TEST_F(Stage2Test, SixteenConcatenatedTablesAndNoMore) {
  TableTree wide(memory, 0x2000'0000, 12, 2);
  c.vttbr_el2 = wide.root();
  wide.map(0x3'FFFF'F000, 3, 0x9000'0000, kS2Rw);
  c.vtcr_el2 = vtcr(30, 0);  // 34 bits from level 2: 16 tables.
  EXPECT_EQ(pa(0x3'FFFF'F008), 0x9000'0008u);
  c.vtcr_el2 = vtcr(29, 0);
  EXPECT_EQ(expect_fault(0x1000), stage2_fault(FaultKind::translation, 0, 0x1000));
}

TEST_F(Stage2Test, OtherGranulesStartWhereSl0Says) {
  TableTree t16(memory, 0x2000'0000, 14, 2);
  t16.map(0xF'0000'4000, 3, 0x9000'4000, kS2Rw);
  c.vttbr_el2 = t16.root();
  c.vtcr_el2 = vtcr(24, 1, 2);
  EXPECT_EQ(pa(0xF'0000'5000), 0x9000'5000u);
  TableTree t64(memory, 0x3000'0000, 16, 2);
  t64.map(0xF'0001'0000, 3, 0x9001'0000, kS2Rw);
  c.vttbr_el2 = t64.root();
  c.vtcr_el2 = vtcr(24, 1, 1);
  EXPECT_EQ(pa(0xF'0001'5000), 0x9001'5000u);
  const TranslationResult result = go(0xF'0001'5000);
  EXPECT_EQ(mapping(result)->page_shift, 16);
  EXPECT_EQ(mapping(result)->ipa_page, 0xF'0001'0000u);
}

TEST_F(Stage2Test, InconsistentControlsFaultAtLevelZero) {
  s2.map(0x1000, 3, 0x9000'1000, kS2Rw);
  const std::uint64_t wrong[] = {
      vtcr(24, 2),  // Level 0 needs 44 address bits.
      vtcr(24, 3),  // Level 3 needs FEAT_TTST.
      vtcr(24, 0),  // 40 bits from level 2: 1024 tables.
      vtcr(34, 1),  // 30 bits from level 1: no entry to choose.
      vtcr(23, 1),  // 41 bits of a 40-bit implementation.
      vtcr(40, 0),  // Needs FEAT_TTST.
      vtcr(24, 3, 1), vtcr(24, 2, 1), vtcr(24, 2, 2),
  };
  for (std::uint64_t each : wrong) {
    c.vtcr_el2 = each;
    EXPECT_EQ(expect_fault(0x1000), stage2_fault(FaultKind::translation, 0, 0x1000))
        << std::hex << each;
  }
}

TEST_F(Stage2Test, FaultsCarryTheIpa) {
  s2.map(0x1000, 3, 0x9000'1000, kS2Rw);
  s2.map(0x5000, 3, 0x9000'5000, kS2Rw & ~kAf);
  EXPECT_EQ(expect_fault(0x2345), stage2_fault(FaultKind::translation, 3, 0x2345));
  EXPECT_EQ(expect_fault(0x100'0000'0000 - 8),
            stage2_fault(FaultKind::translation, 1, 0x100'0000'0000 - 8));
  EXPECT_EQ(expect_fault(0x5008), stage2_fault(FaultKind::access_flag, 3, 0x5008));
  c.vtcr_el2 = vtcr(25, 1);
  EXPECT_EQ(expect_fault(0x80'0000'0000), stage2_fault(FaultKind::translation, 0, 0x80'0000'0000));
}

TEST_F(Stage2Test, OutputSizeIsPsLimitedByTheImplementation) {
  s2.map(0x1000, 3, 0x1'0000'0000, kS2Rw);
  EXPECT_EQ(pa(0x1000), 0x1'0000'0000u);
  c.vtcr_el2 = vtcr(24, 1, 0, 0);
  EXPECT_EQ(expect_fault(0x1008), stage2_fault(FaultKind::address_size, 3, 0x1008));
  c.vttbr_el2 |= 1ull << 32;
  EXPECT_EQ(expect_fault(0x1008), stage2_fault(FaultKind::address_size, 0, 0x1008));
}

TEST_F(Stage2Test, S2apAndXnGivePermissions) {
  s2.map(0x1000, 3, 0x9000'1000, kAf | kS2Normal | kS2Read);
  s2.map(0x2000, 3, 0x9000'2000, kAf | kS2Normal | kS2Write);
  s2.map(0x3000, 3, 0x9000'3000, kS2Rw | 2ull << 53);
  EXPECT_EQ(pa(0x1000), 0x9000'1000u);
  EXPECT_EQ(expect_fault(0x1010, AccessKind::write),
            stage2_fault(FaultKind::permission, 3, 0x1010));
  EXPECT_EQ(pa(0x2000, AccessKind::write), 0x9000'2000u);
  EXPECT_EQ(expect_fault(0x2010), stage2_fault(FaultKind::permission, 3, 0x2010));
  EXPECT_EQ(expect_fault(0x3010, AccessKind::fetch),
            stage2_fault(FaultKind::permission, 3, 0x3010));
}

TEST_F(Stage2Test, XnxSplitsExecutionByPrivilege) {
  const struct {
    std::uint64_t xn;
    bool el1, el0, el1_plain, el0_plain;
  } cases[] = {{0, true, true, true, true},
               {1, false, true, true, true},
               {2, false, false, false, false},
               {3, true, false, false, false}};
  for (const auto& each : cases) {
    s2.map(0x1000, 3, 0x9000'1000, kS2Rw | each.xn << 53);
    c.features.xnx = false;
    EXPECT_EQ(mapping(go(0x1000))->stage2.el1_x, each.el1_plain) << each.xn;
    EXPECT_EQ(mapping(go(0x1000))->stage2.el0_x, each.el0_plain) << each.xn;
    c.features.xnx = true;
    EXPECT_EQ(mapping(go(0x1000))->stage2.el1_x, each.el1) << each.xn;
    EXPECT_EQ(mapping(go(0x1000))->stage2.el0_x, each.el0) << each.xn;
  }
}

TEST_F(Stage2Test, HardwareManagesAccessFlagAndDirtyState) {
  const PhysAddr entry = s2.map(0x1000, 3, 0x9000'1000, (kAf | kS2Normal | kS2Read | kDbm) & ~kAf);
  c.features.af = c.features.dirty = true;
  c.vtcr_el2 |= 3u << 21;
  EXPECT_TRUE(mapping(go(0x1000))->needs_dirty_update);
  EXPECT_EQ(memory.at(entry) & (kAf | kS2Write), kAf);
  EXPECT_FALSE(mapping(go(0x1000, AccessKind::write))->needs_dirty_update);
  EXPECT_EQ(memory.at(entry) & (kAf | kS2Write), kAf | kS2Write);
}

TEST_F(Stage2Test, BothStagesLimitPermissionsAndTheFaultNamesTheStage) {
  enable_stage1();
  map_stage1(0x1000, 0x7000, kNormalPage | kApRo);
  map_stage1(0x2000, 0x7000, kNormalPage);
  s2.map(0x7000, 3, 0x9000'7000, kAf | kS2Normal | kS2Read | 2ull << 53);
  EXPECT_EQ(pa(0x1234), 0x9000'7234u);
  EXPECT_EQ(expect_fault(0x1234, AccessKind::write), (Fault{FaultKind::permission, 3}));
  EXPECT_EQ(expect_fault(0x2234, AccessKind::write),
            stage2_fault(FaultKind::permission, 3, 0x7234));
  const TranslationResult result = go(0x2000);
  const Mapping& m = *mapping(result);
  EXPECT_EQ(m.ipa(0x2234), 0x7234u);
  EXPECT_EQ(check(m, 0x2234, AccessKind::write, true, false),
            stage2_fault(FaultKind::permission, 3, 0x7234));
  EXPECT_EQ(check(m, 0x2234, AccessKind::read, false, false), (Fault{FaultKind::permission, 3}));
  EXPECT_EQ(m.permissions(), (Permissions{false, false, false, true, false, false}));
}

TEST_F(Stage2Test, TheMappingIsAsSmallAsTheSmallerStage) {
  enable_stage1();
  map_stage1(0x5000, 0x0123'5000, kNormalPage);
  s2.map(0x0120'0000, 2, 0x9000'0000, kS2Rw);
  const TranslationResult small1 = go(0x5678);
  EXPECT_EQ(mapping(small1)->page_shift, 12);
  EXPECT_EQ(mapping(small1)->pa_page, 0x9003'5000u);
  EXPECT_EQ(mapping(small1)->ipa_page, 0x0123'5000u);

  memory.words[kGuestTables + kOffset + 0x2000 + 8] = 0x0140'0000 | kNormalPage | 1;  // 2 MiB
  s2.map(0x0140'3000, 3, 0x9100'0000, kS2Rw);
  const TranslationResult small2 = go(0x20'3456);
  EXPECT_EQ(mapping(small2)->page_shift, 12);
  EXPECT_EQ(mapping(small2)->pa(0x20'3456), 0x9100'0456u);
  EXPECT_EQ(mapping(small2)->stage1_level, 2);
  EXPECT_EQ(mapping(small2)->stage2_level, 3);
}

TEST_F(Stage2Test, Stage1WalksFaultInStage2WithS1ptw) {
  enable_stage1();
  const PhysAddr entry = map_stage1(0x1000, 0x7000, kNormalPage);
  s2.map(0x7000, 3, 0x9000'7000, kS2Rw);
  EXPECT_EQ(pa(0x1000), 0x9000'7000u);

  memory.words[kGuestTables + kOffset + 0x2000] = 0x5555'5000 | 3;  // A table at an unmapped IPA.
  Fault expected = stage2_fault(FaultKind::translation, 1, 0x5555'5008);
  expected.level = 2;
  expected.s1ptw = true;
  EXPECT_EQ(expect_fault(0x1000, AccessKind::write), expected);
  EXPECT_EQ(entry & 0xFFF, 0x008u);
}

TEST_F(Stage2Test, TablesInDeviceMemoryNeedPtwClear) {
  enable_stage1(kAf | kS2Read | kS2Write);  // MemAttr 0: Device-nGnRnE.
  map_stage1(0x1000, 0x7000, kNormalPage);
  s2.map(0x7000, 3, 0x9000'7000, kS2Rw);
  EXPECT_EQ(pa(0x1000), 0x9000'7000u);
  c.hcr_el2 |= kHcrPtw;
  Fault expected = stage2_fault(FaultKind::permission, 2, kGuestTables);
  expected.s1ptw = expected.device_walk = true;
  EXPECT_EQ(expect_fault(0x1000), expected);
}

TEST_F(Stage2Test, UpdatingAStage1DescriptorNeedsStage2WritePermission) {
  c.features.af = true;
  enable_stage1(kAf | kS2Normal | kS2Read);
  c.tcr |= 1ull << 39;
  s2.map(0x7000, 3, 0x9000'7000, kS2Rw);
  const PhysAddr young = map_stage1(0x1000, 0x7000, kNormalPage);
  EXPECT_EQ(pa(0x1000), 0x9000'7000u) << "nothing to update";
  memory.words[young + kOffset] &= ~kAf;
  Fault expected = stage2_fault(FaultKind::permission, 2, young);
  expected.s1ptw = expected.on_update = true;
  EXPECT_EQ(expect_fault(0x1000), expected);
  s2.map(kGuestTables, 2, kGuestTables + kOffset, kS2Rw);
  EXPECT_EQ(pa(0x1000), 0x9000'7000u);
  EXPECT_TRUE(memory.at(young + kOffset) & kAf) << "written at the PA";
}

TEST_F(Stage2Test, AWriteMarksThePageOfAStage1DescriptorDirtyToo) {
  c.features.af = c.features.dirty = true;
  c.vtcr_el2 |= 3u << 21;
  enable_stage1(kAf | kS2Normal | kS2Read | kDbm);
  c.tcr |= 3ull << 39;
  s2.map(0x7000, 3, 0x9000'7000, kS2Rw);
  const PhysAddr entry = map_stage1(0x1000, 0x7000, kNormalPage | kApRo | kDbm);
  EXPECT_TRUE(mapping(go(0x1000))->needs_dirty_update);
  EXPECT_FALSE(memory.at(s2.descriptor(kGuestTables, 2)) & kS2Write);
  EXPECT_FALSE(mapping(go(0x1000, AccessKind::write))->needs_dirty_update);
  EXPECT_FALSE(memory.at(entry + kOffset) & kApRo);
  EXPECT_TRUE(memory.at(s2.descriptor(kGuestTables, 2)) & kS2Write);
}

TEST_F(Stage2Test, AtStage1StopsAtTheIpaButItsWalkDoesNot) {
  enable_stage1();
  map_stage1(0x1000, 0x7000, kNormalPage);  // 0x7000 is not mapped in stage 2.
  TranslationRequest request;
  request.va = 0x1234;
  request.stage1_only = request.is_at = true;
  const TranslationResult result = translate(Regime::el1_0, request, c, memory);
  ASSERT_NE(mapping(result), nullptr);
  EXPECT_EQ(par_el1(result, 0x1234, false), 0xFF00'0000'0000'7B80u);
  request.stage1_only = false;
  EXPECT_EQ(par_el1(translate(Regime::el1_0, request, c, memory), 0x1234, false),
            0xA0Bu);  // Translation, level 1, stage 2.
}

TEST_F(Stage2Test, OtherRegimesAndDisabledStage2AreNotTranslated) {
  TranslationRequest request;
  request.va = 0x1000;
  for (Regime regime : {Regime::el2, Regime::el2_0}) {
    EXPECT_EQ(mapping(translate(regime, request, c, memory))->pa(0x1000), 0x1000u);
  }
  c.hcr_el2 = 0;
  EXPECT_EQ(pa(0x1000), 0x1000u);
  EXPECT_EQ(memory.reads, 0u);
}

TEST_F(Stage2Test, DefaultCacheableTurnsStage1OffAndStage2On) {
  enable_stage1();
  c.hcr_el2 = kHcrDc;
  s2.map(0x1000, 3, 0x9000'1000, kS2Rw);
  const TranslationResult result = go(0x1234, AccessKind::write, false);
  ASSERT_NE(mapping(result), nullptr);
  EXPECT_EQ(mapping(result)->pa(0x1234), 0x9000'1234u);
  EXPECT_EQ(mapping(result)->attributes, (MemoryAttributes{0xFF, Shareability::non}));
  EXPECT_FALSE(mapping(result)->stage1_device);
}

TEST_F(Stage2Test, StrongerMemoryTypesWin) {
  enable_stage1();
  c.mair = 0xBB'0C'44'FF'00;  // nGnRnE, WB, NC, GRE, WT
  const auto combined = [&](unsigned index, std::uint64_t memattr, std::uint64_t sh) {
    map_stage1(0x1000, 0x7000, kAf | kShInner | attr_index(index));
    s2.map(0x7000, 3, 0x9000'7000, kAf | kS2Read | kS2Write | memattr << 2 | sh << 8);
    return mapping(go(0x1000))->attributes;
  };
  const auto attributes = [](unsigned attr, Shareability sh) {
    return MemoryAttributes{static_cast<std::uint8_t>(attr), sh};
  };
  EXPECT_EQ(combined(1, 0xF, 0), attributes(0xFF, Shareability::inner));
  EXPECT_EQ(combined(1, 0xF, 2), attributes(0xFF, Shareability::outer));
  EXPECT_EQ(combined(1, 0x5, 3), attributes(0x44, Shareability::outer));
  EXPECT_EQ(combined(1, 0xA, 3), attributes(0xBB, Shareability::inner));
  EXPECT_EQ(combined(1, 0x7, 3), attributes(0x4F, Shareability::inner));
  EXPECT_EQ(combined(2, 0xF, 3), attributes(0x44, Shareability::outer));
  EXPECT_EQ(combined(4, 0xF, 3), attributes(0xBB, Shareability::inner));
  EXPECT_EQ(combined(1, 0x1, 3), attributes(0x04, Shareability::outer));
  EXPECT_EQ(combined(0, 0xF, 3), attributes(0x00, Shareability::outer));
  EXPECT_EQ(combined(3, 0x2, 3), attributes(0x08, Shareability::outer));
  EXPECT_EQ(combined(0, 0x3, 3), attributes(0x00, Shareability::outer));
}

TEST_F(Stage2Test, ForcedWriteBackReplacesTheCombination) {
  enable_stage1();
  c.hcr_el2 |= kHcrFwb;
  const auto attr = [&](unsigned index, std::uint64_t memattr) {
    map_stage1(0x1000, 0x7000, kAf | kShInner | attr_index(index));
    s2.map(0x7000, 3, 0x9000'7000, kAf | kS2Read | kS2Write | memattr << 2 | 3 << 8);
    return mapping(go(0x1000))->attributes.attr;
  };
  EXPECT_EQ(attr(2, 0x6), 0x44) << "not without FEAT_S2FWB: 6 is outer NC, inner WT";
  c.features.s2fwb = true;
  EXPECT_EQ(attr(2, 0x6), 0xFF);
  EXPECT_EQ(attr(0, 0x6), 0xFF);
  EXPECT_EQ(attr(2, 0x7), 0x44);
  EXPECT_EQ(attr(0, 0x7), 0x00);
  EXPECT_EQ(attr(1, 0x5), 0x44);
  EXPECT_EQ(attr(1, 0x1), 0x04);
}

TEST_F(Stage2Test, ByteOrderOfStage2TablesIsEl2s) {
  s2.map(0x1000, 3, 0x9000'1000, kS2Rw);
  for (auto& [address, word] : memory.words) word = __builtin_bswap64(word);
  c.sctlr_el2 = kSctlrEe;
  EXPECT_EQ(pa(0x1000), 0x9000'1000u);
}

TEST_F(Stage2Test, UnreadableStage2TablesAbortAsStage2) {
  s2.map(0x1000, 3, 0x9000'1000, kS2Rw);
  memory.aborts.insert(s2.descriptor(0x1000, 2));
  EXPECT_EQ(expect_fault(0x1008), stage2_fault(FaultKind::external_on_walk, 2, 0x1008));
}

}  // namespace
}  // namespace trapline
