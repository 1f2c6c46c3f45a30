// Scenario files.
#include "sim/scenario/toml_reader.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trapline;
  const auto environment = [](std::string_view name) -> std::optional<std::string> {
    if (name == "SET") return "value";
    return std::nullopt;
  };
  const std::string_view text = fuzz::Input::text({data, size});
  if (text.find("regex") != std::string_view::npos && fuzz::has_long_number(text)) return 0;
  try {
    // Below a folder that does not exist, so that a "base" finds nothing.
    read_scenario_text(text, "/no/such/folder/t.toml", environment);
  } catch (const ScenarioError& error) {
    fuzz::check_message(error.what());
  }
  return 0;
}
