#include "sim/trace/trace_block.h"

#include <xxhash.h>

#include "sim/trace/trace_file.h"

namespace trapline::trace_block {
namespace {

void put(std::string& bytes, std::uint64_t value, unsigned count) {
  for (unsigned n = 0; n < count; ++n) bytes += static_cast<char>(value >> (8 * n));
}

std::uint64_t get(std::string_view bytes, std::size_t at, unsigned count) {
  std::uint64_t value = 0;
  for (unsigned n = 0; n < count; ++n) {
    value |= std::uint64_t{static_cast<std::uint8_t>(bytes[at + n])} << (8 * n);
  }
  return value;
}

}  // namespace

std::string magic() { return std::string(kName) + static_cast<char>(kTraceVersion); }

std::uint64_t hash(char type, std::uint32_t raw_bytes, std::string_view stored) {
  std::string lead(1, type);
  put(lead, raw_bytes, 4);
  return XXH3_64bits_withSeed(stored.data(), stored.size(), XXH3_64bits(lead.data(), lead.size()));
}

std::string header(char type, std::size_t raw_bytes, std::string_view stored) {
  const auto raw = static_cast<std::uint32_t>(raw_bytes);
  std::string bytes(1, type);
  put(bytes, raw, 4);
  put(bytes, stored.size(), 4);
  put(bytes, hash(type, raw, stored), 8);
  return bytes;
}

Header parse(std::string_view bytes) {
  return {bytes[0], static_cast<std::uint32_t>(get(bytes, 1, 4)),
          static_cast<std::uint32_t>(get(bytes, 5, 4)), get(bytes, 9, 8)};
}

}  // namespace trapline::trace_block
