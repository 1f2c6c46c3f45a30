#include "sim/scenario/toml_table.h"

#include <spdlog/fmt/fmt.h>

#include <stdexcept>

#include "sim/scenario/scenario.h"

namespace trapline {
namespace {

[[noreturn]] void fail_at(const TomlFile& file, const toml::source_region& source,
                          std::string_view message) {
  throw ScenarioError(
      fmt::format("{}:{}:{}: {}", file.path, source.begin.line, source.begin.column, message));
}

std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

}  // namespace

const toml::node* TomlTable::find(std::string_view key) {
  known_.emplace(key);
  return table_.get(key);
}

void TomlTable::fail(const toml::node& node, std::string_view message) const {
  fail_at(file_, node.source(), message);
}

void TomlTable::fail(std::string_view key, std::string_view message) const {
  const toml::node* node = table_.get(key);
  fail(node ? *node : table_, fmt::format("{} of {}: {}", key, name_, message));
}

void TomlTable::wrong_type(const toml::node& node, std::string_view key,
                           std::string_view expected) const {
  fail(node, fmt::format("{} of {} is {}; it must be {}", key, name_, type_name(node), expected));
}

void TomlTable::located(std::string_view key, const std::function<void()>& parse) const {
  try {
    parse();
  } catch (const std::invalid_argument& error) {
    fail(key, error.what());
  }
}

std::optional<std::string> TomlTable::text(std::string_view key) {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  if (!node->is_string()) wrong_type(*node, key, "a string");
  return node->as_string()->get();
}

std::vector<std::string> TomlTable::texts(std::string_view key) {
  std::vector<std::string> result;
  const toml::node* node = find(key);
  if (!node) return result;
  const auto add = [&](const toml::node& item) {
    if (!item.is_string()) wrong_type(item, key, "a string or an array of strings");
    result.push_back(item.as_string()->get());
    if (result.back().empty()) fail(item, fmt::format("{} of {} is empty", key, name_));
  };
  if (const toml::array* array = node->as_array()) {
    for (const toml::node& item : *array) add(item);
  } else {
    add(*node);
  }
  return result;
}

std::optional<std::string> TomlTable::path(std::string_view key) {
  std::optional<std::string> value = text(key);
  if (!value) return std::nullopt;
  if (value->empty()) fail(key, "the path is empty");
  located(key, [&] { value = resolved(*value); });
  return value;
}

std::string TomlTable::resolved(std::string_view path) const {
  std::string full = substitute(std::string(path), file_.environment);
  return full.starts_with('/') ? full : file_.folder + full;
}

std::optional<bool> TomlTable::flag(std::string_view key) {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  if (!node->is_boolean()) wrong_type(*node, key, "true or false");
  return node->as_boolean()->get();
}

std::optional<std::int64_t> TomlTable::integer(std::string_view key, std::int64_t low,
                                               std::int64_t high) {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  if (!node->is_integer()) wrong_type(*node, key, "an integer");
  const std::int64_t value = node->as_integer()->get();
  if (value < low || value > high) {
    fail(key, fmt::format("{} is not from {} to {}", value, low, high));
  }
  return value;
}

std::optional<std::string> TomlTable::scalar(std::string_view key) {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  if (node->is_string()) return node->as_string()->get();
  if (node->is_integer()) return fmt::format("{}", node->as_integer()->get());
  if (node->is_floating_point()) return fmt::format("{}", node->as_floating_point()->get());
  wrong_type(*node, key, "a string or a number");
}

std::optional<TomlTable> TomlTable::table(std::string_view key) {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  if (!node->is_table()) wrong_type(*node, key, "a table");
  std::string name = name_.front() != '['
                         ? fmt::format("[{}]", key)
                         : fmt::format("{}.{}]", name_.substr(0, name_.size() - 1), key);
  return TomlTable(file_, *node->as_table(), std::move(name));
}

std::vector<TomlTable> TomlTable::tables(std::string_view key) {
  std::vector<TomlTable> result;
  const toml::node* node = find(key);
  if (!node) return result;
  const toml::array* array = node->as_array();
  if (!array) wrong_type(*node, key, fmt::format("an array of tables: write [[{}]]", key));
  for (const toml::node& item : *array) {
    if (!item.is_table()) wrong_type(item, key, "an array of tables");
    result.emplace_back(file_, *item.as_table(), fmt::format("[[{}]]", key));
  }
  return result;
}

void TomlTable::each(std::string_view key, const std::function<void(const toml::node&)>& visit) {
  const toml::node* node = find(key);
  if (!node) return;
  const toml::array* array = node->as_array();
  if (!array) wrong_type(*node, key, "an array");
  for (const toml::node& item : *array) visit(item);
}

std::string TomlTable::where() const {
  return fmt::format("{}:{}", file_.path, table_.source().begin.line);
}

void TomlTable::finish() const {
  for (const auto& [key, node] : table_) {
    if (known_.contains(std::string_view(key.str()))) continue;
    std::string names;
    for (const std::string& name : known_) {
      names += names.empty() ? "" : ", ";
      names += name;
    }
    fail_at(file_, key.source(),
            fmt::format("unknown key '{}' in {}; known are {}", key.str(), name_, names));
  }
}

}  // namespace trapline
