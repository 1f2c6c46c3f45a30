// Lists such as "kernel=Image,append=console=hvc0,memory=256M".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trapline {

struct KeyValue {
  std::string key;
  std::string value;
};

/// Splits at commas; ",," stands for one comma inside a value, as in QEMU's options. The first "="
/// ends the key, so values may contain "=". An item without "=" gets the key `implied_key` if it
/// comes first and `implied_key` is not empty. Throws std::invalid_argument otherwise.
std::vector<KeyValue> parse_key_value_list(std::string_view text,
                                           std::string_view implied_key = {});

}  // namespace trapline
