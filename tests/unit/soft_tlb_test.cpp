#include "sim/cpu/soft_tlb.h"

#include <gtest/gtest.h>

namespace trapline {
namespace {

constexpr VirtAddr kVa = 0xffff'8000'1234'5000;

class SoftTlbTest : public ::testing::Test {
 protected:
  SoftTlb::Context context(std::uint32_t asid, std::uint16_t vmid = 0,
                           Regime regime = Regime::el1_0) {
    bool flushed = false;
    const auto id = tlb.context({.regime = regime, .stage1_on = true, .vmid = vmid, .asid = asid},
                                flushed);
    flushes += flushed;
    return id;
  }
  void insert(SoftTlb::Context id, VirtAddr va, std::uint8_t shift = 12, bool contiguous = false) {
    Mapping mapping;
    mapping.pa_page = va & 0x00ff'ffff'ffffull & ~((1ull << shift) - 1);
    mapping.page_shift = shift;
    mapping.contiguous = contiguous;
    mapping.stage1 = mapping.stage2 = kAllPermissions;
    tlb.insert(id, va, mapping);
  }
  bool holds(SoftTlb::Context id, VirtAddr va = kVa) const { return tlb.find(id, va) != nullptr; }

  SoftTlb tlb;
  unsigned flushes = 0;
};

TEST_F(SoftTlbTest, HoldsThePageOfALargerLeaf) {
  const auto id = context(1);
  insert(id, kVa, 21);
  const SoftTlb::Entry* entry = tlb.find(id, kVa + 0xabc);
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->pa_page, kVa & 0x00ff'ffff'f000ull);
  EXPECT_TRUE(entry->permissions.allows(AccessKind::fetch, false));
  EXPECT_FALSE(holds(id, kVa + 0x1000)) << "only pages that were asked for";
}

TEST_F(SoftTlbTest, EveryFieldOfTheTagSeparates) {
  bool flushed = false;
  const TlbTag base{.regime = Regime::el1_0, .stage1_on = true, .vmid = 1, .asid = 1};
  const auto id = tlb.context(base, flushed);
  EXPECT_EQ(tlb.context(base, flushed), id);
  TlbTag other = base;
  other.regime = Regime::el2_0;
  EXPECT_NE(tlb.context(other, flushed), id);
  other = base;
  other.stage1_on = false;
  EXPECT_NE(tlb.context(other, flushed), id);
  other = base;
  other.stage2_on = true;
  EXPECT_NE(tlb.context(other, flushed), id);
  other = base;
  other.vmid = 2;
  EXPECT_NE(tlb.context(other, flushed), id);
  other = base;
  other.asid = TlbTag::kGlobal;
  EXPECT_NE(tlb.context(other, flushed), id);
  EXPECT_FALSE(flushed);
}

TEST_F(SoftTlbTest, InvalidationsTakeWhatTheyName) {
  const auto one = context(1), two = context(2), global = context(TlbTag::kGlobal),
             guest = context(1, 7), host = context(1, 0, Regime::el2_0);
  const auto fill = [&] {
    for (const auto id : {one, two, global, guest, host}) insert(id, kVa);
  };
  const auto held = [&] {
    std::string text;
    for (const auto id : {one, two, global, guest, host}) text += holds(id) ? '1' : '0';
    return text;
  };
  fill();
  EXPECT_EQ(held(), "11111");
  tlb.invalidate_asid(Regime::el1_0, 0, 1);
  EXPECT_EQ(held(), "01111") << "neither global nor of another VMID";
  fill();
  tlb.invalidate_vmid(Regime::el1_0, 0);
  EXPECT_EQ(held(), "00011");
  fill();
  tlb.invalidate_regime(Regime::el1_0);
  EXPECT_EQ(held(), "00001");
  fill();
  EXPECT_FALSE(tlb.invalidate_va(Regime::el1_0, 0, 1, kVa));
  EXPECT_EQ(held(), "01011") << "the ASID's and the global one";
  fill();
  EXPECT_FALSE(tlb.invalidate_va(Regime::el1_0, 0, TlbTag::kGlobal, kVa));
  EXPECT_EQ(held(), "00011") << "every ASID";
  fill();
  tlb.invalidate_all();
  EXPECT_EQ(context(1), 1) << "identifiers start afresh";
}

TEST_F(SoftTlbTest, AnAddressInALargerLeafDropsAllOfIt) {
  const auto id = context(1), other = context(2);
  insert(id, kVa, 21);
  insert(id, kVa + 0x1000, 21);
  insert(other, kVa);
  EXPECT_TRUE(tlb.invalidate_va(Regime::el1_0, 0, 1, kVa + 0x8000)) << "a page never looked at";
  EXPECT_FALSE(holds(id));
  EXPECT_FALSE(holds(id, kVa + 0x1000));
  EXPECT_TRUE(holds(other));
  insert(id, kVa + 0x40'0000, 12, true);
  insert(id, kVa + 0x40'1000, 12, true);
  EXPECT_TRUE(tlb.invalidate_va(Regime::el1_0, 0, 1, kVa + 0x40'1000)) << "a contiguous run";
  EXPECT_FALSE(holds(id, kVa + 0x40'0000));
}

TEST_F(SoftTlbTest, ANeighbourOfALargerLeafIsLeftAlone) {
  const auto id = context(1);
  insert(id, kVa, 21);
  insert(id, kVa + 0x20'0000);
  EXPECT_FALSE(tlb.invalidate_va(Regime::el1_0, 0, 1, kVa + 0x20'0000));
  EXPECT_TRUE(holds(id));
}

TEST_F(SoftTlbTest, GrowsAndKeepsEverything) {
  const auto id = context(1), stale = context(2);
  constexpr unsigned kPages = 100'000;
  for (unsigned i = 0; i < kPages; ++i) {
    if (i == 1000) tlb.invalidate_asid(Regime::el1_0, 0, 2);
    insert(i < 1000 ? stale : id, kVa + 4096ull * i);
  }
  EXPECT_FALSE(tlb.full());
  for (unsigned i = 0; i < kPages; ++i) {
    ASSERT_EQ(holds(i < 1000 ? stale : id, kVa + 4096ull * i), i >= 1000) << i;
  }
}

TEST_F(SoftTlbTest, ReplacingAnEntryTakesNoRoom) {
  const auto id = context(1);
  for (unsigned i = 0; i < 600'000; ++i) insert(id, kVa);
  EXPECT_FALSE(tlb.full());
  for (unsigned i = 0; i < SoftTlb::kMaximumEntries / 2; ++i) insert(id, kVa + 4096ull * i);
  EXPECT_TRUE(tlb.full());
}

TEST_F(SoftTlbTest, RunningOutOfContextsDropsAllAndSaysSo) {
  const auto first = context(1);
  insert(first, kVa);
  for (std::uint32_t asid = 2; asid < SoftTlb::kContexts; ++asid) context(asid);
  EXPECT_EQ(flushes, 0u);
  EXPECT_TRUE(holds(first));
  context(SoftTlb::kContexts);
  EXPECT_EQ(flushes, 1u);
  EXPECT_FALSE(holds(context(1)));
}

}  // namespace
}  // namespace trapline
