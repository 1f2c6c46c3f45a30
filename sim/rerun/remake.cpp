#include "sim/rerun/remake.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "sim/machine/boot.h"
#include "sim/report/run_facts.h"
#include "sim/scenario/command_line.h"

namespace trapline {
namespace {

/// What differs between the facts of then and of now, by name; empty if nothing does.
std::string changes(const std::vector<std::pair<std::string, std::string>>& then,
                    const std::vector<std::pair<std::string, std::string>>& now) {
  std::string text;
  const auto find = [](const auto& facts, const std::string& name) {
    return std::find_if(facts.begin(), facts.end(),
                        [&](const auto& fact) { return fact.first == name; });
  };
  for (const auto& [name, value] : then) {
    if (is_argument_fact(name)) continue;
    const auto other = find(now, name);
    if (other != now.end() && other->second == value) continue;
    text += fmt::format("{}{} was '{}' and is {}", text.empty() ? "" : "; ", name, value,
                        other == now.end() ? "not there" : "'" + other->second + "'");
  }
  for (const auto& [name, value] : now) {
    if (is_argument_fact(name) || find(then, name) != then.end()) continue;
    // What was typed then may be replayed now; the run has to repeat the trace in any case.
    if (name == kInputFact) continue;
    text += fmt::format("{}{} is '{}' and was not there", text.empty() ? "" : "; ", name, value);
  }
  return text;
}

}  // namespace

std::vector<std::string> split_words(const std::string& text) {
  std::vector<std::string> words;
  bool in_word = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == ' ' || c == '\t' || c == '\n') {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    if (c != '\'' && c != '"') {
      words.back() += c;
      continue;
    }
    const std::size_t end = text.find(c, at + 1);
    if (end == std::string::npos) throw RerunError(fmt::format("{}: a quote has no end", text));
    words.back() += text.substr(at + 1, end - at - 1);
    at = end;
  }
  return words;
}

Scenario remake_scenario(const TraceHeader& header, const std::string& trace,
                         const std::string& words, const Environment& environment) {
  std::vector<std::string> arguments = split_words(words);
  if (arguments.empty()) {
    for (const auto& [name, value] : header.facts) {
      if (is_argument_fact(name)) arguments.push_back(value);
    }
  }
  if (arguments.empty()) throw RerunError(trace + ": its head does not say how it was made");
  try {
    Scenario scenario = scenario_from_command_line(arguments, environment);
    check_has_image(scenario);
    // A side is copied by fork() on the way, and pages that domains map of one another (MAP_SHARED,
    // FrameSharing) would be one page for all the copies.
    if (!scenario.machine.domains.empty()) {
      throw RerunError(trace + ": a run with domains cannot be done again");
    }
    const std::string other = changes(header.facts, run_facts(scenario));
    if (!other.empty()) {
      throw RerunError(fmt::format("{}: it was made of other things: {}", trace, other));
    }
    plan_boot(scenario.machine);
    return scenario;
  } catch (const ScenarioError& error) {
    throw RerunError(fmt::format("{}: {}", trace, error.what()));
  } catch (const ImageError& error) {
    throw RerunError(fmt::format("{}: {}", trace, error.what()));
  }
}

}  // namespace trapline
