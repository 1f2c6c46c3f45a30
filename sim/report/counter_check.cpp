#include "sim/report/counter_check.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

namespace trapline {
namespace {

using Json = nlohmann::json;
using Path = std::vector<std::string>;

Path split(std::string_view name) {
  Path path;
  for (;;) {
    const std::size_t dot = name.find('.');
    path.emplace_back(name.substr(0, dot));
    if (dot == std::string_view::npos) return path;
    name.remove_prefix(dot + 1);
  }
}

std::optional<std::uint64_t> at(const Json& json, Path::const_iterator key,
                                Path::const_iterator end) {
  if (key == end) {
    return json.is_number_unsigned() ? std::optional(json.get<std::uint64_t>()) : std::nullopt;
  }
  if (!json.is_object() || !json.contains(*key)) return std::nullopt;
  return at(json.at(*key), key + 1, end);
}

/// exceptions.CLASS: classes that were never taken are not listed.
std::uint64_t exceptions(const Json& levels, const std::string& name) {
  std::uint64_t sum = 0;
  for (const auto& [level, classes] : levels.items()) sum += classes.value(name, std::uint64_t{0});
  return sum;
}

std::optional<std::uint64_t> mpu(const Json& stats, const Path& path) {
  if (path.size() < 3 || (path[1] != "el1" && path[1] != "el2")) return std::nullopt;
  if (!stats.contains("mpu")) return 0;
  std::uint64_t most = 0;
  for (const Json& one : stats.at("mpu")) {
    if (one.at("el") != (path[1] == "el1" ? 1 : 2)) continue;
    const auto count = at(one, path.begin() + 2, path.end());
    if (!count) return std::nullopt;
    most = std::max(most, *count);
  }
  return most;
}

std::optional<std::uint64_t> counter(const Json& stats, const std::string& name) {
  const Path path = split(name);
  if (path[0] == "mpu") return mpu(stats, path);
  if (const auto count = at(stats, path.begin(), path.end())) return count;
  if (path[0] == "exceptions" && path.size() == 2) return exceptions(stats.at(path[0]), path[1]);
  return std::nullopt;
}

}  // namespace

std::vector<std::string> check_counters(const std::vector<CounterLimit>& limits,
                                        std::string_view stats) {
  std::vector<std::string> failures;
  const Json json = Json::parse(stats);
  for (const CounterLimit& limit : limits) {
    const auto count = counter(json, limit.name);
    if (!count) {
      failures.push_back(fmt::format("{}: the statistics have no such counter", limit.text));
    } else if (!limit.met_by(*count)) {
      failures.push_back(fmt::format("{}: it is {}", limit.text, *count));
    }
  }
  return failures;
}

}  // namespace trapline
