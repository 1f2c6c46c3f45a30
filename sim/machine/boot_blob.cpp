#include "sim/machine/boot_blob.h"

#include <utility>

namespace trapline {
namespace {

constexpr std::uint64_t kPage = 4096;

PlacedImage place_elf(const LoadedImage& image, const std::string& role,
                      std::optional<PhysAddr> address, MemoryLayout& layout) {
  if (address) {
    throw ImageError(image.path, role + " is an ELF file, which brings its own addresses",
                     "leave out @ADDRESS, or convert it with objcopy -O binary");
  }
  PlacedImage placed{.blobs = {}, .entry = image.elf->entry};
  for (const ElfSegment& segment : image.elf->segments) {
    const LayoutItem item{role + " segment " + std::to_string(segment.index), image.path};
    layout.claim(item, {segment.address, segment.memory_bytes});
    const auto bytes = std::span(*image.bytes).subspan(segment.file_offset, segment.file_bytes);
    placed.blobs.push_back({item, segment.address, image.bytes, bytes});
  }
  return placed;
}

PlacedImage place_arm64(const LoadedImage& image, const std::string& role,
                        std::optional<PhysAddr> address, MemoryLayout& layout) {
  const LayoutItem item{role, image.path};
  const Arm64ImageHeader& header = *image.header;
  PhysAddr base = 0;
  if (address) {
    base = *address;
    if (base % kArm64ImageAlign != header.text_offset) {
      throw ImageError(image.path,
                       "an arm64 Image must be loaded " + std::to_string(header.text_offset) +
                           " bytes above a 2 MiB boundary",
                       "change its @ADDRESS, or leave it out");
    }
    layout.claim(item, {base, header.image_size});
  } else {
    // QEMU keeps the first page for its boot stub; the same addresses make the same console logs.
    const PhysAddr lowest = layout.ram().front().base + kPage;
    base = layout.place(item, header.image_size, kArm64ImageAlign, lowest, header.text_offset);
  }
  return {.blobs = {whole_file(item, base, image.bytes)}, .entry = base, .linux_protocol = true};
}

}  // namespace

PlacedImage place_image(const LoadedImage& image, const std::string& role,
                        std::optional<PhysAddr> address, MemoryLayout& layout) {
  if (image.kind == ImageKind::elf) return place_elf(image, role, address, layout);
  if (image.kind == ImageKind::arm64_image) return place_arm64(image, role, address, layout);
  if (!address) {
    throw ImageError(image.path, role + " is neither an arm64 Image nor an AArch64 ELF",
                     "say where it goes: --load FILE@ADDRESS");
  }
  const LayoutItem item{role, image.path};
  layout.claim(item, {*address, image.memory_bytes()});
  return {.blobs = {whole_file(item, *address, image.bytes)}, .entry = *address};
}

BootBlob whole_file(const LayoutItem& item, PhysAddr address, SharedBytes storage) {
  const std::span<const std::uint8_t> bytes = *storage;
  return {item, address, std::move(storage), bytes};
}

}  // namespace trapline
