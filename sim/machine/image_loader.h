// Files to bytes in memory: what kind of image a file is, unpacked and checked.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/machine/arm64_image.h"
#include "sim/machine/elf_image.h"
#include "sim/machine/image_error.h"

namespace trapline {

/// A file's content, shared by everything that is loaded from it.
using SharedBytes = std::shared_ptr<const std::vector<std::uint8_t>>;

/// Reads a whole file. `role` ("kernel", "initrd") opens the message of the ImageError that is
/// thrown if it is missing, unreadable, a directory or device, empty or over 4 GiB.
SharedBytes read_file(const std::string& path, const std::string& role);

/// True if `bytes` start with the gzip magic (RFC 1952).
bool has_gzip_magic(std::span<const std::uint8_t> bytes);
/// The first `limit` bytes inside a gzip file; fewer if it is shorter or corrupt.
std::vector<std::uint8_t> gunzip_prefix(std::span<const std::uint8_t> bytes, std::size_t limit);
/// All of it. Trailing bytes after the last member are ignored. Throws ImageError with the offset
/// at which the data is corrupt or ends early.
std::vector<std::uint8_t> gunzip(std::span<const std::uint8_t> bytes, const std::string& path);

enum class ImageKind { raw, arm64_image, elf };

/// A recognised file. For `raw` and `arm64_image` the whole of `bytes` is loaded at one address.
struct LoadedImage {
  std::string path;
  ImageKind kind = ImageKind::raw;
  bool was_compressed = false;
  SharedBytes bytes{};                       ///< Unpacked.
  std::optional<Arm64ImageHeader> header{};  ///< Of an arm64_image.
  std::optional<ElfImage> elf{};             ///< Of an elf.

  /// Bytes of memory that a raw file or an arm64 Image occupies.
  std::uint64_t memory_bytes() const { return header ? header->image_size : bytes->size(); }
};

/// Reads and recognises a file: arm64 Image and ELF, both also inside gzip or an EFI zboot wrapper.
/// A gzip file that holds anything else (a compressed initrd) stays as it is and is `raw`.
LoadedImage load_image(const std::string& path, const std::string& role);

/// Throws the ImageError of a `raw` file where an executable is needed, which says what the file
/// looks like (an x86 bzImage, a 32-bit zImage, a uImage...).
void check_bootable(const LoadedImage& image, const std::string& role);
/// load_image() and check_bootable().
LoadedImage load_bootable_image(const std::string& path, const std::string& role);

/// True if a `raw` file starts with A64 instructions, 16 of them, and with no known format's magic: a
/// flat binary, as objcopy makes it.
bool is_flat_program(const LoadedImage& image);

/// Reads each file once, however many domains boot it.
class ImageCache {
 public:
  /// As load_bootable_image. The reference lives as long as the cache.
  const LoadedImage& bootable(const std::string& path, const std::string& role);
  /// As read_file.
  SharedBytes file(const std::string& path, const std::string& role);

 private:
  std::map<std::string, LoadedImage> images_;
  std::map<std::string, SharedBytes> files_;
};

}  // namespace trapline
