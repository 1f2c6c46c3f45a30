// Bytes on their way into RAM.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/arch/types.h"
#include "sim/machine/image_loader.h"
#include "sim/machine/memory_layout.h"

namespace trapline {

/// One piece of a file, or of something Trapline made, and where it goes.
struct BootBlob {
  LayoutItem item;
  PhysAddr address = 0;
  SharedBytes storage;                  ///< Keeps `bytes` alive.
  std::span<const std::uint8_t> bytes;  ///< What is claimed beyond them stays zero.
};

/// Where an executable ended up.
struct PlacedImage {
  std::vector<BootBlob> blobs;
  PhysAddr entry = 0;
  bool linux_protocol = false;  ///< An arm64 Image, which is given the device tree in x0.
};

/// Claims memory for an image: an ELF by its physical addresses; an arm64 Image at `address`, or
/// else where QEMU puts it (the first 2 MiB boundary that leaves a page free below the image) or
/// the next free place above; a raw file at `address`. Throws ImageError where that cannot be.
PlacedImage place_image(const LoadedImage& image, const std::string& role,
                        std::optional<PhysAddr> address, MemoryLayout& layout);

/// A whole file at an address that has been claimed already.
BootBlob whole_file(const LayoutItem& item, PhysAddr address, SharedBytes storage);

}  // namespace trapline
