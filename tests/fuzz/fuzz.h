// What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput; libFuzzer drives it,
// or replay.cpp where there is none.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace trapline::fuzz {

/// What must hold for every input. Ends the process, which is how a fuzzer learns of it.
inline void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

/// An input taken apart from its front. Past the end there are zeros.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : bytes_(data, size) {}

  bool empty() const { return bytes_.empty(); }
  std::span<const std::uint8_t> take(std::size_t count) {
    const auto part = bytes_.first(std::min(count, bytes_.size()));
    bytes_ = bytes_.subspan(part.size());
    return part;
  }
  std::span<const std::uint8_t> rest() { return take(bytes_.size()); }
  /// Little-endian.
  std::uint64_t number(unsigned bytes) {
    std::uint64_t value = 0;
    unsigned shift = 0;
    for (const std::uint8_t byte : take(bytes)) {
      value |= std::uint64_t{byte} << shift;
      shift += 8;
    }
    return value;
  }
  std::uint8_t byte() { return static_cast<std::uint8_t>(number(1)); }
  /// Up to `end`, which is dropped, or all.
  std::string_view text_until(char end) {
    const std::string_view all = text(bytes_);
    const std::size_t at = std::min(all.find(end), all.size());
    bytes_ = bytes_.subspan(std::min(at + 1, bytes_.size()));
    return all.substr(0, at);
  }

  static std::string_view text(std::span<const std::uint8_t> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

/// The one-line message of an error that a user is shown.
inline void check_message(std::string_view message) {
  check(!message.empty(), "an error says something");
  if (message.find('\n') == std::string_view::npos) return;
  std::fprintf(stderr, "%.*s\n", static_cast<int>(message.size()), message.data());
  check(false, "an error is one line");
}

/// libstdc++ lets numbers in regular expressions overflow, which the sanitizer sees.
inline bool has_long_number(std::string_view text) {
  unsigned digits = 0;
  for (const char c : text) {
    digits = c >= '0' && c <= '9' ? digits + 1 : 0;
    if (digits > 9) return true;
  }
  return false;
}

}  // namespace trapline::fuzz
