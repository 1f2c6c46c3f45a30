// `trapline machine`: what there is to run on.
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <cstdio>
#include <vector>

#include "sim/cli/commands.h"
#include "sim/cli/console.h"
#include "sim/cli/dts_writer.h"
#include "sim/machine/boot.h"

namespace trapline {

int machine_list_command() {
  std::puts(
      "virt  Arm's generic virtual board, with QEMU's memory map: GICv2 or GICv3, generic timers,\n"
      "      PL011 at 0x09000000, PL031, PSCI; RAM from 0x40000000; 1 to 8 CPUs");
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
