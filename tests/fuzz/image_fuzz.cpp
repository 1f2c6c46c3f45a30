// Kernels and modules: arm64 Image, ELF, gzip, EFI zboot, and where they go in memory.
#include "sim/machine/boot_blob.h"
#include "sim/machine/image_loader.h"
#include "tests/fuzz/memory_file.h"

namespace {

using namespace trapline;

constexpr MemoryRange kRam{0x4000'0000, 64 << 20};

void place(const LoadedImage& image, std::optional<PhysAddr> address) {
  MemoryLayout layout({kRam});
  const PlacedImage placed = place_image(image, "kernel", address, layout);
  fuzz::check(layout.claims().size() == placed.blobs.size(), "each blob has a claim");
  for (const BootBlob& blob : placed.blobs) {
    fuzz::check(kRam.contains({blob.address, blob.bytes.size()}), "a blob lies in RAM");
    const std::uint8_t* first = blob.storage->data();
    fuzz::check(blob.bytes.empty() || (blob.bytes.data() >= first &&
                                       blob.bytes.data() + blob.bytes.size() <=
                                           first + blob.storage->size()),
                "a blob's bytes are the file's");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::MemoryFile file({data, size});
  const auto attempt = [](auto&& action) {
    try {
      action();
    } catch (const ImageError& error) {
      fuzz::check_message(error.what());
    }
  };
  attempt([&] { load_bootable_image(file.path(), "kernel"); });
  attempt([&] { place(load_image(file.path(), "kernel"), std::nullopt); });
  attempt([&] { place(load_image(file.path(), "kernel"), kRam.base + 0x1000); });
  attempt([&] { gunzip({data, size}, "t"); });
  return 0;
}
