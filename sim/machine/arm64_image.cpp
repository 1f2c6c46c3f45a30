#include "sim/machine/arm64_image.h"

#include <algorithm>
#include <cstring>

#include "sim/machine/image_error.h"

namespace trapline {
namespace {

constexpr std::size_t kHeaderBytes = 64;
constexpr std::size_t kTextOffset = 0x08;
constexpr std::size_t kImageSize = 0x10;
constexpr std::size_t kFlags = 0x18;
constexpr std::size_t kMagic = 0x38;
constexpr std::size_t kPeOffset = 0x3c;
constexpr std::uint32_t kMagicValue = 0x644d5241;  // "ARM\x64"
constexpr std::uint64_t kOldTextOffset = 0x80000;  // Images from before Linux 3.17 have size 0.

constexpr std::size_t kCoffBytes = 24;  // PE signature and COFF header.
constexpr std::size_t kSectionBytes = 40;

/// Little-endian field; the caller has checked the bounds.
template <typename T>
T field(std::span<const std::uint8_t> bytes, std::size_t offset) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value | static_cast<T>(bytes[offset + i]) << (8 * i));
  }
  return value;
}

/// An Image with an EFI stub describes its own extent as a PE section table, which is the only way
/// to tell a truncated file: image_size counts the bss, so it exceeds the file's size anyway.
void check_sections(std::span<const std::uint8_t> bytes, std::uint32_t pe_offset,
                    const std::string& path) {
  const std::uint64_t size = bytes.size();
  const auto truncated = [&](const std::string& what) {
    return ImageError(
        path, "truncated: " + what + " lies beyond the file's " + std::to_string(size) + " bytes",
        "copy or download it again");
  };
  if (pe_offset + kCoffBytes > size) throw truncated("its PE header");
  if (std::memcmp(&bytes[pe_offset], "PE\0\0", 4) != 0) return;
  const auto sections = field<std::uint16_t>(bytes, pe_offset + 6);
  const auto optional_header = field<std::uint16_t>(bytes, pe_offset + 20);
  const std::uint64_t table = pe_offset + kCoffBytes + optional_header;
  if (table + sections * kSectionBytes > size) throw truncated("its PE section table");
  for (unsigned i = 0; i < sections; ++i) {
    const std::size_t at = table + i * kSectionBytes;
    const std::uint64_t end =
        std::uint64_t{field<std::uint32_t>(bytes, at + 16)} + field<std::uint32_t>(bytes, at + 20);
    if (end <= size) continue;
    std::string name(reinterpret_cast<const char*>(&bytes[at]), 8);
    name.erase(std::min(name.find('\0'), name.size()));
    throw truncated("section " + name + ", which ends at offset " + std::to_string(end) + ",");
  }
}

}  // namespace

unsigned Arm64ImageHeader::page_size() const {
  constexpr unsigned kSizes[] = {0, 4096, 16384, 65536};
  return kSizes[(flags >> 1) & 3];
}

bool has_arm64_image_magic(std::span<const std::uint8_t> bytes) {
  return bytes.size() >= kHeaderBytes && field<std::uint32_t>(bytes, kMagic) == kMagicValue;
}

std::optional<Arm64ImageHeader> parse_arm64_image(std::span<const std::uint8_t> bytes,
                                                  const std::string& path) {
  if (!has_arm64_image_magic(bytes)) return std::nullopt;
  Arm64ImageHeader header{.text_offset = field<std::uint64_t>(bytes, kTextOffset),
                          .image_size = field<std::uint64_t>(bytes, kImageSize),
                          .flags = field<std::uint64_t>(bytes, kFlags),
                          .pe_offset = field<std::uint32_t>(bytes, kPeOffset)};
  if (header.image_size == 0) {
    header.text_offset = kOldTextOffset;
    header.flags = 0;
  }
  if (header.big_endian()) {
    throw ImageError(path, "arm64 Image for a big-endian kernel",
                     "only little-endian kernels are supported");
  }
  if (header.text_offset >= kArm64ImageAlign) {
    throw ImageError(path, "arm64 Image header is corrupt: text_offset is not below 2 MiB");
  }
  if (header.pe_offset != 0) check_sections(bytes, header.pe_offset, path);
  header.image_size = std::max<std::uint64_t>(header.image_size, bytes.size());
  return header;
}

std::optional<std::span<const std::uint8_t>> zboot_payload(std::span<const std::uint8_t> bytes,
                                                           const std::string& path) {
  // DOS "MZ", "zimg" at 4, payload offset and size at 8 and 12, the compressor's name at 24.
  constexpr std::size_t kZbootBytes = 0x40;
  if (bytes.size() < kZbootBytes || std::memcmp(bytes.data(), "MZ", 2) != 0 ||
      std::memcmp(&bytes[4], "zimg", 4) != 0) {
    return std::nullopt;
  }
  std::string type(reinterpret_cast<const char*>(&bytes[24]), 8);
  type.erase(std::min(type.find('\0'), type.size()));
  if (type != "gzip") {
    throw ImageError(path, "EFI zboot kernel compressed by \"" + type + "\"",
                     "unpack the Image inside it; only gzip is understood");
  }
  const std::uint64_t offset = field<std::uint32_t>(bytes, 8);
  const std::uint64_t size = field<std::uint32_t>(bytes, 12);
  if (offset + size > bytes.size()) {
    throw ImageError(path,
                     "truncated: the EFI zboot payload ends at offset " +
                         std::to_string(offset + size) + " of " + std::to_string(bytes.size()),
                     "copy or download it again");
  }
  return bytes.subspan(offset, size);
}

}  // namespace trapline
