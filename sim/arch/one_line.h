// Text that others wrote, on one line of ours.
#pragma once

#include <string>
#include <string_view>

namespace trapline {

/// Control characters, line ends above all, as \xNN.
inline std::string one_line(std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string line;
  line.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      line += c;
    } else {
      line += "\\x";
      line += kDigits[byte >> 4];
      line += kDigits[byte & 15];
    }
  }
  return line;
}

}  // namespace trapline
