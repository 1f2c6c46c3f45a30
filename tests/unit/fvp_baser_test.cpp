#include "sim/machine/fvp_baser.h"

#include <libfdt.h>

#include "boot_files.h"
#include "sim/machine/boot.h"
#include "sim/machine/spin_table.h"

namespace trapline::testing {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kGiB = 1024 * kMiB;

class FvpBaserTest : public BootFilesTest {
 protected:
  FvpBaserTest() { config_.machine = "fvp-baser"; }

  const BootBlob* blob(const BootPlan& plan, const std::string& role) const {
    for (const BootBlob& blob : plan.blobs) {
      if (blob.item.role == role) return &blob;
    }
    return nullptr;
  }
  std::string error() const {
    return error_of<ImageError>([&] { plan_boot(config_); });
  }
  DeviceTree tree() const { return DeviceTree::parse(machine_dtb(config_), "tree"); }

  MachineConfig config_;
};

TEST(FvpBaserMap, IsSortedAndFreeOfOverlaps) {
  PhysAddr end = 0;
  for (const FvpRegion& region : fvp_map()) {
    EXPECT_GE(region.base, end) << region.name;
    end = region.base + region.size;
  }
}

TEST_F(FvpBaserTest, AnImageGoesWhereUBootPutsIt) {
  config_.kernel = write("Image", make_image(0x1000, 0x2000));
  config_.initrd = write("initrd", Bytes(100, 1));
  const BootPlan plan = plan_boot(config_);
  EXPECT_EQ(plan.entry, 0x00200000u);
  EXPECT_EQ(plan.dtb_address, 0x0fc00000u);
  EXPECT_EQ(plan.x, (std::array<std::uint64_t, 4>{0x0fc00000, 0, 0, 0}));
  EXPECT_EQ(blob(plan, "initrd")->address, 0x0fe00000u);
  EXPECT_EQ(plan.entry_el, 2u);
  EXPECT_FALSE(plan.psci) << "there is no firmware to call";
}

TEST_F(FvpBaserTest, AnElfIsEnteredByAllCpus) {
  config_.cpus = 4;
  config_.kernel = write("elf", make_elf({{0x84000000, 16, 16}}, 0x84000004));
  const BootPlan plan = plan_boot(config_);
  EXPECT_EQ(plan.entry, 0x84000004u);
  EXPECT_EQ(plan.secondary_entry, 0x84000004u);
  config_.entry = 0x88000000;
  EXPECT_EQ(plan_boot(config_).secondary_entry, 0x88000000u);
}

TEST_F(FvpBaserTest, AnImageIsEnteredByOneCpuAndTheOthersSpin) {
  config_.kernel = write("Image", make_image(0x1000, 0x2000));
  config_.cpus = 4;
  const BootPlan plan = plan_boot(config_);
  EXPECT_EQ(plan.secondary_entry, kFvpSpinTable);
  const BootBlob* page = blob(plan, "spin-table");
  ASSERT_NE(page, nullptr);
  EXPECT_EQ(page->address, kFvpSpinTable);
  EXPECT_EQ(page->address + kSpinTableWords, fvp_release_address(0));
  std::uint64_t address = 0, size = 0;
  ASSERT_EQ(fdt_num_mem_rsv(plan.dtb.data()), 1);
  ASSERT_EQ(fdt_get_mem_rsv(plan.dtb.data(), 0, &address, &size), 0);
  EXPECT_EQ(address, kFvpSpinTable);
  EXPECT_EQ(size, kSpinTableBytes);

  config_.cpus = 1;
  const BootPlan alone = plan_boot(config_);
  EXPECT_EQ(blob(alone, "spin-table"), nullptr);
  EXPECT_EQ(fdt_num_mem_rsv(alone.dtb.data()), 0);
}

TEST_F(FvpBaserTest, FilesWithAnAddressGoIntoRomFlashAndUpperDram) {
  config_.ram_bytes = 3 * kGiB;
  for (const PhysAddr address : {0x80000000ull, 0x88000000ull, 0xae000000ull, 0x8'8000'0000ull}) {
    config_.loads = {{write("raw", Bytes(64, 1)), address}};
    config_.entry = address;
    EXPECT_EQ(plan_boot(config_).entry, address);
  }
  config_.ram_bytes = 2 * kGiB;
  EXPECT_HOLDS(error(), "is outside RAM (0x0-0x7fffffff, 0x80000000-0x8403ffff");
}

TEST_F(FvpBaserTest, TheTreeDescribesTheBoard) {
  config_.cpus = 2;
  config_.ram_bytes = 3 * kGiB;
  const DeviceTree t = tree();
  EXPECT_EQ(t.memory(), (std::vector<MemoryRange>{{0, 2 * kGiB}, {0x8'8000'0000, kGiB}}));
  EXPECT_FALSE(t.has_node("/psci"));
  EXPECT_EQ(t.string("/cpus/cpu@1", "compatible"), "arm,cortex-r82");
  EXPECT_EQ(t.string("/cpus/cpu@1", "enable-method"), "spin-table");
  EXPECT_FALSE(t.has_node("/cpus/cpu@2"));
  EXPECT_EQ(t.string("/aliases", "serial3"), "/uart@9c0c0000");
  EXPECT_EQ(t.u32("/timer", "clock-frequency"), 100'000'000u);
  for (const char* node : {"/uart@9c090000", "/wdt@9c0f0000", "/rtc@9c170000",
                           "/virtio-block@9c130000", "/interrupt-controller@af000000"}) {
    EXPECT_TRUE(t.has_node(node)) << node;
  }
}

TEST_F(FvpBaserTest, WhatTheBoardDoesNotHaveIsRefused) {
  config_.kernel = write("Image", make_image(0x1000, 0x2000));
  config_.ram_bytes = 9 * kGiB;
  EXPECT_HOLDS(error(), "1 MiB to 8 GiB");
  config_.ram_bytes.reset();
  config_.gic = 2;
  EXPECT_HOLDS(error(), "fvp-baser has a GICv3");
  config_.gic = 3;
  config_.mpu_el2_regions = 256;
  EXPECT_HOLDS(error(), "at most 255 regions");
  config_.mpu_el2_regions = 8;
  EXPECT_EQ(error(), "");
  config_.cpu = "max";
  EXPECT_HOLDS(error(), "max has no MPU");
  config_.cpu.clear();
  config_.machine = "virt";
  EXPECT_HOLDS(error(), "cortex-a57 has no MPU");
  config_.mpu_el2_regions.reset();
  config_.cpu = "cortex-r82";
  EXPECT_HOLDS(error(), "virt has no place for a cortex-r82");
  config_.cpu.clear();
  config_.hardware_counter = true;
  EXPECT_HOLDS(error(), "virt's counter always runs");
}

}  // namespace
}  // namespace trapline::testing
