#include "sim/machine/boot.h"
#include "sim/machine/virt_board.h"

#include "boot_files.h"

namespace trapline::testing {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

class BootTest : public BootFilesTest {
 protected:
  BootTest() {
    config_.kernel = write("Image", make_efi_image(0x100000, 0x1aa0000));
    config_.ram_bytes = 1024 * kMiB;
  }
  const BootBlob* blob(const BootPlan& plan, const std::string& role) const {
    for (const BootBlob& blob : plan.blobs) {
      if (blob.item.role == role) return &blob;
    }
    ADD_FAILURE() << "no blob " << role << " in\n" << plan.layout;
    return nullptr;
  }
  std::string plan_error() const {
    return error_of<ImageError>([&] { plan_boot(config_); });
  }
  static DeviceTree tree_of(const BootPlan& plan) { return DeviceTree::parse(plan.dtb, "plan"); }

  MachineConfig config_;
};

TEST_F(BootTest, LinuxGoesWhereQemuPutsIt) {
  config_.initrd = write("initrd", Bytes(0x1c40a3, 0x33));
  config_.append = "console=ttyAMA0";
  const BootPlan plan = plan_boot(config_);
  EXPECT_EQ(plan.entry, 0x40200000u);
  EXPECT_EQ(plan.entry_el, 2u);
  EXPECT_EQ(plan.psci, PsciConduit::smc);
  EXPECT_EQ(blob(plan, "kernel")->address, 0x40200000u);
  EXPECT_EQ(blob(plan, "initrd")->address, 0x48000000u);
  EXPECT_EQ(plan.dtb_address, 0x48200000u);
  EXPECT_EQ(plan.x, (std::array<std::uint64_t, 4>{0x48200000, 0, 0, 0}));
  EXPECT_EQ(Bytes(blob(plan, "device tree")->bytes.begin(), blob(plan, "device tree")->bytes.end()),
            plan.dtb);
  EXPECT_EQ(tree_of(plan).string("/chosen", "bootargs"), "console=ttyAMA0");
  const BootPlan again = plan_boot(config_);
  EXPECT_EQ(again.dtb, plan.dtb);
  EXPECT_EQ(again.layout, plan.layout);
}

TEST_F(BootTest, FlatKernelsGoWhereQemuPutsThemAndGetTheTree) {
  Bytes code(8192);
  for (std::size_t at = 0; at < code.size(); at += 4) put<std::uint32_t>(code, at, 0xd503201f);  // NOP
  config_.kernel = write("test.flat", code);
  const BootPlan plan = plan_boot(config_);
  EXPECT_EQ(plan.entry, 0x40080000u);
  EXPECT_EQ(blob(plan, "kernel")->bytes.size(), code.size());
  EXPECT_EQ(plan.x[0], plan.dtb_address);
  EXPECT_EQ(plan.dtb_address, 0x48000000u);
  config_.machine = "fvp-baser";
  config_.cpu.clear();
  EXPECT_EQ(plan_boot(config_).entry, 0u);
}

TEST_F(BootTest, WithoutInitrdTheTreeTakesItsPlace) {
  EXPECT_EQ(plan_boot(config_).dtb_address, 0x48000000u);
  config_.ram_bytes = 128 * kMiB;
  EXPECT_EQ(plan_boot(config_).dtb_address, 0x44000000u);
}

TEST_F(BootTest, EnteredAtEl1TheConduitIsHvc) {
  config_.entry_el = 1;
  const BootPlan plan = plan_boot(config_);
  EXPECT_EQ(plan.entry_el, 1u);
  EXPECT_EQ(plan.psci, PsciConduit::hvc);
  EXPECT_EQ(tree_of(plan).string("/psci", "method"), "hvc");
}

TEST_F(BootTest, TextOffsetIsKept) {
  config_.kernel = write("Image", make_image(4096, 0x10000, 0x80000));
  EXPECT_EQ(plan_boot(config_).entry, 0x40080000u);
}

TEST_F(BootTest, ElfFindsTheTreeAtTheStartOfRamIfThatIsFree) {
  config_.kernel = write("a.elf", make_elf({{0x40100000, 16, 16}}, 0x40100004));
  BootPlan plan = plan_boot(config_);
  EXPECT_EQ(plan.entry, 0x40100004u);
  EXPECT_EQ(plan.dtb_address, 0x40000000u);
  EXPECT_EQ(plan.x[0], 0x40000000u);

  config_.kernel = write("b.elf", make_elf({{0x40000000, 16, 16}}, 0x40000000));
  plan = plan_boot(config_);
  EXPECT_EQ(plan.dtb_address, 0x48000000u);
}

TEST_F(BootTest, LoadsAreRecognised) {
  config_.kernel.clear();
  config_.loads = {{write("raw", Bytes(100, 7)), 0x41000000},
                   {write("z.gz", gzip(Bytes(100, 7))), 0x42000000},
                   {write("elf", make_elf({{0x43000000, 16, 16}}, 0x43000008)), {}},
                   {write("Image2", make_image(4096, 8192)), 0x44000000}};
  const BootPlan plan = plan_boot(config_);
  ASSERT_EQ(plan.blobs.size(), 5u);
  EXPECT_EQ(plan.blobs[0].address, 0x41000000u);
  EXPECT_EQ(plan.blobs[0].bytes.size(), 100u);
  EXPECT_EQ(plan.blobs[1].bytes[0], 0x1f);  // Still packed.
  EXPECT_EQ(plan.blobs[2].address, 0x43000000u);
  EXPECT_EQ(plan.blobs[3].address, 0x44000000u);
  EXPECT_EQ(plan.entry, 0x43000008u);  // The first that has one.
  config_.entry = 0x41000004;
  EXPECT_EQ(plan_boot(config_).entry, 0x41000004u);
}

TEST_F(BootTest, RawFilesNeedAddressAndEntry) {
  config_.kernel.clear();
  config_.loads = {{write("raw", Bytes(100, 7)), {}}};
  EXPECT_HOLDS(plan_error(), "--load FILE@ADDRESS");
  config_.loads[0].address = 0x41000000;
  EXPECT_HOLDS(plan_error(), "--entry ADDRESS");
  config_.entry = 0x41000002;
  EXPECT_HOLDS(plan_error(), "not an aligned address in RAM");
  config_.entry = 0x1000;
  EXPECT_HOLDS(plan_error(), "not an aligned address in RAM");
  config_.loads = {{write("elf", make_elf({{0x43000000, 16, 16}}, 0)), 0x44000000}};
  EXPECT_HOLDS(plan_error(), "brings its own addresses");
}

TEST_F(BootTest, AnImageBesideTheKernelNeedsAnAddress) {
  config_.loads = {{write("Image2", make_image(4096, 8192)), {}}};
  EXPECT_HOLDS(plan_error(), "Image2: loaded file has no place of its own");
  config_.kernel.clear();
  EXPECT_EQ(plan_boot(config_).entry, 0x40200000u);
}

TEST_F(BootTest, FixedAddressesPushTheAutomaticOnesAway) {
  config_.initrd = write("initrd", Bytes(4096, 1));
  config_.loads = {{write("raw", Bytes(4097, 7)), 0x48000000}};
  const BootPlan plan = plan_boot(config_);
  EXPECT_EQ(blob(plan, "initrd")->address, 0x48002000u);
  EXPECT_EQ(plan.entry, 0x40200000u);
}

TEST_F(BootTest, OverlapNamesBothFiles) {
  config_.kernel = write("k.elf", make_elf({{0x40100000, 16, 0x2000}}, 0x40100000));
  config_.loads = {{write("raw", Bytes(100, 7)), 0x40101000}};
  const std::string message = plan_error();
  EXPECT_HOLDS(message, path("k.elf") + ": kernel segment 0 at 0x40100000-0x40101fff overlaps");
  EXPECT_HOLDS(message, "loaded file (" + path("raw") + ") at 0x40101000-0x40101063");
}

TEST_F(BootTest, RamTooSmallSaysHowMuchIsNeeded) {
  config_.ram_bytes = 16 * kMiB;
  EXPECT_HOLDS(plan_error(), path("Image") +
                                 ": RAM too small: no room for kernel (27 MiB) in "
                                 "16 MiB of RAM; all that is to be loaded needs at "
                                 "least 28 MiB");
}

TEST_F(BootTest, BadInitrdIsNamed) {
  config_.initrd = path("missing.cpio");
  EXPECT_HOLDS(plan_error(), "missing.cpio: cannot read initrd: No such file or directory");
  config_.initrd = write("empty.cpio", {});
  EXPECT_HOLDS(plan_error(), "empty.cpio: cannot read initrd: the file is empty");
}

TEST_F(BootTest, UserTreeReplacesTheBoardsAndLimitsMemory) {
  DeviceTree tree = build_virt_tree({.ram_bytes = 256 * kMiB, .psci = PsciConduit::hvc});
  tree.add_node("/mine");
  config_.dtb = write("user.dtb", tree.bytes());
  config_.append = "quiet";
  config_.initrd = write("initrd", Bytes(4096, 1));
  const BootPlan plan = plan_boot(config_);
  const DeviceTree result = tree_of(plan);
  EXPECT_TRUE(result.has_node("/mine"));
  EXPECT_EQ(result.string("/chosen", "bootargs"), "quiet");
  EXPECT_EQ(plan.psci, PsciConduit::hvc);
  config_.ram_bytes = 128 * kMiB;
  EXPECT_HOLDS(plan_error(), "user.dtb: device tree describes memory at 0x40000000-0x4fffffff");
}

TEST_F(BootTest, UserTreeWithoutMemoryOrCorruptIsRefused) {
  DeviceTree tree = build_virt_tree({});
  tree.remove_node("/memory@40000000");
  config_.dtb = write("nomem.dtb", tree.bytes());
  EXPECT_HOLDS(plan_error(), "nomem.dtb: device tree has no memory node");
  config_.dtb = write("corrupt.dtb", Bytes(64, 9));
  EXPECT_HOLDS(plan_error(), "corrupt.dtb: not a device tree blob");
  config_.dtb = path("gone.dtb");
  EXPECT_HOLDS(plan_error(), "gone.dtb: cannot read device tree: No such file");
}

TEST_F(BootTest, NumbersAreChecked) {
  const auto with = [&](auto change) {
    MachineConfig config = config_;
    change(config);
    return error_of<ImageError>([&] { plan_boot(config); });
  };
  EXPECT_HOLDS(with([](auto& c) { c.machine = "vexpress"; }), "unknown machine \"vexpress\"");
  EXPECT_HOLDS(with([](auto& c) { c.gic = 4; }), "--gic 2 or --gic 3");
  EXPECT_HOLDS(with([](auto& c) { c.cpus = 9; }), "-smp 1 to 8");
  EXPECT_HOLDS(with([](auto& c) { c.cpus = 0; }), "-smp 1 to 8");
  EXPECT_HOLDS(with([](auto& c) { c.ram_bytes = 0; }), "RAM of 0 bytes");
  EXPECT_HOLDS(with([](auto& c) { *c.ram_bytes += 1; }), "multiple of 4 KiB");
  EXPECT_HOLDS(with([](auto& c) { c.entry_el = 3; }), "EL3");
  EXPECT_HOLDS(with([](auto& c) { c.kernel.clear(); }), "nothing to run");
}

TEST_F(BootTest, TreeCanBePrintedWithAndWithoutImages) {
  EXPECT_EQ(machine_dtb(config_), plan_boot(config_).dtb);
  config_.kernel.clear();
  config_.cpu = "cortex-a72";
  const DeviceTree tree = DeviceTree::parse(machine_dtb(config_), "x");
  EXPECT_EQ(tree.string("/cpus/cpu@0", "compatible"), "arm,cortex-a72");
}

}  // namespace
}  // namespace trapline::testing
