#include "sim/machine/device_tree.h"

#include <libfdt.h>

#include <sstream>

#include "boot_files.h"
#include "sim/machine/image_error.h"
#include "sim/machine/virt_board.h"

namespace trapline::testing {
namespace {

/// A flattened tree as software reads it: through its own libfdt calls, not through DeviceTree.
class Fdt {
 public:
  explicit Fdt(std::vector<std::uint8_t> bytes) : bytes_(std::move(bytes)) {
    EXPECT_EQ(fdt_check_full(bytes_.data(), bytes_.size()), 0);
  }
  int node(const std::string& path) const { return fdt_path_offset(bytes_.data(), path.c_str()); }
  std::vector<std::uint32_t> cells(const std::string& path, const char* property) const {
    int length = 0;
    const auto* data =
        static_cast<const fdt32_t*>(fdt_getprop(bytes_.data(), node(path), property, &length));
    std::vector<std::uint32_t> cells;
    for (int i = 0; data != nullptr && i < length / 4; ++i) cells.push_back(fdt32_ld(data + i));
    return cells;
  }
  std::vector<std::string> strings(const std::string& path, const char* property) const {
    std::vector<std::string> list;
    const int count = fdt_stringlist_count(bytes_.data(), node(path), property);
    for (int i = 0; i < count; ++i) {
      list.emplace_back(fdt_stringlist_get(bytes_.data(), node(path), property, i, nullptr));
    }
    return list;
  }
  bool has(const std::string& path, const char* property) const {
    return fdt_getprop(bytes_.data(), node(path), property, nullptr) != nullptr;
  }
  std::vector<std::string> children(const std::string& path) const {
    std::vector<std::string> names;
    int child = 0;
    fdt_for_each_subnode(child, bytes_.data(), node(path)) {
      names.emplace_back(fdt_get_name(bytes_.data(), child, nullptr));
    }
    return names;
  }

