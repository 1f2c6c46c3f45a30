// VMSAv8-64 at EL1 under the MPU at EL2 (VTCR_EL2.MSA), against two oracles, that of the tables for
// stage 1 and that of the MPU for stage 2: random tables, registers and regions, then random
// accesses at EL2, EL1 and EL0, all executed by the CPU. EL1 has its MPU back at times.
//
// TRAPLINE_VMSA_FUZZ_CASES sets the number of accesses, TRAPLINE_VMSA_FUZZ_SECONDS the CPU time
// instead, TRAPLINE_VMSA_FUZZ_SEED the first seed.
#include "tests/unit/cpu_mpu_fuzz.h"
#include "tests/unit/vmsa_oracle.h"
#include "tests/unit/vmsa_tables.h"

namespace trapline::test {
namespace {

constexpr PhysAddr kTrees = kRam + 0x20'0000, kTreesEnd = kRam + 0xe0'0000;
constexpr PhysAddr kTargets = 0x2'0000;  ///< Bytes of the window that pages are mapped to.
constexpr VirtAddr kSpan = 0x1'0000;     ///< Bytes mapped at each of the guest's windows.
constexpr SysReg kTlbiAlle1 = sysreg(1, 4, 8, 7, 4), kTlbiVaae1 = sysreg(1, 0, 8, 7, 3);
constexpr std::uint64_t kHarnessPage = kAf | kApRo | kApEl0 | kShInner;

/// Descriptors in RAM, read by the oracle as the walker would, by leave of the MPU.
class GuardedTables : public PhysicalMemory {
 public:
  GuardedTables(const Bus& bus, const mpu_oracle::State& state) : bus_(bus), state_(state) {}
  bool read64(PhysAddr pa, std::uint64_t& value) override {
    refused = verdict(pa);
    return !refused && bus_.read(pa, &value, sizeof value);
  }
  Swap compare_and_swap64(PhysAddr, std::uint64_t, std::uint64_t) override { return Swap::error; }

  std::optional<Fault> refused;

