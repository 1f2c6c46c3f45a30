// The arm64 "Image" format: a flat binary behind a 64-byte header (Linux, Documentation/arch/arm64/
// booting.rst, "Call the kernel image"). Linux, Xen, U-Boot and Zephyr can all be built as one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace trapline {

inline constexpr std::uint64_t kArm64ImageAlign = 2 * 1024 * 1024;  ///< Base alignment, bytes.

/// The fields of the header that a boot loader acts on.
struct Arm64ImageHeader {
  std::uint64_t text_offset = 0;  ///< Bytes above a 2 MiB boundary at which the image is placed.
  std::uint64_t image_size = 0;   ///< Bytes from there that must stay free (text to bss); never 0.
  std::uint64_t flags = 0;
  std::uint32_t pe_offset = 0;  ///< File offset of the PE header; 0 for none.

  bool big_endian() const { return flags & 1; }
  /// 4096, 16384 or 65536; 0 where the image does not say.
  unsigned page_size() const;
  /// True if the 2 MiB boundary may be anywhere in RAM, not only near its start.
  bool placed_anywhere() const { return flags & 8; }
};

/// The header if `bytes` start with one, checked: throws ImageError for a big-endian image and for
/// one whose own section table reaches past the end of the file (a truncated copy).
std::optional<Arm64ImageHeader> parse_arm64_image(std::span<const std::uint8_t> bytes,
                                                  const std::string& path);

/// True if the first 64 bytes carry the arm64 Image magic.
bool has_arm64_image_magic(std::span<const std::uint8_t> bytes);

/// The compressed kernel inside an EFI zboot wrapper (Linux, drivers/firmware/efi/libstub/zboot),
/// or nothing. Throws ImageError if it is not compressed by gzip or lies outside the file.
std::optional<std::span<const std::uint8_t>> zboot_payload(std::span<const std::uint8_t> bytes,
                                                           const std::string& path);

}  // namespace trapline
