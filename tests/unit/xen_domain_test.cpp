// What a domain without a hypervisor image is given.
#include "sim/machine/xen_domain.h"

#include <libfdt.h>

#include "boot_files.h"
#include "sim/machine/boot.h"
#include "sim/machine/dom0less.h"
#include "sim/machine/mpu_layer_plan.h"

namespace trapline::testing {
namespace {

constexpr std::uint64_t kMiB = 1 << 20, kGiB = 1 << 30;

class XenDomainTest : public BootFilesTest {
 protected:
  XenDomainTest() {
    DomainSpec& domain = machine.domains.emplace_back();
    domain.name = "guest";
    domain.kernel = write("Image", make_image(0x300000, 0x400000));
    domain.append = "console=hvc0";
  }
  DomainSpec& domain() { return machine.domains.front(); }
  BootPlan plan() {
    check_domains(machine);
    return plan_boot(domain_config(machine, domain()));
  }
  std::vector<std::uint64_t> cells(const BootPlan& plan, const char* path, const char* property,
                                   unsigned width) {
    int length = 0;
    const void* fdt = plan.dtb.data();
    const auto* at = static_cast<const fdt32_t*>(
        fdt_getprop(fdt, fdt_path_offset(fdt, path), property, &length));
    std::vector<std::uint64_t> values;
    for (int n = 0; at && n + static_cast<int>(width) * 4 <= length;
         n += static_cast<int>(width) * 4) {
      std::uint64_t value = 0;
      for (unsigned cell = 0; cell < width; ++cell) value = value << 32 | fdt32_ld(at++);
      values.push_back(value);
    }
    return values;
  }
  std::string text(const BootPlan& plan, const char* path, const char* property, int index = 0) {
    const void* fdt = plan.dtb.data();
    const char* found =
        fdt_stringlist_get(fdt, fdt_path_offset(fdt, path), property, index, nullptr);
    return found ? found : "";
  }
  std::string error() {
    try {
      plan();
    } catch (const ImageError& error) {
      return error.what();
    }
    return "no error";
  }

