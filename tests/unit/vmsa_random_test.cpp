// Random controls, tables and accesses: the walker against the oracle.
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "sim/cpu/vmsa.h"
#include "tests/unit/vmsa_oracle.h"

namespace trapline {
namespace {

using Word = std::uint64_t;

Word mix(Word x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

class Dice {
 public:
  explicit Dice(Word seed) : state_(seed) {}
  Word word() { return state_ = mix(state_); }
  Word below(Word n) { return word() % n; }
  bool percent(unsigned p) { return below(100) < p; }

 private:
  Word state_;
};

// Every word of memory is a plausible descriptor drawn from its address, so walks of any depth go
// somewhere.
class RandomMemory : public PhysicalMemory {
 public:
  RandomMemory(Word seed, unsigned address_bits, bool big_endian)
      : seed_(seed), address_bits_(address_bits), big_endian_(big_endian) {}

  bool read64(PhysAddr pa, Word& value) override {
    if (mix(seed_ ^ pa ^ 0xABCD) % 400 == 0) return false;
    value = at(pa);
    return true;
  }
  Swap compare_and_swap64(PhysAddr pa, Word expected, Word desired) override {
    if (mix(seed_ ^ pa ^ 0x1234) % 50 == 0) return Swap::error;
    if (at(pa) != expected) return Swap::changed;
    written[pa] = desired;
    return Swap::done;
  }

  std::map<PhysAddr, Word> written;

 private:
  Word at(PhysAddr pa) const {
    const auto word = written.find(pa);
    return word == written.end() ? fresh(pa) : word->second;
  }
  Word fresh(PhysAddr pa) const {
    Dice dice(seed_ ^ mix(pa));
    Word d = dice.word() & 0xFFF0'0000'0000'0FFC;  // Attributes.
    if (dice.percent(70)) d &= ~(0x1Full << 59);   // Mostly no table limits.
    if (dice.percent(70)) d &= ~(3ull << 53);      // Mostly executable.
    if (dice.percent(80)) d |= 1ull << 6;
    if (dice.percent(50)) d |= 1ull << 7;
    if (dice.percent(30)) d |= 1ull << 51;
    if (dice.percent(95)) d |= 1ull << 10;
    d |= dice.word() & ((1ull << address_bits_) - 1) & ~0xFFFull;
    if (dice.percent(2)) d |= 1ull << (32 + dice.below(16));
    d |= dice.percent(97) ? (dice.percent(75) ? 3 : 1) : dice.below(4);
    return big_endian_ ? __builtin_bswap64(d) : d;
  }

  Word seed_;
  unsigned address_bits_;
  bool big_endian_;
};

// Mostly a start level that can resolve the input size.
Word random_vtcr(Dice& dice, unsigned pa_bits) {
  struct Shape {
    Word tg0, sl0;
    unsigned min_ia, max_ia, min_pa;
  };
  static constexpr Shape kShapes[] = {{0, 0, 32, 34, 32}, {0, 1, 32, 43, 32}, {0, 2, 40, 48, 44},
                                      {2, 0, 25, 29, 32}, {2, 1, 32, 40, 32}, {2, 2, 37, 48, 42},
                                      {1, 0, 25, 33, 32}, {1, 1, 32, 46, 32}, {1, 2, 43, 48, 44}};
  const Shape& shape = kShapes[dice.below(9)];
  const unsigned most = std::min(shape.max_ia, pa_bits);
  Word ia = shape.min_ia > most ? most : shape.min_ia + dice.below(most - shape.min_ia + 1);
  if (ia < 32 && dice.percent(70)) ia = std::min(shape.max_ia, 32u);
  Word vtcr = (64 - ia) | shape.sl0 << 6 | shape.tg0 << 14;
  if (dice.percent(10)) vtcr ^= dice.below(256);
  if (dice.percent(5)) vtcr ^= dice.below(4) << 14;
  return vtcr | (dice.percent(80) ? 5 : dice.below(8)) << 16 | dice.below(4) << 21;
}

TranslationControls random_controls(Dice& dice, Regime regime, unsigned& address_bits,
                                    bool big_endian) {
  TranslationControls c;
  static constexpr std::uint8_t kSizes[] = {32, 36, 40, 42, 44, 48};
  c.features.pa_bits = kSizes[dice.below(6)];
  c.features.granule_16k = dice.percent(85);
  c.features.granule_64k = dice.percent(85);
  c.features.granule_4k = dice.percent(90);
  c.features.af = dice.percent(70);
  c.features.dirty = dice.percent(80);
  c.features.hpd = dice.percent(50);
  c.features.xnx = dice.percent(50);
  c.features.epan = dice.percent(50);
  c.features.ttst = dice.percent(40);
  c.features.pauth = dice.percent(50);
  c.features.s2fwb = dice.percent(40);
  const Word ee = big_endian ? 1ull << 25 : 0;
  c.sctlr = (dice.word() & (1ull << 57 | 1 << 19 | 1 << 2)) | dice.percent(90) | ee;
  c.sctlr_el2 = ee;
  c.mair = dice.word();
  for (unsigned i = 0; i < 8; ++i) {  // No reserved or FEAT_XS/MTE encodings.
    static constexpr Word kAttrs[] = {0x00, 0x04, 0x08, 0x0C, 0x44, 0xFF, 0xBB, 0x4F, 0xE4, 0x9D};
    c.mair = (c.mair & ~(0xFFull << (8 * i))) | kAttrs[dice.below(10)] << (8 * i);
  }
  c.tcr = dice.word() & ~(0x3Full | 0x3Full << 16 | 1ull << 7 | 1ull << 23);
  const auto txsz = [&] { return dice.percent(90) ? 16 + dice.below(24) : dice.below(64); };
  c.tcr |= txsz() | txsz() << 16;
  const bool single = regime == Regime::el2;
  if (single) c.tcr &= ~(7ull << 16);
  if (dice.percent(80)) c.tcr |= single ? 5ull << 16 : 5ull << 32;
  if (dice.percent(60)) c.tcr |= single ? 3ull << 21 : 3ull << 39;

  if (dice.percent(5)) c.tcr |= 1ull << 7 | 1ull << 23;
  if (dice.percent(85)) c.hcr_el2 |= 1;
  if (dice.percent(5)) c.hcr_el2 |= 1ull << 12;
  if (dice.percent(3)) c.hcr_el2 |= 1ull << 27;
  if (dice.percent(30)) c.hcr_el2 |= 1ull << 2;
  if (dice.percent(50)) c.hcr_el2 |= 1ull << 46;
  c.vtcr_el2 = random_vtcr(dice, c.features.pa_bits);
  address_bits = dice.percent(80) ? 32 : c.features.pa_bits;
  const auto ttbr = [&] { return dice.word() & ((1ull << address_bits) - 1); };
  c.ttbr0 = ttbr() | (dice.percent(2) ? 1ull << 47 : 0);
  c.ttbr1 = ttbr();
  c.vttbr_el2 = ttbr();
  return c;
}

VirtAddr random_va(Dice& dice, Regime regime, const TranslationControls& c) {
  const bool upper = dice.percent(regime == Regime::el2 ? 5 : 50);
  const unsigned size = 64 - ((c.tcr >> (upper ? 16 : 0)) & 0x3F);
  const Word mask = size >= 64 ? ~0ull : (1ull << size) - 1;
  Word va = (dice.word() & mask) | (upper ? ~mask : 0);
  if (dice.percent(15)) va ^= dice.word() << 56;
  if (dice.percent(5)) va ^= 1ull << dice.below(64);
  if (!(c.sctlr & 1) || (c.hcr_el2 & (1ull << 12))) va &= dice.percent(90) ? 0xFFFF'FFFF : ~0ull;
  return va;
}

std::string describe(const std::optional<Fault>& f) {
  if (!f) return "no fault";
  std::ostringstream out;
  out << "fault kind " << int(f->kind) << " level " << int(f->level) << " stage2 " << f->stage2
      << " s1ptw " << f->s1ptw << " update " << f->on_update << " ipa " << std::hex << f->ipa;
  return out.str();
}

struct Tally {
  unsigned mapped = 0, faults = 0, nested_faults = 0, writes = 0, pending = 0;
  unsigned kinds[8] = {};
};

// A cached mapping must answer every other access to its page as a new walk would.
void check_all_accesses(Regime regime, const Mapping& m, VirtAddr va, const TranslationControls& c,
                        const RandomMemory& after, Word seed) {
  for (unsigned i = 0; i < 12; ++i) {
    TranslationRequest other;
    other.kind = static_cast<AccessKind>(i % 3);
    other.privileged = regime == Regime::el2 || (i / 3) % 2;
    other.pan = i >= 6;
    other.debug = true;  // Leaves AF and dirty alone, so only permissions count.
    other.va = va ^ (mix(seed + i) & m.offset_mask());
    if (other.kind == AccessKind::fetch) other.va = va;  // TBID: tags differ between kinds.
    RandomMemory memory = after;
    const auto expected = oracle::Translator(regime, c, memory).translate(other);
    const auto got = check(m, other.va, other.kind, other.privileged, other.pan);
    if (expected.fault && expected.fault->kind != FaultKind::permission) {
      ASSERT_EQ(other.kind, AccessKind::fetch) << seed;  // Only TBID makes this possible.
      continue;
    }
    ASSERT_EQ(got, expected.fault)
        << seed << ": " << describe(got) << " / " << describe(expected.fault);
    if (!got) {
      ASSERT_EQ(m.pa(other.va), expected.pa) << seed;
    }
  }
}

void compare(Word seed, Tally& tally) {
  Dice dice(seed);
  const Regime regime = static_cast<Regime>(dice.below(5) % 3);
  const bool big_endian = dice.percent(10);
  unsigned address_bits = 0;
  const TranslationControls c = random_controls(dice, regime, address_bits, big_endian);
  TranslationRequest request;
  request.va = random_va(dice, regime, c);
  request.kind = static_cast<AccessKind>(dice.below(3));
  request.privileged = regime == Regime::el2 || dice.percent(60);
  request.pan = dice.percent(30);
  request.stage1_only = dice.percent(5);
  request.is_at = dice.percent(10);
  request.debug = dice.percent(5);
  RandomMemory expected_memory(dice.word(), address_bits, big_endian);
  RandomMemory memory = expected_memory;

  const oracle::Answer expected = oracle::Translator(regime, c, expected_memory).translate(request);
  const TranslationResult result = translate(regime, request, c, memory);
  const Fault* fault = std::get_if<Fault>(&result);
  const std::optional<Fault> got = fault ? std::optional<Fault>(*fault) : std::nullopt;
  ASSERT_EQ(got, expected.fault) << seed << ": " << describe(got) << " / "
                                 << describe(expected.fault);
  ASSERT_EQ(memory.written, expected_memory.written) << seed;
  tally.writes += !memory.written.empty();
  if (fault) {
    ++tally.faults;
    tally.nested_faults += fault->s1ptw;
    ++tally.kinds[static_cast<unsigned>(fault->kind)];
    return;
  }
  ++tally.mapped;
  const Mapping& m = std::get<Mapping>(result);
  ASSERT_EQ(m.pa(request.va), expected.pa) << seed;
  ASSERT_EQ(m.attributes.attr, expected.attr) << seed;
  ASSERT_EQ(static_cast<unsigned>(m.attributes.shareability), expected.sh) << seed;
  ASSERT_EQ(m.non_global, expected.non_global) << seed;
  tally.pending += m.needs_dirty_update;
  if (!request.stage1_only) check_all_accesses(regime, m, request.va, c, memory, seed);
}

TEST(VmsaRandom, AgreesWithTheOracleOnFaultsOutputsAttributesAndTableUpdates) {
  Tally tally;
  for (Word seed = 1; seed <= 200'000; ++seed) {
    compare(seed, tally);
    if (HasFatalFailure()) return;
  }
  // The draw must keep reaching every outcome.
  EXPECT_GT(tally.mapped, 20'000u);
  EXPECT_GT(tally.nested_faults, 5'000u);
  EXPECT_GT(tally.writes, 2'000u);
  EXPECT_GT(tally.pending, 1'000u);
  for (FaultKind kind : {FaultKind::address_size, FaultKind::translation, FaultKind::access_flag,
                         FaultKind::permission, FaultKind::external_on_walk}) {
    EXPECT_GT(tally.kinds[static_cast<unsigned>(kind)], 300u) << int(kind);
  }
}

}  // namespace
}  // namespace trapline