 private:
  std::optional<Fault> verdict(PhysAddr ipa) const {
    if ((state_.hcr & (kVm | kDc)) == 0) return std::nullopt;
    const mpu_oracle::Stage stage = mpu_oracle::stage2(state_, {.address = ipa});
    Fault fault{.kind = FaultKind::permission, .stage2 = true, .s1ptw = true, .ipa = ipa};
    if (stage.fault) {
      fault.kind = *stage.fault;
      return fault;
    }
    if ((state_.vstcr & 1 << 20) && stage.ns) return fault;      // VSTCR_EL2.SC
    if ((state_.hcr & kPtw) && stage.attr < 0x10) return fault;  // HCR_EL2.PTW
    return std::nullopt;
  }
  const Bus& bus_;
  const mpu_oracle::State& state_;
};

class VmsaFuzz : public MpuFuzz {
 protected:
  void begin(Dice& dice) override {
    prepare(kTargets, 2);
    granule = std::array{12u, 14u, 16u}[dice.below(3)];
    t0sz = 16 + static_cast<unsigned>(dice.below(18));
    t1sz = 16 + static_cast<unsigned>(dice.below(granule == 16 ? 32 : 33));
    tied_asids = dice.percent(40);
    one_vmid = dice.percent(50);
    msa = false;
    set_tables(dice);
    set_region(true, 1, true, kTrees | kReadOnlyAll, true);
    set_region(true, 1, false, (kTreesEnd - 64) | 1, true);
    state.mair_el2 = ~0ull;
    write(reg::MAIR_EL2, state.mair_el2);
    write(reg::MAIR_EL1, mair = 0xff44'bb04'00ff'4fff);
    change_tcr(dice);
    change_ttbr1(dice);
    write(reg::TTBR0_EL1, ttbr0 = trees[0]->root());
    write(reg::SCTLR_EL1, state.sctlr_el1 |= kSctlrM);
    set_msa(true);
    // A guest's memory to begin with, and its MMU on.
    set_region(true, 2, true, kWindow | (kReadWriteAll & ~3u), true);
    set_region(true, 2, false, (kWindow + window_bytes - 64) | 1, true);
    flush();
  }

  unsigned leaf_level() const { return 3; }
  unsigned block_bits() const { return granule + granule - 3; }
  bool has_blocks() const { return 64 - t1sz > block_bits(); }
  /// Where the guest maps the window by TTBR1. Offset within a block as that of the window.
  VirtAddr upper() const {
    const std::uint64_t block = 1ull << block_bits();
    return has_blocks() ? 0 - block + (kWindow & (block - 1)) : 0 - kSpan;
  }

  void set_tables(Dice& dice) {
    for (const auto& [pa, value] : memory.words) poke(pa, 0);
    memory = {};
    entries.clear();
    const auto start = [&](unsigned txsz) {
      const unsigned bits = 64 - txsz;
      unsigned level = 3;
      while (level > 0 && bits > granule + (4 - level) * (granule - 3)) --level;
      return level;
    };
    trees[0].emplace(memory, kTrees, granule, start(t0sz));
    trees[1].emplace(memory, kTrees + 0x40'0000, granule, start(t1sz));
    trees[2].emplace(memory, kTrees + 0x80'0000, granule, start(t1sz));
    for (PhysAddr pa = kRam; pa < kRam + 0x1'0000; pa += 1ull << granule) {
      entries.push_back(trees[0]->map(pa, 3, pa, kHarnessPage));
    }
    for (unsigned tree = 0; tree < 3; ++tree) {
      for (VirtAddr offset = 0; offset < kSpan; offset += 1ull << granule) {
        const PhysAddr entry = trees[tree]->descriptor(index_address(tree, offset), 3);
        memory.words[entry] = some_page(dice);
        entries.push_back(entry);
      }
    }
    for (const auto& [pa, value] : memory.words) poke(pa, value);
  }
  /// The bits of a mapped address that index tables.
  std::uint64_t index_address(unsigned tree, VirtAddr offset) const {
    if (tree == 0) return kWindow + offset;
    return (upper() + offset) & (~0ull >> t1sz);
  }

  std::uint64_t some_page(Dice& dice) const {
    const std::uint64_t page = kWindow + (dice.below(kTargets) >> granule << granule);
    return some_attributes(dice) | page | 3;
  }
  std::uint64_t some_attributes(Dice& dice) const {
    std::uint64_t d = dice.percent(93) ? kAf : 0;
    d |= dice.below(4) << 6 | dice.below(4) << 8 | attr_index(static_cast<unsigned>(dice.below(8)));
    if (dice.percent(35)) d |= kUxnBit;
    if (dice.percent(35)) d |= kPxnBit;
    if (tied_asids || dice.percent(50)) d |= kNg;
    if (dice.percent(5)) d |= kCont;
    if (dice.percent(20)) d |= kDbm;
    if (dice.percent(20)) d |= dice.below(16) << 55 | 1 << 5;  // Software's bits, NS.
    return d;
  }
  void set_descriptor(PhysAddr entry, std::uint64_t value) {
    memory.words[entry] = value;
    poke(entry, value);
  }

  void change(Dice& dice) override {
    const std::vector<std::uint64_t> before = walks_by();
    switch (dice.below(16)) {
      case 0:
      case 1:
      case 2:
        return change_page(dice);
      case 3:
        return change_table(dice);
      case 4:
        change_tcr(dice);
        return flush();
      case 5:
        return change_ttbr1(dice);
      case 6:
        guard_tables(dice);
        break;
      case 7:
        set_msa(dice.percent(msa ? 75 : 90));
        break;
      case 8:
        change_controls(dice);
        return flush();
      case 9:
        if (!one_vmid) write(reg::VSCTLR_EL2, dice.below(3) << 48);
        break;
      case 10: {
        const bool el2 = dice.percent(60);
        enable_regions(el2, (dice.word() & dice.word()) | 1 | (dice.percent(90) ? 2 : 0));
        break;
      }
      default:
        change_region(dice);
    }
    // What is cached of the tables may now be what cannot be read.
    if (before != walks_by()) flush();
  }

  /// Tells the states apart in which the descriptors may be read differently.
  std::vector<std::uint64_t> walks_by() const {
    std::vector<std::uint64_t> values{state.hcr};
    for (const mpu_oracle::RawRegion& region : state.el2) {
      const std::uint64_t base = region.prbar & 0xffff'ffff'ffc0;
      const std::uint64_t limit = region.prlar & 0xffff'ffff'ffc0;
      if (!(region.prlar & 1) || base >= kTreesEnd || limit < kTrees) continue;
      values.insert(values.end(), {region.prbar, region.prlar});
    }
    return values;
  }
  void flush() { write(kTlbiAlle1, 0); }

  void set_msa(bool on) {
    msa = on;
    write(reg::VTCR_EL2, on ? 1ull << 31 : 0);
  }
  void change_page(Dice& dice) {
    const auto tree = static_cast<unsigned>(dice.below(3));
    const VirtAddr offset = dice.below(kSpan);
    const std::uint64_t address = index_address(tree, offset);
    if (tree != 0 && has_blocks() && !leads_to_table(tree)) return;
    std::uint64_t page = some_page(dice);
    if (dice.percent(4)) page &= ~1ull;
    if (dice.percent(3)) page &= ~2ull;
    if (dice.percent(4)) page |= dice.percent(50) ? 1ull << 41 : 1ull << 45;
    set_descriptor(trees[tree]->descriptor(address, leaf_level()), page);
    const VirtAddr va = tree == 0 ? kWindow + offset : upper() + offset;
    if (!one_vmid || dice.percent(50)) return flush();
    write(kTlbiVaae1, va >> 12 & 0xfff'ffff'ffff);
  }
  bool leads_to_table(unsigned tree) {
    const std::uint64_t entry = memory.at(trees[tree]->descriptor(index_address(tree, 0), 2));
    return (entry & 2) && (entry & 0xffff'ffff'f000) != kHole;
  }
  /// The entry of level 2 that leads to the upper window, if TTBR1's trees have one.
  void change_table(Dice& dice) {
    if (!has_blocks()) return;
    const auto tree = 1 + static_cast<unsigned>(dice.below(2));
    TableTree& tables = *trees[tree];
    const PhysAddr entry = tables.descriptor(index_address(tree, 0), 2);
    std::uint64_t& table = tables_of[tree];
    if (leads_to_table(tree)) table = memory.at(entry) & 0xffff'ffff'f000;
    std::uint64_t value = table | 3 | (dice.percent(50) ? dice.below(16) << 59 : 0);
    if (dice.percent(25)) {
      const std::uint64_t block = kWindow >> block_bits() << block_bits();
      value = block | 1 | some_attributes(dice);
    } else if (dice.percent(5)) {
      value = 0;
    } else if (dice.percent(5)) {
      value = kHole | 3;
    }
    set_descriptor(entry, value);
    flush();
  }
  void change_tcr(Dice& dice) {
    constexpr std::array<std::uint64_t, 3> kTg0 = {0, 2, 1}, kTg1 = {2, 1, 3};
    constexpr std::array<std::uint64_t, 4> kIps = {0, 1, 2, 5};
    const unsigned size = (granule - 12) / 2;
    tcr = t0sz | std::uint64_t{t1sz} << 16 | kTg0[size] << 14 | kTg1[size] << 30 |
          kIps[dice.below(4)] << 32 | 1ull << 36;
    for (unsigned bit : {37u, 38u, 41u, 42u, 51u, 52u}) tcr |= dice.below(2) << bit;
    if (tied_asids || dice.percent(50)) tcr |= 1 << 22;  // A1
    if (dice.percent(5)) tcr |= 1 << 23;                 // EPD1
    write(reg::TCR_EL1, tcr);
  }
  void change_ttbr1(Dice& dice) {
    const auto tree = 1 + static_cast<unsigned>(dice.below(2));
    ttbr1 = trees[tree]->root();
    if (tied_asids) {
      ttbr1 |= std::uint64_t{4 + tree} << 48;
      return write(reg::TTBR1_EL1, ttbr1);
    }
    ttbr1 |= dice.below(4) << 48;
    if (dice.percent(4)) ttbr1 |= 1ull << 41;
    write(reg::TTBR1_EL1, ttbr1);
    flush();
  }
  /// EL2's region over the tables is cut at a descriptor, loses its rights, or is whole again.
  void guard_tables(Dice& dice) {
    std::uint64_t base = kTrees, limit = kTreesEnd - 64, rights = kReadOnlyAll;
    const std::uint64_t at = entries[dice.below(entries.size())] & ~63ull;
    switch (dice.below(8)) {
      case 0:
        base = at + 64 * dice.below(2);
        break;
      case 1:
        limit = at - 64 * dice.below(2);
        break;
      case 2:
        rights = dice.below(16);
        break;
      default:
        break;
    }
    set_region(true, 1, true, base | rights | dice.below(4) << 4, true);
    set_region(true, 1, false, limit | (dice.percent(10) ? 16 : 0) | dice.below(8) << 1 | 1, true);
  }
  void change_controls(Dice& dice) {
    switch (dice.below(6)) {
      case 0:
      case 1:
        return write(reg::SCTLR_EL1, state.sctlr_el1 = some_sctlr(dice));
      case 2:
        return write(reg::SCTLR_EL2, state.sctlr_el2 = some_sctlr(dice));
      case 3:
        state.hcr = (dice.percent(80) ? kVm : 0) | (dice.percent(6) ? kDc : 0) |
                    (dice.percent(30) ? kPtw : 0);
        return write(reg::HCR_EL2, state.hcr | kHcrRw);
      case 4:
        state.mair_el2 = dice.percent(70) ? ~0ull : 0xff44'00ff'04bb'ffff;
        return write(reg::MAIR_EL2, state.mair_el2);
      default:
        return write(reg::VSTCR_EL2, state.vstcr = dice.percent(25) ? 1 << 20 : 0);
    }
  }

  Verdict judge(const Question& q) const override {
    if (q.el == El::el2 || !msa) return MpuFuzz::judge(q);
    GuardedTables tables(bus, state);
    TranslationControls controls;
    controls.sctlr = state.hcr & kDc ? state.sctlr_el1 & ~kSctlrM : state.sctlr_el1;
    controls.tcr = tcr;
    controls.ttbr0 = ttbr0;
    controls.ttbr1 = ttbr1;
    controls.mair = mair;
    controls.features = {.pa_bits = 40, .hpd = true, .ttst = true, .pauth = true, .vmid16 = true};
    oracle::Translator translator(Regime::el1_0, controls, tables);
    const oracle::Answer one = translator.translate(
        {.va = q.va, .kind = q.kind, .privileged = q.privileged, .pan = q.pan});
    if (tables.refused) return {tables.refused};
    if (one.fault) return {one.fault};
    if ((state.hcr & (kVm | kDc)) == 0) return {std::nullopt, one.pa};
    const mpu_oracle::Stage two =
        mpu_oracle::stage2(state, {.address = one.pa, .kind = q.kind, .privileged = q.privileged});
    if (!two.fault && !((state.vstcr & 1 << 20) && two.ns)) return {std::nullopt, one.pa};
    return {
        Fault{.kind = two.fault.value_or(FaultKind::permission), .stage2 = true, .ipa = one.pa}};
  }

  Try choose(Dice& dice) override {
    const El el = dice.percent(12) ? El::el2 : static_cast<El>(dice.below(2));
    const auto form = static_cast<unsigned>(dice.below(kFetch + 5));
    const bool pan = el == El::el1 && dice.percent(30), tables = msa && el != El::el2;
    VirtAddr va = tables && dice.percent(50) ? upper() : kWindow;
    const std::uint64_t page = 1ull << std::min(granule, 12u + 2 * unsigned(dice.below(3)));
    std::uint64_t offset = dice.below(kSpan - 16);
    if (dice.percent(30)) offset = (offset & ~63ull) - dice.below(16) + 8;
    if (dice.percent(20)) offset = (offset & ~(page - 1)) - dice.below(16) + 8;
    if (dice.percent(50) || form >= kFetch) offset &= ~7ull;
    if (offset > kSpan - 16) offset = 0;
    if (dice.percent(60) && form < kFetch) offset -= offset % kForms[form].bytes;
    // The engine checks the alignment of what is atomic itself.
    if (form < kFetch && kForms[form].reads && kForms[form].writes) offset &= ~7ull;
    va += offset;
    if (tables && form < kFetch && dice.percent(8)) va ^= dice.below(256) << 56 & ~(1ull << 55);
    if (tables && form < kFetch && dice.percent(2)) va ^= 1ull << (40 + dice.below(15));
    return {el, std::min(form, kFetch), va, pan};
  }

  std::string describe_more() const override {
    std::ostringstream text;
    text << std::hex << "  " << (msa ? "MSA" : "PMSA") << " granule " << granule << " TCR " << tcr
         << " TTBR0 " << ttbr0 << " TTBR1 " << ttbr1 << " upper " << upper() << "\n";
    for (const auto& [pa, value] : memory.words) text << "  [" << pa << "] " << value << "\n";
    return text.str();
  }

  TableMemory memory;  ///< What was written to RAM as tables.
  std::array<std::optional<TableTree>, 3> trees;
  std::array<std::uint64_t, 3> tables_of{};  ///< The level 3 tables of the upper windows.
  std::vector<PhysAddr> entries;
  unsigned granule = 12, t0sz = 25, t1sz = 25;
  std::uint64_t tcr = 0, ttbr0 = 0, ttbr1 = 0, mair = 0;
  bool msa = false;
  bool tied_asids = false;  ///< Each tree of TTBR1 has its ASID, and all pages are tagged with it.
  bool one_vmid = false;
};

TEST_F(VmsaFuzz, EveryAccessEndsAsTheOraclesSay) {
  fuzz("TRAPLINE_VMSA_FUZZ", 400'000, 2'000);
  if (HasFailure() || accesses_made < 100'000) return;
  for (const char* end : {"allowed", "address size", "translation", "access flag", "permission",
                          "external on walk", "translation in stage 2", "permission in stage 2",
                          "translation of a walk", "permission of a walk"}) {
    EXPECT_GT(ends[end], accesses_made / 1000) << end;
  }
}

}  // namespace
}  // namespace trapline::test
