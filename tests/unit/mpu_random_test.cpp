// The MPU's look-up against the oracle: random regions, controls and accesses, with boundaries and
// overlaps weighted, and random programs of register writes.
//
// TRAPLINE_MPU_CASES sets the number of look-ups (10,000,000 by default, the register programs make
// a tenth of that), TRAPLINE_MPU_SEED the first seed.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <sstream>

#include "models/mpu/mpu.h"
#include "sim/arch/registers.h"
#include "tests/unit/mpu_oracle.h"

namespace trapline {
namespace {

using mpu_oracle::Access;
using mpu_oracle::Outcome;
using mpu_oracle::State;
using Word = std::uint64_t;

Word from_environment(const char* name, Word otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

class Dice {
 public:
  explicit Dice(Word seed) : state_(seed) {}
  Word word() {
    Word x = state_ += 0x9e37'79b9'7f4a'7c15;
    x = (x ^ (x >> 30)) * 0xbf58'476d'1ce4'e5b9;
    x = (x ^ (x >> 27)) * 0x94d0'49bb'1331'11eb;
    return x ^ (x >> 31);
  }
  Word below(Word n) { return word() % n; }
  bool percent(unsigned p) { return below(100) < p; }

 private:
  Word state_;
};

constexpr std::array<unsigned, 8> kCounts = {0, 1, 4, 8, 16, 32, 40, 255};
constexpr std::array<Word, 10> kMemoryTypes = {0x00, 0x04, 0x08, 0x0c, 0x44,
                                               0x77, 0xbb, 0xff, 0x4f, 0xf4};

Word random_mair(Dice& dice) {
  Word mair = 0;
  for (int i = 0; i < 8; ++i) mair = mair << 8 | kMemoryTypes[dice.below(kMemoryTypes.size())];
  return mair;
}

// Addresses crowd together, so that regions overlap, abut and split pages.
Word random_place(Dice& dice) {
  switch (dice.below(8)) {
    case 0:
      return dice.word() & MpuRegion::kAddressMask;
    case 1:
      return (0xff'ffff'0000 + dice.below(0x2'0000)) & MpuRegion::kAddressMask;  // At 2^40.
    case 2:
      return (0x7fff'f000 + dice.below(0x2000)) & ~Word{63};  // Where the default map changes.
    case 3:
      return 0x1'0000 * dice.below(16);
    default:
      return dice.below(0x1'0000) & ~Word{63};
  }
}

Word random_size(Dice& dice) {
  constexpr std::array<Word, 6> kSizes = {64, 128, 1024, 4096, 0x1'0000, 0x8000'0000};
  return kSizes[dice.below(kSizes.size())];
}

mpu_oracle::RawRegion random_region(Dice& dice, unsigned enabled_percent) {
  const Word base = random_place(dice);
  const Word limit = dice.percent(5) ? random_place(dice) : base + random_size(dice) - 64;
  return {base | dice.below(64), (limit & MpuRegion::kAddressMask) | (dice.below(32) & ~Word{1}) |
                                     (dice.percent(enabled_percent) ? 1 : 0)};
}

void randomize_controls(Dice& dice, State& state) {
  constexpr Word kM = 1, kC = 4, kBr = 1 << 17, kWxn = 1 << 19;
  const auto sctlr = [&] {
    return (dice.percent(90) ? kM : 0) | (dice.percent(70) ? kC : 0) |
           (dice.percent(40) ? kBr : 0) | (dice.percent(30) ? kWxn : 0);
  };
  state.sctlr_el1 = sctlr();
  state.sctlr_el2 = sctlr();
  state.mair_el1 = random_mair(dice);
  state.mair_el2 = random_mair(dice);
  state.hcr = (dice.percent(60) ? 1 : 0) | (dice.percent(5) ? 1 << 12 : 0) |
              (dice.percent(5) ? 1 << 27 : 0);
  state.vstcr = dice.percent(20) ? 1 << 20 : 0;
  constexpr std::array<unsigned, 4> kPaBits = {32, 36, 40, 48};
  state.pa_bits = kPaBits[dice.below(4)];
}

State random_state(Dice& dice) {
  State state;
  const unsigned enabled = dice.percent(50) ? 30 : 90;
  const auto fill = [&](mpu_oracle::Regions& regions) {
    const unsigned count = kCounts[dice.below(dice.percent(90) ? 6 : kCounts.size())];
    for (unsigned n = 0; n < count; ++n) regions.push_back(random_region(dice, enabled));
    // A clone of a region now and then: complete overlap, or only one of both enabled.
    if (count > 1 && dice.percent(30)) {
      auto& clone = regions[dice.below(count)] = regions[dice.below(count)];
      if (dice.percent(50)) clone.prlar &= ~Word{1};
    }
  };
  fill(state.el1);
  fill(state.el2);
  randomize_controls(dice, state);
  if (dice.percent(50)) {
    state.map = {{0, 0x7fff'ffff, 0xff, 0, true},
                 {0x8000'0000, 0xbfff'ffff, 0x04, 2, false},
                 {0xc000'0000, 0xffff'ffff, 0x00, 2, false},
                 {0x1'0000'0000, ~Word{0}, 0xff, 0, true}};
  } else {
    state.map = {{0, 0x3fff, 0xbb, 3, true},
                 {0x4000, 0x80ff, 0x0c, 2, false},
                 {0x8100, ~Word{0}, 0x44, 0, true}};
  }
  return state;
}

MpuDefaultMap model_map(const State& state) {
  MpuDefaultMap map;
  for (const auto& piece : state.map) {
    map.push_back({piece.last,
                   {static_cast<std::uint8_t>(piece.attr), static_cast<Shareability>(piece.sh)},
                   piece.execute});
  }
  return map;
}

MpuControls model_controls(const State& state, std::span<const MpuDefaultRange> map) {
  MpuControls controls;
  controls.sctlr_el1 = state.sctlr_el1;
  controls.mair_el1 = state.mair_el1;
  controls.sctlr_el2 = state.sctlr_el2;
  controls.mair_el2 = state.mair_el2;
  controls.hcr_el2 = state.hcr;
  controls.vstcr_el2 = state.vstcr;
  controls.pa_bits = static_cast<std::uint8_t>(state.pa_bits);
  controls.default_map = map;
  return controls;
}

Word random_address(Dice& dice, const State& state) {
  const auto& regions = dice.percent(50) ? state.el1 : state.el2;
  if (!regions.empty() && dice.percent(75)) {
    const auto& region = regions[dice.below(regions.size())];
    const Word edge = dice.percent(50) ? region.prbar & MpuRegion::kAddressMask : region.prlar | 63;
    constexpr std::array<Word, 9> kSteps = {0, 1, ~Word{0}, 63, 64, Word{0} - 64, 65, 0x3ff, 0xfff};
    return (edge & 0xffff'ffff'ffff) + kSteps[dice.below(kSteps.size())];
  }
  if (dice.percent(3)) return dice.word();
  return random_place(dice) + dice.below(64);
}

Access random_access(Dice& dice, const State& state) {
  Access access;
  access.at_el2 = dice.percent(35);
  access.address = random_address(dice, state);
  access.kind = static_cast<AccessKind>(dice.below(3));
  access.privileged = access.at_el2 || dice.percent(60);
  access.pan = !access.at_el2 && dice.percent(20);
  access.stage1_only = !access.at_el2 && dice.percent(10);
  return access;
}

Outcome outcome_of(const Fault& fault) {
  Outcome outcome;
  outcome.fault = fault.kind;
  outcome.stage2 = fault.stage2;
  return outcome;
}

Outcome outcome_of(const MpuMapping& mapping) {
  Outcome outcome;
  outcome.ok = true;
  outcome.attr = mapping.attributes.attr;
  outcome.sh = static_cast<unsigned>(mapping.attributes.shareability);
  outcome.ns = mapping.non_secure;
  return outcome;
}

Outcome outcome_of(const MpuResult& result) {
  return std::visit([](const auto& value) { return outcome_of(value); }, result);
}

MpuRequest request_of(const Access& access) {
  return {access.address, access.kind, access.privileged, access.pan, access.stage1_only};
}

MpuRegime regime_of(const Access& access) {
  return access.at_el2 ? MpuRegime::el2 : MpuRegime::el1_0;
}

std::string describe(const State& state, const Access& access) {
  std::ostringstream out;
  out << std::hex << (access.at_el2 ? "EL2" : "EL1&0") << " address " << access.address << " kind "
      << int(access.kind) << " privileged " << access.privileged << " pan " << access.pan
      << " stage1_only " << access.stage1_only << "\nsctlr_el1 " << state.sctlr_el1 << " sctlr_el2 "
      << state.sctlr_el2 << " hcr " << state.hcr << " vstcr " << state.vstcr << " pa_bits "
      << std::dec << state.pa_bits << std::hex;
  for (const auto* regions : {&state.el1, &state.el2}) {
    out << (regions == &state.el1 ? "\nEL1 regions that match:" : "\nEL2 regions that match:");
    for (const auto& region : *regions) {
      if (mpu_oracle::matches(region, access.address)) {
        out << "\n  prbar " << region.prbar << " prlar " << region.prlar;
      }
    }
  }
  return out.str();
}

MpuRegionSet model_regions(const mpu_oracle::Regions& raw) {
  MpuRegionSet set(static_cast<unsigned>(raw.size()));
  for (unsigned n = 0; n < raw.size(); ++n) set.set(n, {raw[n].prbar, raw[n].prlar});
  return set;
}

// Every address of the mapping's range must be answered as the mapping says.
void check_range(Dice& dice, const State& state, const Access& access, const MpuMapping& mapping) {
  Access other = access;
  const AddressRange range = mapping.range;
  switch (dice.below(3)) {
    case 0:
      other.address = range.first;
      break;
    case 1:
      other.address = range.last;
      break;
    default:
      other.address = range.first + dice.below(range.last - range.first + 1);
  }
  other.kind = static_cast<AccessKind>(dice.below(3));
  other.pan = false;
  const Outcome expected = mpu_oracle::resolve(state, other);
  const bool allowed = mapping.permissions().allows(other.kind, other.privileged);
  ASSERT_EQ(allowed, expected.ok) << describe(state, other);
  if (allowed) {
    ASSERT_EQ(outcome_of(mapping), expected) << describe(state, other);
  }
}

// Looks at every granule of a page with every kind of access: if the model calls the page uniform,
// so must they be.
void check_uniform(Dice& dice, const State& state, const MpuControls& controls,
                   const MpuRegions& regions, unsigned& uniform_pages, unsigned& split_pages) {
  Access access = random_access(dice, state);
  access.stage1_only = false;
  const unsigned shift = dice.percent(50) ? 12 : 10;
  const Word page = access.address & ~((Word{1} << shift) - 1);
  const bool claimed = uniform(regime_of(access), access.address, shift, controls, regions);
  ++(claimed ? uniform_pages : split_pages);
  if (!claimed) return;
  for (int kind = 0; kind < 3; ++kind) {
    access.kind = static_cast<AccessKind>(kind);
    access.address = page;
    const Outcome first = mpu_oracle::resolve(state, access);
    for (Word at = page; at - page < (Word{1} << shift); at += 64) {
      access.address = at;
      ASSERT_EQ(mpu_oracle::resolve(state, access), first) << describe(state, access);
    }
  }
}

TEST(MpuRandomTest, LookUpAgreesWithTheOracle) {
  const Word cases = from_environment("TRAPLINE_MPU_CASES", 10'000'000);
  const Word seed = from_environment("TRAPLINE_MPU_SEED", 1);
  constexpr Word kAccesses = 200;
  unsigned uniform_pages = 0, split_pages = 0;
  std::array<Word, 16> seen{};
  for (Word set = 0; set * kAccesses < cases; ++set) {
    Dice dice(seed * 0x1'0000'0000 + set);
    const State state = random_state(dice);
    const MpuDefaultMap map = model_map(state);
    const MpuControls controls = model_controls(state, map);
    const MpuRegionSet el1 = model_regions(state.el1), el2 = model_regions(state.el2);
    const MpuRegions regions{el1, el2};
    for (Word i = 0; i < kAccesses; ++i) {
      const Access access = random_access(dice, state);
      const MpuResult result = lookup(regime_of(access), request_of(access), controls, regions);
      const Outcome expected = mpu_oracle::resolve(state, access);
      ASSERT_EQ(outcome_of(result), expected) << "set " << set << '\n' << describe(state, access);
      ++seen[expected.ok ? 0 : 1 + 2 * static_cast<unsigned>(expected.fault) + expected.stage2];
      if (const auto* mapping = std::get_if<MpuMapping>(&result)) {
        ASSERT_TRUE(mapping->covers(access.address, access.address));
        if (i % 4 == 0) {
          ASSERT_NO_FATAL_FAILURE(check_range(dice, state, access, *mapping));
        }
      } else {
        ASSERT_EQ(std::get<Fault>(result).level, 0u);
      }
    }
    if (set % 4 == 0) {
      ASSERT_NO_FATAL_FAILURE(
          check_uniform(dice, state, controls, regions, uniform_pages, split_pages));
    }
  }
  // The weights reach every outcome often enough to mean something.
  EXPECT_GT(seen[0], cases / 10);
  for (const FaultKind kind : {FaultKind::translation, FaultKind::permission}) {
    EXPECT_GT(seen[1 + 2 * static_cast<unsigned>(kind)], cases / 100);
    EXPECT_GT(seen[2 + 2 * static_cast<unsigned>(kind)], cases / 100);
  }
  EXPECT_GT(seen[1 + 2 * static_cast<unsigned>(FaultKind::address_size)], cases / 200);
  EXPECT_GT(uniform_pages, cases / kAccesses / 40);
  EXPECT_GT(split_pages, cases / kAccesses / 40);
}

/// The registers of both MPUs as a table of values, with PRENR worked out from the EN bits.
class Shadow {
 public:
  Shadow(unsigned el1_count, unsigned el2_count) {
    state.el1.resize(el1_count);
    state.el2.resize(el2_count);
  }

  mpu_oracle::RawRegion* selected(bool el2, unsigned n) {
    auto& regions = el2 ? state.el2 : state.el1;
    const unsigned region = n == 0 ? prselr[el2] : prselr[el2] / 16 * 16 + n;
    return region < regions.size() ? &regions[region] : nullptr;
  }
  void write_prenr(bool el2, Word value) {
    auto& regions = el2 ? state.el2 : state.el1;
    for (unsigned n = 0; n < regions.size() && n < 32; ++n) {
      regions[n].prlar = regions[n].prlar / 2 * 2 + (value >> n) % 2;
    }
  }
  Word read_prenr(bool el2) const {
    const auto& regions = el2 ? state.el2 : state.el1;
    Word value = 0;
    for (unsigned n = 0; n < regions.size() && n < 32; ++n) value |= regions[n].prlar % 2 << n;
    return value;
  }

  State state;
  std::array<unsigned, 2> prselr{};
};

class RegisterProgram {
 public:
  explicit RegisterProgram(Word seed)
      : dice_(seed),
        el1_count_(kCounts[dice_.below(kCounts.size())]),
        el2_count_(kCounts[dice_.below(kCounts.size())]),
        shadow_(el1_count_, el2_count_) {
    shadow_.state.map = random_state(dice_).map;
    randomize_controls(dice_, shadow_.state);
    MpuConfig config{el1_count_, el2_count_, true, model_map(shadow_.state)};
    mpu_.emplace(config, 0, nullptr, [](const std::string&) {});
  }

  void run(unsigned steps) {
    for (unsigned i = 0; i < steps; ++i) {
      ASSERT_NO_FATAL_FAILURE(step());
      if (dice_.percent(20)) {
        ASSERT_NO_FATAL_FAILURE(look());
      }
      if (dice_.percent(10)) {
        ASSERT_NO_FATAL_FAILURE(read_back());
      }
    }
    for (int i = 0; i < 20; ++i) ASSERT_NO_FATAL_FAILURE(look());
  }

 private:
  static constexpr SysRegContext kEl2{.el = El::el2};

  // Asks some addresses before a write: if nothing says that they changed, they must not have.
  void step() {
    const State before = shadow_.state;
    const std::uint64_t generation = mpu_->generation();
    mpu_->clear_changes();
    const bool el2 = dice_.percent(50);
    ASSERT_NO_FATAL_FAILURE(write_something(el2));
    const auto changes = mpu_->changes(el2 ? El::el2 : El::el1);
    EXPECT_TRUE(mpu_->changes(el2 ? El::el1 : El::el2).empty());
    if (changes.empty()) {
      EXPECT_EQ(mpu_->generation(), generation);
    }
    for (int i = 0; i < 3; ++i) {
      const Access access = random_access(dice_, i % 2 ? before : shadow_.state);
      bool announced = false;
      for (const AddressRange& range : changes) {
        announced |= range.first <= access.address && access.address <= range.last;
      }
      if (announced) {
        EXPECT_NE(mpu_->generation(), generation);
        continue;
      }
      ASSERT_EQ(mpu_oracle::resolve(before, access), mpu_oracle::resolve(shadow_.state, access))
          << describe(shadow_.state, access);
    }
  }

  void write_something(bool el2) {
    const Word value = dice_.percent(20) ? dice_.word() : 0;
    switch (dice_.below(10)) {
      case 0: {
        const Word enables = value ? value : dice_.word() & dice_.word();
        write(el2 ? reg::PRENR_EL2 : reg::PRENR_EL1, enables);
        shadow_.write_prenr(el2, enables);
        break;
      }
      case 1:
      case 2: {
        const Word selector = value ? value : dice_.below(el2 ? el2_count_ + 1 : el1_count_ + 1);
        write(el2 ? reg::PRSELR_EL2 : reg::PRSELR_EL1, selector);
        shadow_.prselr[el2] = selector % 256;
        break;
      }
      default: {
        const auto n = static_cast<unsigned>(dice_.below(16));
        const auto random = random_region(dice_, 70);
        auto* region = shadow_.selected(el2, n);
        if (dice_.percent(50)) {
          const Word prbar = value ? value : random.prbar;
          write(el2 ? reg::PRBARn_EL2(n) : reg::PRBARn_EL1(n), prbar);
          if (region) region->prbar = prbar % (Word{1} << 48);
        } else {
          const Word prlar = value ? value : random.prlar;
          write(el2 ? reg::PRLARn_EL2(n) : reg::PRLARn_EL1(n), prlar);
          if (region) region->prlar = prlar % (Word{1} << 48) & ~Word{0x20};
        }
      }
    }
  }

  void read_back() {
    const bool el2 = dice_.percent(50);
    const auto n = static_cast<unsigned>(dice_.below(16));
    const auto* region = shadow_.selected(el2, n);
    ASSERT_EQ(read(el2 ? reg::PRENR_EL2 : reg::PRENR_EL1), shadow_.read_prenr(el2));
    ASSERT_EQ(read(el2 ? reg::PRSELR_EL2 : reg::PRSELR_EL1), shadow_.prselr[el2]);
    ASSERT_EQ(read(el2 ? reg::PRBARn_EL2(n) : reg::PRBARn_EL1(n)), region ? region->prbar : 0);
    ASSERT_EQ(read(el2 ? reg::PRLARn_EL2(n) : reg::PRLARn_EL1(n)), region ? region->prlar : 0);
  }

  void look() {
    const MpuControls controls = model_controls(shadow_.state, mpu_->default_map());
    const Access access = random_access(dice_, shadow_.state);
    const MpuResult result =
        lookup(regime_of(access), request_of(access), controls, mpu_->regions());
    ASSERT_EQ(outcome_of(result), mpu_oracle::resolve(shadow_.state, access))
        << describe(shadow_.state, access);
  }

  void write(SysReg encoding, Word value) {
    ASSERT_EQ(mpu_->write(encoding, kEl2, value), SysRegStatus::ok);
  }
  Word read(SysReg encoding) {
    Word value = ~Word{0};
    EXPECT_EQ(mpu_->read(encoding, kEl2, value), SysRegStatus::ok);
    return value;
  }

  Dice dice_;
  unsigned el1_count_, el2_count_;
  Shadow shadow_;
  std::optional<Mpu> mpu_;
};

TEST(MpuRandomTest, RegisterProgramsAgreeWithTheOracle) {
  const Word steps = from_environment("TRAPLINE_MPU_CASES", 10'000'000) / 10;
  const Word seed = from_environment("TRAPLINE_MPU_SEED", 1);
  constexpr unsigned kSteps = 400;
  for (Word program = 0; program * kSteps < steps; ++program) {
    SCOPED_TRACE("program " + std::to_string(program));
    RegisterProgram subject(~(seed * 0x1'0000'0000 + program));
    ASSERT_NO_FATAL_FAILURE(subject.run(kSteps));
  }
}

}  // namespace
}  // namespace trapline
