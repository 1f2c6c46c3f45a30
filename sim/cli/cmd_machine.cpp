// `trapline machine`: what there is to run on.
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "sim/cli/commands.h"
#include "sim/cli/console.h"
#include "sim/cli/dts_writer.h"
#include "sim/machine/boot.h"

namespace trapline {
namespace {

constexpr std::size_t kNameColumn = 12;

}  // namespace

int machine_list_command() {
  for (const MachineType* type : machine_types()) {
    std::string text(type->summary());
    for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) {
      text.insert(at + 1, kNameColumn, ' ');
    }
    std::puts(fmt::format("{:<{}}{}", type->name(), kNameColumn, text).c_str());
  }
  return 0;
}

int machine_dtb_command(const RunArguments& arguments, const Environment& environment, bool source,
                        const std::string& output) {
  const Scenario scenario = make_scenario(arguments, environment);
  const std::vector<std::uint8_t> dtb = machine_dtb(scenario.machine);
  const bool to_stdout = output.empty() || output == "-";
  if (to_stdout && !source && isatty(STDOUT_FILENO)) {
    throw ScenarioError("a device-tree blob is not for a terminal: give -o FILE or --dts");
  }
  HostOutput out = to_stdout ? HostOutput(FileDescriptor(STDOUT_FILENO, false), "standard output")
                             : HostOutput::to_file(output);
  if (source) {
    out.write(device_tree_source(dtb));
  } else {
    out.write({reinterpret_cast<const char*>(dtb.data()), dtb.size()});
  }
  out.close();
  if (out.error()) throw ScenarioError(*out.error());
  return 0;
}

}  // namespace trapline
