#include "sim/machine/xen_boot.h"

#include <libfdt.h>

#include "boot_files.h"
#include "sim/machine/boot.h"
#include "sim/machine/virt_board.h"

namespace trapline::testing {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

/// Reads the tree as Xen does: modules in tree order with the parent's cell counts.
struct SeenModule {
  std::string parent;
  std::string compatible;
  PhysAddr address;
  std::uint64_t size;
  std::string bootargs;
  bool operator==(const SeenModule&) const = default;
};

std::vector<SeenModule> modules_of(const std::vector<std::uint8_t>& dtb) {
  std::vector<SeenModule> seen;
  const void* fdt = dtb.data();
  const int chosen = fdt_path_offset(fdt, "/chosen");
  int depth = 0;
  for (int node = chosen; node >= 0 && depth >= 0; node = fdt_next_node(fdt, node, &depth)) {
    int length = 0;
    const auto* reg = static_cast<const fdt32_t*>(fdt_getprop(fdt, node, "reg", &length));
    if (node == chosen || reg == nullptr) continue;
    const int parent = fdt_parent_offset(fdt, node);
    EXPECT_EQ(fdt_address_cells(fdt, parent), 2);
    EXPECT_EQ(fdt_size_cells(fdt, parent), 2);
    EXPECT_EQ(length, 16);
    EXPECT_EQ(fdt_node_check_compatible(fdt, node, "multiboot,module"), 0);
    const auto* bootargs = static_cast<const char*>(fdt_getprop(fdt, node, "bootargs", nullptr));
    seen.push_back({fdt_get_name(fdt, parent, nullptr),
                    fdt_stringlist_get(fdt, node, "compatible", 0, nullptr),
                    std::uint64_t{fdt32_ld(reg)} << 32 | fdt32_ld(reg + 1),
                    std::uint64_t{fdt32_ld(reg + 2)} << 32 | fdt32_ld(reg + 3),
                    bootargs != nullptr ? bootargs : ""});
  }
  return seen;
}

class XenBootTest : public BootFilesTest {
 protected:
  XenBootTest() {
    xen().image = write("xen", make_image(0xf0008, 0x1360c8));
    xen().append = "console=dtuart";
    xen().dom0 = domain("dom0", 256 * kMiB);
  }
  DomainSpec domain(const std::string& name, std::uint64_t memory) {
    return {.name = name,
            .kernel = write("Image", make_image(0x300000, 0x400000)),
            .initrd = write("initrd", Bytes(0x1001, 0x33)),
            .append = "console for " + name,
            .dtb = {},
            .memory = memory};
  }
  XenSpec& xen() {
    if (!config_.xen) config_.xen.emplace();
    return *config_.xen;
  }
  std::string plan_error() const {
    return error_of<ImageError>([&] { plan_boot(config_); });
  }

