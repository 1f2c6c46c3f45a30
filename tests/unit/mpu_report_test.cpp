#include "sim/report/mpu_report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/mpu/mpu.h"
#include "sim/arch/registers.h"
#include "sim/machine/device_tree.h"
#include "sim/trace/hub.h"

namespace trapline {
namespace {

using Json = nlohmann::json;

/// An MPU at EL2 and what happens around it, each at its own cycle; an instruction takes a cycle.
class MpuReportTest : public testing::Test, private StampSource {
 protected:
  MpuReportTest() {
    hub_.set_source(this);
    hub_.attach(telemetry_);
  }

  void at(std::uint64_t cycle) { cycle_ = cycle; }
  void write(SysReg reg, std::uint64_t value) {
    ASSERT_EQ(mpu_.write(reg, {.el = El::el2}, value), SysRegStatus::ok);
  }
  /// Maps [base, limit] by PRBAR and PRLAR; AP 0: EL2 alone, 1: lower levels too.
  void map(unsigned slot, std::uint64_t base, std::uint64_t limit, unsigned ap = 0) {
    write(reg::PRSELR_EL2, slot);
    write(reg::PRBAR_EL2, base | ap << 2 | 2);
    write(reg::PRLAR_EL2, (limit & MpuRegion::kAddressMask) | 1);
  }
  void unmap(unsigned slot) {
    write(reg::PRSELR_EL2, slot);
    write(reg::PRLAR_EL2, 0);
  }
  void enter(std::uint16_t vmid, std::uint8_t cpu = 0) {
    vmid_ = vmid;
    hub_.on_event({.kind = EventKind::exception_return, .cpu = cpu, .a = 1 << 8 | 2});
  }
  void leave(std::uint8_t cpu = 0) {
    hub_.on_event({.kind = EventKind::exception_entry, .cpu = cpu, .a = 2 << 8 | 1});
  }

  Json report(std::uint64_t end) {
    at(end);
    hub_.on_event({.kind = EventKind::run_end});
    telemetry_.finish();
    return Json::parse(text(MpuReportFormat::json));
  }
  std::string text(MpuReportFormat format) {
    return mpu_report({.telemetry = telemetry_,
                       .names = names,
                       .title = "a test",
                       .facts = {{"mpu-regions", "16,16"}, {"cpu-hz", "1000"}},
                       .recorded = MpuTelemetry::events(),
                       .digest = "",
                       .coverage = covered ? &coverage : nullptr},
                      format);
  }
  static bool has_finding(const Json& report, const std::string& words) {
    for (const Json& finding : report["findings"]) {
      if (finding["title"].get<std::string>().find(words) != std::string::npos) return true;
    }
    return false;
  }

  void access(El el, PhysAddr pc, std::optional<PhysAddr> data = {}, unsigned bytes = 8) {
    ExecutedInstruction instruction{.el = el, .pc = pc, .pa = pc};
    if (data) instruction.memory = MemoryContents{.va = *data, .pa = *data, .bytes = bytes};
    coverage.on_instruction(instruction);
  }

  AddressNames names;
  bool covered = false;

 private:
  void stamp(Event& event) const override {
    event.cycles = cycle_;
    event.instructions = cycle_;
    event.vmid = vmid_;
    event.el = El::el2;
  }

  std::uint64_t cycle_ = 0;
  std::uint16_t vmid_ = 0;
  MpuTelemetry telemetry_;

 protected:
  EventHub hub_;
  MpuCoverage coverage{telemetry_};

