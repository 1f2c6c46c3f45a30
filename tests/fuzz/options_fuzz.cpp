// Options of the command line: each line of the input is a number of a row of run_options() and a
// value; a line that starts with "-" is a word as typed.
#include <stdexcept>
#include <vector>

#include "sim/scenario/command_line.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trapline;
  fuzz::Input input(data, size);
  const auto rows = run_options();
  RunArguments arguments;
  arguments.values.assign(rows.size(), {});
  std::vector<std::string> words;
  while (!input.empty()) {
    const std::string_view line = input.text_until('\n');
    if (line.empty()) continue;
    if (line.front() == '-') {
      words.emplace_back(line);
      continue;
    }
    const auto row = static_cast<unsigned char>(line.front()) % rows.size();
    arguments.values[row].emplace_back(line.substr(1));
  }
  fuzz::check(normalise_arguments(words).size() == words.size(), "no word is lost");
  const auto nothing = [](std::string_view) { return std::optional<std::string>(); };
  for (const auto& make : {std::function([&] { return make_scenario(arguments, nothing); }),
                           std::function([&] { return scenario_from_command_line(words, nothing); })}) {
    try {
      make();
    } catch (const ScenarioError& error) {
      fuzz::check_message(error.what());
    }
  }
  return 0;
}
