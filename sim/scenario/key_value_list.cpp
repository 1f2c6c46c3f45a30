#include "sim/scenario/key_value_list.h"

#include <spdlog/fmt/fmt.h>

#include <stdexcept>

namespace trapline {
namespace {

std::vector<std::string> split_items(std::string_view text) {
  std::vector<std::string> items(1);
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != ',') {
      items.back() += text[at];
    } else if (at + 1 < text.size() && text[at + 1] == ',') {
      items.back() += ',';
      ++at;
    } else {
      items.emplace_back();
    }
  }
  return items;
}

}  // namespace

std::vector<KeyValue> parse_key_value_list(std::string_view text, std::string_view implied_key) {
  std::vector<KeyValue> result;
  for (const std::string& item : split_items(text)) {
    const std::size_t equals = item.find('=');
    if (equals != std::string::npos && equals > 0) {
      result.push_back({item.substr(0, equals), item.substr(equals + 1)});
    } else if (equals == std::string::npos && result.empty() && !implied_key.empty()) {
      result.push_back({std::string(implied_key), item});
    } else {
      throw std::invalid_argument(fmt::format(
          "'{}' in '{}' is not key=value (a comma inside a value is written ',,')", item, text));
    }
  }
  return result;
}

}  // namespace trapline
