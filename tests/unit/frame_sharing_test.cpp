#include "sim/machine/frame_sharing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <random>
#include <set>

namespace trapline {
namespace {

constexpr PhysAddr kBase = 0x4000'0000;
constexpr unsigned kFrames = 8;

/// Remembers what it is told of the pages of its machine.
class ToldCpus final : public CpuComplex {
 public:
  unsigned count() const override { return 0; }
  Cpu& cpu(unsigned) override { throw std::out_of_range("no CPU"); }
  void memory_written(PhysAddr, std::uint64_t) override {}
  void memory_redirected() override {}
  void alias_page(PhysAddr page, const PageAliases* aliases, PageAccess access) override {
    told[(page - kBase) / 4096] = {aliases, access};
  }
  void alias_written(PhysAddr) override {}
  void alias_executed(PhysAddr) override {}

  struct Told {
    const PageAliases* aliases = nullptr;
    PageAccess access = PageAccess::all;
  };
  std::array<Told, kFrames> told{};
};

class FrameSharingTest : public testing::Test {
 protected:
  FrameSharingTest() {
    for (unsigned n = 0; n < 2; ++n) {
      rams[n] = &buses[n].add_ram("ram", kBase, kFrames * 4096);
      sharing.add(buses[n], cpus[n]);
    }
  }
  // Frames of the first machine, then those of the second.
  std::uint8_t* frame(unsigned n) { return rams[n / kFrames]->host(kBase + n % kFrames * 4096ull); }
  const ToldCpus::Told& told(unsigned n) const { return cpus[n / kFrames].told[n % kFrames]; }
  PageAliases::Place place(unsigned n) {
    return {&cpus[n / kFrames], kBase + n % kFrames * 4096ull};
  }
  std::set<PhysAddr> pages_of(const PageAliases& aliases, unsigned machine) const {
    std::set<PhysAddr> found;
    for (const auto& place : aliases.places) {
      if (place.cpus == &cpus[machine]) found.insert(place.page);
    }
    return found;
  }

