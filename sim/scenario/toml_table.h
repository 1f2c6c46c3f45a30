// A TOML table read key by key, with errors that say where.
#pragma once

#include <toml++/toml.h>

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario/units.h"

namespace trapline {

/// What every table of one file shares.
struct TomlFile {
  std::string path;    ///< For messages.
  std::string folder;  ///< What relative paths are relative to; empty or ending in "/".
  Environment environment;
};

/// One table. Each accessor returns nothing for an absent key and throws ScenarioError for a value
/// of the wrong type; finish() then refuses every key that nobody asked for.
class TomlTable {
 public:
  /// `name` is how the table is called in messages: "[machine]".
  TomlTable(const TomlFile& file, const toml::table& table, std::string name)
      : file_(file), table_(table), name_(std::move(name)) {}

  std::optional<std::string> text(std::string_view key);
  /// A path, with variables replaced, made relative to the current directory.
  std::optional<std::string> path(std::string_view key);
  /// As path(), of a path that is part of a value.
  std::string resolved(std::string_view path) const;
  std::optional<bool> flag(std::string_view key);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t low, std::int64_t high);
  /// A string, or a number in its decimal spelling: for values that a parser of units.h takes.
  std::optional<std::string> scalar(std::string_view key);

  /// A string, or an array of strings, none of them empty. Empty if the key is absent.
  std::vector<std::string> texts(std::string_view key);

  std::optional<TomlTable> table(std::string_view key);
  /// The tables of an array of tables ([[key]] or an array of inline tables).
  std::vector<TomlTable> tables(std::string_view key);
  bool has(std::string_view key) { return find(key) != nullptr; }
  /// An array whose elements are strings or tables.
  void each(std::string_view key, const std::function<void(const toml::node&)>& visit);
  /// The element as a table of its own.
  TomlTable element(const toml::table& table, std::string name) const {
    return TomlTable(file_, table, std::move(name));
  }

  /// Runs `parse`, turning std::invalid_argument into an error at `key`.
  void located(std::string_view key, const std::function<void()>& parse) const;
  [[noreturn]] void fail(std::string_view key, std::string_view message) const;
  [[noreturn]] void fail(const toml::node& node, std::string_view message) const;
  /// "file:line" of the table.
  std::string where() const;

  void finish() const;

 private:
  const toml::node* find(std::string_view key);
  [[noreturn]] void wrong_type(const toml::node& node, std::string_view key,
                               std::string_view expected) const;

  const TomlFile& file_;
  const toml::table& table_;
  std::string name_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace trapline
