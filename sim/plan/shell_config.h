// Configuration files in the form of shell assignments, as ImageBuilder sources them: read here,
// never executed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace trapline::plan {

struct ShellValue {
  std::string text;
  unsigned line = 0, column = 0;  ///< Of the value's first character, from 1.
};

/// NAME=value has index 0, as in the shell, where X and X[0] are one.
using ShellArray = std::map<unsigned, ShellValue>;

struct ShellConfig {
  std::string path;  ///< For messages.
  std::map<std::string, ShellArray, std::less<>> variables;

  const ShellValue* find(std::string_view name, unsigned index = 0) const;
};

/// Reads comments and assignments: NAME=word, NAME[3]=word and NAME=(word ...), where words may be
/// quoted either way, escaped and continued over lines. Whatever a shell would do beyond that
/// (expand, substitute, redirect, loop, call) is refused by its name. Throws ScenarioError,
/// "path:line:column: message".
ShellConfig parse_shell_config(std::string_view text, const std::string& path);

}  // namespace trapline::plan