 private:
  std::vector<std::uint8_t> bytes_;
};

using Cells = std::vector<std::uint32_t>;
using Strings = std::vector<std::string>;

std::string path_of(const VirtRegion& region) {
  std::ostringstream path;
  path << '/' << region.name << '@' << std::hex << region.base;
  return path.str();
}

Fdt virt(const VirtBoardOptions& options) {
  return Fdt(build_virt_dtb(options));
}

TEST(VirtTree, DescribesGicV3WithItsMaintenanceInterrupt) {
  const Fdt tree = virt({});
  const char* gic = "/intc@8000000";
  EXPECT_EQ(tree.strings(gic, "compatible"), Strings{"arm,gic-v3"});
  EXPECT_EQ(tree.cells(gic, "reg"), (Cells{0, 0x08000000, 0, 0x10000, 0, 0x080a0000, 0, 0xf60000}));
  EXPECT_EQ(tree.cells(gic, "interrupts"), (Cells{1, 9, 4}));
  EXPECT_EQ(tree.cells(gic, "#interrupt-cells"), Cells{3});
  EXPECT_TRUE(tree.has(gic, "interrupt-controller"));
  EXPECT_EQ(tree.cells("/", "interrupt-parent"), tree.cells(gic, "phandle"));
}

TEST(VirtTree, DescribesGicV2WithAndWithoutVirtualization) {
  const char* gic = "/intc@8000000";
  const Fdt with = virt({.cpus = 2, .gic = 2});
  EXPECT_EQ(with.strings(gic, "compatible"), Strings{"arm,cortex-a15-gic"});
  EXPECT_EQ(with.cells(gic, "reg"), (Cells{0, 0x08000000, 0, 0x10000, 0, 0x08010000, 0, 0x10000, 0,
                                           0x08030000, 0, 0x10000, 0, 0x08040000, 0, 0x10000}));
  const Fdt without = virt({.cpus = 2, .gic = 2, .has_el2 = false});
  EXPECT_EQ(without.cells(gic, "reg").size(), 8u);
  EXPECT_FALSE(without.has(gic, "interrupts"));
}

TEST(VirtTree, TimerInterruptsCarryACpuMaskOnGicV2Only) {
  EXPECT_EQ(virt({.cpus = 3, .gic = 2}).cells("/timer", "interrupts"),
            (Cells{1, 13, 0x704, 1, 14, 0x704, 1, 11, 0x704, 1, 10, 0x704}));
  EXPECT_EQ(virt({.hyp_virtual_timer = true}).cells("/timer", "interrupts"),
            (Cells{1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4, 1, 12, 4}));
  EXPECT_EQ(virt({}).cells("/pmu", "interrupts"), (Cells{1, 7, 4}));
  EXPECT_LT(virt({.pmu = false}).node("/pmu"), 0);
}

TEST(VirtTree, CpusAreListedInOrderAndEnabledByPsciOnlyWhereThereAreSeveral) {
  const Fdt four = virt({.cpus = 4, .cpu_compatible = "arm,cortex-a72"});
  EXPECT_EQ(four.children("/cpus"), (Strings{"cpu-map", "cpu@0", "cpu@1", "cpu@2", "cpu@3"}));
  EXPECT_EQ(four.strings("/cpus/cpu@3", "compatible"), Strings{"arm,cortex-a72"});
  EXPECT_EQ(four.cells("/cpus/cpu@3", "reg"), Cells{3});
  EXPECT_EQ(four.strings("/cpus/cpu@3", "enable-method"), Strings{"psci"});
  EXPECT_EQ(four.cells("/cpus/cpu-map/socket0/cluster0/core2", "cpu"),
            four.cells("/cpus/cpu@2", "phandle"));
  EXPECT_FALSE(virt({}).has("/cpus/cpu@0", "enable-method"));
}

TEST(VirtTree, PsciMethodFollowsTheConduit) {
  EXPECT_EQ(virt({.psci = PsciConduit::hvc}).strings("/psci", "method"), Strings{"hvc"});
  EXPECT_EQ(virt({.psci = PsciConduit::smc}).strings("/psci", "method"), Strings{"smc"});
}

TEST(VirtTree, DevicesStandWhereTheBusMapSaysInQemusOrder) {
  const Fdt tree = virt({.uarts = 2});
  const Strings order = tree.children("/");
  EXPECT_EQ(order.front(), "psci");
  EXPECT_EQ(order.back(), "chosen");
  EXPECT_EQ(order[1], "memory@40000000");
  EXPECT_EQ(order[2], "virtio_mmio@a000000");
  EXPECT_EQ(order[33], "virtio_mmio@a003e00");
  for (const VirtRegion& region : virt_map()) {
    if (region.spi < 0) continue;
    const std::string path = path_of(region);
    EXPECT_EQ(tree.cells(path, "reg"), (Cells{0, static_cast<std::uint32_t>(region.base), 0,
                                              static_cast<std::uint32_t>(region.size)}))
        << path;
    EXPECT_EQ(tree.cells(path, "interrupts"),
              (Cells{0, static_cast<std::uint32_t>(region.spi), region.spi_flags}))
        << path;
  }
  EXPECT_EQ(tree.cells("/virtio_mmio@a003e00", "interrupts"), (Cells{0, 47, 1}));
  EXPECT_EQ(tree.cells("/apb-pclk", "clock-frequency"), Cells{24000000});
  EXPECT_EQ(tree.cells("/pl011@9000000", "clocks").size(), 2u);
}

TEST(VirtTree, ChosenHoldsCommandLineInitrdAndAFixedSeed) {
  const Fdt tree = virt({.bootargs = "console=ttyAMA0", .initrd = MemoryRange{0x48000000, 0x1234}});
  EXPECT_EQ(tree.strings("/chosen", "bootargs"), Strings{"console=ttyAMA0"});
  EXPECT_EQ(tree.cells("/chosen", "linux,initrd-start"), (Cells{0, 0x48000000}));
  EXPECT_EQ(tree.cells("/chosen", "linux,initrd-end"), (Cells{0, 0x48001234}));
  EXPECT_EQ(tree.strings("/chosen", "stdout-path"), Strings{"/pl011@9000000"});
  EXPECT_EQ(tree.cells("/chosen", "rng-seed").size(), 8u);
  EXPECT_FALSE(tree.has("/chosen", "kaslr-seed"));
  EXPECT_FALSE(virt({}).has("/chosen", "bootargs"));
  EXPECT_EQ(build_virt_dtb({}), build_virt_dtb({}));
}

TEST(VirtTree, MapRowsDoNotOverlap) {
  PhysAddr end = 0;
  for (const VirtRegion& region : virt_map()) {
    EXPECT_GE(region.base, end) << region.name;
    end = region.base + region.size * region.count;
  }
  const VirtRegion& gicr = virt_region(VirtPart::gicr);
  EXPECT_GE(gicr.size, kVirtMaxCpus * kVirtRedistributorBytes);
}

TEST(VirtTree, LargeRamTakesTwoCells) {
  EXPECT_EQ(virt({.ram_bytes = 5ull << 30}).cells("/memory@40000000", "reg"),
            (Cells{0, 0x40000000, 1, 0x40000000}));
}

TEST(DeviceTreeEdit, GrowsAsNeededAndReplacesProperties) {
  DeviceTree tree;
  for (int i = 0; i < 500; ++i) {
    const std::string path = "/a/node" + std::to_string(i);
    tree.add_node(path);
    tree.set_string(path, "text", std::string(100, 'x'));
  }
  tree.set_string("/a/node7", "text", "short");
  tree.remove_node("/a/node8");
  EXPECT_EQ(tree.string("/a/node7", "text"), "short");
  EXPECT_FALSE(tree.has_node("/a/node8"));
  const Fdt flat(tree.bytes(100));
  EXPECT_EQ(flat.children("/a").size(), 499u);
}

TEST(DeviceTreeEdit, LeavesSlackForSoftwareThatEdits) {
  DeviceTree tree;
  tree.add_node("/chosen");
  std::vector<std::uint8_t> bytes = tree.bytes(256);
  EXPECT_EQ(fdt_totalsize(bytes.data()), bytes.size());
  EXPECT_EQ(fdt_setprop_string(bytes.data(), fdt_path_offset(bytes.data(), "/chosen"), "bootargs",
                               "quiet"),
            0);
}

class UserTree : public BootFilesTest {
 protected:
  static std::string parse_error(const Bytes& bytes) {
    return error_of<ImageError>([&] { DeviceTree::parse(bytes, "user.dtb"); });
  }
  static std::string memory_error(DeviceTree& tree) {
    const auto bytes = tree.bytes();
    return error_of<ImageError>([&] {
      check_dtb_memory(DeviceTree::parse(bytes, "user.dtb"), {{0x40000000, 0x10000000}},
                       "user.dtb");
    });
  }
  static DeviceTree with_memory(std::initializer_list<std::uint64_t> reg) {
    DeviceTree tree;
    tree.set_cells("/", "#address-cells", {2});
    tree.set_cells("/", "#size-cells", {2});
    tree.add_node("/memory@40000000");
    tree.set_string("/memory@40000000", "device_type", "memory");
    tree.set_u64s("/memory@40000000", "reg", reg);
    return tree;
  }
};

TEST_F(UserTree, RejectsWhatIsNoTree) {
  EXPECT_HOLDS(parse_error(Bytes(100)), "user.dtb: not a device tree blob");
  EXPECT_HOLDS(parse_error(Bytes(3)), "user.dtb: not a device tree blob");
  Bytes bytes = build_virt_dtb({});
  Bytes cut(bytes.begin(), bytes.end() - 1);
  EXPECT_HOLDS(parse_error(cut), "truncated: the device tree's header says " +
                                     std::to_string(bytes.size()) + " bytes");
  const std::size_t structure = fdt_off_dt_struct(bytes.data());
  bytes[structure + 3] = 0x77;  // The first token, FDT_BEGIN_NODE.
  EXPECT_HOLDS(parse_error(bytes), "user.dtb: device tree is corrupt: FDT_ERR_BADSTRUCTURE");
}

TEST_F(UserTree, NeedsMemoryInsideRam) {
  DeviceTree empty;
  EXPECT_HOLDS(memory_error(empty), "user.dtb: device tree has no memory node");
  DeviceTree nothing = with_memory({0x40000000, 0});
  EXPECT_HOLDS(memory_error(nothing), "has no memory node");
  DeviceTree good = with_memory({0x48000000, 0x1000000, 0x40000000, 0x1000000});
  EXPECT_EQ(memory_error(good), "");
  DeviceTree large = with_memory({0x40000000, 0x10000001});
  EXPECT_HOLDS(memory_error(large),
               "memory at 0x40000000-0x50000000, but the machine's RAM is "
               "0x40000000-0x4fffffff");
  DeviceTree twice = with_memory({0x40000000, 0x2000, 0x40001000, 0x2000});
  EXPECT_HOLDS(memory_error(twice), "describes memory twice");
  DeviceTree odd = with_memory({0x40000000});
  EXPECT_HOLDS(memory_error(odd), "/memory@40000000");
}

TEST_F(UserTree, MemoryIsSortedAndSkipsDisabledNodes) {
  DeviceTree tree = with_memory({0x48000000, 0x1000, 0x40000000, 0x2000});
  tree.add_node("/memory@60000000");
  tree.set_string("/memory@60000000", "device_type", "memory");
  tree.set_u64s("/memory@60000000", "reg", {0x60000000, 0x1000});
  tree.set_string("/memory@60000000", "status", "disabled");
  EXPECT_EQ(tree.memory(), (std::vector<MemoryRange>{{0x40000000, 0x2000}, {0x48000000, 0x1000}}));
}

}  // namespace
}  // namespace trapline::testing