  MachineConfig config_;
};

TEST_F(XenBootTest, PlacesXenDom0AndDomusInOrder) {
  xen().domus = {domain("domU1", 128 * kMiB), domain("domU2", 64 * kMiB)};
  const BootPlan plan = plan_boot(config_);
  EXPECT_EQ(plan.entry, 0x40200000u);
  EXPECT_EQ(plan.entry_el, 2u);
  EXPECT_EQ(plan.dtb_address, 0x48000000u);
  const std::vector<SeenModule> expected = {
      {"chosen", "multiboot,kernel", 0x50000000, 0x300000, "console for dom0"},
      {"chosen", "multiboot,ramdisk", 0x50400000, 0x1001, ""},
      {"domU1", "multiboot,kernel", 0x50600000, 0x300000, "console for domU1"},
      {"domU1", "multiboot,ramdisk", 0x50a00000, 0x1001, ""},
      {"domU2", "multiboot,kernel", 0x50c00000, 0x300000, "console for domU2"},
      {"domU2", "multiboot,ramdisk", 0x51000000, 0x1001, ""},
  };
  EXPECT_EQ(modules_of(plan.dtb), expected);
  for (const SeenModule& module : expected) {
    const auto blob = std::find_if(plan.blobs.begin(), plan.blobs.end(),
                                   [&](const BootBlob& b) { return b.address == module.address; });
    ASSERT_NE(blob, plan.blobs.end()) << plan.layout;
    EXPECT_EQ(blob->bytes.size(), module.size);
  }
}

TEST_F(XenBootTest, DomuNodeCarriesItsResources) {
  xen().domus = {domain("domU1", 128 * kMiB), domain("quiet", 64 * kMiB)};
  xen().domus[0].vcpus = 2;
  xen().domus[1].vpl011 = false;
  const std::vector<std::uint8_t> dtb = plan_boot(config_).dtb;
  const DeviceTree tree = DeviceTree::parse(dtb, "plan");
  EXPECT_EQ(tree.string("/chosen/domU1", "compatible"), "xen,domain");
  EXPECT_EQ(tree.u32("/chosen/domU1", "cpus"), 2u);
  EXPECT_EQ(tree.u32("/chosen/quiet", "cpus"), 1u);
  const int node = fdt_path_offset(dtb.data(), "/chosen/domU1");
  const int quiet = fdt_path_offset(dtb.data(), "/chosen/quiet");
  EXPECT_NE(fdt_getprop(dtb.data(), node, "vpl011", nullptr), nullptr);
  EXPECT_EQ(fdt_getprop(dtb.data(), quiet, "vpl011", nullptr), nullptr);
  int length = 0;
  const auto* memory =
      static_cast<const fdt64_t*>(fdt_getprop(dtb.data(), node, "memory", &length));
  ASSERT_EQ(length, 8);
  EXPECT_EQ(fdt64_ld(memory), 128 * 1024u);  // KiB
}

TEST_F(XenBootTest, CommandLineTakesDom0sResources) {
  EXPECT_EQ(xen_command_line(xen()), "console=dtuart dom0_mem=256M");
  xen().dom0->vcpus = 2;
  xen().dom0->memory = 100 * kMiB + 1024;
  EXPECT_EQ(xen_command_line(xen()), "console=dtuart dom0_mem=102401K dom0_max_vcpus=2");
  xen().dom0->memory = 0;
  xen().dom0->vcpus = 0;
  EXPECT_EQ(xen_command_line(xen()), "console=dtuart dom0_mem=512M");
  xen().append = "dom0_mem=300M sync_console";
  EXPECT_EQ(xen_command_line(xen()), xen().append);
  const DeviceTree tree = DeviceTree::parse(plan_boot(config_).dtb, "plan");
  EXPECT_EQ(tree.string("/chosen", "xen,xen-bootargs"), xen().append);
}

TEST_F(XenBootTest, DomusWithoutDom0) {
  xen().dom0.reset();
  xen().domus = {domain("only", 64 * kMiB)};
  const BootPlan plan = plan_boot(config_);
  ASSERT_EQ(modules_of(plan.dtb).size(), 2u);
  EXPECT_EQ(modules_of(plan.dtb)[0].parent, "only");
  const DeviceTree tree = DeviceTree::parse(plan.dtb, "plan");
  EXPECT_EQ(tree.string("/chosen", "xen,xen-bootargs"), "console=dtuart");
}

TEST_F(XenBootTest, CompressedKernelsAreUnpackedAndSizesAreExact) {
  xen().dom0->kernel = write("Image.gz", gzip(make_image(0x345678, 0x400000)));
  EXPECT_EQ(modules_of(plan_boot(config_).dtb)[0].size, 0x345678u);
}

TEST_F(XenBootTest, PassThroughTreeBecomesAModule) {
  DeviceTree part;
  part.add_node("/passthrough");
  xen().domus = {domain("domU1", 64 * kMiB)};
  xen().domus[0].dtb = write("part.dtb", part.bytes());
  EXPECT_EQ(modules_of(plan_boot(config_).dtb).back().compatible, "multiboot,device-tree");
  xen().domus[0].dtb = write("bad.dtb", Bytes(50));
  EXPECT_HOLDS(plan_error(), "bad.dtb: not a device tree blob");
}

TEST_F(XenBootTest, SmallRamMovesModulesDownAndKeepsThemApart) {
  config_.ram_bytes = 160 * kMiB;
  xen().dom0->memory = 64 * kMiB;
  const BootPlan plan = plan_boot(config_);
  EXPECT_EQ(plan.dtb_address, 0x41400000u);
  EXPECT_EQ(modules_of(plan.dtb)[0].address, 0x42800000u);
}

TEST_F(XenBootTest, ModulesStayClearOfLoadedFiles) {
  config_.loads = {{write("raw", Bytes(100, 7)), 0x50000000}};
  EXPECT_EQ(modules_of(plan_boot(config_).dtb)[0].address, 0x50200000u);
  config_.loads = {{write("raw", Bytes(100, 7)), 0x40000000},
                   {write("raw2", Bytes(100, 7)), 0x40000020}};
  EXPECT_HOLDS(plan_error(), "raw2: loaded file at 0x40000020-0x40000083 overlaps loaded file (" +
                                 path("raw") + ")");
}

TEST_F(XenBootTest, RamTooSmallListsWhoNeedsWhat) {
  xen().domus = {domain("domU1", 900 * kMiB)};
  const std::string message = plan_error();
  EXPECT_HOLDS(message,
               "RAM too small: Xen and its domains need more than 1170 MiB (images 14 MiB, "
               "dom0 256 MiB, domU1 900 MiB), the machine has 1024 MiB");
}

TEST_F(XenBootTest, BadDomainsAreNamed) {
  const auto with = [&](auto change) {
    MachineConfig config = config_;
    change(*config.xen);
    return error_of<ImageError>([&] { plan_boot(config); });
  };
  const DomainSpec one = domain("domU1", 64 * kMiB);
  EXPECT_HOLDS(with([&](auto& x) { x.domus = {one, one}; }), "two domains are called \"domU1\"");
  EXPECT_HOLDS(with([&](auto& x) { x.domus = {one}, x.domus[0].name = "a b"; }),
               "domain \"a b\": not a usable name");
  EXPECT_HOLDS(with([&](auto& x) { x.domus = {one}, x.domus[0].memory = 0; }),
               "domain \"domU1\" has no memory size");
  EXPECT_HOLDS(with([&](auto& x) { x.domus = {one}, x.domus[0].kernel.clear(); }),
               "domU1 has no kernel");
  EXPECT_HOLDS(with([&](auto& x) { x.domus = {one}, x.domus[0].initrd = path("no"); }),
               "no: cannot read domU1 initrd");
  const std::string elf = write("k.elf", make_elf({{0x40000000, 16, 16}}, 0));
  EXPECT_HOLDS(with([&](auto& x) { x.dom0->kernel = elf; }),
               "k.elf: dom0 kernel is an ELF file, which Xen cannot start");
  EXPECT_HOLDS(with([](auto& x) { x.dom0.reset(); }), "Xen has no domain to start");
  EXPECT_HOLDS(with([](auto& x) { x.append = "dom0_mem=1M"; }), "given twice");
  EXPECT_HOLDS(with([](auto& x) { x.dom0->append = std::string(1024, 'a'); }), "too long for Xen");
}

TEST_F(XenBootTest, MoreModulesThanXenHoldsAreRefused) {
  for (char name = 'a'; name < 'p'; ++name) {
    xen().domus.push_back(domain(std::string(1, name), kMiB));
  }
  EXPECT_HOLDS(plan_error(), "32 modules are more than Xen accepts");
}

TEST_F(XenBootTest, OptionsOfALoneKernelDoNotMix) {
  const auto with = [&](auto change) {
    MachineConfig config = config_;
    change(config);
    return error_of<ImageError>([&] { plan_boot(config); });
  };
  EXPECT_HOLDS(with([](auto& c) { c.kernel = "k"; }), "-kernel and --xen exclude each other");
  EXPECT_HOLDS(with([](auto& c) { c.initrd = "i"; }), "belongs to a domain");
  EXPECT_HOLDS(with([](auto& c) { c.append = "a"; }), "--xen-append");
  EXPECT_HOLDS(with([](auto& c) { c.entry_el = 1; }), "Xen starts at EL2");
}

TEST_F(XenBootTest, UserTreeKeepsItsOwnDomains) {
  DeviceTree tree = build_virt_tree({});
  tree.add_node("/chosen/domU1");
  config_.dtb = write("user.dtb", tree.bytes());
  xen().domus = {domain("domU1", 64 * kMiB)};
  EXPECT_HOLDS(plan_error(), "domain \"domU1\" is already in the device tree");
  xen().domus[0].name = "domU2";
  EXPECT_TRUE(DeviceTree::parse(plan_boot(config_).dtb, "plan").has_node("/chosen/domU1"));
}

}  // namespace
}  // namespace trapline::testing
