// The blocks of a binary trace (traces/FORMAT.md, "Blocks").
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace trapline::trace_block {

/// Bytes 0 to 6 of a file; byte 7 is the version.
inline constexpr std::string_view kName{"TLTRACE", 7};
inline constexpr std::size_t kMagicBytes = 8;
inline constexpr std::size_t kHeaderBytes = 17;
/// No block is larger, stored or raw: a reader refuses a size above it before it allocates.
inline constexpr std::size_t kMostBytes = 4 << 20;

std::string magic();

struct Header {
  char type = 0;  ///< 'H' header, 'E' events, 'Z' end.
  std::uint32_t raw_bytes = 0;
  std::uint32_t stored_bytes = 0;
  std::uint64_t hash = 0;
};

std::string header(char type, std::size_t raw_bytes, std::string_view stored);
Header parse(std::string_view bytes);
/// XXH3 (64 bits) over type, sizes and what is stored.
std::uint64_t hash(char type, std::uint32_t raw_bytes, std::string_view stored);

}  // namespace trapline::trace_block
