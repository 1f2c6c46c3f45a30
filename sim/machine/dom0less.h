// Domains as the device tree for a dom0less Xen describes them.
#pragma once

#include <string>
#include <vector>

#include "sim/machine/machine_config.h"

namespace trapline {

/// The `xen,domain` nodes of /chosen in the file (Xen, docs/misc/arm/device-tree/booting.txt):
/// memory, cpus, vpl011, xen,enhanced, xen,static-mem, v8r_el1_msa (the earlier Arm port for MPUs:
/// mpu) and modules. A module is at an address; the file that was to be loaded there is taken from
/// `loads`. Throws ImageError naming the file and the node.
std::vector<DomainSpec> read_dom0less(const std::string& path, std::vector<LoadSpec>& loads);

}  // namespace trapline