  std::array<Bus, 2> buses;
  std::array<ToldCpus, 2> cpus;
  std::array<Ram*, 2> rams{};
  FrameSharing sharing;
};

TEST_F(FrameSharingTest, AMappedFrameIsTheOtherUntilItIsUnmapped) {
  frame(1)[5] = 11;
  frame(9)[5] = 22;
  ASSERT_TRUE(sharing.map(frame(1), frame(9), true));
  EXPECT_EQ(frame(1)[5], 22);
  frame(1)[5] = 33;
  EXPECT_EQ(frame(9)[5], 33);
  frame(9)[4095] = 44;
  EXPECT_EQ(frame(1)[4095], 44);
  EXPECT_EQ(frame(2)[0], 0) << "its neighbour";
  sharing.unmap(frame(1));
  EXPECT_EQ(frame(1)[5], 11);
  EXPECT_EQ(frame(9)[5], 33);
  frame(9)[5] = 55;
  EXPECT_EQ(frame(1)[5], 11);
  EXPECT_EQ(sharing.mappings(), 0u);
  EXPECT_EQ(sharing.pages(), 0u);
}

TEST_F(FrameSharingTest, CpusAreToldWhereThePageIsAndWhatTheyMayDo) {
  ASSERT_TRUE(sharing.map(frame(1), frame(9), false));
  ASSERT_TRUE(sharing.map(frame(2), frame(9), true));
  EXPECT_EQ(told(1).access, PageAccess::read_only);
  EXPECT_EQ(told(2).access, PageAccess::no_execute);
  EXPECT_EQ(told(9).access, PageAccess::all);
  ASSERT_NE(told(9).aliases, nullptr);
  EXPECT_EQ(told(1).aliases, told(9).aliases);
  EXPECT_EQ(pages_of(*told(9).aliases, 0), (std::set<PhysAddr>{kBase + 4096, kBase + 8192}));
  EXPECT_EQ(pages_of(*told(9).aliases, 1), (std::set<PhysAddr>{kBase + 4096}));
  sharing.unmap(frame(1));
  EXPECT_EQ(told(1).aliases, nullptr);
  EXPECT_EQ(told(1).access, PageAccess::all);
  ASSERT_NE(told(9).aliases, nullptr);
  sharing.unmap(frame(2));
  EXPECT_EQ(told(9).aliases, nullptr);
}

TEST_F(FrameSharingTest, AFrameThatOthersSeeCanBeMappedOver) {
  frame(0)[0] = 1;
  frame(9)[0] = 2;
  ASSERT_TRUE(sharing.map(frame(12), frame(0), true));
  ASSERT_TRUE(sharing.map(frame(0), frame(9), true));
  EXPECT_EQ(frame(0)[0], 2);
  EXPECT_EQ(frame(12)[0], 1) << "the page that was there";
  frame(12)[0] = 3;
  sharing.unmap(frame(12));
  sharing.unmap(frame(0));
  EXPECT_EQ(frame(0)[0], 3);
  EXPECT_EQ(frame(12)[0], 0);
  EXPECT_EQ(sharing.pages(), 0u);
}

TEST_F(FrameSharingTest, NotRamAndTooManyAreRefused) {
  std::array<std::uint8_t, 4096> elsewhere{};
  EXPECT_FALSE(sharing.map(elsewhere.data(), frame(0), true));
  EXPECT_FALSE(sharing.map(frame(0), elsewhere.data(), true));
  sharing.unmap(frame(0));  // Nothing.
  Bus large;
  ToldCpus none;
  constexpr std::uint64_t kMany = FrameSharing::kMostMappings / 2;
  Ram& ram = large.add_ram("large", kBase, (kMany + 2) * 4096);
  struct Quiet final : CpuComplex {
    unsigned count() const override { return 0; }
    Cpu& cpu(unsigned) override { throw std::out_of_range("no CPU"); }
    void memory_written(PhysAddr, std::uint64_t) override {}
    void memory_redirected() override {}
    void alias_page(PhysAddr, const PageAliases*, PageAccess) override {}
    void alias_written(PhysAddr) override {}
    void alias_executed(PhysAddr) override {}
  } quiet;
  FrameSharing many;
  many.add(large, quiet);
  Bus other;
  Ram& more = other.add_ram("more", kBase, 4096);
  many.add(other, quiet);
  for (std::uint64_t n = 1; n <= kMany; ++n) {
    ASSERT_TRUE(many.map(ram.host(kBase + n * 4096), ram.host(kBase), true)) << n;
  }
  const std::uint64_t one_more = kBase + (kMany + 1) * 4096;
  EXPECT_FALSE(many.map(ram.host(one_more), ram.host(kBase), true));
  EXPECT_TRUE(many.map(more.host(kBase), ram.host(kBase), true)) << "the share of the other";
  many.unmap(ram.host(kBase + 4096));
  EXPECT_TRUE(many.map(ram.host(one_more), ram.host(kBase), true));
}

TEST_F(FrameSharingTest, ARenewedFrameLeavesItsPageToThoseWhoMappedIt) {
  frame(0)[0] = 1;
  ASSERT_TRUE(sharing.map(frame(9), frame(0), true));
  sharing.renew(frame(0));
  EXPECT_EQ(frame(0)[0], 1);
  EXPECT_EQ(told(0).aliases, nullptr);
  frame(0)[0] = 2;
  EXPECT_EQ(frame(9)[0], 1);
  frame(9)[0] = 3;
  EXPECT_EQ(frame(0)[0], 2);
  // The new page is shared as the old one was.
  ASSERT_TRUE(sharing.map(frame(10), frame(0), true));
  frame(10)[0] = 4;
  EXPECT_EQ(frame(0)[0], 4);
  EXPECT_EQ(frame(9)[0], 3);
  EXPECT_EQ(sharing.pages(), 2u);
  sharing.unmap(frame(9));
  EXPECT_EQ(sharing.pages(), 1u) << "the old page went with the last who saw it";
  sharing.unmap(frame(10));
  EXPECT_EQ(sharing.pages(), 0u);
  EXPECT_EQ(frame(0)[0], 4);
  EXPECT_EQ(frame(9)[0], 0);
}

/// The same with pages as numbers. Those from 2 * kFrames on came into being by renew().
struct Oracle {
  std::array<unsigned, 2 * kFrames> shows;
  std::array<std::optional<unsigned>, 2 * kFrames> displaced;
  std::vector<std::uint8_t> content = std::vector<std::uint8_t>(2 * kFrames);
};

TEST_F(FrameSharingTest, AnySequenceLeavesWhatItShould) {
  std::mt19937 random(1);
  Oracle oracle;
  for (unsigned n = 0; n < 2 * kFrames; ++n) oracle.shows[n] = n;
  for (unsigned step = 0; step < 3000; ++step) {
    const unsigned at = random() % (2 * kFrames), page = random() % (2 * kFrames);
    switch (random() % 4) {
      case 0:
        ASSERT_TRUE(sharing.map(frame(at), frame(page), random() % 2));
        if (!oracle.displaced[at]) oracle.displaced[at] = oracle.shows[at];
        oracle.shows[at] = oracle.shows[page];
        break;
      case 1:
        sharing.unmap(frame(at));
        if (oracle.displaced[at]) oracle.shows[at] = *std::exchange(oracle.displaced[at], {});
        break;
      case 2:
        sharing.renew(frame(at));
        if (oracle.displaced[at]) break;
        oracle.content.push_back(oracle.content[oracle.shows[at]]);
        oracle.shows[at] = static_cast<unsigned>(oracle.content.size() - 1);
        break;
      default:
        oracle.content[oracle.shows[at]] = frame(at)[7] = static_cast<std::uint8_t>(random());
    }
    for (unsigned n = 0; n < 2 * kFrames; ++n) {
      ASSERT_EQ(frame(n)[7], oracle.content[oracle.shows[n]]) << "step " << step << " frame " << n;
      for (unsigned m = 0; m < n; ++m) {
        const bool same = oracle.shows[n] == oracle.shows[m];
        ASSERT_EQ(told(n).aliases && told(n).aliases == told(m).aliases, same) << step;
        if (!same) continue;
        const auto& places = told(n).aliases->places;
        ASSERT_EQ(std::count(places.begin(), places.end(), place(m)), 1) << step;
      }
    }
  }
  for (unsigned n = 0; n < 2 * kFrames; ++n) sharing.unmap(frame(n));
  EXPECT_EQ(sharing.pages(), 0u);
  EXPECT_EQ(sharing.mappings(), 0u);
}

}  // namespace
}  // namespace trapline