 private:
  Mpu mpu_{{}, 0, &hub_};
};

TEST_F(MpuReportTest, NamesTheRegionsOfThePeakAndOfTheLongestLayout) {
  names.add_list("1000 1fff xen: .text\n2000 2fff xen: .data # comment\n\n9000 9fff UART\n", "list");
  map(0, 0x1000, 0x1fff);
  map(1, 0x9000, 0x9fff);
  at(10);
  map(2, 0x2000, 0x2fff);
  at(12);
  unmap(2);
  const Json mpu = report(1000)["mpus"][0];
  EXPECT_EQ(mpu["peak"]["regions"], 3);
  EXPECT_EQ(mpu["peak"]["cycle"], 10);
  EXPECT_EQ(mpu["steady"]["regions"], 2);
  ASSERT_EQ(mpu["peak"]["set"].size(), 3u);
  EXPECT_EQ(mpu["peak"]["set"][2]["name"], "xen .data");
  ASSERT_EQ(mpu["longest_set"]["set"].size(), 2u);
  EXPECT_EQ(mpu["longest_set"]["set"][0]["name"], "xen .text");
  EXPECT_EQ(mpu["longest_set"]["set"][1]["name"], "UART");
  EXPECT_EQ(mpu["longest_set"]["cycles"], 10 + 988);
}

TEST_F(MpuReportTest, ARegionRewrittenWhileEnabledIsNotTakenForTheOneItPassesThrough) {
  map(0, 0x1000, 0x1fff);
  map(1, 0x8000, 0x8fff);
  at(50);
  map(0, 0x3000, 0x8fff);  // Its limit overlapped slot 1 for nothing; then it really does.
  at(60);
  map(0, 0x3000, 0x4fff);
  const Json mpu = report(100)["mpus"][0];
  EXPECT_EQ(mpu["changes"]["rewritten_enabled"], 3);
  ASSERT_EQ(mpu["regions"].size(), 4u);  // Three in slot 0 and slot 1's.
  EXPECT_EQ(mpu["regions"][2]["base"], "0x3000");
  EXPECT_EQ(mpu["regions"][2]["cycles"], 10);
  EXPECT_EQ(mpu["regions"][3]["limit"], "0x4fff");
  EXPECT_EQ(mpu["regions"][3]["cycles"], 40);
}

TEST_F(MpuReportTest, OverlapsAndNeighboursThatCouldBeOneAreFound) {
  map(0, 0x1000, 0x1fff);
  map(1, 0x2000, 0x2fff);        // Adjoins, alike.
  map(2, 0x3000, 0x3fff, 1);     // Adjoins, for others.
  map(3, 0x8000, 0x8fff);
  map(4, 0x8800, 0x8bff);        // Within slot 3.
  const Json whole = report(100);
  const Json& mpu = whole["mpus"][0];
  ASSERT_EQ(mpu["longest_set"]["mergeable"].size(), 1u);
  EXPECT_EQ(mpu["longest_set"]["mergeable"][0]["slots"], Json({0, 1}));
  ASSERT_EQ(mpu["overlaps"].size(), 1u);
  EXPECT_EQ(mpu["overlaps"][0]["base"], "0x8800");
  EXPECT_TRUE(has_finding(whole, "slots 3 and 4 were enabled at once and overlap"));
  EXPECT_TRUE(has_finding(whole, "a region begins or ends within a page"));
}

TEST_F(MpuReportTest, WhatWasNeverAccessedIsToldByGranulesOf64Bytes) {
  covered = true;
  map(0, 0x1000, 0x1fff);
  map(1, 0x8000, 0x8fff, 1);
  access(El::el2, 0x1000, 0x1078, 16);  // Across a granule's edge.
  access(El::el2, 0x103c, 0x9000);      // Nobody's.
  at(10);
  unmap(0);
  access(El::el2, 0x1f00);  // Not mapped now.
  map(0, 0x1000, 0x1fff);
  access(El::el1, 0x8040, 0x8fc0, 64);
  coverage.on_event({.kind = EventKind::mmio, .el = El::el1, .a = 0x8100, .d = 4 << 1});
  const Json whole = report(100);
  const Json& regions = whole["mpus"][0]["regions"];
  EXPECT_EQ(regions[0]["touched_bytes"], 3 * 64);
  EXPECT_EQ(regions[0]["untouched_bytes"], 0x1000 - 3 * 64);
  EXPECT_EQ(regions[0]["untouched"],
            Json::parse(R"([{"base": "0x10c0", "limit": "0x1fff", "bytes": 3904}])"));
  EXPECT_EQ(regions[1]["touched_bytes"], 3 * 64);
  EXPECT_EQ(regions[1]["untouched_stretches"], 3);
  EXPECT_EQ(regions[1]["untouched"][2]["limit"], "0x8fbf");
  EXPECT_TRUE(has_finding(whole, "7.6 KiB of 8 KiB mapped were never accessed"));
  EXPECT_NE(text(MpuReportFormat::csv).find(",192,3904"), std::string::npos);
}

TEST_F(MpuReportTest, WithoutBeingAskedNothingIsSaidOfAccesses) {
  map(0, 0x1000, 0x1fff);
  EXPECT_FALSE(report(10)["mpus"][0]["regions"][0].contains("touched_bytes"));
}

TEST_F(MpuReportTest, MappingsThatComeAndGoAreChurn) {
  for (unsigned n = 0; n < 200; ++n) {
    at(100 * n);
    map(5, 0x10000 + 0x1000 * n, 0x10fff + 0x1000 * n);
    at(100 * n + 20);
    unmap(5);
  }
  names.add_list("10000 fffff domU1: RAM\n", "list");
  const Json whole = report(20000);
  const Json& mpu = whole["mpus"][0];
  ASSERT_EQ(mpu["regions"].size(), 1u);
  EXPECT_EQ(mpu["regions"][0]["name"], "domU1 RAM (part)");
  EXPECT_EQ(mpu["regions"][0]["ranges"], 200);
  EXPECT_EQ(mpu["regions"][0]["shortest"], 20);
  EXPECT_EQ(mpu["lifetimes"]["ended"], 200);
  EXPECT_EQ(mpu["lifetimes"]["histogram"], Json({{{"from_cycles", 16}, {"mappings", 200}}}));
  EXPECT_TRUE(has_finding(whole, "slot 5 is used for passing mappings of domU1 RAM"));
}

TEST_F(MpuReportTest, GuestsAreToldApartByVmidAndBySwitchesHaveTheirCost) {
  names.add_list("100000 1fffff alpha: RAM\n200000 2fffff beta: RAM\n", "list");
  map(0, 0x1000, 0x1fff);
  map(1, 0x100000, 0x1fffff, 1);
  map(2, 0x200000, 0x2fffff, 1);
  write(reg::PRENR_EL2, 0b011);
  enter(1);
  at(1000);
  leave();
  at(1010);
  write(reg::PRENR_EL2, 0b101);
  at(1025);
  enter(2);
  at(3000);
  leave();
  at(3100);
  enter(2);  // An exit that touches no region is no switch.
  const Json whole = report(4000);
  ASSERT_EQ(whole["guests"].size(), 2u);
  EXPECT_EQ(whole["guests"][0]["name"], "alpha");
  EXPECT_EQ(whole["guests"][0]["cycles"], 1000);
  EXPECT_EQ(whole["guests"][1]["name"], "beta");
  EXPECT_EQ(whole["guests"][1]["cycles"], 1975 + 900);
  EXPECT_EQ(whole["guests"][1]["entries"], 2);
  EXPECT_EQ(whole["guests"][1]["el2"]["peak"], 2);
  EXPECT_EQ(whole["guests"][1]["own_el2_regions"], 1);
  ASSERT_EQ(whole["switches"].size(), 2u);  // From boot to alpha, from alpha to beta.
  const Json& change = whole["switches"][1];
  EXPECT_EQ(change["from_name"], "alpha");
  EXPECT_EQ(change["times"], 1);
  EXPECT_EQ(change["cycles"]["mean"], 25);
  EXPECT_EQ(change["writes"]["mean"], 1);
  EXPECT_EQ(change["bytes"]["mean"], 8);
  EXPECT_EQ(whole["mpus"][0]["headroom"]["more_guests"], 13);
}

TEST_F(MpuReportTest, GuestsWithOneVmidAreToldApartByTheirMemory) {
  for (unsigned turn = 0; turn < 4; ++turn) {
    const std::uint64_t base = turn % 2 == 0 ? 0x100000 : 0x200000;
    at(100 * turn + 10);
    map(1, base, base + 0xfffff, 1);
    enter(0);
    at(100 * turn + 100);
    leave();
  }
  const Json whole = report(500);
  ASSERT_EQ(whole["guests"].size(), 2u);
  EXPECT_EQ(whole["guests"][0]["cycles"], 180);
  EXPECT_TRUE(has_finding(whole, "2 guests run with VMID 0"));
  EXPECT_TRUE(has_finding(whole, "guests take turns in the same slots"));
  EXPECT_EQ(whole["mpus"][0]["headroom"]["more_guests"], nullptr);
}

// Another CPU has an MPU of its own, whose slots do not stand for those of this one.
TEST_F(MpuReportTest, GuestsOfAnotherCpuDoNotRewriteTheSlotsOfThisOne) {
  map(1, 0x100000, 0x1fffff, 1);
  at(10);
  enter(1);
  at(100);
  leave();
  unmap(1);
  at(200);
  Mpu second({}, 1, &hub_);
  for (const auto& [name, value] :
       {std::pair{reg::PRSELR_EL2, 1u}, {reg::PRBAR_EL2, 0x200006u}, {reg::PRLAR_EL2, 0x2fffc1u}}) {
    ASSERT_EQ(second.write(name, {.el = El::el2}, value), SysRegStatus::ok);
  }
  enter(2, 1);
  at(300);
  leave(1);
  const Json whole = report(400);
  ASSERT_EQ(whole["guests"].size(), 2u);
  EXPECT_EQ(whole["mpus"][0]["headroom"]["guest_slots"], "own slots");
}

TEST_F(MpuReportTest, ACostIsTheTimeWithinRunsOfAccesses) {
  map(1, 0x100000, 0x1fffff, 1);
  enter(1);
  at(1000);
  leave();
  at(1100);
  write(reg::PRENR_EL2, 0);
  at(1130);
  write(reg::PRENR_EL2, 2);
  at(1500);  // Far behind: another run.
  write(reg::PRENR_EL2, 0);
  at(1507);
  write(reg::PRENR_EL2, 2);
  at(1600);
  enter(1);
  const Json change = report(2000)["switches"][1];
  EXPECT_EQ(change["cycles"]["mean"], 600);
  EXPECT_EQ(change["region_cycles"]["mean"], 37);
  EXPECT_EQ(change["prenr_writes"], 4);
}

TEST_F(MpuReportTest, APartThatIsFullIsAProblem) {
  for (unsigned n = 0; n < 16; ++n) map(n, 0x10000 * n, 0x10000 * n + 0xfff);
  const Json whole = report(10);
  EXPECT_EQ(whole["findings"][0]["level"], "problem");
  EXPECT_TRUE(has_finding(whole, "every one of 16 regions was in use"));
}

TEST_F(MpuReportTest, AMachineWithoutMpuWritesSaysSo) {
  report(10);
  EXPECT_NE(text(MpuReportFormat::text).find("no MPU region was ever written"), std::string::npos);
  EXPECT_NE(text(MpuReportFormat::html).find("No MPU region was ever written"), std::string::npos);
}

TEST_F(MpuReportTest, NamesCannotBreakOutOfThePageOrTheTable) {
  names.add_list("1000 1fff </script><b a=\"1\">, x\n", "list");
  map(0, 0x1000, 0x1fff);
  report(10);
  const std::string page = text(MpuReportFormat::html);
  EXPECT_EQ(page.find("<b a="), page.find("<b a=\\\"1\\\">"));  // Only within the JSON's text.
  EXPECT_EQ(page.find("</script>"), page.rfind("</script>"));
  EXPECT_NE(page.find("&lt;/script&gt;&lt;b a=&quot;1&quot;&gt;, x"), std::string::npos);
  EXPECT_NE(text(MpuReportFormat::csv).find("\"</script><b a=\"\"1\"\">, x\""), std::string::npos);
}

TEST(MpuTimeline, ColumnsWidenAndKeepWhatTheyHeld) {
  MpuTimeline line;
  line.held(3, 7, 0, 64);
  line.counted(1, 0, 64);
  line.held(3, 8, 64, 64 * MpuTimeline::kColumns * 4);
  line.counted(2, 64, 64 * MpuTimeline::kColumns * 4);
  EXPECT_EQ(line.cycles_per_column(), 64u * 8);
  EXPECT_EQ(line.cells(3)[0].cycles, 64u * 8);
  EXPECT_EQ(line.cells(3)[0].tenant, 8u);
  EXPECT_EQ(line.cells(3)[0].longest, 64u * 7);
  EXPECT_EQ(line.counts()[0].least, 1u);
  EXPECT_EQ(line.counts()[0].most, 2u);
  EXPECT_EQ(line.counts()[1].least, 2u);
  EXPECT_TRUE(line.cells(4).empty());
}

TEST(AddressNames, ListsSayWhereTheyAreWrong) {
  AddressNames names;
  try {
    names.add_list("0 fff a\n2000 1000 b\n", "my.names");
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(),
                 "my.names:2: expected FIRST LAST NAME, addresses in hexadecimal");
  }
}

TEST(AddressNames, TheMachineIsTheLastToBeAsked) {
  AddressNames names;
  names.add_machine("fvp-baser");
  EXPECT_EQ(names.name_of(0xaf000000, 0xaf00ffff), "GICD");
  EXPECT_EQ(names.name_of(0x10000000, 0x10ffffff), "RAM (part)");
  names.add_list("10000000 10ffffff domU1: RAM", "list");
  EXPECT_EQ(names.name_of(0x10000000, 0x10ffffff), "domU1 RAM");
  EXPECT_EQ(names.name_of(0x10001000, 0x10001fff), "domU1 RAM (part)");
  EXPECT_EQ(names.owner_of(0x10001000, 0x10001fff), "domU1");
}

TEST(AddressNames, ADeviceTreeNamesDevicesAndDomains) {
  DeviceTree tree;
  tree.set_cells("/", "#address-cells", {2});
  tree.set_cells("/", "#size-cells", {2});
  tree.add_node("/chosen/domU1/module@20000000");
  tree.set_string("/chosen/domU1", "compatible", "xen,domain");
  tree.set_cells("/chosen/domU1", "#address-cells", {2});
  tree.set_cells("/chosen/domU1", "#size-cells", {2});
  tree.set_cells("/chosen/domU1", "xen,static-mem", {0, 0x10000000, 0, 0x1000000});
  tree.set_strings("/chosen/domU1/module@20000000", "compatible",
                   {"multiboot,kernel", "multiboot,module"});
  tree.set_cells("/chosen/domU1/module@20000000", "reg", {0, 0x20000000, 0, 0x10000});
  tree.set_cells("/chosen", "xen,static-heap", {0, 0x30000000, 0, 0x8000000});
  tree.add_node("/gic");
  tree.set_string("/gic", "compatible", "arm,gic-v3");
  tree.set_cells("/gic", "reg", {0, 0xaf000000, 0, 0x10000, 0, 0xaf100000, 0, 0x20000});
  AddressNames names;
  names.add_device_tree(tree.bytes(), "board.dtb");
  EXPECT_EQ(names.name_of(0x10000000, 0x10ffffff), "domU1 RAM");
  EXPECT_EQ(names.name_of(0x20000000, 0x2000ffff), "domU1 kernel image");
  EXPECT_EQ(names.name_of(0x30000000, 0x37ffffff), "static heap");
  EXPECT_EQ(names.name_of(0xaf000000, 0xaf00ffff), "GICD");
  EXPECT_EQ(names.name_of(0xaf000000, 0xaf11ffff), "GICD, GICR");
  EXPECT_EQ(names.name_of(0x50000000, 0x50000fff), "0x50000000");
}

}  // namespace
}  // namespace trapline
