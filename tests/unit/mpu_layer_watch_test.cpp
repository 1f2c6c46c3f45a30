#include "sim/report/mpu_layer_watch.h"

#include <gtest/gtest.h>

#include "sim/report/mpu_telemetry.h"

namespace trapline {
namespace {

using Facts = std::vector<std::pair<std::string, std::string>>;

// Domains may be called what a fact of another domain is called.
TEST(MpuLayerFacts, NamesWithDotsAreGuestsOfTheirOwn) {
  const auto facts = mpu_layer_facts({{"mpu-regions", "4,16"},
                                      {"guest.a", "gic=0 input=pv"},
                                      {"guest.a.static-mem", "0x10000000+0x1000"},
                                      {"guest.a.net0", "gic=1 02:00:00:00:00:01"},
                                      {"guest.a.msa", "gic=0 input=vpl011"},
                                      {"guest.a.msa.static-mem", "0x20000000+0x1000"},
                                      {"guest.a.b", "gic=3 input=pv"},
                                      {"guest.a.b.static-mem", "0x30000000+0x1000"},
                                      {"guest.a.b.msa", "mmu"}});
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->el1_regions, 4u);
  ASSERT_EQ(facts->guests.size(), 3u);
  const char* names[] = {"a", "a.msa", "a.b"};
  for (unsigned n = 0; n < 3; ++n) {
    EXPECT_EQ(facts->guests[n].name, names[n]);
    EXPECT_EQ(facts->guests[n].vmsa, n == 2);
    EXPECT_EQ(facts->guests[n].memory, (std::vector<MemoryRange>{{0x10000000u * (n + 1), 0x1000}}));
  }
}

TEST(MpuLayerFacts, RangesThatAreNoneAreLeftOut) {
  const auto facts = mpu_layer_facts({{"mpu-regions", "4,16"},
                                      {"guest.a", "gic=0 input=pv"},
                                      {"guest.a.static-mem", "0x10000000+0x0"},
                                      {"guest.a.static-mem", "0xfffffffffffff000+0x2000"},
                                      {"guest.a.static-mem", "0x10000000+0x1000"}});
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->guests[0].memory, (std::vector<MemoryRange>{{0x10000000, 0x1000}}));
}

// No run has it, but a trace may.
TEST(MpuLayerWatch, ASwitchToNobodyIsNone) {
  MpuTelemetry telemetry(MpuLayerFacts{.guests = {{"a"}, {"b"}}});
  for (const auto& [from, to] : {std::pair{0, 1}, {1, 0}, {0, 2}}) {
    telemetry.on_event({.kind = EventKind::vcpu_switch,
                        .a = static_cast<std::uint64_t>(from),
                        .b = static_cast<std::uint64_t>(to)});
  }
  telemetry.finish();
  ASSERT_EQ(telemetry.seen().guests.size(), 2u);
  EXPECT_EQ(telemetry.seen().guests[0].vmid, 1u);
  EXPECT_EQ(telemetry.seen().switches.size(), 2u);
}

}  // namespace
}  // namespace trapline
