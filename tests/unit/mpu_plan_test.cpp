#include "sim/plan/plan.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "sim/machine/boot.h"
#include "sim/scenario/scenario.h"

namespace trapline::plan {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

ImageFacts images(const std::string& path, const std::string&) {
  ImageFacts facts{0x20000, 0x21000, false, {}};
  if (path.ends_with("linked")) facts.linked = 0x10000000;
  if (path.ends_with("Image")) facts.arm64_image = true;
  if (path.ends_with("huge")) facts.memory_bytes = 64 * kMiB;
  return facts;
}

std::vector<std::uint8_t> machine_tree() {
  MachineConfig machine;
  machine.machine = "fvp-baser";
  return machine_dtb(machine);
}

Board machine_board() {
  return read_board(machine_tree(), "board");
}

std::optional<std::string> no_environment(std::string_view) {
  return std::nullopt;
}

Plan plan_of(const std::string& text, const std::string& path = "c") {
  return make_plan(read_plan_config(text, path, no_environment), machine_board(), images,
                   {.budget = 20'000});
}

std::string error_of(const std::string& text, const std::string& path = "c") {
  try {
    plan_of(text, path);
  } catch (const ScenarioError& error) {
    return error.what();
  }
  return "";
}

const std::string kTwoDomains =
    "XEN=xenImage\nMPU_HEAP=64\nNUM_DOMUS=2\n"
    "DOMU_KERNEL[0]=aImage\nDOMU_MEM[0]=16\nMPU_DOMU_PMSA[0]=1\n"
    "DOMU_KERNEL[1]=bImage\nDOMU_MEM[1]=16\n";

std::vector<std::size_t> sizes(const Plan& plan) {
  std::vector<std::size_t> result;
  for (const ContextUse& context : plan.contexts) result.push_back(context.slots.size());
  return result;
}

// docs/xen-mpu.md: 12 slots at boot, 7 after reordering, 8 in a guest.
TEST(MpuPlan, CountsTheEarlierPortAsItWasMeasured) {
  const Plan plan = plan_of(kTwoDomains);
  ASSERT_EQ(plan.fit, Fit::yes);
  EXPECT_EQ(sizes(plan), (std::vector<std::size_t>{12, 7, 8, 8}));
  EXPECT_TRUE(plan.solution.proved_cost());
  EXPECT_EQ(sizes(plan_of(kTwoDomains + "MPU_EARLY_CONSOLE=0")).front(), 11u);
}

// The same: peak 10, 11 while a domain is made, steady 8.
TEST(MpuPlan, CountsUpstreamAsItWasMeasured) {
  const Plan idle = plan_of("MPU_TARGET=xen-upstream\nXEN=xenImage\n");
  EXPECT_EQ(sizes(idle), (std::vector<std::size_t>{10, 8}));
  EXPECT_EQ(sizes(plan_of("MPU_TARGET=xen-upstream\n" + kTwoDomains)),
            (std::vector<std::size_t>{10, 11, 8}));
}

// docs/r82-guests.md: six regions, or eight where guests change by PRENR.
TEST(MpuPlan, CountsOurOwnHypervisorAsItIsWritten) {
  const std::string text =
      "target = 'r82'\n[hypervisor]\nimage = 'h'\n"
      "[[domain]]\nname = 'a'\nkernel = 'a'\nmemory = '16M'\n"
      "[[domain]]\nname = 'b'\nkernel = 'b'\nmemory = '16M'\ndevices = ['serial1']\n"
      "[[domain]]\nname = 'c'\nkernel = 'c'\nmemory = '16M'\n";
  const Plan six = plan_of("regions = 6\n" + text, "c.toml");
  ASSERT_EQ(six.fit, Fit::yes);
  EXPECT_EQ(sizes(six), (std::vector<std::size_t>{4, 5, 6, 5}));
  EXPECT_EQ(six.switches[1].prenr, 0u);
  EXPECT_EQ(six.switches[1].prbar, 2u);
  EXPECT_EQ(plan_of("regions = 8\n" + text, "c.toml").switches[1].prenr, 1u);
  EXPECT_EQ(plan_of("regions = 5\n" + text, "c.toml").fit, Fit::no);
}

const std::string kLayer =
    "target = 'layer'\n"
    "[[domain]]\nname = 'a'\nkernel = 'a'\npmsa = true\n"
    "static-memory = ['0x10000000 0x1000000', '0x20000000 0x100000']\n"
    "[[domain]]\nname = 'b'\nkernel = 'b'\nmemory = '16M'\nvpl011 = false\n"
    "devices = ['serial1']\n"
    "[[domain]]\nname = 'c'\nkernel = 'c'\nmemory = '16M'\nvpl011 = false\n";

// docs/xen-layer.md: five of the layer, then vGIC, memory and UART.
TEST(MpuPlan, CountsTheLayerAsItRuns) {
  const Plan plan = plan_of(kLayer, "c.toml");
  ASSERT_EQ(plan.fit, Fit::yes);
  EXPECT_EQ(sizes(plan), (std::vector<std::size_t>{5, 9, 8, 7}));
  ASSERT_EQ(plan.switches.size(), 6u);
  const auto cost = [&](const char* from, const char* to) {
    for (const SwitchCost& each : plan.switches) {
      if (each.from == from && each.to == to) return each;
    }
    return SwitchCost{};
  };
  // What the one before had more is disabled, which takes no PRBAR.
  EXPECT_EQ(cost("a", "c").prbar, 2u);
  EXPECT_EQ(cost("a", "c").prlar, 4u);
  EXPECT_EQ(cost("c", "a").prbar, 4u);
  EXPECT_EQ(cost("c", "a").prlar, 4u);
  EXPECT_TRUE(cost("c", "a").el1);
  EXPECT_FALSE(cost("a", "c").el1);
}

TEST(MpuPlan, SaysWhatWouldMakeTheLayersDomainsFit) {
  const Plan plan = plan_of("regions = 8\n" + kLayer, "c.toml");
  ASSERT_EQ(plan.fit, Fit::no);
  EXPECT_TRUE(plan.conflict_minimal);
  ASSERT_FALSE(plan.advice.empty());
  EXPECT_EQ(plan.advice.front().fit, Fit::yes);
  EXPECT_EQ(plan.advice.front().peak, 8u);
  const std::string text = plan_text(plan);
  EXPECT_NE(text.find("a's memory (bank 1) is at 0x20000000: fits"), std::string::npos) << text;
  EXPECT_NE(text.find("a part with 9 would do"), std::string::npos) << text;
}

// The device tree goes to a multiple of 2 MiB that kernel and ramdisk leave free.
TEST(MpuPlan, RefusesLayerDomainsThatCouldNotBeLoaded) {
  const auto domain = [](const std::string& more) {
    return "target = 'layer'\n[[domain]]\nname = 'a'\nkernel = 'a'\n" + more + "\n";
  };
  EXPECT_NE(error_of(domain("static-memory = ['0x10000000 0x100000']"), "c.toml")
                .find("RAM too small: no room for device tree"),
            std::string::npos);
  EXPECT_NE(error_of(domain("memory = '2M'"), "c.toml").find("no room for device tree"),
            std::string::npos);
  EXPECT_EQ(error_of(domain("static-memory = ['0x10000000 0x300000']"), "c.toml"), "");
  EXPECT_EQ(error_of(domain("memory = '3M'"), "c.toml"), "");
}

// The layer is no software that would take address 0 for none.
TEST(MpuPlan, LetsDomainsOfTheLayerHaveAddressZero) {
  const Plan plan = plan_of(
      "target = 'layer'\n[[domain]]\nname = 'a'\nkernel = 'a'\n"
      "static-memory = ['0x0 0x1000000']\n",
      "c.toml");
  EXPECT_EQ(plan.fit, Fit::yes) << plan_text(plan);
}

TEST(MpuPlan, KeepsDomainsOffTheLayer) {
  const std::string domain = "target = 'layer'\n[[domain]]\nname = 'a'\nkernel = 'a'\n";
  const Plan plan = plan_of(domain + "static-memory = ['0x7f800000 0x400000']\n", "c.toml");
  EXPECT_EQ(plan.fit, Fit::no);
  EXPECT_NE(error_of(domain + "memory = '16M'\ndevices = ['/rtc@9c170000']\n", "c.toml")
                .find("one of the board's UARTs 1 to 3"),
            std::string::npos);
  EXPECT_NE(error_of("target = 'layer'\n", "c.toml").find("nothing to do without a domain"),
            std::string::npos);
}

TEST(MpuPlan, WritesATreeThatSaysWhatWasPlanned) {
  const Plan plan = plan_of(kTwoDomains + "MPU_DOMU_DEVICES[1]=serial1\n");
  ASSERT_EQ(plan.fit, Fit::yes);
  const DeviceTree tree = DeviceTree::parse(planned_tree(plan, machine_tree()), "planned");
  EXPECT_TRUE(tree.has_node("/chosen/domU0"));
  EXPECT_EQ(tree.u32("/chosen", "#mpu,address-cells"), 2u);
  EXPECT_EQ(tree.u32("/chosen/domU1", "cpus"), 1u);
  char module[64];
  std::snprintf(module, sizeof module, "/chosen/domU0/module@%llx",
                static_cast<unsigned long long>(plan.at(*plan.assembly.domains[0].kernel)));
  EXPECT_EQ(tree.string(module, "compatible"), "multiboot,kernel");
  const std::vector<PlanFile> files = passthrough_trees(plan);
  ASSERT_EQ(files.size(), 1u);
  EXPECT_LE(files[0].bytes.size(), plan.range(*plan.assembly.domains[1].passthrough).size);
  const DeviceTree partial = DeviceTree::parse(files[0].bytes, "partial");
  EXPECT_EQ(partial.string("/passthrough/device@9c0a0000", "xen,path"), "/uart@9c0a0000");
  EXPECT_EQ(sizes(plan)[3], 9u) << "a device of its own is a region more";
}

TEST(MpuPlan, SaysWhatItDoesNotCount) {
  const Plan plan = plan_of(kTwoDomains + "DOMU_PASSTHROUGH_DTB[1]=p.dtb\n");
  ASSERT_EQ(plan.notes.size(), 1u);
  EXPECT_NE(plan.notes[0].find("domU1: p.dtb is not read"), std::string::npos);
  EXPECT_TRUE(plan_of(kTwoDomains + "DOMU_PASSTHROUGH_DTB[1]=p.dtb\nMPU_DOMU_DEVICES[1]=serial1\n")
                  .notes.empty());
}

TEST(MpuPlan, KeepsWhatIsGiven) {
  const Plan plan = plan_of(kTwoDomains +
                            "DOMU_STATIC_MEM[0]=\"0x10000000 0x1000000\"\n"
                            "XEN_STATIC_HEAP=\"0x30000000 0x4000000\"\nMPU_XEN_ADDRESS=0x200000\n"
                            "MPU_RESERVED[0]=\"0x400000 0xb00000\"\nMEMORY_END=0x40000000\n");
  ASSERT_EQ(plan.fit, Fit::yes);
  EXPECT_EQ(plan.at(plan.assembly.domains[0].ram[0]), 0x10000000u);
  EXPECT_EQ(plan.at(*plan.assembly.heap), 0x30000000u);
  EXPECT_EQ(plan.at(*plan.assembly.hypervisor), 0x200000u);
  // Next to the other, so that one region of the guest section holds both.
  const PhysAddr other = plan.at(plan.assembly.domains[1].ram[0]);
  EXPECT_TRUE(other == 0x0f000000 || other == 0x11000000 || plan.solution.score.waste != 0);
  EXPECT_EQ(plan.runs(*plan.assembly.guest_section).size(), 1u);
}

TEST(MpuPlan, SaysWhatTakesTheRegionsAndWhatWouldHelp) {
  // The heap lies between two domains' memory.
  const Plan plan = plan_of(kTwoDomains +
                            "MPU_REGIONS=12\nDOMU_STATIC_MEM[0]=\"0x10000000 0x1000000\"\n"
                            "DOMU_STATIC_MEM[1]=\"0x20000000 0x1000000\"\n"
                            "XEN_STATIC_HEAP=\"0x18000000 0x4000000\"\n");
  ASSERT_EQ(plan.fit, Fit::no);
  EXPECT_EQ(plan.solution.score.peak, 13u);
  const std::string text = plan_text(plan);
  EXPECT_NE(text.find("the part has 12 regions, this needs 13 (boot)"), std::string::npos) << text;
  EXPECT_NE(text.find("the heap lies between"), std::string::npos) << text;
  EXPECT_NE(text.find("the heap is at 0x18000000: fits, 12 regions are needed"), std::string::npos)
      << text;
  EXPECT_TRUE(plan.conflict_minimal);
  const auto json = nlohmann::json::parse(plan_json(plan));
  EXPECT_EQ(json["fits"], "no");
  EXPECT_EQ(json["score"]["peak"], 13);
}

TEST(MpuPlan, SaysWhatOverlaps) {
  const Plan plan = plan_of(kTwoDomains +
                            "DOMU_STATIC_MEM[0]=\"0x10000000 0x1000000\"\n"
                            "DOMU_STATIC_MEM[1]=\"0x10800000 0x1000000\"\n");
  EXPECT_EQ(plan.fit, Fit::no);
  EXPECT_NE(plan_text(plan).find("does not fit: domU0's memory at 0x10000000-0x10ffffff overlaps "
                                 "domU1's memory at 0x10800000-0x117fffff"),
            std::string::npos)
      << plan_text(plan);
}

struct Bad {
  const char* text;
  const char* message;
};
constexpr Bad kBad[] = {
    {"MPU_REGIONS=0\nXEN=x\n", "the part has no regions (0)"},
    {"MPU_REGIONS=256\nXEN=x\n", "c:1:13: '256' is not MPU_REGIONS from 0 to 255"},
    {"MPU_REGIONS=x\n", "c:1:13: 'x' is not MPU_REGIONS from 0 to 255"},
    {"NUM_DOMUS=1\n", "c:1:11: DOMU_KERNEL[0] is missing"},
    {"NUM_DOMUS=1\nDOMU_KERNEL[0]=k\nDOMU_KERNEL[1]=k\n", "c:3:16: DOMU_KERNEL[1]: NUM_DOMUS is 1"},
    {"MPU_REGION=3\n", "c:1:12: unknown variable MPU_REGION"},
    {"DOM0_KERNEL=k\n", "c:1:13: DOM0_KERNEL: there is no plan for it"},
    {"MPU_TARGET=bao\nXEN=x\n", "unknown target 'bao'; there are xen-arm, xen-upstream, r82"},
    {"NUM_DOMUS=1\nDOMU_KERNEL[0]=k\nDOMU_MEM[0]=16\n", "c: no hypervisor image is given"},
    {"MEMORY_START=0x1000000000000000\n", "c:1:14: MEMORY_START lies beyond 48 bits"},
    {"MEMORY_END=99999999999999999999\n", "c:1:12: "},
    {"MPU_RESERVED[0]=\"0x1000\"\n", "c:1:17: '0x1000' is not pairs of BASE and SIZE"},
    {"MPU_RESERVED[0]=\"0x1000 0\"\n", "c:1:17: '0x1000 0' has the size 0"},
    {"MPU_RESERVED[0]=\"0xffffffff0000 0x20000\"\n",
     "c:1:17: '0xffffffff0000 0x20000' reaches beyond"},
    {"MPU_HEAP=0\n", "c:1:10: MPU_HEAP of 0 bytes"},
    {"MPU_XEN_RELINK=yes\n", "c:1:16: MPU_XEN_RELINK is 0 or 1"},
};

TEST(MpuPlan, RefusesBadConfigurationsWithTheirPlace) {
  for (const Bad& bad : kBad) {
    EXPECT_NE(error_of(bad.text).find(bad.message), std::string::npos)
        << bad.text << " gives: " << error_of(bad.text);
  }
}

constexpr Bad kBadDomains[] = {
    {"DOMU_MEM[0]=0", "DOMU_MEM of 0 bytes"},
    {"DOMU_MEM[0]=1", "domU0: Xen places kernel, device tree and ramdisk in 4 MiB"},
    {"DOMU_DIRECT_MAP[0]=0", "under an MPU every domain is mapped directly"},
    {"DOMU_STATIC_MEM[0]=\"0x10000000 0x2000000\"", "holds 32 MiB, DOMU_MEM[0] is 16 MiB"},
    {"DOMU_STATIC_MEM[0]=\"0x10000800 0x1000000\"", "is not made of whole pages"},
    {"DOMU_STATIC_MEM[0]=\"0x10001000 0x1000000\"", "runs from a multiple of 2 MiB"},
    {"DOMU_STATIC_MEM[0]=\"0x10000000\"", "is not pairs of BASE and SIZE"},
    {"MPU_DOMU_DEVICES[0]=/nothing", "domU0: the board has no device '/nothing'"},
    {"MPU_DOMU_DEVICES[0]=serial0", "/uart@9c090000 is the hypervisor's console"},
    {"MPU_DOMU_DEVICES[0]=serial1\nMPU_DOMU_DEVICES[1]=serial1", "domU0 has /uart@9c0a0000"},
    {"MPU_DOMU_NAME[0]=domU1", "two domains have the name 'domU1'"},
    {"MPU_DOMU_NAME[0]=a/b", "'a/b' cannot be the name of a node"},
    {"MPU_DOMU_ALIGN[0]=3", "an alignment is a power of two"},
    {"DOMU_VCPUS[0]=9", "DOMU_VCPUS"},
    {"XEN_STATIC_HEAP=\"0x10001000 0x100000\"", "the heap at 0x10001000 is not at a multiple of"},
    {"DOMU_KERNEL[0]=huge", "its kernel takes 64 MiB, its memory is 16 MiB"},
    {"XEN=huge", "Xen takes 64 MiB of memory; its first region holds 2 MiB"},
    {"DOMU_KERNEL[1]=linked\nDOMU_STATIC_MEM[1]=\"0x12000000 0x1000000\"",
     "its kernel is linked at 0x10000000, its memory starts at 0x12000000"},
    {"MEMORY_START=0x20000000\nMEMORY_END=0x10000000", "usable memory ends at 0x10000000"},
};

TEST(MpuPlan, RefusesBadDomains) {
  for (const Bad& bad : kBadDomains) {
    const std::string text = kTwoDomains + bad.text + "\n";
    EXPECT_NE(error_of(text).find(bad.message), std::string::npos)
        << bad.text << " gives: " << error_of(text);
  }
}

TEST(MpuPlan, RefusesBadTomlWithItsPlace) {
  EXPECT_EQ(error_of("regions = 'x'\n", "c.toml").substr(0, 16), "c.toml:1:11: reg");
  EXPECT_EQ(error_of("\n[hypervisor\n", "c.toml").substr(0, 9), "c.toml:2:");
  EXPECT_NE(
      error_of("[hypervisor]\nimages = 'x'\n", "c.toml").find("c.toml:2:1: unknown key 'images'"),
      std::string::npos);
  EXPECT_NE(error_of("[[domain]]\nname = 'a'\n", "c.toml").find("a domain has a kernel"),
            std::string::npos);
}

std::string board_error(DeviceTree tree) {
  try {
    read_board(tree.bytes(), "board.dtb");
  } catch (const ScenarioError& error) {
    return error.what();
  }
  return "";
}

TEST(MpuPlan, RefusesBoardsWithoutWhatIsNeeded) {
  const std::vector<std::uint8_t> whole = machine_tree();
  const auto without = [&](const char* node) {
    DeviceTree tree = DeviceTree::parse(whole, "t");
    tree.remove_node(node);
    return board_error(std::move(tree));
  };
  EXPECT_NE(without("/memory@0").find("board.dtb: it has no memory node"), std::string::npos);
  EXPECT_NE(without("/interrupt-controller@af000000").find("it has no GICv3"), std::string::npos);
  EXPECT_NE(without("/chosen").find("/chosen has no stdout-path"), std::string::npos);
  EXPECT_NE(without("/uart@9c090000").find("names no device with registers"), std::string::npos);
  DeviceTree odd = DeviceTree::parse(whole, "t");
  odd.set_cells("/uart@9c090000", "reg", {1, 2, 3});
  EXPECT_NE(board_error(std::move(odd)).find("reg of /uart@9c090000 does not fit"),
            std::string::npos);
  DeviceTree far = DeviceTree::parse(whole, "t");
  far.set_u64s("/uart@9c090000", "reg", {0xffffffffffff0000, 0x20000});
  EXPECT_NE(board_error(std::move(far)).find("beyond 48 bits"), std::string::npos);
  std::vector<std::uint8_t> cut(whole.begin(), whole.begin() + 64);
  EXPECT_THROW(read_board(cut, "board.dtb"), ScenarioError);
}

// Twelve domains of different sizes with five devices each; some have their place.
TEST(MpuPlan, PlansTwelveDomainsWithSixtyDevicesInFewSteps) {
  DeviceTree tree = DeviceTree::parse(machine_tree(), "t");
  std::string text =
      "MPU_TARGET=xen-arm\nMPU_REGIONS=16\nXEN=xenImage\nNUM_DOMUS=12\n"
      "MPU_RESERVED[0]=\"0x8000000 0x2000000\"\n";
  for (unsigned n = 0; n < 12; ++n) {
    const std::string i = "[" + std::to_string(n) + "]=";
    text += "DOMU_KERNEL" + i + "k" + (n % 3 == 0 ? "Image" : "") + "\n";
    text += "DOMU_MEM" + i + std::to_string(8 + 4 * (n * 7 % 5)) + "\n";
    if (n == 4) text += "DOMU_STATIC_MEM[4]=\"0x18000000 0x1000000\"\n";
    std::string devices;
    for (unsigned d = 0; d < 5; ++d) {
      const std::uint64_t base = 0xb0000000 + (n * 5 + d) * 0x10000;
      char path[32];
      std::snprintf(path, sizeof path, "/dev@%llx", static_cast<unsigned long long>(base));
      tree.add_node(path);
      tree.set_u64s(path, "reg", {base, 0x1000});
      devices += std::string(d ? " " : "") + path;
    }
    text += "MPU_DOMU_DEVICES" + i + "\"" + devices + "\"\n";
  }
  text.replace(text.find("DOMU_MEM[4]="), std::string("DOMU_MEM[4]=xx").size(), "DOMU_MEM[4]=16");
  const Plan plan = make_plan(read_plan_config(text, "c", no_environment),
                              read_board(tree.bytes(), "b"), images, {.budget = 20'000});
  ASSERT_EQ(plan.fit, Fit::yes) << plan_text(plan);
  EXPECT_TRUE(plan.solution.proved_cost());
  EXPECT_EQ(plan.solution.score.peak, 13u);
  EXPECT_LE(plan.solution.nodes, 60'000u);
}

}  // namespace
}  // namespace trapline::plan
