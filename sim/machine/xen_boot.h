// What Xen expects to find in memory and under /chosen (Xen, docs/misc/arm/device-tree/booting.txt
// and docs/features/dom0less.pandoc).
#pragma once

#include <string>
#include <vector>

#include "sim/machine/boot_blob.h"
#include "sim/machine/device_tree.h"
#include "sim/machine/machine_config.h"
#include "sim/machine/memory_layout.h"

namespace trapline {

/// Xen's command line as it is written to /chosen/xen,xen-bootargs: the user's, plus dom0_mem= and
/// dom0_max_vcpus= from the domain's own options. Without any of the two, dom0_mem is Xen's own
/// default written out, which saves three seconds of Xen warning that it was not given.
std::string xen_command_line(const XenSpec& spec);

/// Checks names, sizes and command lines. Throws ImageError.
void check_xen_spec(const XenSpec& spec);

/// Places Xen and every module of every domain, and writes /chosen. The tree must hold the board
/// already. Throws ImageError for a bad file, an overlap or too little RAM.
PlacedImage place_xen(const XenSpec& spec, ImageCache& cache, MemoryLayout& layout,
                      DeviceTree& tree);

/// The lowest address at which modules are placed: a quarter into RAM, at most 256 MiB. This keeps
/// them clear of the device tree and leaves large free blocks for dom0, whose memory Xen takes at
/// its own physical addresses.
PhysAddr xen_modules_from(const MemoryLayout& layout);
/// Where the device tree goes: an eighth into RAM, at most 128 MiB.
PhysAddr xen_dtb_from(const MemoryLayout& layout);

}  // namespace trapline
