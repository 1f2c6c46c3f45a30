// A user's device tree, as the machine's and as that of a domain, up to the bytes that the guest
// gets and the source that `trapline machine dtb --dts` prints.
#include <cstring>
#include <stdexcept>
#include <vector>

#include "sim/cli/dts_writer.h"
#include "sim/machine/boot.h"
#include "sim/machine/device_tree.h"
#include "tests/fuzz/memory_file.h"

namespace {

using namespace trapline;

/// The smallest arm64 Image (Linux, Documentation/arch/arm64/booting.rst).
std::vector<std::uint8_t> kernel() {
  std::vector<std::uint8_t> image(4096);
  image[17] = 0x10;  // image_size 4096.
  image[24] = 0x0a;  // flags: 4 KiB pages, anywhere in memory.
  std::memcpy(&image[56], "ARM\x64", 4);
  return image;
}

void boot(const MachineConfig& config) {
  const BootPlan plan = plan_boot(config);
  DeviceTree::parse(plan.dtb, "made");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::MemoryFile image(kernel());
  const auto attempt = [](auto&& action) {
    try {
      action();
    } catch (const ImageError& error) {
      fuzz::check_message(error.what());
    }
  };
  attempt([&] {
    DeviceTree tree = DeviceTree::parse({data, size}, "t");
    tree.memory();
    tree.u32("/", "#address-cells");
    tree.string("/chosen", "stdout-path");
    write_chosen(tree, "console=ttyAMA0", MemoryRange{0x4800'0000, 4096});
    tree.reserve({0x4800'0000, 4096});
    const std::vector<std::uint8_t> blob = tree.bytes();
    fuzz::check(DeviceTree::parse(blob, "edited").string("/chosen", "bootargs") ==
                    "console=ttyAMA0",
                "an edited tree is a tree");
    device_tree_source(blob);
  });
  const fuzz::MemoryFile file({data, size});
  MachineConfig config;
  config.ram_bytes = 64 << 20;
  config.kernel = image.path();
  config.dtb = file.path();
  attempt([&] { boot(config); });
  config.kernel.clear();
  config.dtb.clear();
  config.ram_bytes = 256 << 20;
  DomainSpec domain;
  domain.name = "a";
  domain.kernel = image.path();
  domain.dtb = file.path();
  domain.memory = 64 << 20;
  config.xen.emplace().image = image.path();
  config.xen->domus.push_back(domain);
  attempt([&] { boot(config); });
  return 0;
}