  MachineConfig machine;
};

TEST_F(XenDomainTest, TreeIsTheOneThatXenMakes) {
  domain().memory = 512 * kMiB;
  domain().vcpus = 2;
  const BootPlan made = plan();
  EXPECT_EQ(text(made, "/", "compatible"), "xen,xenvm-4.17");
  EXPECT_EQ(text(made, "/", "compatible", 1), "xen,xenvm");
  EXPECT_EQ(text(made, "/hypervisor", "compatible", 1), "xen,xen");
  using List = std::vector<std::uint64_t>;
  EXPECT_EQ(cells(made, "/hypervisor", "reg", 2), (List{0x38000000, 0x1000000}));
  EXPECT_EQ(cells(made, "/hypervisor", "interrupts", 1), (List{1, 15, 0xf08}));
  EXPECT_EQ(cells(made, "/timer", "interrupts", 1),
            (List{1, 13, 0xf08, 1, 14, 0xf08, 1, 11, 0xf08}));
  EXPECT_EQ(text(made, "/psci", "method"), "hvc");
  EXPECT_EQ(cells(made, "/memory@40000000", "reg", 2), (List{0x40000000, 512 * kMiB}));
  EXPECT_EQ(text(made, "/cpus/cpu@1", "enable-method"), "psci");
  EXPECT_EQ(cells(made, "/sbsa-uart@22000000", "reg", 2), (List{0x22000000, 0x1000}));
  EXPECT_EQ(cells(made, "/sbsa-uart@22000000", "interrupts", 1), (List{0, 0, 0xf04}));
  EXPECT_EQ(text(made, "/chosen", "bootargs"), "console=hvc0");
  EXPECT_EQ(made.psci, PsciConduit::hvc);
  EXPECT_EQ(made.entry_el, 1u);
}

TEST_F(XenDomainTest, GicFollowsTheDomainAndThenTheMachine) {
  machine.gic = 2;
  EXPECT_EQ(text(plan(), "/interrupt-controller@3001000", "compatible"), "arm,cortex-a15-gic");
  domain().gic = 3;
  const BootPlan v3 = plan();
  EXPECT_EQ(text(v3, "/interrupt-controller@3001000", "compatible"), "arm,gic-v3");
  EXPECT_EQ(cells(v3, "/interrupt-controller@3001000", "reg", 2),
            (std::vector<std::uint64_t>{0x03001000, 0x10000, 0x03020000, 0x01000000}));
}

TEST_F(XenDomainTest, MuchMemoryHasTwoBanks) {
  domain().memory = 4 * kGiB;
  const MachineConfig config = domain_config(machine, domain());
  ASSERT_EQ(config.domain_map->ram.size(), 2u);
  EXPECT_EQ(config.domain_map->ram[0], (MemoryRange{0x40000000, 3 * kGiB}));
  EXPECT_EQ(config.domain_map->ram[1], (MemoryRange{0x200000000, kGiB}));
}

TEST_F(XenDomainTest, NoUartWhereNoneIsWanted) {
  domain().vpl011 = false;
  EXPECT_EQ(text(plan(), "/sbsa-uart@22000000", "compatible"), "");
}

TEST_F(XenDomainTest, NothingOfXenWhereNoneIsWanted) {
  domain().hide_xen = true;
  const BootPlan made = plan();
  EXPECT_EQ(text(made, "/hypervisor", "compatible"), "");
  EXPECT_EQ(text(made, "/sbsa-uart@22000000", "compatible"), "arm,sbsa-uart");
  EXPECT_FALSE(domain_config(machine, domain()).domain_map->magic);
  domain().nets.push_back({"bridge"});
  EXPECT_NE(error().find("no Xen is shown to it"), std::string::npos) << error();
}

TEST_F(XenDomainTest, SaysWhatCannotBe) {
  domain().name = "a b";
  EXPECT_NE(error().find("not a usable name"), std::string::npos) << error();
  domain().name = "guest";
  domain().vcpus = 9;
  EXPECT_NE(error().find("9 vCPUs are too many"), std::string::npos) << error();
  domain().vcpus = 1;
  domain().memory = 4095;
  EXPECT_NE(error().find("multiple of 4 KiB"), std::string::npos) << error();
  domain().memory = 0;
  machine.kernel = "Image";
  EXPECT_NE(error().find("images belong to a domain"), std::string::npos) << error();
  machine.kernel.clear();
  machine.entry_el = 2;
  EXPECT_NE(error().find("domains start at EL1"), std::string::npos) << error();
  machine.entry_el.reset();
  machine.domains.push_back(domain());
  EXPECT_NE(error().find("two domains are called \"guest\""), std::string::npos) << error();
  machine.domains.pop_back();
  domain().kernel.clear();
  EXPECT_NE(error().find("no kernel"), std::string::npos) << error();
}

class MpuDomainTest : public XenDomainTest {
 protected:
  MpuDomainTest() {
    machine.machine = "fvp-baser";
    domain().static_memory = {{0x10000000, 16 * kMiB}};
  }
  std::vector<std::string> regions() {
    std::vector<std::string> result;
    for (const MpuLayerRegion& region :
         mpu_domain_regions(*domain_config(machine, domain()).domain_map)) {
      result.push_back(std::string(region.name) + " " + to_string(region.range));
    }
    return result;
  }
  using Names = std::vector<std::string>;
};

TEST_F(MpuDomainTest, RegionsAreGicMemoryAndUart) {
  EXPECT_EQ(regions(), (Names{"vGIC 0xaf000000-0xaf1fffff", "memory 0x10000000-0x10ffffff",
                              "vUART 0x9c090000-0x9c090fff"}));
  domain().vpl011 = false;
  EXPECT_EQ(regions(), (Names{"vGIC 0xaf000000-0xaf1fffff", "memory 0x10000000-0x10ffffff"}));
  domain().board_uart = 1;
  EXPECT_EQ(regions().back(), "UART 0x9c0a0000-0x9c0affff");
}

// An SBSA UART would be one that firmware has enabled; a driver of it never writes UARTCR.
TEST_F(MpuDomainTest, AUartOfTheBoardIsDescribedAsOneToBeEnabled) {
  domain().board_uart = 1;
  const BootPlan made = plan();
  EXPECT_EQ(text(made, "/sbsa-uart@9c0a0000", "compatible"), "");
  EXPECT_EQ(text(made, "/uart@9c0a0000", "compatible"), "arm,pl011");
  EXPECT_EQ(text(made, "/uart@9c0a0000", "compatible", 1), "arm,primecell");
  EXPECT_EQ(text(made, "/uart@9c0a0000", "clock-names"), "uartclk");
  EXPECT_EQ(text(made, "/uart@9c0a0000", "clock-names", 1), "apb_pclk");
  using List = std::vector<std::uint64_t>;
  EXPECT_EQ(cells(made, "/uart@9c0a0000", "reg", 2), (List{0x9c0a0000, 0x1000}))
      << "the IDs are at its end";
  EXPECT_EQ(cells(made, "/uart@9c0a0000", "interrupts", 1), (List{0, 6, 4}));
  const List clocks = cells(made, "/uart@9c0a0000", "clocks", 1);
  ASSERT_EQ(clocks.size(), 2u);
  EXPECT_EQ(cells(made, "/refclk24mhz", "phandle", 1), List{clocks[0]});
  EXPECT_EQ(cells(made, "/refclk24mhz", "clock-frequency", 1), List{24'000'000});
  EXPECT_EQ(cells(made, "/refclk100mhz", "phandle", 1), List{clocks[1]});
  EXPECT_EQ(text(made, "/refclk24mhz", "compatible"), "fixed-clock");
}

TEST_F(MpuDomainTest, MemoryThatAdjoinsIsOneRegion) {
  domain().static_memory = {{0x20000000, kMiB}, {0x11000000, kMiB}, {0x10000000, 16 * kMiB}};
  EXPECT_EQ(regions(), (Names{"vGIC 0xaf000000-0xaf1fffff", "memory 0x10000000-0x110fffff",
                              "memory 0x20000000-0x200fffff", "vUART 0x9c090000-0x9c090fff"}));
}

TEST_F(MpuDomainTest, XenIsShownInItsOwnMemory) {
  const std::vector<std::string> before = regions();
  EXPECT_EQ(text(plan(), "/hypervisor", "compatible"), "");
  domain().enhanced = true;
  EXPECT_EQ(regions(), before) << "no region more";
  const BootPlan made = plan();
  using List = std::vector<std::uint64_t>;
  EXPECT_EQ(cells(made, "/memory@10000000", "reg", 2), (List{0x10000000, 15 * kMiB}));
  EXPECT_EQ(text(made, "/hypervisor", "compatible", 1), "xen,xen");
  EXPECT_EQ(cells(made, "/hypervisor", "reg", 2), (List{0x10f00000, kMiB - 0x4000}));
  EXPECT_EQ(cells(made, "/hypervisor", "interrupts", 1), (List{1, 15, 0xf08}));
  EXPECT_EQ(domain_config(machine, domain()).domain_map->magic, (MemoryRange{0x10ffc000, 0x4000}));
  domain().static_memory = {{0x10000000, kMiB}};
  EXPECT_NE(error().find("takes 1 MiB of its first static memory"), std::string::npos) << error();
  domain().enhanced = false;
  domain().disks.push_back({});
  EXPECT_NE(error().find("add enhanced=on"), std::string::npos) << error();
}

TEST_F(MpuDomainTest, SaysWhatCannotBe) {
  domain().memory = 15 * kMiB;
  EXPECT_NE(error().find("memory of 15 MiB is not the sum of its static memory, 16 MiB"),
            std::string::npos)
      << error();
  domain().memory = 16 * kMiB;
  EXPECT_EQ(error(), "no error");
  machine.mpu_el2_regions = 8;
  EXPECT_EQ(error(), "no error");
  machine.mpu_el2_regions = 7;
  EXPECT_THROW(plan(), MpuRegionsError);
  EXPECT_NE(error().find("8 EL2 MPU regions are needed: 5 of the hypervisor (code, read-only data, "
                         "data, bss, heap) and 3 of its own (vGIC, memory, vUART); the CPU has 7"),
            std::string::npos)
      << error();
  domain().board_uart = 4;
  EXPECT_NE(error().find("no UART 4"), std::string::npos) << error();
  domain().board_uart = 1;
  machine.domains.push_back(domain());
  machine.domains.back().name = "other";
  EXPECT_NE(error().find("UART 1 is that of \"guest\""), std::string::npos) << error();
  machine.domains.back().board_uart = 2;
  EXPECT_NE(error().find("overlaps that of \"guest\""), std::string::npos) << error();
  machine.domains.back().static_memory = {{0x7f800000, kMiB}};
  EXPECT_NE(error().find("overlaps the hypervisor's"), std::string::npos) << error();
}

TEST_F(MpuDomainTest, TheMachinesOwnOptionsAreCheckedToo) {
  machine.gic = 2;
  EXPECT_NE(error().find("fvp-baser has a GICv3"), std::string::npos) << error();
  machine.gic = 3;
  domain().gic = 2;
  EXPECT_NE(error().find("the board has a GICv3"), std::string::npos) << error();
  domain().gic = 3;
  for (const std::uint64_t ram : {1024 * kGiB, 17179869183 * kGiB}) {
    machine.ram_bytes = ram;
    EXPECT_NE(error().find("use a multiple of 4 KiB from 1 MiB to 8 GiB"), std::string::npos)
        << error();
  }
  machine.ram_bytes.reset();
  EXPECT_EQ(error(), "no error");
}

TEST_F(MpuDomainTest, NoMmuWhereTheMachineHasNone) {
  domain().vmsa = true;
  EXPECT_TRUE(domain_config(machine, domain()).vmsa_at_el1);
  EXPECT_EQ(error(), "no error");
  machine.vmsa_at_el1 = false;
  EXPECT_NE(error().find("no VMSAv8-64 at EL1"), std::string::npos) << error();
  domain().vmsa = false;
  EXPECT_EQ(error(), "no error");
}

TEST_F(MpuDomainTest, StaticMemoryIsNeitherEmptyNorBeyondTheEndOfAddresses) {
  domain().static_memory = {{0x10000000, 0}};
  EXPECT_NE(error().find("static memory at 0x10000000, 0 bytes"), std::string::npos) << error();
  domain().static_memory = {{0xfffffffffffff000, 0x2000}};
  EXPECT_NE(error().find("static memory at 0xfffffffffffff000, 8192 bytes, has no such end"),
            std::string::npos)
      << error();
}

class Dom0lessTest : public BootFilesTest {
 protected:
  Dom0lessTest() {
    tree.add_node("/chosen/guest/module@1");
    tree.set_strings("/chosen/guest/module@1", "compatible",
                     {"multiboot,kernel", "multiboot,module"});
    tree.set_u64s("/chosen/guest/module@1", "reg", {0x50000000, 0x1000});
    tree.set_string("/chosen/guest/module@1", "bootargs", "console=ttyAMA0");
    tree.set_string("/chosen/guest", "compatible", "xen,domain");
    tree.set_cells("/chosen/guest", "#address-cells", {2});
    tree.set_cells("/chosen/guest", "#size-cells", {2});
    tree.set_u64s("/chosen/guest", "memory", {131072});
    tree.set_cells("/chosen/guest", "cpus", {2});
    loads = {{"other", PhysAddr{0x60000000}}, {"Image", PhysAddr{0x50000000}}};
  }
  std::vector<DomainSpec> read() { return read_dom0less(write("tree.dtb", tree.bytes()), loads); }
  std::string error() {
    try {
      read();
    } catch (const ImageError& error) {
      return error.what();
    }
    return "no error";
  }
  DeviceTree tree;
  std::vector<LoadSpec> loads;
};

TEST_F(Dom0lessTest, ANodeIsADomain) {
  tree.set_empty("/chosen/guest", "vpl011");
  const std::vector<DomainSpec> domains = read();
  ASSERT_EQ(domains.size(), 1u);
  EXPECT_EQ(domains[0].name, "guest");
  EXPECT_EQ(domains[0].kernel, "Image");
  EXPECT_EQ(domains[0].append, "console=ttyAMA0");
  EXPECT_EQ(domains[0].memory, 128 * kMiB);
  EXPECT_EQ(domains[0].vcpus, 2u);
  EXPECT_TRUE(domains[0].vpl011);
  EXPECT_TRUE(domains[0].input_to_vpl011);
  ASSERT_EQ(loads.size(), 1u) << "the kernel's file is the domain's now";
  EXPECT_EQ(loads[0].path, "other");
}

TEST_F(Dom0lessTest, StaticMemoryAndProfile) {
  tree.set_u64s("/chosen/guest", "xen,static-mem", {0x10000000, 0x100000, 0x20000000, 0x200000});
  tree.set_string("/chosen/guest", "v8r_el1_msa", "mmu");
  const std::vector<DomainSpec> domains = read();
  EXPECT_EQ(domains[0].static_memory,
            (std::vector<MemoryRange>{{0x10000000, 0x100000}, {0x20000000, 0x200000}}));
  EXPECT_TRUE(domains[0].vmsa);
}

// The earlier Arm port: docs/xen-mpu.md.
TEST_F(Dom0lessTest, TreesOfTheEarlierPortSayMpuForEl1) {
  tree.set_cells("/chosen", "#mpu,address-cells", {2});
  EXPECT_TRUE(read()[0].vmsa);
  loads = {{"Image", PhysAddr{0x50000000}}};
  tree.set_empty("/chosen/guest", "mpu");
  EXPECT_FALSE(read()[0].vmsa);
}

TEST_F(Dom0lessTest, APartialTreeMayGiveAUart) {
  DeviceTree partial;
  partial.add_node("/passthrough/device@9c0a0000");
  partial.set_u64s("/passthrough/device@9c0a0000", "xen,reg", {0x9c0a0000, 0x10000, 0x9c0a0000});
  tree.add_node("/chosen/guest/module@2");
  tree.set_strings("/chosen/guest/module@2", "compatible",
                   {"multiboot,device-tree", "multiboot,module"});
  tree.set_u64s("/chosen/guest/module@2", "reg", {0x60000000, 0x1000});
  const std::vector<LoadSpec> both = {{write("part.dtb", partial.bytes()), PhysAddr{0x60000000}},
                                      {"Image", PhysAddr{0x50000000}}};
  loads = both;
  EXPECT_EQ(read()[0].board_uart, 1u);
  partial.set_u64s("/passthrough/device@9c0a0000", "xen,reg", {0x9c090000, 0x10000, 0x9c090000});
  write("part.dtb", partial.bytes());
  loads = both;
  EXPECT_NE(error().find("another device than one of fvp-baser's UARTs"), std::string::npos)
      << error();
}

TEST_F(Dom0lessTest, MemoryIsCountedInBytes) {
  tree.set_u64s("/chosen/guest", "memory", {(1ull << 54) - 1});
  EXPECT_EQ(read()[0].memory, ~0ull << 10);
  tree.set_u64s("/chosen/guest", "memory", {1ull << 54});
  EXPECT_NE(error().find("\"memory\" is above 2^54 - 1 KiB"), std::string::npos) << error();
}

TEST_F(Dom0lessTest, SaysWhatIsMissing) {
  tree.remove_property("/chosen/guest", "cpus");
  EXPECT_NE(error().find("/chosen/guest: no property \"cpus\""), std::string::npos) << error();
  tree.set_cells("/chosen/guest", "cpus", {1});
  loads.clear();
  EXPECT_NE(error().find("no file is loaded at 0x50000000"), std::string::npos) << error();
  tree.set_cells("/chosen/guest/module@1", "reg", {1, 2, 3});
  EXPECT_NE(error().find("\"reg\" does not fit"), std::string::npos) << error();
  tree.remove_node("/chosen/guest");
  EXPECT_NE(error().find("no node of /chosen"), std::string::npos) << error();
}

}  // namespace
}  // namespace trapline::testing
