#include "sim/report/image_symbols.h"

namespace trapline {

Symbols image_symbols(const Scenario& scenario) {
  Symbols symbols;
  for (const SymbolSpec& spec : scenario.symbols) symbols.add(spec);
  const auto add = [&](const std::string& path) {
    if (path.empty()) return;
    for (const Symbols::Entry& known : symbols.entries()) {
      if (known.spec.path == path) return;  // Its user knows better where it holds.
    }
    symbols.add_if_any({path, {}, {}, 0});
  };
  const MachineConfig& machine = scenario.machine;
  add(machine.kernel);
  for (const LoadSpec& load : machine.loads) add(load.path);
  if (!machine.xen) return symbols;
  add(machine.xen->image);
  if (machine.xen->dom0) add(machine.xen->dom0->kernel);
  for (const DomainSpec& domain : machine.xen->domus) add(domain.kernel);
  return symbols;
}

}  // namespace trapline
