#include "sim/report/run_names.h"

#include <algorithm>

#include "sim/machine/boot.h"
#include "sim/machine/machine_type.h"
#include "sim/report/mpu_layer_watch.h"
#include "sim/report/run_facts.h"

namespace trapline {

AddressNames run_names(const Scenario& scenario) {
  AddressNames names;
  std::vector<std::string> known;
  const auto add = [&](const std::string& path, std::uint64_t offset) {
    if (path.empty() || std::find(known.begin(), known.end(), path) != known.end()) return;
    known.push_back(path);
    names.add_image(path, image_label(path), offset);
  };
  for (const SymbolSpec& spec : scenario.symbols) add(spec.path, spec.offset);
  const MachineConfig& machine = scenario.machine;
  add(machine.kernel, 0);
  for (const DomainSpec& domain : machine.domains) {
    if (mpu_of(machine)) add(domain.kernel, 0);
  }
  for (const LoadSpec& load : machine.loads) add(load.path, 0);
  if (!machine.domains.empty()) {
    if (const auto layer = mpu_layer_facts(run_facts(scenario))) add_layer_names(names, *layer);
    names.add_machine(machine.machine);
    return names;
  }
  const BootPlan plan = plan_boot(machine);
  for (const BootBlob& blob : plan.blobs) {
    if (blob.bytes.empty()) continue;
    const bool tree = blob.address == plan.dtb_address;
    const std::string name = !tree && !blob.item.path.empty() ? image_label(blob.item.path)
                                                              : blob.item.role;
    names.add({blob.address, blob.address + blob.bytes.size() - 1, name, {},
               NamedRange::Source::device_tree});
  }
  if (!plan.dtb.empty()) names.add_device_tree(plan.dtb, "device tree");
  names.add_machine(machine.machine);
  return names;
}

}  // namespace trapline
